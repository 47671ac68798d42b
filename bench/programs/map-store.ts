// Fills the block map of one snapshot with digests of blocks that do not exist, up to the 64 TiB
// that it covers, and says what that took.

import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { LruCache } from "../../src/base/lru-cache.ts";
import { systemRandom } from "../../src/base/random.ts";
import { BlockStore } from "../../src/blocks/block-store.ts";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { ownKeyEncryptionKey } from "../../src/data-folder/key-file.ts";
import { ensureFirstAccount } from "../../src/identity/first-account.ts";
import { NODE_CACHE_BYTES_MAX, SEGMENT_SIZE_BYTES_MAX } from "../../src/model/limits.ts";
import { FileSegments } from "../../src/segments/file-segments.ts";
import { BlockMaps, type Root } from "../../src/tree/block-map.ts";
import type { Node } from "../../src/tree/node.ts";
import type { NodeStore } from "../../src/tree/node-store.ts";
import { NO_SECRETS } from "../../test/support/fakes.ts";
import { serveParent } from "../harness/commands.ts";
import { completedSnapshot, entriesAt } from "../harness/made-up.ts";
import { KEY_PAIR } from "../harness/target.ts";

/** What the map took. */
export interface FilledMap {
  readonly snapshotId: string;
  /** A snapshot of one GiB in the same store. */
  readonly smallId: string;
  readonly secondsPerMillion: number;
  /** Bytes in segments for each block. */
  readonly bytesPerBlock: number;
  /** MiB of this process after each eighth. */
  readonly memoryMib: readonly number[];
  /** Nodes that one look-up read at most, each with nothing in memory. */
  readonly lookupReads: number;
  /** Milliseconds of such a look-up, in the middle. */
  readonly lookupMs: number;
}

interface FillOptions {
  readonly dataDirectory: string;
  readonly blockCount: number;
}

const PARTS = 8;
const LOOKUPS = 200;
const MIB = 1024 * 1024;
const VOLUME = { volumeSizeGib: 65_536 };

serveParent({ fill });

async function fill({ dataDirectory, blockCount }: FillOptions): Promise<FilledMap> {
  const catalog = openSqliteCatalog(join(dataDirectory, "catalog.sqlite"));
  const owners = { identity: catalog.identity, random: systemRandom, clock: systemClock };
  const { account } = (await ensureFirstAccount(owners, KEY_PAIR)).key;
  // A service starts on no segments without the key that they were made with.
  await ownKeyEncryptionKey(dataDirectory, systemRandom);
  const segments = await FileSegments.open({
    directory: join(dataDirectory, "segments"),
    segmentSizeBytesMax: SEGMENT_SIZE_BYTES_MAX,
  });
  const blocks = new BlockStore(segments, catalog, NO_SECRETS);
  const store = blocks.nodeStore(account);
  const maps = new BlockMaps(store, nodeCache(NODE_CACHE_BYTES_MAX));
  const memoryMib: number[] = [];
  const startedAt = performance.now();
  const noteMemory = () => memoryMib.push(process.memoryUsage.rss() / MIB);
  const applied = await maps.apply(undefined, inParts(blockCount, noteMemory));
  const seconds = (performance.now() - startedAt) / 1000;
  const infos = await segments.list();
  const bytes = infos.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const add = async (root: Root, count: number, volumeSizeGib: number) => {
    const made = { account, volumeSizeGib, parent: undefined, root, addedCount: count };
    const snapshot = completedSnapshot(made);
    await catalog.snapshots.start(snapshot, undefined);
    return snapshot.id;
  };
  const smallMap = await maps.apply(undefined, entriesAt("small", [[0, 2_048]]));
  const snapshotId = await add(applied.root, applied.addedCount, VOLUME.volumeSizeGib);
  const smallId = await add(smallMap.root, smallMap.addedCount, 1);
  const lookups = await lookUp(store, applied.root, blockCount);
  await blocks.idle();
  await segments.close();
  await catalog.close();
  const secondsPerMillion = seconds / (blockCount / 1e6);
  const bytesPerBlock = bytes / blockCount;
  return { snapshotId, smallId, secondsPerMillion, bytesPerBlock, memoryMib, ...lookups };
}

/** Every block index up to the count, and a call after each part of them. */
async function* inParts(blockCount: number, onPart: () => void) {
  const size = Math.ceil(blockCount / PARTS);
  for (let start = 0; start < blockCount; start += size) {
    yield* entriesAt(`map ${start}`, [[start, Math.min(size, blockCount - start)]]);
    onPart();
  }
}

function nodeCache(sizeBytes: number): LruCache<Node> {
  return new LruCache<Node>(sizeBytes, (node) => node.sizeBytes);
}

async function lookUp(
  store: NodeStore,
  root: Root,
  blockCount: number,
): Promise<{ readonly lookupReads: number; readonly lookupMs: number }> {
  let reads = 0;
  const counting: NodeStore = {
    ...store,
    getNode(digest) {
      reads += 1;
      return store.getNode(digest);
    },
  };
  const counts: number[] = [];
  const times: number[] = [];
  for (let i = 0; i < LOOKUPS; i++) {
    const maps = new BlockMaps(counting, nodeCache(NODE_CACHE_BYTES_MAX));
    reads = 0;
    const startedAt = performance.now();
    const digest = await maps.lookup(root, Math.floor(((i + 0.5) * blockCount) / LOOKUPS));
    times.push(performance.now() - startedAt);
    if (digest === undefined) throw new Error("The map lacks a block that was written");
    counts.push(reads);
  }
  const middle = times.sort((a, b) => a - b)[LOOKUPS / 2] ?? Number.NaN;
  return { lookupReads: Math.max(...counts), lookupMs: middle };
}
