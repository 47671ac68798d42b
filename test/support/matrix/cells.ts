import assert from "node:assert/strict";
import { policyOf, withNewKey } from "../keys.ts";
import { actionParts } from "../operations.ts";
import { exchange, type RawResponse, sign, withHeaders } from "../raw-http.ts";
import type { Outcome, Row, RowService } from "./operations.ts";
import type { Caller, CallerName, World } from "./world.ts";

/* The cells of the authorization matrix: what each caller is told, for each row. */

/** What a service says of a request that proves nobody. */
type Refusal = "missing" | "signature" | "key" | "expired";

const REFUSALS: Readonly<Record<RowService, Readonly<Record<Refusal, Outcome>>>> = {
  ebs: ebsRefusals(),
  admin: ebsRefusals(),
  ec2: {
    missing: [403, "MissingAuthenticationToken"],
    signature: [401, "AuthFailure"],
    key: [401, "AuthFailure"],
    expired: [400, "RequestExpired"],
  },
  sts: {
    // Without a credential scope nothing tells STS from EC2.
    missing: [403, "MissingAuthenticationToken"],
    signature: [403, "SignatureDoesNotMatch"],
    key: [403, "InvalidClientTokenId"],
    expired: [403, "ExpiredToken"],
  },
  kms: {
    missing: [400, "MissingAuthenticationTokenException"],
    signature: [400, "InvalidSignatureException"],
    key: [400, "UnrecognizedClientException"],
    expired: [400, "ExpiredTokenException"],
  },
  s3: {
    missing: [403, "MissingAuthenticationTokenException"],
    signature: [403, "SignatureDoesNotMatch"],
    key: [403, "InvalidAccessKeyId"],
    expired: [403, "ExpiredToken"],
  },
};

function ebsRefusals(): Readonly<Record<Refusal, Outcome>> {
  return {
    missing: [403, "MissingAuthenticationTokenException"],
    signature: [403, "InvalidSignatureException"],
    key: [403, "UnrecognizedClientException"],
    expired: [403, "ExpiredTokenException"],
  };
}

const DENIALS: Readonly<Record<RowService, Outcome>> = {
  ebs: [403, "AccessDeniedException"],
  admin: [403, "AccessDeniedException"],
  ec2: [403, "UnauthorizedOperation"],
  sts: [403, "AccessDenied"],
  kms: [400, "AccessDeniedException"],
  s3: [403, "AccessDenied"],
};

/** Tails of a denial's message, by who is denied; `ACTION` stands for the permission. */
const REASONS: Readonly<Partial<Record<CallerName, string>>> = {
  "a key denied explicitly": "with an explicit deny in an identity-based policy",
  "a key allowed nothing": "because no identity-based policy allows the ACTION action",
  "a session denied by its policy": "with an explicit deny in a session policy",
  "a session its policy allows nothing": "because no session policy allows the ACTION action",
};

const PROVES_NOBODY: Readonly<Partial<Record<CallerName, Refusal>>> = {
  "no signature": "missing",
  "a bad signature": "signature",
  "an inactive key": "key",
  "a deleted key": "key",
  "an expired session": "expired",
  "a session of an inactive key": "key",
  "a session of a deleted key": "key",
};

/** Actions of STS that nobody with temporary credentials may call. */
const NOT_WITH_SESSIONS = ["GetSessionToken", "GetFederationToken"];

/** What this caller is told. */
export function expectedOf(row: Row, name: CallerName): Outcome {
  const refusal = PROVES_NOBODY[name];
  if (refusal !== undefined) return REFUSALS[row.service][refusal];
  if (isDenied(row, name)) return DENIALS[row.service];
  if (name === "another account") return row.stranger;
  if (name === "an account it is shared with") return row.recipient;
  const isSession = name.startsWith("a session");
  return isSession && NOT_WITH_SESSIONS.includes(row.name) ? DENIALS.sts : row.owner;
}

/** True where a policy keeps this caller from it; no policy can give what `admin` does. */
function isDenied(row: Row, name: CallerName): boolean {
  if (row.service === "admin") return name in REASONS || name === "a key allowed just this";
  return name in REASONS && row.permission !== undefined;
}

/** Sends the row's request as this caller; answers what the service said. */
export async function call(
  world: World,
  row: Row,
  { name, id }: { readonly name: CallerName; readonly id: string },
): Promise<RawResponse> {
  const caller = await callerOf(world, row, name);
  const raw = signedFor(world, row, { caller, id });
  const unsigned = withHeaders(raw, { authorization: undefined });
  return exchange(world.service, name === "no signature" ? unsigned : raw);
}

/** The row's request about that id, signed by that caller. */
export function signedFor(
  world: World,
  row: Row,
  { caller, id }: { readonly caller: Caller; readonly id: string },
) {
  const parts = row.about(world, id, caller);
  const service = row.service === "admin" ? "ebs" : row.service;
  return sign(caller.target, parts, { service });
}

async function callerOf(world: World, row: Row, name: CallerName): Promise<Caller> {
  const caller = world.callers[name];
  if (name !== "a key allowed just this") return caller;
  const policy = policyOf({ Action: row.permission ?? "*" });
  return { ...caller, target: await withNewKey(world.service, { policy }) };
}

/** Checks one cell in full: the status, the code, the message of a denial, and what is not told. */
export async function assertCell(world: World, row: Row, name: CallerName): Promise<void> {
  const id = await row.subject(world);
  const response = await call(world, row, { name, id });
  const [status, code] = expectedOf(row, name);
  const shown = `${row.name} (${row.place}) by ${name}: ${response.status} ${response.text}`;
  assert.equal(response.status, status, shown);
  assert.equal(codeOf(response), code, shown);
  if (code !== undefined) assertBodyShape(response, shown);
  else if (row.undo !== undefined) await undo(world, row.undo);
  if (code === undefined && name === "another account") assertTellsNothing(world, response, shown);
  if (isDenied(row, name) && row.permission !== undefined) {
    const resource = resourceOf(world, row.resource(id));
    const why = (REASONS[name] ?? "").replace("ACTION", row.permission);
    const what = `${row.permission} on resource: ${resource}`;
    const message = `is not authorized to perform: ${what} ${why}`;
    const text = response.text.replaceAll("&apos;", "'");
    assert.ok(text.includes(`${message}"`) || text.includes(`${message}<`), shown + message);
  }
}

/** Takes back what any account may have changed for itself: other rows need it as it was. */
async function undo({ callers }: World, action: string): Promise<void> {
  for (const name of ["the owner", "another account", "an account it is shared with"] as const) {
    const raw = sign(callers[name].target, actionParts(action), { service: "ec2" });
    const { status, text } = await exchange(callers[name].target, raw);
    assert.equal(status, 200, text);
  }
}

function resourceOf({ service, account, child }: World, last: string): string {
  if (last === "*" || last.startsWith("arn:")) return last;
  if (last.startsWith("key/")) return `arn:aws:kms:${service.region}:${account}:${last}`;
  const kind = last.startsWith("ami-") ? "image" : "snapshot";
  return `arn:aws:ec2:${service.region}::${kind}/${last === "OWN" ? child : last}`;
}

/** Of the first account and of what it owns, nothing is said to another one. */
function assertTellsNothing(world: World, response: RawResponse, shown: string): void {
  for (const secret of [world.account, world.parent, world.child]) {
    assert.ok(!response.text.includes(secret), `${secret} is told: ${shown}`);
  }
}

/** The error's code, where the answer is one. */
export function codeOf(response: RawResponse): string | undefined {
  const json = response.header("x-amzn-ErrorType")?.split(":")[0];
  return json ?? /(?:<Code>|^\{"__type":")([\w.]+)/.exec(response.text)?.[1];
}

const XML_HEAD = '<\\?xml version="1.0" encoding="UTF-8"\\?>\\n';
const XML_ERROR = "<Code>[\\w.]+</Code><Message>[^<]*</Message>";
const XML_SHAPES = [
  `<Response><Errors><Error>${XML_ERROR}</Error></Errors><RequestID>UUID</RequestID></Response>`,
  `<ErrorResponse [^>]*><Error><Type>Sender</Type>${XML_ERROR}</Error>` +
    "<RequestId>UUID</RequestId></ErrorResponse>",
  `<Error>${XML_ERROR}<RequestId>UUID</RequestId></Error>`,
].map((shape) => new RegExp(`^${XML_HEAD}${shape.replace("UUID", "[0-9a-f-]{36}")}$`));

/** An error has a name and a message, in the shape of its service, and nothing else. */
function assertBodyShape(response: RawResponse, shown: string): void {
  if (response.text.startsWith("<")) {
    assert.ok(
      XML_SHAPES.some((shape) => shape.test(response.text)),
      shown,
    );
    return;
  }
  const names = Object.keys(JSON.parse(response.text) as object).sort();
  const isKnown = [["message"], ["Message"], ["Message", "Reason"], ["__type", "message"]].some(
    (known) => known.join() === names.join(),
  );
  assert.ok(isKnown, shown);
}

/** Callers who must not learn whether something of the first account exists. */
export const KEPT_OUT: readonly CallerName[] = [
  "another account",
  "a key denied explicitly",
  "a key allowed nothing",
  "a session denied by its policy",
  "a session its policy allows nothing",
];

/** Everything in an answer that could tell something, with the id itself taken out. */
export function toldBy({ status, headers, text }: RawResponse, id: string): string {
  const telling = headers.filter(
    ([name]) => !/^(date|x-amzn-requestid|content-length)$/i.test(name),
  );
  // A caller may be named in it, whose account may be the id in question.
  const plain = text.replace(/<requestId>[^<]*/gi, "").replace(/User: \S+/, "");
  const body = plain.replaceAll(id, "ID");
  return JSON.stringify([status, telling, body]);
}
