import { type Clock, formatTimeMs, waitAtMost } from "../base/clock.ts";
import type { SnapshotTotals, StoreMeasure } from "../catalog/statistics.ts";
import { BLOCK_SIZE_BYTES, MS_PER_DAY, MS_PER_HOUR } from "../model/limits.ts";
import type { SegmentStore } from "../segments/segment-store.ts";
import type { Core } from "../snapshots/core.ts";
import type {
  EngineStatus,
  LastCollection,
  SnapshotCounts,
  StoreSample,
  StoreSizes,
  StoreStatus,
  TaskDescription,
} from "../wire/admin/status.ts";
import { Cached } from "./_cached.ts";
import { findTasks } from "./_tasks.ts";
import type { RecentActivity } from "./activity.ts";
import { sampleCompression } from "./compression.ts";
import { fullTimeMs } from "./full-time.ts";
import type { StoreTally } from "./tally.ts";

/** How long sums over the catalog are used before they are made again, in milliseconds. */
const TOTALS_AGE_MS = 2_000;
/** The same for what takes a look-up for each segment: since when all was read again. */
const SCRUBS_AGE_MS = 60_000;
/** The same for what reads segments: their sizes, and how well they compress. */
const SEGMENTS_AGE_MS = 300_000;
/** Made again sooner once the store has grown or shrunk by this share. */
const SEGMENTS_CHANGE_SHARE = 0.1;
/** The first to ask waits so many milliseconds at most for that. */
const FIRST_LOOK_MS_MAX = 500;
/** An engine that does not answer in so many milliseconds is told of as failed. */
const ENGINE_MS_MAX = 2_000;
/** Damaged records that are counted; more would only say the same more slowly (ours). */
const DAMAGED_COUNT_MAX = 1_000;
/** Measures of each hour are kept for so many days, those of each day for so many. */
const HOURLY_DAYS = 14;
const DAILY_DAYS = 5 * 366;

/** Something the service rests on, and whether it does its work. */
export interface Engine {
  readonly name: string;
  /** Rejects when it does not. */
  readonly check: () => Promise<unknown>;
  /** What is wrong though it answers; undefined when nothing is. */
  readonly trouble?: () => string | undefined;
}

/** What the status is put together from. */
export interface StatusParts {
  readonly core: Core;
  readonly segments: Pick<SegmentStore, "list" | "read">;
  readonly freeBytes: () => Promise<number | undefined>;
  readonly engines: readonly Engine[];
  readonly activity: RecentActivity;
  readonly tally: StoreTally;
  /** Requests being answered. */
  readonly inFlight: () => number;
  readonly eventLoopDelayMs: () => number;
  readonly processId: string;
  readonly version: string;
}

/** Sums over the whole store, a few seconds old at most. */
export interface StoreTotals {
  readonly counts: SnapshotCounts;
  readonly protectedBytes: number;
  readonly storedBytes: number;
  readonly segmentCount: number;
  readonly freeBytes: number | undefined;
  readonly damagedCount: number;
  /** Undefined for an empty store. */
  readonly verifiedSinceMs: number | undefined;
  /** Undefined before the first collection. */
  readonly collectedAtMs: number | undefined;
  readonly measures: readonly StoreMeasure[];
}

interface SegmentFacts {
  readonly atMs: number;
  readonly storedBytes: number;
  readonly segmentBytes: number;
  readonly compression: number | undefined;
}

/**
 * How the store is and what it does. What is asked of it often costs little: sums over the catalog
 * are kept for some seconds, longer where they take longer, and no record is ever counted.
 */
export class StatusBoard {
  readonly #parts: StatusParts;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #totals: Cached<StoreTotals>;
  readonly #engines: Cached<EngineStatus[]>;
  readonly #verifiedSinceMs: Cached<number | undefined>;
  #segments: SegmentFacts | undefined;
  #looking: Promise<void> | undefined;

  constructor(parts: StatusParts) {
    const { clock } = parts.core;
    this.#parts = parts;
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    this.#totals = new Cached(clock, TOTALS_AGE_MS, () => this.#sumUp());
    this.#verifiedSinceMs = new Cached(clock, SCRUBS_AGE_MS, () => this.#findVerifiedSince());
    this.#engines = new Cached(clock, TOTALS_AGE_MS, () => this.#checkEngines());
  }

  /** Sums over the whole store. */
  totals(): Promise<StoreTotals> {
    return this.#totals.get();
  }

  /** Whether the engines do their work. */
  engines(): Promise<EngineStatus[]> {
    return this.#engines.get();
  }

  /** What goes on. */
  tasks(): Promise<TaskDescription[]> {
    return findTasks(this.#parts.core, this.#parts.tally);
  }

  /** Bytes of all segments; undefined before they were first measured. */
  get segmentBytes(): number | undefined {
    return this.#segments?.segmentBytes;
  }

  /** How the store is and what it does. */
  async status(): Promise<StoreStatus> {
    const { core, activity, inFlight, processId, version } = this.#parts;
    const [totals, engines, tasks] = await Promise.all([
      this.totals(),
      this.engines(),
      this.tasks(),
    ]);
    // At first, a little is waited for what nobody has looked for yet.
    const looking = this.#segments === undefined ? this.#looking : undefined;
    if (looking !== undefined) await waitAtMost(this.#clock, FIRST_LOOK_MS_MAX, looking);
    return {
      Time: formatTimeMs(this.#clock.nowMs()),
      Process: {
        ...{ Id: processId, Version: version, Region: core.region },
        StartTime: formatTimeMs(this.#startedAtMs),
        MemoryBytes: process.memoryUsage.rss(),
        EventLoopDelayMs: this.#parts.eventLoopDelayMs(),
      },
      Snapshots: totals.counts,
      Sizes: this.#sizes(totals),
      Activity: { ...activity.points(), InFlight: inFlight() },
      Tasks: tasks,
      LastCollection: this.#lastCollection(totals),
      Scrub: {
        VerifiedSince: formatTime(totals.verifiedSinceMs),
        DamagedRecordCount: totals.damagedCount,
      },
      Engines: engines,
    };
  }

  /** How the store was, oldest first. */
  async samples(): Promise<StoreSample[]> {
    const measures = await this.#parts.core.catalog.statistics.measures();
    return measures.map((measure) => ({
      Time: formatTimeMs(measure.timeMs),
      ProtectedBytes: measure.protectedBytes,
      StoredBytes: measure.storedBytes,
      FreeBytes: measure.freeBytes ?? null,
      SnapshotCount: measure.snapshotCount,
    }));
  }

  /** Keeps how the store is now as the measure of this hour; to be called every few minutes. */
  async measure(): Promise<void> {
    const { counts, protectedBytes, storedBytes, freeBytes } = await this.totals();
    const nowMs = this.#clock.nowMs();
    const timeMs = nowMs - (nowMs % MS_PER_HOUR);
    const snapshotCount = counts.Completed;
    await this.#parts.core.catalog.statistics.keepMeasure(
      { timeMs, protectedBytes, storedBytes, freeBytes, snapshotCount },
      {
        fullFromMs: nowMs - HOURLY_DAYS * MS_PER_DAY,
        keptFromMs: nowMs - DAILY_DAYS * MS_PER_DAY,
      },
    );
  }

  /** Waits for what still reads the store. */
  async idle(): Promise<void> {
    await this.#looking;
  }

  async #sumUp(): Promise<StoreTotals> {
    const { core, freeBytes } = this.#parts;
    const { statistics, segments, garbage, blocks } = core.catalog;
    const [states, liveBytes, verifiedSinceMs, collectedMs, damaged, measures, free] =
      await Promise.all([
        statistics.snapshots(),
        segments.liveBytes(),
        this.#verifiedSinceMs.get(),
        garbage.seenMs(),
        blocks.damaged(DAMAGED_COUNT_MAX),
        statistics.measures(),
        freeBytes(),
      ]);
    const inUse = [...liveBytes.values()].filter((bytes) => bytes > 0);
    const storedBytes = inUse.reduce((sum, bytes) => sum + bytes, 0);
    this.#lookAtSegments(liveBytes, storedBytes);
    // The store was empty when that was looked up: everything in it was written after that.
    const writtenSinceMs = storedBytes > 0 ? this.#clock.nowMs() - SCRUBS_AGE_MS : undefined;
    return {
      counts: countsOf(states),
      protectedBytes: blockCountIn(states, "completed") * BLOCK_SIZE_BYTES,
      storedBytes,
      segmentCount: inUse.length,
      freeBytes: free,
      damagedCount: damaged.length,
      verifiedSinceMs: verifiedSinceMs ?? writtenSinceMs,
      collectedAtMs: collectedMs > 0 ? collectedMs : undefined,
      measures,
    };
  }

  /** Undefined for an empty store. */
  async #findVerifiedSince(): Promise<number | undefined> {
    const scrubs = await this.#parts.core.catalog.scrubs.scrubs(this.#clock.nowMs());
    return scrubs.reduce<number | undefined>(
      (oldest, { verifiedAtMs }) => Math.min(oldest ?? verifiedAtMs, verifiedAtMs),
      undefined,
    );
  }

  #sizes(totals: StoreTotals): StoreSizes {
    const { protectedBytes, storedBytes, freeBytes, measures } = totals;
    const { compression, segmentBytes } = this.#segments ?? {};
    const plainBytes = compression === undefined ? 0 : storedBytes * compression;
    const nowMs = this.#clock.nowMs();
    const fullMs = freeBytes === undefined ? undefined : fullTimeMs(measures, freeBytes, nowMs);
    return {
      ProtectedBytes: protectedBytes,
      StoredBytes: storedBytes,
      SegmentBytes: segmentBytes ?? null,
      CompressionFactor: rounded(compression),
      DedupFactor: plainBytes > 0 ? rounded(protectedBytes / plainBytes) : null,
      FreeBytes: freeBytes ?? null,
      FullTime: formatTime(fullMs),
    };
  }

  /** Begins to look, beside everything else, where what is known is old or the store changed. */
  #lookAtSegments(liveBytes: ReadonlyMap<number, number>, storedBytes: number): void {
    const known = this.#segments;
    const ageMs = this.#clock.monotonicMs() - (known?.atMs ?? 0);
    const changed = Math.abs(storedBytes - (known?.storedBytes ?? 0));
    const isChanged = changed > (known?.storedBytes ?? 0) * SEGMENTS_CHANGE_SHARE;
    if (known && ageMs < SEGMENTS_AGE_MS && !isChanged) return;
    this.#looking ??= this.#look(liveBytes, storedBytes)
      // The next look tries again; who asks is told what was known, or nothing.
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async #look(liveBytes: ReadonlyMap<number, number>, storedBytes: number): Promise<void> {
    const { core, segments } = this.#parts;
    const atMs = this.#clock.monotonicMs();
    const compression = await sampleCompression(
      { scrubs: core.catalog.scrubs, segments },
      liveBytes,
    );
    const infos = await segments.list();
    const segmentBytes = infos.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#segments = { atMs, storedBytes, segmentBytes, compression };
  }

  #lastCollection({ collectedAtMs }: StoreTotals): LastCollection | null {
    if (collectedAtMs === undefined) return null;
    const { latest } = this.#parts.core.collector;
    // The catalog knows the latest time of any process; ours is that one if none came after it.
    const ours = latest && latest.startedAtMs + latest.durationMs >= collectedAtMs ? latest : null;
    return {
      Time: formatTimeMs(collectedAtMs),
      RemovedRecords: ours?.result?.removedCount ?? null,
      RemovedBytes: ours?.result?.removedBytes ?? null,
      DurationMs: ours ? Math.round(ours.durationMs) : null,
    };
  }

  #checkEngines(): Promise<EngineStatus[]> {
    return Promise.all(this.#parts.engines.map((engine) => checkEngine(this.#clock, engine)));
  }
}

async function checkEngine(clock: Clock, { name, check, trouble }: Engine): Promise<EngineStatus> {
  let outcome: Pick<EngineStatus, "State" | "Message"> = {
    State: "Failed",
    Message: `It does not answer within ${ENGINE_MS_MAX / 1_000} s`,
  };
  const asking = check().then(
    () => {
      const message = trouble?.() ?? null;
      outcome = { State: message === null ? "Ok" : "Degraded", Message: message };
    },
    (error: Error) => {
      outcome = { State: "Failed", Message: error.message };
    },
  );
  await waitAtMost(clock, ENGINE_MS_MAX, asking);
  return { Name: name, ...outcome };
}

function countsOf(states: readonly SnapshotTotals[]): SnapshotCounts {
  const count = (wanted: SnapshotTotals["state"]) =>
    states.find(({ state }) => state === wanted)?.count ?? 0;
  return {
    Pending: count("pending"),
    Sealing: count("sealing"),
    Copying: count("copying"),
    Completed: count("completed"),
    Error: count("error"),
    Recycled: count("recycled"),
  };
}

function blockCountIn(states: readonly SnapshotTotals[], wanted: SnapshotTotals["state"]): number {
  return states.find(({ state }) => state === wanted)?.blockCount ?? 0;
}

function formatTime(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : formatTimeMs(timeMs);
}

/** To three digits after the point. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 1_000) / 1_000;
}
