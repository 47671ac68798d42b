import { nextTurn } from "../../base/next-turn.ts";

interface Waiting<K, V> {
  readonly key: K;
  readonly resolve: (value: V | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Keys that one statement looks up: a bound on its size (ours). */
const KEYS_AT_ONCE = 256;
/** Statements under way at once, so that a slow answer does not hold up everybody (ours). */
const STATEMENTS_AT_ONCE = 2;

/**
 * Looks up one thing at a time for each who asks, and many with one statement: whoever asks while
 * others are being answered is in the next one. A statement is sent after all have asked that it
 * answers, so nobody hears of a state from before.
 */
export class Gathered<K, V> {
  readonly #lookUp: (keys: readonly K[]) => Promise<readonly (V | undefined)[]>;
  #waiting: Waiting<K, V>[] = [];
  #runningCount = 0;

  /** `lookUp` answers for each key, in order. */
  constructor(lookUp: (keys: readonly K[]) => Promise<readonly (V | undefined)[]>) {
    this.#lookUp = lookUp;
  }

  get(key: K): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      if (this.#runningCount < STATEMENTS_AT_ONCE) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#runningCount += 1;
    // One turn of the event loop, so that requests which arrived together ask together.
    await nextTurn();
    while (this.#waiting.length > 0) await this.#answer(this.#waiting.splice(0, KEYS_AT_ONCE));
    this.#runningCount -= 1;
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
