import { type Clock, repeat } from "../../base/clock.ts";
import { offsetOf } from "../../model/geometry.ts";
import { formatBytes, formatCount, formatSeconds } from "./format.ts";
import type { Output } from "./output.ts";

/** Milliseconds between two drawings of the bar, two JSON events, and two lines of a log file. */
const DRAW_MS = 100;
const EVENT_MS = 1_000;
const LINE_MS = 10_000;
/** Milliseconds after which something is shown although nothing has happened. */
const TICK_MS = 1_000;
/** Milliseconds that the rate is measured over. */
const RATE_WINDOW_MS = 10_000;
/** Milliseconds without progress that are worth a word. */
const STALL_MS = 5_000;
const BAR_CELLS = 24;
const BAR_CELLS_MIN = 4;
/** Back to the first column, and clear the line. */
const CLEAR_LINE = "\r\u001b[K";

/** How far a transfer is, in blocks. */
export interface TransferProgress {
  readonly blocksTotal: number;
  readonly blocksDone: number;
  readonly blocksInFlight?: number;
  readonly retries?: number;
  /** Bytes that went over the network, in either direction. */
  readonly bytesSent?: number;
  readonly bytesReceived?: number;
}

/** How fast it has been lately. */
export interface Pace {
  /** Bytes a second over the network, where that is known, else through the volume. */
  readonly rate: number;
  /** Seconds that are left; undefined while nothing moves. */
  readonly leftSeconds: number | undefined;
  /** Seconds since anything moved. */
  readonly idleSeconds: number;
}

/** Where a bar is drawn. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/**
 * Shows how far a transfer is: a bar where standard error is a terminal, JSON lines for programs,
 * else a line every ten seconds. Once started, it also shows that nothing happens.
 */
export class ProgressDisplay {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #terminal: Terminal;
  readonly #startedMs: number;
  readonly #pace = new PaceMeter();
  #last: TransferProgress | undefined;
  #shownMs = Number.NEGATIVE_INFINITY;
  #isDrawn = false;
  #ticker: { stop(): Promise<void> } | undefined;

  constructor(output: Output, clock: Clock, terminal: Terminal = process.stderr) {
    this.#output = output;
    this.#clock = clock;
    this.#terminal = terminal;
    this.#startedMs = clock.monotonicMs();
  }

  /** Shows from now on also that nothing happens, until cleared. */
  start(): void {
    const work = async () => this.#show(false);
    this.#ticker ??= repeat(this.#clock, TICK_MS, { work, onError: () => undefined });
  }

  /** Takes note of progress; shows it if the last showing is long enough ago. */
  readonly update = (progress: TransferProgress): void => {
    this.#last = progress;
    this.#pace.note(progress, this.#clock.monotonicMs());
    this.#show(progress.blocksDone === progress.blocksTotal);
  };

  /** Takes the bar away, so that the next line stands alone, and shows no more. */
  clear(): void {
    void this.#ticker?.stop();
    this.#ticker = undefined;
    this.clearLine();
  }

  /** Takes the bar away until it is drawn again. */
  readonly clearLine = (): void => {
    if (this.#isDrawn) this.#terminal.write(CLEAR_LINE);
    this.#isDrawn = false;
  };

  #show(isLast: boolean): void {
    const { json, quiet } = this.#output.options;
    if (quiet || !this.#last) return;
    const nowMs = this.#clock.monotonicMs();
    const isPlain = !json && !this.#terminal.isTTY;
    const sinceMs = isPlain ? Math.max(this.#shownMs, this.#startedMs) : this.#shownMs;
    const intervalMs = json ? EVENT_MS : isPlain ? LINE_MS : DRAW_MS;
    if (nowMs - sinceMs < intervalMs && (isPlain || !isLast)) return;
    this.#shownMs = nowMs;
    const seconds = (nowMs - this.#startedMs) / 1000;
    const pace = this.#pace.measure(this.#last, nowMs);
    if (json) this.#output.note("", eventOf(this.#last, seconds, pace));
    else if (isPlain) this.#output.note(plainLine(this.#last, pace), {});
    else this.#draw(progressLine(this.#last, seconds, { pace, columns: this.#columns() }));
  }

  /** The last column stays free: some terminals begin a new line after it. */
  #columns(): number {
    return (this.#terminal.columns ?? 80) - 1;
  }

  #draw(line: string): void {
    this.#isDrawn = true;
    this.#terminal.write(`${CLEAR_LINE}${line.slice(0, this.#columns())}`);
  }
}

interface Sample {
  readonly atMs: number;
  readonly movedBytes: number;
  readonly doneBytes: number;
}

/** Measures the pace over the last seconds: what an earlier run did says nothing about it. */
class PaceMeter {
  readonly #samples: Sample[] = [];
  #movedMs = 0;

  note(progress: TransferProgress, atMs: number): void {
    const sample = { atMs, ...bytesOf(progress) };
    const last = this.#samples.at(-1);
    const hasMoved = last?.movedBytes !== sample.movedBytes || last.doneBytes !== sample.doneBytes;
    if (!last || hasMoved) this.#movedMs = atMs;
    // Ten samples a second are plenty.
    if (!last || atMs - last.atMs >= DRAW_MS) this.#samples.push(sample);
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - RATE_WINDOW_MS) this.#samples.shift();
  }

  measure(progress: TransferProgress, nowMs: number): Pace {
    const first = this.#samples[0];
    const { movedBytes, doneBytes, totalBytes } = bytesOf(progress);
    const seconds = Math.max(0, nowMs - (first?.atMs ?? nowMs)) / 1000;
    const perSecond = (bytes: number) => (seconds > 0 ? bytes / seconds : 0);
    const through = perSecond(doneBytes - (first?.doneBytes ?? 0));
    return {
      rate: perSecond(movedBytes - (first?.movedBytes ?? 0)),
      leftSeconds: through > 0 ? (totalBytes - doneBytes) / through : undefined,
      idleSeconds: (nowMs - this.#movedMs) / 1000,
    };
  }
}

function bytesOf({ blocksDone, blocksTotal, bytesSent, bytesReceived }: TransferProgress) {
  const doneBytes = offsetOf(blocksDone);
  const movedBytes = bytesSent ?? bytesReceived ?? doneBytes;
  return { doneBytes, totalBytes: offsetOf(blocksTotal), movedBytes };
}

function shareOf({ blocksDone, blocksTotal }: TransferProgress): number {
  return blocksTotal === 0 ? 1 : Math.min(1, blocksDone / blocksTotal);
}

function eventOf(progress: TransferProgress, seconds: number, pace: Pace): object {
  return {
    event: "progress",
    percent: Math.round(shareOf(progress) * 1000) / 10,
    bytesPerSecond: Math.round(pace.rate),
    seconds,
    secondsLeft: pace.leftSeconds === undefined ? null : Math.round(pace.leftSeconds),
    idleSeconds: Math.round(pace.idleSeconds),
    ...progress,
  };
}

/**
 * One line: bar, per cent, bytes, rate, the time it will still take, and what is under way. Where
 * there are few columns the bar gives way.
 */
export function progressLine(
  progress: TransferProgress,
  seconds: number,
  options: { readonly pace?: Pace; readonly columns?: number } = {},
): string {
  const { pace = averagePace(progress, seconds), columns = Number.POSITIVE_INFINITY } = options;
  const share = shareOf(progress);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const rest = ` ${percent}  ${facts(progress, pace).join("  ")}`;
  const width = Math.max(BAR_CELLS_MIN, Math.min(BAR_CELLS, columns - rest.length));
  const cells = Math.floor(share * width);
  return `${"█".repeat(cells)}${"·".repeat(width - cells)}${rest}`;
}

function plainLine(progress: TransferProgress, pace: Pace): string {
  return [`${Math.floor(shareOf(progress) * 100)}%`, ...facts(progress, pace)].join(", ");
}

function facts(progress: TransferProgress, { rate, leftSeconds, idleSeconds }: Pace): string[] {
  const { doneBytes, totalBytes } = bytesOf(progress);
  const { blocksInFlight = 0, retries = 0 } = progress;
  const left = leftSeconds === undefined ? "?" : formatSeconds(leftSeconds);
  return [
    `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    `${formatBytes(rate)}/s`,
    `${left} left`,
    ...(blocksInFlight > 0 ? [`${blocksInFlight} in flight`] : []),
    ...(retries > 0 ? [formatCount(retries, "retry").replace("retrys", "retries")] : []),
    ...(idleSeconds * 1000 >= STALL_MS ? [`nothing for ${formatSeconds(idleSeconds)}`] : []),
  ];
}

function averagePace(progress: TransferProgress, seconds: number): Pace {
  const { movedBytes, doneBytes, totalBytes } = bytesOf(progress);
  const leftSeconds = doneBytes > 0 ? ((totalBytes - doneBytes) * seconds) / doneBytes : undefined;
  return { rate: seconds > 0 ? movedBytes / seconds : 0, leftSeconds, idleSeconds: 0 };
}
