import type { Snapshot } from "../../model/snapshot.ts";
import type { OperationName } from "../../wire/operations.ts";
import { override } from "./_override.ts";
import type { Lateness } from "./aws.ts";
import type { View } from "./emulation.ts";

/**
 * Shows operations snapshots as they were some seconds ago, as AWS does: one just started is not
 * there for puts, and one just completed is still being completed for readers and children. The
 * operations then answer in their own words, after the checks that come before.
 */
export function lag({ startMs, readMs }: Pick<Lateness, "startMs" | "readMs">): View {
  const isRecent = (timeMs: number | undefined, nowMs: number, lagMs: number) =>
    timeMs !== undefined && nowMs < timeMs + lagMs;
  return (core, { operation }) => {
    const see = VIEWS[operation];
    if (see === undefined) return core;
    const { sharing } = core.catalog;
    const visible: typeof sharing.visible = async (account, id) => {
      const snapshot = await sharing.visible(account, id);
      const nowMs = core.clock.nowMs();
      return (
        snapshot &&
        see(snapshot, {
          justStarted: isRecent(snapshot.startTimeMs, nowMs, startMs),
          justCompleted: isRecent(snapshot.completionTimeMs, nowMs, readMs),
        })
      );
    };
    const catalog = override(core.catalog, { sharing: override(sharing, { visible }) });
    return { ...core, catalog };
  };
}

type See = (
  snapshot: Snapshot,
  is: { readonly justStarted: boolean; readonly justCompleted: boolean },
) => Snapshot | undefined;

const withoutJustStarted: See = (snapshot, is) =>
  snapshot.state === "pending" && is.justStarted ? undefined : snapshot;

const withJustCompletedStillSealing: See = (snapshot, is) =>
  snapshot.state === "completed" && is.justCompleted ? { ...snapshot, state: "sealing" } : snapshot;

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
  ListLineages: undefined,
  CountExclusiveBlocks: withJustCompletedStillSealing,
  GetSnapshotProgress: undefined,
};
