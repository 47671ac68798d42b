import assert from "node:assert/strict";
import { answersAtOnce } from "../support/answers-at-once.ts";
import { pick } from "../support/property.ts";

/** Turns after which work that has not ended is taken for stuck. */
const TURNS_MAX = 100_000;
/** Ticks that a call waits, mostly, and where it is a long one. */
const SHORT = 20;
const LONG = 20_000;
/** How often waits are long; one of these holds for one order. */
const LONG_SHARES = [0.004, 0.02, 0.08] as const;
/** Ends of the event loop's round within which work that waits for nothing else goes on. */
const ROUNDS = 2;

/**
 * Puts concurrent work in an order drawn from a seed: every call through a wrapped port waits for a
 * random time before it is made and before its answer arrives, on a clock that only counts. Most
 * waits are short, some are so long that everybody else is done first.
 */
export class Interleaver {
  readonly #fraction: () => number;
  readonly #longShare: number;
  readonly #waiting: { readonly due: number; readonly go: () => void }[] = [];
  #now = 0;
  #isOn = false;
  /** Turns given so far. */
  turnCount = 0;

  constructor(fraction: () => number) {
    this.#fraction = fraction;
    this.#longShare = LONG_SHARES[pick(fraction, LONG_SHARES.length)] as number;
  }

  /** The same object, whose methods wait for their turns. */
  wrap<T extends object>(port: T): T {
    const wrapped = new Map<PropertyKey, unknown>();
    return new Proxy(port, {
      get: (target, name) => {
        const known = wrapped.get(name);
        if (known) return known;
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        const bound = value.bind(target);
        const method = answersAtOnce(name) ? bound : this.#waitingFor(bound);
        wrapped.set(name, method);
        return method;
      },
    });
  }

  #waitingFor(method: (...given: unknown[]) => unknown) {
    return async (...given: unknown[]) => {
      await this.turn();
      try {
        return await method(...given);
      } finally {
        await this.turn();
      }
    };
  }

  /** Waits for a turn; outside of `run` there is no waiting. */
  turn(): Promise<void> {
    if (!this.#isOn) return Promise.resolve();
    const isLong = this.#fraction() < this.#longShare;
    const due = this.#now + 1 + pick(this.#fraction, isLong ? LONG : SHORT);
    return new Promise((go) => {
      this.#waiting.push({ due, go });
    });
  }

  /** Runs work, and gives turns until it has ended. */
  async run(work: () => Promise<unknown>): Promise<void> {
    this.#isOn = true;
    let isOver = false;
    const running = work().finally(() => {
      isOver = true;
    });
    running.catch(() => undefined);
    for (let idle = 0; !isOver; ) {
      for (let round = 0; round < ROUNDS; round++) await new Promise(setImmediate);
      idle = this.#next() ? 0 : idle + 1;
      assert.ok(isOver || idle < 1_000, "nothing waits for a turn, and yet it does not end");
      assert.ok(this.turnCount < TURNS_MAX, "it does not end");
    }
    this.#isOn = false;
    for (const { go } of this.#waiting.splice(0)) go();
    await running;
  }

  /** Lets the one go whose time comes first. */
  #next(): boolean {
    let first = 0;
    for (const [i, { due }] of this.#waiting.entries()) {
      if (due < (this.#waiting[first] as { due: number }).due) first = i;
    }
    const [chosen] = this.#waiting.splice(first, 1);
    if (!chosen) return false;
    this.#now = chosen.due;
    this.turnCount += 1;
    chosen.go();
    return true;
  }
}
