import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gate } from "../../test/support/fakes.ts";
import { MovingClock } from "../../test/support/moving-clock.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { openSqliteCatalog } from "../catalog/sqlite/sqlite-catalog.ts";
import type { EncryptionKey } from "../model/encryption-key.ts";
import { CorruptionError, KeyDestroyedError } from "../model/errors.ts";
import type { AccountId, EncryptionKeyId } from "../model/ids.ts";
import type { KeyEncryptionKey } from "./key-encryption-key.ts";
import { KeyRing, messageOfDestroyedKey } from "./key-ring.ts";
import { LocalKeyEncryptionKey } from "./local-key-encryption-key.ts";

const ACCOUNT = "111122223333" as AccountId;
const OTHER = "444455556666" as AccountId;
const [OLD, NEW, THIRD] = [1, 2, 3].map(
  (byte) => new LocalKeyEncryptionKey(Buffer.alloc(32, byte), systemRandom),
) as [LocalKeyEncryptionKey, LocalKeyEncryptionKey, LocalKeyEncryptionKey];

test("KeyRing makes keys whose secrets nobody else has, also after a restart", async (t) => {
  const { ring, restart } = await setUp(t);
  const [one, two] = [await ring.create(ACCOUNT, "one"), await ring.create(ACCOUNT, "two")];
  const [secret] = await ring.secretsOf(one.domain);
  assert.equal(secret?.length, 32);
  assert.notDeepEqual(await ring.secretsOf(two.domain), [secret]);
  assert.equal(await ring.secretsOf(one.domain), await ring.secretsOf(one.domain), "one array");
  assert.deepEqual(await restart(OLD).secretsOf(one.domain), [secret]);
});

test("KeyRing.madeFor makes one key for each account, however many ask at once", async (t) => {
  const { ring } = await setUp(t);
  const made = await Promise.all([1, 2, 3, 4].map(() => ring.madeFor(ACCOUNT)));
  assert.equal(new Set(made.map(({ id }) => id)).size, 1);
  assert.equal(made[0]?.manager, "service");
  assert.notEqual((await ring.madeFor(OTHER)).id, made[0]?.id);
});

test("KeyRing tells of a catalog that refuses a key and has none to find", async (t) => {
  const { restart, table } = await setUp(t);
  const damaged = Object.assign(Object.create(table) as typeof table, {
    add: async () => false,
    ofStore: async () => undefined,
    madeFor: async () => undefined,
  });
  const ring = restart(OLD, damaged);
  for (const attempt of [
    () => ring.storeDomain(ACCOUNT),
    () => ring.madeFor(ACCOUNT),
    () => ring.create(ACCOUNT, ""),
  ]) {
    await assert.rejects(attempt, CorruptionError);
  }
});

test("KeyRing.rotate adds a secret and keeps the ones before", async (t) => {
  const { ring, table } = await setUp(t);
  const key = await ring.create(ACCOUNT, "");
  const [first] = await ring.secretsOf(key.domain);
  assert.equal(await ring.rotate(key), true);
  const rotated = await ring.secretsOf(key.domain);
  assert.deepEqual([rotated.length, rotated[0]], [2, first]);
  assert.notDeepEqual(rotated[1], first);
  assert.equal(await ring.rotate(key), false, "changed since it was looked up");
  const current = (await table.get(key.id)) as EncryptionKey;
  const outcomes = await Promise.all([ring.rotate(current), ring.rotate(current)]);
  assert.deepEqual(outcomes.sort(), [false, true], "of two at once, one is told to try again");
  assert.equal((await ring.secretsOf(key.domain)).length, 3);
});

test("KeyRing.rotate while the secrets are being unwrapped is not overlooked", async (t) => {
  const { ring, kek, restart } = await setUp(t);
  const key = await ring.create(ACCOUNT, "");
  const slow = restart(kek);
  const { wait, open } = gate();
  kek.beforeUnwrap = wait;
  const earlier = slow.secretsOf(key.domain);
  await new Promise(setImmediate);
  const rotating = slow.rotate(key);
  await new Promise(setImmediate);
  open();
  assert.equal((await earlier).length, 1);
  assert.equal(await rotating, true);
  assert.equal((await slow.secretsOf(key.domain)).length, 2);
});

test("KeyRing.destroyDue destroys what is due and wipes it from the disk", async (t) => {
  const { ring, table, clock, directory } = await setUp(t);
  const [doomed, spared] = [await ring.create(ACCOUNT, ""), await ring.create(ACCOUNT, "")];
  await ring.rotate(doomed);
  const secrets = (await table.get(doomed.id))?.secrets ?? [];
  for (const key of [doomed, spared]) {
    const current = (await table.get(key.id)) as EncryptionKey;
    const deletionAtMs = clock.nowMs() + 1_000;
    await table.replace(current, { ...current, state: "pending-deletion", deletionAtMs });
  }
  await ring.destroyDue();
  assert.equal((await ring.secretsOf(doomed.domain)).length, 2, "not before its time");
  const saved = (await table.get(spared.id)) as EncryptionKey;
  await table.replace(saved, { ...saved, state: "disabled", deletionAtMs: undefined });
  clock.advance(2_000);
  await ring.destroyDue();
  const error = await ring.secretsOf(doomed.domain).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof KeyDestroyedError);
  assert.match(messageOfDestroyedKey(error), /key .* has been deleted/);
  assert.equal((await table.get(doomed.id))?.state, "destroyed");
  assert.equal((await ring.secretsOf(spared.domain)).length, 1);
  const files = await bytesOf(directory);
  for (const { sealed } of secrets) assert.ok(!files.includes(sealed), "nothing is left of it");
  assert.equal(secrets.length, 2);
});

test("messageOfDestroyedKey throws every other error on", () => {
  const error = new Error("the disk is full");
  assert.throws(() => messageOfDestroyedKey(error), error);
});

test("KeyRing.rewrap changes over to another key-encryption key and wipes the old", async (t) => {
  const { ring, restart, table, directory } = await setUp(t);
  const keys: EncryptionKey[] = [];
  for (let i = 0; i < 5; i++) keys.push(await ring.create(ACCOUNT, `key ${i}`));
  await ring.rotate(keys[0] as EncryptionKey);
  const before = await Promise.all(keys.map(({ domain }) => ring.secretsOf(domain)));
  const wrapped = await Promise.all(keys.map(async ({ id }) => (await table.get(id))?.secrets));
  const changed = restart(NEW);
  await changed.rewrap(OLD);
  const after = await Promise.all(keys.map(({ domain }) => changed.secretsOf(domain)));
  assert.deepEqual(after, before);
  assert.deepEqual(await table.notWrappedBy(NEW.id), []);
  const files = await bytesOf(directory);
  for (const { sealed } of wrapped.flatMap((secrets) => secrets ?? [])) {
    assert.ok(!files.includes(sealed), "the old key-encryption key opens nothing any more");
  }
  await changed.rewrap(undefined);
  const error = /is wrapped by the key-encryption key local:[0-9a-f]{16}, not by the one given/;
  await assert.rejects(restart(OLD).secretsOf(keys[0]?.domain as never), error);
});

test("KeyRing.rewrap that was interrupted goes on where it was", async (t) => {
  const { ring, restart, table } = await setUp(t);
  const keys: EncryptionKey[] = [];
  for (let i = 0; i < 4; i++) keys.push(await ring.create(ACCOUNT, ""));
  const before = await Promise.all(keys.map(({ domain }) => ring.secretsOf(domain)));
  let count = 0;
  const failing: KeyEncryptionKey = {
    id: NEW.id,
    unwrap: (sealed, context) => NEW.unwrap(sealed, context),
    wrap: async (secret, context) => {
      count += 1;
      if (count > 2) throw new Error("out of reach");
      return NEW.wrap(secret, context);
    },
  };
  await assert.rejects(restart(failing).rewrap(OLD), /out of reach/);
  assert.equal((await table.notWrappedBy(NEW.id)).length, 2);
  await assert.rejects(restart(NEW).rewrap(undefined), /not by the one given/);
  await assert.rejects(restart(NEW).rewrap(THIRD), /not by the one given/);
  const changed = restart(NEW);
  await changed.rewrap(OLD);
  const after = await Promise.all(keys.map(({ domain }) => changed.secretsOf(domain)));
  assert.deepEqual(after, before);
});

test("KeyRing refuses a secret that was moved to another key", async (t) => {
  const { ring, restart, table } = await setUp(t);
  const [mine, yours] = [await ring.create(ACCOUNT, ""), await ring.create(OTHER, "")];
  await table.replace(mine, { ...mine, secrets: yours.secrets });
  await assert.rejects(restart(OLD).secretsOf(mine.domain));
});

test("KeyRing tries again after secrets could not be had", async (t) => {
  const { ring, kek, restart } = await setUp(t);
  const key = await ring.create(ACCOUNT, "");
  const later = restart(kek);
  kek.beforeUnwrap = () => Promise.reject(new Error("out of reach"));
  await assert.rejects(later.secretsOf(key.domain), /out of reach/);
  kek.beforeUnwrap = async () => {};
  assert.equal((await later.secretsOf(key.domain)).length, 1);
});

test("EncryptionTable finds no key by an id that none has", async (t) => {
  const { table } = await setUp(t);
  assert.equal(await table.get("none" as EncryptionKeyId), undefined);
});

/** The old key-encryption key, which can be held up and made to fail. */
class SlowKeyEncryptionKey implements KeyEncryptionKey {
  readonly id = OLD.id;
  beforeUnwrap: () => Promise<void> = async () => {};

  wrap(secret: Uint8Array, context: string): Promise<string> {
    return OLD.wrap(secret, context);
  }

  async unwrap(sealed: string, context: string): Promise<Uint8Array> {
    await this.beforeUnwrap();
    return OLD.unwrap(sealed, context);
  }
}

test("KeyRing learns in time of a key that another process rotated or destroyed", async (t) => {
  const { ring, table } = await setUp(t);
  const time = { monotonicMs: 0 };
  const clock = { ...systemClock, monotonicMs: () => time.monotonicMs };
  const parts = { table, keyEncryptionKey: OLD, random: systemRandom, clock };
  const other = new KeyRing({ ...parts, recheckMs: 1_000 });
  const key = await ring.create(ACCOUNT, "shared");
  const before = await other.secretsOf(key.domain);
  await ring.rotate(key);
  assert.equal(await other.secretsOf(key.domain), before, "not asked again so soon");
  const fresh = await other.secretsOf(key.domain, true);
  assert.equal(fresh.length, 2, "who met the new secret asks at once");
  time.monotonicMs += 1_001;
  assert.equal(await other.secretsOf(key.domain), fresh, "the same array while nothing changed");
  const current = (await table.get(key.id)) as EncryptionKey;
  const destroyed = { state: "destroyed", secrets: [] } as const;
  await table.replace(current, { ...current, ...destroyed });
  time.monotonicMs += 1_001;
  await assert.rejects(other.secretsOf(key.domain), KeyDestroyedError);
});

async function setUp(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const catalog = openSqliteCatalog(join(directory, "catalog.sqlite"));
  t.after(() => catalog.close());
  for (const account of [ACCOUNT, OTHER]) await catalog.identity.addAccount(account);
  const clock = new MovingClock();
  const kek = new SlowKeyEncryptionKey();
  const table = catalog.encryption;
  const restart = (keyEncryptionKey: KeyEncryptionKey, table = catalog.encryption) =>
    new KeyRing({ table, keyEncryptionKey, random: systemRandom, clock });
  return { ring: restart(kek), restart, kek, table, clock, directory };
}

/** The catalog and its log as they lie on the disk. */
async function bytesOf(directory: string): Promise<string> {
  const names = ["catalog.sqlite", "catalog.sqlite-wal"];
  const files = await Promise.all(names.map((name) => readFile(join(directory, name), "latin1")));
  return files.join("");
}
