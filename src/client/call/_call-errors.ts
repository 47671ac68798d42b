import { readQueryErrorResponse } from "../../wire/ec2/query.ts";
import { type ReceivedError, readErrorResponse } from "../../wire/errors.ts";
import type { ReceivedResponse } from "../../wire/message.ts";
import { ClientError } from "../errors.ts";
import { serviceErrorOf } from "../service-errors.ts";
import type { ServiceName } from "./endpoints.ts";

/** An attempt without an answer. */
export interface FailedExchange {
  readonly operation: string;
  readonly endpoint: string;
  /** Milliseconds, where the attempt ended because its time was over. */
  readonly timeoutMs: number | undefined;
  readonly cause: unknown;
}

/** The error of a service that was not reached, or did not answer to the end. */
export function connectionError({
  operation,
  endpoint,
  timeoutMs,
  cause,
}: FailedExchange): ClientError {
  const parts = { kind: "connection", operation, endpoint, cause } as const;
  if (timeoutMs !== undefined) {
    const message = `The service did not answer within ${timeoutMs / 1000} s.`;
    return new ClientError({ ...parts, code: "ETIMEDOUT", message });
  }
  const code = codeOf(cause) ?? "ConnectionError";
  const message = cause instanceof Error ? cause.message || code : String(cause);
  return new ClientError({ ...parts, code, message });
}

/** The system's code: of several addresses tried in vain the first's, of `fetch` its cause's. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return codeOf(error instanceof AggregateError ? error.errors[0] : error.cause);
}

/** The error that the service answered. */
export function receivedError(
  { operation, service }: { readonly operation: string; readonly service: ServiceName },
  response: ReceivedResponse,
  endpoint: string,
): ClientError {
  const { code, reason, message } = describe(service, response);
  const { status, headers } = response;
  const requestId = headers.get("x-amzn-requestid") ?? headers.get("x-amz-request-id") ?? undefined;
  const told = { operation, code, reason, message, status, requestId, endpoint };
  return serviceErrorOf({ kind: "service", ...told });
}

function describe(service: ServiceName, response: ReceivedResponse): ReceivedError {
  if (service === "ebs") return readErrorResponse(response);
  const error = readQueryError(response);
  const message = "The response carries no message";
  return { code: `HTTP ${response.status}`, message, ...error, reason: undefined };
}

function readQueryError(response: ReceivedResponse): { code: string; message: string } | undefined {
  try {
    return readQueryErrorResponse(response);
  } catch {
    // Not XML: something between us and the service has answered in its place.
    return undefined;
  }
}
