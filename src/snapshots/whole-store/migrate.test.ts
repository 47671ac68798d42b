import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { flipBit } from "../../../test/support/damage.ts";
import { NO_SECRETS } from "../../../test/support/fakes.ts";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { blockContents } from "../../../test/support/property.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { systemClock } from "../../base/clock.ts";
import { LruCache } from "../../base/lru-cache.ts";
import { BlockStore } from "../../blocks/block-store.ts";
import { digestOf } from "../../blocks/hash.ts";
import { addImage } from "../../catalog/journal.suite.ts";
import { openSqliteCatalog } from "../../catalog/sqlite/sqlite-catalog.ts";
import type { Digest } from "../../model/digest.ts";
import { DamagedWriteError } from "../../model/errors.ts";
import type { AccountId, Domain, SnapshotId } from "../../model/ids.ts";
import { FileSegments } from "../../segments/file-segments.ts";
import type { Placement } from "../../segments/segment-store.ts";
import { BlockMaps } from "../../tree/block-map.ts";
import { type MigrationSide, migrateStore } from "./migrate.ts";

const ACCOUNT = "111122223333" as AccountId;
const [HURT, WHOLE] = ["snap-01", "snap-02"] as [SnapshotId, SnapshotId];

test("a snapshot of which a write is damaged is left behind, the others are not", async (t) => {
  const [source, target] = [await sideOf(t), await sideOf(t)];
  await source.catalog.identity.addAccount(ACCOUNT);
  const bytes = blockContents(0);
  for (const snapshotId of [HURT, WHOLE]) {
    await source.catalog.snapshots.start(pendingSnapshot(snapshotId, ACCOUNT), undefined);
    const target = { domain: ACCOUNT, snapshotId, blockIndex: 5, expiresAtMs: 0 };
    await source.blocks.putBlock(target, digestOf(bytes), bytes);
  }
  const { blocks } = source.catalog;
  const pendingWrites = blocks.pendingWrites.bind(blocks);
  blocks.pendingWrites = async (id, from, limit) => {
    if (id === HURT) throw new DamagedWriteError(id);
    return pendingWrites(id, from, limit);
  };
  const migrated = await migrateStore({ source, target, clock: systemClock });
  assert.deepEqual([migrated.leftBehind, migrated.pendingCount], [[HURT], 1]);
  const arrived = await target.catalog.blocks.pendingWrites(WHOLE, 0, 10);
  assert.deepEqual(
    arrived.map(({ blockIndex }) => blockIndex),
    [5],
  );
});

test("a second run gives the name of an image that is gone to its successor", async (t) => {
  const [source, target] = [await sideOf(t), await sideOf(t)];
  await addImage(source.catalog);
  const run = () => migrateStore({ source, target, clock: systemClock });
  assert.equal((await run()).outcome, "done");
  const [image] = await source.catalog.images.page("", 10);
  assert.ok(image);
  await source.catalog.images.delete(image.id);
  await source.catalog.images.add({ ...image, id: "ami-02" });
  assert.equal((await run()).outcome, "done");
  const ids = (await target.catalog.images.page("", 10)).map(({ id }) => id);
  assert.deepEqual(ids, ["ami-02"]);
});

test("what was not whole when it was read back is looked at by the next run", async (t) => {
  const { source, target, digests, run } = await withBlocks(t, 2);
  const read = target.segments.read.bind(target.segments);
  let spoiled: Placement | undefined;
  target.segments.read = async (place) => {
    const bytes = Buffer.from(await read(place));
    spoiled ??= place;
    if (spoiled.offset === place.offset) bytes.fill(0, bytes.length / 2);
    return bytes;
  };
  const first = await run();
  assert.equal(first.damaged.length, 1);
  assert.match(first.damaged[0] ?? "", /was stored, and is damaged when it is read/);
  assert.equal((await target.catalog.blocks.damaged(10)).length, 1);
  target.segments.read = read;
  const again = await sideOf(t, target);
  const second = await migrateStore({ source, target: again, clock: systemClock });
  assert.deepEqual([second.damaged, second.knownCount], [[], 2], "the disk has it after all");
  assert.deepEqual(await again.catalog.blocks.damaged(10), []);
  await checkBlocks(again, digests);
});

for (const when of ["an interrupted run left without a look", "is known to be damaged"] as const) {
  test(`what ${when} is replaced by the next run`, async (t) => {
    const { source, target, digests, run } = await withBlocks(t, 3);
    const isInterrupted = when !== "is known to be damaged";
    const interrupt = () => assert.fail("interrupted");
    if (isInterrupted) await assert.rejects(run(interrupt), /interrupted/);
    else await run();
    await target.blocks.idle();
    const [hurt] = await target.catalog.scrubs.recordsFrom({ segment: 0, offset: 0 }, 10);
    assert.ok(hurt);
    await flipBit(target, hurt);
    if (!isInterrupted) await target.catalog.blocks.addDamaged({ ...hurt, foundAtMs: 1 });
    const again = await sideOf(t, target);
    const runAgain = () => migrateStore({ source, target: again, clock: systemClock });
    const { damaged, recordCount } = await runAgain();
    assert.deepEqual([damaged, recordCount >= 1], [[], true]);
    await checkBlocks(again, digests);
    const { recordCount: movedCount, knownCount } = await runAgain();
    assert.deepEqual([movedCount, knownCount], [0, 3]);
  });
}

test("what an earlier run has read back is not read again", async (t) => {
  const { source, target, run } = await withBlocks(t, 3);
  await run();
  target.segments.read = () => assert.fail("nothing is read");
  const again = await sideOf(t, target);
  const { knownCount } = await migrateStore({ source, target: again, clock: systemClock });
  assert.equal(knownCount, 3);
});

interface Side extends MigrationSide {
  readonly dataDirectory: string;
  readonly segments: FileSegments;
}

/** Two stores, the first of which has blocks of a snapshot under way. */
async function withBlocks(t: TestContext, count: number) {
  const [source, target] = [await sideOf(t), await sideOf(t)];
  await source.catalog.identity.addAccount(ACCOUNT);
  await source.catalog.snapshots.start(pendingSnapshot(WHOLE, ACCOUNT), undefined);
  const digests: Digest[] = [];
  for (let blockIndex = 0; blockIndex < count; blockIndex++) {
    const bytes = blockContents(blockIndex + 1);
    const place = { domain: ACCOUNT, snapshotId: WHOLE, blockIndex, expiresAtMs: 0 };
    await source.blocks.putBlock(place, digestOf(bytes), bytes);
    digests.push(digestOf(bytes));
  }
  const run = (onProgress?: () => void) =>
    migrateStore({ source, target, clock: systemClock, onProgress });
  return { source, target, digests, run };
}

async function checkBlocks({ blocks }: Side, digests: readonly Digest[]): Promise<void> {
  for (const [i, digest] of digests.entries()) {
    assert.deepEqual(Buffer.from(await blocks.getBlock(ACCOUNT, digest)), blockContents(i + 1));
  }
}

/** A store, or one that is there as a new process has it. */
async function sideOf(t: TestContext, there?: Side): Promise<Side> {
  const dataDirectory = there?.dataDirectory ?? (await temporaryDirectory(t));
  const catalog = there?.catalog ?? openSqliteCatalog(join(dataDirectory, "catalog.sqlite"));
  if (!there) t.after(() => catalog.close());
  const directory = join(dataDirectory, "segments");
  await there?.segments.close();
  const segments = await FileSegments.open({ directory, segmentSizeBytesMax: 1_000_000 });
  t.after(() => segments.close());
  const blocks = new BlockStore(segments, catalog, NO_SECRETS);
  const maps = (domain: Domain) =>
    new BlockMaps(blocks.nodeStore(domain), new LruCache(1, () => 1));
  return { dataDirectory, catalog, segments, blocks, maps };
}
