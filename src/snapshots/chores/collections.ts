import { type Clock, repeat } from "../../base/clock.ts";
import { Limiter } from "../../base/concurrency.ts";
import type { RequestedCollection, RequestTable } from "../../catalog/collection.ts";
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

/** What collections are carried out with. */
export interface CollectionsParts {
  readonly collector: Pick<Collector, "collect">;
  readonly table: RequestTable;
  readonly clock: Clock;
  /** True while this process is the one that collects. */
  readonly leads: () => boolean;
}

/** What may be asked of one. */
type Request = Omit<CollectOptions, "signal">;
type Outcome = Omit<CollectionStatus, "id">;

/** Said of one that was stopped: what it did is done. */
const STOPPED = "Stopped before its end; the next collection goes on";
/** How often there is a look whether one under way is to be stopped, asked at another process. */
const STOP_INTERVAL_MS = 1_000;

/**
 * Collections asked for by callers, who come back for how they went, at this process or another.
 * The process that leads carries them out, one after the other; another one that leads later takes
 * up what was left, from its beginning.
 */
export class Collections {
  readonly #parts: CollectionsParts;
  /** Of those under way, what stops each. */
  readonly #stops = new Map<string, AbortController>();
  /** Those that ended here, of which the catalog could not be told yet. */
  readonly #ended = new Map<string, Outcome>();
  readonly #taking = new Limiter(1);
  /** True when some may have been taken up of which this process never heard. */
  #isInDoubt = false;

  constructor(parts: CollectionsParts) {
    this.#parts = parts;
  }

  /** Has one carried out, which goes on by itself, after those asked for before. */
  async start({ graceSeconds, isDryRun }: CollectOptions): Promise<CollectionStatus> {
    const request: Request = { graceSeconds, isDryRun };
    const running: Outcome = {
      ...{ state: "running", message: undefined, result: undefined, durationMs: undefined },
    };
    const asked = { request: JSON.stringify(request), status: JSON.stringify(running) };
    const id = await this.#parts.table.add(asked);
    await this.takeUp();
    return { id, ...running };
  }

  /** Takes up those that nobody carries out, if this process leads; to be called repeatedly. */
  async takeUp(): Promise<void> {
    await this.#noteEnded();
    // One at a time: what another call is just being told of is not known here yet.
    await this.#taking.run(() => this.#takeUp());
  }

  async #takeUp(): Promise<void> {
    // What is in doubt no other process takes up while this one lives, whoever leads by now.
    if (!this.#parts.leads() && !this.#isInDoubt) return;
    this.#isInDoubt = true;
    const taken = await this.#parts.table.take([...this.#stops.keys(), ...this.#ended.keys()]);
    this.#isInDoubt = false;
    for (const each of taken) void this.#carryOut(each);
  }

  async #noteEnded(): Promise<void> {
    for (const [id, outcome] of this.#ended) {
      await this.#parts.table.put(id, { status: JSON.stringify(outcome), isDone: true });
      this.#ended.delete(id);
    }
  }

  async #carryOut({ id, request }: RequestedCollection): Promise<void> {
    const { collector, clock, table } = this.#parts;
    const stop = new AbortController();
    this.#stops.set(id, stop);
    const watch = repeat(clock, STOP_INTERVAL_MS, {
      work: async () => {
        if ((await table.get(id))?.isStopAsked) stop.abort(new Error(STOPPED));
      },
      onError: () => undefined,
    });
    const startMs = clock.monotonicMs();
    const options = { ...(JSON.parse(request) as Request), signal: stop.signal };
    const outcome = await collector.collect(options).then(
      (result) => {
        const message = stop.signal.aborted ? STOPPED : undefined;
        return { state: "done", message, result } as const;
      },
      ({ message }: Error) => ({ state: "failed", message, result: undefined }) as const,
    );
    this.#stops.delete(id);
    const durationMs = Math.round(clock.monotonicMs() - startMs);
    this.#ended.set(id, { ...outcome, durationMs });
    await this.#noteEnded().catch(() => undefined);
    await watch.stop();
  }

  /** How one stands; undefined when there is none of that id, or not any more. */
  async get(id: string): Promise<CollectionStatus | undefined> {
    const found = await this.#parts.table.get(id);
    if (!found) return undefined;
    const { state, message, result, durationMs } = JSON.parse(found.status) as Outcome;
    return { id, state, message, result, durationMs };
  }

  /** Ends one at its next page, if it is under way; undefined when there is none of that id. */
  async stop(id: string): Promise<CollectionStatus | undefined> {
    this.#stops.get(id)?.abort(new Error(STOPPED));
    await this.#parts.table.askToStop(id);
    return this.get(id);
  }
}
