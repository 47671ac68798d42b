import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FakeSegments, NO_SECRETS } from "../../../test/support/fakes.ts";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { blockContents } from "../../../test/support/property.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { LruCache } from "../../base/lru-cache.ts";
import { BlockStore } from "../../blocks/block-store.ts";
import { decodePayload } from "../../blocks/codec.ts";
import { digestOf } from "../../blocks/hash.ts";
import { decodeRecord, RECORD_KIND } from "../../blocks/record.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import { openSqliteCatalog } from "../../catalog/sqlite/sqlite-catalog.ts";
import {
  type Digest,
  digestFromBytes,
  digestToBytes,
  type RecordName,
  ZERO_BLOCK_NAME,
} from "../../model/digest.ts";
import { DamagedWriteError } from "../../model/errors.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import { BlockMaps } from "../../tree/block-map.ts";
import type { Node } from "../../tree/node.ts";
import { writerDigest } from "../writer-map.ts";
import { type EmulatedSealing, Sealer } from "./sealer.ts";

const ACCOUNT = "111122223333" as AccountId;
const ID = "snap-01" as SnapshotId;
const MANY = "snap-03" as SnapshotId;
/** Writes of that one. */
const COUNT = 1_200;

test("Sealer.resume completes what an earlier process left sealing", async (t) => {
  const { sealer, catalog, segments } = await setUp(t);
  await sealer.resume();
  await sealer.idle();
  const snapshot = await catalog.snapshots.get(ID);
  assert.deepEqual(
    [snapshot?.state, snapshot?.blockCount, snapshot?.writtenBlockCount],
    ["completed", 3, 3],
  );
  assert.equal(await catalog.blocks.forgetSettledWrites(10), 3, "its writes are settled");
  assert.equal(kinds(segments).at(-1), RECORD_KIND.manifest, "the manifest comes last");
});

test("Sealer.seal lets others go on between the pages that it reads", async (t) => {
  const { sealer, blocks } = await setUp(t);
  let [turns, isDone] = [0, false];
  t.after(() => {
    isDone = true;
  });
  const turn = () => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const seen: number[] = [];
  const pendingBlocks = blocks.pendingBlocks.bind(blocks);
  blocks.pendingBlocks = (snapshot, fromIndex) => {
    seen.push(turns);
    return pendingBlocks(snapshot, fromIndex, 1);
  };
  await sealer.seal(ID);
  assert.ok(seen.length >= 8, "each of three writes by itself, and the end, twice");
  assert.ok(
    seen.slice(1, 4).every((count, i) => count > (seen[i] as number)),
    `turns at each page: ${seen}`,
  );
});

test("Sealer.seal seals once however often it is asked", async (t) => {
  const { sealer, segments } = await setUp(t);
  await Promise.all([sealer.seal(ID), sealer.seal(ID), sealer.resume()]);
  await sealer.seal(ID);
  const manifests = kinds(segments).filter((kind) => kind === RECORD_KIND.manifest);
  assert.equal(manifests.length, 1);
});

for (const { name, changedBlocksCount, linearDigest, message } of [
  { name: "count", changedBlocksCount: 4, linearDigest: undefined, message: /count mismatch/ },
  {
    name: "checksum",
    changedBlocksCount: 3,
    linearDigest: digestOf(Buffer.from("wrong")),
    message: /Checksum mismatch/,
  },
]) {
  test(`Sealer.seal ends in error when the ${name} is wrong, and writes no manifest`, async (t) => {
    const { sealer, catalog, segments } = await setUp(t, { changedBlocksCount, linearDigest });
    await sealer.seal(ID);
    const snapshot = await catalog.snapshots.get(ID);
    assert.equal(snapshot?.state, "error");
    assert.match(snapshot?.stateMessage ?? "", message);
    assert.ok(kinds(segments).every((kind) => kind === RECORD_KIND.block));
  });
}

test("Sealer.seal leaves the snapshot sealing when storing fails", async (t) => {
  const { sealer, catalog, segments, errors } = await setUp(t);
  segments.beforeAppend = () => Promise.reject(new Error("the disk is full"));
  await sealer.seal(ID);
  assert.deepEqual(errors.map(String), ["Error: the disk is full"]);
  assert.equal((await catalog.snapshots.get(ID))?.state, "sealing");
  assert.equal((await catalog.blocks.pendingWrites(ID, 0, 10)).length, 3);
  segments.beforeAppend = async () => {};
  await sealer.resume();
  await sealer.idle();
  assert.equal((await catalog.snapshots.get(ID))?.state, "completed");
});

test("Sealer.seal ends in error when nobody knows any more where a block was put", async (t) => {
  const { sealer, catalog, segments, errors } = await setUp(t);
  catalog.blocks.pendingWrites = () => Promise.reject(new DamagedWriteError(ID));
  await sealer.seal(ID);
  const snapshot = await catalog.snapshots.get(ID);
  assert.deepEqual([snapshot?.state, errors], ["error", []]);
  assert.match(snapshot?.stateMessage ?? "", /damaged in the catalog; delete it and upload it/);
  assert.ok(!kinds(segments).includes(RECORD_KIND.manifest), "there is no manifest");
});

test("Sealer.seal completes nothing whose block is not there, until it is", async (t) => {
  const { sealer, catalog, blocks, segments, errors } = await setUp(t);
  const lost = blockContents(7);
  const names = [digestOf(lost) as string as RecordName];
  const { garbage, snapshots } = catalog;
  // As no collector may: the write that waits to be sealed needs it.
  await garbage.addCandidates(ACCOUNT, names);
  await garbage.doom(await garbage.begin(0), ACCOUNT, { names, nowMs: 0 });
  await garbage.sweep(await garbage.begin(0), ACCOUNT, { names, doomedByMs: 0 });
  await sealer.seal(ID);
  assert.match(String(errors), /Assertion failed: block 1200 of snap-01 is located/);
  assert.equal((await snapshots.get(ID))?.state, "sealing");
  assert.ok(!kinds(segments).includes(RECORD_KIND.manifest), "there is no manifest");
  const other = pendingSnapshot("snap-02" as SnapshotId, ACCOUNT);
  await snapshots.start(other, undefined);
  const target = { domain: ACCOUNT, snapshotId: other.id, blockIndex: 0, expiresAtMs: 0 };
  await blocks.putBlock(target, digestOf(lost), lost);
  await sealer.resume();
  await sealer.idle();
  assert.equal((await snapshots.get(ID))?.state, "completed");
});

test("Sealer.seal looks up a bounded sample of many blocks, not always the same", async (t) => {
  const asked = await Promise.all(
    [1_000, 1_001].map(async (startTimeMs) => {
      const { sealer, catalog } = await setUp(t);
      await fill(catalog, startTimeMs);
      const looked = t.mock.method(catalog.liveness, "findMissing");
      await sealer.seal(MANY);
      assert.equal((await catalog.snapshots.get(MANY))?.state, "completed");
      return looked.mock.calls.flatMap((call) => call.arguments[1]);
    }),
  );
  assert.deepEqual(
    asked.map((indexes) => [indexes.length, indexes[0], indexes[1], indexes.at(-1)]),
    [
      [50, 16, 40, 1_192],
      [50, 17, 41, 1_193],
    ],
  );
});

test("Sealer.seal writes no manifest of a snapshot that is deleted meanwhile", async (t) => {
  const { sealer, catalog, segments, errors } = await setUp(t);
  let isFirst = true;
  segments.beforeAppend = async () => {
    // The first append of the sealing holds the new nodes.
    if (isFirst) await catalog.snapshots.delete(ID, { nowMs: 0, binnedUntilMs: undefined });
    isFirst = false;
  };
  await sealer.seal(ID);
  assert.equal(await catalog.snapshots.get(ID), undefined);
  assert.deepEqual(errors, []);
  // A manifest would bring the deleted snapshot back when the catalog is rebuilt.
  assert.ok(!kinds(segments).includes(RECORD_KIND.manifest), "there is no manifest");
});

test("Sealer.seal puts off what AWS would still be at, and looks at the writes once", async (t) => {
  const clock = new HeldClock();
  const wrong = { changedBlocksCount: 4, linearDigest: undefined };
  for (const [completion, seconds, state] of [
    [undefined, 2, "completed"],
    [wrong, 90, "error"],
  ] as const) {
    const { sealer, catalog, segments } = await setUp(t, completion, { clock, emulated: SLOW });
    const { blocks } = catalog;
    const read = t.mock.method(blocks, "pendingWrites");
    for (let second = 0; second < seconds; second++) {
      if (second === 0) await sealer.seal(ID);
      await sealer.resumePutOff();
      await sealer.idle();
      assert.equal((await catalog.snapshots.get(ID))?.state, "sealing");
      clock.advance(1_000);
    }
    // A page, and one that says there are no more.
    assert.equal(read.mock.callCount(), 2);
    assert.ok(kinds(segments).every((kind) => kind === RECORD_KIND.block));
    await sealer.resumePutOff();
    await sealer.idle();
    assert.equal((await catalog.snapshots.get(ID))?.state, state);
    const calls = read.mock.callCount();
    await sealer.resumePutOff();
    await sealer.idle();
    assert.equal(read.mock.callCount(), calls, "what has ended is put off no more");
  }
});

test("Sealer.resumePutOff lets go of what was deleted or failed meanwhile", async (t) => {
  const clock = new HeldClock();
  const { sealer, catalog, segments, errors } = await setUp(t, undefined, {
    clock,
    emulated: SLOW,
  });
  segments.beforeAppend = () => Promise.reject(new Error("the disk is full"));
  await sealer.seal(ID);
  clock.advance(2_000);
  for (let i = 0; i < 3; i++) {
    await sealer.resumePutOff();
    await sealer.idle();
  }
  assert.equal(errors.length, 1, "a failure waits for resume");
  await sealer.resume();
  await sealer.idle();
  await catalog.snapshots.delete(ID, { nowMs: 0, binnedUntilMs: undefined });
  clock.advance(2_000);
  await sealer.resumePutOff();
  await sealer.idle();
  assert.equal(errors.length, 1);
});

test("Sealer.seal keeps who wrote where AWS is emulated, beside the same block map", async (t) => {
  const plain = await setUp(t);
  await plain.sealer.seal(ID);
  const emulated = { durationMs: () => 0 };
  const { sealer, catalog, maps, segments } = await setUp(t, undefined, { emulated });
  await sealer.seal(ID);
  const snapshot = await catalog.snapshots.get(ID);
  const other = await plain.catalog.snapshots.get(ID);
  assert.equal(snapshot?.root, other?.root);
  assert.equal(other?.writersRoot, undefined);
  const writers = await maps().entries(snapshot?.writersRoot, 0, 10);
  const digest = writerDigest(ID);
  assert.deepEqual(
    writers,
    [0, 600, 1_200].map((blockIndex) => ({ blockIndex, digest })),
  );
  assert.equal(digest, createHash("sha256").update(`writer ${ID}`).digest("hex"));
  assert.equal((await manifestOf(segments))["writersRoot"], snapshot?.writersRoot);
  assert.ok(!("writersRoot" in (await manifestOf(plain.segments))));
});

/** What the last record says, which is the manifest. */
async function manifestOf(segments: FakeSegments): Promise<Record<string, unknown>> {
  const { header, payload } = decodeRecord(segments.entries.at(-1) as Buffer);
  assert.equal(header.kind, RECORD_KIND.manifest);
  return JSON.parse(Buffer.from(await decodePayload(payload, header.plainLength)).toString());
}

const SLOW: EmulatedSealing = {
  durationMs: (_, outcome) => (outcome === "completed" ? 2_000 : 90_000),
};

/** Stands still until it is moved. */
class HeldClock implements Clock {
  #nowMs = 1_000_000;
  readonly sleep = systemClock.sleep;

  advance(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }
}

/** A store with one sealing snapshot of three blocks, one of them zeros. */
async function setUp(
  t: TestContext,
  completion?: { changedBlocksCount: number; linearDigest: Digest | undefined },
  parts: { readonly clock?: Clock; readonly emulated?: EmulatedSealing } = {},
) {
  const catalog = openSqliteCatalog(join(await temporaryDirectory(t), "catalog.sqlite"));
  t.after(() => catalog.close());
  await catalog.identity.addAccount(ACCOUNT);
  const segments = new FakeSegments();
  const blocks = new BlockStore(segments, catalog, NO_SECRETS);
  const snapshot = pendingSnapshot(ID, ACCOUNT);
  await catalog.snapshots.start(snapshot, undefined);
  const linear = createHash("sha256");
  for (const [i, contents] of [0, 1, 7].entries()) {
    const bytes = blockContents(contents);
    const target = { domain: ACCOUNT, snapshotId: ID, blockIndex: i * 600, expiresAtMs: 0 };
    await blocks.putBlock(target, digestOf(bytes), bytes);
    linear.update(digestToBytes(digestOf(bytes)));
  }
  const right = { changedBlocksCount: 3, linearDigest: digestFromBytes(linear.digest()) };
  const change = { state: "sealing", completion: completion ?? right } as const;
  await catalog.snapshots.changeState(ID, "pending", change);
  const nodes = new LruCache<Node>(0, (node) => node.sizeBytes);
  const maps = () => new BlockMaps(blocks.nodeStore(ACCOUNT), nodes);
  const errors: unknown[] = [];
  const onError = (_: SnapshotId, error: unknown) => void errors.push(error);
  const sealer = new Sealer({ catalog, blocks, maps, clock: systemClock, onError, ...parts });
  return { catalog, blocks, segments, sealer, errors, maps };
}

/** Adds a snapshot of many writes that is to be sealed. */
async function fill({ snapshots, blocks }: Catalog, startTimeMs: number): Promise<void> {
  await snapshots.start(pendingSnapshot(MANY, ACCOUNT, { startTimeMs }), undefined);
  const common = { snapshotId: MANY, domain: ACCOUNT, name: ZERO_BLOCK_NAME, expiresAtMs: 0 };
  const indexes = Array.from({ length: COUNT }, (_, blockIndex) => blockIndex);
  await blocks.commit(
    [],
    indexes.map((blockIndex) => ({ ...common, blockIndex })),
  );
  const completion = { changedBlocksCount: COUNT, linearDigest: undefined };
  await snapshots.changeState(MANY, "pending", { state: "sealing", completion });
}

function kinds(segments: FakeSegments): number[] {
  return segments.entries.map((record) => decodeRecord(record).header.kind);
}
