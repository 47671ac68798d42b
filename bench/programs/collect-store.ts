// Makes a store in which a snapshot has a million blocks and its child has changed some of them,
// then deletes the child and the parent and collects what that frees.

import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { LruCache } from "../../src/base/lru-cache.ts";
import { systemRandom } from "../../src/base/random.ts";
import { BlockStore } from "../../src/blocks/block-store.ts";
import { Compactor } from "../../src/blocks/compactor.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { ownKeyEncryptionKey } from "../../src/data-folder/key-file.ts";
import { ensureFirstAccount } from "../../src/identity/first-account.ts";
import type { RecordName } from "../../src/model/digest.ts";
import type { AccountId } from "../../src/model/ids.ts";
import {
  BLOCK_SIZE_BYTES,
  NODE_CACHE_BYTES_MAX,
  SEGMENT_SIZE_BYTES_MAX,
} from "../../src/model/limits.ts";
import type { Snapshot } from "../../src/model/snapshot.ts";
import { FileSegments } from "../../src/segments/file-segments.ts";
import { Collector } from "../../src/snapshots/chores/collector.ts";
import { BlockMaps, type MapEntry } from "../../src/tree/block-map.ts";
import type { Node } from "../../src/tree/node.ts";
import { NO_SECRETS } from "../../test/support/fakes.ts";
import { serveParent } from "../harness/commands.ts";
import { completedSnapshot, type Extent, entriesAt } from "../harness/made-up.ts";
import { KEY_PAIR } from "../harness/target.ts";

/** Seconds that collecting took, and what it found. */
export interface CollectTimes {
  /** After the child was deleted, whose blocks are a hundredth. */
  readonly hundredthSeconds: number;
  /** After the parent was, with all others. */
  readonly restSeconds: number;
  readonly hundredthCount: number;
  readonly restCount: number;
}

const RECORD_BYTES = BLOCK_SIZE_BYTES + 80;
const RECORDS_PER_SEGMENT = Math.floor(SEGMENT_SIZE_BYTES_MAX / RECORD_BYTES);
/** Of so many blocks that lie side by side, the child has changed a hundredth, also together. */
const GROUP_COUNT = 10_000;

serveParent({ run });

async function run(options: {
  readonly dataDirectory: string;
  readonly blockCount: number;
}): Promise<CollectTimes> {
  const { dataDirectory, blockCount } = options;
  // A service starts on no segments without the key that they were made with.
  await ownKeyEncryptionKey(dataDirectory, systemRandom);
  const directory = join(dataDirectory, "segments");
  const childCount = Math.floor(blockCount / 100);
  const hollow = await makeSegments(directory, blockCount, childCount);
  const catalog = openSqliteCatalog(join(dataDirectory, "catalog.sqlite"));
  const owners = { identity: catalog.identity, random: systemRandom, clock: systemClock };
  const { account } = (await ensureFirstAccount(owners, KEY_PAIR)).key;
  const segments = await FileSegments.open({
    directory,
    segmentSizeBytesMax: SEGMENT_SIZE_BYTES_MAX,
  });
  const blocks = new BlockStore(segments, catalog, NO_SECRETS);
  const nodes = new LruCache<Node>(NODE_CACHE_BYTES_MAX, (node) => node.sizeBytes);
  const maps = new BlockMaps(blocks.nodeStore(account), nodes);
  const parts = { catalog, maps, account };
  const group = (start: number) =>
    [start, Math.min(GROUP_COUNT / 100, blockCount - start)] as const;
  const changed: Extent[] = [];
  for (let start = 0; start < blockCount; start += GROUP_COUNT) changed.push(group(start));
  const parent = await add(parts, undefined, { extents: [[0, blockCount]], firstSegment: 1 });
  const child = await add(parts, parent, { extents: changed, firstSegment: hollow.firstOfChild });
  const onError = (_: unknown, error: unknown) => {
    throw error;
  };
  const compactor = new Compactor({ segments, table: catalog.segments, blocks, onError });
  const clock = systemClock;
  const common = { catalog, blocks, maps: () => maps, compactor, clock, onError };
  const collector = new Collector(common);
  // What was made without a snapshot under way is looked at once, and found to be needed.
  await collectTwice(collector);
  const remove = async ({ id }: Snapshot) => {
    await catalog.snapshots.delete(id, { nowMs: Date.now(), binnedUntilMs: undefined });
    const startedAt = performance.now();
    const count = await collectTwice(collector);
    return { seconds: (performance.now() - startedAt) / 1000, count };
  };
  const hundredth = await remove(child);
  const rest = await remove(parent);
  await segments.close();
  await catalog.close();
  return {
    hundredthSeconds: hundredth.seconds,
    restSeconds: rest.seconds,
    hundredthCount: hundredth.count,
    restCount: rest.count,
  };
}

/** What is found once is removed when it is found again. */
async function collectTwice(collector: Collector): Promise<number> {
  const options = { graceSeconds: 0, isDryRun: false };
  await collector.collect(options);
  return (await collector.collect(options)).removedCount;
}

/** Holes where blocks would lie; the child's have segments of their own. */
async function makeSegments(directory: string, blockCount: number, childCount: number) {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [own, others] = [blockCount, childCount].map((n) => Math.ceil(n / RECORDS_PER_SEGMENT)) as [
    number,
    number,
  ];
  for (let segment = 1; segment <= own + others; segment++) {
    const name = `${String(segment).padStart(10, "0")}.segment`;
    const file = await open(join(directory, name), "wx", 0o600);
    await file.truncate(SEGMENT_SIZE_BYTES_MAX);
    await file.close();
  }
  return { firstOfChild: own + 1 };
}

async function add(
  parts: { readonly catalog: Catalog; readonly maps: BlockMaps; readonly account: AccountId },
  parent: Snapshot | undefined,
  made: { readonly extents: readonly Extent[]; readonly firstSegment: number },
): Promise<Snapshot> {
  const { catalog, maps, account } = parts;
  const entries = entriesAt(parent ? "child" : "parent", made.extents);
  const writes = located(parts, entries, made.firstSegment);
  const { root, addedCount } = await maps.apply(parent?.root, writes);
  const snapshot = completedSnapshot({ account, volumeSizeGib: 1024, parent, root, addedCount });
  await catalog.snapshots.start(snapshot, undefined);
  return snapshot;
}

/** Enters a location for each block on its way into the map. */
async function* located(
  { catalog, account }: { readonly catalog: Catalog; readonly account: AccountId },
  pages: AsyncIterable<readonly MapEntry[]>,
  firstSegment: number,
): AsyncGenerator<readonly MapEntry[]> {
  let position = 0;
  for await (const page of pages) {
    const locations = page.map(({ digest }) => {
      const segment = firstSegment + Math.floor(position / RECORDS_PER_SEGMENT);
      const offset = 16 + (position % RECORDS_PER_SEGMENT) * RECORD_BYTES;
      position += 1;
      const name = digest as string as RecordName;
      return { domain: account, name, segment, offset, length: RECORD_BYTES, replaces: false };
    });
    await catalog.blocks.commit(locations, []);
    yield page;
  }
}
