import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Snapshot, Tag } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";

interface Subject {
  readonly open: (t: TestContext) => Promise<{ readonly catalog: Catalog }>;
  readonly snapshot: (id: string, fields?: Partial<Snapshot>) => Snapshot;
}

/** What every `Catalog` must do for the tags of snapshots. */
export function tagsSuite(name: string, { open, snapshot }: Subject): void {
  const first = snapshot("snap-01", { tags: [{ Key: "a", Value: "1" }] });

  async function opened(t: TestContext): Promise<Catalog["snapshots"]> {
    const { snapshots } = (await open(t)).catalog;
    await snapshots.start(first, undefined);
    return snapshots;
  }

  test(`${name}.snapshots replaces tags as a whole`, async (t) => {
    const snapshots = await opened(t);
    const tags = [{ Key: "b", Value: "2" }];
    await snapshots.changeTags(first.id, () => tags);
    assert.deepEqual((await snapshots.get(first.id))?.tags, tags);
    await snapshots.changeTags(snapshot("snap-02").id, () =>
      assert.fail("there is none to change"),
    );
  });

  test(`${name}.snapshots loses none of the tags that are added at once`, async (t) => {
    const snapshots = await opened(t);
    const added = Array.from({ length: 12 }, (_, i): Tag => ({ Key: `k${i}`, Value: "" }));
    const adding = added.map((tag) => snapshots.changeTags(first.id, (tags) => [...tags, tag]));
    await Promise.all(adding);
    const keys = (await snapshots.get(first.id))?.tags.map(({ Key }) => Key);
    assert.deepEqual(keys?.sort(), ["a", ...added.map(({ Key }) => Key)].sort());
  });

  test(`${name}.snapshots keeps the tags that a change throws at`, async (t) => {
    const snapshots = await opened(t);
    const refuse = () => {
      throw new Error("too many");
    };
    await assert.rejects(snapshots.changeTags(first.id, refuse), /too many/);
    assert.deepEqual((await snapshots.get(first.id))?.tags, first.tags);
  });
}
