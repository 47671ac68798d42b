/*
 * What every segment begins with, be it a file or an object.
 *
 *   offset  0        8         12              16
 *           "VARVESEG" version u32 segment u32  entries, one after another …
 */

const MAGIC = "VARVESEG";
/** Version of the segment's own header. */
export const SEGMENT_FORMAT_VERSION = 1;
/** Bytes before the first entry. */
export const SEGMENT_HEADER_BYTES = 16;

/** The header of the segment of that number. */
export function segmentHeader(segment: number): Uint8Array {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.write(MAGIC, 0, "latin1");
  header.writeUInt32LE(SEGMENT_FORMAT_VERSION, 8);
  header.writeUInt32LE(segment, 12);
  return header;
}

/** The name of a segment's file or object: ten digits, so that names sort as numbers do. */
export function segmentName(segment: number): string {
  return `${String(segment).padStart(10, "0")}.segment`;
}

/** The number of the segment of that name; undefined for every other name. */
export function segmentNumber(name: string): number | undefined {
  const digits = /^([0-9]{10})\.segment$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
