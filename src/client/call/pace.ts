/** Share of the rate that is left after the service has throttled. */
const DECREASE = 0.7;
/** Milliseconds after which the rate is lowered again, whatever is throttled. */
const DECREASE_INTERVAL_MS = 1_000;
/** Share of the rate at which it throttled that is won back in a second: six seconds for all. */
const INCREASE_PER_SECOND = 0.05;
/** From this multiple of the rate at which it throttled on, nothing is held back any more. */
const RELEASE = 2;
/** Requests a second that are always allowed. */
const RATE_MIN = 0.5;
/** Milliseconds over which the rate of requests is measured: one window, and the one before it. */
const WINDOW_MS = 500;
/** Below this, a measured rate says nothing. */
const MEASURED_MS_MIN = 100;

/**
 * How fast requests of one operation go out. Not held back at all until the service throttles;
 * then at 0.7 of the rate they had, and a little faster with every second without throttling
 * (additive increase, multiplicative decrease). So clients that share a quota come to share it
 * evenly, and few requests are spent on being refused.
 */
export class Pace {
  #ratePerSecond = Number.POSITIVE_INFINITY;
  /** The rate before the last decrease. */
  #throttledAtRate = Number.POSITIVE_INFINITY;
  #decreasedAtMs = Number.NEGATIVE_INFINITY;
  #grownAtMs = 0;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  readonly #sent = new SentRate();

  /** Requests a second at most; infinite while nothing is held back. */
  get ratePerSecond(): number {
    return this.#ratePerSecond;
  }

  /** Takes the next place in time. Answers in how many milliseconds that is. */
  take(nowMs: number): number {
    this.#grow(nowMs);
    this.#sent.count(nowMs);
    if (this.#ratePerSecond === Number.POSITIVE_INFINITY) return 0;
    const atMs = Math.max(nowMs, this.#nextAtMs);
    this.#nextAtMs = atMs + 1_000 / this.#ratePerSecond;
    return atMs - nowMs;
  }

  /** Notes that a request whose place was taken at that time was throttled. */
  throttled(takenAtMs: number, nowMs: number): void {
    // Requests that had their place when the rate was lowered tell nothing of the lower one, but
    // at a low rate it takes too long until there are others.
    const sinceMs = nowMs - this.#decreasedAtMs;
    if (takenAtMs < this.#decreasedAtMs && sinceMs < DECREASE_INTERVAL_MS) return;
    this.#grow(nowMs);
    const rate = Math.min(this.#ratePerSecond, this.#sent.perSecond(nowMs));
    this.#throttledAtRate = Math.max(RATE_MIN, rate);
    this.#ratePerSecond = Math.max(RATE_MIN, rate * DECREASE);
    this.#decreasedAtMs = nowMs;
    this.#grownAtMs = nowMs;
    this.#nextAtMs = Math.max(this.#nextAtMs, nowMs + 1_000 / this.#ratePerSecond);
  }

  #grow(nowMs: number): void {
    if (this.#ratePerSecond === Number.POSITIVE_INFINITY) return;
    const seconds = (nowMs - this.#grownAtMs) / 1_000;
    this.#grownAtMs = nowMs;
    this.#ratePerSecond += seconds * INCREASE_PER_SECOND * this.#throttledAtRate;
    if (this.#ratePerSecond < RELEASE * this.#throttledAtRate) return;
    this.#ratePerSecond = Number.POSITIVE_INFINITY;
    this.#nextAtMs = Number.NEGATIVE_INFINITY;
  }
}

/** Counts requests by time. */
class SentRate {
  #windowAtMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #countBefore = 0;

  count(nowMs: number): void {
    const sinceMs = nowMs - this.#windowAtMs;
    if (sinceMs >= WINDOW_MS) {
      this.#countBefore = sinceMs < 2 * WINDOW_MS ? this.#count : 0;
      this.#count = 0;
      this.#windowAtMs = nowMs;
    }
    this.#count += 1;
  }

  perSecond(nowMs: number): number {
    const isFirst = this.#countBefore === 0;
    const ms = nowMs - this.#windowAtMs + (isFirst ? 0 : WINDOW_MS);
    return ((this.#count + this.#countBefore) / Math.max(ms, MEASURED_MS_MIN)) * 1_000;
  }
}
