import { createHash, createHmac } from "node:crypto";
import type { RequestParts } from "../../src/wire/message.ts";
import type { HeaderLine, RawRequest } from "../support/raw-http.ts";

/* Signature Version 4 from its specification, apart from Varve's own, with all its freedoms. */

/** Where requests go and who signs them. */
export interface Party {
  readonly url: URL;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** What a client does in its own way; by default as botocore does. */
export interface Manner {
  readonly service?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  /** What Host says, where it is not the endpoint's own. */
  readonly host?: string;
  readonly timeMs?: number;
  /** Value of x-amz-content-sha256; `absent` leaves the header out. By default `absent`. */
  readonly payload?: "absent" | "unsigned" | "hash" | "wrong";
  /** Signed besides Host and x-amz-*. */
  readonly alsoSigned?: readonly string[];
  /** Left out of the signature although they are x-amz-*. */
  readonly unsigned?: readonly string[];
  /** Headers added after signing. */
  readonly after?: readonly HeaderLine[];
}

const UNSIGNED = "UNSIGNED-PAYLOAD";
const sha256 = (data: Uint8Array | string) => createHash("sha256").update(data).digest("hex");
const hmac = (key: Uint8Array | string, text: string) =>
  createHmac("sha256", key).update(text).digest();
const encode = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** YYYYMMDDTHHMMSSZ. */
function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/[-:]|\.\d+/g, "");
}

function payloadOf(manner: Manner, body: Uint8Array): { hash: string; header?: string } {
  const hash = sha256(body);
  switch (manner.payload ?? "absent") {
    case "unsigned":
      return { hash: UNSIGNED, header: UNSIGNED };
    case "hash":
      return { hash, header: hash };
    case "wrong":
      return { hash: sha256("wrong"), header: sha256("wrong") };
    default:
      return { hash };
  }
}

/** The request as bytes would be, signed. */
export function signed(party: Party, parts: RequestParts, manner: Manner = {}): RawRequest {
  const body = parts.body ?? new Uint8Array(0);
  const given = <T>(members: Readonly<Record<string, T | undefined>> = {}) =>
    Object.entries(members)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)] as const);
  const payload = payloadOf(manner, body);
  const sessionToken = manner.sessionToken ?? party.sessionToken;
  const headers: HeaderLine[] = [
    ["Host", manner.host ?? party.url.host],
    ["X-Amz-Date", formatTime(manner.timeMs ?? Date.now())],
    ...(payload.header === undefined ? [] : [["X-Amz-Content-SHA256", payload.header] as const]),
    ...(sessionToken === undefined ? [] : [["X-Amz-Security-Token", sessionToken] as const]),
    ...given(parts.headers),
  ];
  const pairs = given(parts.query).map(([name, value]) => `${encode(name)}=${encode(value)}`);
  const line = { method: parts.method, path: parts.path, query: pairs.sort().join("&") };
  const authorization = authorize(party, manner, { ...line, headers, payloadHash: payload.hash });
  const length: HeaderLine[] = [["Content-Length", String(body.length)]];
  const after = manner.after ?? [];
  return {
    method: parts.method,
    target: parts.path + (pairs.length > 0 ? `?${pairs.join("&")}` : ""),
    headers: [...headers, ["Authorization", authorization], ...length, ...after],
    body,
  };
}

interface Signable {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: readonly HeaderLine[];
  readonly payloadHash: string;
}

function authorize(party: Party, manner: Manner, request: Signable): string {
  const all = request.headers.map(([name, value]) => [name.toLowerCase(), value.trim()] as const);
  const isSigned = (name: string) =>
    (name === "host" || name.startsWith("x-amz-") || manner.alsoSigned?.includes(name)) &&
    !manner.unsigned?.includes(name);
  const taken = all.filter(([name]) => isSigned(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = taken.map(([name]) => name).join(";");
  const canonical = [
    request.method,
    request.path,
    request.query,
    ...taken.map(([name, value]) => `${name}:${value.replace(/ +/g, " ")}`),
    "",
    names,
    request.payloadHash,
  ].join("\n");
  return authorization(party, manner, { canonical, names, time: find(all, "x-amz-date") });
}

function find(headers: readonly HeaderLine[], wanted: string): string {
  return headers.find(([name]) => name === wanted)?.[1] ?? "";
}

function authorization(
  party: Party,
  manner: Manner,
  { canonical, names, time }: { canonical: string; names: string; time: string },
): string {
  const { scope, signature } = sealText(party, manner, { canonical, time });
  const credential = `${manner.accessKeyId ?? party.accessKeyId}/${scope}`;
  return (
    `AWS4-HMAC-SHA256 Credential=${credential}, ` + `SignedHeaders=${names}, Signature=${signature}`
  );
}

function sealText(
  party: Party,
  manner: Manner,
  { canonical, time }: { canonical: string; time: string },
): { scope: string; signature: string } {
  const parts = [time.slice(0, 8), manner.region ?? party.region, manner.service ?? "ebs"];
  const scope = [...parts, "aws4_request"].join("/");
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const secret = manner.secretAccessKey ?? party.secretAccessKey;
  let key: Uint8Array | string = `AWS4${secret}`;
  for (const part of scope.split("/")) key = hmac(key, part);
  return { scope, signature: hmac(key, text).toString("hex") };
}

/** The request signed in its query, as for a link that is handed on. */
export function presigned(party: Party, parts: RequestParts): RawRequest {
  const time = formatTime(Date.now());
  const scope = `${time.slice(0, 8)}/${party.region}/ebs/aws4_request`;
  const query = Object.entries({
    ...parts.query,
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${party.accessKeyId}/${scope}`,
    "X-Amz-Date": time,
    "X-Amz-Expires": "600",
    "X-Amz-SignedHeaders": "host",
  })
    .map(([name, value]) => `${encode(name)}=${encode(String(value))}`)
    .sort()
    .join("&");
  const lines = [parts.method, parts.path, query, `host:${party.url.host}`, "", "host"];
  const canonical = [...lines, sha256("")].join("\n");
  const { signature } = sealText(party, {}, { canonical, time });
  return {
    method: parts.method,
    target: `${parts.path}?${query}&X-Amz-Signature=${signature}`,
    headers: [["Host", party.url.host]],
    body: new Uint8Array(0),
  };
}
