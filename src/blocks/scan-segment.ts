import { CorruptionError } from "../model/errors.ts";
import { RECORD_SIZE_BYTES_MAX } from "../model/limits.ts";
import type { Placement, SegmentInfo, SegmentStore } from "../segments/segment-store.ts";
import { readTwice } from "./_read-twice.ts";
import { decodeHeader, RECORD_HEADER_BYTES, RECORD_MAGIC, type RecordHeader } from "./record.ts";

/** A whole record in a segment, or bytes in which none begins. */
export type Scanned =
  | { readonly placement: Placement; readonly header: RecordHeader; readonly unread?: undefined }
  | {
      readonly placement: Placement;
      readonly header: undefined;
      /** What the disk says, where it cannot read how these bytes begin. */
      readonly unread: CorruptionError | undefined;
    };

/** Bytes of a segment looked at together while searching for the next record. */
const SEARCH_BYTES = 128 * 1024;
/** What the system reads of a disk at once, where it cannot read more. */
const PAGE_BYTES = 4_096;

/**
 * Walks the records of a segment in order of their offsets, by their headers: payloads are neither
 * read nor checked. Where a header is damaged, torn, or not readable, the next whole header is
 * searched for, and what lies between is answered as bytes without a record, so that one damaged
 * header hides one record only.
 */
export async function* scanSegment(
  segments: SegmentStore,
  { segment, sizeBytes, firstOffset }: SegmentInfo,
): AsyncGenerator<Scanned> {
  for (let offset = firstOffset; offset < sizeBytes; ) {
    const found = await headerAt(segments, { segment, offset }, sizeBytes);
    if (isHeader(found)) {
      const length = RECORD_HEADER_BYTES + found.storedLength;
      yield { placement: { segment, offset, length }, header: found };
      offset += length;
    } else {
      const next = await findRecord(segments, { segment, offset: offset + 1 }, sizeBytes);
      const placement = { segment, offset, length: next - offset };
      yield { placement, header: undefined, unread: found };
      offset = next;
    }
  }
}

interface Place {
  readonly segment: number;
  readonly offset: number;
}

/**
 * The header of the record that begins there and ends within the segment, if there is one, or why
 * that cannot be known.
 */
async function headerAt(
  segments: SegmentStore,
  { segment, offset }: Place,
  sizeBytes: number,
): Promise<RecordHeader | CorruptionError | undefined> {
  if (offset + RECORD_HEADER_BYTES > sizeBytes) return undefined;
  const place = { segment, offset, length: RECORD_HEADER_BYTES };
  const bytes = await readTwice(segments, place).catch(damageOf);
  if (bytes instanceof CorruptionError) return bytes;
  const header = headerOf(bytes);
  if (!header || header.storedLength > RECORD_SIZE_BYTES_MAX) return undefined;
  return offset + RECORD_HEADER_BYTES + header.storedLength <= sizeBytes ? header : undefined;
}

function headerOf(bytes: Uint8Array): RecordHeader | undefined {
  try {
    return decodeHeader(bytes);
  } catch (error) {
    damageOf(error);
    return undefined;
  }
}

function isHeader(found: RecordHeader | CorruptionError | undefined): found is RecordHeader {
  return found !== undefined && !(found instanceof CorruptionError);
}

function damageOf(error: unknown): CorruptionError {
  if (error instanceof CorruptionError) return error;
  throw error;
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
    const bytes = Buffer.from(await readReadable(segments, { segment, offset: start, length }));
    for (let i = bytes.indexOf(RECORD_MAGIC); i >= 0; i = bytes.indexOf(RECORD_MAGIC, i + 1)) {
      if (i >= SEARCH_BYTES) break;
      const place = { segment, offset: start + i };
      if (isHeader(await headerAt(segments, place, sizeBytes))) return place.offset;
    }
  }
  return sizeBytes;
}

/** A range, with zeros where the disk cannot read it: it says so of a few sectors at a time. */
async function readReadable(segments: SegmentStore, range: Placement): Promise<Uint8Array> {
  const whole = await readTwice(segments, range).catch(damageOf);
  if (!(whole instanceof CorruptionError)) return whole;
  const { segment, offset: start, length } = range;
  const [found, end] = [new Uint8Array(length), start + length];
  for (let offset = start; offset < end; ) {
    const next = Math.min(end, offset - (offset % PAGE_BYTES) + PAGE_BYTES);
    const page = { segment, offset, length: next - offset };
    const bytes = await readTwice(segments, page).catch(damageOf);
    if (!(bytes instanceof CorruptionError)) found.set(bytes, offset - start);
    offset = next;
  }
  return found;
}
