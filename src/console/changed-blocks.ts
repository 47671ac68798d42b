import { type Client, changedBlockPagesOf, type SnapshotDiff } from "../client/browser.ts";
import { type Extent, extentsOf } from "../model/extent.ts";
import { blockCountOf, offsetOf } from "../model/geometry.ts";
import type { BlockKind } from "./block-map.tsx";
import { BlockSet } from "./block-set.ts";
import type { BlockLoading } from "./use-blocks.ts";

/** What the map of a comparison tells apart, in this order. */
export const CHANGE_KINDS: readonly BlockKind[] = [
  { name: "changed", colour: "own" },
  { name: "only in the second", colour: "inherited" },
  { name: "only in the first", colour: "unknown" },
];
const [CHANGED, ADDED, REMOVED] = [0, 1, 2];

/** Where two snapshots differ, as far as it is known. */
export interface ChangedBlocks {
  readonly blocks: BlockSet;
  /** Block indexes of the larger volume. */
  readonly blockCount: number;
  /** As `varve diff --json` writes it. */
  readonly diff: SnapshotDiff;
}

/** Loads the blocks at which two snapshots differ. */
export async function loadChangedBlocks(
  client: Client,
  pair: { readonly firstSnapshotId: string; readonly secondSnapshotId: string },
  { signal, show, pace }: BlockLoading<ChangedBlocks>,
): Promise<void> {
  const blocks = new BlockSet();
  const extents: Extent[] = [];
  let volumeSizeGib = 0;
  for await (const page of changedBlockPagesOf(client, pair, { signal })) {
    for (const { BlockIndex, FirstBlockToken, SecondBlockToken } of page.items) {
      const kind = SecondBlockToken ? (FirstBlockToken ? CHANGED : ADDED) : REMOVED;
      blocks.add(BlockIndex, kind ?? CHANGED);
    }
    append(extents, extentsOf(page.items.map(({ BlockIndex }) => BlockIndex)));
    volumeSizeGib = Math.max(volumeSizeGib, page.volumeSizeGib);
    const last = extents.at(-1);
    const blockCount = Math.max(blockCountOf(volumeSizeGib), last ? last.start + last.count : 1);
    const [, onlyInSecond = 0, onlyInFirst = 0] = blocks.counts;
    const counts = { changedBlocks: blocks.count, changedBytes: offsetOf(blocks.count) };
    const diff = { volumeSizeGib, ...counts, onlyInFirst, onlyInSecond, extents };
    show({ blocks, blockCount, diff });
    await pace(blocks);
  }
}

/** Adds the extents of one page; one that runs over the page's edge stays one. */
function append(all: Extent[], added: readonly Extent[]): void {
  for (const extent of added) {
    const last = all.at(-1);
    if (last && last.start + last.count === extent.start) {
      all[all.length - 1] = { start: last.start, count: last.count + extent.count };
    } else all.push(extent);
  }
}
