import { type Extent, extentsOf } from "../../model/extent.ts";
import { offsetOf } from "../../model/geometry.ts";
import { blockPagesOf, changedBlockPagesOf } from "../api/listings.ts";
import type { Client } from "../call/client.ts";

/** Two snapshots of one lineage to compare. */
export interface DiffOptions {
  readonly firstSnapshotId: string;
  readonly secondSnapshotId: string;
  readonly signal?: AbortSignal | undefined;
}

/** Where two snapshots differ. */
export interface SnapshotDiff {
  /** GiB, of the second snapshot. */
  readonly volumeSizeGib: number;
  /** Blocks that differ. */
  readonly changedBlocks: number;
  readonly changedBytes: number;
  /** Of these, blocks that the second snapshot does not have. */
  readonly onlyInFirst: number;
  /** Of these, blocks that the first snapshot does not have. */
  readonly onlyInSecond: number;
  /** Where they are, ascending. */
  readonly extents: readonly Extent[];
}

/** Compares two snapshots without reading a block of either. */
export async function diffSnapshots(client: Client, options: DiffOptions): Promise<SnapshotDiff> {
  const counts = { volumeSizeGib: 0, changedBlocks: 0, onlyInFirst: 0, onlyInSecond: 0 };
  const extents: { start: number; count: number }[] = [];
  for await (const page of changedBlockPagesOf(client, options, { signal: options.signal })) {
    counts.volumeSizeGib = page.volumeSizeGib || counts.volumeSizeGib;
    counts.changedBlocks += page.items.length;
    counts.onlyInFirst += page.items.filter((block) => !block.SecondBlockToken).length;
    counts.onlyInSecond += page.items.filter((block) => !block.FirstBlockToken).length;
    appendExtents(extents, extentsOf(page.items.map(({ BlockIndex }) => BlockIndex)));
  }
  counts.volumeSizeGib ||= await volumeSizeGibOf(client, options);
  return { ...counts, changedBytes: offsetOf(counts.changedBlocks), extents };
}

/** Asked for by itself where nothing changed and the service tells nothing but that. */
async function volumeSizeGibOf(
  client: Client,
  { secondSnapshotId, signal }: DiffOptions,
): Promise<number> {
  for await (const page of blockPagesOf(client, secondSnapshotId, { signal })) {
    return page.volumeSizeGib;
  }
  return 0;
}

/** Adds the extents of one page; one that runs over the page's edge stays one. */
function appendExtents(all: { start: number; count: number }[], added: readonly Extent[]): void {
  for (const extent of added) {
    const last = all.at(-1);
    if (last && last.start + last.count === extent.start) last.count += extent.count;
    else all.push({ ...extent });
  }
}
