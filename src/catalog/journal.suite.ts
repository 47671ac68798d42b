import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { SnapshotId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";

interface Subject {
  readonly open: (t: TestContext) => Promise<{ readonly catalog: Catalog }>;
  readonly snapshot: (id: string) => Snapshot;
}

/** Which snapshots' ends every `Catalog` must have journaled. */
export function journalSuite(name: string, { open, snapshot }: Subject): void {
  for (const state of ["sealing", "completed", "error"] as const) {
    test(`${name} is told of a snapshot's end from ${state}: it may have a manifest`, async (t) => {
      const { catalog } = await open(t);
      const { id } = snapshot("snap-01");
      await catalog.snapshots.start(snapshot(id), undefined);
      const completion = { changedBlocksCount: 0, linearDigest: undefined };
      await catalog.snapshots.changeState(id, "pending", { state: "sealing", completion });
      if (state !== "sealing") await catalog.snapshots.changeState(id, "sealing", { state });
      assert.deepEqual(await endsOf(catalog), [`snapshot/${id}`]);
    });
  }

  test(`${name} is not told of a snapshot's end that was never to be sealed`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    assert.deepEqual(await endsOf(catalog), []);
  });
}

/** What is to be journaled as gone after the snapshot has been deleted. */
async function endsOf(catalog: Catalog): Promise<string[]> {
  const terms = { nowMs: 0, binnedUntilMs: undefined };
  assert.equal(await catalog.snapshots.delete("snap-01" as SnapshotId, terms), "deleted");
  const changes = await catalog.journal.changes(100);
  return changes.flatMap(({ entry }) => (entry.value === undefined ? [entry.key] : []));
}
