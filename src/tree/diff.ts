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
  const { fromIndex, limit } = page;
  const found: Difference[] = [];
  const top: Place = { ...roots, firstIndex: 0 };
  let pairs: AsyncGenerator<Pair> = readAhead(maps, [top], ROOT_LEVEL);
  for (let level = ROOT_LEVEL; level > 0; level--) {
    pairs = readAhead(maps, placesBelow(pairs, level, fromIndex), level - 1);
  }
  for await (const { place, first, second } of pairs) {
    for (const slot of differingSlots(first, second, fromIndex - place.firstIndex)) {
      if (found.length >= limit) return found;
      const blockIndex = place.firstIndex + slot;
      const inFirst = first?.has(slot) ?? false;
      found.push({ blockIndex, inFirst, inSecond: second?.has(slot) ?? false });
    }
  }
  return found;
}

/** Pairs of nodes read at once, at most: a megabyte, and more than any disk has use for (ours). */
const PAIRS_AT_ONCE_MAX = 32;

/** A place in both maps at which they have different nodes, or only one of them has any. */
interface Place extends RootPair {
  readonly firstIndex: number;
}

interface Pair {
  readonly place: Place;
  readonly first: Node | undefined;
  readonly second: Node | undefined;
}

/**
 * Reads the nodes of places that differ, in order. While one pair is looked at, the next are read:
 * the more, the more were wanted so far, since most pages end soon.
 */
async function* readAhead(
  maps: BlockMaps,
  places: Iterable<Place> | AsyncIterable<Place>,
  level: number,
): AsyncGenerator<Pair> {
  const reading: Promise<Pair>[] = [];
  let atOnce = 2;
  for await (const place of places) {
    if (place.first === place.second) continue;
    const pair = readPair(maps, place, level);
    // It is thrown in its turn, if that comes; until then it must not count as unhandled.
    pair.catch(() => undefined);
    reading.push(pair);
    if (reading.length < atOnce) continue;
    yield await (reading.shift() as Promise<Pair>);
    atOnce = Math.min(PAIRS_AT_ONCE_MAX, 2 * atOnce);
  }
  for (const pair of reading) yield await pair;
}

async function readPair(maps: BlockMaps, place: Place, level: number): Promise<Pair> {
  const [first, second] = await Promise.all([
    place.first && maps.node(place.first, level),
    place.second && maps.node(place.second, level),
  ]);
  return { place, first, second };
}

/** The places below these nodes from a block index on. */
async function* placesBelow(
  pairs: AsyncIterable<Pair>,
  level: number,
  fromIndex: number,
): AsyncGenerator<Place> {
  const span = spanOfSlot(level);
  for await (const { place, first, second } of pairs) {
    const fromSlot = Math.floor((fromIndex - place.firstIndex) / span);
    for (const slot of differingSlots(first, second, fromSlot)) {
      const firstIndex = place.firstIndex + slot * span;
      yield { first: first?.get(slot), second: second?.get(slot), firstIndex };
    }
  }
}

/** The slots from one on, or from 0 on, at which the nodes differ. */
function differingSlots(
  first: Node | undefined,
  second: Node | undefined,
  fromSlot: number,
): number[] {
  const from = Math.max(0, fromSlot);
  if (first && second) return first.differingSlots(second, from);
  // A map without anything below here differs wherever the other has something.
  return (first ?? second)?.slots(from) ?? [];
}
