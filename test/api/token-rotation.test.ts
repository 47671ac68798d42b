import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { MIGRATIONS } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { SessionTokens } from "../../src/identity/session-tokens.ts";
import {
  AWS_EXPIRY_MINUTES_MAX,
  MS_PER_DAY,
  MS_PER_HOUR,
  TOKEN_SECRETS_COUNT_MAX,
} from "../../src/model/limits.ts";
import type { Service } from "../../src/service.ts";
import { Tokens } from "../../src/snapshots/tokens/tokens.ts";
import { admin, newAccount, withNewKey } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { blockToken, getParts, listParts, send, snapshotOf } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { oneSecret } from "../support/secrets.ts";
import { startService } from "../support/service.ts";
import { withSession } from "../support/sessions.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";

/* The secrets that mint tokens are replaced: by hand, by age, and to end all tokens at once. */

/** Version of the catalog before secrets knew when they were made. */
const VERSION_BEFORE = 9;

async function openFixture(t: Cleanup, emulation = {}) {
  const clock = new MovingClock();
  const dataDirectory = await temporaryDirectory(t);
  const open = async () => {
    return { ...(await startService(t, { dataDirectory, clock, emulation })), clock };
  };
  const service = await open();
  const snapshot = await snapshotOf(service, new Map([[3, blockContents(1)]]));
  return { service, clock, snapshot, open };
}

function rotate(target: Target, input: object = {}) {
  return admin(target, ["POST", "/token-secrets"], input);
}

for (const emulation of [{}, { aws: true, lagSeconds: 0 }]) {
  const name = "aws" in emulation ? "AWS's form" : "our own form";
  test(`tokens of ${name} and sessions outlast a rotation and a restart`, async (t) => {
    const { service, clock, snapshot, open } = await openFixture(t, emulation);
    const token = await blockToken(service, snapshot, 3);
    const session = await withSession(service, "GetSessionToken");
    const statusesOf = async (target: Target) => {
      const firstKey = session.firstKey;
      const asked = [
        send(target, getParts(snapshot, 3, token)),
        send({ ...target, firstKey }, listParts(snapshot)),
      ];
      return (await Promise.all(asked)).map(({ status }) => status);
    };
    const rotated = await rotate(service);
    const { CreateDate, Revoked } = rotated.json;
    assert.deepEqual([rotated.status, Revoked], [200, false]);
    assert.ok(Math.abs(Date.parse(String(CreateDate)) - clock.nowMs()) < 60_000);
    assert.deepEqual(await statusesOf(service), [200, 200]);
    const young = await blockToken(service, snapshot, 3);
    await service.close();
    const again = await open();
    assert.deepEqual(await statusesOf(again), [200, 200]);
    assert.equal((await send(again, getParts(snapshot, 3, young))).status, 200);
    const revoked = await rotate(again, { Revoke: true });
    assert.deepEqual([revoked.status, revoked.json["Revoked"]], [200, true]);
    assert.deepEqual(await statusesOf(again), [400, 403]);
    assert.equal((await send(again, getParts(snapshot, 3, young))).status, 400);
    const newest = await blockToken(again, snapshot, 3);
    assert.equal((await send(again, getParts(snapshot, 3, newest))).status, 200);
  });
}

test("tokens and sessions from before secrets knew their age outlast an upgrade", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const [secrets, sessionSecrets] = [oneSecret(), oneSecret()];
  const database = new DatabaseSync(join(dataDirectory, "catalog.sqlite"));
  for (const migration of MIGRATIONS.slice(0, VERSION_BEFORE)) database.exec(migration);
  const insert = database.prepare("INSERT INTO meta (name, value) VALUES (?, ?)");
  insert.run("token-secret", secrets.secrets[0]?.value ?? null);
  insert.run("session-secret", sessionSecrets.secrets[0]?.value ?? null);
  database.exec(`PRAGMA user_version = ${VERSION_BEFORE}`);
  database.close();
  const upgraded = await startService(t, { dataDirectory });
  const snapshot = await snapshotOf(upgraded, new Map([[3, blockContents(1)]]));
  // What the first secrets mint is as it always was.
  const tokens = new Tokens(secrets, systemClock, systemRandom);
  const [token] = tokens.mint({ kind: "block", snapshotIds: [snapshot] }, [3]) as [string];
  const parts = { clock: systemClock, random: systemRandom };
  const { account, accessKeyId: parentAccessKeyId } = upgraded.firstKey.key;
  const session = new SessionTokens(sessionSecrets, parts).mint({
    ...{ parentAccessKeyId, account, kind: "user", name: "", policies: [], durationSeconds: 900 },
  });
  assert.ok(session);
  for (let i = 0; i < 2; i++) {
    assert.equal((await send(upgraded, getParts(snapshot, 3, token))).status, 200);
    const asSession: Target = { ...upgraded, firstKey: { key: session } };
    assert.equal((await send(asSession, listParts(snapshot))).status, 200);
    // Their age is not known, so they are replaced at the first look.
    await upgraded.core.tokenSecrets.rotateDue(90);
    assert.equal(upgraded.core.tokenSecrets.tokens.secrets.length, 2);
  }
});

test("RotateTokenSecrets says what is wrong, and who may", async (t) => {
  const { service } = await openFixture(t);
  for (const Revoke of ["true", 1, {}]) {
    const { status, json } = await rotate(service, { Revoke });
    assert.deepEqual([status, json["message"]], [400, "Revoke is neither true nor false"]);
  }
  const stranger = await withNewKey(service, { account: await newAccount(service) });
  assert.equal((await rotate(stranger)).status, 403);
  assert.equal((await rotate(service, { Revoke: null })).status, 200);
  for (let i = 2; i < TOKEN_SECRETS_COUNT_MAX; i++) {
    assert.equal((await rotate(service)).status, 200);
  }
  const { status, json } = await rotate(service);
  assert.equal(status, 409);
  assert.match(String(json["message"]), /^There are 16 secrets that open tokens, the most/);
  assert.equal((await rotate(service, { Revoke: true })).status, 200);
});

/** A clock by which an hour's sleep is over in a tenth of a second. */
class HastyClock extends MovingClock {
  override sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return super.sleep(durationMs < MS_PER_HOUR ? durationMs : 2_000, signal);
  }
}

test("a service replaces its secrets by age, and drops what opens nothing more", async (t) => {
  const clock = new HastyClock();
  const service = { ...(await startService(t, { clock, collectMinutes: 0 })), clock };
  const never = await startService(t, { clock, collectMinutes: 0, tokenSecretDays: 0 });
  const snapshot = await snapshotOf(service, new Map([[3, blockContents(1)]]));
  const numbersOf = ({ core }: Service) => core.tokenSecrets.tokens.secrets.map((s) => s.number);
  const become = async (numbers: readonly number[]) => {
    for (let i = 0; i < 200 && !isDeepStrictEqual(numbersOf(service), numbers); i++) {
      await systemClock.sleep(50);
    }
    assert.deepEqual(numbersOf(service), numbers);
  };
  await become([0]);
  clock.advance(89 * MS_PER_DAY);
  const token = await blockToken(service, snapshot, 3);
  clock.advance(MS_PER_DAY);
  await become([0, 1]);
  const young = await blockToken(service, snapshot, 3);
  const statusOf = async (each: string) =>
    (await send(service, getParts(snapshot, 3, each))).status;
  assert.deepEqual(await Promise.all([token, young].map(statusOf)), [200, 200]);
  clock.advance(AWS_EXPIRY_MINUTES_MAX * 60_000 + 2_000);
  await become([1]);
  assert.deepEqual(numbersOf(never), [0]);
});

test("a number of days that makes no sense is refused before anything listens", async (t) => {
  for (const tokenSecretDays of [-1, 3_651, Number.NaN]) {
    const told = {
      name: "RangeError",
      message: `tokenSecretDays is ${tokenSecretDays}, not 0 to 3650`,
    };
    await assert.rejects(startService(t, { tokenSecretDays }), told);
  }
});
