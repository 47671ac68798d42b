import { ServiceError, type ServiceErrorCode } from "../model/errors.ts";
import type { ReceivedResponse, WireResponse } from "./message.ts";

const NAMESPACE = "http://internal.amazon.com/coral";
/** Origin of errors of the service itself; their body has `Message` and `Reason`. */
const MODELLED = `${NAMESPACE}/com.amazon.zeppelindataservice/`;
/** Origin of the framework's validation errors; their body has `message` only. */
const VALIDATION = `${NAMESPACE}/com.amazon.coral.validate/`;
/** Origin of the framework's other errors; their body has `message` only. */
const FRAMEWORK = `${NAMESPACE}/com.amazon.coral.service/`;

const STATUS_OF_CODE: Readonly<Record<ServiceErrorCode, number>> = {
  AccessDeniedException: 403,
  ConcurrentLimitExceededException: 400,
  ConflictException: 409,
  InternalServerException: 500,
  InvalidSignatureException: 403,
  RequestThrottledException: 400,
  ResourceNotFoundException: 404,
  ValidationException: 400,
};

/**
 * An error that the HTTP framework raises before the service is reached: authentication, framing,
 * validation of members. Its code is not one of the service's own.
 */
export class ServiceFault extends Error {
  readonly status: number;
  readonly code: string;
  /** True for a member out of its documented bounds. */
  readonly isValidation: boolean;
  /** Where several members are out of their bounds, the fault of the first alone. */
  readonly firstAlone: ServiceFault | undefined;

  constructor(fault: {
    readonly status: number;
    readonly code: string;
    readonly message: string;
    readonly isValidation?: boolean;
    readonly firstAlone?: ServiceFault | undefined;
  }) {
    super(fault.message);
    this.name = fault.code;
    this.status = fault.status;
    this.code = fault.code;
    this.isValidation = fault.isValidation ?? false;
    this.firstAlone = fault.firstAlone;
  }
}

/** Writes any error as the EBS direct APIs answer it. An unknown one tells nothing of itself. */
export function writeErrorResponse(error: unknown): WireResponse {
  if (error instanceof ServiceFault) {
    const origin = error.isValidation ? VALIDATION : FRAMEWORK;
    return errorResponse(error.status, `${error.code}:${origin}`, { message: error.message });
  }
  if (error instanceof ServiceError && error.code === "InvalidSignatureException") {
    return errorResponse(403, `${error.code}:${FRAMEWORK}`, { message: error.message });
  }
  if (error instanceof ServiceError) {
    const { code, message, reason } = error;
    const body = reason === undefined ? { Message: message } : { Message: message, Reason: reason };
    return errorResponse(STATUS_OF_CODE[code], `${code}:${MODELLED}`, body);
  }
  const body = { Message: "An internal error has occurred. Please retry your request." };
  return errorResponse(500, `InternalServerException:${MODELLED}`, body);
}

function errorResponse(status: number, type: string, body: object): WireResponse {
  return {
    status,
    headers: { "Content-Type": "application/json", "x-amzn-ErrorType": type },
    body: JSON.stringify(body),
  };
}

/** What a client can tell of a failed call, whichever service answered. */
export interface ReceivedError {
  readonly code: string;
  readonly reason: string | undefined;
  readonly message: string;
}

/** Reads an error response of the EBS direct APIs; both spellings of the message are in use. */
export function readErrorResponse(response: ReceivedResponse): ReceivedError {
  const type = response.headers.get("x-amzn-errortype");
  const body = parseBody(response.body);
  const code = type?.split(":")[0] ?? body["__type"]?.split("#").at(-1);
  return {
    code: code ?? `HTTP ${response.status}`,
    reason: body["Reason"],
    message: body["Message"] ?? body["message"] ?? "The response carries no message",
  };
}

function parseBody(body: Uint8Array): Record<string, string | undefined> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null ? (value as Record<string, string>) : {};
  } catch {
    // A proxy in between may answer with a page of its own; the status still says something.
    return {};
  }
}
