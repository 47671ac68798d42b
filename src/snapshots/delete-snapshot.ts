import type { AccountId } from "../model/ids.ts";
import { type Core, findOwned } from "./core.ts";

/**
 * Deletes a snapshot in whatever state it is; false when the account has none of that id. Its
 * children keep every block they inherited, and no bytes are removed here: that is the
 * collector's work.
 */
export async function deleteSnapshot(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<boolean> {
  const snapshot = await findOwned(core, account, snapshotId);
  return snapshot !== undefined && core.catalog.snapshots.delete(snapshot.id);
}
