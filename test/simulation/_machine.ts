import { type Clock, repeat } from "../../src/base/clock.ts";
import type { Random } from "../../src/base/random.ts";
import { Compactor } from "../../src/blocks/compactor.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { FileSegments } from "../../src/segments/file-segments.ts";
import type { SegmentStore } from "../../src/segments/segment-store.ts";
import { Collector } from "../../src/snapshots/chores/collector.ts";
import {
  expireSnapshots,
  forgetSettledWrites,
} from "../../src/snapshots/chores/expire-snapshots.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { composeCore } from "../model/drivers.ts";
import { seededBytes } from "../support/property.ts";
import { wrapCatalog } from "./_catalog.ts";
import { Disk } from "./_disk.ts";
import { isExcused, isMissing } from "./_excuses.ts";
import { mount } from "./_file-system.ts";
import type { Life, Scheduler } from "./_scheduler.ts";
import { CALM_WEATHER, type Mishap, type Weather } from "./weather.ts";

/** A few records, so that every run finds segments to give back. */
const SEGMENT_SIZE_BYTES_MAX = 900;
const RESTART_MS = 200;
/** How long a full disk stays so, and how long a process whose catalog failed lives on. */
const FULL_MS = 10_000;
const FAILED_MS = 500;
const HOUR_MS = 3_600_000;
/** What is told of work on one snapshot that failed. */
const OF_SNAPSHOT = /^(Sealing|Copying|snap-)/;

/** A process of the service. */
interface Process extends Life {
  readonly core: Core;
  readonly chores: readonly { stop(): Promise<void> }[];
  readonly close: () => Promise<void>;
  /** Resolves when it has been ended by force. */
  readonly died: Promise<void>;
  readonly die: () => void;
}

/**
 * The computer: a disk for segments, a catalog on SQLite, and one process of the service at a time,
 * which is ended by force at any moment and started anew.
 */
export class Machine {
  readonly scheduler: Scheduler;
  readonly disk = new Disk();
  readonly mishaps = new Map<Mishap, number>();
  weather: Weather;
  /** Whether anybody has asked for the deletion of anything. */
  hasDeleted = false;
  /** What the catalog knew by then is in the journal. */
  journaledMs = 0;
  readonly #catalogPath: string;
  readonly #random: Random;
  #catalog: Catalog | undefined;
  #process: Process | undefined;
  #fullUntilMs = 0;
  #isEnding = false;
  #isCalm = false;
  /** The first failure of work in the background that nothing accounts for. */
  #unexcused: Error | undefined;
  readonly #wasCollectedTwice: boolean;

  constructor(scheduler: Scheduler, weather: Weather, catalogPath: string) {
    this.scheduler = scheduler;
    this.weather = weather;
    this.#catalogPath = catalogPath;
    this.#wasCollectedTwice = weather.isCollectedTwice;
    this.#random = randomOf(scheduler);
  }

  /** Whether two collectors may have got into each other's way. */
  get isCollectedTwice(): boolean {
    return this.#wasCollectedTwice;
  }

  /** Starts the first process, and what befalls the machine. */
  async start(): Promise<void> {
    await this.#boot();
    const { crashEveryMs, fullEveryMs, rotEveryMs, jumpEveryMs } = this.weather;
    this.#again(crashEveryMs, () => this.#end());
    this.#again(fullEveryMs, () => {
      this.#fullUntilMs = this.scheduler.nowMs + this.scheduler.fraction() * FULL_MS;
    });
    this.#again(rotEveryMs, () => this.#rot());
    this.#again(jumpEveryMs, () => {
      this.happened("jump");
      this.scheduler.jump((this.scheduler.fraction() * 6 - 3) * HOUR_MS);
    });
  }

  #again(everyMs: number, go: () => void): void {
    if (everyMs === 0) return;
    const next = () => {
      this.scheduler.after(2 * everyMs * this.scheduler.fraction(), () => {
        if (this.#isEnding) return;
        go();
        next();
      });
    };
    next();
  }

  happened(mishap: Mishap): void {
    this.mishaps.set(mishap, (this.mishaps.get(mishap) ?? 0) + 1);
  }

  readonly has = (...mishaps: readonly Mishap[]): boolean => {
    return mishaps.some((mishap) => this.mishaps.has(mishap));
  };

  /** True from the start of the process that lives to the end, in which nothing goes wrong. */
  get isCalm(): boolean {
    return this.#isCalm;
  }

  /** Throws when something has failed in the background that nothing accounts for. */
  checkBackground(): void {
    if (this.#unexcused) throw this.#unexcused;
  }

  /** Hears of work in the background that failed. */
  readonly #onError = (what: unknown, error: unknown): void => {
    this.scheduler.note(`failed: ${what}`);
    if (isExcused(error, this) || this.#isGone(what, error)) return;
    this.#unexcused ??= new Error(`${what}: failed for no reason`, { cause: error });
  };

  /**
   * True where work on a tree may have failed because the tree was deleted and collected meanwhile.
   * While a collection walks over one, only another collector removes it.
   */
  #isGone(what: unknown, error: unknown): boolean {
    if (!this.hasDeleted || this.#isCalm || !isMissing(error)) return false;
    return this.isCollectedTwice || OF_SNAPSHOT.test(String(what));
  }

  /** The process that runs now or next. */
  async running(): Promise<Process> {
    const life: Life = { isOver: false };
    while (!this.#process) await this.scheduler.wait(life, RESTART_MS / 4);
    return this.#process;
  }

  /** Called when a process has ended, before the next one starts. */
  onEnd: () => void = () => undefined;

  /** Ends all that goes wrong, and starts the service once more. */
  async calm(): Promise<Core> {
    this.#isEnding = true;
    // A clock that was set back keeps the collector from working until it is right again.
    this.scheduler.jump(this.scheduler.latestWallMs(0) - this.scheduler.wallMs);
    const { nodeCacheBytes, powerCuts } = this.weather;
    this.weather = { ...CALM_WEATHER, nodeCacheBytes, powerCuts };
    this.#fullUntilMs = 0;
    await this.running();
    this.#kill();
    this.#isCalm = true;
    return (await this.running()).core;
  }

  async #settle(chores: Process["chores"]): Promise<void> {
    await Promise.all(chores.map((chore) => chore.stop()));
  }

  /** As at the end of a process that was asked to end, or by force, or in a power cut. */
  #end(): void {
    const process = this.#process;
    if (!process) return;
    if (this.scheduler.chance(0.15)) {
      this.happened("restart");
      this.#closeInTime(process);
      return;
    }
    this.#kill();
  }

  /** A process that is asked to end finishes what it does, unless it is killed meanwhile. */
  #closeInTime(process: Process): void {
    const ended = this.#settle(process.chores)
      .then(() => Promise.all([process.core.collector.stop(), process.core.copier.stop()]))
      .then(() => process.core.sealer.idle())
      .then(() => process.core.journaler.flush())
      .catch((error: unknown) => this.#onError("close", error))
      .then(() => process.close());
    const ending = ended.catch((error: unknown) => this.#onError("close", error));
    void ending.then(() => this.#gone(process));
  }

  #kill(): void {
    const process = this.#process;
    if (!process) return;
    const isPowerCut = this.scheduler.chance(this.weather.powerCuts);
    this.happened(isPowerCut ? "power-cut" : "kill");
    this.scheduler.note(isPowerCut ? "power cut" : "kill");
    if (isPowerCut) this.disk.losePower(this.scheduler.fraction);
    this.#gone(process);
  }

  #gone(process: Process): void {
    if (process.isOver) return;
    process.isOver = true;
    process.die();
    this.#process = undefined;
    this.onEnd();
    this.scheduler.after(RESTART_MS * this.scheduler.fraction(), () => void this.#boot());
  }

  async #boot(): Promise<void> {
    for (;;) {
      const life: Life = { isOver: false };
      try {
        await this.#catalog?.close();
        this.#catalog = openSqliteCatalog(this.#catalogPath);
        const composed = await this.#compose(life, this.#catalog);
        const { promise: died, resolve: die } = Promise.withResolvers<void>();
        const chores = this.#startChores(composed);
        this.#process = Object.assign(life, { ...composed, chores, died, die });
        const resumed = composed.core.copier.resume();
        resumed.catch((error: unknown) => this.#onError("copy", error));
        return;
      } catch (error) {
        life.isOver = true;
        this.#onError("start", error);
        await this.scheduler.wait({ isOver: false }, RESTART_MS);
      }
    }
  }

  async #compose(life: Life, opened: Catalog) {
    const { scheduler, weather } = this;
    const directory = mount({
      ...{ scheduler, disk: this.disk, life, faults: weather.disk },
      isFull: () => scheduler.nowMs < this.#fullUntilMs,
      onFault: (kind) => this.happened(kind),
    });
    const segments = await FileSegments.open({
      directory: `${directory}/segments`,
      segmentSizeBytesMax: SEGMENT_SIZE_BYTES_MAX,
    });
    const catalog = wrapCatalog(opened, {
      ...{ scheduler, life, failing: weather.catalog },
      isFull: () => scheduler.nowMs < this.#fullUntilMs,
      onFailed: () => this.#catalogFailed(life),
      onFull: () => this.happened("full"),
    });
    const clock = scheduler.clockOf(life);
    const composed = await this.#composeOn({ catalog, segments }, clock);
    return { ...composed, segments };
  }

  #composeOn(store: { readonly catalog: Catalog; readonly segments: SegmentStore }, clock: Clock) {
    const { nodeCacheBytes } = this.weather;
    const onError = this.#onError;
    return composeCore(store, { clock, random: this.#random, nodeCacheBytes, onError });
  }

  /** A service whose catalog failed can only be ended. */
  #catalogFailed(life: Life): void {
    this.happened("catalog");
    this.scheduler.after(FAILED_MS * this.scheduler.fraction(), () => {
      if (!life.isOver && this.#process === life) this.#kill();
    });
  }

  #rot(): void {
    const files = [...this.disk.names.values()].filter(({ contents }) => contents.length > 16);
    const file = files[Math.floor(this.scheduler.fraction() * files.length)];
    if (!file) return;
    this.happened("rot");
    file.rot(this.scheduler.fraction);
  }

  /** What the service does again and again, at longer intervals, so that less goes by unused. */
  #startChores(made: { readonly core: Core; readonly segments: SegmentStore }): Process["chores"] {
    const { core } = made;
    const { graceSeconds, isCollectedTwice, collectEveryMs } = this.weather;
    const collect = (collector: Collector) => async () => {
      await collector.collect({ graceSeconds, isDryRun: false });
    };
    const every = (meanMs: number, name: string, work: () => Promise<void>) => {
      const intervalMs = meanMs * (0.3 + 1.4 * this.scheduler.fraction());
      const onError = (error: unknown) => this.#onError(name, error);
      return repeat(core.clock, intervalMs, { work, onError });
    };
    return [
      every(40_000, "expire", () => expireSnapshots(core)),
      every(30_000, "forget", () => forgetSettledWrites(core)),
      every(15_000, "journal", async () => {
        const beginMs = this.scheduler.nowMs;
        await core.journaler.flush();
        this.journaledMs = beginMs;
      }),
      every(25_000, "seal", () => core.sealer.resume()),
      every(25_000, "copy", () => core.copier.resume()),
      every(collectEveryMs, "collect", collect(core.collector)),
      every(120_000, "scrub", () => scrub(core)),
      ...(isCollectedTwice
        ? [every(collectEveryMs, "collect", collect(this.#secondCollector(made)))]
        : []),
    ];
  }

  #secondCollector({ core, segments }: { readonly core: Core; readonly segments: SegmentStore }) {
    const onError = this.#onError;
    const { blocks } = core;
    const compactor = new Compactor({ segments, table: core.catalog.segments, blocks, onError });
    return new Collector({ ...core, compactor, onError });
  }

  /** Gives up the catalog. */
  async close(): Promise<void> {
    if (this.#process) this.#process.isOver = true;
    await this.#catalog?.close();
  }
}

async function scrub({ scrubber }: Core): Promise<void> {
  let { next } = await scrubber.step(undefined, undefined);
  while (next) ({ next } = await scrubber.step(next, undefined));
}

/** Bytes and fractions from the seed. */
export function randomOf({ fraction }: Scheduler): Random {
  const seed = fraction();
  let count = 0;
  return { bytes: (length) => seededBytes(`${seed} ${count++}`, length), fraction };
}
