import { nextTurn } from "../base/next-turn.ts";
import type { AccountId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Core, isVisible } from "./core.ts";
import type { Matcher } from "./filters.ts";

/** Snapshots read from the catalog at once while looking for those that match. */
const SCAN_COUNT = 1_000;

/** Which snapshots to describe, and from where. */
export interface DescribeSnapshotsInput {
  /** True for the snapshots wanted. */
  readonly matches: Matcher<Snapshot>;
  /** Those shared with the account, too, or only its own. */
  readonly withShared: boolean;
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
  const { sharing, snapshots: table } = core.catalog;
  const snapshots: Snapshot[] = [];
  for (let afterId = input.afterId; ; ) {
    const page = input.withShared
      ? await sharing.visiblePage(account, afterId, SCAN_COUNT)
      : await table.page(account, afterId, SCAN_COUNT);
    for (const snapshot of page) {
      if (!(await input.matches(snapshot))) continue;
      if (!(await isVisible(core, account, snapshot))) continue;
      if (snapshots.length === input.limit) return { snapshots, hasMore: true };
      snapshots.push(snapshot);
    }
    const last = page.at(-1);
    if (!last || page.length < SCAN_COUNT) return { snapshots, hasMore: false };
    afterId = last.id;
    // A filter that matches little may look at very many: others get their turn in between.
    await nextTurn();
  }
}

/** The snapshots that `find` finds, each once, in the order given, and the ids that name none. */
export async function findSnapshots(
  snapshotIds: readonly string[],
  find: (snapshotId: string) => Promise<Snapshot | undefined>,
): Promise<{ readonly snapshots: readonly Snapshot[]; readonly unknownIds: readonly string[] }> {
  const snapshots: Snapshot[] = [];
  const unknownIds: string[] = [];
  for (const id of new Set(snapshotIds)) {
    const snapshot = await find(id);
    if (snapshot) snapshots.push(snapshot);
    else unknownIds.push(id);
  }
  return { snapshots, unknownIds };
}
