import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection } from "node:net";
import { systemClock } from "../../src/base/clock.ts";
import { admin, withNewKey } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { pick, seededFraction } from "../support/property.ts";
import { encode, type RawRequest, type Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { withSession } from "../support/sessions.ts";
import { flipIn, meaningOf } from "../support/signing/flips.ts";
import { GROUND_KEYS, type Ground, MUTATIONS } from "../support/signing/mutations.ts";
import { show } from "../support/signing/random-requests.ts";
import { type Entry, entries, signedEntry } from "../support/signing/routes.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

scorecard({
  number: 17,
  name: "signatures that are wrong are refused",
  goal: "at least 250 classes of mutations on every way in, and 100,000 changed bytes: 0 accepted",
  peer: "versitygw: 77 cases; MinIO: 4 ways past a signature in 2025 and 2026",
  async run(run) {
    const ground = await openGround(run);
    const ways = entries();
    for (const entry of ways) await assertTaken(ground, entry);
    const classes = await runClasses(ground, ways, run);
    const flips = await runFlips(ground, ways, run);
    return `${classes}; ${flips}`;
  },
});

/** How long an answer may take; a request that broke its own framing gets none. */
const ANSWER_TIMEOUT_MS = 2_000;

const REFUSAL = new RegExp(
  "^(AuthFailure|ExpiredToken|IncompleteSignature|InvalidAccessKeyId|InvalidClientTokenId|" +
    "InvalidRequest|InvalidSignature|MalformedRequest|MissingAuthenticationToken|AccessDenied|" +
    "RequestEntityTooLarge|RequestExpired|SignatureDoesNotMatch|UnrecognizedClient)(Exception)?$",
);
/** What Node's parser says of bytes that are no request, without a code of ours. */
const NO_REQUEST = [400, 405, 408, 413, 414, 417, 431, 501, 505];

interface Answer {
  /** Undefined where the connection was closed, or left open, without one. */
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly text: string;
}

function isRefused({ status, code }: Answer): boolean {
  if (status === undefined) return true;
  return code === undefined ? NO_REQUEST.includes(status) : REFUSAL.test(code);
}

async function assertTaken({ target }: Ground, entry: Entry): Promise<void> {
  const answer = await ask(target, encode(signedEntry(target, entry)));
  assert.ok(answer.status !== undefined && !isRefused(answer), `${entry.name}: ${answer.text}`);
}

async function runClasses(
  ground: Ground,
  ways: readonly Entry[],
  run: ScorecardRun,
): Promise<string> {
  assert.ok(MUTATIONS.length >= 250, `${MUTATIONS.length} classes`);
  const fraction = seededFraction(run.seed);
  let requests = 0;
  const used = new Set<string>();
  for (const mutation of MUTATIONS) {
    const shuffled = ways.toSorted(() => fraction() - 0.5);
    let left = run.count(ways.length, 1);
    for (const entry of shuffled) {
      const raw = left > 0 ? mutation.apply(ground, entry) : undefined;
      if (!raw) continue;
      left -= 1;
      const answer = await ask(ground.target, encode(raw));
      const what = `${mutation.name} at ${entry.name}: ${answer.status}`;
      assert.ok(isRefused(answer), `${what} ${answer.text}\n${show(raw)}`);
      requests += 1;
      used.add(mutation.name);
    }
  }
  const idle = MUTATIONS.filter(({ name }) => !used.has(name)).map(({ name }) => name);
  assert.deepEqual(idle, [], "every class fits somewhere");
  return `${used.size} classes on ${ways.length} ways in (${requests} requests): 0 accepted`;
}

async function runFlips(
  { target }: Ground,
  ways: readonly Entry[],
  run: ScorecardRun,
): Promise<string> {
  const fraction = seededFraction(run.seed + 1);
  const total = run.count(100_000, 1_000);
  let [flipped, neutral] = [0, 0];
  while (flipped < total) {
    const raws = Array.from({ length: 64 }, () => {
      return signedEntry(target, ways[pick(fraction, ways.length)] as Entry);
    });
    const asked = raws.flatMap((raw) => {
      const bytes = flipIn(raw, fraction);
      // Letters of a header's name in another case, say, are the same request.
      if (meaningOf(bytes) === meaningOf(encode(raw))) return [];
      return [{ raw, bytes }];
    });
    neutral += raws.length - asked.length;
    const check = async ({ raw, bytes }: { raw: RawRequest; bytes: Buffer }) => {
      const answer = await ask(target, bytes);
      const shown = `${answer.status} ${answer.text}\n${bytes.toString("latin1")}\n${show(raw)}`;
      assert.ok(isRefused(answer), shown);
    };
    await Promise.all(asked.map(check));
    flipped += asked.length;
  }
  return `${flipped} changed bytes: 0 accepted (${neutral} more meant the same request)`;
}

/** Sends bytes on a connection of their own; answers status and code of what comes first. */
async function ask({ endpoint }: Target, bytes: Uint8Array): Promise<Answer> {
  const { hostname, port } = new URL(endpoint);
  const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  const received: Buffer[] = [];
  socket.on("error", () => undefined);
  socket.on("data", (piece) => {
    received.push(piece);
    if (isWhole(Buffer.concat(received))) socket.resetAndDestroy();
  });
  socket.write(bytes);
  await once(socket, "close").catch(() => undefined);
  const text = Buffer.concat(received).toString("latin1");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
  const json = /(?:^x-amzn-ErrorType: |^\{"__type":")(\w+)/im.exec(text)?.[1];
  const code = json ?? /<Code>([\w.]+)<\/Code>/.exec(text)?.[1];
  return { status: status === undefined ? undefined : Number(status), code, text };
}

/** True when the head is there, and as much of a body as it promises or as tells the code. */
function isWhole(received: Buffer): boolean {
  const text = received.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  if (/^x-amzn-ErrorType:/im.test(text.slice(0, end))) return true;
  const length = /^content-length: (\d+)/im.exec(text)?.[1] ?? "0";
  return received.length >= end + 4 + Number(length);
}

/** Keys of every kind that must not count. */
async function openGround(run: ScorecardRun): Promise<Ground> {
  const clock = new MovingClock();
  const service = { ...(await startService(run, { clock })), clock };
  const other = await startService(run, { clock: systemClock });
  const keyOf = ({ firstKey }: Target) => firstKey.key;
  const own = keyOf(service);
  const { accessKeyId, secretAccessKey } = own;
  const expired = keyOf(await withSession(service, "GetSessionToken", { DurationSeconds: "900" }));
  clock.advance(901_000);
  const another = keyOf(await withNewKey(service));
  const [inactive, deleted] = [await withNewKey(service), await withNewKey(service)];
  const ofInactive = keyOf(await withSession(inactive, "GetSessionToken"));
  const ofDeleted = keyOf(await withSession(deleted, "GetSessionToken"));
  await admin(service, ["POST", `/keys/${keyOf(inactive).accessKeyId}`], { Status: "Inactive" });
  await admin(service, ["DELETE", `/keys/${keyOf(deleted).accessKeyId}`]);
  const session = keyOf(await withSession(service, "GetSessionToken"));
  const second = keyOf(await withSession(service, "GetSessionToken"));
  const foreign = keyOf(await withSession(other, "GetSessionToken"));
  const token = session.sessionToken ?? "";
  const changed = token.replace(/.(?=.{8}$)/, (digit) => (digit === "A" ? "B" : "A"));
  const unknown = { accessKeyId: "AKIAUNKNOWNUNKNOWN22", secretAccessKey };
  const keys: Ground["keys"] = {
    inactive: keyOf(inactive),
    deleted: keyOf(deleted),
    unknown,
    empty: { accessKeyId, secretAccessKey: "" },
    "of another secret": { accessKeyId, secretAccessKey: "wrong" },
    "another's secret": { accessKeyId, secretAccessKey: another.secretAccessKey },
    "secret in lower case": { accessKeyId, secretAccessKey: secretAccessKey.toLowerCase() },
    "secret cut short": { accessKeyId, secretAccessKey: secretAccessKey.slice(0, -1) },
    "secret with a space": { accessKeyId, secretAccessKey: `${secretAccessKey} ` },
    "id as secret": { accessKeyId, secretAccessKey: accessKeyId },
    "expired session": expired,
    "session of an inactive key": ofInactive,
    "session of a deleted key": ofDeleted,
    "session without its token": { ...session, sessionToken: undefined },
    "session with another's token": { ...session, sessionToken: second.sessionToken },
    "session with a changed token": { ...session, sessionToken: changed },
    "session with an empty token": { ...session, sessionToken: " " },
    "session with its parent's secret": { ...session, secretAccessKey },
    "key with a session token": { ...own, sessionToken: token },
    "key with any token": { ...own, sessionToken: "IQoJb3JpZ2luX2Vj" },
    "unknown key with a session token": { ...unknown, sessionToken: token },
    "session of another store": foreign,
    "session with a cut token": { ...session, sessionToken: token.slice(0, -4) },
    "session with a token twice": { ...session, sessionToken: token + token },
    "parent's id, session's secret": { ...session, accessKeyId },
  };
  assert.deepEqual(Object.keys(keys).sort(), [...GROUND_KEYS].sort());
  return { target: service, keys };
}
