import { EXIT_CODES } from "../exit-codes.ts";

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

/**
 * Lets a reader who stands still hold up what is written to standard output and nothing else: to a
 * pipe Node writes in such a way that timers, connections and Ctrl-C wait with it.
 */
export function waitForReaders(): void {
  standardOutputPipe()?.setBlocking?.(false);
}

/** Lets the process end although somebody does not read what was written for them. */
export function leaveReaders(): void {
  // What is still to be written keeps the process; nothing else takes it back.
  standardOutputPipe()?.close?.();
}

/** What Node writes to when standard output is a pipe. */
interface Pipe {
  setBlocking?(isBlocking: boolean): void;
  close?(): void;
}

function standardOutputPipe(): Pipe | undefined {
  return (process.stdout as typeof process.stdout & { readonly _handle?: Pipe })._handle;
}

function leave(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT_CODES.ok);
}

function ignore(): void {}
