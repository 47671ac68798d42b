import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { seededBytes } from "../../test/support/property.ts";
import { digestFromBytes } from "../model/digest.ts";
import type { AccountId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";

const [OWN, PARENTS] = ["own", "parent's"].map((name) => digestFromBytes(seededBytes(name, 32)));

interface Subject {
  readonly open: (t: TestContext) => Promise<{ readonly catalog: Catalog }>;
  readonly account: AccountId;
  readonly snapshot: (id: string, fields?: Partial<Snapshot>) => Snapshot;
}

/** What every `Catalog` knows of trees that lost a reference. */
export function garbageSuite(name: string, { open, account, snapshot }: Subject): void {
  test(`${name} holds a tree that lost its snapshot until all of it has been noted`, async (t) => {
    const { catalog } = await open(t);
    const trees = { root: OWN, parentRoot: PARENTS };
    const completed = snapshot("snap-01", { state: "completed", ...trees });
    const { id, lineage } = completed;
    assert.equal(await catalog.snapshots.start(completed, undefined), undefined);
    const { liveness, garbage, snapshots } = catalog;
    assert.deepEqual(await liveness.roots(account), [{ lineage, root: OWN }]);
    const terms = { nowMs: Number.MAX_SAFE_INTEGER, binnedUntilMs: undefined };
    assert.equal(await snapshots.delete(id, terms), "deleted");
    const held = [OWN, PARENTS].map((root) => ({ lineage, root }));
    assert.deepEqual(new Set(await liveness.roots(account)), new Set(held));
    for (const { number } of await garbage.roots(10)) {
      assert.ok((await liveness.roots(account)).length > 0);
      await garbage.removeRoot(number);
    }
    assert.deepEqual(await liveness.roots(account), []);
  });
}
