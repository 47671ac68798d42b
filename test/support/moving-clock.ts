import { type Clock, systemClock } from "../../src/base/clock.ts";

/** How much shorter the clock's sleeps are than asked for, so that tests do not wait. */
const HASTE = 20;

/** The machine's clock, set forward at will; those who sleep by it wake early. */
export class MovingClock implements Clock {
  #offsetMs = 0;
  #passedMs = 0;

  /** Sets the clock forward, or back with a negative number. */
  advance(durationMs: number): void {
    this.#offsetMs += durationMs;
  }

  /** Lets so much time pass at once. */
  pass(durationMs: number): void {
    this.#passedMs += durationMs;
  }

  nowMs(): number {
    return systemClock.nowMs() + this.#offsetMs + this.#passedMs;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#passedMs;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(durationMs / HASTE, signal);
  }
}
