import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";

/** Where an image has what: a pattern's number, 0 for written zeros, or "hole". */
export type ImageContents = Readonly<Record<number, number | "hole">>;

/** A block that holds one number over and over; 0 makes a block of zeros. */
function patternBlock(pattern: number): Buffer {
  return Buffer.alloc(BLOCK_SIZE_BYTES, Uint8Array.of(0, 0, pattern >> 8, pattern & 0xff));
}

/** Writes a sparse image: a hole wherever the contents say nothing. */
export async function writeImage(
  path: string,
  sizeBytes: number,
  contents: ImageContents,
): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.truncate(sizeBytes);
    for (const [blockIndex, pattern] of Object.entries(contents)) {
      if (pattern === "hole") continue;
      const offset = Number(blockIndex) * BLOCK_SIZE_BYTES;
      const length = Math.min(BLOCK_SIZE_BYTES, sizeBytes - offset);
      await file.write(patternBlock(pattern), 0, length, offset);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Bytes compared at once; large, so that the gigabytes of a hole pass quickly. */
const COMPARE_BYTES = 8 * 1024 * 1024;

/**
 * Throws unless a file has the bytes of another, followed by zeros up to a length where one is
 * given.
 */
export async function assertSameBytes(
  actualPath: string,
  expectedPath: string,
  paddedToBytes?: number,
): Promise<void> {
  await using actual = await open(actualPath);
  await using expected = await open(expectedPath);
  const { size: expectedSize } = await expected.stat();
  const { size } = await actual.stat();
  assert.equal(size, paddedToBytes ?? expectedSize, "length");
  const [a, b] = [Buffer.alloc(COMPARE_BYTES), Buffer.alloc(COMPARE_BYTES)];
  for (let offset = 0; offset < size; offset += COMPARE_BYTES) {
    const length = Math.min(COMPARE_BYTES, size - offset);
    b.fill(0);
    await Promise.all([actual.read(a, 0, length, offset), expected.read(b, 0, length, offset)]);
    const isSame = a.subarray(0, length).equals(b.subarray(0, length));
    assert.ok(isSame, `bytes from ${offset} to ${offset + length} differ`);
  }
}
