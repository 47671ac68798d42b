import { getSnapshotBlock } from "../api/ebs-operations.ts";
import { type BlockPage, blockPagesOf, digestPagesOf } from "../api/listings.ts";
import { isOperationUnknown } from "../api/unknown-operation.ts";
import type { CallOptions, Client } from "../call/client.ts";

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
