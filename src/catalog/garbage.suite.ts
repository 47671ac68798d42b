import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { seededBytes } from "../../test/support/property.ts";
import { digestFromBytes } from "../model/digest.ts";
import type { AccountId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";

const [OWN, PARENTS] = ["own", "parent's"].map((name) => digestFromBytes(seededBytes(name, 32)));
/** Deletion without a recycle bin, at a time when no lock holds any more. */
const AT_ONCE = { nowMs: Number.MAX_SAFE_INTEGER, binnedUntilMs: undefined };

interface Subject {
  readonly open: (t: TestContext) => Promise<{ readonly catalog: Catalog }>;
  readonly account: AccountId;
  readonly snapshot: (id: string, fields?: Partial<Snapshot>) => Snapshot;
}

/** What every `Catalog` knows of trees that lost a reference. */
export function garbageSuite(name: string, { open, account, snapshot }: Subject): void {
  test(`${name} holds a tree that lost its snapshot until all of it has been noted`, async (t) => {
    const { catalog } = await open(t);
    const { liveness, garbage, snapshots } = catalog;
    const { id, lineage } = snapshot("snap-01");
    const completed = snapshot(id, { state: "completed", root: OWN });
    assert.equal(await snapshots.start(completed, undefined), undefined);
    const held = { lineage, root: OWN };
    assert.deepEqual(await liveness.roots(account), [{ ...held, isGarbage: false }]);
    assert.equal(await snapshots.delete(id, AT_ONCE), "deleted");
    assert.deepEqual(await liveness.roots(account), [{ ...held, isGarbage: true }]);
    const [noted, ...others] = await garbage.roots(10);
    assert.deepEqual([noted?.root, others], [OWN, []]);
    await garbage.removeRoot(noted?.number as number);
    assert.deepEqual(await liveness.roots(account), []);
  });

  test(`${name} notes a parent's tree once: it may be gone when its child goes`, async (t) => {
    const { catalog } = await open(t);
    const { garbage, snapshots } = catalog;
    for (const id of ["snap-01", "snap-02"]) {
      const pending = snapshot(id, { parentRoot: PARENTS });
      assert.equal(await snapshots.start(pending, undefined), undefined);
    }
    const takeNoted = async () => {
      const roots = await garbage.roots(10);
      for (const { number } of roots) await garbage.removeRoot(number);
      return roots.map(({ root }) => root);
    };
    const { id: settled } = snapshot("snap-01");
    await snapshots.changeState(settled, "pending", { state: "error" });
    assert.deepEqual(await takeNoted(), [PARENTS]);
    assert.equal(await snapshots.delete(settled, AT_ONCE), "deleted");
    assert.deepEqual(await takeNoted(), []);
    assert.equal(await snapshots.delete(snapshot("snap-02").id, AT_ONCE), "deleted");
    assert.deepEqual(await takeNoted(), [PARENTS]);
  });
}
