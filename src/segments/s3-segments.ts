import { assert } from "../base/assert.ts";
import { UnavailableError } from "../base/unavailable.ts";
import {
  SEGMENT_HEADER_BYTES,
  segmentHeader,
  segmentName,
  segmentNumber,
} from "./_segment-header.ts";
import { type Bucket, type BucketParts, pauseBefore } from "./bucket.ts";
import {
  type Entry,
  type Placement,
  RangeMissingError,
  type SegmentInfo,
  type SegmentStore,
} from "./segment-store.ts";

/*
 * One object per append, named by its number: segments/0000000001.segment. An object is written
 * once and never again, and no number is used twice: a write of which it is not known how it ended
 * leaves its number, and perhaps an object that nothing refers to, to the collector. So whatever a
 * process, a proxy or the engine does late or twice, no placement ever means other bytes.
 */

/** Below the store's prefix. */
const FOLDER = "segments/";
/** Objects begun for one batch, each under a number of its own (ours). */
const ATTEMPTS_MAX = 3;
/** Milliseconds after which a batch is not begun again: its callers wait (ours). */
const BEGIN_MS_MAX = 5_000;

/** What segments on S3 are opened with. */
export interface S3SegmentsOptions extends BucketParts {
  readonly bucket: Bucket;
  /**
   * A number greater than all that were given before, whoever asked: from the catalog, where the
   * processes of a store agree.
   */
  readonly nextNumber: () => Promise<number>;
}

/** Segments as immutable objects of a bucket. */
export class S3Segments implements SegmentStore {
  readonly #options: S3SegmentsOptions;
  #appending: Promise<unknown> | undefined;

  constructor(options: S3SegmentsOptions) {
    this.#options = options;
  }

  async append(batch: readonly Entry[]): Promise<Placement[]> {
    assert(this.#appending === undefined, "only one append is in progress at a time");
    if (batch.length === 0) return [];
    const appending = this.#append(batch.map((entry) => Buffer.concat(entry)));
    this.#appending = appending.catch(() => undefined);
    try {
      return await appending;
    } finally {
      this.#appending = undefined;
    }
  }

  async #append(entries: readonly Uint8Array[]): Promise<Placement[]> {
    const { bucket, nextNumber, clock } = this.#options;
    const startMs = clock.monotonicMs();
    for (let attempt = 1; ; attempt++) {
      const segment = await nextNumber();
      const bytes = Buffer.concat([segmentHeader(segment), ...entries]);
      try {
        const outcome = await bucket.put(FOLDER + segmentName(segment), bytes);
        if (outcome === "written") return placementsOf(segment, entries);
        throw new UnavailableError(`${bucket.place}: there is a segment ${segment} already`);
      } catch (error) {
        const isLate = clock.monotonicMs() - startMs > BEGIN_MS_MAX;
        if (attempt === ATTEMPTS_MAX || isLate || !(error instanceof UnavailableError)) throw error;
        await pauseBefore(attempt, this.#options);
      }
    }
  }

  async read(placement: Placement, buffer?: Uint8Array): Promise<Uint8Array> {
    const { segment, offset, length } = placement;
    const isRoomy = buffer !== undefined && buffer.length >= length;
    const bytes = isRoomy ? buffer.subarray(0, length) : Buffer.allocUnsafeSlow(length);
    if (length === 0) return bytes;
    const { bucket } = this.#options;
    const isThere = await bucket.read(FOLDER + segmentName(segment), { offset, length }, bytes);
    if (isThere) return bytes;
    const end = offset + length;
    throw new RangeMissingError(`Segment ${segment} is missing or ends before offset ${end}`);
  }

  async list(): Promise<SegmentInfo[]> {
    const found: SegmentInfo[] = [];
    for await (const page of this.#options.bucket.list(FOLDER)) {
      for (const { name, sizeBytes } of page) {
        const segment = segmentNumber(name.slice(FOLDER.length));
        if (segment === undefined) continue;
        found.push({ segment, sizeBytes, firstOffset: SEGMENT_HEADER_BYTES, isClosed: true });
      }
    }
    // S3 lists in order of names, but not every engine's directories do.
    return found.sort((a, b) => a.segment - b.segment);
  }

  async remove(segment: number): Promise<void> {
    await this.#options.bucket.remove(FOLDER + segmentName(segment));
  }

  async close(): Promise<void> {
    await this.#appending;
    this.#options.bucket.close();
  }
}

/** A segment of that number or a greater one, if the bucket holds any. */
export async function findSegmentFrom(bucket: Bucket, from: number): Promise<number | undefined> {
  const after = FOLDER + segmentName(from - 1);
  for await (const page of bucket.list(FOLDER, { after })) {
    for (const { name } of page) {
      const segment = segmentNumber(name.slice(FOLDER.length));
      if (segment !== undefined && segment >= from) return segment;
    }
  }
  return undefined;
}

function placementsOf(segment: number, entries: readonly Uint8Array[]): Placement[] {
  let offset = SEGMENT_HEADER_BYTES;
  return entries.map(({ length }) => {
    const placement = { segment, offset, length };
    offset += length;
    return placement;
  });
}
