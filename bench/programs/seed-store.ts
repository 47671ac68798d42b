// Makes the large store that no bench could upload: a million allocated blocks whose contents do
// not exist, in block maps and catalog rows that do.

import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { LruCache } from "../../src/base/lru-cache.ts";
import { systemRandom } from "../../src/base/random.ts";
import { BlockStore } from "../../src/blocks/block-store.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { ownKeyEncryptionKey } from "../../src/data-folder/key-file.ts";
import { ensureFirstAccount } from "../../src/identity/first-account.ts";
import type { RecordName } from "../../src/model/digest.ts";
import { blockCountOf } from "../../src/model/geometry.ts";
import type { AccountId } from "../../src/model/ids.ts";
import { BLOCK_SIZE_BYTES, SEGMENT_SIZE_BYTES_MAX } from "../../src/model/limits.ts";
import type { Snapshot } from "../../src/model/snapshot.ts";
import { FileSegments } from "../../src/segments/file-segments.ts";
import { BlockMaps, type MapEntry } from "../../src/tree/block-map.ts";
import { NO_SECRETS } from "../../test/support/fakes.ts";
import { randomBytesFrom } from "../harness/blocks.ts";
import { serveParent } from "../harness/commands.ts";
import { completedSnapshot, type Extent, entriesAt, expand } from "../harness/made-up.ts";
import { KEY_PAIR } from "../harness/target.ts";

/** Two snapshots of one lineage and the number of blocks at which they differ. */
export interface SnapshotPair {
  readonly first: string;
  readonly second: string;
  readonly changedCount: number;
}

/** What is in the store. */
export interface SeededStore {
  /** A volume of 1 TiB, about half allocated in extents of 1 to 64 blocks. */
  readonly listed: {
    readonly snapshotId: string;
    readonly extents: readonly Extent[];
    readonly blockCount: number;
  };
  /** 1 GiB, depth 2; two of them, so that one can warm the server up for the other. */
  readonly small: readonly SnapshotPair[];
  /** 64 TiB at the end of the chain, by how the changes lie. */
  readonly large: { readonly together: SnapshotPair; readonly scattered: SnapshotPair };
}

interface SeedOptions {
  readonly dataDirectory: string;
  readonly blockCount: number;
  readonly chainLength: number;
}

const CHANGED_COUNT = 1_000;
/** Files of 500 MiB all over the large volume. */
const LARGE_EXTENT_COUNT = 1_000;
const RECORD_BYTES = BLOCK_SIZE_BYTES + 80;

serveParent({ start: seed });

async function seed(options: SeedOptions): Promise<SeededStore> {
  const { dataDirectory, blockCount, chainLength } = options;
  // A service starts on no segments without the key that they were made with.
  await ownKeyEncryptionKey(dataDirectory, systemRandom);
  const directory = join(dataDirectory, "segments");
  const segmentCount = await makeSegments(directory, blockCount);
  const catalog = openSqliteCatalog(join(dataDirectory, "catalog.sqlite"));
  const owners = { identity: catalog.identity, random: systemRandom, clock: systemClock };
  const { key } = await ensureFirstAccount(owners, KEY_PAIR);
  const segmentSizeBytesMax = SEGMENT_SIZE_BYTES_MAX;
  const segments = await FileSegments.open({ directory, segmentSizeBytesMax });
  const blocks = new BlockStore(segments, catalog, NO_SECRETS);
  const maps = new BlockMaps(
    blocks.nodeStore(key.account),
    new LruCache(256 * 1024 * 1024, (node) => node.sizeBytes),
  );
  const seeder = new Seeder(catalog, maps, key.account);
  const listed = await seeder.addListed(blockCount, segmentCount);
  const small = [await seeder.addSmall("a"), await seeder.addSmall("b")];
  const large = await seeder.addLarge(blockCount, chainLength);
  await blocks.idle();
  await segments.close();
  await catalog.close();
  return { listed, small, large };
}

/** The files that so many blocks would fill, as holes: a start has to find its way among them. */
async function makeSegments(directory: string, blockCount: number): Promise<number> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const count = Math.ceil((blockCount * RECORD_BYTES) / SEGMENT_SIZE_BYTES_MAX);
  for (let segment = 1; segment <= count; segment++) {
    const name = `${String(segment).padStart(10, "0")}.segment`;
    const file = await open(join(directory, name), "wx", 0o600);
    await file.truncate(SEGMENT_SIZE_BYTES_MAX);
    await file.close();
  }
  return count;
}

class Seeder {
  readonly #catalog: Catalog;
  readonly #maps: BlockMaps;
  readonly #account: AccountId;

  constructor(catalog: Catalog, maps: BlockMaps, account: AccountId) {
    this.#catalog = catalog;
    this.#maps = maps;
    this.#account = account;
  }

  async addListed(blockCount: number, segmentCount: number): Promise<SeededStore["listed"]> {
    const extents = scatterClosely(blockCount);
    const writes = entriesAt("listed", extents);
    const stored = this.#withLocations(writes, segmentCount);
    const snapshot = await this.#add({ volumeSizeGib: 1024 }, undefined, stored);
    return { snapshotId: snapshot.id, extents, blockCount };
  }

  async addSmall(name: string): Promise<SnapshotPair> {
    const volume = { volumeSizeGib: 1 };
    const all: Extent[] = [[0, blockCountOf(1)]];
    const first = await this.#add(volume, undefined, entriesAt(`small ${name}`, all));
    const changed = pick(expand(all), CHANGED_COUNT);
    const second = await this.#add(volume, first, entriesAt(`small ${name} changed`, changed));
    return { first: first.id, second: second.id, changedCount: CHANGED_COUNT };
  }

  async addLarge(blockCount: number, chainLength: number): Promise<SeededStore["large"]> {
    const volume = { volumeSizeGib: 65_536 };
    const stride = Math.floor(blockCountOf(volume.volumeSizeGib) / LARGE_EXTENT_COUNT);
    const count = Math.floor(blockCount / LARGE_EXTENT_COUNT);
    // A stride that is no multiple of a node's span, so that extents begin anywhere in a leaf.
    const extents = Array.from(
      { length: LARGE_EXTENT_COUNT },
      (_, i) => [i * stride, count] as const,
    );
    let latest = await this.#add(volume, undefined, entriesAt("large", extents));
    for (let depth = 2; depth < chainLength; depth++) {
      const [start] = extents[(depth * 7) % extents.length] as Extent;
      const change = entriesAt(`large ${depth}`, [[start + (depth % count), 1]]);
      latest = await this.#add(volume, latest, change);
    }
    const together = extents.slice(0, 10).map(([start]) => [start, Math.min(count, 100)] as const);
    const scattered = extents.map(([start], i) => [start + (i % count), 1] as const);
    return {
      together: await this.#addSecond(latest, "together", together),
      scattered: await this.#addSecond(latest, "scattered", scattered),
    };
  }

  async #addSecond(
    first: Snapshot,
    name: string,
    extents: readonly Extent[],
  ): Promise<SnapshotPair> {
    const second = await this.#add(first, first, entriesAt(`large ${name}`, extents));
    const changedCount = extents.reduce((sum, [, count]) => sum + count, 0);
    return { first: first.id, second: second.id, changedCount };
  }

  /** Applies the writes and inserts the snapshot as if it had been completed just now. */
  async #add(
    { volumeSizeGib }: { readonly volumeSizeGib: number },
    parent: Snapshot | undefined,
    writes: AsyncIterable<readonly MapEntry[]>,
  ): Promise<Snapshot> {
    const { root, addedCount } = await this.#maps.apply(parent?.root, writes);
    const made = { account: this.#account, volumeSizeGib, parent, root, addedCount };
    const snapshot = completedSnapshot(made);
    await this.#catalog.snapshots.start(snapshot, undefined);
    return snapshot;
  }

  /** Enters a location for each block on its way into the map. */
  async *#withLocations(
    pages: AsyncIterable<readonly MapEntry[]>,
    segmentCount: number,
  ): AsyncGenerator<readonly MapEntry[]> {
    let position = 0;
    for await (const page of pages) {
      const locations = page.map(({ digest }) => {
        const place = position++ * RECORD_BYTES;
        const segment = 1 + Math.min(segmentCount - 1, Math.floor(place / SEGMENT_SIZE_BYTES_MAX));
        const offset = place % SEGMENT_SIZE_BYTES_MAX;
        return {
          domain: this.#account,
          name: digest as string as RecordName,
          segment,
          offset,
          length: RECORD_BYTES,
          replaces: false,
        };
      });
      await this.#catalog.blocks.commit(locations, []);
      yield page;
    }
  }
}

/** Extents of 1 to 64 blocks, 1 to 48 apart, as files lie on a disk half full. */
function scatterClosely(blockCount: number): Extent[] {
  const chance = randomBytesFrom("extents", 2 * blockCount);
  const extents: Extent[] = [];
  let [start, left] = [0, blockCount];
  for (let i = 0; left > 0; i += 2) {
    const count = Math.min(left, 1 + ((chance[i] as number) % 64));
    extents.push([start, count]);
    start += count + 1 + ((chance[i + 1] as number) % 48);
    left -= count;
  }
  return extents;
}

/** About evenly spaced block indexes, as extents of one block. */
function pick(indexes: readonly number[], count: number): Extent[] {
  const step = indexes.length / count;
  return Array.from({ length: count }, (_, i) => [indexes[Math.floor(i * step)] as number, 1]);
}
