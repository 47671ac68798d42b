import type { Extent } from "../model/extent.ts";
import { Peekable } from "./_peekable.ts";
import type { CallOptions, Client } from "./client.ts";
import { ClientError, isSnapshotNotFound } from "./errors.ts";
import { type BlockPage, blockPagesOf, digestPagesOf } from "./listings.ts";
import { getSnapshotBlock } from "./operations.ts";

/** A block of the parent snapshot. */
export interface ParentBlock {
  readonly blockIndex: number;
  /** base64 SHA-256 of its contents; may have to read them. */
  readonly checksum: () => Promise<string>;
}

/** A parent snapshot to compare with. */
export interface Parent {
  readonly volumeSizeGib: number;
  /** Ascending; can be gone through once. */
  readonly blocks: AsyncGenerator<ParentBlock>;
}

/** A block to look at: one of the image, one of the parent, or both. */
export interface PlannedBlock {
  readonly blockIndex: number;
  /** False where the image has a hole or has ended. */
  readonly isInImage: boolean;
  readonly parent: ParentBlock | undefined;
}

/**
 * Finds the blocks of a parent snapshot and their checksums: from the service's own list where it
 * has one, else by reading each block that needs comparing.
 */
export async function openParent(
  client: Client,
  snapshotId: string,
  options: CallOptions,
): Promise<Parent> {
  try {
    return await openPages(digestPagesOf(client, snapshotId, options), (block) => ({
      blockIndex: block.BlockIndex,
      checksum: async () => block.Checksum,
    }));
  } catch (error) {
    if (!isOperationUnknown(error)) throw error;
  }
  return openPages(blockPagesOf(client, snapshotId, options), ({ BlockIndex, BlockToken }) => ({
    blockIndex: BlockIndex,
    checksum: async () =>
      (await getSnapshotBlock(client, BlockIndex, snapshotId, BlockToken, options)).Checksum,
  }));
}

/** Wrong keys end here, too: the listing that is tried instead meets them again and says so. */
export function isOperationUnknown(error: unknown): boolean {
  if (!(error instanceof ClientError) || isSnapshotNotFound(error)) return false;
  const { status = 0 } = error;
  return (status >= 400 && status < 500) || status === 501;
}

async function openPages<T>(
  pages: AsyncGenerator<BlockPage<T>>,
  toBlock: (item: T) => ParentBlock,
): Promise<Parent> {
  const first = await pages.next();
  if (first.done) throw new Error("A listing has at least one page");
  const { items, volumeSizeGib } = first.value;
  async function* blocks() {
    yield* items.map(toBlock);
    for await (const page of pages) yield* page.items.map(toBlock);
  }
  return { volumeSizeGib, blocks: blocks() };
}

/** What a plan is made of; each ascending by block index. */
export interface PlanSources {
  readonly image: AsyncIterable<Extent>;
  readonly parent: AsyncIterator<ParentBlock> | undefined;
  /** Blocks that an earlier run has sent. */
  readonly sent?: Iterable<number> | undefined;
}

/** Every block that the image or the parent has, or was sent, ascending by block index. */
export async function* planBlocks(sources: PlanSources): AsyncGenerator<PlannedBlock> {
  const image = new Peekable(blockIndexesOf(sources.image));
  const parent = new Peekable(sources.parent);
  const sent = new Peekable(sources.sent?.[Symbol.iterator]());
  try {
    for (;;) {
      const own = await image.peek();
      const inherited = await parent.peek();
      const earlier = await sent.peek();
      const blockIndex = Math.min(
        own ?? Number.POSITIVE_INFINITY,
        inherited?.blockIndex ?? Number.POSITIVE_INFINITY,
        earlier ?? Number.POSITIVE_INFINITY,
      );
      if (blockIndex === Number.POSITIVE_INFINITY) return;
      const isInImage = own === blockIndex;
      const isInParent = inherited?.blockIndex === blockIndex;
      if (isInImage) image.take();
      if (isInParent) parent.take();
      if (earlier === blockIndex) sent.take();
      yield { blockIndex, isInImage, parent: isInParent ? inherited : undefined };
    }
  } finally {
    await image.end();
  }
}

/** The block indexes of extents, one by one. */
export async function* blockIndexesOf(extents: AsyncIterable<Extent>): AsyncGenerator<number> {
  for await (const { start, count } of extents) {
    for (let blockIndex = start; blockIndex < start + count; blockIndex++) yield blockIndex;
  }
}
