import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type MigrationConfig, migrate } from "../../src/migrate-store.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import type { Image } from "../../src/model/image.ts";
import { rebuildStore } from "../../src/rebuild-store.ts";
import { openService, type ScaledStore, type Service } from "../../src/service.ts";
import { postgresDatabase, query } from "../support/postgres.ts";
import {
  SCALED_KEY as keyEncryptionKey,
  scaledStore,
  whyNoScaledStore,
} from "../support/scaled-store.ts";
import { REGION } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { checkAll, complete, completed, put, started, type Written } from "./_stores.ts";

const skip = whyNoScaledStore();

test("the bucket alone brings a store back", { skip }, async (t) => {
  const scaled = await scaledStore();
  const service = await open(t, { scaled });
  const written = await history(service);
  const [known] = await everything(service);
  await service.close();

  const empty = { ...scaled, catalog: { connectionString: await postgresDatabase(t) } };
  await assert.rejects(open(t, { scaled: empty }), /empty, but s3:.* holds the store of account/);
  const rebuilt = await rebuildStore({ dataDirectory: "", scaled: empty, keyEncryptionKey });
  assert.deepEqual([rebuilt.incomplete, rebuilt.unreadable], [[], []]);
  assert.equal(rebuilt.snapshotCount, written.size);
  await assert.rejects(
    rebuildStore({ dataDirectory: "", scaled: empty, keyEncryptionKey }),
    /The catalog is not empty/,
  );
  const again = await open(t, { scaled: empty });
  assert.deepEqual((await everything(again))[0], known);
  assert.deepEqual(again.firstKey.key.account, service.firstKey.key.account);
  await checkAll(again, written);
  // Numbers of segments go on where the store had come to: nothing is written over.
  await completed(again, written, { seeds: ["after the rebuild"] });
  await checkAll(again, written);
  await again.close();
});

test("a store goes into the engines and back, with all it has", { skip }, async (t) => {
  const folder = await temporaryDirectory(t);
  const first = await open(t, { dataDirectory: folder });
  const written = await history(first);
  const pending = await started(first);
  await put(first, pending, { blockIndex: 3, seed: "pending" });
  const [known] = await everything(first);
  await first.close();

  const scaled = await scaledStore();
  const out = { dataDirectory: folder, scaled, keyEncryptionKey, direction: "out" } as const;
  await interrupted(out, 5);
  const gone = await migrate(out);
  assert.ok(gone.knownCount >= 4, "what an interrupted run brought over stays");
  assertWhole(gone, written.size);
  const served = await open(t, { scaled });
  assert.deepEqual((await everything(served))[0], known);
  await checkAll(served, written);
  await put(served, pending, { blockIndex: 4, seed: "after the move" });
  await complete(served, pending, 2);
  written.set(
    pending,
    new Map([
      [3, "pending"],
      [4, "after the move"],
    ]),
  );
  await completed(served, written, { seeds: ["new there"] });
  const [knownThere] = await everything(served);
  await served.close();

  const back = await temporaryDirectory(t);
  const home = await migrate({ ...out, dataDirectory: back, direction: "in" });
  assertWhole(home, written.size);
  const last = await open(t, { dataDirectory: back });
  assert.deepEqual((await everything(last))[0], knownThere);
  await checkAll(last, written);
  await last.close();
});

test("reads go on at a folder that is migrated, and changes are refused", { skip }, async (t) => {
  const folder = await temporaryDirectory(t);
  const first = await open(t, { dataDirectory: folder });
  const written = await history(first);
  await first.close();
  const scaled = await scaledStore();
  const seen: Promise<void>[] = [];
  const migrated = await migrate({
    ...{ dataDirectory: folder, scaled, keyEncryptionKey, direction: "out" },
    serve: { host: "127.0.0.1", port: 0, region: REGION },
    onServing(service) {
      seen.push(checkAll(service, written));
      const refused = assert.rejects(started(service), { name: "InternalServerException" });
      seen.push(refused.then(() => undefined));
      seen.push(
        fetch(`${service.endpoint}/readyz`).then(({ status }) => assert.equal(status, 200)),
      );
    },
  });
  assert.equal(seen.length, 3);
  await Promise.all(seen);
  assertWhole(migrated, written.size);
});

test("what changes at the source meanwhile is told, and comes with the next run", {
  skip,
}, async (t) => {
  const scaled = await scaledStore();
  const service = await open(t, { scaled });
  const written = await history(service);
  const { images } = service.core.catalog;
  const image = imageOf(service);
  await images.add(image);
  const back = await temporaryDirectory(t);
  const home = { dataDirectory: back, scaled, keyEncryptionKey, direction: "in" } as const;
  let isChanged = false;
  const during = await migrate({
    ...home,
    onProgress() {
      if (isChanged) return;
      isChanged = true;
      // The catalog of the source says something else from here on.
      void service.core.catalog.settings.put(service.firstKey.key.account, "late", "x");
    },
  });
  assert.equal(during.outcome, "changed");
  // Another image takes the name over.
  await images.delete(image.id);
  await images.add({ ...image, id: "ami-02" });
  const [doomed] = written.keys();
  await service.core.catalog.snapshots.delete(doomed as SnapshotId, {
    nowMs: Date.now(),
    binnedUntilMs: undefined,
  });
  written.delete(doomed as SnapshotId);
  await service.core.journaler.flush();
  const then = await migrate(home);
  assertWhole(then, written.size);
  assert.ok(then.knownCount > 0);
});

test("a folder without a store is refused, named, and left as it is", { skip }, async (t) => {
  const folder = await temporaryDirectory(t);
  const scaled = await scaledStore();
  const config = { scaled, keyEncryptionKey, direction: "out" } as const;
  const missing = join(folder, "mistyped");
  await assert.rejects(
    migrate({ ...config, dataDirectory: missing }),
    new RegExp(`no store in ${missing}: no such folder`),
  );
  await assert.rejects(
    migrate({ ...config, dataDirectory: folder }),
    new RegExp(`no store in ${folder}: no catalog.sqlite`),
  );
  assert.deepEqual(await readdir(folder), []);
});

test("a catalog older than its bucket is refused: what came since would be removed", {
  skip,
}, async (t) => {
  const scaled = await scaledStore();
  const first = await open(t, { scaled });
  const written = await history(first);
  await first.close();
  // As a backup of the database from before the last segment has it.
  const { connectionString } = scaled.catalog;
  const [latest] = await query(connectionString, "SELECT max(segment) AS segment FROM locations");
  const number = Number(latest?.["segment"]);
  await query(connectionString, `UPDATE segment_numbers SET next = ${number}`);
  const told = new RegExp(
    `older than what s3://.* holds: it knows nothing of segment ${number}\\.`,
  );
  await assert.rejects(open(t, { scaled }), told);

  const empty = { ...scaled, catalog: { connectionString: await postgresDatabase(t) } };
  const rebuilt = await rebuildStore({ dataDirectory: "", scaled: empty, keyEncryptionKey });
  assert.deepEqual([rebuilt.incomplete, rebuilt.unreadable], [[], []]);
  await checkAll(await open(t, { scaled: empty }), written);
});

test("two stores are never mixed", { skip }, async (t) => {
  const scaled = await scaledStore();
  await (await open(t, { scaled })).close();
  const folder = await temporaryDirectory(t);
  await (await open(t, { dataDirectory: folder })).close();
  const out = { dataDirectory: folder, scaled, keyEncryptionKey, direction: "out" } as const;
  await assert.rejects(migrate(out), /holds the store of account/);
  await assert.rejects(migrate({ ...out, direction: "in" }), /The target holds account/);
  const other = await scaledStore();
  await assert.rejects(
    open(t, { scaled: { ...other, bucket: scaled.bucket } }),
    /The catalog is empty, but s3:/,
  );
  await assert.rejects(open(t, { scaled: { ...scaled, catalog: other.catalog } }), /empty, but s3/);
  await assert.rejects(
    migrate({ ...out, scaled: other, dataDirectory: `${folder}/none` }),
    /There is no store/,
  );
});

/** Snapshots of every kind: with a parent, under a key, and an account's settings. */
async function history(service: Service): Promise<Written> {
  const written: Written = new Map();
  const { core, firstKey } = service;
  const parent = await completed(service, written, { seeds: ["a", "b", "c"] });
  await completed(service, written, { parentSnapshotId: parent, seeds: ["a", "d"] });
  const { account } = firstKey.key;
  const key = await core.keys.create(account, "of a test");
  const kmsKeyArn = `arn:aws:kms:${core.region}:${account}:key/${key.id}`;
  await completed(service, written, { kmsKeyArn, seeds: ["a", "secret"] });
  await core.catalog.settings.put(account, "a-setting", "its value");
  await core.journaler.flush();
  return written;
}

/** An image that holds no snapshot. */
function imageOf({ firstKey }: Service): Image {
  const { account } = firstKey.key;
  const image = { id: "ami-01", account, name: "web", description: "", creationTimeMs: 0 };
  const rest = { rootDeviceName: "/dev/xvda", devices: [], settings: {}, tags: [], grantees: [] };
  return { ...image, ...rest };
}

/** All that a catalog knows beside blocks, and the ids of snapshots under way. */
async function everything({ core }: Service) {
  const things = [...(await core.catalog.journal.all())].sort();
  const parsed = things.map(([key, value]) => [key, JSON.parse(value) as unknown] as const);
  return [Object.fromEntries(parsed), await core.catalog.snapshots.inState("pending")] as const;
}

function assertWhole(migrated: Awaited<ReturnType<typeof migrate>>, snapshotCount: number): void {
  const { outcome, incomplete, damaged, leftBehind } = migrated;
  assert.deepEqual([incomplete, damaged, leftBehind], [[], [], []]);
  assert.equal(outcome, "done");
  assert.equal(migrated.snapshotCount, snapshotCount);
}

/** A migration that ends with an error after so many records. */
async function interrupted(config: MigrationConfig, recordCount: number): Promise<void> {
  const onProgress: MigrationConfig["onProgress"] = (progress) => {
    if (progress.recordCount >= recordCount) throw new Error("interrupted");
  };
  await assert.rejects(migrate({ ...config, onProgress }), /interrupted/);
}

async function open(
  t: TestContext,
  store: { readonly scaled: ScaledStore } | { readonly dataDirectory: string },
): Promise<Service> {
  const service = await openService({
    ...{ host: "127.0.0.1", port: 0, region: REGION, keyEncryptionKey, collectMinutes: 0 },
    log: () => undefined,
    ...store,
  });
  t.after(() => service.close());
  return service;
}
