import type { Extent } from "../model/extent.ts";
import { blockCountOf } from "../model/geometry.ts";
import type { AccountId } from "../model/ids.ts";
import { type Core, readable } from "./core.ts";
import { cutPage, openPage, type PageInput } from "./paging.ts";

/** Parameters of ListReadableBlocks. */
export interface ListReadableBlocksInput extends PageInput {
  readonly snapshotId: string;
}

/** One page of what is left of a snapshot's block map, ascending. */
export interface ReadableBlocksPage {
  readonly blocks: readonly { readonly blockIndex: number; readonly blockToken: string }[];
  /** Of these block indexes it is not known whether there are blocks, nor which. */
  readonly lostExtents: readonly Extent[];
  readonly nextToken: string | undefined;
  readonly volumeSizeGib: number;
}

/** A block, or where blocks are lost. */
interface Item {
  readonly blockIndex: number;
  readonly lost: Extent | undefined;
}

/**
 * Lists the blocks of a completed snapshot whose block map is damaged: an addition of ours, for
 * salvage. ListSnapshotBlocks fails at a damaged node; this goes on behind it.
 */
export async function listReadableBlocks(
  core: Core,
  account: AccountId,
  input: ListReadableBlocksInput,
): Promise<ReadableBlocksPage> {
  const snapshot = await readable(core, account, input.snapshotId);
  const snapshotIds = [input.snapshotId];
  const scope = { kind: "listPage", snapshotIds } as const;
  const { fromIndex, limit } = openPage(core, scope, input);
  const blockCount = blockCountOf(snapshot.volumeSizeGib);
  const found: Item[] = [];
  for await (const piece of core.maps(snapshot.domain).pieces(snapshot.root, fromIndex)) {
    if (found.length > limit) break;
    const lost = piece.lost && clip(piece.lost, blockCount);
    if (lost) found.push({ blockIndex: lost.start, lost });
    found.push(...piece.entries.map(({ blockIndex }) => ({ blockIndex, lost: undefined })));
  }
  const indexOf = ({ blockIndex }: Item) => blockIndex;
  const { entries, nextToken } = cutPage(core, scope, { found, limit, indexOf });
  const indexes = entries.filter(({ lost }) => !lost).map(indexOf);
  const tokens = core.tokens.mint({ kind: "block", snapshotIds }, indexes);
  return {
    blocks: indexes.map((blockIndex, i) => ({ blockIndex, blockToken: tokens[i] as string })),
    lostExtents: entries.flatMap(({ lost }) => lost ?? []),
    nextToken,
    volumeSizeGib: snapshot.volumeSizeGib,
  };
}

function clip({ start, count }: Extent, end: number): Extent | undefined {
  return start < end ? { start, count: Math.min(count, end - start) } : undefined;
}
