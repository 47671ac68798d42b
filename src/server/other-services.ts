import { hash } from "node:crypto";
import { QueryParameters, type QueryService, writeQueryErrorResponse } from "../wire/ec2/query.ts";
import { kmsOperationOf, writeKmsErrorResponse } from "../wire/kms/message.ts";
import type { WireResponse } from "../wire/message.ts";
import { writeListBucketsResponse, writeS3ErrorResponse } from "../wire/s3/list-buckets.ts";
import { parseAuthorization } from "../wire/signature.ts";
import { authorizeQuery } from "./access/authorize.ts";
import { authenticateBody } from "./authenticate-body.ts";
import { callQueryAction, isQueryAction } from "./ec2/query-actions.ts";
import { forQueryService } from "./ec2/query-errors.ts";
import { callerOf, type Exchange, type ExchangeParts } from "./exchange-parts.ts";
import type { RequestHead } from "./http/raw-request.ts";
import { callKmsOperation, isKmsOperation } from "./kms/kms-operations.ts";

/* The services that share one path, beside the direct APIs. */

/** A service beside the direct APIs. */
export type Service = QueryService | "s3" | "kms";

/** Whose shape request and answer have; undefined for the direct APIs. */
export function serviceOf(head: RequestHead): Service | undefined {
  if (head.path !== "/") return undefined;
  if (head.method === "POST" && kmsOperationOf(head) !== undefined) return "kms";
  if (head.method === "GET" && claimedService(head) === "s3") return "s3";
  return head.method === "POST" ? claimedQueryService(head) : undefined;
}

/** EC2 and STS share one path; the credential scope says which is meant. */
function claimedQueryService(head: RequestHead): QueryService {
  return claimedService(head) === "sts" ? "sts" : "ec2";
}

/** The service in the credential scope; undefined where there is none to read. */
function claimedService({ headers }: RequestHead): string | undefined {
  const authorization = parseAuthorization(headers.get("authorization") ?? "");
  return typeof authorization === "string" ? undefined : authorization.scope.service;
}

/** Answers a request to such a service. */
export function answerService(
  parts: ExchangeParts,
  exchange: Exchange,
  { head, service }: { readonly head: RequestHead; readonly service: Service },
): Promise<WireResponse> {
  if (service === "kms") return answerKms(parts, exchange, head);
  if (service === "s3") return answerListBuckets(parts, exchange, head);
  return answerQuery(parts, exchange, { head, service });
}

/** Writes any error as that service answers it. */
export function writeServiceError(
  service: Service,
  requestId: string,
  error: unknown,
): WireResponse {
  if (service === "kms") return writeKmsErrorResponse(error);
  if (service === "s3") return writeS3ErrorResponse(requestId, error);
  return writeQueryErrorResponse(service, requestId, forQueryService(service, error));
}

async function answerQuery(
  parts: ExchangeParts,
  exchange: Exchange,
  { head, service }: { readonly head: RequestHead; readonly service: QueryService },
): Promise<WireResponse> {
  const { requestId } = exchange;
  const { principal, body } = await authenticateBody(parts, exchange, { head, service });
  const parameters = new QueryParameters(body);
  const { action } = parameters;
  if (isQueryAction(service, action)) exchange.facts.operation = action;
  await parts.callAudit?.checkWritable(exchange.facts);
  const caller = callerOf(exchange, principal);
  await authorizeQuery(parts.core, caller, { service, parameters });
  const { core, sessions } = parts;
  return callQueryAction(core, service, { ...caller, parameters, requestId, sessions });
}

async function answerKms(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<WireResponse> {
  const { principal, body } = await authenticateBody(parts, exchange, { head, service: "kms" });
  const operation = kmsOperationOf(head) ?? "";
  if (isKmsOperation(operation)) exchange.facts.operation = operation;
  await parts.callAudit?.checkWritable(exchange.facts);
  const call = { ...callerOf(exchange, principal), operation, request: { ...head, body } };
  return callKmsOperation(parts.core, call);
}

/** Every account may ask for its buckets and has none, so there is nothing to authorize. */
async function answerListBuckets(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<WireResponse> {
  const { principal } = await authenticateBody(parts, exchange, { head, service: "s3" });
  exchange.facts.operation = "ListBuckets";
  await parts.callAudit?.checkWritable(exchange.facts);
  const { account } = principal;
  return writeListBucketsResponse({ id: hash("sha256", account, "hex"), displayName: account });
}
