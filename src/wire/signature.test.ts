import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns } from "../../test/support/property.ts";
import { nodeCrypto } from "../client/call/node-crypto.ts";
import { type RequestParts, request, uriEncode } from "./message.ts";
import {
  canonicalRequest,
  EMPTY_PAYLOAD_HASH,
  formatSigningTime,
  parseAuthorization,
  parseSigningTime,
  signRequest,
  stringToSign,
} from "./signature.ts";

/*
 * Expected signatures are those of AWS's published test suite for Signature Version 4 (its key,
 * its time, service "service"), so that both ends of ours cannot be wrong in the same way.
 */
const CREDENTIALS = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const SCOPE = { date: "20150830", region: "us-east-1", service: "service" };
const DATE_TIME = "20150830T123600Z";

for (const { name, parts, signature } of [
  {
    name: "get-vanilla",
    parts: { method: "GET", path: "/" },
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  },
  {
    name: "post-vanilla",
    parts: { method: "POST", path: "/" },
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  },
  {
    name: "get-vanilla-query-order-key-case",
    parts: { method: "GET", path: "/", query: { Param2: "value2", Param1: "value1" } },
    signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  },
  {
    name: "get-vanilla-query-unreserved",
    parts: {
      method: "GET",
      path: "/",
      query: {
        "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz":
          "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
      },
    },
    signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
  },
] satisfies { name: string; parts: RequestParts; signature: string }[]) {
  test(`canonicalRequest and stringToSign give the published signature of ${name}`, () => {
    assert.equal(signatureOf(parts, ["host", "x-amz-date"]), signature);
  });
}

/** Signs with just these headers, as the published suite does. */
function signatureOf(parts: RequestParts, signedHeaders: readonly string[]): string {
  const headers = { host: "example.amazonaws.com", "x-amz-date": DATE_TIME, ...parts.headers };
  const canonical = canonicalRequest(
    request({ ...parts, headers }),
    signedHeaders,
    EMPTY_PAYLOAD_HASH,
  );
  const text = stringToSign(DATE_TIME, SCOPE, nodeCrypto.sha256Hex(canonical));
  const secret = `AWS4${CREDENTIALS.secretAccessKey}`;
  const parameters = [SCOPE.date, SCOPE.region, SCOPE.service, "aws4_request"];
  const key = parameters.reduce<Uint8Array | string>(nodeCrypto.hmac, secret);
  return nodeCrypto.hmacHex(key as Uint8Array, text);
}

test("canonicalRequest sorts parameters by encoded name and value, and encodes them once", () => {
  const query = "b=2&a=3&a=10&a=1%2F2&A=x&c&d=&e=%7e&f=a%20b&g=a+b&h=%E1%88%B4";
  const line = canonicalRequest({ ...BARE, query }, [], "hash").split("\n")[2];
  assert.equal(line, "A=x&a=1%2F2&a=10&a=3&b=2&c=&d=&e=~&f=a%20b&g=a%2Bb&h=%E1%88%B4");
});

test("canonicalRequest takes parameters in any order and spelling for the same request", (t) => {
  const text = fc.string({ unit: fc.constantFrom(..."aB1-_.~ /+=&%é*'()"), maxLength: 5 });
  const pairs = fc.uniqueArray(fc.tuple(text, text), { maxLength: 5, selector: String });
  const property = fc.property(pairs, fc.nat(), (members, seed) => {
    const spelled = members.map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`);
    const lower = members.map(([name, value]) => `${lowerCase(name)}=${lowerCase(value)}`);
    const rotated = [...lower.slice(seed % 5), ...lower.slice(0, seed % 5)];
    const canonical = (list: string[]) =>
      canonicalRequest({ ...BARE, query: list.join("&") }, [], "hash");
    assert.equal(canonical(rotated), canonical(spelled));
  });
  fc.assert(property, propertyRuns(t, 300));
});

test("canonicalRequest trims header values and joins runs of spaces", () => {
  const headers = new Map([
    ["a", "  one   two  "],
    ["b", ""],
  ]);
  const lines = canonicalRequest({ ...BARE, headers }, ["a", "b", "missing"], "hash").split("\n");
  assert.deepEqual(lines, [
    "GET",
    "/",
    "",
    "a:one two",
    "b:",
    "missing:",
    "",
    "a;b;missing",
    "hash",
  ]);
});

test("canonicalRequest leaves a parameter that is not decodable as it came", () => {
  const line = canonicalRequest({ ...BARE, query: "a=%zz&b=%" }, [], "hash").split("\n")[2];
  assert.equal(line, "a=%zz&b=%");
});

test("signRequest signs every header, in order, and says so", () => {
  const outgoing = request({ method: "GET", path: "/", headers: { Zeta: "1", alpha: "2" } });
  const headers = signRequest(outgoing, {
    credentials: { ...CREDENTIALS, sessionToken: "session" },
    host: "example.amazonaws.com",
    dateTime: DATE_TIME,
    region: SCOPE.region,
    service: SCOPE.service,
    payloadHash: EMPTY_PAYLOAD_HASH,
    crypto: nodeCrypto,
  });
  const parsed = parseAuthorization(headers.get("authorization") ?? "");
  assert.ok(typeof parsed === "object");
  assert.deepEqual(parsed.signedHeaders, [
    "alpha",
    "host",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "zeta",
  ]);
  assert.deepEqual([parsed.accessKeyId, parsed.scope], [CREDENTIALS.accessKeyId, SCOPE]);
  const again = new Map(headers);
  const canonical = canonicalRequest(
    { ...outgoing, headers: again },
    parsed.signedHeaders,
    EMPTY_PAYLOAD_HASH,
  );
  assert.match(canonical, /\nx-amz-security-token:session\nzeta:1\n/);
});

test("parseAuthorization takes the parameters in any order and spacing", () => {
  const signature = "a".repeat(64);
  const credential = "AKID/20150830/us-east-1/ebs/aws4_request";
  const parts = [
    `Credential=${credential}`,
    "SignedHeaders=host;x-amz-date",
    `Signature=${signature}`,
  ];
  const expected = {
    accessKeyId: "AKID",
    scope: { date: "20150830", region: "us-east-1", service: "ebs" },
    signedHeaders: ["host", "x-amz-date"],
    signature,
  };
  for (const list of [parts.join(", "), parts.toReversed().join(","), parts.join(" , ")]) {
    assert.deepEqual(parseAuthorization(`AWS4-HMAC-SHA256 ${list}`), expected);
  }
});

test("parseAuthorization says what is wrong with anything else", () => {
  const good =
    "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request, SignedHeaders=host, " +
    `Signature=${"a".repeat(64)}`;
  for (const [value, message] of [
    ["", /algorithm/],
    ["Basic abc", /algorithm/],
    ["AWS4-HMAC-SHA256", /algorithm/],
    ["AWS4-HMAC-SHA256 ", /malformed/],
    [good.replace("Credential", "Other"), /requires 'Credential'/],
    [good.replace("SignedHeaders=host", "X=1"), /requires 'SignedHeaders'/],
    [good.replace("SignedHeaders=host", "SignedHeaders="), /requires 'SignedHeaders'/],
    [good.replace("Signature=", "X="), /requires 'Signature'/],
    [good.replace("/r/", "/"), /5 slash-delimited/],
    [good.replace("/r/", "/r/more/"), /5 slash-delimited/],
    [good.replace("A/", "/"), /5 slash-delimited/],
    [good.replace("aws4_request", "aws5_request"), /5 slash-delimited/],
    [good.replace(/a{64}/, "A".repeat(64)), /64 hexadecimal/],
    [good.replace(/a{64}/, "a".repeat(63)), /64 hexadecimal/],
    [`${good}, Signature=${"b".repeat(64)}`, /malformed/],
  ] as const) {
    const answer = parseAuthorization(value);
    assert.ok(typeof answer === "string", value);
    assert.match(answer, message, value);
  }
});

test("parseSigningTime and formatSigningTime undo each other and refuse other forms", () => {
  const timeMs = Date.UTC(2015, 7, 30, 12, 36, 0);
  assert.equal(formatSigningTime(timeMs + 999), DATE_TIME);
  assert.equal(parseSigningTime(DATE_TIME), timeMs);
  for (const text of ["", "2015-08-30T12:36:00Z", "20150830T123600", "20151330T123600Z"]) {
    assert.equal(parseSigningTime(text), undefined, text);
  }
});

const BARE = { method: "GET", path: "/", query: "", headers: new Map<string, string>() };

/** Percent-encodes with lower-case digits, and encodes what need not be, too. */
function lowerCase(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}
