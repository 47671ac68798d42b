import type { FileHandle } from "node:fs/promises";

/** Buffers the kernel takes in one call; more is an error on Linux (IOV_MAX). */
const PIECES_PER_CALL_MAX = 1024;

/**
 * Writes every byte of every piece at that position. The kernel may take only part of a write
 * without calling it an error (a disk that fills up does just that), so the count it reports is
 * the only truth: what is left over is written again until all is taken or a call fails.
 */
export async function writeAll(
  file: FileHandle,
  pieces: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = pieces.filter((piece) => piece.length > 0);
  let offset = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest.slice(0, PIECES_PER_CALL_MAX), offset);
    if (bytesWritten === 0) throw new Error(`The disk took none of the bytes at ${offset}`);
    offset += bytesWritten;
    rest = dropBytes(rest, bytesWritten);
  }
}

/** The pieces that remain after the first `count` bytes of them are taken away. */
function dropBytes(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let first = 0;
  for (; first < pieces.length; first++) {
    const length = (pieces[first] as Uint8Array).length;
    if (length > left) break;
    left -= length;
  }
  const rest = pieces.slice(first);
  if (left > 0) rest[0] = (rest[0] as Uint8Array).subarray(left);
  return rest;
}
