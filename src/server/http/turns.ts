import type { Clock } from "../../base/clock.ts";

/** Pieces of such work that run at once. */
const RUNNING_COUNT_MAX = 2;

/**
 * Takes turns with work that keeps the process busy for long, such as a page of 10,000 blocks:
 * those who wait are let in one of each key after another, so whoever asks for very much waits for
 * himself; and between two pieces everything else that is ready goes on.
 */
export class Turns {
  readonly #clock: Clock;
  /** Those who wait, by key; the key whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #running = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs the work when it is the key's turn; answers what it answers. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.#running >= RUNNING_COUNT_MAX) await this.#wait(key);
    else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#takeNext();
      // The place passes on, but only after whatever else has become ready meanwhile.
      if (next) void this.#clock.sleep(0).then(next, next);
      else this.#running -= 1;
    }
  }

  #wait(key: string): Promise<void> {
    return new Promise((resolve) => {
      const line = this.#waiting.get(key);
      if (line) line.push(resolve);
      else this.#waiting.set(key, [resolve]);
    });
  }

  /** The first in the line whose turn it is; that line goes behind the others. */
  #takeNext(): (() => void) | undefined {
    for (const [key, line] of this.#waiting) {
      this.#waiting.delete(key);
      const next = line.shift();
      if (line.length > 0) this.#waiting.set(key, line);
      return next;
    }
    return undefined;
  }
}
