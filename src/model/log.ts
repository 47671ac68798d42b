import { type Clock, formatTimeMs } from "../base/clock.ts";
import { DiskFullError } from "./errors.ts";

/** Something an operator should see. Never holds a secret or a block's bytes. */
export interface LogEntry {
  readonly time: string;
  readonly level: "error" | "info";
  readonly message: string;
  readonly [detail: string]: string;
}

/** Says something to whoever operates the service. */
export type Logger = (
  message: string,
  details: { readonly [name: string]: unknown },
  level?: LogEntry["level"],
) => void;

/**
 * Makes log lines of what is said, and hands them to `log`, which by default writes JSON lines to
 * standard error.
 */
export function logger(
  log: ((entry: LogEntry) => void) | undefined = writeToStandardError,
  clock: Clock,
): Logger {
  return (message, details, level = "error") => {
    // That the disk is full has been told once, when it was found.
    if (details["error"] instanceof DiskFullError) return;
    const texts = Object.entries(details).map(([name, value]) => [
      name,
      value instanceof Error ? stackOf(value) : String(value),
    ]);
    const time = formatTimeMs(clock.nowMs());
    try {
      log({ ...Object.fromEntries(texts), time, level, message });
    } catch {
      // A log that fails must not take down what it reports on; there is nowhere else to say so.
    }
  };
}

function stackOf(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\nCaused by: ${stackOf(error.cause)}` : stack;
}

function writeToStandardError(entry: LogEntry): void {
  process.stderr.write(`${JSON.stringify(entry)}\n`);
}
