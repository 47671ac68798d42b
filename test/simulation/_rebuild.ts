import assert from "node:assert/strict";
import { LruCache } from "../../src/base/lru-cache.ts";
import { BlockStore } from "../../src/blocks/block-store.ts";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import { LocalKeyEncryptionKey } from "../../src/keys/local-key-encryption-key.ts";
import { CorruptionError, KeyDestroyedError } from "../../src/model/errors.ts";
import type { Domain, SnapshotId } from "../../src/model/ids.ts";
import { FileSegments } from "../../src/segments/file-segments.ts";
import { ClockSkewError } from "../../src/snapshots/chores/collection-clock.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { rebuildCatalog } from "../../src/snapshots/whole-store/rebuild.ts";
import { BlockMaps } from "../../src/tree/block-map.ts";
import type { Node } from "../../src/tree/node.ts";
import { ACCOUNT, composeCore, NO_OPTIONS } from "../model/drivers.ts";
import { CONTENTS, put, readAll } from "./_clients.ts";
import type { Disk } from "./_disk.ts";
import { mount } from "./_file-system.ts";
import { type Machine, randomOf } from "./_machine.ts";
import type { Told } from "./_oracle.ts";
import { CALM_WEATHER } from "./weather.ts";

/** A catalog made anew from a copy of the disk knows every completed snapshot, with its bytes. */
export async function checkRebuild(
  machine: Machine,
  from: {
    readonly disk: Disk;
    readonly told: readonly Told[];
    /** Deleted, and that is in the journal. */
    readonly deleted: readonly Told[];
    readonly catalogPath: string;
  },
): Promise<number> {
  const { scheduler } = machine;
  const life = { isOver: false };
  const directory = mount({
    ...{ scheduler, disk: from.disk, life, faults: CALM_WEATHER.disk },
    ...{ isFull: () => false, onFault: () => undefined },
  });
  const segments = await FileSegments.open({
    directory: `${directory}/segments`,
    segmentSizeBytesMax: 900,
  });
  const catalog = openSqliteCatalog(from.catalogPath);
  const [clock, random] = [scheduler.clockOf(life), randomOf(scheduler)];
  try {
    const keyEncryptionKey = new LocalKeyEncryptionKey(new Uint8Array(32), random);
    const keys = new KeyRing({ table: catalog.encryption, keyEncryptionKey, random, clock });
    const blocks = new BlockStore(segments, catalog, keys);
    const nodes = new LruCache<Node>(1, (node) => node.sizeBytes);
    const maps = (domain: Domain) => new BlockMaps(blocks.nodeStore(domain), nodes);
    const { incomplete, damagedCount } = await rebuildCatalog({ catalog, blocks, maps, clock });
    // A key that was made just before may be in no journal yet; what it encrypts is out of reach.
    // Nor may a deletion, of which all but the manifest is gone: then its domain is left alone.
    // And what was torn lies there until it is collected.
    const onError = (_: unknown, error: unknown) => {
      const isKnown = error instanceof CorruptionError && incomplete.length + damagedCount > 0;
      if (!isKnown && !(error instanceof KeyDestroyedError)) throw error;
    };
    const options = { clock, random, nodeCacheBytes: 1, onError };
    const { core } = await composeCore({ catalog, segments }, options);
    for (const { id, name } of from.deleted) {
      const found = await catalog.snapshots.get(id as SnapshotId);
      assert.equal(found, undefined, `${name}, which was deleted, is back after a rebuild`);
    }
    await checkWrites(core);
    for (let round = 0; round < 2; round++) {
      for (const told of from.told) compare(told, await readAll(core, told.id ?? ""));
      // What the rebuilt catalog lets go, and what it keeps.
      for (let i = 0; i < 2; i++) {
        const collecting = core.collector.collect({ graceSeconds: 0, isDryRun: false });
        // Refused where the clock has just been set, beside this.
        await collecting.catch((error: unknown) => {
          if (!(error instanceof ClockSkewError)) throw error;
        });
      }
    }
    return from.told.length;
  } finally {
    life.isOver = true;
    await catalog.close();
  }
}

function compare(told: Told, found: ReadonlyMap<number, number | undefined>): void {
  const expected = [...told.blocks.keys()].sort((a, b) => a - b);
  assert.deepEqual([...found.keys()], expected, `blocks of ${told.name}, rebuilt`);
  for (const [blockIndex, contents] of found) {
    const isRight = contents !== undefined && told.blocks.get(blockIndex)?.has(contents);
    assert.ok(isRight, `wrong bytes: block ${blockIndex} of ${told.name}, rebuilt`);
  }
}

/**
 * What was being written when the disk was copied is written again, as a caller would: it must not
 * be taken for stored where only a torn part of it is.
 */
async function checkWrites(core: Core): Promise<void> {
  const input = { volumeSizeGib: 1, parentSnapshotId: undefined, tags: [], clientToken: undefined };
  for (const encrypted of [undefined, true]) {
    const { id } = await startSnapshot(core, ACCOUNT, { ...input, ...NO_OPTIONS, encrypted });
    const blockIndexes = [...CONTENTS.keys()];
    for (const i of blockIndexes) await put(core, id, { blockIndex: i, contents: i });
    const counted = { changedBlocksCount: CONTENTS.length, linearDigest: undefined };
    await completeSnapshot(core, ACCOUNT, { snapshotId: id, ...counted });
    await core.sealer.idle();
    const found = await readAll(core, id);
    const all = blockIndexes.map((i) => [i, i]);
    assert.deepEqual([...found], all, "what was written after a rebuild can be read");
  }
}
