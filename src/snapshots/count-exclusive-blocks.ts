import { snapshotNotFound } from "../model/errors.ts";
import type { AccountId } from "../model/ids.ts";
import { countExclusive, type ExclusiveCount } from "../tree/exclusive.ts";
import { type Core, checkKeyUsable, findOwned } from "./core.ts";

/**
 * Snapshots that one is compared with: those of its lineage started next to it in time. What has
 * none of them, one further away could only have by being written again with the same bytes.
 */
const COMPARED_COUNT_MAX = 256;
/** Nodes read for one answer: at most as much as for some pages of a listing. */
const NODES_READ_MAX = 4_096;

/**
 * Counts the blocks of a completed snapshot of the account's own that no other one of its lineage
 * has at the same block index: what deleting it frees, but for equal contents elsewhere in the
 * store. Answers after a bounded amount of work where to go on.
 */
export async function countExclusiveBlocks(
  core: Core,
  account: AccountId,
  input: { readonly snapshotId: string; readonly fromIndex: number },
): Promise<ExclusiveCount> {
  const snapshot = await findOwned(core, account, input.snapshotId);
  if (snapshot?.state !== "completed") throw snapshotNotFound(input.snapshotId);
  await checkKeyUsable(core, snapshot);
  const { root, domain } = snapshot;
  const relatives = await core.catalog.snapshots.relatives(snapshot, COMPARED_COUNT_MAX);
  // One under way holds what its parent has.
  const others = relatives.map((each) => each.root ?? each.parentRoot);
  const { fromIndex } = input;
  return countExclusive(core.maps(domain), { root, others, fromIndex, nodesMax: NODES_READ_MAX });
}
