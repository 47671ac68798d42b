import type { Extent } from "../../model/extent.ts";
import type { TransferNote } from "../transfer/transfer-note.ts";

/** What a snapshot can be written to in order, as standard output is. */
export interface ByteSink {
  /** Calls back once the bytes are taken, or cannot be. */
  write(bytes: Uint8Array, callback: (error?: Error | null) => void): unknown;
}

/** What to download, and where to. */
export interface DownloadOptions {
  readonly snapshotId: string;
  /** The image to write: a file or a block device; with `sink`, what errors call it. */
  readonly path: string;
  /** Write the image here instead, in order, holes as zeros. Cannot be gone on with. */
  readonly sink?: ByteSink | undefined;
  /** Replace an image that is there already; a block device always is. */
  readonly force?: boolean | undefined;
  /**
   * Write only what differs onto the image that is there: an older restore. A file has no name
   * until that is done. Implies a transfer log beside it.
   */
  readonly onto?: boolean | undefined;
  /**
   * With `onto`, at a service that tells no digests: the snapshot that the image was restored
   * from. What did not change since is believed to be in the image; some of it is checked.
   */
  readonly baseSnapshotId?: string | undefined;
  /** The block device holds nothing but zeros: do not read it for what has to become a hole. */
  readonly targetIsZero?: boolean | undefined;
  /**
   * Go on past blocks that cannot be read or verified, however often they are asked for, and leave
   * zeros in their place; the result says which they are.
   */
  readonly salvage?: boolean | undefined;
  /** Blocks under way at once; default 16. Memory is bounded by it. */
  readonly concurrency?: number | undefined;
  /**
   * File in which the download notes what it has written (see `TransferLog`). With one, a download
   * that ends early keeps its partial file, and the same download goes on with it.
   */
  readonly logPath?: string | undefined;
  /** Begin anew, whatever the transfer log says. */
  readonly restart?: boolean | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Hears what the user should know. */
  readonly onNote?: ((note: TransferNote) => void) | undefined;
  /** Hears the result while the transfer log is still there. */
  readonly onCompleted?: ((result: DownloadResult) => void) | undefined;
  /** Ends the download. Without a transfer log this removes what it wrote. */
  readonly signal?: AbortSignal | undefined;
}

/** How far a download is. */
export interface DownloadProgress {
  /** Blocks of the image. */
  readonly blocksTotal: number;
  /** Blocks of the image that are dealt with, holes among them. */
  readonly blocksDone: number;
  readonly blocksReceived: number;
  /** Blocks written to the image: those received that it did not hold already. */
  readonly blocksWritten: number;
  /** Blocks not received: an earlier run wrote them, or the image held them already. */
  readonly blocksKept: number;
  readonly bytesReceived: number;
  readonly blocksInFlight: number;
  /** Attempts that failed and were repeated. */
  readonly retries: number;
}

/** What a download came to. */
export interface DownloadResult extends DownloadProgress {
  readonly snapshotId: string;
  readonly path: string;
  /** Length of the image. */
  readonly imageBytes: number;
  readonly volumeSizeGib: number;
  /** Blocks that are zeros in the image because they could not be read; 0 without salvage. */
  readonly badBlocks: number;
  /** Where they are, ascending. */
  readonly badExtents: readonly Extent[];
  readonly seconds: number;
}
