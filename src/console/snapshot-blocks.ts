import { type Client, ClientError, changedBlockPagesOf, digestPagesOf } from "../client/browser.ts";
import { ZERO_BLOCK_CHECKSUM } from "../model/digest.ts";
import { blockCountOf } from "../model/geometry.ts";
import type { BlockKind } from "./block-map.tsx";
import { BlockSet } from "./block-set.ts";
import type { BlockLoading } from "./use-blocks.ts";

/** What a snapshot's map tells apart, in this order. */
export const SNAPSHOT_KINDS: readonly BlockKind[] = [
  { name: "own", colour: "own" },
  { name: "inherited", colour: "inherited" },
  { name: "zeros", colour: "zeros" },
  { name: "allocated", colour: "unknown" },
];
const [OWN, INHERITED, ZEROS, ALLOCATED] = [0, 1, 2, 3];

/** A snapshot's blocks as far as they are known. */
export interface SnapshotBlocks {
  readonly blocks: BlockSet;
  readonly blockCount: number;
}

/**
 * Loads all blocks of a snapshot, then which of them differ from the parent's. Without a parent
 * all are its own; where the parent is gone or not known, whose they are cannot be told.
 */
export async function loadSnapshotBlocks(
  client: Client,
  ids: { readonly id: string; readonly parent: string | null | undefined },
  { signal, show, pace }: BlockLoading<SnapshotBlocks>,
): Promise<void> {
  const { id, parent } = ids;
  const blocks = new BlockSet();
  const kind = parent === null ? OWN : ALLOCATED;
  let state = { blocks, blockCount: 0 };
  for await (const { items, volumeSizeGib } of digestPagesOf(client, id, { signal })) {
    for (const { BlockIndex, Checksum } of items) {
      blocks.add(BlockIndex, Checksum === ZERO_BLOCK_CHECKSUM ? ZEROS : kind);
    }
    state = { blocks, blockCount: blockCountOf(volumeSizeGib) };
    show(state);
    await pace(blocks);
  }
  if (!parent) return;
  const pair = { firstSnapshotId: parent, secondSnapshotId: id };
  const own: number[] = [];
  try {
    for await (const { items } of changedBlockPagesOf(client, pair, { signal })) {
      for (const block of items) if (block.SecondBlockToken) own.push(block.BlockIndex);
    }
  } catch (error) {
    if (error instanceof ClientError && (error.status === 404 || error.status === 403)) return;
    throw error;
  }
  blocks.markAll(ALLOCATED, INHERITED);
  for (const blockIndex of own) {
    if (blocks.kindAt(blockIndex) === INHERITED) blocks.mark(blockIndex, OWN);
  }
  show(state);
}
