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

/** Puts extents in order, and joins those that touch or overlap. */
export function joinExtents(extents: readonly Extent[]): Extent[] {
  const joined: { start: number; count: number }[] = [];
  for (const { start, count } of extents.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last && start <= last.start + last.count) {
      last.count = Math.max(last.count, start + count - last.start);
    } else joined.push({ start, count });
  }
  return joined;
}
