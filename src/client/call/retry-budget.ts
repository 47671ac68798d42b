/** Repetitions at once after a quiet time: one and a half for each of 64 connections. */
const TOKENS_MAX = 100;
/** What comes back by time: what one client may add to the load of a service in trouble. */
const TOKENS_PER_SECOND = 10;
/** What a success gives back: where one attempt in ten fails, repeating is not held up. */
const TOKENS_PER_SUCCESS = 0.1;
/** Milliseconds that a repetition may wait for its turn: as long as an attempt may take. */
const WAIT_MS_MAX = 30_000;

/**
 * Bounds the repetitions of a whole client, whatever its calls are allowed one by one. Each takes
 * a token from a bucket; when the bucket is empty they go out one after another, as fast as tokens
 * come back, so that an outage is bridged but not fed. Whoever would have to wait too long for a
 * token is refused instead.
 */
export class RetryBudget {
  #tokens = TOKENS_MAX;
  #filledAtMs: number | undefined;

  /**
   * Takes a token for a repetition. Answers in how many milliseconds it may go out at the
   * earliest, or undefined when it should not.
   */
  take(nowMs: number): number | undefined {
    const sinceMs = nowMs - (this.#filledAtMs ?? nowMs);
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(TOKENS_MAX, this.#tokens + (sinceMs / 1_000) * TOKENS_PER_SECOND);
    const missing = Math.max(0, 1 - this.#tokens);
    const waitMs = (missing / TOKENS_PER_SECOND) * 1_000;
    if (waitMs > WAIT_MS_MAX) return undefined;
    this.#tokens -= 1;
    return waitMs;
  }

  /** Notes a call that succeeded. */
  succeeded(): void {
    this.#tokens = Math.min(TOKENS_MAX, this.#tokens + TOKENS_PER_SUCCESS);
  }
}
