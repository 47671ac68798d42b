import type { Clock } from "../base/clock.ts";
import type { LruCache } from "../base/lru-cache.ts";
import type { Random } from "../base/random.ts";
import type { BlockStore } from "../blocks/block-store.ts";
import type { Journaler } from "../blocks/journaler.ts";
import type { Scrubber } from "../blocks/scrubber.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { TokenSecrets } from "../keys/token-secrets.ts";
import { invalid, keyNotFound, snapshotNotFound } from "../model/errors.ts";
import { type AccountId, type Domain, isKeyDomain, parseSnapshotId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { BlockMaps } from "../tree/block-map.ts";
import type { Collections } from "./chores/collections.ts";
import type { Collector } from "./chores/collector.ts";
import type { Copier } from "./chores/copier.ts";
import type { Sealer } from "./chores/sealer.ts";
import { granteesInForce } from "./public-access.ts";
import type { Tokens } from "./tokens/tokens.ts";

/** How the service was started, for those who ask; it changes nothing that it stands here. */
export interface StartOptions {
  readonly collectMinutes: number;
  readonly scrubDays: number;
  readonly tokenSecretDays: number;
  /** True where what wraps the secrets of encryption keys was given, and is not kept here. */
  readonly isKeyEncryptionKeyGiven: boolean;
  readonly emulation: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** What the operations work with; made once by the composition root and passed to each. */
export interface Core {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  readonly keys: KeyRing;
  /** The block maps of one domain. */
  readonly maps: (domain: Domain) => BlockMaps;
  readonly tokens: Tokens;
  readonly tokenSecrets: TokenSecrets;
  readonly sealer: Sealer;
  readonly copier: Copier;
  readonly collector: Collector;
  readonly collections: Collections;
  readonly journaler: Journaler;
  readonly scrubber: Scrubber;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Whether this process does what one of those that serve a store does for all; always, where it
   * serves alone. What is begun while it leads may end when it does no more, and does no harm.
   */
  readonly leads: () => boolean;
  /** The region this service runs as. */
  readonly region: string;
  /** Days that a deleted snapshot stays in the recycle bin; 0 for no bin. */
  readonly recycleBinDays: number;
  readonly startOptions: StartOptions;
  /** Whether ListChangedBlocks goes by who wrote, as AWS's does; by contents unless said so. */
  readonly changesBy?: "writers" | undefined;
  /**
   * Pending snapshots as they were when this process last looked, by account and id; undefined
   * where looking costs nothing. Only for puts: what they take from there never changes, and
   * whether the snapshot still takes writes is decided by the transaction that commits them.
   * What this process ends it forgets, so that a put too late stores nothing before its refusal.
   */
  readonly seenPending?: LruCache<Snapshot> | undefined;
  /** Throws a `DiskFullError` while the store takes no new data. */
  readonly checkRoom: () => void;
}

/**
 * The snapshot of that id that this account owns or that was ever granted to it, unless it was
 * deleted or the text is no id.
 */
async function find(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot | undefined> {
  const id = parseSnapshotId(snapshotId);
  return id && core.catalog.sharing.visible(account, id);
}

/** The snapshot of that id if this account owns it, whatever its state; else undefined. */
export async function findOwned(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot | undefined> {
  const snapshot = await find(core, account, snapshotId);
  return snapshot?.account === account ? snapshot : undefined;
}

/** The snapshot of that id if this account may know of it: its own, shared with it, or public. */
export async function findVisible(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot | undefined> {
  const snapshot = await find(core, account, snapshotId);
  return snapshot && (await isVisible(core, account, snapshot)) ? snapshot : undefined;
}

/** True if this account may know of the snapshot. */
export async function isVisible(
  core: Core,
  account: AccountId,
  snapshot: Snapshot,
): Promise<boolean> {
  if (snapshot.account === account) return true;
  const grantees = await granteesInForce(core.catalog, snapshot);
  return grantees.includes(account) || grantees.includes("all");
}

/**
 * The snapshot of that id if this account may read it, whatever its key; else undefined. Only
 * completed ones are: one's own, and those shared with the account by name. A public one is
 * refused in so many words, as on AWS, even to an account that is also named.
 */
export async function findReadable(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot | undefined> {
  const snapshot = await find(core, account, snapshotId);
  if (snapshot?.state !== "completed") return undefined;
  if (snapshot.account === account) return snapshot;
  const grantees = await granteesInForce(core.catalog, snapshot);
  if (grantees.includes("all")) {
    throw invalid("INVALID_SNAPSHOT_ID", "Public snapshots are not supported");
  }
  return grantees.includes(account) ? snapshot : undefined;
}

/** Like `findReadable`, but throws AWS's "does not exist", and for a key that is not usable. */
export async function readable(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot> {
  const snapshot = await findReadable(core, account, snapshotId);
  if (!snapshot) throw snapshotNotFound(snapshotId);
  await checkKeyUsable(core, snapshot);
  return snapshot;
}

/** Under what `seenPending` has a snapshot. */
export function seenKey(account: AccountId, snapshotId: string): string {
  return `${account} ${snapshotId}`;
}

/** Throws AWS's "KMS key not found" unless the snapshot's key, if it has one, may be used. */
export async function checkKeyUsable(core: Core, { domain }: Snapshot): Promise<void> {
  if (!isKeyDomain(domain)) return;
  const key = await core.catalog.encryption.ofDomain(domain);
  if (key?.state !== "enabled") throw keyNotFound();
}
