import { checksumOfBlock } from "../support/blocks.ts";
import { getParts } from "../support/operations.ts";
import { brief, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import type { Answer } from "./_connection.ts";
import { A, B, C, type Context, PAGED_COUNT, type SnapshotName, ZERO } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";
import { blockTokenOf } from "./_tokens.ts";

/* Which snapshots can be read (2.1), ListSnapshotBlocks (2.2), GetSnapshotBlock (2.5). */

const readable = new Group("2.1 readable snapshots");
const listing = new Group("2.2 ListSnapshotBlocks");
const getting = new Group("2.5 GetSnapshotBlock");
/** The checks of this file. */
export const reads = [readable, listing, getting];

/** The block indexes on a page. */
function indexesOf(answer: Answer): number[] {
  const blocks = jsonOf(answer, 200)["Blocks"] as { BlockIndex: number }[] | undefined;
  return (blocks ?? []).map(({ BlockIndex }) => BlockIndex);
}

const listed = async (c: Context, name: SnapshotName, query = {}) =>
  indexesOf(await c.caller.list(c.id(name), query));

readable.check("2.1/completed", "A completed snapshot can be listed.", async (c) =>
  same(String((await c.caller.list(c.id("other"))).status), "200"),
);
readable
  .check("2.1/lag", "Right after completion reading still says 404.", async (c) => {
    const { SnapshotId } = jsonOf(await c.caller.start());
    await c.caller.complete(String(SnapshotId), 0);
    await c.caller.settled(String(SnapshotId));
    same(String((await c.caller.list(String(SnapshotId))).status), "404");
  })
  .or("reading after completion", async (c) => {
    const { SnapshotId } = jsonOf(await c.caller.start());
    await c.caller.complete(String(SnapshotId), 0);
    await c.caller.settled(String(SnapshotId));
    same(String((await c.caller.list(String(SnapshotId))).status), "200");
  });
readable.check("2.1/orphan.list", "The child of a deleted parent is listed.", async (c) =>
  same(await listed(c, "orphan"), [0, 1]),
);
readable.check("2.1/orphan.get", "It reads what it inherited.", async (c) => {
  const token = await blockTokenOf(c, "orphan", 0);
  holds((await c.caller.get(c.id("orphan"), 0, token)).body.equals(A), "other bytes", "A");
});
listing.check("2.2/own-and-inherited", "Own writes and inherited ones are listed.", async (c) =>
  same(await listed(c, "child"), [0, 1, 2, 5, 2047]),
);
listing.check("2.2/grandchild", "So are those of a grandparent.", async (c) =>
  same(await listed(c, "grandchild"), [0, 1, 2, 5, 9, 2047]),
);
listing.check("2.2/unique-ascending", "Each index comes once, ascending.", async (c) => {
  const indexes = await listed(c, "child");
  same(
    indexes,
    [...new Set(indexes)].toSorted((a, b) => a - b),
  );
});
listing.check("2.2/zeros", "A block written as zeros is listed.", async (c) =>
  holds((await listed(c, "root")).includes(2), await listed(c, "root"), "index 2"),
);
listing.check("2.2/holes", "Holes are not listed.", async (c) =>
  same(await listed(c, "root"), [0, 1, 2, 2047]),
);
listing.check("2.2/empty", "An empty snapshot lists nothing.", async (c) =>
  same(await listed(c, "empty"), []),
);
listing.check("2.2/start-inclusive", "StartingBlockIndex is inclusive.", async (c) =>
  same(await listed(c, "root", { startingBlockIndex: 2 }), [2, 2047]),
);
listing.check("2.2/start-skips", "From within a hole, what follows is listed.", async (c) =>
  same(await listed(c, "root", { startingBlockIndex: 3 }), [2047]),
);
for (const startingBlockIndex of [2048, 100_000]) {
  const id = `2.2/beyond ${startingBlockIndex}`;
  listing.check(id, `From ${startingBlockIndex} of 2,048 on there is nothing.`, async (c) => {
    const page = jsonOf(await c.caller.list(c.id("root"), { startingBlockIndex }), 200);
    same([page["Blocks"], page["NextToken"]], [[], null]);
  });
}
listing.check("2.2/beyond.expiry", "Beyond the volume, ExpiryTime is now.", async (c) => {
  const answer = await c.caller.list(c.id("root"), { startingBlockIndex: 2048 });
  const expiry = Number(jsonOf(answer, 200)["ExpiryTime"]) * 1000;
  holds(Math.abs(expiry - answer.atMs) < 5000, new Date(expiry), "now");
});
for (const [what, query, status] of [
  ["99", { maxResults: 99 }, 400],
  ["0", { maxResults: 0 }, 400],
  ["10001", { maxResults: 10_001 }, 400],
  ["100", { maxResults: 100 }, 200],
] as const) {
  listing.check(`2.2/max ${what}`, `MaxResults ${what} answers ${status}.`, async (c) =>
    same(String((await c.caller.list(c.id("root"), query)).status), String(status)),
  );
}
listing.check("2.2/full-page", "A full page has MaxResults entries, and a token.", async (c) => {
  const page = jsonOf(await c.caller.list(c.id("paged"), { maxResults: 100 }), 200);
  same([(page["Blocks"] as []).length, typeof page["NextToken"]], [100, "string"]);
});
const nextPage = async (c: Context, query = {}) => {
  const first = jsonOf(await c.caller.list(c.id("paged"), { maxResults: 100 }), 200);
  const pageToken = String(first["NextToken"]);
  return c.caller.list(c.id("paged"), { pageToken, ...query });
};
listing.check("2.2/last-page", "The last page has the rest, and NextToken null.", async (c) => {
  const answer = await nextPage(c, { maxResults: 100 });
  same([indexesOf(answer), jsonOf(answer)["NextToken"]], [[100, 101, 102], null]);
});
listing.check("2.2/token-wins", "A page token overrides StartingBlockIndex.", async (c) =>
  same(indexesOf(await nextPage(c, { startingBlockIndex: 3 })), [100, 101, 102]),
);
listing.check("2.2/other-max", "MaxResults may differ from page to page.", async (c) =>
  same(indexesOf(await nextPage(c, { maxResults: 10_000 })), [100, 101, 102]),
);
listing.check("2.2/token-twice", "A page token can be used more than once.", async (c) => {
  const first = jsonOf(await c.caller.list(c.id("paged"), { maxResults: 100 }), 200);
  const pageToken = String(first["NextToken"]);
  for (let i = 0; i < 2; i++) same(await listed(c, "paged", { pageToken }), [100, 101, 102]);
});
listing.check("2.2/default", "Without MaxResults 103 blocks come in some pages.", async (c) => {
  let count = 0;
  let pageToken: string | undefined;
  do {
    const page = jsonOf(await c.caller.list(c.id("paged"), { pageToken }), 200);
    count += (page["Blocks"] as []).length;
    pageToken = (page["NextToken"] as string | null) ?? undefined;
  } while (pageToken !== undefined);
  same(count, PAGED_COUNT);
});
listing.check("2.2/size", "VolumeSize is the snapshot's.", async (c) =>
  same(jsonOf(await c.caller.list(c.id("grown")), 200)["VolumeSize"], 3),
);
listing.check("2.2/grown", "A grown child lists the parent's blocks and its own.", async (c) =>
  same(await listed(c, "grown"), [0, 1, 2, 2047, 6143]),
);

const got = async (c: Context, name: SnapshotName, blockIndex: number) =>
  c.caller.get(c.id(name), blockIndex, await blockTokenOf(c, name, blockIndex));

for (const [name, blockIndex, bytes, what] of [
  ["root", 0, B, "the last of two writes"],
  ["root", 1, A, "what was written twice"],
  ["root", 2047, C, "the last block of the volume"],
  ["root", 2, ZERO, "a block of zeros"],
  ["child", 0, ZERO, "zeros written over a parent's block"],
  ["child", 2047, C, "an inherited block"],
  ["child", 5, B, "a block of its own"],
  ["grandchild", 1, A, "a block of its parent"],
  ["grown", 6143, B, "the last block of a grown volume"],
] as const) {
  getting.check(`2.5/bytes ${name}[${blockIndex}]`, `Reading gives ${what}.`, async (c) => {
    const answer = await got(c, name, blockIndex);
    same([answer.status, checksumOfBlock(answer.body)], [200, checksumOfBlock(bytes)]);
  });
}
for (const [blockIndex, what] of [
  [0, "a block"],
  [2, "a block of zeros"],
  [2047, "the last block"],
] as const) {
  getting.check(`2.5/length ${blockIndex}`, `${what} has 524,288 bytes and says so.`, async (c) => {
    const answer = await got(c, "root", blockIndex);
    const lengths = [answer.body.length, answer.exact("x-amz-Data-Length")];
    same(lengths.join(), "524288,524288");
  });
  getting.check(`2.5/checksum ${blockIndex}`, `${what}'s checksum is of its bytes.`, async (c) => {
    const answer = await got(c, "root", blockIndex);
    same(answer.exact("x-amz-Checksum"), checksumOfBlock(answer.body));
    same(answer.exact("x-amz-Checksum-Algorithm"), "SHA256");
  });
}
getting.check("2.5/zero-sum", "Zeros have the checksum that tools skip blocks by.", async (c) =>
  same(
    (await got(c, "root", 2)).exact("x-amz-Checksum"),
    "B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=",
  ),
);
getting.check("2.5/no-range", "A Range is passed over.", async (c) => {
  const parts = getParts(c.id("root"), 0, await blockTokenOf(c, "root", 0));
  const answer = await c.caller.call(parts, { after: [["Range", "bytes=0-15"]] });
  same([answer.status, answer.body.length], [200, 524_288]);
});
getting.check("2.5/no-token", "An unwritten index cannot be read.", async (c) => {
  const answer = await c.caller.get(c.id("root"), 9, await blockTokenOf(c, "root", 0));
  fits(brief(answer), /^400 .*INVALID_BLOCK_TOKEN/);
});
