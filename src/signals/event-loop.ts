import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Clock, repeat } from "../base/clock.ts";

/** How often it is looked how late the event loop is, in milliseconds: fine enough for 50 ms. */
const RESOLUTION_MS = 20;
/** For how long delays are gathered before they are told: a minute. */
const WINDOW_MS = 60_000;

/** How late the event loop is. Stop it, or it goes on for the life of the process. */
export class EventLoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #chore: { stop(): Promise<void> };
  #latestMs: number | undefined;

  constructor(clock: Clock) {
    this.#histogram.enable();
    this.#chore = repeat(clock, WINDOW_MS, {
      work: async () => {
        this.#latestMs = this.#p99Ms();
        this.#histogram.reset();
      },
      // Reading a histogram does not fail.
      onError: () => undefined,
    });
  }

  /** 99 of 100 times it was no later than that, in milliseconds: in the last whole minute. */
  get p99Ms(): number {
    return this.#latestMs ?? this.#p99Ms();
  }

  /** Ends looking. */
  async stop(): Promise<void> {
    this.#histogram.disable();
    await this.#chore.stop();
  }

  #p99Ms(): number {
    // What is measured is the time between two looks.
    const lateMs = this.#histogram.percentile(99) / 1e6 - RESOLUTION_MS;
    return Math.max(0, Math.round(lateMs * 10) / 10);
  }
}
