import { EXIT_CODES } from "./exit-codes.ts";

/** `varve list | head -1` is no failure: when the reader has gone, there is nothing left to do. */
export function leaveWhenNobodyReads(): void {
  process.stdout.on("error", leave);
}

/**
 * A service has more to do than to be read: whoever took its greeting and its log may go, and so
 * may the disk that its log goes to. It only loses what it says.
 */
export function goOnWhenNobodyReads(): void {
  process.stdout.off("error", leave);
  process.stdout.on("error", ignore);
  process.stderr.on("error", ignore);
}

function leave(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT_CODES.ok);
}

function ignore(): void {}
