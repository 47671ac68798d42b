import { seededBytes } from "../support/property.ts";
import {
  accepted,
  type Changes,
  get,
  type HttpCase,
  type Judge,
  type Level,
  post,
  preferAccepted,
  preferRefused,
  refused,
  refusedOrSilent,
} from "./_http-case.ts";

/* Too much, too little, and bytes out of place: 26 cases; names nearly right: 5; cookies: 9. */

const CODED = "Transfer-Encoding: chunked\r\n";
const HUGE = "A".repeat(100_000);
const raw =
  (bytes: Uint8Array | string): HttpCase["writes"] =>
  () => [bytes];

interface Options {
  readonly level?: Level;
  readonly isScored?: boolean;
  readonly rfc?: string;
}

type Row = readonly [name: string, writes: HttpCase["writes"], judge: Judge, options?: Options];

function row(...[name, writes, judge, options = {}]: Row): HttpCase {
  const { level = "must", isScored = true, rfc = "-" } = options;
  return { name, rfc, level, isScored, writes, judge };
}

const none = { level: "none" } as const;
const should = { level: "should" } as const;
const informs = { level: "may", isScored: false } as const;
/** Refused with 400, or not found in a store that never decodes a path. */
const notDecoded: Judge = ({ statuses: [first] }) =>
  first === 400 ? "pass" : first === 404 ? "warn" : "fail";

/** All of them. */
export const MALFORMED: readonly HttpCase[] = [
  row("MAL-BINARY-GARBAGE", raw(seededBytes("garbage", 256)), refusedOrSilent(), should),
  row("MAL-LONG-URL", get({ line: `GET /${HUGE} HTTP/1.1` }), refused(414, 431), {
    ...should,
    rfc: "9112 3",
  }),
  row("MAL-LONG-HEADER-VALUE", get({ after: `X-Big: ${HUGE}\r\n` }), refused(431), {
    ...should,
    rfc: "9110 5.4",
  }),
  row(
    "MAL-MANY-HEADERS",
    get({ after: Array.from({ length: 10_000 }, (_, i) => `X-H-${i}: value\r\n`).join("") }),
    refused(431),
    { ...none, rfc: "6585 5" },
  ),
  row("MAL-NUL-IN-URL", get({ line: "GET TARGET\0test HTTP/1.1" }), refused(), { rfc: "9112 2.2" }),
  row("MAL-CONTROL-CHARS-HEADER", get({ after: "X-Test: abc\x07\x08\x0bdef\r\n" }), refused(), {
    rfc: "9110 5.5",
  }),
  row(
    "MAL-INCOMPLETE-REQUEST",
    raw("GET / HTTP/1.1\r\nHost: x\r\nX-Test: value"),
    refusedOrSilent(),
    none,
  ),
  row("MAL-EMPTY-REQUEST", raw(""), refusedOrSilent(), none),
  row("MAL-LONG-HEADER-NAME", get({ after: `${HUGE}: val\r\n` }), refused(431), {
    ...should,
    rfc: "9110 5.4",
  }),
  row("MAL-LONG-METHOD", get({ line: `${HUGE} TARGET HTTP/1.1` }), refused(501), {
    ...should,
    rfc: "9112 3",
  }),
  row("MAL-NON-ASCII-HEADER-NAME", get({ after: "X-T\xc3\xabst: value\r\n" }), refused(), {
    rfc: "9112 5",
  }),
  row("MAL-NON-ASCII-URL", get({ line: "GET /caf\xc3\xa9 HTTP/1.1" }), refused(), {
    rfc: "9112 3",
  }),
  row("MAL-CL-OVERFLOW", post({ after: `Content-Length: ${"9".repeat(20)}\r\n` }), refused(), {
    rfc: "9110 8.6",
  }),
  row("MAL-WHITESPACE-ONLY-LINE", raw("   \r\n\r\n"), refusedOrSilent(), none),
  row("MAL-NUL-IN-HEADER-VALUE", get({ after: "X-Test: val\0ue\r\n" }), refused(), {
    rfc: "9110 5.5",
  }),
  row(
    "MAL-CHUNK-SIZE-OVERFLOW",
    post({ after: CODED, body: "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n" }),
    refused(),
    { rfc: "9112 7.1" },
  ),
  row("MAL-H2-PREFACE", raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), refusedOrSilent(505), none),
  row(
    "MAL-CHUNK-EXT-64K",
    post({ after: CODED, body: `5;ext=${HUGE}\r\nhello\r\n0\r\n\r\n`, reads: "hello" }),
    refused(413, 431),
    { ...none, rfc: "9112 7.1.1" },
  ),
  row("MAL-CL-EMPTY", post({ after: "Content-Length: \r\n" }), refused(), { rfc: "9110 8.6" }),
  row("MAL-URL-OVERLONG-UTF8", get({ line: "GET /\xc0\xaf HTTP/1.1" }), refused(), {
    rfc: "3629 3",
  }),
  row(
    "MAL-POST-CL-HUGE-NO-BODY",
    post({ after: "Content-Length: 999999999\r\n" }),
    refusedOrSilent(413),
    { rfc: "9112 6.2" },
  ),
  row("MAL-URL-PERCENT-NULL", get({ line: "GET TARGET%00 HTTP/1.1" }), notDecoded, none),
  row("MAL-URL-PERCENT-CRLF", get({ line: "GET TARGET%0d%0aX:y HTTP/1.1" }), notDecoded, none),
  row("MAL-URL-BACKSLASH", get({ line: "GET /x\\admin HTTP/1.1" }), notDecoded, informs),
  row(
    "MAL-RANGE-OVERLAPPING",
    get({ after: "Range: bytes=0-5,1-6,2-7\r\n" }),
    preferAccepted,
    informs,
  ),
  // A tab is white space like a blank; success is what the rule asks for.
  row(
    "MAL-CL-TAB-BEFORE-VALUE",
    post({ after: "Content-Length:\t5\r\n", body: "hello" }),
    preferAccepted,
    { level: "may", rfc: "9110 5.6.3" },
  ),
];

const eleven: Changes = { after: "Content-Length: 11\r\n", body: "hello world" };
const beside = (line: string): HttpCase["writes"] =>
  post({ ...eleven, after: `${eleven.after}${line}\r\n` });
/** Refused, or read by the header that is spelled right. */
const notTakenFor: Judge = ({ statuses: [first], isClosed }) =>
  first === undefined ? (isClosed ? "pass" : "fail") : first < 500 ? "pass" : "fail";

/** Headers whose names are nearly those that frame a message. */
export const NORMALIZATION: readonly HttpCase[] = [
  row("NORM-UNDERSCORE-CL", beside("Content_Length: 99"), notTakenFor, none),
  row("NORM-SP-BEFORE-COLON-CL", beside("Content-Length : 5"), refused(), { rfc: "9112 5.1" }),
  row("NORM-TAB-IN-NAME", beside("Content\tLength: 99"), refused(), { rfc: "9112 5" }),
  row(
    "NORM-CASE-TE",
    post({
      after: "TRANSFER-ENCODING: chunked\r\n",
      body: "B\r\nhello world\r\n0\r\n\r\n",
      reads: "hello world",
    }),
    accepted,
    informs,
  ),
  // Without a length the body is empty, and what follows is no request.
  row(
    "NORM-UNDERSCORE-TE",
    post({
      after: "Transfer_Encoding: chunked\r\n",
      body: "B\r\nhello world\r\n0\r\n\r\n",
      reads: "",
    }),
    notTakenFor,
    none,
  ),
];

const cookie = (name: string, lines: string, judge: Judge): HttpCase =>
  row(`COOK-${name}`, get({ after: lines }), judge, {
    level: "none",
    isScored: false,
    rfc: "6265 5",
  });

/** Cookies mean nothing here; they must do no harm. */
export const COOKIES: readonly HttpCase[] = [
  cookie("BASIC", "Cookie: foo=bar\r\n", preferAccepted),
  cookie("MULTI", "Cookie: a=1; b=2; c=3\r\n", preferAccepted),
  cookie("EMPTY", "Cookie: \r\n", preferAccepted),
  cookie("MALFORMED", "Cookie: ===;;;\r\n", preferAccepted),
  cookie(
    "MANY-PAIRS",
    `Cookie: ${Array.from({ length: 500 }, (_, i) => `k${i}=v`).join("; ")}\r\n`,
    preferAccepted,
  ),
  cookie("MULTI-HEADER", "Cookie: a=1\r\nCookie: b=2\r\n", preferAccepted),
  cookie("OVERSIZED", `Cookie: big=${HUGE}\r\n`, preferRefused(431)),
  cookie("NUL", "Cookie: a=\0\r\n", refused()),
  cookie("CONTROL-CHARS", "Cookie: a=\x01\x02\r\n", preferRefused()),
];
