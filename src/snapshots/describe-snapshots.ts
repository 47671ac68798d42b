import type { AccountId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Core, findOwned } from "./core.ts";

/** Snapshots read from the catalog at once while looking for those that match. */
const SCAN_COUNT = 1_000;

/** Which snapshots to describe, and from where. */
export interface DescribeSnapshotsInput {
  /** True for the snapshots wanted. */
  readonly matches: (snapshot: Snapshot) => boolean;
  /** Only snapshots with greater ids; "" for the beginning. */
  readonly afterId: string;
  /** Most snapshots to answer, at least 1. */
  readonly limit: number;
}

/** The account's matching snapshots in order of id, and whether there are more. */
export async function describeSnapshots(
  core: Core,
  account: AccountId,
  input: DescribeSnapshotsInput,
): Promise<{ readonly snapshots: readonly Snapshot[]; readonly hasMore: boolean }> {
  const snapshots: Snapshot[] = [];
  for (let afterId = input.afterId; ; ) {
    const page = await core.catalog.snapshots.page(account, afterId, SCAN_COUNT);
    for (const snapshot of page) {
      if (!input.matches(snapshot)) continue;
      if (snapshots.length === input.limit) return { snapshots, hasMore: true };
      snapshots.push(snapshot);
    }
    const last = page.at(-1);
    if (!last || page.length < SCAN_COUNT) return { snapshots, hasMore: false };
    afterId = last.id;
  }
}

/** The account's snapshots of those ids, in the order given, and the ids that name none. */
export async function findSnapshots(
  core: Core,
  account: AccountId,
  snapshotIds: readonly string[],
): Promise<{ readonly snapshots: readonly Snapshot[]; readonly unknownIds: readonly string[] }> {
  const snapshots: Snapshot[] = [];
  const unknownIds: string[] = [];
  for (const id of snapshotIds) {
    const snapshot = await findOwned(core, account, id);
    if (snapshot) snapshots.push(snapshot);
    else unknownIds.push(id);
  }
  return { snapshots, unknownIds };
}
