import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FakeSegments, gate } from "../../../test/support/fakes.ts";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { blockContents, pick, printSeed, seededFraction } from "../../../test/support/property.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { systemClock } from "../../base/clock.ts";
import { LruCache } from "../../base/lru-cache.ts";
import { systemRandom } from "../../base/random.ts";
import { BlockStore } from "../../blocks/block-store.ts";
import { digestOf } from "../../blocks/hash.ts";
import { decodeRecord } from "../../blocks/record.ts";
import { openSqliteCatalog } from "../../catalog/sqlite/sqlite-catalog.ts";
import { KeyRing } from "../../keys/key-ring.ts";
import { LocalKeyEncryptionKey } from "../../keys/local-key-encryption-key.ts";
import type { AccountId, Domain, SnapshotId } from "../../model/ids.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import { BlockMaps } from "../../tree/block-map.ts";
import type { Node } from "../../tree/node.ts";
import { Copier } from "./copier.ts";
import { Sealer } from "./sealer.ts";

const ACCOUNT = "111122223333" as AccountId;
const ROOT_ID = "snap-01" as SnapshotId;
const AT_ONCE = { nowMs: 0, binnedUntilMs: undefined };
/** More than one page of the copier, over two leaves, with zeros among them. */
const BLOCK_COUNT = 450;
const contentsAt = (i: number) => blockContents(i % 101);
const indexAt = (i: number) => i * 2;

test("Copier copies every block into the other domain and completes the copy", async (t) => {
  const { startCopy, copier, sealer, catalog, segments, mapOf } = await setUp(t);
  const stored = segments.entries.length;
  const copy = await startCopy("snap-02");
  await copier.resume();
  await sealer.idle();
  const { state, blockCount, writtenBlockCount, lineage } = await found(catalog, copy.id);
  assert.deepEqual([state, blockCount, lineage], ["completed", BLOCK_COUNT, copy.id]);
  assert.equal(writtenBlockCount, BLOCK_COUNT);
  assert.deepEqual(await mapOf(copy.id), await mapOf(ROOT_ID));
  const added = segments.entries.slice(stored).map((record) => decodeRecord(record).header);
  assert.ok(added.every(({ domain, seal }) => domain === copy.domain && seal !== undefined));
  assert.deepEqual(await catalog.copies.all(), []);
});

test("Copier interrupted anywhere goes on and ends with the same contents", async (t) => {
  const fraction = seededFraction(printSeed(t));
  const { startCopy, restart, sealer, catalog, segments, mapOf, errors } = await setUp(t);
  const copy = await startCopy("snap-02");
  for (let i = 0; i < 12; i++) {
    let left = pick(fraction, 4);
    const copier = restart();
    segments.beforeAppend = async () => {
      if (left-- <= 0) throw new Error("the machine stops");
      // Some are stopped in order, others by a failure.
      if (left === 2) void copier.stop();
    };
    await copier.resume();
    await sealer.idle();
  }
  segments.beforeAppend = async () => {};
  await sealer.resume();
  await restart().resume();
  await sealer.idle();
  assert.equal((await found(catalog, copy.id)).state, "completed");
  assert.deepEqual(await mapOf(copy.id), await mapOf(ROOT_ID));
  assert.ok(errors.length > 0, "it was interrupted");
});

test("Copier gives each copy its turn", async (t) => {
  const { startCopy, copier, catalog, segments } = await setUp(t);
  for (const id of ["snap-02", "snap-03"]) await startCopy(id);
  const progress: string[] = [];
  const { advance } = catalog.copies;
  catalog.copies.advance = async (id, nextIndex) => {
    progress.push(id);
    await advance.call(catalog.copies, id, nextIndex);
  };
  await copier.resume();
  assert.deepEqual(progress.slice(0, 4), ["snap-02", "snap-03", "snap-02", "snap-03"]);
  assert.ok(segments.entries.length > 0);
});

test("Copier goes on with the others when one copy fails, and says which", async (t) => {
  const { startCopy, copier, sealer, catalog, errors } = await setUp(t);
  const lost = { sourceRoot: digestOf(Buffer.from("no such node")) };
  const [broken, whole] = [await startCopy("snap-02", lost), await startCopy("snap-03")];
  await copier.resume();
  await sealer.idle();
  assert.equal((await found(catalog, whole.id)).state, "completed");
  assert.equal((await found(catalog, broken.id)).state, "copying", "it is tried again");
  assert.deepEqual(
    errors.map(([id, error]) => [id, (error as Error).name]),
    [[broken.id, "CorruptionError"]],
  );
});

test("Copier gives up a copy that is deleted meanwhile, and leaves no manifest", async (t) => {
  const { startCopy, copier, sealer, catalog, segments, errors } = await setUp(t);
  const copy = await startCopy("snap-02");
  segments.beforeAppend = async () => {
    await catalog.snapshots.delete(copy.id, AT_ONCE);
  };
  await copier.resume();
  await sealer.idle();
  assert.equal(await catalog.snapshots.get(copy.id), undefined);
  assert.deepEqual(errors, []);
  const kinds = segments.entries.map((record) => decodeRecord(record).header);
  assert.ok(!kinds.some(({ kind, domain }) => kind === 3 && domain === copy.domain));
});

test("Copier ends a copy in error whose key is destroyed", async (t) => {
  const { startCopy, copier, sealer, catalog, segments, keys, key } = await setUp(t);
  const copy = await startCopy("snap-02");
  let isFirst = true;
  segments.beforeAppend = async () => {
    if (!isFirst) return;
    isFirst = false;
    const doomed = { ...key, state: "pending-deletion", deletionAtMs: 0 } as const;
    await catalog.encryption.replace(key, doomed);
    await keys.destroyDue();
  };
  await copier.resume();
  await sealer.idle();
  const { state, stateMessage } = await found(catalog, copy.id);
  assert.deepEqual(
    [state, stateMessage],
    ["error", "The KMS key of the snapshot has been deleted"],
  );
});

test("Copier.resume hears of a copy started while it ends, and stops when told", async (t) => {
  const { startCopy, copier, sealer, catalog, segments } = await setUp(t);
  const { wait, open } = gate();
  const all = catalog.copies.all.bind(catalog.copies);
  catalog.copies.all = async () => {
    const copies = await all();
    await wait();
    return copies;
  };
  const first = copier.resume();
  await new Promise(setImmediate);
  const copy = await startCopy("snap-02");
  const second = copier.resume();
  open();
  await Promise.all([first, second]);
  await sealer.idle();
  assert.equal((await found(catalog, copy.id)).state, "completed");
  const stored = segments.entries.length;
  await copier.stop();
  await startCopy("snap-03");
  await copier.resume();
  assert.equal(segments.entries.length, stored, "nothing is begun after stop");
});

test("Copier.resume rejects when the catalog cannot be read", async (t) => {
  const { copier, catalog } = await setUp(t);
  catalog.copies.all = () => Promise.reject(new Error("the disk is gone"));
  await assert.rejects(copier.resume(), /the disk is gone/);
  await copier.stop();
});

type Subject = Awaited<ReturnType<typeof setUp>>;

async function found(catalog: Subject["catalog"], id: SnapshotId): Promise<Snapshot> {
  return (await catalog.snapshots.get(id)) ?? assert.fail(`${id} is gone`);
}

/** A store with one completed snapshot, unencrypted, and a key to copy it to. */
async function setUp(t: TestContext) {
  const catalog = openSqliteCatalog(join(await temporaryDirectory(t), "catalog.sqlite"));
  t.after(() => catalog.close());
  await catalog.identity.addAccount(ACCOUNT);
  const keyEncryptionKey = new LocalKeyEncryptionKey(Buffer.alloc(32, 1), systemRandom);
  const table = catalog.encryption;
  const keys = new KeyRing({ table, keyEncryptionKey, random: systemRandom, clock: systemClock });
  const key = await keys.create(ACCOUNT, "");
  const segments = new FakeSegments();
  const blocks = new BlockStore(segments, catalog, keys);
  const nodes = new LruCache<Node>(0, (node) => node.sizeBytes);
  const maps = (domain: Domain) => new BlockMaps(blocks.nodeStore(domain), nodes);
  const errors: [SnapshotId, unknown][] = [];
  const onError = (id: SnapshotId, error: unknown) => void errors.push([id, error]);
  const sealer = new Sealer({ catalog, blocks, maps, clock: systemClock, onError });
  const restart = () => new Copier({ catalog, blocks, maps, sealer, onError });
  await catalog.snapshots.start(pendingSnapshot(ROOT_ID, ACCOUNT), undefined);
  const put = async (i: number) => {
    const bytes = contentsAt(i);
    const target = { domain: ACCOUNT, snapshotId: ROOT_ID, blockIndex: indexAt(i), expiresAtMs: 9 };
    await blocks.putBlock(target, digestOf(bytes), bytes);
  };
  await Promise.all(Array.from({ length: BLOCK_COUNT }, (_, i) => put(i)));
  const completion = { changedBlocksCount: BLOCK_COUNT, linearDigest: undefined };
  await catalog.snapshots.changeState(ROOT_ID, "pending", { state: "sealing", completion });
  await sealer.seal(ROOT_ID);
  const source = await found(catalog, ROOT_ID);
  const startCopy = async (text: string, changes: object = {}): Promise<Snapshot> => {
    const id = text as SnapshotId;
    const copy = pendingSnapshot(id, ACCOUNT, { state: "copying", domain: key.domain });
    const contents = { sourceDomain: ACCOUNT, sourceRoot: source.root, nextIndex: 0 };
    await catalog.copies.start(copy, { sourceId: ROOT_ID, ...contents, ...changes });
    return copy;
  };
  const mapOf = async (id: SnapshotId) => {
    const { domain, root } = await found(catalog, id);
    return maps(domain).entries(root, 0, 10_000);
  };
  const tools = { startCopy, restart, mapOf, copier: restart() };
  return { ...tools, sealer, catalog, segments, keys, key, errors };
}
