import type { WritePurpose } from "../base/write-purpose.ts";

/** Where an entry lies: a range of one segment. */
export interface Placement {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** One entry to append: pieces that are laid down one after another, without being copied. */
export type Entry = readonly Uint8Array[];

/** A segment as it lies in the store. */
export interface SegmentInfo {
  readonly segment: number;
  /** Bytes up to its end; in a segment that is appended to, up to the last whole batch. */
  readonly sizeBytes: number;
  /** Offset of the first entry. */
  readonly firstOffset: number;
  /** True when nothing will ever be appended to it again. */
  readonly isClosed: boolean;
}

/** The range asked for is known not to be in the store. */
export class RangeMissingError extends Error {
  override readonly name = "RangeMissingError";
}

/**
 * Bytes, appended durably in batches and read by range. Knows nothing of blocks or snapshots.
 *
 * - What was appended never changes and never moves.
 * - `append` resolves when the whole batch would survive a power cut, with one placement for each
 *   entry, in order. When it rejects, nothing is known of the batch: it may lie in the store in
 *   part, and no placement for it may be recorded. A failed sync is never tried again on the same
 *   segment; the next append begins a new one.
 * - Only one `append` is in progress at a time; a second call is a mistake and throws. What it is
 *   for, new data unless told, matters on a full disk: there new data is refused.
 * - `read` answers exactly `length` bytes, at the start of `buffer` if one is given that is large
 *   enough, else in a buffer of its own; or it rejects: with a `RangeMissingError` when the segment
 *   or that part of it is known not to be there, with another error when that is not known.
 */
export interface SegmentStore {
  append(batch: readonly Entry[], purpose?: WritePurpose): Promise<Placement[]>;
  read(placement: Placement, buffer?: Uint8Array): Promise<Uint8Array>;
  /** All segments, in order of their numbers; a new one always has the greatest. */
  list(): Promise<SegmentInfo[]>;
  /**
   * Removes a closed segment with all that it holds, also on a full disk; durable when it resolves.
   * Removing one that is not there is harmless.
   */
  remove(segment: number): Promise<void>;
  /** Waits for the append in progress, then releases everything held open. */
  close(): Promise<void>;
}
