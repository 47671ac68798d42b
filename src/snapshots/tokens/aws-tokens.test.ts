import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pick, printSeed, propertyRuns, seededFraction } from "../../../test/support/property.ts";
import { oneSecret, rotatingSecrets } from "../../../test/support/secrets.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { AWS_EXPIRY_MINUTES_MAX, PAGE_TOKEN_LIFETIME_SECONDS } from "../../model/limits.ts";
import { AwsTokens } from "./aws-tokens.ts";
import { type TokenScope, Tokens } from "./tokens.ts";

const BLOCK: TokenScope = { kind: "block", snapshotIds: ["snap-1"] };
const LIST: TokenScope = { kind: "listPage", snapshotIds: ["snap-1"] };
const CHANGED: TokenScope = { kind: "changedPage", snapshotIds: ["snap-1", "snap-2"] };
/** Kinds that AWS has, with the number and the characters that its tokens have. */
const FORMS = [
  [BLOCK, 1, 95],
  [LIST, 2, 95],
  [CHANGED, 3, 111],
] as const;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

test("AwsTokens lays a token out as documented, byte for byte", () => {
  const { tokens } = setUp({ random: fives });
  const [token] = tokens.mint(LIST, [7]) as [string];
  const bytes = Buffer.from(token, "base64url");
  assert.equal(bytes.toString("hex"), `025302${"05".repeat(16)}${GOLDEN_REST}`);
});

/** Four AES-256 blocks, cut at 52 bytes; calculated apart from this code. */
const GOLDEN_REST =
  "1f7b7f96e66be73e5449dceb4273cfdcf2044523225aea54a8a5aae925357c45" +
  "661d8b0a793de692f07e1ff87c1a68eebda58270";

test("AwsTokens mints what looks like AWS's, with 16 bytes shared by one response", () => {
  const response = setUp().tokens.forResponse();
  const shared = new Set<string>();
  for (const [scope, kind, characters] of FORMS) {
    const page = response.mint(scope, [0, 1, 2_047]);
    assert.equal(new Set(page).size, 3);
    for (const token of page) {
      assert.match(token, /^[A-Za-z0-9_-]+$/);
      assert.equal(token.length, characters);
      const bytes = Buffer.from(token, "base64url");
      assert.equal(bytes.toString("base64url"), token);
      assert.deepEqual([...bytes.subarray(0, 3)], [2, 0x53, kind]);
      shared.add(bytes.toString("hex", 3, 19));
      assert.equal(
        response.open(scope, token),
        page.indexOf(token) === 2 ? 2_047 : page.indexOf(token),
      );
    }
    const rests = page.map((token) => Buffer.from(token, "base64url").toString("hex", 19));
    assert.equal(new Set(rests.map((rest) => rest.slice(0, 8))).size, 3, "the rest is opaque");
  }
  assert.equal(shared.size, 1);
  const other = response.forResponse().mint(BLOCK, [0])[0] as string;
  assert.ok(!shared.has(Buffer.from(other, "base64url").toString("hex", 3, 19)));
});

test("AwsTokens opens each token of a page to its own block index", (t) => {
  const { tokens } = setUp();
  const indexes = fc.array(fc.nat(2 ** 32 - 1), { maxLength: 30 });
  const property = fc.property(indexes, fc.constantFrom(BLOCK, LIST, CHANGED), (all, scope) => {
    const opened = tokens.mint(scope, all).map((token) => tokens.open(scope, token));
    assert.deepEqual(opened, all);
  });
  fc.assert(property, propertyRuns(t, 50));
});

test("AwsTokens and Tokens open each other's tokens, of the same store only", () => {
  const { tokens, plain } = setUp();
  const elsewhere = setUp({ secret: 2 });
  const kinds = ["block", "listPage", "changedPage", "digestPage"] as const;
  for (const kind of kinds) {
    const scope = { kind, snapshotIds: ["snap-1"] };
    for (const [minter, opener] of [
      [tokens, plain],
      [plain, tokens],
    ] as const) {
      const [token] = minter.mint(scope, [5]) as [string];
      assert.equal(opener.open(scope, token), 5, kind);
      assert.equal(elsewhere.plain.open(scope, token), undefined);
      assert.equal(elsewhere.tokens.open(scope, token), undefined);
    }
  }
  // AWS has no listing of digests, so there is no form to take from it.
  assert.match(tokens.mint({ kind: "digestPage", snapshotIds: [] }, [1])[0] ?? "", /^.{48}$/);
});

test("AwsTokens opens a token only for the very scope it was minted for", () => {
  const { tokens } = setUp();
  const lists = [["snap-1"], ["snap-2"], ["snap-1", "snap-2"], ["snap-2", "snap-1"], []];
  const kinds = ["block", "listPage", "changedPage"] as const;
  const scopes = kinds.flatMap((kind) => lists.map((snapshotIds) => ({ kind, snapshotIds })));
  for (const scope of scopes) {
    const isBlock = scope.kind === "block";
    // There are no block tokens of no snapshot, whose end would be none.
    if (isBlock && scope.snapshotIds.length === 0) continue;
    const [token] = tokens.mint(scope, [5]) as [string];
    for (const other of scopes) {
      assert.equal(tokens.open(other, token), scope === other ? 5 : undefined);
    }
  }
});

test("AwsTokens opens none of 20,000 mutated tokens", (t) => {
  const fraction = seededFraction(printSeed(t));
  const { tokens } = setUp();
  for (const [scope] of FORMS) {
    const page = tokens.mint(scope, [...Array(100).keys()]);
    for (let i = 0; i < 20_000 / FORMS.length; i++) {
      const mutated = mutate(
        page[i % 100] as string,
        page[pick(fraction, 100)] as string,
        fraction,
      );
      if (page.includes(mutated)) continue;
      assert.equal(tokens.open(scope, mutated), undefined, mutated);
    }
  }
});

/** Changes bits or the length of a token, or takes a part of another one. */
function mutate(token: string, other: string, fraction: () => number): string {
  const bytes = Buffer.from(token, "base64url");
  const at = pick(fraction, bytes.length);
  switch (pick(fraction, 4)) {
    case 0:
      bytes[at] = (bytes[at] as number) ^ (1 << pick(fraction, 8));
      return bytes.toString("base64url");
    case 1:
      return bytes.subarray(0, at).toString("base64url");
    case 2:
      Buffer.from(other, "base64url").copy(bytes, at, at);
      return bytes.toString("base64url");
    default:
      return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
  }
}

test("AwsTokens refuses every other spelling of a token", () => {
  const { tokens } = setUp();
  for (const [scope] of FORMS) {
    const [token] = tokens.mint(scope, [5]) as [string];
    // The last character has bits that mean nothing: only one spelling of them counts.
    const last = token.at(-1) as string;
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const next = alphabet[alphabet.indexOf(last) + 1] as string;
    for (const text of [`${token}=`, ` ${token}`, `${token}A`, token.slice(0, -1) + next]) {
      assert.equal(tokens.open(scope, text), undefined, text);
    }
  }
});

test("ExpiryTime is now and whole minutes, which count down to one instant of a snapshot", (t) => {
  const time = { nowMs: 1_700_000_000_123 };
  const { tokens } = setUp(time);
  const fraction = seededFraction(printSeed(t));
  for (let i = 0; i < 200; i++) {
    const ids = [`snap-${i}`];
    time.nowMs += pick(fraction, HOUR_MS);
    const before = tokens.blockTokenExpiryMs(ids);
    const aheadMs = before - time.nowMs;
    assert.equal(aheadMs % MINUTE_MS, 0);
    assert.ok(aheadMs >= 150.1 * HOUR_MS && aheadMs <= 172.3 * HOUR_MS, `${aheadMs / HOUR_MS} h`);
    time.nowMs += 2 * MINUTE_MS;
    const after = tokens.blockTokenExpiryMs(ids);
    // The instant is the same, or the next one, 22 hours further on.
    assert.equal((after - before) % (22 * HOUR_MS), 0);
  }
  const pair = tokens.blockTokenExpiryMs(["snap-1", "snap-2"]);
  const both = [["snap-1"], ["snap-2"]].map((ids) => tokens.blockTokenExpiryMs(ids));
  assert.equal(pair, Math.min(...both), "a comparison promises what both tokens keep");
});

test("AwsTokens opens a token until ExpiryTime, a page token for an hour, and no longer", () => {
  const time = { nowMs: 1_700_000_000_123 };
  const { tokens, plain } = setUp(time);
  for (const [scope] of FORMS) {
    const startMs = time.nowMs;
    const endMs =
      scope.kind === "block"
        ? tokens.blockTokenExpiryMs(scope.snapshotIds)
        : startMs + PAGE_TOKEN_LIFETIME_SECONDS * 1_000;
    const [token] = tokens.mint(scope, [5]) as [string];
    time.nowMs = endMs - 1;
    assert.deepEqual([tokens.open(scope, token), plain.open(scope, token)], [5, 5]);
    time.nowMs = endMs + 1_000;
    assert.deepEqual([tokens.open(scope, token), plain.open(scope, token)], [undefined, undefined]);
    time.nowMs = startMs;
  }
});

const fives = { bytes: (length: number) => new Uint8Array(length).fill(5), fraction: () => 0 };

function setUp(options: { nowMs?: number; secret?: number; random?: typeof systemRandom } = {}) {
  const clock: Clock = { ...systemClock, nowMs: () => options.nowMs ?? 1_700_000_000_000 };
  const secrets = oneSecret(options.secret ?? 9);
  const random = options.random ?? systemRandom;
  return {
    tokens: new AwsTokens(secrets, clock, random),
    plain: new Tokens(secrets, clock, random),
  };
}

test("AwsTokens opens those of older secrets for their time, and of either form", () => {
  const secrets = rotatingSecrets();
  const time = { nowMs: 1_700_000_000_000 };
  const startMs = time.nowMs;
  const clock: Clock = { ...systemClock, nowMs: () => time.nowMs };
  const tokens = new AwsTokens(secrets, clock, systemRandom);
  const plain = new Tokens(secrets, clock, systemRandom);
  const response = tokens.forResponse();
  const old = [response, plain].map((each) => each.mint(BLOCK, [3])[0] as string);
  const [oldPage] = tokens.mint(CHANGED, [5]) as [string];
  const laterMs = startMs + 365 * 24 * HOUR_MS;
  const later = { ...systemClock, nowMs: () => laterMs };
  const thief = new AwsTokens({ secrets: [...secrets.secrets] }, later, systemRandom);
  const forged = [BLOCK, CHANGED].map((scope) => thief.mint(scope, [5])[0] as string);
  secrets.rotate(startMs);
  secrets.rotate(startMs + 1);
  // What a response began under the old secret mints goes on with the newest.
  const [young] = response.mint(BLOCK, [4]) as [string];
  for (const each of [tokens, plain]) {
    assert.deepEqual(
      [...old, young].map((token) => each.open(BLOCK, token)),
      [3, 3, 4],
    );
    assert.equal(each.open(CHANGED, oldPage), 5);
  }
  time.nowMs = startMs + PAGE_TOKEN_LIFETIME_SECONDS * 1_000 + 1_000;
  assert.equal(tokens.open(CHANGED, forged[1] as string), undefined);
  assert.equal(tokens.open(BLOCK, old[0] as string), 3);
  time.nowMs = startMs + AWS_EXPIRY_MINUTES_MAX * MINUTE_MS + 1_000;
  for (const token of [...old, forged[0] as string]) {
    assert.equal(tokens.open(BLOCK, token), undefined);
  }
});
