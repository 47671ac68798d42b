import { digestOf } from "../blocks/hash.ts";
import type { Digest } from "../model/digest.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { BlockMaps, MapEntry, Root } from "../tree/block-map.ts";

/*
 * Who wrote which block, for a service that emulates AWS, whose ListChangedBlocks goes by that. It
 * is a second tree beside the block map, of the same form, so that the block map itself stays what
 * it is: same contents, same root. Where a leaf of the block map names a block, a leaf of the
 * writer map names the snapshot that wrote it. What was sealed without emulation left no trace
 * there, so a writer map may lack indexes that the block map has: those have no known writer.
 */

/** What a writer map says of the blocks that a snapshot wrote; no stored block has this name. */
export function writerDigest(snapshotId: string): Digest {
  return digestOf(new TextEncoder().encode(`writer ${snapshotId}`));
}

/** The same writes with their writer in place of what they wrote. */
export async function* byWriter(
  pages: AsyncIterable<readonly MapEntry[]>,
  writer: Digest,
): AsyncGenerator<readonly MapEntry[]> {
  for await (const page of pages) {
    yield page.map(({ blockIndex }) => ({ blockIndex, digest: writer }));
  }
}

/** A block index allocated in one of two snapshots, or both. */
export interface Candidate {
  readonly blockIndex: number;
  readonly inFirst: boolean;
  readonly inSecond: boolean;
  /**
   * True where only one has a block, or the two were written by different snapshots. Where either
   * has no known writer, their contents decide.
   */
  readonly isChanged: boolean;
}

/**
 * The block indexes from `fromIndex` on that either snapshot has, ascending, at most `limit`. Reads
 * no more of a map than that many indexes of it.
 */
export async function candidatesOf(
  maps: BlockMaps,
  pair: { readonly first: Snapshot; readonly second: Snapshot },
  page: { readonly fromIndex: number; readonly limit: number },
): Promise<Candidate[]> {
  const first = await sideOf(maps, pair.first, page);
  const second = isSame(pair) ? first : await sideOf(maps, pair.second, page);
  const indexes = new Set([...first.contents.keys(), ...second.contents.keys()]);
  const ascending = [...indexes].sort((a, b) => a - b).slice(0, page.limit);
  return ascending.map((blockIndex) => {
    const inFirst = first.contents.has(blockIndex);
    const inSecond = second.contents.has(blockIndex);
    const isChanged = !inFirst || !inSecond || differs(first, second, blockIndex);
    return { blockIndex, inFirst, inSecond, isChanged };
  });
}

/** True for one snapshot twice, or what wrote nothing on top of the other. */
function isSame({ first, second }: { readonly first: Snapshot; readonly second: Snapshot }) {
  return first.root === second.root && first.writersRoot === second.writersRoot;
}

interface Side {
  readonly contents: ReadonlyMap<number, Digest>;
  readonly writers: ReadonlyMap<number, Digest>;
}

async function sideOf(
  maps: BlockMaps,
  { root, writersRoot }: Snapshot,
  page: { readonly fromIndex: number; readonly limit: number },
): Promise<Side> {
  return {
    contents: await entriesOf(maps, root, page),
    writers: await entriesOf(maps, writersRoot, page),
  };
}

async function entriesOf(
  maps: BlockMaps,
  root: Root,
  { fromIndex, limit }: { readonly fromIndex: number; readonly limit: number },
): Promise<Map<number, Digest>> {
  const entries = await maps.entries(root, fromIndex, limit);
  return new Map(entries.map(({ blockIndex, digest }) => [blockIndex, digest]));
}

/** Of a block index that both have. Every writer known here lies within the page of contents. */
function differs(first: Side, second: Side, blockIndex: number): boolean {
  const [a, b] = [first.writers.get(blockIndex), second.writers.get(blockIndex)];
  if (a !== undefined && b !== undefined) return a !== b;
  return first.contents.get(blockIndex) !== second.contents.get(blockIndex);
}
