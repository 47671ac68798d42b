import type { Clock } from "../base/clock.ts";

/** What was found out may be used for so many times as long as finding it out took. */
const COST_FACTOR = 50;

/**
 * Something that takes work to find out, kept for a while: at least `ageMsMin`, and longer the
 * more time it takes, so that finding it out never takes more than 2 % of the time.
 */
export class Cached<T> {
  readonly #clock: Clock;
  readonly #ageMsMin: number;
  readonly #find: () => Promise<T>;
  #latest: { readonly value: Promise<T>; untilMs: number } | undefined;

  constructor(clock: Clock, ageMsMin: number, find: () => Promise<T>) {
    this.#clock = clock;
    this.#ageMsMin = ageMsMin;
    this.#find = find;
  }

  /** Answers what is known, or finds it out; those who ask meanwhile wait for the same. */
  get(): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    if (this.#latest && startMs < this.#latest.untilMs) return this.#latest.value;
    const value = this.#find();
    const latest = { value, untilMs: Number.POSITIVE_INFINITY };
    this.#latest = latest;
    value.then(
      () => {
        const endMs = this.#clock.monotonicMs();
        latest.untilMs = endMs + Math.max(this.#ageMsMin, (endMs - startMs) * COST_FACTOR);
      },
      // A failure is not kept: the next to ask tries again.
      () => {
        latest.untilMs = 0;
      },
    );
    return value;
  }
}
