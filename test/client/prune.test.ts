import assert from "node:assert/strict";
import { test } from "node:test";
import {
  completeSnapshot,
  copySnapshots,
  pruneSnapshots,
  startSnapshot,
  waitForSnapshot,
} from "../../src/client/index.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { startService } from "../support/service.ts";
import { clientFor } from "./_client.ts";

test("copies are pruned by the times of their originals", async (t) => {
  const clock = new MovingClock();
  const source = clientFor(t, await startService(t, { clock }), { clock });
  const destination = clientFor(t, await startService(t));
  const originals: string[] = [];
  let parent: string | undefined;
  for (let i = 0; i < 6; i++) {
    const input = { VolumeSize: 1, ParentSnapshotId: parent };
    const { SnapshotId } = await startSnapshot(source, input);
    await completeSnapshot(source, SnapshotId, { ChangedBlocksCount: 0 });
    await waitForSnapshot(source, SnapshotId);
    originals.push(SnapshotId);
    parent = SnapshotId;
    clock.advance(12 * 3_600_000);
  }
  const options = { rules: { daily: 2 }, grouping: { by: "none" }, dryRun: true } as const;
  const copies = await copySnapshots(source, destination, { snapshotIds: originals });
  const originalOf = new Map(copies.map((each) => [each.snapshotId, each.sourceSnapshotId]));
  const here = await pruneSnapshots(source, options);
  const there = await pruneSnapshots(destination, options);
  const actions = ({ decisions }: typeof here) =>
    decisions.map(({ action, snapshot }) => [
      action,
      originalOf.get(snapshot.snapshotId) ?? snapshot.snapshotId,
    ]);
  assert.deepEqual(actions(there), actions(here));
  assert.equal(here.decisions.filter(({ action }) => action === "keep").length, 2);
});
