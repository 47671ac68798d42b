import type { Clock } from "../base/clock.ts";
import { Limiter } from "../base/concurrency.ts";
import type { Place, ScrubTable, SegmentScrub, StoredRecord } from "../catalog/integrity.ts";
import { MS_PER_DAY, SCRUB_BYTES_PER_SECOND_MAX } from "../model/limits.ts";
import type { SegmentStore } from "../segments/segment-store.ts";
import type { BlockStore } from "./block-store.ts";
import type { RecordReader } from "./record-reader.ts";

/** Records looked up at once, and read before it is noted how far we are: a bound on memory. */
const PAGE_COUNT = 64;
/** It is noted after so long, too: a restart loses no more. */
const NOTE_MS = 300_000;
/** How long the plan is followed before it is made anew, and so the longest sleep: an hour. */
const PLAN_MS = 3_600_000;
/** How long after a failure it is tried again. */
const RETRY_MS = 60_000;
/** How often there is a look whether this process is to do it. */
const LEAD_INTERVAL_MS = 1_000;
/** Share of the period in which everything is to be read, so that there is time for mishaps. */
const PERIOD_SHARE = 0.9;
/** How long a record waits, at most, for blocks that are being put or read. */
const YIELD_MS_MAX = 100;
const YIELD_STEP_MS = 5;
/** How long one step of a scrub that was asked for takes: well within a client's patience. */
const STEP_MS = 5_000;

/** What the scrubber works with. */
export interface ScrubberParts {
  readonly blocks: Pick<BlockStore, "busyCount"> & {
    readonly records: Pick<RecordReader, "verify">;
  };
  readonly table: ScrubTable;
  readonly segments: Pick<SegmentStore, "list">;
  readonly clock: Clock;
  /** Days in which everything is read once; 0 for only when asked. */
  readonly days: number;
  /** Hears of what kept it from reading on; it tries again. */
  readonly onError: (error: unknown) => void;
  /** True while this process is the one that reads all again; always, unless given. */
  readonly leads?: () => boolean;
}

/** One record in so many, chosen by name: the `part`-th of `parts` equal samples, from 1. */
export interface ScrubSample {
  readonly part: number;
  readonly parts: number;
}

/** What one step of a scrub found. */
export interface ScrubStep {
  readonly recordsVerified: number;
  readonly bytesVerified: number;
  readonly damaged: readonly StoredRecord[];
  /** Records whose encryption key cannot be had: read, but not hashed. */
  readonly lockedCount: number;
  /** Where the next step begins; undefined after the last. */
  readonly next: Place | undefined;
  /** Bytes of all segments, and of those parts of them that lie behind. */
  readonly bytesTotal: number;
  readonly bytesDone: number;
}

/**
 * Reads again what is stored, record by record, so that a damaged one is found while there still
 * is another copy somewhere. Goes by the catalog: bytes that nothing points to are not looked at.
 *
 * The segment verified longest ago comes first. The rate is the lowest at which every segment is
 * verified in time, so it follows the size of the store and makes up for time that was lost.
 */
export class Scrubber {
  readonly #parts: ScrubberParts;
  readonly #stopped = new AbortController();
  readonly #steps = new Limiter(1);
  #running: Promise<void> | undefined;
  #verifiedCount = 0;
  #verifiedBytes = 0;
  #latestStep: { readonly step: ScrubStep; readonly endMs: number } | undefined;
  #plan: Plan | undefined;
  /** Sizes of the segments when a scrub began that somebody asked for, and that goes on. */
  #sizes: ReadonlyMap<number, number> | undefined;

  constructor(parts: ScrubberParts) {
    this.#parts = parts;
  }

  /** Begins to read, where days were given; once. */
  start(): void {
    if (this.#parts.days > 0) this.#running ??= this.#run();
  }

  /** Ends after the record under way, and takes part in no further step. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error("The service is ending"));
    await this.#running;
  }

  /** What this process has read again since its start, by itself or because it was asked to. */
  get verified(): { readonly recordCount: number; readonly bytes: number } {
    return { recordCount: this.#verifiedCount, bytes: this.#verifiedBytes };
  }

  /** The latest step of a scrub that somebody asked for, if it was so recent that more follow. */
  get stepUnderWay(): ScrubStep | undefined {
    const { step, endMs } = this.#latestStep ?? {};
    if (!step?.next || endMs === undefined) return undefined;
    const isRecent = this.#parts.clock.monotonicMs() - endMs < 3 * STEP_MS;
    return isRecent ? step : undefined;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const leads = this.#parts.leads?.() ?? true;
      // Another process reads on meanwhile, and notes how far it is.
      if (!leads) this.#plan = undefined;
      const turn = leads ? this.#readPage() : this.#sleep(LEAD_INTERVAL_MS);
      await turn.catch(async (error: unknown) => {
        if (signal.aborted) return;
        this.#parts.onError(error);
        await this.#sleep(RETRY_MS).catch(() => undefined);
      });
    }
  }

  /** Verifies the next records of the segment whose turn it is. */
  async #readPage(): Promise<void> {
    const { table, clock } = this.#parts;
    const scrub = await this.#nextInTurn();
    if (!scrub) return this.#sleep(PLAN_MS);
    const { segment, nextOffset } = scrub;
    const startedAtMs = scrub.startedAtMs ?? clock.nowMs();
    const found = await table.recordsFrom({ segment, offset: nextOffset }, PAGE_COUNT);
    const records = found.filter((record) => record.segment === segment);
    const noteMs = clock.monotonicMs() + NOTE_MS;
    let [count, next] = [0, nextOffset];
    for (const record of records) {
      if (clock.monotonicMs() > noteMs) break;
      await this.#earn(record.length);
      await this.#verify(record);
      next = record.offset + 1;
      count += 1;
    }
    const isThrough = count < PAGE_COUNT && count === records.length;
    // Its first records were verified when it was begun, so that is what can be said of all.
    const verified = { segment, verifiedAtMs: startedAtMs, startedAtMs: undefined, nextOffset: 0 };
    const underWay = { ...scrub, startedAtMs, nextOffset: next };
    await table.noteScrub(isThrough ? verified : underWay);
    this.#goOn(segment, isThrough ? undefined : underWay);
  }

  /** The segment whose turn it is; of one that was removed meanwhile no record will be found. */
  async #nextInTurn(): Promise<SegmentScrub | undefined> {
    const isExhausted = this.#plan?.left.length === 0;
    const { left } = await this.#followed(isExhausted);
    return left.at(-1);
  }

  /** Has the plan go on in that segment from there, or with the next one. */
  #goOn(segment: number, scrub: SegmentScrub | undefined): void {
    const left = this.#plan?.left;
    // The plan may have been made anew while it was read.
    if (left?.at(-1)?.segment !== segment) return;
    left.pop();
    if (scrub) left.push(scrub);
  }

  async #verify(record: StoredRecord) {
    for (let waitedMs = 0; this.#parts.blocks.busyCount > 0 && waitedMs < YIELD_MS_MAX; ) {
      await this.#sleep(YIELD_STEP_MS);
      waitedMs += YIELD_STEP_MS;
    }
    const state = await this.#parts.blocks.records.verify(record);
    this.#verifiedCount += 1;
    this.#verifiedBytes += record.length;
    return state;
  }

  /** Waits until that many bytes may be read. */
  async #earn(bytes: number): Promise<void> {
    for (let left = bytes; left >= 1; ) {
      const { bytesPerSecond } = await this.#followed();
      const waitMs = Math.min(PLAN_MS, (left / bytesPerSecond) * 1_000);
      await this.#sleep(waitMs);
      left -= (waitMs / 1_000) * bytesPerSecond;
    }
  }

  /** The plan, made anew when it is old or has come to its end: of a bucket that lists all. */
  async #followed(isExhausted = false): Promise<Plan> {
    const { table, clock, days } = this.#parts;
    const nowMs = clock.nowMs();
    const isFresh = this.#plan && Math.abs(nowMs - this.#plan.madeMs) < PLAN_MS;
    if (this.#plan && isFresh && !isExhausted) return this.#plan;
    const sizes = await this.#listSizes();
    const periodMs = days * MS_PER_DAY * PERIOD_SHARE;
    const scrubs = inTurn(await table.scrubs(nowMs), nowMs);
    const bytesPerSecond = rateOf(scrubs, sizes, { nowMs, periodMs });
    this.#plan = { bytesPerSecond, madeMs: nowMs, left: scrubs.reverse() };
    return this.#plan;
  }

  async #listSizes(): Promise<ReadonlyMap<number, number>> {
    const all = await this.#parts.segments.list();
    return new Map(all.map(({ segment, sizeBytes }) => [segment, sizeBytes]));
  }

  #sleep(durationMs: number): Promise<void> {
    return this.#parts.clock.sleep(durationMs, this.#stopped.signal);
  }

  /**
   * One step of a scrub that somebody asked for: everything, or a sample, as fast as may be, from
   * a place on. Steps asked for at once come one after another.
   */
  step(from: Place | undefined, sample: ScrubSample | undefined): Promise<ScrubStep> {
    return this.#steps.run(() => this.#step(from ?? FIRST, sample), this.#stopped.signal);
  }

  async #step(from: Place, sample: ScrubSample | undefined): Promise<ScrubStep> {
    const { table, clock } = this.#parts;
    const endMs = clock.monotonicMs() + STEP_MS;
    const totals = { recordsVerified: 0, bytesVerified: 0, lockedCount: 0 };
    const damaged: StoredRecord[] = [];
    let next: Place | undefined = from;
    while (next && clock.monotonicMs() < endMs) {
      const records: StoredRecord[] = await table.recordsFrom(next, PAGE_COUNT);
      next = afterLast(records);
      for (const record of records.filter((each) => isInSample(each, sample))) {
        await this.#sleep((record.length / SCRUB_BYTES_PER_SECOND_MAX) * 1_000);
        const state = await this.#verify(record);
        if (state === "elsewhere") continue;
        totals.recordsVerified += 1;
        totals.bytesVerified += record.length;
        if (state === "locked") totals.lockedCount += 1;
        if (state === "damaged") damaged.push(record);
      }
    }
    if (from === FIRST || !this.#sizes) this.#sizes = await this.#listSizes();
    const step = { ...totals, damaged, next, ...measure(this.#sizes, next) };
    if (!next) this.#sizes = undefined;
    this.#latestStep = { step, endMs: clock.monotonicMs() };
    return step;
  }
}

/** What is followed for a while: in which order segments are read, and how fast. */
interface Plan {
  readonly bytesPerSecond: number;
  readonly madeMs: number;
  /** The segments that have not been read by it; the last of them is the next. */
  readonly left: SegmentScrub[];
}

function measure(sizes: ReadonlyMap<number, number>, next: Place | undefined) {
  let [bytesTotal, bytesDone] = [0, 0];
  for (const [segment, sizeBytes] of sizes) {
    bytesTotal += sizeBytes;
    if (!next || segment < next.segment) bytesDone += sizeBytes;
    else if (segment === next.segment) bytesDone += Math.min(sizeBytes, next.offset);
  }
  return { bytesTotal, bytesDone };
}

const FIRST: Place = { segment: 0, offset: 0 };

/** Undefined where these were the last records. */
function afterLast(records: readonly StoredRecord[]): Place | undefined {
  const last = records.at(-1);
  if (!last || records.length < PAGE_COUNT) return undefined;
  return { segment: last.segment, offset: last.offset + 1 };
}

function isInSample({ name }: StoredRecord, sample: ScrubSample | undefined): boolean {
  if (!sample) return true;
  return Number.parseInt(name.slice(0, 8), 16) % sample.parts === sample.part - 1;
}

/**
 * The one under way first, then the one verified longest ago. One verified while the clock ran
 * ahead comes before these, or it would not be read for as long; but it has as much time as one
 * verified just now.
 */
function inTurn(scrubs: readonly SegmentScrub[], nowMs: number): SegmentScrub[] {
  const isUnderWay = ({ startedAtMs }: SegmentScrub) => (startedAtMs === undefined ? 1 : 0);
  const turnOf = ({ verifiedAtMs }: SegmentScrub) => (verifiedAtMs > nowMs ? 0 : verifiedAtMs);
  const sorted = scrubs.toSorted((a, b) => {
    return isUnderWay(a) - isUnderWay(b) || turnOf(a) - turnOf(b) || a.segment - b.segment;
  });
  return sorted.map((one) => ({ ...one, verifiedAtMs: Math.min(one.verifiedAtMs, nowMs) }));
}

/**
 * Bytes per second at which each segment, given in their turn, is read through within the period
 * since it was verified; at most what the foreground can bear.
 */
export function rateOf(
  scrubs: readonly SegmentScrub[],
  sizes: ReadonlyMap<number, number>,
  { nowMs, periodMs }: { readonly nowMs: number; readonly periodMs: number },
): number {
  let [bytes, bytesPerSecond] = [0, 1];
  for (const { segment, nextOffset, verifiedAtMs } of scrubs) {
    bytes += Math.max(0, (sizes.get(segment) ?? 0) - nextOffset);
    const leftMs = Math.max(1_000, verifiedAtMs + periodMs - nowMs);
    bytesPerSecond = Math.max(bytesPerSecond, bytes / (leftMs / 1_000));
  }
  return Math.min(bytesPerSecond, SCRUB_BYTES_PER_SECOND_MAX);
}
