import { forEachConcurrent } from "../base/concurrency.ts";
import type { SegmentTable } from "../catalog/collection.ts";
import { CorruptionError } from "../model/errors.ts";
import { COMPACT_LIVE_SHARE } from "../model/limits.ts";
import {
  RangeMissingError,
  type SegmentInfo,
  type SegmentStore,
} from "../segments/segment-store.ts";
import type { BlockStore } from "./block-store.ts";
import { type Scanned, scanSegment } from "./scan-segment.ts";

/** What the compactor works with. */
export interface CompactorParts {
  readonly segments: SegmentStore;
  readonly table: SegmentTable;
  readonly blocks: BlockStore;
  /** Hears of a segment that could not be given back; the next run tries it again. */
  readonly onError: (segment: number, error: unknown) => void;
}

/** What was given back. */
export interface Compacted {
  readonly segmentCount: number;
  readonly segmentBytes: number;
  /** Bytes that were still needed and were moved to new segments. */
  readonly movedBytes: number;
}

/** Records of one segment on their way at once: each takes up to a block's size of memory. */
const RECORDS_AT_ONCE = 8;

/**
 * Gives segments back to the disk: those that nothing is needed of, and those that little is needed
 * of, after that little has been moved. The order makes it safe anywhere: a record is stored anew
 * and synced, then it is found there, and a segment goes when nothing is found in it any more. A
 * reader that was sent there just before looks the record up again.
 */
export class Compactor {
  readonly #parts: CompactorParts;
  #isStopped = false;

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  /** Gives back what can be given back now. */
  async compact(): Promise<Compacted> {
    const removed: SegmentInfo[] = [];
    let movedBytes = 0;
    const live = await this.#parts.table.liveBytes();
    const needed = ({ segment }: SegmentInfo) => live.get(segment) ?? 0;
    // The emptiest first: on a full disk they make the room that the others need.
    // One that a crash left with no more than its header, or part of that, holds nothing at all.
    const isWorthwhile = (info: SegmentInfo) =>
      needed(info) === 0 || needed(info) < (info.sizeBytes - info.firstOffset) * COMPACT_LIVE_SHARE;
    const worthwhile = (await this.#closedSegments())
      .filter(isWorthwhile)
      .sort((a, b) => needed(a) - needed(b));
    for (const info of worthwhile) {
      if (this.#isStopped) break;
      try {
        if (needed(info) > 0) await this.#moveAll(info);
        if (!(await this.#removeIfEmpty(info))) continue;
        movedBytes += needed(info);
        removed.push(info);
      } catch (error) {
        if (await this.#wasRemoved(info, error)) continue;
        this.#parts.onError(info.segment, error);
      }
    }
    const segmentBytes = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { segmentCount: removed.length, segmentBytes, movedBytes };
  }

  /** Ends after the record under way. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * All that nothing is appended to any more. Batches of one process are committed one after
   * another, so what lies in its segments before its newest one has entered the catalog or never
   * will; of segments of several processes the catalog knows (`isRemovable`). The newest stays even
   * when it is empty: numbers of segments are never given twice.
   */
  async #closedSegments(): Promise<SegmentInfo[]> {
    const all = await this.#parts.segments.list();
    return all.slice(0, -1).filter(({ isClosed }) => isClosed);
  }

  async #moveAll(info: SegmentInfo): Promise<void> {
    await forEachConcurrent(this.#located(info), RECORDS_AT_ONCE, async ({ placement }) => {
      try {
        await this.#parts.blocks.moveRecord(placement);
      } catch (error) {
        // A damaged record stays where it is, and its segment with it, to be healed or salvaged.
        if (!(error instanceof CorruptionError) || isMissing(error)) throw error;
        this.#parts.onError(info.segment, error);
      }
    });
  }

  /** The records of a segment that are found there under their names. */
  async *#located(info: SegmentInfo): AsyncGenerator<Scanned> {
    for await (const scanned of scanSegment(this.#parts.segments, info)) {
      if (this.#isStopped) return;
      if (!scanned.header) continue;
      const { domain, name } = scanned.header;
      if (await this.#parts.table.isLocated(domain, name, scanned.placement)) yield scanned;
    }
  }

  /** True when another process was faster: it moved what was needed, and removed the segment. */
  async #wasRemoved({ segment }: SegmentInfo, error: unknown): Promise<boolean> {
    return isMissing(error) && (await this.#parts.table.isRemovable(segment));
  }

  async #removeIfEmpty({ segment }: SegmentInfo): Promise<boolean> {
    if (!(await this.#parts.table.isRemovable(segment))) return false;
    await this.#parts.segments.remove(segment);
    await this.#parts.table.forget(segment);
    return true;
  }
}

function isMissing(error: unknown): boolean {
  const reason = error instanceof CorruptionError ? error.cause : error;
  return reason instanceof RangeMissingError;
}
