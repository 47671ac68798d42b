import { type Clock, formatTimeMs } from "../base/clock.ts";
import { DiskFullError } from "./errors.ts";

/** What is written of a log: errors alone, everything, or nothing. */
export type LogLevel = "error" | "info" | "silent";

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

/** Makes log entries of what is said, and hands them to `log`. */
export function logger(log: (entry: LogEntry) => void, clock: Clock): Logger {
  return (message, details, level = "error") => {
    // That the disk is full has been told once, when it was found.
    if (details["error"] instanceof DiskFullError) return;
    const texts = Object.entries(details).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value instanceof Error ? stackOf(value) : String(value)]],
    );
    const time = formatTimeMs(clock.nowMs());
    try {
      // Whatever details are called, they are not taken for these three.
      const named = { time, level, message };
      log({ ...named, ...(Object.fromEntries(texts) as object), ...named });
    } catch {
      // A log that fails must not take down what it reports on; there is nowhere else to say so.
    }
  };
}

function stackOf(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\nCaused by: ${stackOf(error.cause)}` : stack;
}
