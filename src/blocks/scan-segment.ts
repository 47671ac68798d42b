import { CorruptionError } from "../model/errors.ts";
import { RECORD_SIZE_BYTES_MAX } from "../model/limits.ts";
import type { Placement, SegmentInfo, SegmentStore } from "../segments/segment-store.ts";
import { decodeHeader, RECORD_HEADER_BYTES, RECORD_MAGIC, type RecordHeader } from "./record.ts";

/** A whole record in a segment, or bytes in which none begins. */
export type Scanned =
  | { readonly placement: Placement; readonly header: RecordHeader }
  | { readonly placement: Placement; readonly header: undefined };

/** Bytes of a segment looked at together while searching for the next record. */
const SEARCH_BYTES = 128 * 1024;

/**
 * Walks the records of a segment in order of their offsets, by their headers: payloads are neither
 * read nor checked. Where a header is damaged or torn, the next whole header is searched for, and
 * what lies between is answered as bytes without a record, so that one damaged header hides one
 * record only.
 */
export async function* scanSegment(
  segments: SegmentStore,
  { segment, sizeBytes, firstOffset }: SegmentInfo,
): AsyncGenerator<Scanned> {
  for (let offset = firstOffset; offset < sizeBytes; ) {
    const header = await headerAt(segments, { segment, offset }, sizeBytes);
    if (header) {
      const length = RECORD_HEADER_BYTES + header.storedLength;
      yield { placement: { segment, offset, length }, header };
      offset += length;
    } else {
      const next = await findRecord(segments, { segment, offset: offset + 1 }, sizeBytes);
      yield { placement: { segment, offset, length: next - offset }, header: undefined };
      offset = next;
    }
  }
}

interface Place {
  readonly segment: number;
  readonly offset: number;
}

/** The header of the record that begins there and ends within the segment, if there is one. */
async function headerAt(
  segments: SegmentStore,
  { segment, offset }: Place,
  sizeBytes: number,
): Promise<RecordHeader | undefined> {
  if (offset + RECORD_HEADER_BYTES > sizeBytes) return undefined;
  const bytes = await segments.read({ segment, offset, length: RECORD_HEADER_BYTES });
  const header = headerOf(bytes);
  if (!header || header.storedLength > RECORD_SIZE_BYTES_MAX) return undefined;
  return offset + RECORD_HEADER_BYTES + header.storedLength <= sizeBytes ? header : undefined;
}

function headerOf(bytes: Uint8Array): RecordHeader | undefined {
  try {
    return decodeHeader(bytes);
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    throw error;
  }
}

/** Offset of the next whole record from there on; the segment's end when there is none. */
async function findRecord(
  segments: SegmentStore,
  { segment, offset }: Place,
  sizeBytes: number,
): Promise<number> {
  for (let start = offset; start < sizeBytes; start += SEARCH_BYTES) {
    // A little of what follows, so that a header across the border is not missed.
    const length = Math.min(SEARCH_BYTES + RECORD_MAGIC.length - 1, sizeBytes - start);
    const bytes = Buffer.from(await segments.read({ segment, offset: start, length }));
    for (let i = bytes.indexOf(RECORD_MAGIC); i >= 0; i = bytes.indexOf(RECORD_MAGIC, i + 1)) {
      const place = { segment, offset: start + i };
      if (i < SEARCH_BYTES && (await headerAt(segments, place, sizeBytes))) return place.offset;
    }
  }
  return sizeBytes;
}
