import type { Clock } from "../../src/base/clock.ts";

/** A clock that stands still but while somebody sleeps on it, from the beginning of 2026 on. */
export class SleptClock implements Clock {
  static readonly START_MS = Date.UTC(2026, 0, 1);
  #nowMs = SleptClock.START_MS;

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    this.#nowMs += durationMs;
  }

  advance(durationMs: number): void {
    this.#nowMs += durationMs;
  }
}
