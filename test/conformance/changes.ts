import { jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import { type Context, PAGED_COUNT, type SnapshotName } from "./_context.ts";
import { holds, same } from "./_expect.ts";
import { nextTokenOf } from "./_tokens.ts";

/* ListChangedBlocks: who wrote the block, and how pages walk. */

const group = new Group("2.3 ListChangedBlocks");
/** The checks of this file. */
export const changes = group;

interface Change {
  readonly BlockIndex: number;
  readonly FirstBlockToken: string | null;
  readonly SecondBlockToken: string | null;
}

type Pair = readonly [first: SnapshotName, second: SnapshotName];

/** A page of the changes of a pair. */
async function page(c: Context, [first, second]: Pair, query = {}) {
  return jsonOf(await c.caller.changed(c.id(first), c.id(second), query), 200);
}

/** Changes as text: the index, then 1 and 2 for the tokens that are there. */
async function changesOf(c: Context, pair: Pair, query = {}): Promise<string> {
  const blocks = (await page(c, pair, query))["ChangedBlocks"] as Change[];
  const tokens = ({ FirstBlockToken, SecondBlockToken }: Change) =>
    (FirstBlockToken ? "1" : "") + (SecondBlockToken ? "2" : "");
  return blocks.map((change) => `${change.BlockIndex}:${tokens(change)}`).join(" ");
}

const SAME_BYTES = "ListChangedBlocks, a block written again with the same bytes";
const COUNTS = "ListChangedBlocks, MaxResults";
const NOTHING = "ListChangedBlocks, nothing changed";

group
  .check("2.3/identical", "A block written again with the same bytes is listed.", async (c) =>
    same(await changesOf(c, ["root", "child"]), "0:12 1:12 5:2"),
  )
  .or(SAME_BYTES, async (c) => same(await changesOf(c, ["root", "child"]), "0:12 5:2"));
group.check("2.3/inherited", "What was inherited untouched is not listed.", async (c) => {
  const listed = await changesOf(c, ["root", "child"]);
  holds(!/(^| )(2|2047):/.test(listed), listed, "neither 2 nor 2047");
});
group.check("2.3/both", "A block of both, written differently, has both tokens.", async (c) => {
  const listed = await changesOf(c, ["root", "child"]);
  holds(listed.startsWith("0:12"), listed, "0:12");
});
group.check("2.3/second-only", "A block of the second alone: the first token is null.", async (c) =>
  same(await changesOf(c, ["root", "sibling"]), "7:2"),
);
group.check("2.3/reversed", "In reversed order: the second token is null.", async (c) =>
  same(await changesOf(c, ["sibling", "root"]), "7:1"),
);
group
  .check("2.3/siblings", "Siblings compare by their common ancestor.", async (c) =>
    same(await changesOf(c, ["child", "sibling"]), "0:12 1:12 5:1 7:2"),
  )
  .or(SAME_BYTES, async (c) => same(await changesOf(c, ["child", "sibling"]), "0:12 5:1 7:2"));
group
  .check("2.3/grandparent", "A grandchild compares with its grandparent.", async (c) =>
    same(await changesOf(c, ["root", "grandchild"]), "0:12 1:12 5:2 9:2"),
  )
  .or(SAME_BYTES, async (c) => same(await changesOf(c, ["root", "grandchild"]), "0:12 5:2 9:2"));
group.check("2.3/grown", "A grown volume adds the indexes that only it has.", async (c) =>
  same(await changesOf(c, ["root", "grown"]), "6143:2"),
);
group.check("2.3/grown.size", "VolumeSize is that of the second snapshot.", async (c) =>
  same((await page(c, ["root", "grown"]))["VolumeSize"], 3),
);
group.check("2.3/grown.reversed", "Also when the second is the smaller one.", async (c) =>
  same((await page(c, ["grown", "root"]))["VolumeSize"], 1),
);
group.check("2.3/starting", "StartingBlockIndex is inclusive.", async (c) =>
  same(await changesOf(c, ["root", "child"], { startingBlockIndex: 5 }), "5:2"),
);
group.check("2.3/starting-after", "Beyond the last change there is none.", async (c) =>
  same(await changesOf(c, ["root", "child"], { startingBlockIndex: 6 }), ""),
);
for (const [which, side, snapshot] of [
  ["first", "FirstBlockToken", "root"],
  ["second", "SecondBlockToken", "child"],
] as const) {
  group.check(`2.3/reads ${which}`, `The ${which} token reads that block there.`, async (c) => {
    const [change] = (await page(c, ["root", "child"]))["ChangedBlocks"] as Change[];
    const token = change?.[side] ?? "none";
    same(String((await c.caller.get(c.id(snapshot), 0, token)).status), "200");
  });
}
group.check("2.3/same-twice", "A snapshot has not changed from itself.", async (c) =>
  same(await changesOf(c, ["root", "root"]), ""),
);
const ALL_NULL =
  '{"BlockSize":null,"ChangedBlocks":[],"ExpiryTime":null,"LastEvaluatedBlockIndex":null,' +
  '"NextToken":null,"VolumeSize":null}';
/** A child of root that wrote nothing. */
async function idleChild(c: Context): Promise<string> {
  const id = String(jsonOf(await c.caller.start({ ParentSnapshotId: c.id("root") }))["SnapshotId"]);
  await c.caller.complete(id, 0);
  await c.caller.readable(id);
  return id;
}

for (const [what, secondOf] of [
  ["itself", async (c: Context) => c.id("root")],
  ["a parent", idleChild],
] as const) {
  const call = async (c: Context) => c.caller.changed(c.id("root"), await secondOf(c));
  group
    .check(`2.3/all-null ${what}`, `Unchanged from ${what}, every member is null.`, async (c) =>
      same((await call(c)).text, ALL_NULL),
    )
    .or(NOTHING, async (c) => {
      const { VolumeSize, BlockSize, ChangedBlocks, NextToken } = jsonOf(await call(c), 200);
      same([VolumeSize, BlockSize, ChangedBlocks, NextToken], [1, 524_288, [], null]);
    });
}
group
  .check("2.3/candidates", "MaxResults counts what is examined: an empty page.", async (c) => {
    const first = await page(c, ["paged", "pagedChild"], { maxResults: 100 });
    same([first["ChangedBlocks"], typeof first["NextToken"]], [[], "string"]);
  })
  .or(COUNTS, async (c) => {
    same(await changesOf(c, ["paged", "pagedChild"], { maxResults: 100 }), "102:12");
  });
group
  .check("2.3/candidates.next", "The change comes with the page that holds it.", async (c) => {
    const pair = ["paged", "pagedChild"] as const;
    const pageToken = nextTokenOf(await page(c, pair, { maxResults: 100 }));
    same(await changesOf(c, pair, { maxResults: 100, pageToken }), "102:12");
  })
  .or(COUNTS, async (c) => {
    const only = await page(c, ["paged", "pagedChild"], { maxResults: 100 });
    same([(only["ChangedBlocks"] as []).length, only["NextToken"]], [1, null]);
  });
group
  .check("2.3/empty-page.expiry", "On an empty page, ExpiryTime is now.", async (c) => {
    const [id] = [c.id("paged")];
    const answer = await c.caller.changed(id, id, { maxResults: 100 });
    const first = jsonOf(answer, 200);
    const expiry = Number(first["ExpiryTime"]) * 1000;
    same(typeof first["NextToken"], "string");
    holds(Math.abs(expiry - answer.atMs) < 5000, new Date(expiry), "now");
  })
  .or(COUNTS, async (c) => {
    const { NextToken } = await page(c, ["paged", "paged"], { maxResults: 100 });
    same(NextToken, null);
  });
group.check("2.3/pages-complete", "All pages together are all changes.", async (c) => {
  const pair = ["paged", "pagedChild"] as const;
  let [count, pages] = [0, 0];
  let pageToken: string | undefined;
  do {
    const { ChangedBlocks, NextToken } = await page(c, pair, { maxResults: 100, pageToken });
    count += (ChangedBlocks as []).length;
    pageToken = (NextToken as string | null) ?? undefined;
    pages++;
  } while (pageToken !== undefined && pages <= PAGED_COUNT);
  same(count, 1);
});
group.check("2.3/deleted-parent", "Siblings compare after their parent is gone.", async (c) => {
  const start = async (bytes: number) => {
    const { SnapshotId } = jsonOf(await c.caller.start(bytes ? { ParentSnapshotId: parent } : {}));
    const id = String(SnapshotId);
    await c.caller.write(id, bytes, Buffer.alloc(524_288, bytes + 1));
    await c.caller.complete(id, 1);
    await c.caller.readable(id);
    return id;
  };
  let parent = "";
  parent = await start(0);
  const [one, two] = [await start(1), await start(2)];
  await c.caller.query("DeleteSnapshot", { SnapshotId: parent });
  const blocks = jsonOf(await c.caller.changed(one, two), 200)["ChangedBlocks"] as Change[];
  same(
    blocks.map(({ BlockIndex }) => BlockIndex),
    [1, 2],
  );
});
