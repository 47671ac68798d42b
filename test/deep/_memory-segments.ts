import {
  type Entry,
  type Placement,
  RangeMissingError,
  type SegmentInfo,
  type SegmentStore,
} from "../../src/segments/segment-store.ts";

/** Bytes before the first entry, as in a file. */
const FIRST_OFFSET = 16;

/** Segments in memory that behave like files, numbers and all. */
export class MemorySegments implements SegmentStore {
  readonly #segments = new Map<number, Buffer>();
  readonly #segmentSizeBytesMax: number;
  #newest = 0;

  constructor(segmentSizeBytesMax: number) {
    this.#segmentSizeBytesMax = segmentSizeBytesMax;
  }

  async append(batch: readonly Entry[]): Promise<Placement[]> {
    const newest = this.#segments.get(this.#newest);
    if (!newest || newest.length >= this.#segmentSizeBytesMax) this.#newest += 1;
    const segment = this.#newest;
    let bytes = this.#segments.get(segment) ?? Buffer.alloc(FIRST_OFFSET);
    const placements = batch.map((entry) => {
      const offset = bytes.length;
      bytes = Buffer.concat([bytes, ...entry]);
      return { segment, offset, length: bytes.length - offset };
    });
    this.#segments.set(segment, bytes);
    return placements;
  }

  async read({ segment, offset, length }: Placement): Promise<Uint8Array> {
    const bytes = this.#segments.get(segment)?.subarray(offset, offset + length);
    if (bytes?.length !== length) throw new RangeMissingError(`Segment ${segment} is missing`);
    return Buffer.from(bytes);
  }

  async list(): Promise<SegmentInfo[]> {
    return [...this.#segments].map(([segment, { length }]) => ({
      segment,
      sizeBytes: length,
      firstOffset: FIRST_OFFSET,
      isClosed: segment !== this.#newest,
    }));
  }

  async remove(segment: number): Promise<void> {
    if (segment === this.#newest) throw new Error(`segment ${segment} is still appended to`);
    this.#segments.delete(segment);
  }

  async close(): Promise<void> {}
}
