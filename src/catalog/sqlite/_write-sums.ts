import { crc32 } from "node:zlib";
import type { Row } from "../rows.ts";

/*
 * A row of `pending_writes` is all that says where an acknowledged block belongs until its snapshot
 * is sealed. So it carries a CRC-32 of itself: of the snapshot's number and the block index, as
 * little-endian doubles, and the record's name. Rows of earlier versions have none.
 */

const head = Buffer.alloc(16);

/** The sum of a write. */
export function sumOfWrite(snapshot: number, blockIndex: number, name: Uint8Array): number {
  head.writeDoubleLE(snapshot, 0);
  head.writeDoubleLE(blockIndex, 8);
  return crc32(name, crc32(head));
}

/** False for a row, with all its columns, that is not what was written. */
export function isWholeWrite(row: Row): boolean {
  const { snapshot, block_index: blockIndex, name, sum } = row;
  if (sum === null) return true;
  return sum === sumOfWrite(snapshot as number, blockIndex as number, name as Uint8Array);
}
