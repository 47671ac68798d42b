import { createHash, createHmac } from "node:crypto";
import { formatSigningTime, UNSIGNED_PAYLOAD } from "../../../src/wire/signature.ts";
import { type HeaderLine, type RawRequest, type Target, withHeaders } from "../raw-http.ts";
import { type Entry, signedEntry } from "./routes.ts";

/*
 * Ways of getting past a signature: each makes, of a way into the service, a request that must be
 * refused there. Those that do not fit a request (it has no body, say) answer undefined.
 */

/** What they are made with. */
export interface Ground {
  readonly target: Target;
  /** Keys and sessions that must not count: inactive, deleted, expired and the like, by name. */
  readonly keys: Readonly<Record<string, Target["firstKey"]["key"]>>;
}

/** One class of mutations. */
export interface Mutation {
  readonly name: string;
  readonly apply: (ground: Ground, entry: Entry) => RawRequest | undefined;
}

type OfRaw = (raw: RawRequest) => RawRequest | undefined;

const onRaw = (name: string, change: OfRaw): Mutation => ({
  name,
  apply: ({ target }, entry) => change(signedEntry(target, entry)),
});

const headerOf = ({ headers }: RawRequest, name: string): string | undefined =>
  headers.find(([each]) => each === name)?.[1];

const named = (name: string, raw: RawRequest, change: (value: string) => string | undefined) => {
  const value = headerOf(raw, name);
  const changed = value === undefined ? value : change(value);
  return value === undefined || changed === value
    ? undefined
    : withHeaders(raw, { [name]: changed });
};

const onAuthorization = (name: string, change: (value: string) => string | undefined): Mutation =>
  onRaw(`authorization: ${name}`, (raw) => named("authorization", raw, change));

const added = (raw: RawRequest, ...lines: HeaderLine[]): RawRequest => ({
  ...raw,
  headers: [...raw.headers, ...lines],
});

const replacing = (pattern: RegExp, to: string) => (value: string) => value.replace(pattern, to);

const AUTHORIZATION: readonly Mutation[] = [
  onAuthorization("missing", () => undefined),
  ...(
    [
      ["empty", /.*/, ""],
      ["a space", /.*/, " "],
      ["the algorithm alone", / .*/, ""],
      ["without the algorithm", /^\S+ /, ""],
      ["a second space", / /, "  ,"],
      ["of SHA1", /SHA256/, "SHA1"],
      ["of SHA512", /SHA256/, "SHA512"],
      ["of ECDSA", /HMAC/, "ECDSA-P256"],
      ["in lower case", /AWS4-HMAC-SHA256/, "aws4-hmac-sha256"],
      ["of version 3", /AWS4/, "AWS3"],
      ["of version 2", /.*/, "AWS AKIA:c2lnbmF0dXJl"],
      ["Basic", /.*/, "Basic cm9vdDpyb290"],
      ["Bearer without a signature", /.*/, "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0."],
      ["Digest", /.*/, 'Digest username="root", response="0"'],
      ["Negotiate", /.*/, "Negotiate YII="],
      ["None", /.*/, "None"],
      ["anonymous", /.*/, "anonymous"],
      ["no credential", /Credential=[^,]+, /, ""],
      ["an empty credential", /Credential=[^,]+/, "Credential="],
      ["no signed headers", /SignedHeaders=[^,]+, /, ""],
      ["empty signed headers", /SignedHeaders=[^,]+/, "SignedHeaders="],
      ["no signature", /, Signature=.+/, ""],
      ["an empty signature", /Signature=.+/, "Signature="],
      ["the credential twice", /(Credential=[^,]+)/, "$1, $1"],
      ["the signed headers twice", /(SignedHeaders=[^,]+)/, "$1, $1"],
      ["the signature twice", /(Signature=.+)/, "$1, $1"],
      ["another signature first", /(Signature=.+)/, `Signature=${"0".repeat(64)}, $1`],
      ["field names in lower case", /Credential=/, "credential="],
      ["colons for equals signs", /Signature=/, "Signature:"],
      ["quotes around the signature", /Signature=(.+)/, 'Signature="$1"'],
      ["semicolons for commas", /, /g, "; "],
      ["no commas", /, /g, " "],
      ["five parts of a credential", /\/aws4_request/, ""],
      ["seven parts of a credential", /\/aws4_request/, "/x/aws4_request"],
      ["more behind the terminator", /aws4_request/, "aws4_request/x"],
      ["another terminator", /aws4_request/, "aws5_request"],
      ["the terminator in upper case", /aws4_request/, "AWS4_REQUEST"],
      ["no access key id", /Credential=[^/]+/, "Credential="],
      ["an access key id in lower case", /Credential=AKIA/, "Credential=akia"],
      ["an access key id cut short", /Credential=(.)/, "Credential="],
      ["an access key id with a space", /Credential=([^/]+)/, "Credential=$1 "],
      ["an access key id with a zero byte", /Credential=([^/]+)/, "Credential=$1%00"],
      ["the root account as access key id", /Credential=[^/]+/, "Credential=root"],
      ["a pattern as access key id", /Credential=[^/]+/, "Credential=%"],
      ["SQL as access key id", /Credential=[^/]+/, "Credential=' OR 1=1 --"],
      ["no date", /\/\d{8}\//, "//"],
      ["the date of another day", /\/\d{8}\//, "/20200101/"],
      ["a date with dashes", /\/(\d{4})(\d\d)(\d\d)\//, "/$1-$2-$3/"],
      ["no region", /(\/\d{8}\/)[^/]+/, "$1"],
      ["another region", /(\/\d{8}\/)[^/]+/, "$1eu-west-9"],
      ["a region in upper case", /us-east-1/, "US-EAST-1"],
      ["every region", /(\/\d{8}\/)[^/]+/, "$1*"],
      ["no service", /\/[a-z0-9]+\/aws4_request/, "//aws4_request"],
      ["another service", /\/[a-z0-9]+\/aws4_request/, "/iam/aws4_request"],
      ["the service in upper case", /\/ebs\/aws4/, "/EBS/aws4"],
    ] as const
  ).map(([name, pattern, to]) => onAuthorization(name, replacing(pattern, to))),
];

const SIGNATURE: readonly Mutation[] = [
  ...[0, 1, 7, 8, 15, 16, 31, 32, 33, 47, 48, 62, 63].map((place) =>
    onAuthorization(`digit ${place} of the signature`, (value) => {
      const at = value.length - 64 + place;
      return value.slice(0, at) + (value[at] === "0" ? "1" : "0") + value.slice(at + 1);
    }),
  ),
  ...(
    [
      ["cut by one", (text) => text.slice(0, -1)],
      ["cut by half", (text) => text.slice(0, 32)],
      ["longer by one", (text) => `${text}0`],
      ["longer by two", (text) => `${text}00`],
      ["twice as long", (text) => text + text],
      ["in upper case", (text) => text.toUpperCase().replace(/^[0-9]+$/, "")],
      ["of zeros", () => "0".repeat(64)],
      ["of fs", () => "f".repeat(64)],
      ["backwards", (text) => [...text].reverse().join("")],
      ["in base64", (text) => Buffer.from(text, "hex").toString("base64")],
      ["with 0x before it", (text) => `0x${text.slice(2)}`],
      ["with a space in it", (text) => `${text.slice(0, 32)} ${text.slice(33)}`],
      ["of nothing", () => createHash("sha256").digest("hex")],
      ["null", () => "null"],
      ["undefined", () => "undefined"],
      ["NaN", () => "NaN"],
    ] as readonly (readonly [string, (text: string) => string])[]
  ).map(([name, change]) =>
    onAuthorization(`the signature ${name}`, (value) =>
      value.replace(/[0-9a-f]{64}$/, (text) => change(text)),
    ),
  ),
];

const onSigned = (name: string, change: (names: string[]) => readonly string[]): Mutation =>
  onAuthorization(`signed headers ${name}`, (value) =>
    value.replace(/SignedHeaders=([^,]+)/, (_, list: string) => {
      return `SignedHeaders=${change(list.split(";")).join(";")}`;
    }),
  );

const STANDARD_HEADERS = ["host", "x-amz-date", "x-amz-content-sha256", "x-amz-user-agent"];

const SIGNED_HEADERS: readonly Mutation[] = [
  ...STANDARD_HEADERS.map((name) =>
    onSigned(`without ${name}`, (names) => names.filter((each) => each !== name)),
  ),
  onSigned("without content-type", (names) => names.filter((each) => each !== "content-type")),
  onSigned("backwards", (names) => names.toReversed()),
  onSigned("in upper case", (names) => names.map((each) => each.toUpperCase())),
  onSigned("with one twice", (names) => ["host", ...names]),
  onSigned("with one that is not there", (names) => [...names, "x-none"]),
  onSigned("with an empty one", (names) => [...names, ""]),
  onSigned("with spaces", (names) => names.map((each) => ` ${each}`)),
  onSigned("of the host alone", () => ["host"]),
  onSigned("of none that matters", () => ["user-agent"]),
  onSigned("with a prototype's name", (names) => [...names, "__proto__", "constructor"]),
  onSigned("with the authorization", (names) => ["authorization", ...names]),
];

const DAY_MS = 86_400_000;

/** Signed in every respect right, but with other options. */
const otherwise = (
  name: string,
  changes: (ground: Ground, entry: Entry) => Parameters<typeof signedEntry>[2],
): Mutation => ({
  name,
  apply: (ground, entry) => {
    const raw = signedEntry(ground.target, entry, changes(ground, entry));
    return withHeaders(raw, { host: new URL(ground.target.endpoint).host });
  },
});

const nowOf = ({ target }: Ground) => target.clock?.nowMs() ?? Date.now();

const TIMES: readonly Mutation[] = [
  ...[-DAY_MS, -3_600_000, -960_000, -901_500, 901_500, 960_000, 3_600_000, DAY_MS].map((ms) =>
    otherwise(`signed ${ms / 1000} s from now`, (ground) => ({
      dateTime: formatSigningTime(nowOf(ground) + ms),
    })),
  ),
  ...[
    "",
    "0",
    "now",
    "20260101",
    "2026-01-01T00:00:00Z",
    "20261341T000000Z",
    "99991231T235959Z",
  ].map((dateTime) => otherwise(`signed at '${dateTime}'`, () => ({ dateTime }))),
  onRaw("x-amz-date changed by a second", (raw) =>
    named("x-amz-date", raw, (value) =>
      value.replace(/(\d)Z$/, (_, digit) => `${(+digit + 1) % 10}Z`),
    ),
  ),
  onRaw("x-amz-date missing", (raw) => named("x-amz-date", raw, () => undefined)),
  onRaw("x-amz-date as Date", (raw) =>
    added(withHeaders(raw, { "x-amz-date": undefined }), ["date", new Date().toUTCString()]),
  ),
];

const SCOPES: readonly Mutation[] = [
  ...["eu-west-1", "us-east-2", "", "global", "aws-global", "*", "US-EAST-1", "us-east-1 "].map(
    (region) => otherwise(`signed for the region '${region}'`, () => ({ region })),
  ),
  ...["s3", "iam", "sts", "ec2", "ebs", "", "*", "EBS", "execute-api", "sso", "kms"].map(
    (service) => ({
      name: `signed for the service '${service}'`,
      apply: (ground: Ground, entry: Entry) =>
        isItsOwn(entry, service) ? undefined : signedEntry(ground.target, entry, { service }),
    }),
  ),
  ...["example.com", "127.0.0.1", "localhost:1", "ebs.us-east-1.amazonaws.com"].map((host) =>
    otherwise(`signed for the host ${host}`, () => ({ host })),
  ),
];

/** On the path that several services share, the scope says which of them is asked. */
function isItsOwn({ service, parts }: Entry, scope: string): boolean {
  if (parts.path !== "/" || service === "kms") return service === scope;
  return (parts.method === "POST" ? ["ec2", "sts"] : ["ebs", "s3"]).includes(scope);
}

const KEY_NAMES = [
  ...["inactive", "deleted", "unknown", "empty", "of another secret", "another's secret"],
  ...["secret in lower case", "secret cut short", "secret with a space", "id as secret"],
  ...["expired session", "session of an inactive key", "session of a deleted key"],
  ...["session without its token", "session with another's token", "session with a changed token"],
  ...[
    "session with an empty token",
    "session with its parent's secret",
    "key with a session token",
  ],
  ...["key with any token", "unknown key with a session token", "session of another store"],
  ...["session with a cut token", "session with a token twice", "parent's id, session's secret"],
];

/** Names of the keys that `Ground.keys` must have. */
export const GROUND_KEYS: readonly string[] = KEY_NAMES;

const KEYS: readonly Mutation[] = KEY_NAMES.map((name) => {
  return otherwise(`signed with: ${name}`, ({ keys }) => {
    const credentials = keys[name];
    if (!credentials) throw new Error(`The ground has no key '${name}'`);
    return { credentials };
  });
});

const PAYLOADS: readonly Mutation[] = [
  ...[
    ...["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"],
    ...["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"],
    ...["unsigned-payload", "UNSIGNED", "", "null", "0", "*", "required", "f".repeat(64)],
    ...["E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "a".repeat(63)],
  ].map((payloadHash) =>
    otherwise(`signed payload '${payloadHash.slice(0, 45)}'`, () => ({ payloadHash })),
  ),
  {
    name: "unsigned payload where there is no block",
    apply: ({ target }, entry) =>
      entry.parts.method === "PUT"
        ? undefined
        : signedEntry(target, entry, { payloadHash: UNSIGNED_PAYLOAD }),
  },
  onRaw("the declared hash changed", (raw) =>
    named("x-amz-content-sha256", raw, (value) =>
      value.replace(/^./, (c) => (c === "0" ? "1" : "0")),
    ),
  ),
  onRaw("the declared hash taken away", (raw) =>
    withHeaders(raw, { "x-amz-content-sha256": undefined }),
  ),
  onRaw("unsigned payload declared afterwards", (raw) =>
    withHeaders(raw, { "x-amz-content-sha256": UNSIGNED_PAYLOAD }),
  ),
];

const onBody = (name: string, change: (body: Buffer) => Uint8Array): Mutation =>
  onRaw(`body ${name}`, (raw) => {
    if (raw.body.length === 0) return undefined;
    const body = change(Buffer.from(raw.body));
    return withHeaders({ ...raw, body }, { "content-length": String(body.length) });
  });

const BODIES: readonly Mutation[] = [
  onBody("with a byte more", (body) => Buffer.concat([body, Buffer.from(" ")])),
  onBody("with a byte less", (body) => body.subarray(0, -1)),
  onBody("with its first byte changed", (body) => body.fill((body[0] ?? 0) ^ 1, 0, 1)),
  onBody("with its last byte changed", (body) =>
    body.fill((body.at(-1) ?? 0) ^ 1, body.length - 1),
  ),
  onBody("taken away", () => Buffer.alloc(0)),
  onBody("twice", (body) => Buffer.concat([body, body])),
  onBody("of another kind", () => Buffer.from("{}")),
  onBody("of an action", () => Buffer.from("Action=DescribeRegions&Version=2016-11-15")),
  onRaw("a body where none was signed", (raw) => {
    if (raw.body.length > 0) return undefined;
    return withHeaders({ ...raw, body: Buffer.from("{}") }, { "content-length": "2" });
  }),
];

const onPath = (name: string, change: (path: string) => string): Mutation =>
  onRaw(`path ${name}`, (raw) => {
    const [path = "", ...query] = raw.target.split("?");
    const changed = change(path);
    return changed === path ? undefined : { ...raw, target: [changed, ...query].join("?") };
  });

const PATHS: readonly Mutation[] = [
  onPath("with a letter more", (path) => `${path}x`),
  onPath("with a slash more", (path) => `${path}/`),
  onPath("with two slashes before it", (path) => `/${path}`),
  onPath("with a dot segment", (path) => `/.${path}`),
  onPath("with dot segments that lead back", (path) => `/x/..${path}`),
  onPath("that leads up", (path) => `/..${path}`),
  onPath("with an escaped slash", (path) => path.replace(/\/(?=.)/, "/%2F")),
  onPath("with an escaped letter", (path) =>
    path.replace(/[a-z]/, (c) => `%${c.charCodeAt(0).toString(16)}`),
  ),
  onPath("with an escaped dot segment", (path) => `/%2e%2e${path}`),
  onPath("with a zero byte", (path) => `${path}%00`),
  onPath("with parameters", (path) => `${path};x=1`),
  onPath("with a backslash", (path) => path.replace(/.$/, "\\")),
  onPath("with a fragment", (path) => `${path}#x`),
  onPath("in upper case", (path) => path.toUpperCase()),
  onPath("as a whole address", (path) => `http://127.0.0.1${path}`),
  onPath("of another snapshot", (path) => path.replace(/f(?=\/|$)/, "e")),
  onPath("of another operation", () => "/varve/accounts/self/keys"),
  onPath("with a space", (path) => `${path}%20`),
];

const onQuery = (name: string, change: (query: string) => string | undefined): Mutation =>
  onRaw(`query ${name}`, (raw) => {
    const [path = "", query = ""] = raw.target.split("?");
    const changed = change(query);
    if (changed === undefined || changed === query) return undefined;
    return { ...raw, target: changed === "" ? path : `${path}?${changed}` };
  });

const join = (query: string, more: string) => (query === "" ? more : `${query}&${more}`);
const PRESIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=0";

const QUERIES: readonly Mutation[] = [
  onQuery("with a parameter more", (query) => join(query, "x=1")),
  onQuery("with a parameter that has no value", (query) => join(query, "x")),
  onQuery("with a parameter twice", (query) =>
    query ? join(query, query.split("&")[0] ?? "") : undefined,
  ),
  onQuery("with a parameter less", (query) => query.split("&").slice(1).join("&")),
  onQuery("with a value changed", (query) => query.replace(/=1/, "=2")),
  onQuery("with a name changed", (query) => query.replace(/maxResults/, "maxresults")),
  onQuery("taken away", () => ""),
  onQuery("with a signature beside the header's", (query) => join(query, PRESIGNED)),
  onQuery("with an action", (query) => join(query, "Action=DescribeRegions")),
  onQuery("with a token", (query) => join(query, "X-Amz-Security-Token=a")),
  onQuery("with a plus for its escape's slash", (query) => query.replace(/%2F/, "+")),
  onQuery("escaped twice", (query) => query.replace(/%2F/, "%252F")),
  ...[
    "X-Amz-Signature",
    "x-amz-signature",
    "X%2DAmz%2DSignature",
    "Signature",
    "AWSAccessKeyId",
  ].map(
    (name): Mutation =>
      onRaw(`${name} in the query alone`, (raw) => {
        const mark = raw.target.includes("?") ? "&" : "?";
        const target = `${raw.target}${mark}${name}=${"0".repeat(64)}`;
        return withHeaders({ ...raw, target }, { authorization: undefined });
      }),
  ),
];

const METHODS: readonly Mutation[] = [
  ...["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"].map(
    (method) =>
      onRaw(`method ${method}`, (raw) => (raw.method === method ? undefined : { ...raw, method })),
  ),
];

const onHeader = (name: string): Mutation[] => [
  onRaw(`${name} taken away`, (raw) => named(name, raw, () => undefined)),
  onRaw(`${name} emptied`, (raw) => named(name, raw, () => "")),
  onRaw(`${name} longer`, (raw) => named(name, raw, (value) => `${value}x`)),
  onRaw(`${name} with a comma`, (raw) => named(name, raw, (value) => `${value},`)),
  onRaw(`${name} twice`, (raw) => {
    const value = headerOf(raw, name);
    return value === undefined ? undefined : added(raw, [name, value]);
  }),
  onRaw(`${name} once more with another value`, (raw) => {
    const value = headerOf(raw, name);
    return value === undefined ? undefined : added(raw, [name.toUpperCase(), `${value}x`]);
  }),
];

const UNSIGNED_HEADERS = [
  ...["x-amz-acl", "x-amz-meta-a", "x-amz-target", "x-amz-security-token", "x-amz-checksum"],
  ...["x-amz-data-length", "x-amz-progress", "x-amz-changedblockscount", "x-amz-copy-source"],
];

const HEADERS: readonly Mutation[] = [
  ...STANDARD_HEADERS.flatMap(onHeader),
  ...STANDARD_HEADERS.filter((name) => name.includes("-")).map((name) =>
    onRaw(`${name} under a name with underscores`, (raw) => {
      const value = headerOf(raw, name);
      if (value === undefined) return undefined;
      return added(withHeaders(raw, { [name]: undefined }), [name.replaceAll("-", "_"), value]);
    }),
  ),
  ...UNSIGNED_HEADERS.map((name) => onRaw(`${name} unsigned`, (raw) => added(raw, [name, "1"]))),
];

/** Without any proof, but with something that made another service not ask for one. */
const LURES: readonly (readonly [string, readonly HeaderLine[]])[] = [
  ["a form with files", [["content-type", "multipart/form-data; boundary=x"]]],
  ["a form", [["content-type", "application/x-www-form-urlencoded"]]],
  ["a trailer that is to come", [["x-amz-trailer", "x-amz-checksum-crc32"]]],
  ["a forwarded address", [["x-forwarded-for", "127.0.0.1"]]],
  ["a real address", [["x-real-ip", "127.0.0.1"]]],
  ["a forwarded user", [["x-forwarded-user", "root"]]],
  ["a remote user", [["remote-user", "root"]]],
  ["a session cookie", [["cookie", "token=1; session=1"]]],
  ["another method", [["x-http-method-override", "GET"]]],
  [
    "another address",
    [
      ["x-original-url", "/"],
      ["x-rewrite-url", "/"],
    ],
  ],
  [
    "an origin",
    [
      ["origin", "null"],
      ["access-control-request-method", "GET"],
    ],
  ],
  ["an access key", [["x-amz-access-key", "root"]]],
  ["a proxy's authorization", [["proxy-authorization", "Basic cm9vdDpyb290"]]],
  ["a minio extension", [["x-minio-extract", "true"]]],
  [
    "an internal mark",
    [
      ["x-internal-request", "true"],
      ["x-amz-internal", "1"],
    ],
  ],
  [
    "an upgrade",
    [
      ["connection", "upgrade"],
      ["upgrade", "websocket"],
    ],
  ],
  ["a key in the body", [["x-api-key", "root"]]],
];

const WITHOUT_PROOF: readonly Mutation[] = LURES.map(([name, lines]) =>
  onRaw(`no authorization, but ${name}`, (raw) => {
    const names = lines.map(([each]) => each);
    const bare = withHeaders(raw, { authorization: undefined });
    const kept = bare.headers.filter(([each]) => !names.includes(each));
    return { ...bare, headers: [...kept, ...lines] };
  }),
);

/** Signing keys derived in a wrong way, over the right text. */
const DERIVATIONS: readonly (readonly [string, (secret: string, scope: string[]) => Buffer])[] = [
  ["without AWS4", (secret, scope) => chain(secret, scope)],
  ["without the date", (secret, scope) => chain(`AWS4${secret}`, scope.slice(1))],
  ["without the terminator", (secret, scope) => chain(`AWS4${secret}`, scope.slice(0, -1))],
  ["in another order", (secret, scope) => chain(`AWS4${secret}`, scope.toReversed())],
  ["from the scope alone", (_secret, scope) => chain("AWS4", scope)],
  ["from an empty secret", (_secret, scope) => chain("", scope)],
  ["not at all", (secret) => Buffer.from(`AWS4${secret}`)],
];

function chain(secret: string, parts: readonly string[]): Buffer {
  let key: Buffer = Buffer.from(secret);
  for (const part of parts) key = hmac(key, part);
  return key;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

const WRONG_KEYS: readonly Mutation[] = DERIVATIONS.map(([name, derive]) => ({
  name: `a signing key derived ${name}`,
  apply: ({ target }, entry) => {
    const { secretAccessKey } = target.firstKey.key;
    const dateTime = formatSigningTime(target.clock?.nowMs() ?? Date.now());
    const scope = [dateTime.slice(0, 8), target.region, entry.service, "aws4_request"];
    return signedEntry(target, entry, { dateTime, signingKey: derive(secretAccessKey, scope) });
  },
}));

/** All classes. */
export const MUTATIONS: readonly Mutation[] = [
  ...[...AUTHORIZATION, ...SIGNATURE, ...SIGNED_HEADERS, ...TIMES, ...SCOPES, ...KEYS, ...PAYLOADS],
  ...[...BODIES, ...PATHS, ...QUERIES, ...METHODS, ...HEADERS, ...WITHOUT_PROOF, ...WRONG_KEYS],
];
