import { ZERO_BLOCK_DIGEST } from "../model/digest.ts";
import { type BlockMaps, ROOT_LEVEL, type Root, spanOfSlot } from "./block-map.ts";
import type { Node } from "./node.ts";

/** The map to look at, and those to compare it with. */
export interface ExclusiveInput {
  readonly root: Root;
  readonly others: readonly Root[];
  readonly fromIndex: number;
  /** Nodes to read before the count stops; one leaf is looked at in any case. */
  readonly nodesMax: number;
}

/** What was counted before the work's bound. */
export interface ExclusiveCount {
  readonly count: number;
  /** Block index to go on at; undefined at the end of the map. */
  readonly nextIndex: number | undefined;
}

/**
 * Counts the blocks of a map that none of the others has at the same block index; written zeros,
 * which take no room, are not counted. A subtree that any of the others has is never entered, so
 * the cost grows with what is exclusive, times the number of others.
 */
export async function countExclusive(
  maps: BlockMaps,
  { root, others, fromIndex, nodesMax }: ExclusiveInput,
): Promise<ExclusiveCount> {
  const walk: Walk = { fromIndex, nodesMax, nodesRead: 0, count: 0, nextIndex: undefined };
  const start = { level: ROOT_LEVEL, firstIndex: 0 };
  if (root !== undefined && !others.includes(root)) {
    await countBelow(maps, { ...start, digest: root, others: distinct(others) }, walk);
  }
  return { count: walk.count, nextIndex: walk.nextIndex };
}

interface Walk {
  readonly fromIndex: number;
  readonly nodesMax: number;
  nodesRead: number;
  count: number;
  nextIndex: number | undefined;
}

/** A node that no other map has in its place, and what they have there. */
interface Place {
  readonly level: number;
  readonly firstIndex: number;
  readonly digest: NonNullable<Root>;
  readonly others: readonly NonNullable<Root>[];
}

async function countBelow(maps: BlockMaps, place: Place, walk: Walk): Promise<void> {
  const { level, firstIndex } = place;
  const node = await maps.node(place.digest, level);
  const others: Node[] = [];
  for (const other of place.others) others.push(await maps.node(other, level));
  walk.nodesRead += 1 + others.length;
  const span = spanOfSlot(level);
  const fromSlot = Math.max(0, Math.floor((walk.fromIndex - firstIndex) / span));
  for (const slot of exclusiveSlots(node, others, fromSlot)) {
    const digest = node.get(slot) as NonNullable<Root>;
    const index = firstIndex + slot * span;
    if (level === 0) {
      if (digest !== ZERO_BLOCK_DIGEST) walk.count += 1;
      continue;
    }
    if (walk.nodesRead > walk.nodesMax && index > walk.fromIndex) {
      walk.nextIndex = index;
      return;
    }
    const below = distinct(others.map((other) => other.get(slot)));
    await countBelow(maps, { level: level - 1, firstIndex: index, digest, others: below }, walk);
    if (walk.nextIndex !== undefined) return;
  }
}

/** The slots in use at which every other node holds something else, or nothing. */
function exclusiveSlots(node: Node, others: readonly Node[], fromSlot: number): number[] {
  let slots = node.slots(fromSlot);
  for (const other of others) {
    const differing = new Set(node.differingSlots(other, fromSlot));
    slots = slots.filter((slot) => differing.has(slot));
  }
  return slots;
}

function distinct(roots: readonly Root[]): NonNullable<Root>[] {
  return [...new Set(roots.filter((root) => root !== undefined))];
}
