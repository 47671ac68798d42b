import { forEachConcurrent } from "../../base/concurrency.ts";
import { CONCURRENCY_DEFAULT } from "../../model/defaults.ts";
import { ZERO_BLOCK_CHECKSUM } from "../../model/digest.ts";
import { type Extent, extentsOf } from "../../model/extent.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { openParent, type ParentBlock } from "../transfer/parent-blocks.ts";

/** One of two snapshots to compare. */
export interface ComparedSnapshot {
  readonly client: Client;
  readonly snapshotId: string;
}

/** What a comparison came to. */
export interface Comparison {
  readonly blocksCompared: number;
  readonly isSameSize: boolean;
  readonly differingBlocks: number;
  /** Where they are, ascending. */
  readonly differingExtents: readonly Extent[];
}

/**
 * Compares two snapshots, of whatever services, by their blocks' checksums: as the services list
 * them or, where one does not, of blocks read and hashed here. A hole is the same as zeros.
 */
export async function compareSnapshots(
  first: ComparedSnapshot,
  second: ComparedSnapshot,
  options: CallOptions & { readonly concurrency?: number | undefined } = {},
): Promise<Comparison> {
  const { concurrency = CONCURRENCY_DEFAULT, signal } = options;
  const a = await openParent(first.client, first.snapshotId, { signal });
  const b = await openParent(second.client, second.snapshotId, { signal });
  const differing: number[] = [];
  let blocksCompared = 0;
  const pairs = pairsOf(a.blocks, b.blocks);
  await forEachConcurrent(pairs, concurrency, async ({ blockIndex, blocks }) => {
    signal?.throwIfAborted();
    const [one, other] = await Promise.all(
      blocks.map((block) => block?.checksum() ?? ZERO_BLOCK_CHECKSUM),
    );
    blocksCompared += 1;
    if (one !== other) differing.push(blockIndex);
  });
  return {
    blocksCompared,
    isSameSize: a.volumeSizeGib === b.volumeSizeGib,
    differingBlocks: differing.length,
    differingExtents: extentsOf(differing.sort((x, y) => x - y)),
  };
}

interface Pair {
  readonly blockIndex: number;
  readonly blocks: readonly (ParentBlock | undefined)[];
}

/** The blocks of two ascending lists, those of one block index together. */
async function* pairsOf(
  first: AsyncIterator<ParentBlock>,
  second: AsyncIterator<ParentBlock>,
): AsyncGenerator<Pair> {
  const next = async (list: AsyncIterator<ParentBlock>) => {
    const result = await list.next();
    return result.done ? undefined : result.value;
  };
  let [a, b] = [await next(first), await next(second)];
  while (a || b) {
    const blockIndex = Math.min(a?.blockIndex ?? Infinity, b?.blockIndex ?? Infinity);
    const ofFirst = a?.blockIndex === blockIndex ? a : undefined;
    const ofSecond = b?.blockIndex === blockIndex ? b : undefined;
    yield { blockIndex, blocks: [ofFirst, ofSecond] };
    if (ofFirst) a = await next(first);
    if (ofSecond) b = await next(second);
  }
}
