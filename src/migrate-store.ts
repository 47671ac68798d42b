import { systemClock } from "./base/clock.ts";
import { LruCache } from "./base/lru-cache.ts";
import { systemRandom } from "./base/random.ts";
import { BlockStore } from "./blocks/block-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { checkHoldsStore } from "./data-folder/holds-store.ts";
import { KeyRing } from "./keys/key-ring.ts";
import {
  type KeyEncryptionKeySource,
  openKeyEncryptionKey,
} from "./keys/open-key-encryption-key.ts";
import type { AccountId, Domain } from "./model/ids.ts";
import { NODE_CACHE_BYTES_MAX } from "./model/limits.ts";
import { type LogEntry, logger } from "./model/log.ts";
import { openEngines } from "./open-scaled-store.ts";
import { openEmbeddedStore, type Store, type StoreParts } from "./open-store.ts";
import { readOnly } from "./read-only-store.ts";
import { S3Segments } from "./segments/s3-segments.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import { markStore } from "./segments/store-mark.ts";
import { type Service, serveStore } from "./service.ts";
import type { ScaledStore, ServiceConfig } from "./service-config.ts";
import { logLines } from "./signals/log-lines.ts";
import {
  type Migrated,
  type MigrationProgress,
  type MigrationSide,
  migrateStore,
} from "./snapshots/whole-store/migrate.ts";
import { BlockMaps } from "./tree/block-map.ts";
import type { Node } from "./tree/node.ts";

/** What to migrate, and how. */
export interface MigrationConfig {
  /** The embedded store's folder. */
  readonly dataDirectory: string;
  readonly scaled: ScaledStore;
  /** `out` of the folder into the engines, or back `in`. */
  readonly direction: "out" | "in";
  /** What wraps the secrets of encryption keys, in both stores; default: what the folder keeps. */
  readonly keyEncryptionKey?: KeyEncryptionKeySource | undefined;
  /** How the folder's store is served meanwhile, for reading only; undefined for not at all. */
  readonly serve?: Omit<ServiceConfig, "dataDirectory" | "scaled"> | undefined;
  readonly onServing?: ((service: Service) => void) | undefined;
  readonly onProgress?: ((progress: MigrationProgress) => void) | undefined;
  readonly log?: ((entry: LogEntry) => void) | undefined;
}

export type { Migrated, MigrationProgress };

/**
 * Brings a store from a folder into a bucket and a database, or back. The folder must not be in
 * use: its reads go on from here, where wished. The other way round, reads go on at the processes
 * that serve the engines; what they change meanwhile is what the outcome `changed` tells of.
 */
export async function migrate(config: MigrationConfig): Promise<Migrated> {
  const [random, clock] = [systemRandom, systemClock];
  const log = config.log ?? logLines("info").write;
  const parts: StoreParts = { random, clock, log: logger(log, clock) };
  if (config.direction === "out") await checkHoldsStore(config.dataDirectory);
  const folder = await openEmbeddedStore(config.dataDirectory, parts);
  let service: Service | undefined;
  try {
    const given = config.keyEncryptionKey;
    const keyEncryptionKey = given ?? (await keyOf(folder, config));
    if (config.direction === "out" && config.serve) {
      const served = { ...config.serve, keyEncryptionKey };
      service = await serveStore(served, readOnly(folder));
      config.onServing?.(service);
    }
    return await withEngines({ ...config, keyEncryptionKey }, folder, parts);
  } finally {
    // Which closes the store, too.
    await (service ?? folder).close();
  }
}

/** The way back, the folder is new and has no key that could unwrap anything. */
function keyOf(folder: Store, { direction }: MigrationConfig): Promise<KeyEncryptionKeySource> {
  if (direction === "out") return folder.ownKeyEncryptionKey(false);
  throw new Error("Give the key-encryption key that the store in the bucket is served with.");
}

async function withEngines(
  config: MigrationConfig & { readonly keyEncryptionKey: KeyEncryptionKeySource },
  folder: Store,
  parts: StoreParts,
): Promise<Migrated> {
  const engines = await openEngines(config.scaled, parts);
  const { bucket, catalog, mark } = engines;
  try {
    // Nobody else writes there: a migration goes into a store that is not served yet.
    const counting = new S3Segments({ ...parts, bucket, nextNumber: async () => next++ });
    let next = ((await counting.list()).at(-1)?.segment ?? 0) + 1;
    const source = keyEncryptionKeyOf(config, parts);
    const here = sideOf(folder.catalog, folder.segments, source);
    const there = sideOf(catalog, counting, source);
    const { onProgress } = config;
    const { clock } = parts;
    if (config.direction === "in") {
      return await migrateStore({ source: there, target: here, clock, onProgress });
    }
    await claim(mark, folder.catalog, (account) => markStore(bucket, account));
    const migrated = await migrateStore({ source: here, target: there, clock, onProgress });
    // Also what an interrupted run wrote and did not come to commit.
    await catalog.segments.pass(next - 1);
    return migrated;
  } finally {
    await engines.close();
  }
}

async function claim(
  mark: string | undefined,
  { identity }: Catalog,
  markAs: (account: AccountId) => Promise<string>,
): Promise<void> {
  const [account] = await identity.accounts();
  if (account === undefined)
    throw new Error("The data folder holds no store to migrate: give one that was served.");
  const owner = mark ?? (await markAs(account));
  if (owner === account) return;
  throw new Error(`The bucket holds the store of account ${owner}: give a prefix of its own.`);
}

type KeyMaker = (catalog: Catalog) => KeyRing;

function keyEncryptionKeyOf(
  config: { readonly keyEncryptionKey: KeyEncryptionKeySource },
  { random, clock }: StoreParts,
): KeyMaker {
  const keyEncryptionKey = openKeyEncryptionKey(config.keyEncryptionKey, random);
  return (catalog) => new KeyRing({ table: catalog.encryption, keyEncryptionKey, random, clock });
}

function sideOf(catalog: Catalog, segments: SegmentStore, keysOf: KeyMaker): MigrationSide {
  const blocks = new BlockStore(segments, catalog, keysOf(catalog));
  const nodes = new LruCache<Node>(NODE_CACHE_BYTES_MAX, (node) => node.sizeBytes);
  return {
    catalog,
    blocks,
    maps: (domain: Domain) => new BlockMaps(blocks.nodeStore(domain), nodes),
  };
}
