import type { DeletionOutcome } from "../catalog/catalog.ts";
import type { AccountId } from "../model/ids.ts";
import { MS_PER_DAY } from "../model/limits.ts";
import { type Core, findOwned, seenKey } from "./core.ts";

/**
 * Deletes a snapshot in whatever state it is, unless a lock or an image holds it. A completed one
 * goes to the recycle bin, where there is one. Its children keep every block they inherited, and
 * no bytes are removed here: that is the collector's work.
 */
export async function deleteSnapshot(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<DeletionOutcome> {
  const snapshot = await findOwned(core, account, snapshotId);
  if (!snapshot) return "unknown";
  const nowMs = core.clock.nowMs();
  const binnedUntilMs =
    core.recycleBinDays > 0 ? nowMs + core.recycleBinDays * MS_PER_DAY : undefined;
  const outcome = await core.catalog.snapshots.delete(snapshot.id, { nowMs, binnedUntilMs });
  core.seenPending?.delete(seenKey(account, snapshot.id));
  return outcome;
}
