import assert from "node:assert/strict";
import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { readAt, segmentPath, storedRecords, writeAt } from "../../../test/support/damage.ts";
import { blockContents } from "../../../test/support/property.ts";
import { startService } from "../../../test/support/service.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { unreadable } from "../../../test/support/unreadable.ts";
import { systemClock } from "../../base/clock.ts";
import { LruCache } from "../../base/lru-cache.ts";
import { systemRandom } from "../../base/random.ts";
import { BlockStore } from "../../blocks/block-store.ts";
import { digestOf } from "../../blocks/hash.ts";
import { decodeEntry } from "../../blocks/journaler.ts";
import { RECORD_HEADER_BYTES, RECORD_KIND } from "../../blocks/record.ts";
import type { StoredRecord } from "../../catalog/integrity.ts";
import { openSqliteCatalog } from "../../catalog/sqlite/sqlite-catalog.ts";
import { ownKeyEncryptionKey } from "../../data-folder/key-file.ts";
import { KeyRing } from "../../keys/key-ring.ts";
import { openKeyEncryptionKey } from "../../keys/open-key-encryption-key.ts";
import { checksumOf } from "../../model/digest.ts";
import type { EncryptionKey } from "../../model/encryption-key.ts";
import type { AccountId, Domain, SnapshotId } from "../../model/ids.ts";
import type { Image } from "../../model/image.ts";
import { rebuildStore } from "../../rebuild-store.ts";
import { FileSegments } from "../../segments/file-segments.ts";
import type { Placement } from "../../segments/segment-store.ts";
import type { Service } from "../../service.ts";
import { BlockMaps } from "../../tree/block-map.ts";
import { completeSnapshot } from "../complete-snapshot.ts";
import { getSnapshotBlock } from "../get-snapshot-block.ts";
import { listSnapshotBlocks } from "../list-snapshot-blocks.ts";
import { putSnapshotBlock } from "../put-snapshot-block.ts";
import { startSnapshot } from "../start-snapshot.ts";
import { rebuildCatalog } from "./rebuild.ts";

const KEY_GONE = /The encryption key of domain k\w+ is gone: destroyed, or lost/;

test("a key destroyed takes its snapshots with it in a rebuild, and no others", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const { core, firstKey } = service;
  const key = await core.keys.create(firstKey.key.account, "soon gone");
  const open = await completed(service, undefined);
  const secret = await completed(service, key);
  const gone = { state: "destroyed", secrets: [], deletionAtMs: undefined } as const;
  assert.ok(await core.catalog.encryption.replace(key, { ...key, ...gone }));
  await service.close();
  const rebuilt = await rebuildWithoutCatalog(dataDirectory);
  assert.equal(rebuilt.snapshotCount, 2, "that it was there is known from the journal");
  assert.deepEqual(
    rebuilt.incomplete.map(({ snapshotId }) => snapshotId),
    [secret],
  );
  assert.match(rebuilt.incomplete[0]?.reason ?? "", KEY_GONE);
  assert.notEqual(open, secret);
});

test("a key that is in no journal yet keeps nothing else from being rebuilt", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const { core, firstKey } = service;
  // What a power cut right after the completion leaves: everything but the entry about the key.
  core.catalog.journal.changes = async () => [];
  const key = await core.keys.create(firstKey.key.account, "known to the catalog alone");
  const open = await completed(service, undefined);
  await completed(service, key);
  await service.close();
  const rebuilt = await rebuildWithoutCatalog(dataDirectory);
  assert.deepEqual([rebuilt.snapshotCount, rebuilt.incomplete], [1, []]);
  assert.equal(rebuilt.unreadable.length, 1, "the manifest of the other");
  assert.match(rebuilt.unreadable[0] ?? "", KEY_GONE);
  const again = await startService(t, { dataDirectory, collectMinutes: 0 });
  assert.equal((await again.core.catalog.snapshots.get(open))?.state, "completed");
});

test("what is torn under a whole header is not taken for stored after a rebuild", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  await completed(service, undefined);
  const before = (await blocksOf(service)).length;
  await pendingWith(service, 2);
  const torn = (await blocksOf(service)).at(-1);
  assert.ok(torn && before === 1, "the block of the pending snapshot lies last");
  await service.close();
  await wipe(service, torn);
  const rebuilt = await rebuildWithoutCatalog(dataDirectory);
  assert.deepEqual([rebuilt.damagedCount, rebuilt.incomplete], [1, []]);
  const again = await startService(t, { dataDirectory, collectMinutes: 0 });
  assert.equal((await again.core.catalog.blocks.damaged(10)).length, 1);
  const id = await completed(again, undefined, 2);
  assert.deepEqual(await readFirst(again, id), blockContents(2));
});

test("a rebuild finds the whole copy of a record that was stored twice", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const id = await completed(service, undefined);
  const [block] = await blocksOf(service);
  assert.ok(block);
  await service.close();
  // What a power cut leaves of a record that was being moved: its header, but not its bytes.
  const path = segmentPath(service, block.segment);
  await appendFile(path, await readAt(path, block.offset, RECORD_HEADER_BYTES));
  await appendFile(path, Buffer.alloc(block.length - RECORD_HEADER_BYTES));
  const rebuilt = await rebuildWithoutCatalog(dataDirectory);
  assert.deepEqual([rebuilt.damagedCount, rebuilt.incomplete], [1, []]);
  const again = await startService(t, { dataDirectory, collectMinutes: 0 });
  assert.deepEqual(await again.core.catalog.blocks.damaged(10), []);
  assert.deepEqual(await readFirst(again, id), blockContents(1));
});

test("a rebuild says which snapshots a damaged block is of", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const [hurt] = [await completed(service, undefined), await completed(service, undefined, 2)];
  const [block] = await blocksOf(service);
  assert.ok(block);
  await service.close();
  await wipe(service, block);
  const { incomplete } = await rebuildWithoutCatalog(dataDirectory);
  const reason = `block ${block.name} is damaged`;
  assert.deepEqual(incomplete, [{ snapshotId: hurt, reason }]);
});

test("a catalog that knows more stays, and is told of what a rebuild found damaged", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  await completed(service, undefined);
  const [block] = await blocksOf(service);
  assert.ok(block);
  await service.close();
  await wipe(service, block);
  const first = await rebuildStore({ dataDirectory });
  assert.deepEqual([first.outcome, first.damagedCount, first.notedCount], ["healthy", 1, 1]);
  assert.equal((await rebuildStore({ dataDirectory })).notedCount, 0, "known by now");
  const again = await startService(t, { dataDirectory, collectMinutes: 0 });
  const [known] = await again.core.catalog.blocks.damaged(10);
  assert.equal(known?.name, block.name);
});

test("a catalog that has lost where blocks lie is replaced, with all its keys in it", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const id = await completed(service, undefined);
  await service.core.journaler.flush();
  await service.close();
  assert.equal((await rebuildStore({ dataDirectory })).outcome, "healthy");
  const database = new DatabaseSync(join(dataDirectory, "catalog.sqlite"));
  database.exec("DELETE FROM locations");
  database.close();
  assert.equal((await rebuildStore({ dataDirectory })).outcome, "replaced");
  const again = await startService(t, { dataDirectory, collectMinutes: 0 });
  assert.deepEqual(await readFirst(again, id), blockContents(1));
});

for (const [what, keep] of [
  ["put back as it was", true],
  ["lost", false],
] as const) {
  test(`no service starts with a catalog that was ${what}: it would remove all else`, async (t) => {
    const dataDirectory = await temporaryDirectory(t);
    const options = { dataDirectory, collectMinutes: 0 };
    const path = join(dataDirectory, "catalog.sqlite");
    const first = await startService(t, options);
    const before = await completed(first, undefined);
    await first.close();
    const earlier = await readFile(path);
    const second = await startService(t, options);
    const id = await completed(second, undefined, 2);
    await second.close();
    // However a process ends, the catalog knows of all sequences.
    await (await startService(t, options)).close();
    if (keep) await writeFile(path, earlier);
    else await rm(path);
    const again = await refusedUntilRebuilt(t, options);
    assert.deepEqual(await readFirst(again, before), blockContents(1));
    assert.deepEqual(await readFirst(again, id), blockContents(2));
  });
}

test("what was stored in the catalog's last segment is looked at, too", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const options = { dataDirectory, collectMinutes: 0 };
  const service = await startService(t, options);
  await completed(service, undefined);
  await service.core.journaler.flush();
  const paths = ["", "-wal"].map((end) => join(dataDirectory, `catalog.sqlite${end}`));
  // As a snapshot of the file system has them.
  const earlier = await Promise.all(paths.map((path) => readFile(path)));
  const id = await completed(service, undefined, 2);
  await service.close();
  for (const [i, path] of paths.entries()) await writeFile(path, earlier[i] as Buffer);
  assert.deepEqual(await readFirst(await refusedUntilRebuilt(t, options), id), blockContents(2));
});

test("a catalog that only says of a thing what was so once is replaced", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const options = { dataDirectory, collectMinutes: 0 };
  const path = join(dataDirectory, "catalog.sqlite");
  const first = await startService(t, options);
  const id = await completed(first, undefined);
  await first.close();
  const earlier = await readFile(path);
  const second = await startService(t, options);
  const tags = [{ Key: "is", Value: "new" }];
  await second.core.catalog.snapshots.changeTags(id, () => tags);
  await second.close();
  await writeFile(path, earlier);
  const { snapshots } = (await refusedUntilRebuilt(t, options)).core.catalog;
  assert.deepEqual((await snapshots.get(id))?.tags, tags);
});

test("a note of damage that a disk has mended makes no catalog worse than another", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const options = { dataDirectory, collectMinutes: 0 };
  const service = await startService(t, options);
  await completed(service, undefined);
  const [block] = await blocksOf(service);
  assert.ok(block);
  await service.core.catalog.blocks.addDamaged({ ...block, foundAtMs: 0 });
  await service.close();
  assert.equal((await rebuildStore({ dataDirectory })).outcome, "healthy");
  const { blocks } = (await startService(t, options)).core.catalog;
  assert.deepEqual(await blocks.damaged(10), []);
});

test("a catalog with broken pages is replaced, whichever they are", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const id = await completed(service, undefined);
  await service.core.journaler.flush();
  await service.close();
  const path = join(dataDirectory, "catalog.sqlite");
  const whole = await readFile(path);
  // All but the first page, without which it is not opened, and those that nothing stands in.
  for (let page = 1; page < whole.length / PAGE_BYTES; page++) {
    const at = page * PAGE_BYTES;
    if (!whole.subarray(at, at + PAGE_BYTES).some((byte) => byte !== 0)) continue;
    await writeFile(path, whole);
    await rm(`${path}-wal`, { force: true });
    await writeAt(path, at, Buffer.alloc(PAGE_BYTES, 0xa5));
    assert.equal((await rebuildStore({ dataDirectory })).outcome, "replaced", `page ${page}`);
  }
  const again = await startService(t, { dataDirectory, collectMinutes: 0 });
  assert.deepEqual(await readFirst(again, id), blockContents(1));
});

/** Bytes of a page of SQLite's. */
const PAGE_BYTES = 4_096;

for (const [what, fails] of [
  ["a secret cannot be had", "unwrap"],
  ["damage cannot be noted", "note"],
] as const) {
  test(`a rebuild ends where ${what}: torn records would be taken for stored`, async (t) => {
    const dataDirectory = await temporaryDirectory(t);
    const service = await startService(t, { dataDirectory, collectMinutes: 0 });
    const key = await service.core.keys.create(service.firstKey.key.account, "a key");
    await completed(service, key);
    const [block] = await blocksOf(service);
    assert.ok(block);
    await service.close();
    await wipe(service, block);
    const failure = new Error("for once");
    const failing = fails === "unwrap" ? { failsToOpen: block.domain } : {};
    await assert.rejects(rebuildWith(t, service, { failure, ...failing }), /for once|take note/);
    const { damagedCount, incomplete } = await rebuildWith(t, service, {});
    assert.deepEqual([damagedCount, incomplete.length], [1, 1]);
  });
}

/** Fills a catalog of its own; a failure befalls the first look at a key, or the first note. */
async function rebuildWith(
  t: TestContext,
  { dataDirectory, core }: Service,
  { failure, failsToOpen }: { readonly failure?: Error; readonly failsToOpen?: string },
) {
  const catalog = openSqliteCatalog(join(await temporaryDirectory(t), "catalog.sqlite"));
  t.after(() => catalog.close());
  const directory = join(dataDirectory, "segments");
  const segments = await FileSegments.open({ directory, segmentSizeBytesMax: 1_000_000 });
  const secret = await ownKeyEncryptionKey(dataDirectory, systemRandom);
  const keyEncryptionKey = openKeyEncryptionKey({ secret }, systemRandom);
  const parts = { keyEncryptionKey, random: systemRandom, clock: systemClock };
  const keys = new KeyRing({ ...parts, table: catalog.encryption });
  const blocks = new BlockStore(segments, catalog, {
    secretsOf(domain, isFresh) {
      if (domain !== failsToOpen || !failure) return keys.secretsOf(domain, isFresh);
      failsToOpen = undefined;
      return Promise.reject(failure);
    },
  });
  if (failure && failsToOpen === undefined)
    catalog.blocks.addDamaged = () => Promise.reject(failure);
  const maps = (domain: Domain) =>
    new BlockMaps(blocks.nodeStore(domain), new LruCache(1, () => 1));
  return rebuildCatalog({ catalog, blocks, maps, clock: core.clock });
}

test("a rebuild that fails leaves no catalog where there was none", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  await completed(service, undefined);
  await service.core.journaler.flush();
  await service.close();
  await rm(join(dataDirectory, "catalog.sqlite"));
  const wrong = { secret: new Uint8Array(32) };
  await assert.rejects(rebuildStore({ dataDirectory, keyEncryptionKey: wrong }), /wrapped by/);
  assert.ok(!(await readdir(dataDirectory)).some((name) => name.startsWith("catalog.sqlite")));
});

test("an image holds after a rebuild what only a manifest tells of, too", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const { catalog } = service.core;
  const changes = catalog.journal.changes.bind(catalog.journal);
  // A power cut right after may leave any of what was journaled last, and not the rest.
  catalog.journal.changes = async (limit) => {
    return (await changes(limit)).filter(({ entry }) => !entry.key.startsWith("snapshot/"));
  };
  const id = await completed(service, undefined);
  assert.equal(await catalog.images.add(imageOf(service, id)), undefined);
  await service.close();
  assert.deepEqual((await rebuildWithoutCatalog(dataDirectory)).incomplete, []);
  const { snapshots } = (await startService(t, { dataDirectory, collectMinutes: 0 })).core.catalog;
  assert.equal(await snapshots.delete(id, { nowMs: 0, binnedUntilMs: undefined }), "in-use");
});

test("a snapshot deleted while it was sealed is not brought back by its manifest", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const { catalog, journaler } = service.core;
  const { changeState } = catalog.snapshots;
  // Its manifest is stored by then.
  catalog.snapshots.changeState = async (id, from, change) => {
    if (change.state === "completed") {
      await catalog.snapshots.delete(id, { nowMs: 0, binnedUntilMs: undefined });
    }
    return changeState.call(catalog.snapshots, id, from, change);
  };
  await completed(service, undefined);
  await journaler.flush();
  const kinds = (await storedRecords(service)).map(({ kind }) => kind);
  assert.ok(kinds.includes(RECORD_KIND.manifest));
  await service.close();
  assert.equal((await rebuildWithoutCatalog(dataDirectory)).snapshotCount, 0);
});

test("a snapshot that was locked while it was under way comes back by its manifest", async (t) => {
  const { service, options } = await opened(t);
  const { catalog, journaler } = service.core;
  const id = await pendingWith(service, 1);
  const lock = { mode: "compliance", createdAtMs: 1, expiresAtMs: 5, coolOffHours: 0 } as const;
  assert.ok(await catalog.retention.changeLock(id, { from: undefined, to: lock }));
  await catalog.sharing.changeGrantees(id, { add: ["all"], remove: [] });
  await journaler.flush();
  // The catalog is lost before the completion is journaled.
  catalog.journal.changes = async () => [];
  await complete(service, id);
  await service.close();
  assert.equal((await rebuildWithoutCatalog(options.dataDirectory)).snapshotCount, 1);
  assert.deepEqual(await readFirst(await startService(t, options), id), blockContents(1));
});

test("a lost record of an account keeps nothing from being rebuilt", async (t) => {
  const { service, options } = await opened(t);
  const { identity, settings } = service.core.catalog;
  const owner = "999988887777" as AccountId;
  await identity.addAccount(owner);
  await settings.put(owner, "a-setting", "its value");
  const id = await completed(service, undefined);
  await service.core.journaler.flush();
  const lost = await entryOf(service, `account/${owner}`);
  await service.close();
  await wipe(service, lost);
  const rebuilt = await rebuildWithoutCatalog(options.dataDirectory);
  assert.deepEqual([rebuilt.snapshotCount, rebuilt.unreadable.length], [1, 1]);
  const again = await startService(t, options);
  const { catalog } = again.core;
  assert.deepEqual(await catalog.identity.accounts(), [service.firstKey.key.account, owner]);
  assert.equal(await catalog.settings.get(owner, "a-setting"), "its value");
  assert.deepEqual(await readFirst(again, id), blockContents(1));
});

test("of two images with one name the later one is rebuilt, and stays the only one", async (t) => {
  const { service, options } = await opened(t);
  const { catalog, journaler } = service.core;
  const id = await completed(service, undefined);
  const image = imageOf(service, id);
  await catalog.images.add(image);
  await journaler.flush();
  await catalog.images.delete(image.id);
  await catalog.images.add({ ...image, id: "ami-02" });
  await journaler.flush();
  const lost = await entryOf(service, `image/${image.id}`);
  await service.close();
  await wipe(service, lost);
  const { unreadable } = await rebuildWithoutCatalog(options.dataDirectory);
  assert.equal(unreadable.at(-1), "how image/ami-01 ended, whose name a later image has");
  const again = await startService(t, options);
  const { images, journal } = again.core.catalog;
  const isThere = async (imageId: string) => (await images.get(imageId)) !== undefined;
  assert.deepEqual([await isThere("ami-01"), await isThere("ami-02")], [false, true]);
  await again.core.journaler.flush();
  const { value } = decodeEntry((await openEntry(again, `image/${image.id}`)).plain);
  assert.deepEqual([value, (await journal.changes(10)).length], [undefined, 0]);
});

test("a rebuild goes on behind whatever a disk cannot read, and names it", async (t) => {
  const { service, options } = await opened(t);
  // The one fills many pages; the next record is searched for behind those that cannot be read.
  const [large, small] = [7, 2];
  const hurt = await completed(service, undefined, large);
  const whole = await completed(service, undefined, small);
  await service.core.journaler.flush();
  const records = await storedRecords(service);
  await service.close();
  const payloadOf = (kind: number) => {
    const ofKind = records.filter((record) => record.kind === kind);
    // The first entry is of the key that opens the others.
    const record = kind === RECORD_KIND.entry ? ofKind.at(-1) : ofKind[0];
    const { segment, offset, length } = record as StoredRecord;
    const [start, left] = [offset + RECORD_HEADER_BYTES, length - RECORD_HEADER_BYTES];
    return { segment, offset: start, length: left };
  };
  const [block, node, manifest, entry] = [1, 2, 3, 4].map(payloadOf) as Placement[];
  assert.ok(block && node && manifest && entry);
  const header = { ...block, offset: block.offset - 1, length: 1 };
  for (const [what, range] of Object.entries({ header, block, node, manifest, entry })) {
    const { undo } = unreadable(t, [range]);
    const rebuilt = await rebuildWithoutCatalog(options.dataDirectory);
    undo();
    assert.equal(rebuilt.snapshotCount, 2, what);
    const incomplete = rebuilt.incomplete.map(({ snapshotId }) => snapshotId);
    const isOfSnapshot = what !== "manifest" && what !== "entry";
    assert.deepEqual(incomplete, isOfSnapshot ? [hurt] : [], what);
    const told = what === "block" || what === "node" ? [] : [/The disk cannot read segment 1/];
    assert.equal(rebuilt.unreadable.length, told.length, what);
    for (const [i, pattern] of told.entries()) assert.match(rebuilt.unreadable[i] ?? "", pattern);
  }
  await rebuildWithoutCatalog(options.dataDirectory);
  const again = await startService(t, options);
  assert.deepEqual(await readFirst(again, hurt), blockContents(large));
  assert.deepEqual(await readFirst(again, whole), blockContents(small));
});

/** A service on a folder of its own, and what it is started with. */
async function opened(t: TestContext) {
  const options = { dataDirectory: await temporaryDirectory(t), collectMinutes: 0 };
  return { service: await startService(t, options), options };
}

/** The record of the latest entry of a key in the journal. */
async function entryOf(service: Service, key: string): Promise<StoredRecord> {
  const { record } = await openEntry(service, key);
  return record;
}

async function openEntry(service: Service, key: string) {
  let found: { record: StoredRecord; plain: Uint8Array; sequence: number } | undefined;
  for (const record of await storedRecords(service)) {
    const isKnownDamaged = await service.core.blocks.records.isDamaged(record);
    if (record.kind !== RECORD_KIND.entry || isKnownDamaged) continue;
    const { plain } = await service.core.blocks.records.openAt(record);
    const entry = decodeEntry(plain);
    if (entry.key !== key || entry.sequence < (found?.sequence ?? 0)) continue;
    found = { record, plain, sequence: entry.sequence };
  }
  assert.ok(found, key);
  return found;
}

/** The blocks that are stored, in the order in which they were. */
async function blocksOf(service: Service): Promise<StoredRecord[]> {
  const records = await storedRecords(service);
  return records.filter(({ kind }) => kind === RECORD_KIND.block);
}

/** Writes zeros over a record's payload. */
function wipe(service: Service, { segment, offset, length }: StoredRecord): Promise<void> {
  const zeros = Buffer.alloc(length - RECORD_HEADER_BYTES);
  return writeAt(segmentPath(service, segment), offset + RECORD_HEADER_BYTES, zeros);
}

async function readFirst({ core, firstKey }: Service, snapshotId: string): Promise<Buffer> {
  const { account } = firstKey.key;
  const paging = { nextToken: undefined, maxResults: undefined, startingBlockIndex: undefined };
  const { blocks } = await listSnapshotBlocks(core, account, { snapshotId, ...paging });
  const [{ blockIndex, blockToken }] = blocks as [(typeof blocks)[number]];
  const { bytes } = await getSnapshotBlock(core, account, { snapshotId, blockIndex, blockToken });
  return Buffer.from(bytes);
}

/** No service starts on a catalog that is older; on the rebuilt one it does. */
async function refusedUntilRebuilt(
  t: TestContext,
  options: { readonly dataDirectory: string; readonly collectMinutes: number },
): Promise<Service> {
  await assert.rejects(startService(t, options), /older than the segments there/);
  const { outcome, kept } = await rebuildStore({ dataDirectory: options.dataDirectory });
  assert.deepEqual([outcome, kept !== undefined], ["replaced", true]);
  return startService(t, options);
}

async function rebuildWithoutCatalog(dataDirectory: string) {
  for (const end of ["", "-wal"]) {
    await rm(join(dataDirectory, `catalog.sqlite${end}`), { force: true });
  }
  const rebuilt = await rebuildStore({ dataDirectory });
  assert.equal(rebuilt.kept, undefined, "there was no catalog");
  const names = await readdir(dataDirectory);
  assert.deepEqual(
    names.filter((name) => name.includes("before-rebuild")),
    [],
  );
  return rebuilt;
}

/** A completed snapshot with one block. */
async function completed(
  service: Service,
  key: EncryptionKey | undefined,
  contents = 1,
): Promise<SnapshotId> {
  const id = await pendingWith(service, contents, key);
  await complete(service, id);
  return id;
}

async function complete({ core, firstKey }: Service, snapshotId: SnapshotId): Promise<void> {
  const counted = { changedBlocksCount: 1, linearDigest: undefined };
  await completeSnapshot(core, firstKey.key.account, { snapshotId, ...counted });
  await core.sealer.idle();
}

/** An image of a snapshot. */
function imageOf({ firstKey }: Service, snapshotId: SnapshotId): Image {
  const { account } = firstKey.key;
  const image = { id: "ami-01", account, name: "of a test", description: "", creationTimeMs: 0 };
  const devices = [{ deviceName: "/dev/xvda", snapshotId, settings: {} }];
  const rest = { rootDeviceName: "/dev/xvda", devices, settings: {}, tags: [], grantees: [] };
  return { ...image, ...rest };
}

/** A pending snapshot with one block. */
async function pendingWith(
  { core, firstKey }: Service,
  contents: number,
  key?: EncryptionKey,
): Promise<SnapshotId> {
  const { account } = firstKey.key;
  const kmsKeyArn = key && `arn:aws:kms:${core.region}:${account}:key/${key.id}`;
  const { id } = await startSnapshot(core, account, { ...START, kmsKeyArn, encrypted: !!key });
  const bytes = blockContents(contents);
  const named = { snapshotId: id, blockIndex: 0, dataLength: bytes.length };
  const input = { ...named, checksum: checksumOf(digestOf(bytes)), checksumAlgorithm: "SHA256" };
  await putSnapshotBlock(core, account, { input, bytes });
  return id;
}

const START = {
  volumeSizeGib: 1,
  parentSnapshotId: undefined,
  tags: [],
  description: undefined,
  clientToken: undefined,
  timeoutMinutes: undefined,
};
