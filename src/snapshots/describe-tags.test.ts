import assert from "node:assert/strict";
import { test } from "node:test";
import { pendingSnapshot } from "../../test/support/pending-snapshot.ts";
import { turnsDuring } from "../../test/support/turns-during.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import type { Core } from "./core.ts";
import { describeTags, placeOf, tagMatcher } from "./describe-tags.ts";

const ACCOUNT = "111122223333" as AccountId;

/** A core with so many snapshots of 50 tags, the last key first, and one image of one tag. */
function coreOf(count: number): Core {
  const tags = Array.from({ length: 50 }, (_, i) => ({ Key: `k${90 - i}`, Value: "v" }));
  const snapshots = Array.from({ length: count }, (_, i) => {
    const id = `snap-${String(i).padStart(17, "0")}` as SnapshotId;
    return pendingSnapshot(id, ACCOUNT, { tags });
  });
  const image = { id: "ami-1", account: ACCOUNT, tags: [{ Key: "of", Value: "image" }] };
  const after = <T extends { readonly id: string }>(all: readonly T[], id: string, limit: number) =>
    all.filter((each) => each.id > id).slice(0, limit);
  const catalog = {
    images: { page: async (id: string, limit: number) => after([image], id, limit) },
    snapshots: {
      page: async (_: AccountId, id: string, limit: number) => after(snapshots, id, limit),
    },
  };
  return { catalog } as unknown as Core;
}

test("describeTags goes through tags by resource and key, page by page", async () => {
  const core = coreOf(3);
  const all = { matches: tagMatcher([]), afterId: "", limit: Number.POSITIVE_INFINITY };
  const { tags, hasMore } = await describeTags(core, ACCOUNT, all);
  const places = tags.map(placeOf);
  assert.deepEqual([tags.length, hasMore], [151, false]);
  assert.deepEqual(places, [...places].sort());
  assert.deepEqual([tags[0]?.ResourceType, tags[1]?.ResourceType], ["image", "snapshot"]);
  const paged: string[] = [];
  for (let afterId = ""; ; ) {
    const page = await describeTags(core, ACCOUNT, { ...all, afterId, limit: 7 });
    paged.push(...page.tags.map(placeOf));
    afterId = paged.at(-1) ?? "";
    if (!page.hasMore) break;
  }
  assert.deepEqual(paged, places);
});

test("describeTags lets others have their turn, however little it finds", async () => {
  const matches = tagMatcher([{ Name: "value", Values: ["none"] }]);
  const wanted = { matches, afterId: "", limit: 1 };
  const { turns, result } = await turnsDuring(() => describeTags(coreOf(400), ACCOUNT, wanted));
  assert.deepEqual(result.tags, []);
  assert.ok(turns >= 20, `others got ${turns} turns in 20,000 tags`);
});
