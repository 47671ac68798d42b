import type { Comparison } from "../inspect/compare.ts";
import type { TransferNote } from "../transfer/transfer-note.ts";
import type { CopyEncryption } from "./_copy-start.ts";

/** How to copy. */
export interface CopyOptions extends CopyEncryption {
  /** Blocks under way at once; default 16. Memory is bounded by it. */
  readonly concurrency?: number | undefined;
  /**
   * Folder for what is known of unfinished copies, so that after a crash nothing is sent again
   * that was acknowledged. Without one, an unfinished copy is found again and sent again.
   */
  readonly stateFolder?: string | undefined;
  /** Compare every copy with its original, also those that were there. */
  readonly verify?: boolean | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Hears what the user should know. */
  readonly onNote?: ((note: TransferNote) => void) | undefined;
  /** Hears of each snapshot as soon as it is done. */
  readonly onResult?: ((result: CopyResult) => void) | undefined;
  /** Ends the copy; what is done is kept for the next one. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to wait for a copy's completion; default half an hour. */
  readonly completionTimeoutMs?: number | undefined;
}

/** How far the copy of one snapshot is. */
export interface CopyProgress {
  readonly sourceSnapshotId: string;
  readonly snapshotId: string;
  /** Blocks of the volume. */
  readonly blocksTotal: number;
  /** Blocks of the volume that are dealt with, holes and what the parent has among them. */
  readonly blocksDone: number;
  /** Blocks put at the destination by this run. */
  readonly blocksSent: number;
  /** Blocks that an earlier run had put. */
  readonly blocksResumed: number;
  /** Blocks read at the source; fewer than sent where they are known to be zeros. */
  readonly blocksReceived: number;
  readonly bytesSent: number;
}

/** What the copy of one snapshot came to. */
export interface CopyResult {
  readonly sourceSnapshotId: string;
  readonly snapshotId: string;
  /** `there` when the destination had a completed copy already. */
  readonly outcome: "copied" | "there";
  /** The copy's parent at the destination; undefined when all blocks were copied. */
  readonly parentSnapshotId: string | undefined;
  /** The snapshot at the source whose changes were copied. */
  readonly baseSnapshotId: string | undefined;
  readonly volumeSizeGib: number;
  /** Blocks put at the destination by this run. */
  readonly blocksSent: number;
  /** Blocks that an earlier run had put. */
  readonly blocksResumed: number;
  /** Blocks read at the source; fewer than sent where they are known to be zeros. */
  readonly blocksReceived: number;
  readonly bytesSent: number;
  /**
   * Where asked for, how the copy compares with its original; undefined also where that was deleted
   * before it could be told.
   */
  readonly verification: Comparison | undefined;
  readonly seconds: number;
}
