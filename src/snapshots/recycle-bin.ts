import type { AccountId } from "../model/ids.ts";
import { parseSnapshotId } from "../model/ids.ts";
import type { RecycledSnapshot } from "../model/snapshot.ts";
import type { Core } from "./core.ts";

/** The account's recycle bin, in order of id: all of it, or the snapshots of these ids. */
export async function listRecycleBin(
  core: Core,
  account: AccountId,
  snapshotIds: readonly string[],
): Promise<RecycledSnapshot[]> {
  const all = await core.catalog.retention.recycled(account);
  if (snapshotIds.length === 0) return all;
  const wanted = new Set(snapshotIds);
  return all.filter(({ snapshot }) => wanted.has(snapshot.id));
}

/** Takes a snapshot out of the recycle bin as it was; undefined if the account has none there. */
export async function restoreSnapshot(core: Core, account: AccountId, snapshotId: string) {
  const id = parseSnapshotId(snapshotId);
  const found = id && (await core.catalog.snapshots.get(id));
  if (found?.account !== account || found.state !== "recycled") return undefined;
  const isRestored = await core.catalog.retention.restore(found.id);
  return isRestored ? core.catalog.snapshots.get(found.id) : undefined;
}

/** Removes for good what has been in the recycle bin for its time. */
export async function emptyRecycleBin(core: Core): Promise<void> {
  await core.catalog.retention.purge(core.clock.nowMs());
}
