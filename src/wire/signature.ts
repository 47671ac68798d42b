import { uriEncode, type WireRequest } from "./message.ts";

/*
 * AWS Signature Version 4: the texts that both ends build and compare. Hashing and HMAC come in as
 * parameters, since this folder runs in browsers too.
 */

/** Name of the one algorithm there is. */
export const ALGORITHM = "AWS4-HMAC-SHA256";
/** Declared in `x-amz-content-sha256` where the body is not part of the signature. */
export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
/** SHA-256 of no bytes. */
export const EMPTY_PAYLOAD_HASH =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Date, region and service that a signing key is good for. */
export interface CredentialScope {
  /** YYYYMMDD. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** The parts of an Authorization header. */
export interface Authorization {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** Lower-case names, in the order given. */
  readonly signedHeaders: readonly string[];
  /** 64 lower-case hexadecimal characters. */
  readonly signature: string;
}

/** Parses an Authorization header; answers what is wrong with it as text. */
export function parseAuthorization(value: string): Authorization | string {
  if (!value.startsWith(`${ALGORITHM} `)) {
    return `Unsupported AWS 'algorithm': '${value.split(" ")[0]}'. Use ${ALGORITHM}.`;
  }
  const fields = new Map<string, string>();
  for (const field of value.slice(ALGORITHM.length + 1).split(",")) {
    const equals = field.indexOf("=");
    const name = field.slice(0, equals).trim();
    if (equals < 0 || fields.has(name)) return "Authorization header has a malformed parameter.";
    fields.set(name, field.slice(equals + 1).trim());
  }
  const [credential, signedHeaders, signature] = ["Credential", "SignedHeaders", "Signature"].map(
    (name) => fields.get(name),
  );
  if (!credential) return "Authorization header requires 'Credential' parameter.";
  if (!signature) return "Authorization header requires 'Signature' parameter.";
  if (!signedHeaders) return "Authorization header requires 'SignedHeaders' parameter.";
  const [accessKeyId, date, region, service, terminator, ...rest] = credential.split("/");
  if (!accessKeyId || !date || !region || !service || terminator !== "aws4_request" || rest[0]) {
    const form = "keyid/date/region/service/term";
    return `Credential must have exactly 5 slash-delimited elements, e.g. ${form}.`;
  }
  if (!/^[0-9a-f]{64}$/.test(signature)) return "Signature must be 64 hexadecimal characters.";
  const scope = { date, region, service };
  return { accessKeyId, scope, signedHeaders: signedHeaders.split(";"), signature };
}

/** The canonical request: what is signed, in the one form both ends can build. */
export function canonicalRequest(
  request: Pick<WireRequest, "method" | "path" | "query" | "headers">,
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  const headerLines = signedHeaders.map(
    (name) => `${name}:${(request.headers.get(name) ?? "").trim().replace(/ +/g, " ")}`,
  );
  return [
    request.method,
    request.path,
    canonicalQuery(request.query),
    ...headerLines,
    "",
    signedHeaders.join(";"),
    payloadHash,
  ].join("\n");
}

/** Every parameter decoded once, encoded again in one way, sorted by name and then value. */
function canonicalQuery(query: string): string {
  if (query === "") return "";
  return query
    .split("&")
    .map((pair) => {
      const equals = pair.indexOf("=");
      const name = equals < 0 ? pair : pair.slice(0, equals);
      const value = equals < 0 ? "" : pair.slice(equals + 1);
      return [recode(name), recode(value)] as const;
    })
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A plus sign stays a plus sign: in these queries it comes from base64, never from a space. */
function recode(text: string): string {
  try {
    return uriEncode(decodeURIComponent(text));
  } catch {
    return text;
  }
}

/** The text whose HMAC is the signature. */
export function stringToSign(
  dateTime: string,
  scope: CredentialScope,
  canonicalRequestHash: string,
): string {
  return [ALGORITHM, dateTime, scopeText(scope), canonicalRequestHash].join("\n");
}

function scopeText({ date, region, service }: CredentialScope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

/** The credentials a client signs with. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Hashing as the signer needs it. */
export interface SigningCrypto {
  sha256Hex(data: Uint8Array | string): string;
  /** HMAC-SHA-256. */
  hmac(key: Uint8Array | string, text: string): Uint8Array;
  /** The same in hexadecimal. */
  hmacHex(key: Uint8Array, text: string): string;
}

/** What a signature is made with besides the request. */
export interface SigningOptions {
  readonly credentials: Credentials;
  /** `host:port` as the request will carry it. */
  readonly host: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly dateTime: string;
  readonly region: string;
  readonly service: string;
  /** Hash of the body, or `UNSIGNED_PAYLOAD` for a block. */
  readonly payloadHash: string;
  readonly crypto: SigningCrypto;
  /** Derived signing key for these credentials, date, region and service, if already at hand. */
  readonly signingKey?: Uint8Array | undefined;
}

/** All headers of the signed request, Authorization among them. */
export function signRequest(
  request: WireRequest,
  options: SigningOptions,
): ReadonlyMap<string, string> {
  const { credentials, dateTime, payloadHash, crypto } = options;
  const headers = new Map(request.headers);
  headers.set("host", options.host);
  headers.set("x-amz-date", dateTime);
  headers.set("x-amz-content-sha256", payloadHash);
  if (credentials.sessionToken) headers.set("x-amz-security-token", credentials.sessionToken);
  const signedHeaders = [...headers.keys()].sort();
  const canonical = canonicalRequest({ ...request, headers }, signedHeaders, payloadHash);
  const scope = { date: dateTime.slice(0, 8), region: options.region, service: options.service };
  const key = options.signingKey ?? deriveSigningKey(credentials.secretAccessKey, scope, crypto);
  const text = stringToSign(dateTime, scope, crypto.sha256Hex(canonical));
  headers.set(
    "authorization",
    `${ALGORITHM} Credential=${credentials.accessKeyId}/${scopeText(scope)}, ` +
      `SignedHeaders=${signedHeaders.join(";")}, Signature=${crypto.hmacHex(key, text)}`,
  );
  return headers;
}

/** The key that signs every request of one day, region and service. */
export function deriveSigningKey(
  secretAccessKey: string,
  { date, region, service }: CredentialScope,
  crypto: Pick<SigningCrypto, "hmac">,
): Uint8Array {
  let key = crypto.hmac(`AWS4${secretAccessKey}`, date);
  for (const part of [region, service, "aws4_request"]) key = crypto.hmac(key, part);
  return key;
}

/** Milliseconds since 1970 of a `YYYYMMDDTHHMMSSZ` time, or undefined if it is none. */
export function parseSigningTime(dateTime: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(dateTime);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1);
  const timeMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** Formats milliseconds since 1970 as `YYYYMMDDTHHMMSSZ`. */
export function formatSigningTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/[-:]|\.\d+/g, "");
}
