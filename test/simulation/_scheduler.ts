import assert from "node:assert/strict";
import { createHash, type Hash } from "node:crypto";
import { setImmediate as realImmediate } from "node:timers";
import type { Clock } from "../../src/base/clock.ts";
import { pick, seededFraction } from "../support/property.ts";

/** Events after which work that has not ended is taken for stuck. */
const EVENTS_MAX = 200_000;
/** Milliseconds that a call takes, mostly, and where it is a slow one. */
const SHORT_MS = 4;
const LONG_MS = 4_000;
/** Share of slow calls; one of these holds for one run. */
const LONG_SHARES = [0, 0.004, 0.02, 0.06] as const;
const START_MS = 1_800_000_000_000;

interface Event {
  readonly dueMs: number;
  readonly go: () => void;
}

/** Something whose work ends at once and for good when it is over: a process, or a caller. */
export interface Life {
  isOver: boolean;
}

/**
 * Time, and the order of all that happens, out of one seed. Every wait, for a disk, a message or a
 * clock, is an event at a time on a clock that only counts; one event is let go after another, each
 * when all that the one before has set off has come to wait again. What happens is written down in
 * a hash, so that two runs can be compared.
 */
export class Scheduler {
  readonly fraction: () => number;
  readonly #longShare: number;
  readonly #trace: Hash = createHash("sha256");
  readonly #events: Event[] = [];
  /** Wall times before each jump, and when they jumped. */
  readonly #jumps: { readonly atMs: number; readonly wallMs: number }[] = [];
  #nowMs = 0;
  #wallMs = START_MS;
  eventCount = 0;
  /** Hears what is written down; to find out where two runs part. */
  onNote: ((line: string) => void) | undefined;

  constructor(seed: number) {
    this.fraction = seededFraction(seed);
    this.#longShare = LONG_SHARES[pick(this.fraction, LONG_SHARES.length)] as number;
  }

  /** Milliseconds since the run began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get wallMs(): number {
    return this.#wallMs + Math.floor(this.#nowMs);
  }

  /** True, so often. */
  chance(share: number): boolean {
    return share > 0 && this.fraction() < share;
  }

  /** Writes down what happened. */
  note(line: string): void {
    this.onNote?.(`${this.#nowMs.toFixed(3)} ${line}`);
    this.#trace.update(`${this.#nowMs} ${line}\n`);
  }

  /** The hash of all that was written down. */
  digest(): string {
    return this.#trace.digest("hex");
  }

  /** Has something happen after so long; answers what calls it off. */
  after(durationMs: number, go: () => void): () => void {
    const event = { dueMs: this.#nowMs + durationMs, go };
    this.#events.push(event);
    return () => {
      const i = this.#events.indexOf(event);
      if (i >= 0) this.#events.splice(i, 1);
    };
  }

  /** Waits as long as a call takes; for ever in a life that is over by then. */
  turn(life: Life): Promise<void> {
    const isLong = this.chance(this.#longShare);
    return this.wait(life, this.fraction() * (isLong ? LONG_MS : SHORT_MS));
  }

  /** Waits so long; for ever in a life that is over by then. */
  wait(life: Life, durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(durationMs, () => {
        if (!life.isOver) resolve();
      });
    });
  }

  /** Sets the wall clock forward or back. */
  jump(byMs: number): void {
    this.#jumps.push({ atMs: this.#nowMs, wallMs: this.wallMs });
    this.#wallMs += byMs;
  }

  /** The latest wall time that a call made since then may know of: it may carry one on its way. */
  latestWallMs(sinceMs: number): number {
    const sentMs = sinceMs - LONG_MS;
    const before = this.#jumps.filter(({ atMs }) => atMs >= sentMs).map(({ wallMs }) => wallMs);
    return Math.max(this.wallMs, ...before);
  }

  /** The clock of a life. */
  clockOf(life: Life): Clock {
    return {
      nowMs: () => this.wallMs,
      monotonicMs: () => this.#nowMs,
      sleep: (durationMs, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason);
          const callOff = this.after(durationMs, () => {
            signal?.removeEventListener("abort", onAbort);
            if (!life.isOver) resolve();
          });
          const onAbort = () => {
            callOff();
            reject(signal?.reason);
          };
          signal?.addEventListener("abort", onAbort, { once: true });
        }),
    };
  }

  /** Runs work, and lets one event go after another until it has ended. */
  async run(work: () => Promise<void>): Promise<void> {
    let isOver = false;
    const restore = this.#takeImmediates();
    try {
      const running = work().finally(() => {
        isOver = true;
      });
      running.catch(() => undefined);
      for (;;) {
        await new Promise(realImmediate);
        if (isOver) return await running;
        this.#next();
      }
    } finally {
      restore();
    }
  }

  /** Work that lets others have their turn waits for it as for anything else. */
  #takeImmediates(): () => void {
    const { setImmediate } = globalThis;
    const soon = (go: (value?: unknown) => void) => this.after(this.fraction(), go);
    Object.assign(globalThis, { setImmediate: soon });
    return () => void Object.assign(globalThis, { setImmediate });
  }

  #next(): void {
    let first = 0;
    for (let i = 1; i < this.#events.length; i++) {
      const isEarlier = (this.#events[i] as Event).dueMs < (this.#events[first] as Event).dueMs;
      if (isEarlier) first = i;
    }
    const [event] = this.#events.splice(first, 1);
    assert.ok(event, "nothing is waited for, and yet it does not end");
    this.eventCount += 1;
    assert.ok(this.eventCount < EVENTS_MAX, "it does not end");
    this.#nowMs = Math.max(this.#nowMs, event.dueMs);
    event.go();
  }
}
