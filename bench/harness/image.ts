import { type FileHandle, open } from "node:fs/promises";
import { GIB_BYTES } from "../../src/model/limits.ts";
import { BlockSet, randomBytesFrom } from "./blocks.ts";

const MIB_BYTES = 1024 * 1024;
/** Unit in which file systems allocate. */
const PAGE_BYTES = 4096;
/** Where ext4 begins a new block group, with its bitmaps and inodes. */
const GROUP_BYTES = 128 * MIB_BYTES;
const GROUP_HEAD_BYTES = 256 * 1024;
/** Distance at which data is stamped, so that no block of one image is one of another. */
const STAMP_BYTES = 64 * 1024;

/** An image to make. */
export interface ImageOptions {
  readonly path: string;
  /** Images of different names share no block that has data. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly dataBytes: number;
}

/**
 * Makes a sparse image that is laid out like an ext4 of medium age: a head in each block group,
 * and files of 64 KiB to 8 MiB in between, half of them text and half incompressible. Durable
 * when it resolves, so that no later measurement pays for writing it.
 */
export async function makeImage({ path, name, sizeBytes, dataBytes }: ImageOptions): Promise<void> {
  const bodies = bodiesOf();
  const file = await open(path, "w");
  try {
    await file.truncate(sizeBytes);
    for (const [i, extent] of extentsOf(sizeBytes, dataBytes).entries()) {
      const body = bodies[i % bodies.length] as Buffer;
      await writeExtent(file, extent, { body, stamp: `${name} ${i}` });
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Size of the image that the figures move, and of the data in it. */
export const IMAGE_SIZE_BYTES = GIB_BYTES;
export const IMAGE_DATA_BYTES = 256 * MIB_BYTES;

interface ByteExtent {
  readonly offset: number;
  readonly length: number;
}

function extentsOf(sizeBytes: number, dataBytes: number): ByteExtent[] {
  const extents: ByteExtent[] = [];
  for (let offset = 0; offset < sizeBytes; offset += GROUP_BYTES) {
    extents.push({ offset, length: GROUP_HEAD_BYTES });
  }
  const share = sizeBytes / dataBytes;
  const chance = randomBytesFrom("image", 2 * PAGE_BYTES);
  let [offset, left] = [GROUP_HEAD_BYTES, dataBytes - extents.length * GROUP_HEAD_BYTES];
  for (let i = 0; left > 0; i = (i + 2) % chance.length) {
    const wanted = 64 * 1024 * 2 ** ((chance[i] as number) % 8);
    const length = Math.min(left, wanted);
    if (offset + length > sizeBytes) break;
    if (!overlapsHead(offset, length)) {
      extents.push({ offset, length });
      left -= length;
    }
    const gap = 2 * (share - 1) * length * ((chance[i + 1] as number) / 256);
    offset += Math.ceil((length + gap) / PAGE_BYTES) * PAGE_BYTES;
  }
  return extents.sort((a, b) => a.offset - b.offset);
}

function overlapsHead(offset: number, length: number): boolean {
  const group = Math.floor((offset + length - 1) / GROUP_BYTES) * GROUP_BYTES;
  return offset < group + GROUP_HEAD_BYTES;
}

async function writeExtent(
  file: FileHandle,
  { offset, length }: ByteExtent,
  { body, stamp }: { readonly body: Buffer; readonly stamp: string },
): Promise<void> {
  const bytes = Buffer.from(body.subarray(0, length));
  const stamps = randomBytesFrom(stamp, 16 * Math.ceil(length / STAMP_BYTES));
  for (let at = 0, i = 0; at < length; at += STAMP_BYTES, i += 16) {
    bytes.set(stamps.subarray(i, i + 16), at);
  }
  await file.write(bytes, 0, length, offset);
}

/** Alternately text and random bytes, each as long as the longest extent. */
function bodiesOf(): Buffer[] {
  const text = new BlockSet({ kind: "text", name: "image", count: 32 });
  const pieces = Array.from({ length: 16 }, (_, i) => text.pieces(2 * i)).flat();
  return [Buffer.concat(pieces), randomBytesFrom("image data", 8 * MIB_BYTES)];
}
