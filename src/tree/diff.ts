import { type BlockMaps, ROOT_LEVEL, type Root, spanOfSlot } from "./block-map.ts";
import { growingGroups } from "./growing-groups.ts";
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

/** What a comparison found, and whether it came to the end of the maps. */
export interface Differences {
  /** Ascending. */
  readonly found: readonly Difference[];
  /** A block index to go on at, from which on they do differ; undefined at the end. */
  readonly nextIndex: number | undefined;
}

/** How much of two maps is compared. */
export interface DiffPage {
  readonly fromIndex: number;
  /** Differences to find, at most. */
  readonly limit: number;
  /** Leaves to look at in each map, at most: a bound on the work, however the differences lie. */
  readonly leavesMax: number;
}

/**
 * The first block indexes from `fromIndex` on at which two maps hold different contents. Equal
 * subtrees have equal digests and are never entered, so the cost grows with what differs, whatever
 * the size of the volume or the number of snapshots between the two.
 */
export async function diffMaps(
  maps: BlockMaps,
  roots: RootPair,
  { fromIndex, limit, leavesMax }: DiffPage,
): Promise<Differences> {
  const found: Difference[] = [];
  const rest: Rest = { firstIndex: undefined };
  // The only place where the two may be equal; below, what is equal is passed over.
  const top = roots.first === roots.second ? [] : [{ ...roots, firstIndex: 0 }];
  let pairs: AsyncGenerator<Pair> = readAhead(maps, top, ROOT_LEVEL);
  for (let level = ROOT_LEVEL; level > 0; level--) {
    const places = placesBelow(pairs, level, fromIndex);
    pairs = readAhead(maps, level === 1 ? firstOf(places, leavesMax, rest) : places, level - 1);
  }
  for await (const { place, first, second } of pairs) {
    for (const slot of differingSlots(first, second, fromIndex - place.firstIndex)) {
      const blockIndex = place.firstIndex + slot;
      if (found.length >= limit) return { found, nextIndex: blockIndex };
      const inFirst = first?.has(slot) ?? false;
      found.push({ blockIndex, inFirst, inSecond: second?.has(slot) ?? false });
    }
  }
  return { found, nextIndex: rest.firstIndex };
}

/** A place in both maps at which they have different nodes, or only one of them has any. */
interface Place extends RootPair {
  readonly firstIndex: number;
}

interface Pair {
  readonly place: Place;
  readonly first: Node | undefined;
  readonly second: Node | undefined;
}

/** Where the places begin that were not looked at. */
interface Rest {
  firstIndex: number | undefined;
}

/** The first so many places; where the next one begins is noted. */
async function* firstOf(
  places: AsyncIterable<Place>,
  count: number,
  rest: Rest,
): AsyncGenerator<Place> {
  let taken = 0;
  for await (const place of places) {
    if (taken === count) {
      rest.firstIndex = place.firstIndex;
      return;
    }
    taken += 1;
    yield place;
  }
}

/**
 * Reads the nodes of places that differ, in order. While some pairs are looked at, the next are
 * read.
 */
async function* readAhead(
  maps: BlockMaps,
  places: Iterable<Place> | AsyncIterable<Place>,
  level: number,
): AsyncGenerator<Pair> {
  let reading: Promise<Pair[]> | undefined;
  for await (const group of growingGroups(places)) {
    const next = readPairs(maps, group, level);
    if (reading) yield* wholePairs(maps, await reading, level);
    reading = next;
  }
  if (reading) yield* wholePairs(maps, await reading, level);
}

/** The nodes of these places, as far as they can be read together. */
async function readPairs(
  maps: BlockMaps,
  places: readonly Place[],
  level: number,
): Promise<Pair[]> {
  const digests = places.flatMap(({ first, second }) => [first, second]);
  // What goes wrong is thrown in the turn of the pair that it concerns, if that comes.
  const nodes = await maps.nodes(digests, level).catch(() => []);
  return places.map((place, i) => ({ place, first: nodes[2 * i], second: nodes[2 * i + 1] }));
}

/** The same pairs with every node there is. */
async function* wholePairs(
  maps: BlockMaps,
  pairs: readonly Pair[],
  level: number,
): AsyncGenerator<Pair> {
  for (const { place, first, second } of pairs) {
    yield {
      place,
      first: first ?? (place.first && (await maps.node(place.first, level))),
      second: second ?? (place.second && (await maps.node(place.second, level))),
    };
  }
}

/** The places below these nodes from a block index on at which they differ. */
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
