import type { Extent } from "../../model/extent.ts";

/** What a download writes blocks to, in any order: a partial file or a block device. */
export interface BlockTarget {
  /** Where what is written lies until all of it is. */
  readonly partPath: string;
  /** True where what was never written reads as zeros. */
  readonly isFresh: boolean;
  /** True where an earlier run of this download has written to it. */
  readonly isResumed: boolean;
  /** True once this run has written to it. */
  readonly hasWritten: boolean;
  /** Writes all of the bytes at that offset. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Fills the buffer with what is at that offset; what lies beyond the end is zeros. */
  read(buffer: Uint8Array, offset: number): Promise<void>;
  /** Where there may be anything but zeros, ascending; undefined where anywhere. */
  dataExtents(): Promise<AsyncGenerator<Extent> | undefined>;
  /** Gives it another length, where it can have one; what is added is a hole. */
  resize(sizeBytes: number): Promise<void>;
  /** Makes durable what was written. */
  sync(): Promise<void>;
  /** Makes all of it durable and, for a file, gives it its name. */
  finish(): Promise<void>;
  /** Lets go of it, and leaves it for the next run. */
  keep(): Promise<void>;
  /** Undoes what can be undone; quietly, for another error is on its way to the caller. */
  discard(): Promise<void>;
}

/** How to open a target. */
export interface TargetOptions {
  readonly sizeBytes: number;
  readonly force: boolean;
  readonly onto: boolean;
  /** True to write onto what another unfinished download has left as well. */
  readonly adopts: boolean;
  /** The target as an earlier run noted it; see `noteTarget`. */
  readonly earlier: string | undefined;
  /** Hears what will tell the target apart, before anything happens to it. */
  readonly noteTarget: (identity: string) => Promise<void>;
}
