import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { printSeed, propertyRuns, seededFraction } from "../../../test/support/property.ts";
import { oneSecret, rotatingSecrets, SECRET_BYTES } from "../../../test/support/secrets.ts";
import { mutateToken } from "../../../test/support/token-mutations.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { BLOCK_TOKEN_LIFETIME_SECONDS, PAGE_TOKEN_LIFETIME_SECONDS } from "../../model/limits.ts";
import type { StoreSecret } from "../../model/store-secret.ts";
import { type TokenScope, Tokens } from "./tokens.ts";

const BLOCK: TokenScope = { kind: "block", snapshotIds: ["snap-1"] };
const LIST: TokenScope = { kind: "listPage", snapshotIds: ["snap-1"] };
const KINDS = ["block", "listPage", "changedPage", "digestPage"] as const;

test("Tokens lays a token out as documented, byte for byte", () => {
  const { tokens } = setUp();
  const scope = { kind: "block", snapshotIds: ["snap-1"] } as const;
  const [token] = tokens.mint(scope, [7]) as [string];
  const bytes = Buffer.from(token, "base64");
  const expiry = (1_700_000_000 + BLOCK_TOKEN_LIFETIME_SECONDS).toString(16);
  const head = `01010000${expiry}${"05".repeat(8)}00000007`;
  assert.equal(bytes.toString("hex"), `${head}${GOLDEN_TAG}`);
});

/** AES-256 of the block index 7 under the derived key; calculated apart from this code. */
const GOLDEN_TAG = "dcd1a24fdb62a1049b05746de09d3c1c";

test("Tokens opens each token of a page to its own block index", async (t) => {
  const { tokens } = setUp();
  const indexes = fc.array(fc.nat(2 ** 31 - 1), { maxLength: 30 });
  const property = fc.property(indexes, fc.constantFrom(...KINDS), (blockIndexes, kind) => {
    const scope = { kind, snapshotIds: ["snap-1", "snap-2"] };
    const page = tokens.mint(scope, blockIndexes);
    for (const token of page) assert.match(token, /^[A-Za-z0-9+/]{48}$/);
    assert.deepEqual(
      page.map((token) => tokens.open(scope, token)),
      blockIndexes,
    );
  });
  fc.assert(property, propertyRuns(t, 50));
});

test("Tokens mints a page of 10,000 different tokens", () => {
  const { tokens } = setUp({ random: systemRandom });
  const page = tokens.mint(BLOCK, [...Array(10_000).keys()]);
  assert.equal(new Set(page).size, 10_000);
  assert.equal(tokens.open(BLOCK, page[9_999] as string), 9_999);
  assert.notEqual(tokens.mint(BLOCK, [0])[0], page[0], "each page has a salt of its own");
  assert.deepEqual(tokens.mint(BLOCK, []), []);
});

test("Tokens opens a token only for the very scope it was minted for", () => {
  const { tokens } = setUp();
  const scopes: TokenScope[] = KINDS.flatMap((kind) =>
    [
      ["snap-1"],
      ["snap-2"],
      ["snap-1", "snap-2"],
      ["snap-2", "snap-1"],
      ['snap-1","snap-2'],
      ["snap-1snap-2"],
      [],
    ].map((snapshotIds) => ({ kind, snapshotIds })),
  );
  for (const scope of scopes) {
    const [token] = tokens.mint(scope, [5]) as [string];
    for (const other of scopes) {
      assert.equal(tokens.open(other, token), scope === other ? 5 : undefined);
    }
  }
});

test("Tokens opens no token of another store", () => {
  const [token] = setUp({ secret: 1 }).tokens.mint(BLOCK, [5]) as [string];
  assert.equal(setUp({ secret: 2 }).tokens.open(BLOCK, token), undefined);
  assert.equal(setUp({ secret: 1 }).tokens.open(BLOCK, token), 5);
});

for (const { kind, seconds } of [
  { kind: "block", seconds: BLOCK_TOKEN_LIFETIME_SECONDS },
  { kind: "listPage", seconds: PAGE_TOKEN_LIFETIME_SECONDS },
  { kind: "changedPage", seconds: PAGE_TOKEN_LIFETIME_SECONDS },
] as const) {
  test(`Tokens opens a ${kind} token for ${seconds} seconds and no longer`, () => {
    const time = { nowMs: 1_700_000_000_000 };
    const { tokens } = setUp(time);
    const scope = { kind, snapshotIds: ["snap-1"] };
    const [token] = tokens.mint(scope, [5]) as [string];
    time.nowMs += seconds * 1_000 - 1;
    assert.equal(tokens.open(scope, token), 5);
    time.nowMs += 1;
    assert.equal(tokens.open(scope, token), undefined);
    // A clock that is turned back makes it good again: nothing is remembered.
    time.nowMs -= 1;
    assert.equal(tokens.open(scope, token), 5);
  });
}

test("Tokens.blockTokenExpiryMs promises no more time than a token minted now is good for", () => {
  const time = { nowMs: 1_700_000_000_999 };
  const { tokens } = setUp(time);
  const promised = tokens.blockTokenExpiryMs(BLOCK.snapshotIds);
  assert.equal(promised, time.nowMs + BLOCK_TOKEN_LIFETIME_SECONDS * 1_000);
  const [token] = tokens.mint(BLOCK, [5]) as [string];
  time.nowMs = promised - 1;
  assert.equal(tokens.open(BLOCK, token), 5);
});

test("Tokens accepts none of 100,000 mutated tokens", (t) => {
  const fraction = seededFraction(printSeed(t));
  const { tokens } = setUp({ random: systemRandom });
  const page = tokens.mint(BLOCK, [...Array(100).keys()]);
  for (let i = 0; i < 100_000; i++) {
    const token = page[i % 100] as string;
    const mutated = mutateToken(token, fraction);
    if (page.includes(mutated)) continue;
    assert.equal(tokens.open(BLOCK, mutated), undefined, `${token} became ${mutated}`);
  }
});

test("Tokens refuses texts that are no tokens, and every other spelling of one that is", () => {
  const { tokens } = setUp();
  const [token] = tokens.mint(BLOCK, [5]) as [string];
  const spellings = [`${token}=`, `${token}\n`, ` ${token}`, `${token}AAAA`, token.slice(4)];
  for (const text of ["", "=", "é".repeat(48), "A".repeat(48), "A".repeat(256), ...spellings]) {
    assert.equal(tokens.open(BLOCK, text), undefined, JSON.stringify(text));
  }
});

function setUp(options: { nowMs?: number; secret?: number; random?: typeof systemRandom } = {}) {
  const clock: Clock = { ...systemClock, nowMs: () => options.nowMs ?? 1_700_000_000_000 };
  const fives = { bytes: (length: number) => new Uint8Array(length).fill(5), fraction: () => 0 };
  const secrets = oneSecret(options.secret ?? 9);
  return { tokens: new Tokens(secrets, clock, options.random ?? fives) };
}

test("Tokens names its secret in each token, and opens those of older ones for their time", () => {
  const secrets = rotatingSecrets();
  const options = { nowMs: 1_700_000_000_000 };
  const startMs = options.nowMs;
  const clock: Clock = { ...systemClock, nowMs: () => options.nowMs };
  const tokens = new Tokens(secrets, clock, systemRandom);
  const numberIn = (token: string) => Buffer.from(token, "base64").readUInt16BE(2);
  const kinds = [
    [BLOCK, BLOCK_TOKEN_LIFETIME_SECONDS],
    [LIST, PAGE_TOKEN_LIFETIME_SECONDS],
  ] as const;
  const old = kinds.map(([scope]) => tokens.mint(scope, [3])[0] as string);
  // What somebody can mint who has stolen the secret, and has set a clock of theirs forward.
  const thief = new Tokens(
    { secrets: [...secrets.secrets] },
    { ...systemClock, nowMs: () => startMs + 365 * 86_400_000 },
    systemRandom,
  );
  const forged = kinds.map(([scope]) => thief.mint(scope, [3])[0] as string);
  secrets.rotate(startMs);
  for (const [i, [scope, lifetimeSeconds]] of kinds.entries()) {
    options.nowMs = startMs;
    const [young] = tokens.mint(scope, [4]) as [string];
    assert.deepEqual([numberIn(old[i] as string), numberIn(young)], [0, 1]);
    options.nowMs = startMs + lifetimeSeconds * 1_000 - 1;
    assert.equal(tokens.open(scope, old[i] as string), 3);
    assert.equal(tokens.open(scope, young), 4);
    // An expiry is rounded up to a whole second, and so is a secret's time.
    options.nowMs += 1_001;
    assert.equal(tokens.open(scope, old[i] as string), undefined);
    assert.equal(tokens.open(scope, forged[i] as string), undefined);
  }
});

test("Tokens of one secret are refused where they name another", () => {
  const secrets = rotatingSecrets();
  secrets.rotate(systemClock.nowMs());
  const tokens = new Tokens(secrets, systemClock, systemRandom);
  const [token] = tokens.mint(BLOCK, [3]) as [string];
  assert.equal(tokens.open(BLOCK, token), 3);
  for (const number of [0, 2, 0xffff]) {
    const bytes = Buffer.from(token, "base64");
    bytes.writeUInt16BE(number, 2);
    assert.equal(tokens.open(BLOCK, bytes.toString("base64")), undefined);
  }
});

test("Tokens goes on minting when a secret's number needs more than 16 bits", () => {
  const [secret] = oneSecret().secrets as [StoreSecret];
  const ring = { secrets: [{ ...secret, number: 0xffff }] };
  const tokens = new Tokens(ring, systemClock, systemRandom);
  const [before] = tokens.mint(BLOCK, [3]) as [string];
  const value = systemRandom.bytes(SECRET_BYTES);
  ring.secrets.push({ number: 0x10000, value, createdAtMs: systemClock.nowMs() });
  const [after] = tokens.mint(BLOCK, [4]) as [string];
  assert.deepEqual([tokens.open(BLOCK, before), tokens.open(BLOCK, after)], [3, 4]);
});
