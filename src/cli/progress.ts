import type { Clock } from "../base/clock.ts";
import { offsetOf } from "../model/geometry.ts";
import { formatBytes, formatSeconds } from "./format.ts";
import type { Output } from "./output.ts";

/** Milliseconds between two drawings of the bar, and between two JSON events. */
const DRAW_MS = 100;
const EVENT_MS = 1_000;
const BAR_CELLS = 24;
/** Back to the first column, and clear the line. */
const CLEAR_LINE = "\r\u001b[K";

/** How far a transfer is, in blocks. */
export interface TransferProgress {
  readonly blocksTotal: number;
  readonly blocksDone: number;
}

/** Where a bar is drawn. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/**
 * Shows how far a transfer is: a bar where standard error is a terminal, JSON lines for
 * programs, else nothing.
 */
export class ProgressDisplay {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #terminal: Terminal;
  readonly #startedMs: number;
  #shownMs = Number.NEGATIVE_INFINITY;
  #isDrawn = false;

  constructor(output: Output, clock: Clock, terminal: Terminal = process.stderr) {
    this.#output = output;
    this.#clock = clock;
    this.#terminal = terminal;
    this.#startedMs = clock.monotonicMs();
  }

  /** Takes note of progress; shows it if the last showing is long enough ago. */
  readonly update = (progress: TransferProgress): void => {
    const { json, quiet } = this.#output.options;
    if (quiet || (!json && !this.#terminal.isTTY)) return;
    const nowMs = this.#clock.monotonicMs();
    const isLast = progress.blocksDone === progress.blocksTotal;
    if (nowMs - this.#shownMs < (json ? EVENT_MS : DRAW_MS) && !isLast) return;
    this.#shownMs = nowMs;
    const seconds = (nowMs - this.#startedMs) / 1000;
    if (json) this.#output.note("", eventOf(progress, seconds));
    else this.#draw(progressLine(progress, seconds));
  };

  /** Takes the bar away, so that the next line stands alone. */
  clear(): void {
    if (this.#isDrawn) this.#terminal.write(CLEAR_LINE);
    this.#isDrawn = false;
  }

  #draw(line: string): void {
    this.#isDrawn = true;
    this.#terminal.write(`${CLEAR_LINE}${line.slice(0, (this.#terminal.columns ?? 80) - 1)}`);
  }
}

function eventOf(progress: TransferProgress, seconds: number): object {
  const { share, rate } = measure(progress, seconds);
  return {
    event: "progress",
    percent: Math.round(share * 1000) / 10,
    bytesPerSecond: Math.round(rate),
    seconds,
    ...progress,
  };
}

/** One line: bar, per cent, bytes, rate, and the time it will still take. */
export function progressLine(progress: TransferProgress, seconds: number): string {
  const { share, rate, doneBytes, totalBytes } = measure(progress, seconds);
  const cells = Math.floor(share * BAR_CELLS);
  const bar = "█".repeat(cells) + "·".repeat(BAR_CELLS - cells);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const left = rate > 0 ? formatSeconds((totalBytes - doneBytes) / rate) : "?";
  const done = `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
  return `${bar} ${percent}  ${done}  ${formatBytes(rate)}/s  ${left} left`;
}

function measure({ blocksDone, blocksTotal }: TransferProgress, seconds: number) {
  const doneBytes = offsetOf(blocksDone);
  return {
    doneBytes,
    totalBytes: offsetOf(blocksTotal),
    share: blocksTotal === 0 ? 1 : blocksDone / blocksTotal,
    rate: seconds > 0 ? doneBytes / seconds : 0,
  };
}
