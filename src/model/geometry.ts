import { BLOCK_SIZE_BYTES, BLOCKS_PER_GIB, GIB_BYTES } from "./limits.ts";

/** Number of blocks in a volume of that many GiB. */
export function blockCountOf(volumeSizeGib: number): number {
  return volumeSizeGib * BLOCKS_PER_GIB;
}

/** The smallest volume, in whole GiB and at least 1, that holds an image of that many bytes. */
export function volumeSizeFor(imageSizeBytes: number): number {
  return Math.max(1, Math.ceil(imageSizeBytes / GIB_BYTES));
}

/** Blocks that an image of that many bytes takes; the last of them may be filled in part. */
export function blockCountFor(imageSizeBytes: number): number {
  return Math.ceil(imageSizeBytes / BLOCK_SIZE_BYTES);
}

/** Offset in bytes of a block's first byte in its volume. */
export function offsetOf(blockIndex: number): number {
  return blockIndex * BLOCK_SIZE_BYTES;
}

/** Block index of the block that holds the byte at that offset. */
export function blockIndexAt(offsetBytes: number): number {
  return Math.floor(offsetBytes / BLOCK_SIZE_BYTES);
}
