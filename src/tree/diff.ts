import type { Digest } from "../model/digest.ts";
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
  for await (const difference of differencesBelow(maps, roots, start)) {
    if (found.length === page.limit) break;
    found.push(difference);
  }
  return found;
}

interface Position {
  readonly level: number;
  readonly firstIndex: number;
  readonly fromIndex: number;
}

async function* differencesBelow(
  maps: BlockMaps,
  { first, second }: RootPair,
  { level, firstIndex, fromIndex }: Position,
): AsyncGenerator<Difference> {
  if (first === second) return;
  const firstSlots = slotsOf(first && (await maps.node(first, level)));
  const secondSlots = slotsOf(second && (await maps.node(second, level)));
  const span = spanOfSlot(level);
  const fromSlot = Math.max(0, Math.floor((fromIndex - firstIndex) / span));
  const slots = [...new Set([...firstSlots.keys(), ...secondSlots.keys()])]
    .filter((slot) => slot >= fromSlot)
    .sort((a, b) => a - b);
  for (const slot of slots) {
    const pair = { first: firstSlots.get(slot), second: secondSlots.get(slot) };
    const index = firstIndex + slot * span;
    if (level > 0) {
      yield* differencesBelow(maps, pair, { level: level - 1, firstIndex: index, fromIndex });
    } else if (pair.first !== pair.second) {
      const inFirst = pair.first !== undefined;
      yield { blockIndex: index, inFirst, inSecond: pair.second !== undefined };
    }
  }
}

function slotsOf(node: Node | undefined): Map<number, Digest> {
  if (!node) return new Map();
  const digests = node.digests();
  return new Map(node.slots().map((slot, rank) => [slot, digests[rank] as Digest]));
}
