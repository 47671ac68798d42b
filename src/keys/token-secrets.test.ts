import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { openSqliteCatalog } from "../catalog/sqlite/sqlite-catalog.ts";
import {
  BLOCK_TOKEN_LIFETIME_SECONDS_MAX,
  MS_PER_DAY,
  SESSION_DURATION_SECONDS_MAX,
  TOKEN_SECRET_DAYS_DEFAULT,
  TOKEN_SECRETS_COUNT_MAX,
} from "../model/limits.ts";
import { newestSecret, type SecretRing } from "../model/store-secret.ts";
import { TokenSecrets, TooManySecretsError } from "./token-secrets.ts";

test("TokenSecrets makes the first secrets once, of 32 random bytes each", async (t) => {
  const { secrets, reopen, time } = await setUp(t);
  for (const ring of [secrets.tokens, secrets.sessions]) {
    assert.deepEqual([numbersOf(ring), ring.secrets[0]?.createdAtMs], [[0], time.nowMs]);
    assert.equal(ring.secrets[0]?.value.length, 32);
  }
  assert.notDeepEqual(valuesOf(secrets.tokens), valuesOf(secrets.sessions));
  const again = await reopen();
  assert.deepEqual(valuesOf(again.tokens), valuesOf(secrets.tokens));
  assert.deepEqual(valuesOf(again.sessions), valuesOf(secrets.sessions));
});

test("TokenSecrets rotates both, also several times at once, and keeps that", async (t) => {
  const { secrets, reopen, time } = await setUp(t);
  time.nowMs += 5;
  const calls = [1, 2, 3].map(() => secrets.rotate({ revokes: false }));
  assert.deepEqual(await Promise.all(calls), [time.nowMs, time.nowMs, time.nowMs]);
  const again = await reopen();
  for (const use of ["tokens", "sessions"] as const) {
    assert.deepEqual(numbersOf(secrets[use]), [0, 1, 2, 3]);
    assert.equal(new Set(valuesOf(secrets[use])).size, 4);
    assert.deepEqual(valuesOf(again[use]), valuesOf(secrets[use]));
    assert.deepEqual(again[use].secrets.at(-1)?.createdAtMs, time.nowMs);
  }
});

test("TokenSecrets revokes: the new secrets are all there are, also after a restart", async (t) => {
  const { secrets, reopen } = await setUp(t);
  await secrets.rotate({ revokes: false });
  await secrets.rotate({ revokes: true });
  for (const each of [secrets, await reopen()]) {
    assert.deepEqual([numbersOf(each.tokens), numbersOf(each.sessions)], [[2], [2]]);
  }
});

test("TokenSecrets revokes what another process has added since it looked", async (t) => {
  const { secrets, table, reopen } = await setUp(t);
  const other = await TokenSecrets.open({ table, clock: systemClock, random: systemRandom });
  await other.rotate({ revokes: false });
  await secrets.rotate({ revokes: true });
  for (const each of [secrets, await reopen()]) {
    assert.deepEqual([numbersOf(each.tokens), numbersOf(each.sessions)], [[2], [2]]);
  }
});

test("TokenSecrets changes nothing when the catalog cannot keep the new secrets", async (t) => {
  const { secrets, table } = await setUp(t);
  const before = [...secrets.tokens.secrets];
  table.changeSecrets = () => Promise.reject(new Error("the disk is full"));
  await assert.rejects(secrets.rotate({ revokes: true }), /full/);
  assert.deepEqual(secrets.tokens.secrets, before);
});

test("TokenSecrets drops a secret when two looks find that it opens nothing more", async (t) => {
  const { secrets, reopen, time } = await setUp(t);
  await secrets.rotate({ revokes: false });
  const rotatedMs = time.nowMs;
  const look = async (nowMs: number) => {
    time.nowMs = nowMs;
    await secrets.dropExpired();
    return [numbersOf(secrets.tokens), numbersOf(secrets.sessions)];
  };
  const end = (seconds: number) => rotatedMs + seconds * 1_000 + 1_000;
  const [sessionEnd, tokenEnd] = [SESSION_DURATION_SECONDS_MAX, BLOCK_TOKEN_LIFETIME_SECONDS_MAX];
  assert.deepEqual(await look(end(sessionEnd) - 1), [
    [0, 1],
    [0, 1],
  ]);
  assert.deepEqual(await look(end(sessionEnd) - 1), [
    [0, 1],
    [0, 1],
  ]);
  // A clock that is years ahead for a moment ends nothing for good.
  assert.deepEqual(await look(end(tokenEnd) * 2), [
    [0, 1],
    [0, 1],
  ]);
  assert.deepEqual(await look(rotatedMs), [
    [0, 1],
    [0, 1],
  ]);
  assert.deepEqual(await look(end(sessionEnd)), [
    [0, 1],
    [0, 1],
  ]);
  assert.deepEqual(await look(end(sessionEnd) + 1), [[0, 1], [1]]);
  assert.deepEqual(await look(end(tokenEnd) - 1), [[0, 1], [1]]);
  assert.deepEqual(await look(end(tokenEnd)), [[0, 1], [1]]);
  assert.deepEqual(await look(end(tokenEnd)), [[1], [1]]);
  const again = await reopen();
  assert.deepEqual([numbersOf(again.tokens), numbersOf(again.sessions)], [[1], [1]]);
});

test("TokenSecrets rotates by age, also where the age cannot be right", async (t) => {
  const { secrets, time } = await setUp(t);
  const lookAfter = async (days: number) => {
    time.nowMs += days * MS_PER_DAY;
    await secrets.rotateDue(TOKEN_SECRET_DAYS_DEFAULT);
    return secrets.tokens.secrets.at(-1)?.number;
  };
  assert.equal(await lookAfter(TOKEN_SECRET_DAYS_DEFAULT - 0.01), 0);
  assert.equal(await lookAfter(0.01), 1);
  assert.equal(await lookAfter(1), 1);
  assert.equal(await lookAfter(-3_650), 2);
  assert.equal(await lookAfter(TOKEN_SECRET_DAYS_DEFAULT - 0.01), 2);
});

test("TokenSecrets refuses more secrets than may open tokens, unless it revokes", async (t) => {
  const { secrets, time } = await setUp(t);
  for (let i = 1; i < TOKEN_SECRETS_COUNT_MAX; i++) await secrets.rotate({ revokes: false });
  await assert.rejects(secrets.rotate({ revokes: false }), TooManySecretsError);
  assert.equal(secrets.tokens.secrets.length, TOKEN_SECRETS_COUNT_MAX);
  time.nowMs += BLOCK_TOKEN_LIFETIME_SECONDS_MAX * 1_000 + 1_000;
  await secrets.rotate({ revokes: false });
  await secrets.rotate({ revokes: true });
  assert.deepEqual(numbersOf(secrets.tokens), [TOKEN_SECRETS_COUNT_MAX + 1]);
});

test("TokenSecrets replaced every day never are too many", async (t) => {
  const { secrets, time } = await setUp(t);
  for (let day = 0; day < 60; day++) {
    time.nowMs += MS_PER_DAY;
    await secrets.dropExpired();
    await secrets.rotateDue(1);
  }
  assert.equal(secrets.tokens.secrets.at(-1)?.number, 60);
  assert.ok(secrets.tokens.secrets.length <= TOKEN_SECRETS_COUNT_MAX);
});

test("TokenSecrets of another process open what is minted anew before anything is", async (t) => {
  const { secrets, table, time } = await setUp(t);
  const clock = { ...systemClock, nowMs: () => time.nowMs };
  const parts = { table, clock, random: systemRandom, spreadMs: 5_000 };
  const [one, other] = [await TokenSecrets.open(parts), await TokenSecrets.open(parts)];
  assert.deepEqual(valuesOf(one.tokens), valuesOf(secrets.tokens), "all have the first ones");
  time.nowMs += 60_000;
  await one.rotate({ revokes: false });
  assert.equal(newestSecret(one.tokens).number, 0, "the other one may not know of the new one");
  const [first] = other.tokens.secrets;
  time.nowMs += 1_000;
  await other.refresh();
  assert.deepEqual(numbersOf(other.tokens), [0, 1], "it opens what is minted with either");
  assert.equal(other.tokens.secrets[0], first, "the same object for the same secret");
  time.nowMs += 4_000;
  for (const each of [one, other]) {
    await each.refresh();
    assert.equal(newestSecret(each.tokens).number, 1);
  }
  await one.rotate({ revokes: true });
  await other.refresh();
  assert.deepEqual(numbersOf(other.tokens), [2], "what was revoked is not opened");
  assert.equal(newestSecret(other.tokens).number, 2);
});

test("TokenSecrets of processes that start at once are the same", async (t) => {
  const { table, time } = await setUp(t);
  const clock = { ...systemClock, nowMs: () => time.nowMs };
  const forget = ["token-secret", "session-secret"].map((name) => ({ name, number: 0 }));
  await table.changeSecrets({ add: [], forget });
  const opening = [1, 2, 3].map(() => TokenSecrets.open({ table, clock, random: systemRandom }));
  const [one, ...others] = await Promise.all(opening);
  for (const other of others) {
    assert.deepEqual(valuesOf(other.tokens), valuesOf(one?.tokens as SecretRing));
  }
});

function numbersOf({ secrets }: SecretRing): number[] {
  return secrets.map(({ number }) => number);
}

function valuesOf({ secrets }: SecretRing): string[] {
  return secrets.map(({ value }) => Buffer.from(value).toString("hex"));
}

async function setUp(t: TestContext) {
  const path = join(await temporaryDirectory(t), "catalog.sqlite");
  const time = { nowMs: 1_700_000_000_000 };
  const clock = { ...systemClock, nowMs: () => time.nowMs };
  let catalog = openSqliteCatalog(path);
  t.after(() => catalog.close());
  const { identity } = catalog;
  const table = {
    secrets: (name: string) => identity.secrets(name),
    changeSecrets: (change: Parameters<typeof identity.changeSecrets>[0]) => {
      return identity.changeSecrets(change);
    },
  };
  const secrets = await TokenSecrets.open({ table, clock, random: systemRandom });
  const reopen = async () => {
    await catalog.close();
    catalog = openSqliteCatalog(path);
    return TokenSecrets.open({ table: catalog.identity, clock, random: systemRandom });
  };
  return { secrets, table, time, reopen };
}
