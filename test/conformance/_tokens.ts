import { jsonOf } from "./_caller.ts";
import type { Context, SnapshotName } from "./_context.ts";
import { Mismatch } from "./_expect.ts";

/** The token of one block, from a new listing. */
export async function blockTokenOf(
  context: Context,
  name: SnapshotName,
  blockIndex: number,
): Promise<string> {
  const query = { startingBlockIndex: blockIndex };
  const page = jsonOf(await context.caller.list(context.id(name), query), 200);
  // Numbers are compared as text: the check is of the block, not of how its index is written.
  const blocks = page["Blocks"] as { BlockIndex: unknown; BlockToken: string }[];
  const block = blocks.find(({ BlockIndex }) => String(BlockIndex) === String(blockIndex));
  if (block === undefined) throw new Mismatch(blocks, `block ${blockIndex} of ${name}`);
  return block.BlockToken;
}

/** The token of the second page of 100 of the snapshot that has one. */
export async function pageTokenOf(context: Context, name: SnapshotName): Promise<string> {
  const answer = await context.caller.list(context.id(name), { maxResults: 100 });
  return nextTokenOf(jsonOf(answer, 200));
}

/** The token of the next page; a Mismatch where there is none. */
export function nextTokenOf(page: Record<string, unknown>): string {
  const { NextToken } = page;
  if (typeof NextToken !== "string") throw new Mismatch(NextToken ?? "no NextToken", "a NextToken");
  return NextToken;
}
