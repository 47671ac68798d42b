import {
  accepted,
  type Changes,
  get,
  type HttpCase,
  inTurn,
  type Judge,
  type Level,
  post,
  preferRefused,
  refused,
  refusedAlone,
  refusedOrClosed,
} from "./_http-case.ts";

/* Requests that two readers could divide differently: 87 cases. */

const CODED = "Transfer-Encoding: chunked\r\n";
const length = (value: string | number) => `Content-Length: ${value}\r\n`;
/** A whole body in pieces that says "hello". */
const PIECES = "5\r\nhello\r\n0\r\n\r\n";
const LAST = "0\r\n\r\n";

type Row = readonly [name: string, rfc: string, changes: Changes, judge?: Judge, level?: Level];

/** Each a POST, alone on its connection. */
const scored: readonly Row[] = [
  [
    "CL-TE-BOTH",
    "9112 6.1",
    { after: length(PIECES.length) + CODED, body: PIECES, reads: "hello" },
    preferRefused(),
    "should",
  ],
  [
    "DUPLICATE-CL",
    "9110 8.6",
    { after: length(5) + length(10), body: "helloworld", reads: "hello" },
  ],
  [
    "CL-LEADING-ZEROS",
    "9110 8.6",
    { after: length("005"), body: "hello" },
    preferRefused(),
    "should",
  ],
  [
    "TE-XCHUNKED",
    "9112 6.1",
    { after: `Transfer-Encoding: xchunked\r\n${length(5)}`, body: "hello" },
    refused(501),
  ],
  [
    "TE-TRAILING-SPACE",
    "9112 6.1",
    { after: `Transfer-Encoding: chunked \r\n${length(5)}`, body: "hello" },
    refused(501),
  ],
  [
    "TE-SP-BEFORE-COLON",
    "9112 5.1",
    { after: `Transfer-Encoding : chunked\r\n${length(5)}`, body: "hello" },
  ],
  ["CL-NEGATIVE", "9110 8.6", { after: length(-1) }],
  [
    "CLTE-PIPELINE",
    "9112 6.1",
    { after: length(4) + CODED, body: LAST, reads: "" },
    preferRefused(),
    "may",
  ],
  [
    "TECL-PIPELINE",
    "9112 6.1",
    { after: CODED + length(30), body: LAST, reads: "" },
    preferRefused(),
    "may",
  ],
  [
    "CL-TRAILING-SPACE",
    "9110 5.5",
    { after: length("5 "), body: "hello" },
    preferRefused(),
    "should",
  ],
  [
    "TE-DOUBLE-CHUNKED",
    "9112 6.1",
    { after: `Transfer-Encoding: chunked, chunked\r\n${length(5)}`, body: "hello" },
    preferRefused(),
    "should",
  ],
  [
    "CL-EXTRA-LEADING-SP",
    "9110 5.5",
    { after: length(" 5"), body: "hello" },
    preferRefused(),
    "should",
  ],
  [
    "TE-CASE-MISMATCH",
    "9112 6.1",
    { after: `Transfer-Encoding: Chunked\r\n${length(5)}`, body: "hello" },
    preferRefused(),
    "should",
  ],
  ["CL-COMMA-DIFFERENT", "9110 8.6", { after: length("5, 10"), body: "hello" }],
  [
    "TE-NOT-FINAL-CHUNKED",
    "9112 6.3",
    { after: "Transfer-Encoding: chunked, gzip\r\n", body: LAST, reads: "" },
  ],
  [
    "TE-HTTP10",
    "9112 6.1",
    { line: "POST TARGET HTTP/1.0", after: CODED + length(5), body: "hello" },
  ],
  [
    "CHUNK-BARE-SEMICOLON",
    "9112 7.1.1",
    { after: CODED, body: "5;\r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  [
    "CHUNK-EXT-INVALID-TOKEN",
    "9112 7.1.1",
    { after: CODED, body: "5;bad[=x\r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  ["BARE-CR-HEADER-VALUE", "9112 2.2", { after: `${length(5)}X-Test: val\rue\r\n`, body: "hello" }],
  ["CL-OCTAL", "9110 8.6", { after: length("0o5"), body: "hello" }],
  [
    "CHUNK-UNDERSCORE",
    "9112 7.1",
    { after: CODED, body: "1_0\r\nhello world!!!!!\r\n0\r\n\r\n", reads: "h" },
  ],
  ["TE-EMPTY-VALUE", "9112 6.1", { after: `Transfer-Encoding: \r\n${length(5)}`, body: "hello" }],
  [
    "TE-LEADING-COMMA",
    "9110 5.6.1",
    { after: `Transfer-Encoding: , chunked\r\n${length(5)}`, body: "hello" },
    preferRefused(),
    "should",
  ],
  [
    "TE-DUPLICATE-HEADERS",
    "9112 6.1",
    { after: `${CODED}Transfer-Encoding: identity\r\n${length(5)}`, body: "hello" },
  ],
  [
    "CHUNK-HEX-PREFIX",
    "9112 7.1",
    { after: CODED, body: "0x5\r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  [
    "CHUNK-SIZE-PLUS",
    "9112 7.1",
    { after: CODED, body: "+5\r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  [
    "CHUNK-SIZE-TRAILING-OWS",
    "9112 7.1",
    { after: CODED, body: "5 \r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  ["CL-HEX-PREFIX", "9110 8.6", { after: length("0x5"), body: "hello" }],
  ["CL-INTERNAL-SPACE", "9110 8.6", { after: length("1 0"), body: "hello12345" }],
  [
    "CHUNK-LEADING-SP",
    "9112 7.1",
    { after: CODED, body: " 5\r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  [
    "CHUNK-MISSING-TRAILING-CRLF",
    "9112 7.1",
    { after: CODED, body: "5\r\nhello0\r\n\r\n", reads: "hello" },
  ],
  [
    "CHUNK-EXT-LF",
    "9112 7.1.1",
    { after: CODED, body: "5;\nhello\r\n0\r\n\r\n", reads: "hello" },
    preferRefused(),
    "may",
  ],
  ["CHUNK-SPILL", "9112 7.1", { after: CODED, body: "5\r\nhello!!\r\n0\r\n\r\n", reads: "hello" }],
  [
    "CHUNK-LF-TERM",
    "9112 7.1",
    { after: CODED, body: "5\r\nhello\n0\r\n\r\n", reads: "hello" },
    preferRefused(),
    "may",
  ],
  [
    "CHUNK-EXT-CTRL",
    "9112 7.1.1",
    { after: CODED, body: "5;\0ext\r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  [
    "CHUNK-EXT-CR",
    "9112 7.1.1",
    { after: CODED, body: "5;a\rX\r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  [
    "TE-VTAB",
    "9112 6.1",
    { after: `Transfer-Encoding: \x0bchunked\r\n${length(5)}`, body: "hello" },
  ],
  [
    "TE-FORMFEED",
    "9112 6.1",
    { after: `Transfer-Encoding: \x0cchunked\r\n${length(5)}`, body: "hello" },
  ],
  ["TE-NULL", "9112 6.1", { after: `Transfer-Encoding: chunked\0\r\n${length(5)}`, body: "hello" }],
  [
    "CHUNK-LF-TRAILER",
    "9112 7.1",
    { after: CODED, body: "5\r\nhello\r\n0\r\n\n", reads: "hello" },
    preferRefused(),
    "may",
  ],
  [
    "TE-IDENTITY",
    "9112 7",
    { after: `Transfer-Encoding: identity\r\n${length(5)}`, body: "hello" },
    refused(501),
  ],
  [
    "CHUNK-NEGATIVE",
    "9112 7.1",
    { after: CODED, body: "-1\r\nhello\r\n0\r\n\r\n", reads: "hello" },
  ],
  ["CL-UNDERSCORE", "9110 8.6", { after: length("1_0"), body: "helloworld" }],
  ["CL-NEGATIVE-ZERO", "9110 8.6", { after: length("-0") }],
  ["CL-DOUBLE-ZERO", "9110 8.6", { after: length("00") }, preferRefused(), "should"],
  [
    "CL-LEADING-ZEROS-OCTAL",
    "9110 8.6",
    { after: length("0200"), body: "A".repeat(200) },
    preferRefused(),
    "should",
  ],
  [
    "TE-OBS-FOLD",
    "9112 5.2",
    { after: `Transfer-Encoding:\r\n chunked\r\n${length(5)}`, body: "hello" },
  ],
  [
    "TE-TRAILING-COMMA",
    "9110 5.6.1",
    { after: `Transfer-Encoding: chunked,\r\n${length(5)}`, body: "hello" },
    preferRefused(),
    "should",
  ],
  [
    "CHUNK-BARE-CR-TERM",
    "9112 2.2",
    { after: CODED, body: "5\rhello\r\n0\r\n\r\n", reads: "hello" },
  ],
];

/** A field that may not stand in a trailer. */
const trailer = (line: string): Changes => ({
  after: CODED,
  body: `5\r\nhello\r\n0\r\n${line}\r\n\r\n`,
  reads: "hello",
});

const unscored: readonly Row[] = [
  [
    "TRANSFER_ENCODING",
    "9112 6.1",
    { after: `Transfer_Encoding: chunked\r\n${length(5)}`, body: "hello" },
  ],
  ["CL-COMMA-SAME", "9110 8.6", { after: length("5, 5"), body: "hello" }],
  ["CL-COMMA-TRIPLE", "9110 8.6", { after: length("5, 5, 5"), body: "hello" }],
  [
    "CHUNKED-WITH-PARAMS",
    "9112 7",
    { after: `Transfer-Encoding: chunked;ext=val\r\n${length(5)}`, body: "hello" },
  ],
  [
    "EXPECT-100-CL",
    "9110 10.1.1",
    { after: `${length(5)}Expect: 100-continue\r\n`, body: "hello" },
  ],
  ["TRAILER-CL", "9110 6.5.1", trailer("Content-Length: 50")],
  ["TRAILER-TE", "9110 6.5.1", trailer("Transfer-Encoding: chunked")],
  ["TRAILER-HOST", "9110 6.5.2", trailer("Host: evil.example.com")],
  ["TRAILER-AUTH", "9110 6.5.1", trailer("Authorization: Bearer evil")],
  ["TRAILER-CONTENT-TYPE", "9110 6.5.1", trailer("Content-Type: text/evil")],
  [
    "TE-TAB-BEFORE-VALUE",
    "9110 5.5",
    { after: `Transfer-Encoding:\tchunked\r\n${length(5)}`, body: "hello" },
  ],
];

const FOLLOWING = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
/** A whole request behind the end of the body, inside of what the length covers. */
const hidden = (hiddenRequest: string, headers: (length: number) => string): Changes => {
  const body = LAST + hiddenRequest;
  return { after: headers(body.length), body, reads: "" };
};
const HIDDEN_HEAD = FOLLOWING.replace("GET", "HEAD");
const INNER = "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n";
const INNER_SIZE = INNER.length.toString(16);

const alone: readonly Row[] = [
  ["CLTE-SMUGGLED-GET", "9112 6.1", hidden(FOLLOWING, (n) => length(n) + CODED)],
  ["CLTE-SMUGGLED-GET-CL-PLUS", "9112 6.1", hidden(FOLLOWING, (n) => length(`+${n}`) + CODED)],
  [
    "CLTE-SMUGGLED-GET-CL-NON-NUMERIC",
    "9112 6.1",
    hidden(FOLLOWING, (n) => length(`${n}x`) + CODED),
  ],
  [
    "CLTE-SMUGGLED-GET-TE-OBS-FOLD",
    "9112 5.2",
    hidden(FOLLOWING, (n) => `Transfer-Encoding:\r\n chunked\r\n${length(n)}`),
  ],
  ["CLTE-SMUGGLED-HEAD", "9112 6.1", hidden(HIDDEN_HEAD, (n) => length(n) + CODED)],
  [
    "CLTE-SMUGGLED-GET-TE-TRAILING-SPACE",
    "9112 6.1",
    hidden(FOLLOWING, (n) => `${length(n)}Transfer-Encoding: chunked \r\n`),
  ],
  [
    "CLTE-SMUGGLED-GET-TE-LEADING-COMMA",
    "9112 6.1",
    hidden(FOLLOWING, (n) => `${length(n)}Transfer-Encoding: , chunked\r\n`),
  ],
  [
    "CLTE-SMUGGLED-GET-TE-CASE-MISMATCH",
    "9112 6.1",
    hidden(FOLLOWING, (n) => `${length(n)}Transfer-Encoding: Chunked\r\n`),
  ],
  [
    "TE-DUPLICATE-HEADERS-SMUGGLED-GET",
    "9112 6.1",
    hidden(FOLLOWING, (n) => `${CODED}Transfer-Encoding: identity\r\n${length(n)}`),
  ],
  [
    "TECL-SMUGGLED-GET",
    "9112 6.1",
    {
      after: CODED + length(INNER_SIZE.length + 2),
      body: `${INNER_SIZE}\r\n${INNER}\r\n${LAST}`,
      reads: INNER,
    },
  ],
  [
    "DUPLICATE-CL-SMUGGLED-GET",
    "9110 8.6",
    { after: length(4) + length(4 + FOLLOWING.length), body: `PING${FOLLOWING}`, reads: "PING" },
  ],
];

const followed: readonly Row[] = [
  ["CLTE-CONN-CLOSE", "9112 6.1", { after: length(5) + CODED, body: LAST, reads: "" }],
  ["TECL-CONN-CLOSE", "9112 6.1", { after: CODED + length(5), body: LAST, reads: "" }],
  ["CLTE-DESYNC", "9112 6.1", { after: length(6) + CODED, body: `${LAST}X`, reads: "" }],
  ["TECL-DESYNC", "9112 6.1", { after: CODED + length(30), body: `${LAST}X`, reads: "" }],
  [
    "OPTIONS-TE-OBS-FOLD",
    "9112 5.2",
    { method: "OPTIONS", after: `Transfer-Encoding:\r\n chunked\r\n${length(5)}`, body: "hello" },
  ],
  ["CHUNK-INVALID-SIZE-DESYNC", "9112 7.1", { after: CODED, body: "+0\r\n\r\nX", reads: "" }],
];

/** A body that is read to its end, or a connection that is closed: the next request is itself. */
const unpoisoned: Judge = ({ statuses: [first, second], writeCount }) =>
  first === 400 || writeCount < 2 ? "pass" : second !== undefined && second < 300 ? "pass" : "warn";

/** As the rule has it, bytes behind an empty body are the start of the next request. */
const separate: Judge = ({ statuses, writeCount }) =>
  statuses[0] === 400 || writeCount < 2 || statuses.length < 2 ? "pass" : "warn";

function one(
  [name, rfc, changes, judge = refused(), level = "must"]: Row,
  isScored = true,
): HttpCase {
  return { name: `SMUG-${name}`, rfc, level, isScored, writes: post(changes), judge };
}

/** Two requests in turn on one connection. */
function pair(
  [name, rfc, changes, judge = refusedOrClosed, level = "must"]: Row,
  request: typeof get = post,
): HttpCase {
  const isScored = level === "must";
  const writes = inTurn(request(changes), get());
  return { name: `SMUG-${name}`, rfc, level, isScored, writes, judge };
}

/** All of them. */
export const SMUGGLING: readonly HttpCase[] = [
  ...scored.map((row) => one(row)),
  ...unscored.map(([name, rfc, changes]) =>
    one([name, rfc, changes, preferRefused(), "should"], false),
  ),
  ...alone.map(([name, rfc, changes]) => one([name, rfc, changes, refusedAlone])),
  ...followed.map((row) => pair(row)),
  {
    name: "SMUG-MULTIPLE-HOST-COMMA",
    rfc: "9110 7.2",
    level: "must",
    isScored: true,
    writes: get({ host: "localhost, other.example.com" }),
    judge: refused(),
  },
  {
    name: "SMUG-ABSOLUTE-URI-HOST-MISMATCH",
    rfc: "9112 3.2.2",
    level: "may",
    isScored: false,
    writes: get({ line: "GET http://other.example.comTARGET HTTP/1.1" }),
    judge: preferRefused(),
  },
  {
    name: "SMUG-HEAD-CL-BODY",
    rfc: "9110 9.3.2",
    level: "may",
    isScored: false,
    writes: get({ method: "HEAD", after: length(5), body: "hello" }),
    judge: preferRefused(404),
  },
  {
    name: "SMUG-OPTIONS-CL-BODY",
    rfc: "9110 9.3.7",
    level: "may",
    isScored: false,
    writes: get({ method: "OPTIONS", after: length(5), body: "hello" }),
    judge: preferRefused(404),
  },
  pair(
    [
      "GET-CL-PREFIX-DESYNC",
      "9110 9.3.1",
      { after: length(25), body: "GET / HTTP/1.1\r\nHost: x\r\n" },
      unpoisoned,
      "may",
    ],
    get,
  ),
  pair(
    ["GET-CL-BODY-DESYNC", "9110 9.3.1", { after: length(5), body: "hello" }, unpoisoned, "may"],
    get,
  ),
  pair([
    "OPTIONS-CL-BODY-DESYNC",
    "9110 9.3.7",
    { method: "OPTIONS", after: length(5), body: "hello" },
    unpoisoned,
    "none",
  ]),
  pair([
    "EXPECT-100-CL-DESYNC",
    "9110 10.1.1",
    { after: `${length(5)}Expect: 100-continue\r\n`, body: "hello" },
    unpoisoned,
    "none",
  ]),
  pair([
    "CL0-BODY-POISON",
    "9112 6.2",
    { after: length(0), body: "X", reads: "" },
    separate,
    "none",
  ]),
  {
    name: "SMUG-PIPELINE-SAFE",
    rfc: "9112 9.3",
    level: "should",
    isScored: false,
    writes: inTurn(get(), get()),
    judge: (heard) => (heard.statuses[1] === 200 ? accepted(heard) : "warn"),
  },
];
