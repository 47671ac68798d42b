import type { Clock } from "../base/clock.ts";
import type { Collected, CollectOptions, Collector } from "./collector.ts";

/** A collection that was asked for: under way, or how it ended. */
export interface CollectionStatus {
  readonly id: string;
  readonly state: "running" | "done" | "failed";
  /** Why it failed. */
  readonly message: string | undefined;
  /** What it found and did. */
  readonly result: Collected | undefined;
  readonly durationMs: number | undefined;
}

/** Collections remembered: far more than anybody follows at once (ours). */
const KEPT_COUNT = 100;

/** Collections asked for by callers, who come back for how they went; the oldest are forgotten. */
export class Collections {
  readonly #collector: Collector;
  readonly #clock: Clock;
  readonly #statuses = new Map<string, CollectionStatus>();
  #startedCount = 0;

  constructor(collector: Collector, clock: Clock) {
    this.#collector = collector;
    this.#clock = clock;
  }

  /** Begins one, which goes on by itself, after those asked for before. */
  start(options: CollectOptions): CollectionStatus {
    this.#startedCount += 1;
    const id = String(this.#startedCount);
    const startMs = this.#clock.monotonicMs();
    const end = (outcome: Pick<CollectionStatus, "state" | "message" | "result">) => {
      const durationMs = Math.round(this.#clock.monotonicMs() - startMs);
      this.#keep({ id, ...outcome, durationMs });
    };
    this.#collector.collect(options).then(
      (result) => end({ state: "done", message: undefined, result }),
      (error: Error) => end({ state: "failed", message: error.message, result: undefined }),
    );
    const nothingYet = { message: undefined, result: undefined, durationMs: undefined };
    return this.#keep({ id, state: "running", ...nothingYet });
  }

  /** How one stands; undefined when there is none of that id, or not any more. */
  get(id: string): CollectionStatus | undefined {
    return this.#statuses.get(id);
  }

  #keep(status: CollectionStatus): CollectionStatus {
    this.#statuses.set(status.id, status);
    const [oldest] = this.#statuses.keys();
    if (oldest !== undefined && this.#statuses.size > KEPT_COUNT) this.#statuses.delete(oldest);
    return status;
  }
}
