import "./_synchronous-zstd.ts";
import assert from "node:assert/strict";
import type { Clock } from "../../src/base/clock.ts";
import type { Random } from "../../src/base/random.ts";
import { Compactor } from "../../src/blocks/compactor.ts";
import { CorruptionError } from "../../src/model/errors.ts";
import { type Collected, Collector } from "../../src/snapshots/chores/collector.ts";
import { forgetSettledWrites } from "../../src/snapshots/chores/expire-snapshots.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { ACCOUNT, composeCore } from "../model/drivers.ts";
import { pick, seededBytes, seededFraction } from "../support/property.ts";
import {
  ConcurrentHistory,
  checkContents,
  checkReferences,
  type Known,
  stateOf,
} from "./_concurrent-history.ts";
import { Interleaver } from "./_interleaver.ts";
import { type Store, withMemoryStore } from "./_memory-store.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/** A few records, so that every run finds segments to give back. */
const SEGMENT_SIZE_BYTES_MAX = 900;
const NOW = { graceSeconds: 0, isDryRun: false };

scorecard({
  number: 11,
  name: "collector beside everything else",
  goal:
    "10,000 orders drawn from a seed of collect, put, complete, copy, delete, read and a second " +
    "collector: needed records missing 0; after all is deleted and two runs, left over 0 bytes",
  peer: "kopia waits 24 h and two cycles, PBS 24 h 5 min; Longhorn's #612 stood for about a year",
  async run(run) {
    const tally = new Tally();
    const count = run.count(10_000, 50);
    for (let i = 0; i < count; i++) await runOrder(run, (run.seed + i) >>> 0, tally);
    tally.assertAllHappened();
    return tally.figure(count);
  },
});

/** One order on a store of its own; says with what seed it can be had again. */
async function runOrder(run: ScorecardRun, seed: number, tally: Tally): Promise<void> {
  try {
    await withMemoryStore(SEGMENT_SIZE_BYTES_MAX, (store) => new Order(store, seed, tally).run());
  } catch (error) {
    run.say(`order ${seed}: VARVE_SEED=${seed} has it first`);
    throw error;
  }
}

/** What came of all orders: what never happened was never tested. */
class Tally {
  turns = 0;
  records = 0;
  segments = 0;
  moved = 0;
  fenced = 0;
  checked = 0;
  encrypted = 0;
  leftBytes = 0;

  add({ removedCount, segmentCount, movedBytes }: Collected): void {
    this.records += removedCount;
    this.segments += segmentCount;
    this.moved += movedBytes > 0 ? 1 : 0;
  }

  assertAllHappened(): void {
    for (const name of ["records", "segments", "moved", "checked", "encrypted"] as const) {
      assert.ok(this[name] > 0, `no ${name} in any order`);
    }
  }

  figure(count: number): string {
    return (
      `${count} orders of ${Math.round(this.turns / count)} calls: needed records missing 0; ` +
      `left over ${this.leftBytes} bytes (${this.checked} references followed; ${this.records} ` +
      `records and ${this.segments} segments removed, ${this.moved} after moves, ` +
      `${this.fenced} runs fenced)`
    );
  }
}

class Order {
  readonly #store: Store;
  readonly #fraction: () => number;
  readonly #random: Random;
  readonly #tally: Tally;
  readonly #interleaver: Interleaver;
  readonly #errors: { readonly what: unknown; readonly error: unknown }[] = [];

  constructor(store: Store, seed: number, tally: Tally) {
    this.#store = store;
    this.#fraction = seededFraction(seed);
    this.#random = seededRandom(seed);
    this.#tally = tally;
    this.#interleaver = new Interleaver(this.#fraction);
  }

  async run(): Promise<void> {
    const core = await this.#compose(this.#wrapped());
    const history = new ConcurrentHistory(core, this.#fraction);
    const collectors = [core.collector, this.#secondCollector(core)] as const;
    await this.#prepare(history, collectors[0]);
    await this.#interleaver.run(async () => {
      const workers = Array.from({ length: 3 + pick(this.#fraction, 4) }, async () => {
        for (let i = 0; i < 1 + pick(this.#fraction, 2); i++) await history.step();
      });
      const reader = async () => {
        for (let i = 0; i < 3; i++) await history.readAny();
      };
      workers.push(reader());
      const runs = collectors.map((collector) => this.#collectSome(collector));
      await Promise.all([...workers, ...runs]);
      await core.copier.resume();
      await core.sealer.idle();
      await core.blocks.idle();
    });
    this.#tally.turns += this.#interleaver.turnCount;
    await this.#checkErrors(history.known);
    await this.#check(history);
    await this.#quiesce(history);
  }

  #wrapped(): Store {
    const { catalog, segments } = this.#store;
    const wrap = <T extends object>(port: T) => this.#interleaver.wrap(port);
    return {
      segments: wrap(segments),
      catalog: {
        ...catalog,
        snapshots: wrap(catalog.snapshots),
        blocks: wrap(catalog.blocks),
        copies: wrap(catalog.copies),
        encryption: wrap(catalog.encryption),
        garbage: wrap(catalog.garbage),
        liveness: wrap(catalog.liveness),
        segments: wrap(catalog.segments),
      },
    };
  }

  /** Without a cache of nodes: what is removed too early shows. */
  async #compose(store: Store) {
    const onError = (what: unknown, error: unknown) => void this.#errors.push({ what, error });
    const options = { clock: CLOCK, random: this.#random, nodeCacheBytes: 1, onError };
    const { core } = await composeCore(store, options);
    // What the journal holds is needed for ever, and here nothing is to be left.
    core.journaler.flush = async () => undefined;
    return core;
  }

  /** As of another process that took this one for dead. */
  #secondCollector(core: Core): Collector {
    const { catalog, segments } = this.#wrapped();
    const onError = (what: unknown, error: unknown) => void this.#errors.push({ what, error });
    const { blocks } = core;
    const compactor = new Compactor({ segments, table: catalog.segments, blocks, onError });
    return new Collector({ ...core, compactor, onError });
  }

  /** Some snapshots, some of them deleted, and garbage that was found once. */
  async #prepare(history: ConcurrentHistory, collector: Collector): Promise<void> {
    for (let i = 0; i < 2 + pick(this.#fraction, 3); i++) await history.write();
    for (let i = 0; i < 1 + pick(this.#fraction, 2); i++) await history.deleteAny();
    for (let i = 0; i < pick(this.#fraction, 3); i++) {
      this.#tally.add(await collector.collect(NOW));
    }
  }

  async #collectSome(collector: Collector): Promise<void> {
    for (let i = 0; i < pick(this.#fraction, 4); i++) {
      this.#tally.add(await collector.collect(NOW));
    }
  }

  /** What may fail in the background: a run overtaken, and work on what is deleted. */
  async #checkErrors(known: readonly Known[]): Promise<void> {
    const keys = await this.#store.catalog.encryption.page(ACCOUNT, "", 10);
    const domains = new Set<unknown>([ACCOUNT, ...keys.map(({ domain }) => domain)]);
    for (const { what, error } of this.#errors.splice(0)) {
      const isFenced = error instanceof Error && error.name === "FencedError";
      if (isFenced) this.#tally.fenced += 1;
      // A run overtaken reads what the later one has removed; were that needed, it would be missed
      // when all is read in the end.
      const isOvertaken = domains.has(what) && error instanceof CorruptionError;
      // Two runs give the same segment back; the slower one finds it gone.
      const isGone = typeof what === "number" && /is missing$/.test(String(error));
      const isDeleted = known.some(({ id, isDeleted }) => id === what && isDeleted);
      if (!isFenced && !isOvertaken && !isGone && !isDeleted) throw error;
    }
  }

  /** All that was not deleted is there, read by a core that knows nothing of what went on. */
  async #check({ known }: ConcurrentHistory): Promise<void> {
    const core = await this.#compose(this.#store);
    await core.copier.resume();
    await core.sealer.idle();
    const left = known.filter(({ isDeleted }) => !isDeleted);
    const finishing = new ConcurrentHistory(core, this.#fraction);
    this.#tally.checked += await checkReferences(core);
    for (const snapshot of left) {
      if (snapshot.state === "pending") await finishing.complete(snapshot);
      assert.equal(await stateOf(core, snapshot), "completed", JSON.stringify(this.#errors));
      await checkContents(core, snapshot);
    }
    this.#tally.checked += await checkReferences(core);
    const keys = await core.catalog.encryption.page(ACCOUNT, "", 10);
    this.#tally.encrypted += keys.length;
  }

  /** Deletes everything; two runs later, nothing may be left but what is still appended to. */
  async #quiesce({ known }: ConcurrentHistory): Promise<void> {
    const core = await this.#compose(this.#store);
    const finishing = new ConcurrentHistory(core, this.#fraction);
    for (const snapshot of known) await finishing.delete(snapshot);
    await forgetSettledWrites(core);
    for (let i = 0; i < 2; i++) this.#tally.add(await core.collector.collect(NOW));
    assert.deepEqual(this.#errors, []);
    const live = await core.catalog.segments.liveBytes();
    const closed = (await this.#store.segments.list()).filter(({ isClosed }) => isClosed);
    const leftBytes =
      [...live.values()].reduce((sum, bytes) => sum + bytes, 0) +
      closed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#tally.leftBytes += leftBytes;
    assert.equal(leftBytes, 0, "bytes left over when nothing needs any");
    assert.deepEqual(await core.catalog.garbage.domains(), []);
  }
}

/** A clock on which nothing is ever late: who sleeps is woken by what it waits for. */
const CLOCK: Clock = {
  nowMs: () => 1_800_000_000_000,
  monotonicMs: () => 0,
  sleep: (_, signal) =>
    new Promise((_resolve, reject) => {
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    }),
};

function seededRandom(seed: number): Random {
  let count = 0;
  return {
    bytes: (length) => seededBytes(`${seed} ${count++}`, length),
    fraction: seededFraction(seed ^ 0x5eed),
  };
}
