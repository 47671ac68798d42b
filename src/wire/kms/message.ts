import { ServiceError } from "../../model/errors.ts";
import { ServiceFault } from "../errors.ts";
import { parseJsonObject } from "../json.ts";
import type { WireRequest, WireResponse } from "../message.ts";

/*
 * The part of AWS KMS that manages encryption keys: JSON 1.1, one path, the operation in a header.
 */

/** What stands before the operation in `X-Amz-Target`. */
const KMS_TARGET_PREFIX = "TrentService.";

/** The operation that a request asks for; undefined when it is none of KMS. */
export function kmsOperationOf({ headers }: Pick<WireRequest, "headers">): string | undefined {
  const target = headers.get("x-amz-target");
  if (!target?.startsWith(KMS_TARGET_PREFIX)) return undefined;
  return target.slice(KMS_TARGET_PREFIX.length);
}

/** The members of a KMS request, and what may be there. */
export class KmsMembers {
  readonly #json: Record<string, unknown>;

  /** Throws for a member that the operation does not take here, for it would mean something. */
  constructor(request: Pick<WireRequest, "body">, names: readonly string[]) {
    this.#json = request.body.length === 0 ? {} : parseJsonObject(request.body);
    const unknown = Object.keys(this.#json).find((name) => !names.includes(name));
    if (unknown === undefined) return;
    const message = `Varve does not support the member ${unknown.slice(0, 64)} here`;
    throw kmsFault("UnsupportedOperationException", message);
  }

  /** An optional text. */
  text(name: string): string | undefined {
    const value = this.#json[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "string" && value.length <= 8_192) return value;
    throw validationFault(name, "a text of at most 8192 characters");
  }

  /** A text that must be there. */
  required(name: string): string {
    const value = this.text(name);
    if (value) return value;
    throw validationFault(name, "not empty");
  }

  /** An optional whole number within bounds. */
  integer(name: string, min: number, max: number): number | undefined {
    const value = this.#json[name];
    if (value === undefined || value === null) return undefined;
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
      return value as number;
    }
    throw validationFault(name, `a whole number from ${min} to ${max}`);
  }

  /** Refuses any value of a member but the ones that mean what happens anyway. */
  only(name: string, values: readonly unknown[]): void {
    const value = this.#json[name];
    if (value === undefined || value === null || values.includes(value)) return;
    const message = `Varve supports ${values.map(String).join(", ")} as ${name} only`;
    throw kmsFault("UnsupportedOperationException", message);
  }
}

/** An error of KMS; all that are not its own failures are answered with 400. */
export function kmsFault(code: string, message: string): ServiceFault {
  return new ServiceFault({ status: 400, code, message });
}

function validationFault(member: string, wanted: string): ServiceFault {
  return kmsFault("ValidationException", `Member ${member} must be ${wanted}`);
}

/** Writes the answer of an operation. */
export function writeKmsResponse(members: object): WireResponse {
  return kmsResponse(200, members);
}

/**
 * Writes any error as KMS answers it: those of authentication and permission too are 400. An
 * unknown one tells nothing of itself.
 */
export function writeKmsErrorResponse(error: unknown): WireResponse {
  const { status, code, message } = kmsErrorOf(error);
  return kmsResponse(status, { __type: code, message });
}

function kmsErrorOf(error: unknown): Pick<ServiceFault, "status" | "code" | "message"> {
  if (error instanceof ServiceFault) {
    return error.status === 403 ? kmsFault(error.code, error.message) : error;
  }
  const isKnown = error instanceof ServiceError;
  if (!isKnown || error.code === "InternalServerException") {
    // A full disk, or a store that takes no changes for now: what to do stands in the message.
    const unknown = "An internal error has occurred. Please retry your request.";
    const message = isKnown ? error.message : unknown;
    return { status: 500, code: "KMSInternalException", message };
  }
  const isThrottled = error.code === "RequestThrottledException";
  return kmsFault(isThrottled ? "ThrottlingException" : error.code, error.message);
}

function kmsResponse(status: number, members: object): WireResponse {
  const headers = { "Content-Type": "application/x-amz-json-1.1" };
  return { status, headers, body: JSON.stringify(members) };
}
