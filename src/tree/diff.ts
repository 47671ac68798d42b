import { type BlockMaps, ROOT_LEVEL, type Root, spanOfSlot } from "./block-map.ts";
import type { Node } from "./node.ts";

/** A block index at which two maps differ, and which of them has a block there. */
export interface Difference {
  readonly blockIndex: number;
  readonly inFirst: boolean;
  readonly inSecond: boolean;
}

/** The two maps to compare. */
export interface RootPair {
  readonly first: Root;
  readonly second: Root;
}

/**
 * Up to `limit` block indexes from `fromIndex` on at which two maps hold different contents,
 * ascending. Equal subtrees have equal digests and are never entered, so the cost grows with what
 * differs, whatever the size of the volume or the number of snapshots between the two.
 */
export async function diffMaps(
  maps: BlockMaps,
  roots: RootPair,
  page: { readonly fromIndex: number; readonly limit: number },
): Promise<Difference[]> {
  const found: Difference[] = [];
  const start = { level: ROOT_LEVEL, firstIndex: 0, fromIndex: page.fromIndex };
  await collectBelow(maps, roots, { ...start, limit: page.limit, found });
  return found;
}

interface Walk {
  readonly level: number;
  readonly firstIndex: number;
  readonly fromIndex: number;
  readonly limit: number;
  /** Grows as differences are found, up to the limit. */
  readonly found: Difference[];
}

async function collectBelow(maps: BlockMaps, roots: RootPair, walk: Walk): Promise<void> {
  if (roots.first === roots.second) return;
  const { level, firstIndex, fromIndex, limit, found } = walk;
  const first = roots.first && (await maps.node(roots.first, level));
  const second = roots.second && (await maps.node(roots.second, level));
  const span = spanOfSlot(level);
  const fromSlot = Math.max(0, Math.floor((fromIndex - firstIndex) / span));
  for (const slot of differingSlots(first, second, fromSlot)) {
    if (found.length >= limit) return;
    const index = firstIndex + slot * span;
    if (level > 0) {
      const below = { first: first?.get(slot), second: second?.get(slot) };
      await collectBelow(maps, below, { ...walk, level: level - 1, firstIndex: index });
    } else {
      const inFirst = first?.has(slot) ?? false;
      found.push({ blockIndex: index, inFirst, inSecond: second?.has(slot) ?? false });
    }
  }
}

function differingSlots(
  first: Node | undefined,
  second: Node | undefined,
  fromSlot: number,
): number[] {
  if (first && second) return first.differingSlots(second, fromSlot);
  // A map without anything below here differs wherever the other has something.
  return (first ?? second)?.slots(fromSlot) ?? [];
}
