import pino from "pino";
import type { LogEntry, LogLevel } from "../model/log.ts";

/** Standard error, by its file descriptor: standard output is for the greeting. */
const STANDARD_ERROR = 2;

/** Where log lines go: opened as soon as it is asked for. */
export interface LogLines {
  /** Writes one line. Never throws. */
  readonly write: (entry: LogEntry) => void;
}

/** Where bytes of lines go, as pino writes them. */
export interface LineDestination {
  write(line: string): void;
}

/**
 * Log lines as JSON, one for each entry of that level and those above it: `level`, `time` and
 * `message` first, then what belongs to the message. A line is written before `write` returns, so
 * that the last words of a process that ends are there.
 */
export function logLines(level: LogLevel, destination?: LineDestination): LogLines {
  const options = {
    level,
    // What is said of process and machine, whoever gathers the lines says better.
    base: null,
    messageKey: "message",
    // The time is the entry's own, so that it is the clock's that the service goes by.
    timestamp: false,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const lines = pino(options, destination ?? standardError());
  return {
    write({ level: of, message, ...details }) {
      lines[of](details, message);
    },
  };
}

/** Characters of lines kept to be written later; what comes beyond is dropped (ours). */
const UNWRITTEN_LENGTH_MAX = 1024 * 1024;

/** Whoever read the lines may go, and so may the disk they go to: the service goes on. */
function standardError(): pino.DestinationStream {
  const to = { dest: STANDARD_ERROR, sync: true, maxLength: UNWRITTEN_LENGTH_MAX };
  const destination = pino.destination(to);
  destination.on("error", () => undefined);
  return destination;
}
