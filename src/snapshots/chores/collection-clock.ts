import { type Clock, ClockWatch } from "../../base/clock.ts";
import type { GarbageTable } from "../../catalog/collection.ts";
import { CLOCK_BELIEVED_MS, COLLECT_SKEW_SECONDS_MAX } from "../../model/limits.ts";

/** The clock cannot be trusted, so nothing is removed. */
export class ClockSkewError extends Error {
  override readonly name = "ClockSkewError";
}

/** The time that runs of the collector go by, and whether it can be believed. */
export class CollectionClock {
  readonly #garbage: GarbageTable;
  readonly #clock: Clock;
  readonly #watch: ClockWatch;
  /** When it was last found to be wrong, on the clock that never jumps. */
  #wrongAtMs = Number.NEGATIVE_INFINITY;
  /** Since when it is behind what was seen, and has gone on straight; on the same clock. */
  #behindSinceMs: number | undefined;

  constructor(garbage: GarbageTable, clock: Clock) {
    this.#garbage = garbage;
    this.#clock = clock;
    this.#watch = new ClockWatch(clock);
  }

  /** True when it has not been found to be wrong for so long. */
  isRightFor(durationMs: number): boolean {
    return this.#clock.monotonicMs() - this.#wrongAtMs >= durationMs;
  }

  /**
   * A clock that was set back or forward would end a grace too early or never. One that is behind
   * what a run has seen may be wrong now, or was ahead then: when it has gone on straight for long,
   * it is believed, and `begin` forgets what was seen. Rejects with a `ClockSkewError`.
   */
  async check(): Promise<void> {
    const backSeconds = ((await this.#garbage.seenMs()) - this.#clock.nowMs()) / 1000;
    const jumpSeconds = Math.abs(this.#watch.skewMs()) / 1000;
    const skewSeconds = Math.max(backSeconds, jumpSeconds);
    const nowMs = this.#clock.monotonicMs();
    if (skewSeconds <= COLLECT_SKEW_SECONDS_MAX) {
      this.#behindSinceMs = undefined;
      return;
    }
    if (jumpSeconds > COLLECT_SKEW_SECONDS_MAX) this.#behindSinceMs = nowMs;
    this.#behindSinceMs ??= nowMs;
    if (nowMs - this.#behindSinceMs >= CLOCK_BELIEVED_MS) return;
    this.#watch.restart();
    this.#wrongAtMs = nowMs;
    const bound = `more than ${COLLECT_SKEW_SECONDS_MAX} s`;
    const message = `The clock is off by ${Math.round(skewSeconds)} s, ${bound}`;
    throw new ClockSkewError(
      `${message}: nothing is collected until it has been right for a while`,
    );
  }
}
