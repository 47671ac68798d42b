import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { BlockStore } from "../blocks/block-store.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { snapshotNotFound } from "../model/errors.ts";
import { type AccountId, parseSnapshotId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { BlockMaps } from "../tree/block-map.ts";
import type { Sealer } from "./sealer.ts";
import type { Tokens } from "./tokens.ts";

/** What the operations work with; made once by the composition root and passed to each. */
export interface Core {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  /** The block maps of one account's domain. */
  readonly maps: (domain: AccountId) => BlockMaps;
  readonly tokens: Tokens;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
}

/** The snapshot of that id if this account owns it, whatever its state; else undefined. */
export async function findOwned(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot | undefined> {
  const id = parseSnapshotId(snapshotId);
  const snapshot = id && (await core.catalog.snapshots.get(id));
  return snapshot?.account === account ? snapshot : undefined;
}

/** The snapshot of that id if this account may read it; else undefined. Only completed ones are. */
export async function findReadable(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot | undefined> {
  const snapshot = await findOwned(core, account, snapshotId);
  return snapshot?.state === "completed" ? snapshot : undefined;
}

/** Like `findReadable`, but throws AWS's "does not exist". */
export async function readable(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot> {
  const snapshot = await findReadable(core, account, snapshotId);
  if (!snapshot) throw snapshotNotFound(snapshotId);
  return snapshot;
}
