import type { Clock } from "../base/clock.ts";
import type { Collected, CollectOptions, Collector } from "./collector.ts";

/** A collection that was asked for: under way, or how it ended. */
export interface CollectionStatus {
  readonly id: string;
  readonly state: "running" | "done" | "failed";
  /** Why it failed, or that it was stopped. */
  readonly message: string | undefined;
  /** What it found and did. */
  readonly result: Collected | undefined;
  readonly durationMs: number | undefined;
}

/** Said of one that was stopped: what it did is done. */
const STOPPED = "Stopped before its end; the next collection goes on";

/** Collections remembered: far more than anybody follows at once (ours). */
const KEPT_COUNT = 100;

/** Collections asked for by callers, who come back for how they went; the oldest are forgotten. */
export class Collections {
  readonly #collector: Collector;
  readonly #clock: Clock;
  readonly #statuses = new Map<string, CollectionStatus>();
  /** Of those under way, what stops each. */
  readonly #stops = new Map<string, AbortController>();
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
      this.#stops.delete(id);
      const durationMs = Math.round(this.#clock.monotonicMs() - startMs);
      this.#keep({ id, ...outcome, durationMs });
    };
    const stop = new AbortController();
    this.#stops.set(id, stop);
    const messageOf = () => (stop.signal.aborted ? STOPPED : undefined);
    this.#collector.collect({ ...options, signal: stop.signal }).then(
      (result) => end({ state: "done", message: messageOf(), result }),
      (error: Error) => end({ state: "failed", message: error.message, result: undefined }),
    );
    const nothingYet = { message: undefined, result: undefined, durationMs: undefined };
    return this.#keep({ id, state: "running", ...nothingYet });
  }

  /** How one stands; undefined when there is none of that id, or not any more. */
  get(id: string): CollectionStatus | undefined {
    return this.#statuses.get(id);
  }

  /** Ends one at its next page, if it is under way; undefined when there is none of that id. */
  stop(id: string): CollectionStatus | undefined {
    this.#stops.get(id)?.abort(new Error(STOPPED));
    return this.get(id);
  }

  #keep(status: CollectionStatus): CollectionStatus {
    this.#statuses.set(status.id, status);
    const [oldest] = this.#statuses.keys();
    if (oldest !== undefined && this.#statuses.size > KEPT_COUNT) this.#statuses.delete(oldest);
    return status;
  }
}
