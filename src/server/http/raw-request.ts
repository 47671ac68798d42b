import type { IncomingMessage } from "node:http";
import { HEADERS_COUNT_MAX, TARGET_CHARACTERS_MAX } from "../../model/limits.ts";
import { ServiceFault } from "../../wire/errors.ts";
import type { WireRequest } from "../../wire/message.ts";

/** A request's head, before any of its body is read. */
export type RequestHead = Omit<WireRequest, "body">;

/** Headers that decide who is calling and what is read: two of them are two stories. */
const SINGLE_HEADERS = new Set([
  "authorization",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "transfer-encoding",
]);

/** A name or an address, and perhaps a port: no user, no path, no second host. */
const HOST = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;
/** A decimal number in the one spelling that every reader understands alike. */
const CONTENT_LENGTH = /^(?:0|[1-9]\d*)$/;

/** Characters of a path that means the same to signature, router and reader. */
const PLAIN_PATH = /^\/[A-Za-z0-9_.~/-]*$/;

/**
 * Reads the head of a request from its raw form. Node joins or drops repeated headers in
 * `req.headers`; a signature is computed over what was sent, so only the raw list is looked at.
 * Throws a `ServiceFault` for a head that two readers could understand differently.
 */
export function readRequestHead(req: IncomingMessage): RequestHead {
  // A request line without a version is HTTP 0.9 to Node; it has no headers to sign.
  if (req.httpVersionMajor !== 1) throw malformed(`HTTP ${req.httpVersion} is not supported`);
  const target = req.url ?? "";
  // The one request that is about the server and nothing on it (RFC 9110, section 9.3.7).
  const isAboutServer = req.method === "OPTIONS" && target === "*";
  const { path, query } = isAboutServer ? { path: target, query: "" } : readTarget(target);
  const headers = readHeaders(req);
  return { method: req.method ?? "", path, query, headers };
}

function readHeaders(req: IncomingMessage): ReadonlyMap<string, string> {
  const { rawHeaders } = req;
  const count = rawHeaders.length / 2;
  if (count > HEADERS_COUNT_MAX) {
    const message = `The request has ${count} headers; at most ${HEADERS_COUNT_MAX} are read`;
    throw new ServiceFault({ status: 431, code: "RequestHeaderFieldsTooLargeException", message });
  }
  const headers = new Map<string, string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    const earlier = headers.get(name);
    const isSingle = SINGLE_HEADERS.has(name) || name.startsWith("x-amz-");
    if (earlier !== undefined && isSingle) throw malformed(`Header ${name} is given twice`);
    headers.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  const host = headers.get("host");
  if (!host) throw malformed("Header host is missing");
  if (!HOST.test(host)) throw malformed("Header host is not a name or an address with a port");
  const length = headers.get("content-length");
  if (length !== undefined && !CONTENT_LENGTH.test(length)) {
    throw malformed("Header content-length is not a plain decimal number");
  }
  const expect = headers.get("expect");
  if (expect !== undefined && req.httpVersionMinor > 0 && expect.toLowerCase() !== "100-continue") {
    const message = `Header expect asks for '${expect.slice(0, 64)}'; only 100-continue is known`;
    throw new ServiceFault({ status: 417, code: "ExpectationFailedException", message });
  }
  if (headers.has("trailer")) throw malformed("Trailers are not supported");
  return headers;
}

function readTarget(target: string): { path: string; query: string } {
  if (target.length > TARGET_CHARACTERS_MAX) {
    const bound = `at most ${TARGET_CHARACTERS_MAX} are read`;
    const message = `The request target has ${target.length} characters; ${bound}`;
    throw new ServiceFault({ status: 414, code: "RequestUriTooLongException", message });
  }
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const isPlain = PLAIN_PATH.test(path) && !path.includes("//") && !/\/\.\.?(\/|$)/.test(path);
  if (!isPlain || target.includes("#")) throw malformed("The request target is not a plain path");
  return { path, query: mark < 0 ? "" : target.slice(mark + 1) };
}

function malformed(message: string): ServiceFault {
  return new ServiceFault({ status: 400, code: "MalformedRequestException", message });
}
