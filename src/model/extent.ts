/** A run of consecutive block indexes. */
export interface Extent {
  /** First block index. */
  readonly start: number;
  /** Number of blocks, at least 1. */
  readonly count: number;
}

/** Joins ascending block indexes into the fewest extents. */
export function extentsOf(blockIndexes: Iterable<number>): Extent[] {
  const extents: { start: number; count: number }[] = [];
  for (const blockIndex of blockIndexes) {
    const last = extents.at(-1);
    if (last && last.start + last.count === blockIndex) last.count += 1;
    else extents.push({ start: blockIndex, count: 1 });
  }
  return extents;
}
