import type { Tag } from "../../model/snapshot.ts";
import type { HoleSearch } from "../image/image.ts";
import type { ByteStream } from "../image/stream-image.ts";
import type { TransferNote } from "../transfer/transfer-note.ts";

/** What to upload, and how. */
export interface UploadOptions {
  /** A raw image: a file or a block device; with `stream`, what errors call it. */
  readonly path: string;
  /** Read the image from here instead, once and in order; needs `volumeSizeGib`. */
  readonly stream?: ByteStream | undefined;
  /** GiB; default: as small as the image and the parent allow. */
  readonly volumeSizeGib?: number | undefined;
  readonly description?: string | undefined;
  readonly tags?: readonly Tag[] | undefined;
  /** Encrypt the snapshot under the account's default key; a child is as its parent is. */
  readonly encrypted?: boolean | undefined;
  /** Encrypt the snapshot under this key. */
  readonly kmsKeyArn?: string | undefined;
  /** Send only what differs from this completed snapshot. */
  readonly parentSnapshotId?: string | undefined;
  /** Blocks under way at once; default 16. Memory is bounded by it. */
  readonly concurrency?: number | undefined;
  /**
   * How holes are told, which are neither read nor sent. `seek` asks the file system; zeros
   * inside data are then sent as zeros, which cost no storage. `zero` takes each block of zeros
   * for a hole. `auto`, the default, asks where it can, and looks for zeros where it cannot.
   * With a parent, zeros where it has a hole are never sent: they do not differ from it.
   */
  readonly holes?: HoleSearch | undefined;
  /** A map of the image by `qemu-img map --output=json`, to take holes from instead. */
  readonly mapPath?: string | undefined;
  /** Upload the bytes as they are, also where they look like qcow2, VMDK, VHD and so on. */
  readonly raw?: boolean | undefined;
  /**
   * File in which the upload notes what it has done (see `TransferLog`). With one, an upload that
   * ends early keeps its unfinished snapshot, and the same upload goes on with it.
   */
  readonly logPath?: string | undefined;
  /**
   * Begin anew, whatever the transfer log says; what an earlier run began is deleted, unless its
   * completion was asked for.
   */
  readonly restart?: boolean | undefined;
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
  /** Hears what the user should know. */
  readonly onNote?: ((note: TransferNote) => void) | undefined;
  /**
   * Hears the result while the transfer log is still there: should the process die before this
   * has returned, the same upload of a file that has not changed only tells the result once more.
   */
  readonly onCompleted?: ((result: UploadResult) => void) | undefined;
  /**
   * Ends the upload. Without a transfer log this deletes what it began, unless it is about to be
   * completed already.
   */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to wait for the completed snapshot at the end; default half an hour. */
  readonly completionTimeoutMs?: number | undefined;
}

/** How far an upload is. */
export interface UploadProgress {
  readonly snapshotId: string;
  /** Blocks of the image; of a stream, those it may have. */
  readonly blocksTotal: number;
  /** Blocks of the image that are dealt with, holes among them. */
  readonly blocksDone: number;
  readonly blocksRead: number;
  /** Blocks sent by this run. */
  readonly blocksSent: number;
  /** Blocks that an earlier run sent. */
  readonly blocksKept: number;
  /** Blocks not sent since the parent has the same. */
  readonly blocksUnchanged: number;
  readonly bytesSent: number;
  readonly blocksInFlight: number;
  /** Attempts that failed and were repeated. */
  readonly retries: number;
}

/** What an upload came to. */
export interface UploadResult extends UploadProgress {
  readonly volumeSizeGib: number;
  /** Blocks of the image neither sent nor in the parent: holes, or zeros taken for holes. */
  readonly blocksSkipped: number;
  readonly seconds: number;
}
