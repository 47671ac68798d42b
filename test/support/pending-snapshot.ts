import type { AccountId, SnapshotId } from "../../src/model/ids.ts";
import type { Snapshot } from "../../src/model/snapshot.ts";

/** A pending snapshot of 1 GiB as the catalog keeps it: unencrypted, without parent or writes. */
export function pendingSnapshot(
  id: SnapshotId,
  account: AccountId,
  fields: Partial<Snapshot> = {},
): Snapshot {
  return {
    id,
    account,
    domain: account,
    state: "pending",
    stateMessage: undefined,
    parent: undefined,
    lineage: id,
    volumeSizeGib: 1,
    description: undefined,
    tags: [],
    startTimeMs: 1_000,
    completionTimeMs: undefined,
    timeoutMinutes: 60,
    expiresAtMs: 5_000,
    parentRoot: undefined,
    parentBlockCount: 0,
    root: undefined,
    blockCount: 0,
    writtenBlockCount: 0,
    completion: undefined,
    ...fields,
  };
}
