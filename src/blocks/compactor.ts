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
  /** True when so many bytes may be moved now: not always on a full disk; always, unless told. */
  readonly hasRoomToMove?: ((sizeBytes: number) => Promise<boolean>) | undefined;
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

/** What is needed of a segment cannot be moved on a full disk. */
class NoRoomError extends Error {
  override readonly name = "NoRoomError";

  constructor(neededBytes: number) {
    super(
      `The disk is full: the ${neededBytes} bytes that are needed of the emptiest segment find ` +
        "no room to be moved to; delete more or give the disk room",
    );
  }
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

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  /**
   * Gives back what can be given back now, of what nothing is appended to any more. Batches of one
   * process are committed one after another, so what lies in segments that it has closed has
   * entered the catalog or never will; of several processes the catalog knows (`isRemovable`).
   * Ends after the records under way where it is told to.
   */
  async compact(isEnding: () => boolean = () => false): Promise<Compacted> {
    const removed: SegmentInfo[] = [];
    let movedBytes = 0;
    const live = await this.#parts.table.liveBytes();
    const needed = ({ segment }: SegmentInfo) => live.get(segment) ?? 0;
    // The emptiest first: on a full disk they make the room that the others need.
    // One that a crash left with no more than its header, or part of that, holds nothing at all.
    const isWorthwhile = (info: SegmentInfo) =>
      needed(info) === 0 || needed(info) < (info.sizeBytes - info.firstOffset) * COMPACT_LIVE_SHARE;
    const all = await this.#parts.segments.list();
    const newest = all.at(-1)?.segment;
    const worthwhile = all
      .filter((info) => info.isClosed && isWorthwhile(info))
      .sort((a, b) => needed(a) - needed(b));
    for (const info of worthwhile) {
      if (isEnding()) break;
      try {
        await this.#moveAll(info, needed(info), isEnding);
        if (info.segment === newest && (await this.#isNewest(info))) continue;
        if (!(await this.#removeIfEmpty(info))) continue;
        movedBytes += needed(info);
        removed.push(info);
      } catch (error) {
        if (await this.#wasRemoved(info, error)) continue;
        this.#parts.onError(info.segment, error);
        // There is none for the fuller ones either.
        if (error instanceof NoRoomError) break;
      }
    }
    const segmentBytes = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { segmentCount: removed.length, segmentBytes, movedBytes };
  }

  /** The newest stays even when it is empty: numbers of segments are never given twice. */
  async #isNewest({ segment }: SegmentInfo): Promise<boolean> {
    return (await this.#parts.segments.list()).at(-1)?.segment === segment;
  }

  async #moveAll(info: SegmentInfo, neededBytes: number, isEnding: () => boolean): Promise<void> {
    if (neededBytes === 0) return;
    // Once, and not for a segment of which nothing can be read: room may be given up for it.
    let asked: Promise<void> | undefined;
    const hasRoom = () => {
      asked ??= this.#checkRoom(neededBytes);
      return asked;
    };
    await forEachConcurrent(
      this.#located(info, isEnding),
      RECORDS_AT_ONCE,
      async ({ placement }) => {
        try {
          await this.#parts.blocks.moveRecord(placement, hasRoom);
        } catch (error) {
          // A damaged record stays where it is, and its segment with it, to be healed or salvaged.
          if (!(error instanceof CorruptionError) || isMissing(error)) throw error;
          this.#parts.onError(info.segment, error);
        }
      },
    );
  }

  async #checkRoom(neededBytes: number): Promise<void> {
    const { hasRoomToMove = async () => true } = this.#parts;
    if (!(await hasRoomToMove(neededBytes))) throw new NoRoomError(neededBytes);
  }

  /** The records of a segment that are found there under their names. */
  async *#located(info: SegmentInfo, isEnding: () => boolean): AsyncGenerator<Scanned> {
    for await (const scanned of scanSegment(this.#parts.segments, info)) {
      if (isEnding()) return;
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
