import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { systemClock } from "./base/clock.ts";
import { LruCache } from "./base/lru-cache.ts";
import { systemRandom } from "./base/random.ts";
import { BlockStore } from "./blocks/block-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import type { DamagedRecord } from "./catalog/integrity.ts";
import {
  NewerCatalogError,
  openSqliteCatalog,
  StoreInUseError,
} from "./catalog/sqlite/sqlite-catalog.ts";
import { ownKeyEncryptionKey } from "./data-folder/key-file.ts";
import { catalogPaths, replaceCatalog } from "./data-folder/replace-catalog.ts";
import { KeyRing } from "./keys/key-ring.ts";
import {
  type KeyEncryptionKeySource,
  openKeyEncryptionKey,
} from "./keys/open-key-encryption-key.ts";
import { CatalogNotWrittenError, DiskFullError } from "./model/errors.ts";
import type { AccountId, Domain } from "./model/ids.ts";
import { NODE_CACHE_BYTES_MAX, SEGMENT_SIZE_BYTES_MAX } from "./model/limits.ts";
import { FileSegments } from "./segments/file-segments.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import type { ScaledStore } from "./service-config.ts";
import { findGap } from "./snapshots/whole-store/find-gap.ts";
import {
  type RebuildParts,
  type Rebuilt,
  rebuildCatalog,
} from "./snapshots/whole-store/rebuild.ts";
import { BlockMaps } from "./tree/block-map.ts";
import type { Node } from "./tree/node.ts";

/** What to rebuild, and how. */
export interface RebuildConfig {
  readonly dataDirectory: string;
  /** The bucket to read and the empty database to fill, instead of the folder. */
  readonly scaled?: ScaledStore | undefined;
  /** As the service is started with; undefined for the one in the data folder. */
  readonly keyEncryptionKey?: KeyEncryptionKeySource | undefined;
  /** True to take the rebuilt catalog even where the one that is there knows more. */
  readonly force?: boolean;
}

/** How a rebuild ended. */
export interface RebuildOutcome extends Rebuilt {
  /**
   * `replaced`: the rebuilt catalog is the store's now. `healthy`: the one that is there is sound,
   * knows all that the segments tell and finds all of each snapshot, and was left alone.
   * `differs`: it lacks something and knows something else besides, so neither was thrown away;
   * `force` replaces it.
   */
  readonly outcome: "replaced" | "healthy" | "differs";
  /** Damaged records that the catalog which was left alone did not know as such, and now does. */
  readonly notedCount: number;
  /** Where the catalog lies that was replaced; undefined where there was none to keep. */
  readonly kept: string | undefined;
}

/**
 * Makes a store's catalog anew from its segments, which are only read. In a folder the catalog that
 * is there is replaced at the very end, and kept; rejects with a `StoreInUseError` while a service
 * has it. With a bucket, an empty database is filled, or with `force` one that was begun to be.
 */
export async function rebuildStore(config: RebuildConfig): Promise<RebuildOutcome> {
  if (config.scaled) return rebuildScaledStore(config, config.scaled);
  const dataDirectory = resolve(config.dataDirectory);
  const { path, rebuilt: rebuiltPath } = catalogPaths(dataDirectory);
  const wasThere = existsSync(path);
  // Where there was none, none is replaced.
  const existing = openExisting(path, config.force || !wasThere);
  const rebuilding = rebuildBeside(existing, { ...config, dataDirectory }, rebuiltPath);
  const found = await rebuilding.catch(async (error: unknown) => {
    await existing?.close();
    await remove(rebuiltPath);
    if (!wasThere) await remove(path);
    throw error instanceof DiskFullError
      ? new CatalogNotWrittenError(rebuiltPath, { cause: error })
      : error;
  });
  await existing?.close();
  if (found.outcome !== "replaced") {
    await remove(rebuiltPath);
    return { ...found, kept: undefined };
  }
  const kept = await replaceCatalog(dataDirectory);
  // Where there was none, an empty one held the folder's lock.
  if (!wasThere && kept !== undefined) await remove(kept);
  return { ...found, kept: wasThere ? kept : undefined };
}

/** Makes a catalog beside the one that is there, and finds out which of them is to stay. */
async function rebuildBeside(
  existing: Catalog | undefined,
  { dataDirectory, keyEncryptionKey, force }: RebuildConfig,
  rebuiltPath: string,
): Promise<Omit<RebuildOutcome, "kept">> {
  await remove(rebuiltPath);
  const segments = await FileSegments.open({
    directory: join(dataDirectory, "segments"),
    segmentSizeBytesMax: SEGMENT_SIZE_BYTES_MAX,
  });
  const catalog = openSqliteCatalog(rebuiltPath);
  try {
    const secret = () => ownKeyEncryptionKey(dataDirectory, systemRandom);
    const source = keyEncryptionKey ?? { secret: await secret() };
    const rebuilt = await rebuildCatalog(storeOf(catalog, segments, source));
    const damaged = await catalog.blocks.damaged(rebuilt.damagedCount);
    const there = existing && !force ? storeOf(existing, segments, source) : undefined;
    const outcome = there ? await compare(there, catalog, rebuilt) : "replaced";
    const notedCount = outcome === "replaced" ? 0 : await noteDamaged(existing, damaged);
    return { ...rebuilt, outcome, notedCount };
  } finally {
    await segments.close();
    await catalog.close();
  }
}

/** Has the catalog that stays know what was found damaged; answers how much it did not know. */
async function noteDamaged(
  existing: Catalog | undefined,
  damaged: readonly DamagedRecord[],
): Promise<number> {
  let count = 0;
  for (const record of damaged) if (await existing?.blocks.addDamaged(record)) count += 1;
  return count;
}

async function remove(catalogPath: string): Promise<void> {
  await Promise.all(["", "-wal"].map((end) => rm(catalogPath + end, { force: true })));
}

/**
 * The catalog that is there, or an empty one, which thereby is locked; undefined when it cannot be
 * opened.
 */
function openExisting(path: string, force = false): Catalog | undefined {
  try {
    return openSqliteCatalog(path);
  } catch (error) {
    if (error instanceof StoreInUseError) throw error;
    // What is in it cannot be compared. That may be a flipped bit, so it can be insisted on.
    if (error instanceof NewerCatalogError && !force) throw error;
    // Nothing has been said about it yet: it may be whole.
    if (isOfSystem(error) && !force) throw notOpened(path, error as Error);
    // Lost or damaged: that is what this is for.
    return undefined;
  }
}

function notOpened(path: string, cause: Error): Error {
  const message =
    `The catalog ${path} cannot be opened: ${cause.message.replace(/\.$/, "")}. It may be whole, ` +
    "and stays. Mend that and rebuild once more; --force replaces it all the same";
  return new Error(message, { cause });
}

/** True for what the system told, and not SQLite of the file: no room, no right, no such disk. */
function isOfSystem(error: unknown): boolean {
  if (error instanceof DiskFullError) return true;
  const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const { errno, errcode } = reason as { readonly errno?: number; readonly errcode?: number };
  return errno !== undefined && errcode === undefined;
}

/** A catalog with the segments that it is of, or that it is to be made from. */
function storeOf(
  catalog: Catalog,
  segments: SegmentStore,
  source: KeyEncryptionKeySource,
): RebuildParts {
  const [random, clock] = [systemRandom, systemClock];
  const keyEncryptionKey = openKeyEncryptionKey(source, random);
  const keys = new KeyRing({ table: catalog.encryption, keyEncryptionKey, random, clock });
  const blocks = new BlockStore(segments, catalog, keys);
  const nodes = new LruCache<Node>(NODE_CACHE_BYTES_MAX, (node) => node.sizeBytes);
  const maps = (domain: Domain) => new BlockMaps(blocks.nodeStore(domain), nodes);
  return { catalog, blocks, maps, clock };
}

async function rebuildScaledStore(
  { keyEncryptionKey, force = false }: RebuildConfig,
  address: ScaledStore,
): Promise<RebuildOutcome> {
  if (!keyEncryptionKey) throw new Error("Give the key-encryption key that the store has.");
  const parts = { clock: systemClock, random: systemRandom, log: () => undefined };
  const { openEngines } = await import("./open-scaled-store.ts");
  const { S3Segments } = await import("./segments/s3-segments.ts");
  const { catalog, bucket, mark, close } = await openEngines(address, parts);
  try {
    if (mark === undefined) throw new Error(`${bucket.place} holds no store to rebuild.`);
    const accounts = await catalog.identity.accounts();
    if (accounts.length > 0 && !(force && accounts.includes(mark as AccountId))) {
      throw new Error(
        "The catalog is not empty: give an empty database, or --force to go on with one that was " +
          "begun to be rebuilt from this bucket.",
      );
    }
    // First: it is the account that manages the store, and that the bucket is marked with.
    await catalog.identity.addAccount(mark as AccountId);
    const nextNumber = () => Promise.reject(new Error("A rebuild writes no segments"));
    const segments = new S3Segments({ ...parts, bucket, nextNumber });
    const rebuilt = await rebuildCatalog(storeOf(catalog, segments, keyEncryptionKey));
    // Also those in which nothing was found that could be located.
    const last = (await segments.list()).at(-1)?.segment;
    if (last !== undefined) await catalog.segments.pass(last);
    return { ...rebuilt, outcome: "replaced", notedCount: 0, kept: undefined };
  } finally {
    await close();
  }
}

/** Which catalog is to stay: the one that is there, or the rebuilt one, which tells so much. */
async function compare(
  there: RebuildParts,
  { journal }: Catalog,
  { incomplete }: Rebuilt,
): Promise<RebuildOutcome["outcome"]> {
  const { catalog } = there;
  if (!(await catalog.scrubs.findFaults()).isSound) return "replaced";
  // Put back as it once was, it knows nothing that the segments do not tell better.
  const isOlder = (await catalog.journal.sequence()) < (await journal.sequence());
  if (isOlder) return "replaced";
  // Keys alone, one after the other, for a large store's things fill much memory.
  const known = new Set((await catalog.journal.all()).keys());
  const rebuilt = new Set((await journal.all()).keys());
  if (rebuilt.isSubsetOf(known) && !(await hasGap(there, incomplete))) return "healthy";
  const knowsMore = !known.isSubsetOf(rebuilt);
  return knowsMore ? "differs" : "replaced";
}

/** True when the catalog does not find all of a snapshot of which a rebuild found everything. */
async function hasGap(there: RebuildParts, incomplete: Rebuilt["incomplete"]): Promise<boolean> {
  const { catalog, blocks, clock } = there;
  await blocks.recallDamaged({ nowMs: () => clock.nowMs(), onDamaged: () => undefined });
  // What a disk once failed to read may be whole.
  for (const record of await catalog.blocks.damaged(Number.MAX_SAFE_INTEGER)) {
    await blocks.records.verify(record);
  }
  const known = new Set(incomplete.map(({ snapshotId }) => snapshotId));
  for (const snapshot of await catalog.snapshots.inState("completed")) {
    if (known.has(snapshot.id)) continue;
    if ((await findGap(there, snapshot)) !== undefined) return true;
  }
  return false;
}
