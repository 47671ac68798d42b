/*
 * What every segment begins with, be it a file or an object.
 *
 *   offset  0        8         12              16
 *           "VARVESEG" version u32 segment u32  entries, one after another …
 */

const MAGIC = "VARVESEG";
/**
 * Version of the segment's own header. Each has an odd number of bits set, as 1, 2, 4, 7 and 8: the
 * header has no checksum, and so no bit that flips makes one version of another.
 */
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

/**
 * The version of a header that a newer Varve wrote; undefined for any other, and for one that is
 * torn or damaged, which says nothing: records are found and verified without it.
 */
export function newerVersionOf(header: Uint8Array, segment: number): number | undefined {
  if (header.length < SEGMENT_HEADER_BYTES) return undefined;
  const version = Buffer.from(header).readUInt32LE(8);
  const expected = Buffer.from(segmentHeader(segment));
  expected.writeUInt32LE(version, 8);
  const isWhole = expected.equals(header) && hasOddBitCount(version);
  return isWhole && version > SEGMENT_FORMAT_VERSION ? version : undefined;
}

function hasOddBitCount(number: number): boolean {
  return number.toString(2).replaceAll("0", "").length % 2 === 1;
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
