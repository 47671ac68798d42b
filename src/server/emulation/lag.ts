import type { Snapshot } from "../../model/snapshot.ts";
import type { OperationName } from "../../wire/operations.ts";
import { override } from "./_override.ts";
import type { View } from "./emulation.ts";

/**
 * Shows operations snapshots as they were some seconds ago, as AWS does: one just started is not
 * there for puts, and one just completed is still being completed for readers and children. The
 * operations then answer in their own words, after the checks that come before.
 */
export function lag(lagSeconds: number): View {
  const isRecent = (timeMs: number | undefined, nowMs: number) =>
    timeMs !== undefined && nowMs < timeMs + lagSeconds * 1_000;
  return (core, { operation }) => {
    const see = VIEWS[operation];
    if (see === undefined) return core;
    const { snapshots } = core.catalog;
    const get: typeof snapshots.get = async (id) => {
      const snapshot = await snapshots.get(id);
      const nowMs = core.clock.nowMs();
      return snapshot && see(snapshot, (timeMs) => isRecent(timeMs, nowMs));
    };
    const catalog = override(core.catalog, { snapshots: override(snapshots, { get }) });
    return { ...core, catalog };
  };
}

type See = (
  snapshot: Snapshot,
  isRecent: (timeMs: number | undefined) => boolean,
) => Snapshot | undefined;

const withoutJustStarted: See = (snapshot, isRecent) =>
  snapshot.state === "pending" && isRecent(snapshot.startTimeMs) ? undefined : snapshot;

const withJustCompletedStillSealing: See = (snapshot, isRecent) => {
  const isLate = snapshot.state === "completed" && isRecent(snapshot.completionTimeMs);
  return isLate ? { ...snapshot, state: "sealing" } : snapshot;
};

/** CompleteSnapshot sees what is: on AWS it lags neither behind the start nor behind itself. */
const VIEWS: Readonly<Record<OperationName, See | undefined>> = {
  StartSnapshot: withJustCompletedStillSealing,
  PutSnapshotBlock: withoutJustStarted,
  CompleteSnapshot: undefined,
  GetSnapshotBlock: withJustCompletedStillSealing,
  ListSnapshotBlocks: withJustCompletedStillSealing,
  ListChangedBlocks: withJustCompletedStillSealing,
  ListBlockDigests: withJustCompletedStillSealing,
  ListReadableBlocks: withJustCompletedStillSealing,
  VerifySnapshot: withJustCompletedStillSealing,
  ListVerifications: undefined,
};
