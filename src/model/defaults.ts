/* What holds where nothing is said, for service, library and command line alike. */

/** Where `varve serve` listens, and where the others look for it. */
export const LISTEN_ADDRESS_DEFAULT = "127.0.0.1:7788";

/** The region that a service runs as and that requests are signed for. */
export const REGION_DEFAULT = "us-east-1";

/**
 * Blocks that an upload, download, copy or comparison has under way at once. Each takes a buffer
 * of 512 KiB, and two where what is there already is compared first.
 */
export const CONCURRENCY_DEFAULT = 16;

/** Milliseconds to wait for a snapshot to be completed: half an hour. */
export const WAIT_MS_DEFAULT = 30 * 60_000;
