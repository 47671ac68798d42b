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
  refusedWith400,
} from "./_http-case.ts";

/* What a message has to look like, what is to be taken, and what an answer has to say: 76 cases. */

const CODED = "Transfer-Encoding: chunked\r\n";
const five = "Content-Length: 5\r\n";
const bytes =
  (text: string): HttpCase["writes"] =>
  () => [Buffer.from(text, "latin1")];

type Options = { readonly level?: Level; readonly isScored?: boolean };

function row(
  name: string,
  rfc: string,
  { writes, judge, level = "must", isScored = true }: Pick<HttpCase, "writes" | "judge"> & Options,
): HttpCase {
  return { name, rfc, level, isScored, writes, judge };
}

type Row = readonly [name: string, rfc: string, changes: Changes, judge: Judge, options?: Options];

const reading = (...[name, rfc, changes, judge, options]: Row) =>
  row(name, rfc, { writes: get(changes), judge, ...options });
const writing = (...[name, rfc, changes, judge, options]: Row) =>
  row(name, rfc, { writes: post(changes), judge, ...options });

const may = { level: "may" } as const;
const should = { level: "should" } as const;
const informs = { level: "should", isScored: false } as const;

const lines: readonly HttpCase[] = [
  reading("COMP-BASELINE", "-", {}, accepted, { level: "none" }),
  reading(
    "BARE-LF-REQUEST-LINE",
    "9112 2.2",
    { head: (head) => head.replace("\r\n", "\n") },
    preferRefused(),
    may,
  ),
  reading(
    "BARE-LF-HEADER",
    "9112 2.2",
    { head: (head) => head.replace(/^(Host: .*)\r\n/m, "$1\n") },
    preferRefused(),
    may,
  ),
  reading("OBS-FOLD", "9112 5.2", { after: "X-Test: value\r\n continued\r\n" }, refusedWith400),
  reading("SP-BEFORE-COLON", "9112 5.1", { after: "X-Test : value\r\n" }, refusedWith400),
  reading(
    "MULTI-SP-REQUEST-LINE",
    "9112 3",
    { line: "GET  TARGET HTTP/1.1" },
    preferRefused(),
    should,
  ),
  reading(
    "MISSING-HOST",
    "9112 3.2",
    { head: (head) => head.replace(/^Host: .*\r\n/m, "") },
    refusedWith400,
  ),
  reading("INVALID-VERSION", "9112 2.3", { line: "GET TARGET HTTP/9.9" }, refused(505), should),
  reading("EMPTY-HEADER-NAME", "9112 5", { after: ": empty-name\r\n" }, refused()),
  reading(
    "CR-ONLY-LINE-ENDING",
    "9112 2.2",
    { head: (head) => head.replace("\r\n", "\r") },
    refusedWith400,
  ),
  reading("MISSING-TARGET", "9112 3", { line: "GET HTTP/1.1" }, refused()),
  reading(
    "FRAGMENT-IN-TARGET",
    "9112 3.2",
    { line: "GET TARGET#frag HTTP/1.1" },
    preferRefused(),
    should,
  ),
  row("HTTP09-REQUEST", "9112 2.3", {
    writes: bytes("GET /\r\n"),
    judge: refusedOrSilent(),
    ...should,
  }),
  reading("INVALID-HEADER-NAME", "9112 5", { after: "Bad[Name: value\r\n" }, refused()),
  reading("HEADER-NO-COLON", "9112 5", { after: "NoColonHere\r\n" }, refused()),
  reading("DUPLICATE-HOST", "9112 3.2", { after: "Host: other.example.com\r\n" }, refusedWith400),
  writing("CL-NON-NUMERIC", "9112 6.1", { after: "Content-Length: abc\r\n" }, refused()),
  writing(
    "CL-PLUS-SIGN",
    "9112 6.1",
    { after: "Content-Length: +5\r\n", body: "hello" },
    refused(),
  ),
  reading("WHITESPACE-BEFORE-HEADERS", "9112 2.2", { before: " \r\n" }, refused()),
  reading(
    "DUPLICATE-HOST-SAME",
    "9112 3.2",
    { head: (head) => head.replace(/^Host: .*\r\n/m, "$&$&") },
    refusedWith400,
  ),
  reading("HOST-WITH-USERINFO", "9112 3.2", { host: "user@localhost" }, refused()),
  reading("HOST-WITH-PATH", "9112 3.2", { host: "localhost/path" }, refused()),
  reading(
    "HOST-EMPTY-VALUE",
    "9112 3.2",
    { head: (head) => head.replace(/^Host: .*$/m, "Host: ") },
    refused(),
  ),
  reading("ASTERISK-WITH-GET", "9112 3.2.4", { line: "GET * HTTP/1.1" }, refused()),
  row("OPTIONS-STAR", "9112 3.2.4", {
    writes: bytes("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    judge: accepted,
  }),
  writing("UNKNOWN-TE-501", "9112 6.1", { after: "Transfer-Encoding: gzip\r\n" }, refused(501)),
  reading(
    "LEADING-CRLF",
    "9112 2.2",
    { head: (head) => `\r\n\r\n${head}` },
    preferRefused(),
    should,
  ),
  reading(
    "ABSOLUTE-FORM",
    "9112 3.2.2",
    { line: "GET http://localhostTARGET HTTP/1.1", host: "localhost" },
    preferAccepted,
    informs,
  ),
  reading(
    "METHOD-CASE",
    "9110 9.1",
    { line: "get TARGET HTTP/1.1" },
    preferRefused(405, 501),
    should,
  ),
  reading("REQUEST-LINE-TAB", "9112 3", { line: "GET\tTARGET HTTP/1.1" }, preferRefused(), should),
  reading("VERSION-MISSING-MINOR", "9112 2.3", { line: "GET TARGET HTTP/1" }, refused()),
  reading("VERSION-LEADING-ZEROS", "9112 2.3", { line: "GET TARGET HTTP/01.01" }, refused()),
  reading("VERSION-WHITESPACE", "9112 2.3", { line: "GET TARGET HTTP/ 1.1" }, refused()),
  reading("VERSION-CASE", "9112 2.3", { line: "GET TARGET http/1.1" }, refused()),
  reading("SPACE-IN-TARGET", "9112 3.2", { line: "GET TARGET x HTTP/1.1" }, refused()),
  reading("HTTP12-VERSION", "9112 2.3", { line: "GET TARGET HTTP/1.2" }, preferRefused(505), {
    ...may,
    isScored: false,
  }),
  reading(
    "HTTP10-NO-HOST",
    "9112 3.2",
    { line: "GET TARGET HTTP/1.0", head: (head) => head.replace(/^Host: .*\r\n/m, "") },
    preferRefused(),
    { ...may, isScored: false },
  ),
];

const bodies: readonly HttpCase[] = [
  writing("POST-CL-BODY", "9112 6.2", { after: five, body: "hello" }, accepted),
  writing("POST-CL-ZERO", "9112 6.2", { after: "Content-Length: 0\r\n" }, accepted),
  writing("POST-NO-CL-NO-TE", "9112 6.3", {}, accepted),
  writing(
    "POST-CL-UNDERSEND",
    "9112 6.2",
    { after: "Content-Length: 10\r\n", body: "hello" },
    refusedOrSilent(),
  ),
  writing(
    "CHUNKED-BODY",
    "9112 7.1",
    { after: CODED, body: "5\r\nhello\r\n0\r\n\r\n", reads: "hello" },
    accepted,
  ),
  writing(
    "CHUNKED-MULTI",
    "9112 7.1",
    { after: CODED, body: "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", reads: "hello world" },
    accepted,
  ),
  writing("CHUNKED-EMPTY", "9112 7.1", { after: CODED, body: "0\r\n\r\n", reads: "" }, accepted),
  writing(
    "CHUNKED-NO-FINAL",
    "9112 7.1",
    { after: CODED, body: "5\r\nhello\r\n", reads: "hello" },
    refusedOrSilent(),
  ),
  writing(
    "CHUNKED-EXTENSION",
    "9112 7.1.1",
    { after: CODED, body: "5;ext=value\r\nhello\r\n0\r\n\r\n", reads: "hello" },
    preferAccepted,
  ),
  writing(
    "CHUNKED-TRAILER-VALID",
    "9112 7.1.2",
    { after: CODED, body: "5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n", reads: "hello" },
    accepted,
  ),
  writing(
    "CHUNKED-HEX-UPPERCASE",
    "9112 7.1",
    { after: CODED, body: "A\r\nhelloworld\r\n0\r\n\r\n", reads: "helloworld" },
    accepted,
  ),
  writing(
    "RANGE-POST",
    "9110 14.2",
    { after: `${five}Range: bytes=0-10\r\n`, body: "hello" },
    (heard) => (heard.statuses[0] === 206 ? "fail" : accepted(heard)),
  ),
  writing(
    "DUPLICATE-CT",
    "9110 5.3",
    { after: `${five}Content-Type: text/plain\r\nContent-Type: text/html\r\n`, body: "hello" },
    preferRefused(),
    should,
  ),
  writing(
    "POST-UNSUPPORTED-CT",
    "9110 15.5.16",
    { after: `${five}Content-Type: application/x-nonsense\r\n`, body: "hello" },
    preferAccepted,
    { ...may, isScored: false },
  ),
  reading("GET-WITH-CL-BODY", "9110 9.3.1", { after: five, body: "hello" }, preferRefused(), {
    ...may,
    isScored: false,
  }),
];

const notSwitched: Judge = ({ statuses: [first], text }) =>
  first === undefined || text.includes("HTTP/1.1 101") ? "fail" : "pass";
const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

const upgrades: readonly HttpCase[] = [
  writing(
    "UPGRADE-POST",
    "6455 4.1",
    { after: `${upgrade}${key}Sec-WebSocket-Version: 13\r\n` },
    notSwitched,
  ),
  reading(
    "UPGRADE-MISSING-CONN",
    "9110 7.8",
    { after: `Upgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\n` },
    notSwitched,
  ),
  reading(
    "UPGRADE-UNKNOWN",
    "9110 7.8",
    { after: "Connection: Upgrade\r\nUpgrade: totally-made-up/1.0\r\n" },
    notSwitched,
  ),
  // A server that offers no WebSocket may leave the header unread.
  reading(
    "UPGRADE-INVALID-VER",
    "6455 4.4",
    { after: `${upgrade}${key}Sec-WebSocket-Version: 99\r\n` },
    (heard) => (accepted(heard) === "pass" ? "warn" : notSwitched(heard)),
  ),
  reading(
    "UPGRADE-HTTP10",
    "9110 7.8",
    { line: "GET TARGET HTTP/1.0", after: `${upgrade}${key}Sec-WebSocket-Version: 13\r\n` },
    notSwitched,
  ),
];

const hasHeader =
  (pattern: RegExp, otherwise: "warn" | "fail"): Judge =>
  (heard) =>
    accepted(heard) === "fail" ? "fail" : pattern.test(heard.text) ? "pass" : otherwise;
const closes: Judge = (heard) => (heard.isClosed ? accepted(heard) : "fail");
const DATE = /^Date: [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT\r$/m;
/** 404 says "no such operation", as AWS does: whether 405 would need more cannot be seen. */
const not405: Judge = ({ statuses: [first], text }) =>
  first === 405 ? (/^Allow: /m.test(text) ? "pass" : "fail") : "warn";

const answers: readonly HttpCase[] = [
  reading("CONNECTION-CLOSE", "9112 9.6", { after: "Connection: close\r\n" }, closes),
  reading("HTTP10-DEFAULT-CLOSE", "9112 9.3", { line: "GET TARGET HTTP/1.0" }, closes, should),
  row("METHOD-CONNECT", "9110 9.3.6", {
    writes: bytes("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
    judge: refused(405, 501),
    ...should,
  }),
  reading(
    "EXPECT-UNKNOWN",
    "9110 10.1.1",
    { after: "Expect: 200-ok\r\n" },
    (heard) => (heard.statuses[0] === 417 ? "pass" : accepted(heard) === "pass" ? "warn" : "fail"),
    may,
  ),
  // The rule is that no body follows; whether there is something at the path is another matter.
  reading("HEAD-NO-BODY", "9110 9.3.2", { method: "HEAD" }, ({ statuses, text }) =>
    statuses.length === 1 && text.endsWith("\r\n\r\n") ? "pass" : "fail",
  ),
  reading(
    "UNKNOWN-METHOD",
    "9110 9.1",
    { line: "FOOBAR TARGET HTTP/1.1" },
    preferRefused(405, 501),
    should,
  ),
  reading("405-ALLOW", "9110 15.5.6", { method: "DELETE" }, not405),
  reading("DATE-HEADER", "9110 6.6.1", {}, hasHeader(/^Date: /m, "fail")),
  reading("DATE-FORMAT", "9110 5.6.7", {}, hasHeader(DATE, "warn"), informs),
  writing(
    "NO-1XX-HTTP10",
    "9110 15.2",
    { line: "POST TARGET HTTP/1.0", after: `${five}Expect: 100-continue\r\n`, body: "hello" },
    ({ text }) => (/HTTP\/1\.1 1\d\d /.test(text) ? "fail" : "pass"),
  ),
  row("NO-CL-IN-204", "9110 8.6", {
    writes: bytes("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    judge: ({ statuses: [first], text }) =>
      first !== 204 ? "warn" : /^Content-Length:/im.test(text) ? "fail" : "pass",
  }),
  row("OPTIONS-ALLOW", "9110 9.3.7", {
    writes: bytes("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    judge: hasHeader(/^Allow: /m, "warn"),
    ...should,
  }),
  reading("CONTENT-TYPE", "9110 8.3", {}, hasHeader(/^Content-Type: /m, "warn"), should),
  // Longer targets than any operation has are refused, and 414 is the status for it.
  reading(
    "LONG-URL",
    "9112 3",
    { line: `GET TARGET?x=${"a".repeat(6_000)} HTTP/1.1` },
    ({ statuses: [first] }) =>
      first === 414
        ? "pass"
        : accepted({ statuses: [first ?? 0], text: "", isClosed: false, writeCount: 1 }),
    should,
  ),
  reading("METHOD-TRACE", "9110 9.3.8", { method: "TRACE" }, preferRefused(404, 405, 501), informs),
  reading(
    "TRACE-WITH-BODY",
    "9110 9.3.8",
    { method: "TRACE", after: five, body: "hello" },
    preferRefused(404, 405, 501),
    informs,
  ),
  reading(
    "TRACE-SENSITIVE",
    "9110 9.3.8",
    { method: "TRACE" },
    (heard) => (/AWS4-HMAC-SHA256/.test(heard.text) ? "fail" : "pass"),
    informs,
  ),
  reading("RANGE-INVALID", "9110 14.2", { after: "Range: bytes=abc-xyz\r\n" }, preferAccepted, {
    ...may,
    isScored: false,
  }),
  reading(
    "ACCEPT-NONSENSE",
    "9110 12.5.1",
    { after: "Accept: application/x-nonsense\r\n" },
    preferAccepted,
    informs,
  ),
];

/** All of them. */
export const COMPLIANCE: readonly HttpCase[] = [...lines, ...bodies, ...upgrades, ...answers];
