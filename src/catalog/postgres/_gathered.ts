import { nextTurn } from "../../base/next-turn.ts";
import type { Queries } from "./_postgres-database.ts";

interface Waiting<K, V> {
  readonly key: K;
  readonly resolve: (value: V | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Keys that one statement looks up: a bound on its size (ours). */
const KEYS_AT_ONCE = 256;
/** Statements under way at once, so that a slow answer does not hold up everybody (ours). */
const STATEMENTS_AT_ONCE = 2;

/** Answers for each key, in order; on the connection of a transaction, where one is given. */
type LookUp<K, V> = (keys: readonly K[], queries?: Queries) => Promise<readonly (V | undefined)[]>;

/** A transaction that is about to begin, and takes along whoever asks until then. */
export interface Ride {
  /** Answers all who wait, within the transaction: its first statement, before any lock. */
  answer(queries: Queries): Promise<void>;
  /** Whoever still waits, because the transaction did not begin, asks without it. */
  end(): void;
}

/**
 * Looks up one thing at a time for each who asks, and many with one statement: whoever asks while
 * others are being answered is in the next one. A statement is sent after all have asked that it
 * answers, so nobody hears of a state from before.
 */
export class Gathered<K, V> {
  readonly #lookUp: LookUp<K, V>;
  #waiting: Waiting<K, V>[] = [];
  #runningCount = 0;
  #rideCount = 0;

  constructor(lookUp: LookUp<K, V>) {
    this.#lookUp = lookUp;
  }

  get(key: K): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      this.#runUnlessBusy();
    });
  }

  /** Has those who ask from now on wait for the first statement of a transaction. */
  ride(): Ride {
    this.#rideCount += 1;
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      this.#rideCount -= 1;
      if (this.#waiting.length > 0) this.#runUnlessBusy();
    };
    return {
      answer: async (queries) => {
        await this.#answerWithin(queries);
        end();
      },
      end,
    };
  }

  #runUnlessBusy(): void {
    if (this.#rideCount === 0 && this.#runningCount < STATEMENTS_AT_ONCE) void this.#run();
  }

  async #run(): Promise<void> {
    this.#runningCount += 1;
    // One turn of the event loop, so that requests which arrived together ask together.
    await nextTurn();
    while (this.#waiting.length > 0 && this.#rideCount === 0) {
      await this.#answer(this.#waiting.splice(0, KEYS_AT_ONCE));
    }
    this.#runningCount -= 1;
  }

  async #answerWithin(queries: Queries): Promise<void> {
    const asked = this.#waiting.splice(0, KEYS_AT_ONCE);
    if (asked.length === 0) return;
    try {
      const found = await this.#lookUp(
        asked.map(({ key }) => key),
        queries,
      );
      for (const [i, { resolve }] of asked.entries()) resolve(found[i]);
    } catch (error) {
      // Not their fault: they ask again when the transaction has been given up, or begun anew.
      this.#waiting.unshift(...asked);
      throw error;
    }
  }

  async #answer(asked: readonly Waiting<K, V>[]): Promise<void> {
    try {
      const found = await this.#lookUp(asked.map(({ key }) => key));
      for (const [i, { resolve }] of asked.entries()) resolve(found[i]);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
