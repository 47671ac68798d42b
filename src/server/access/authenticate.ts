import { hash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Principal } from "../../identity/principal.ts";
import type { SignatureClaim, SignatureVerifier } from "../../identity/signature-verifier.ts";
import { SIGNATURE_SKEW_SECONDS_MAX } from "../../model/limits.ts";
import { ServiceFault } from "../../wire/errors.ts";
import {
  type Authorization,
  canonicalRequest,
  formatSigningTime,
  parseAuthorization,
  parseSigningTime,
  stringToSign,
  UNSIGNED_PAYLOAD,
} from "../../wire/signature.ts";
import type { RequestHead } from "../http/raw-request.ts";
import type { Leniency } from "./leniency.ts";

/** What authentication works with. */
export interface AuthenticationParts {
  readonly verifier: SignatureVerifier;
  readonly clock: Clock;
  /** The region this service runs as; "local" is taken beside it, for clients that have none. */
  readonly region: string;
  /** In what to be as AWS is, where that is emulated; by itself in nothing. */
  readonly leniency?: Leniency | undefined;
}

/** Region that local development clients sign with. */
const LOCAL_REGION = "local";

/**
 * Proves who sent a request from its Signature Version 4, before anything else looks at it. The
 * only way to a `Principal`. `payloadHash` is what the canonical request ends with: what the
 * request declares, or the hash of the body where it declares nothing.
 *
 * Stricter than AWS in one point, unless `leniency` says otherwise: every `x-amz-*` header received
 * must be signed. The block's bytes are outside the signature; the signed checksum header is what
 * binds them.
 */
export function authenticate(
  parts: AuthenticationParts,
  head: RequestHead,
  request: SignedRequest,
): Promise<Principal> {
  return verifyClaim(parts, readSignature(parts, head, request));
}

/** Of a request, besides its head, what its signature is over. */
export interface SignedRequest {
  readonly service: string;
  readonly payloadHash: string;
}

/** The signature of a request as it is claimed; throws where there can be none. */
export function readSignature(
  { clock, region, leniency }: AuthenticationParts,
  head: RequestHead,
  request: SignedRequest,
): SignatureClaim {
  const inQuery = leniency?.claimInQuery(head);
  const { authorization, dateTime } = inQuery ?? readClaim(head);
  checkScope(authorization, { dateTime, region, service: request.service });
  checkTime(dateTime, clock.nowMs(), inQuery?.lifetimeSeconds);
  checkSignedHeaders(authorization, head, leniency);
  const { accessKeyId, scope, signature, signedHeaders } = authorization;
  const signedHead = inQuery?.signedHead ?? head;
  const canonical = canonicalRequest(signedHead, signedHeaders, request.payloadHash);
  const text = stringToSign(dateTime, scope, hash("sha256", canonical, "hex"));
  const sessionToken = head.headers.get("x-amz-security-token");
  return { accessKeyId, ...scope, stringToSign: text, signature, sessionToken };
}

/** Who made that signature; throws what AWS says of one that proves nobody. */
async function verifyClaim(
  { verifier }: AuthenticationParts,
  claim: SignatureClaim,
): Promise<Principal> {
  const principal = await verifier.verify(claim);
  if (principal === "unknown-key") {
    const message = "The security token included in the request is invalid.";
    throw fault(403, "UnrecognizedClientException", message);
  }
  if (principal === "expired-session") {
    const message = "The security token included in the request is expired";
    throw fault(403, "ExpiredTokenException", message);
  }
  if (principal === "wrong-signature") {
    const message =
      "The request signature we calculated does not match the signature you provided. Check " +
      "your AWS Secret Access Key and signing method. Consult the service documentation for " +
      "details.";
    throw fault(403, "InvalidSignatureException", message);
  }
  return principal;
}

function readClaim({ headers, query }: RequestHead): {
  readonly authorization: Authorization;
  readonly dateTime: string;
} {
  if (/(^|&)X-Amz-(Algorithm|Signature|Credential|Security-Token)=/i.test(query)) {
    const message = "Signatures in the query are not supported: sign with the Authorization header";
    throw fault(400, "IncompleteSignatureException", message);
  }
  const value = headers.get("authorization");
  if (!value) {
    throw fault(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
  }
  const authorization = parseAuthorization(value);
  if (typeof authorization === "string") {
    throw fault(400, "IncompleteSignatureException", authorization);
  }
  const dateTime = headers.get("x-amz-date");
  if (!dateTime) {
    const message = "Authorization header requires existence of a 'X-Amz-Date' header.";
    throw fault(400, "IncompleteSignatureException", message);
  }
  return { authorization, dateTime };
}

function checkScope(
  { scope }: Authorization,
  wanted: { readonly dateTime: string; readonly region: string; readonly service: string },
): void {
  if (scope.region !== wanted.region && scope.region !== LOCAL_REGION) {
    const message =
      `Credential should be scoped to a valid region, not '${shorten(scope.region)}'. ` +
      `This service runs as '${wanted.region}'.`;
    throw fault(403, "InvalidSignatureException", message);
  }
  if (scope.service !== wanted.service) {
    const message = `Credential should be scoped to correct service: '${wanted.service}'.`;
    throw fault(403, "InvalidSignatureException", message);
  }
  if (scope.date !== wanted.dateTime.slice(0, 8)) {
    const message =
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from ` +
      `HTTP: '${shorten(scope.date)}' != '${wanted.dateTime.slice(0, 8)}'.`;
    throw fault(403, "InvalidSignatureException", message);
  }
}

function checkTime(
  dateTime: string,
  nowMs: number,
  lifetimeSeconds = SIGNATURE_SKEW_SECONDS_MAX,
): void {
  const timeMs = parseSigningTime(dateTime);
  if (timeMs === undefined) {
    const message = `Date must be in ISO-8601 'basic format'. Got '${shorten(dateTime)}'.`;
    throw fault(400, "IncompleteSignatureException", message);
  }
  const boundMs = SIGNATURE_SKEW_SECONDS_MAX * 1000;
  const earliestMs = nowMs - lifetimeSeconds * 1000;
  if (timeMs < earliestMs) {
    const relation = `is now earlier than ${formatSigningTime(earliestMs)}`;
    const age = `${lifetimeSeconds / 60} min.`;
    const now = formatSigningTime(nowMs);
    const message = `Signature expired: ${dateTime} ${relation} (${now} - ${age})`;
    throw fault(403, "InvalidSignatureException", message);
  }
  if (timeMs > nowMs + boundMs) {
    const relation = `is still later than ${formatSigningTime(nowMs + boundMs)}`;
    const now = formatSigningTime(nowMs);
    const message = `Signature not yet current: ${dateTime} ${relation} (${now} + 15 min.)`;
    throw fault(403, "InvalidSignatureException", message);
  }
}

function checkSignedHeaders(
  { signedHeaders }: Authorization,
  head: RequestHead,
  leniency: Leniency | undefined,
): void {
  const signed = new Set([...signedHeaders, ...(leniency?.unsignedHeaders(head) ?? [])]);
  const missing = [...head.headers.keys()].filter(
    (name) => (name === "host" || name.startsWith("x-amz-")) && !signed.has(name),
  );
  if (missing.length > 0) {
    const message =
      `'Host' and every 'x-amz-*' header must be a 'SignedHeader' in the AWS Authorization; ` +
      `missing: ${missing.map(shorten).join(", ")}`;
    throw fault(403, "InvalidSignatureException", message);
  }
}

/** The payload hash a request declares; undefined when it declares none. */
export function declaredPayloadHash({ headers, method }: RequestHead): string | undefined {
  const declared = headers.get("x-amz-content-sha256");
  if (declared === undefined || /^[0-9a-f]{64}$/.test(declared)) return declared;
  if (declared === UNSIGNED_PAYLOAD && method === "PUT") return declared;
  const message =
    `x-amz-content-sha256 must be the body's SHA-256 in hexadecimal, or ${UNSIGNED_PAYLOAD} for ` +
    `PutSnapshotBlock, not '${shorten(declared)}'`;
  throw fault(400, "InvalidRequestException", message);
}

/** The fault of a body that is not the one the signature covers. */
export function payloadMismatch(): ServiceFault {
  const message = "The provided x-amz-content-sha256 header does not match what was computed.";
  return fault(400, "InvalidRequestException", message);
}

function fault(status: number, code: string, message: string): ServiceFault {
  return new ServiceFault({ status, code, message });
}

function shorten(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}
