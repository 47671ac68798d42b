import { ServiceFault } from "../errors.ts";
import type { WireResponse } from "../message.ts";

/*
 * The one call of S3 that a snapshot tool makes of a service without buckets: who am I, and which
 * buckets are mine. flexible-snapshot-proxy asks it at each start, for Owner.ID.
 */

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

/** Writes the answer of ListBuckets of an account that has none. */
export function writeListBucketsResponse(owner: {
  /** 64 hexadecimal digits, the same for an account at all times. */
  readonly id: string;
  readonly displayName: string;
}): WireResponse {
  const contents =
    `<Owner><ID>${owner.id}</ID><DisplayName>${owner.displayName}</DisplayName></Owner>` +
    "<Buckets/>";
  const root = "ListAllMyBucketsResult";
  return xmlResponse(200, `<${root} xmlns="${NAMESPACE}">${contents}</${root}>`);
}

const CODES: Readonly<Record<string, string>> = {
  InvalidSignatureException: "SignatureDoesNotMatch",
  MissingAuthenticationTokenException: "AccessDenied",
  UnrecognizedClientException: "InvalidAccessKeyId",
};

/** Writes an error as S3 does. An unknown one tells nothing of itself. */
export function writeS3ErrorResponse(requestId: string, error: unknown): WireResponse {
  const fault = error instanceof ServiceFault ? error : undefined;
  const code = fault ? (CODES[fault.code] ?? fault.code.replace(/Exception$/, "")) : undefined;
  const message = fault?.message ?? "We encountered an internal error. Please try again.";
  const contents =
    `<Code>${code ?? "InternalError"}</Code><Message>${escapeText(message)}</Message>` +
    `<RequestId>${requestId}</RequestId>`;
  return xmlResponse(fault?.status ?? 500, `<Error>${contents}</Error>`);
}

function escapeText(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function xmlResponse(status: number, document: string): WireResponse {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n${document}`;
  return { status, headers: { "Content-Type": "application/xml" }, body };
}
