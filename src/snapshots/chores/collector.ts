import type { Clock } from "../../base/clock.ts";
import { Limiter } from "../../base/concurrency.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { BlockStore } from "../../blocks/block-store.ts";
import type { Compactor } from "../../blocks/compactor.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import type { CollectionRun, GarbageCandidate, GarbageRoot } from "../../catalog/collection.ts";
import { type Digest, type RecordName, ZERO_BLOCK_NAME } from "../../model/digest.ts";
import { CorruptionError, KeyDestroyedError } from "../../model/errors.ts";
import type { Domain } from "../../model/ids.ts";
import { CANDIDATES_AT_ONCE, COLLECT_PAGE_COUNT } from "../../model/limits.ts";
import type { BlockMaps } from "../../tree/block-map.ts";
import { reachable } from "../../tree/reachable.ts";
import { walkLiveRoots } from "./_walk-live-roots.ts";
import { CollectionClock } from "./collection-clock.ts";

/** What the collector works with. */
export interface CollectorParts {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
  readonly compactor: Pick<Compactor, "compact">;
  readonly clock: Clock;
  /** Where there is a journal. */
  readonly journal?: DeletionJournal | undefined;
  /** Hears of a domain that could not be collected; the next run tries it again. */
  readonly onError: (domain: Domain, error: unknown) => void;
}

/** What a rebuild knows deletions from. */
export interface DeletionJournal {
  /** Has all that was deleted so far journaled. */
  readonly flush: () => Promise<void>;
  /** Hears why that failed; the run goes on. */
  readonly onError: (error: unknown) => void;
}

/** How to collect. */
export interface CollectOptions {
  /** Seconds between the first and the second finding that a record is garbage. */
  readonly graceSeconds: number;
  /** True to find out what would be done, and do none of it. */
  readonly isDryRun: boolean;
  /** Ends the run at its next page; what is left is taken up by the next one. */
  readonly signal?: AbortSignal | undefined;
}

/** What a run found and did. */
export interface Collected {
  /** Records that were looked at because they might be garbage. */
  readonly candidateCount: number;
  /** Of these, those that something needs. */
  readonly reachableCount: number;
  /** Found unreachable for the first time, or not long enough ago. */
  readonly doomedCount: number;
  /** Removed from the catalog. */
  readonly removedCount: number;
  readonly removedBytes: number;
  /** Segments given back to the disk, and their bytes. */
  readonly segmentCount: number;
  readonly segmentBytes: number;
  /** Bytes that were still needed in them and were moved to new ones. */
  readonly movedBytes: number;
}

/** A run that has ended. */
export interface CollectorRun {
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** Undefined where it failed. */
  readonly result: Collected | undefined;
}

/** What several runs came to. */
export interface CollectorTotals {
  readonly doneCount: number;
  readonly failedCount: number;
  readonly removedCount: number;
  readonly removedBytes: number;
}

/** Live roots that a garbage root is compared with: its neighbours share most of it. */
const NEIGHBOURS = 2;
/** Garbage roots looked at together. */
const ROOTS_AT_ONCE = 100;

/**
 * Finds out which records nothing needs any more and gives their room back. Works beside everything
 * else: no lock is held while it looks, and every change it makes is a short transaction with a
 * condition (see catalog/collection.ts). Interrupted anywhere, the next run goes on.
 *
 * It starts from what lost a reference, so a run costs what may have become free, plus one walk
 * over the nodes that are needed.
 */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #clock: CollectionClock;
  readonly #runs = new Limiter(1);
  #startedAtMs: number | undefined;
  #latest: CollectorRun | undefined;
  #totals = { doneCount: 0, failedCount: 0, removedCount: 0, removedBytes: 0 };
  #isStopped = false;
  /** Of the run under way. */
  #signal: AbortSignal | undefined;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
    this.#clock = new CollectionClock(parts.catalog.garbage, parts.clock);
  }

  /**
   * Runs once; a second call waits for the first. Rejects with a `ClockSkewError`, having removed
   * nothing, when the clock has jumped.
   */
  collect(options: CollectOptions): Promise<Collected> {
    return this.#runs.run(() => this.#timed(options));
  }

  /** When the run under way began, in milliseconds since 1970; undefined when there is none. */
  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  /** How the latest run of this process went, dry runs aside; undefined before the first. */
  get latest(): CollectorRun | undefined {
    return this.#latest;
  }

  /** What the runs of this process came to together, dry runs aside. */
  get totals(): CollectorTotals {
    return this.#totals;
  }

  async #timed(options: CollectOptions): Promise<Collected> {
    const { clock } = this.#parts;
    const [startedAtMs, startMs] = [clock.nowMs(), clock.monotonicMs()];
    this.#startedAtMs = startedAtMs;
    let result: Collected | undefined;
    try {
      result = await this.#collect(options);
      return result;
    } finally {
      this.#startedAtMs = undefined;
      const durationMs = clock.monotonicMs() - startMs;
      if (!options.isDryRun) this.#keep({ startedAtMs, durationMs, result });
    }
  }

  #keep(run: CollectorRun): void {
    const { doneCount, failedCount, removedCount, removedBytes } = this.#totals;
    this.#latest = run;
    this.#totals = {
      doneCount: doneCount + (run.result ? 1 : 0),
      failedCount: failedCount + (run.result ? 0 : 1),
      removedCount: removedCount + (run.result?.removedCount ?? 0),
      removedBytes: removedBytes + (run.result?.removedBytes ?? 0),
    };
  }

  /** Ends at the next page; what is left is taken up by the next run. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#runs.run(async () => undefined);
  }

  async #collect(options: CollectOptions): Promise<Collected> {
    const { catalog, compactor, clock } = this.#parts;
    this.#signal = options.signal;
    await this.#clock.check();
    if (!options.isDryRun) await this.#journal();
    await this.#expandRoots();
    // Before any root is looked at: what is stored or referred to from now on is safe.
    const run = await catalog.garbage.begin(clock.nowMs());
    const total = new Tally();
    for (const domain of await catalog.garbage.domains()) {
      await this.#collectDomain(run, domain, { options, total }).catch((error: unknown) => {
        // Without its key nobody can tell what a domain's last snapshots need; it goes with them.
        if (!(error instanceof KeyDestroyedError)) this.#parts.onError(domain, error);
      });
    }
    const isEnding = () => this.#isEnding();
    const compacted = options.isDryRun ? {} : await compactor.compact(isEnding);
    return { ...total.result(), ...compacted };
  }

  /**
   * What a rebuild does not know to be deleted it brings back, and it could not be whole any more.
   * A full disk or bucket takes no entry until a run has given something back, and what else keeps
   * the journal from being written may go on for long: room comes first.
   */
  async #journal(): Promise<void> {
    const { journal } = this.#parts;
    await journal?.flush().catch(journal.onError);
  }

  #isEnding(): boolean {
    return this.#isStopped || (this.#signal?.aborted ?? false);
  }

  /** Notes as candidates what trees that lost their reference reach and their neighbours do not. */
  async #expandRoots(): Promise<void> {
    const { garbage } = this.#parts.catalog;
    for (;;) {
      const roots = await garbage.roots(ROOTS_AT_ONCE);
      if (roots.length === 0 || this.#isEnding()) return;
      const lost = new Set<Domain>();
      for (const root of roots) {
        await this.#expand(root).catch(async (error: unknown) => {
          const isLost = error instanceof KeyDestroyedError || error instanceof CorruptionError;
          if (!isLost) throw error;
          if (!lost.has(root.domain)) await this.#noteAll(root.domain);
          lost.add(root.domain);
        });
        if (this.#isEnding()) return;
        await garbage.removeRoot(root.number);
      }
    }
  }

  /** Notes all of a domain in which a tree cannot be walked: its key is gone, or a node damaged. */
  async #noteAll(domain: Domain): Promise<void> {
    const { garbage } = this.#parts.catalog;
    for (let after: RecordName | undefined; !this.#isEnding(); ) {
      const names = await garbage.stored(domain, after, COLLECT_PAGE_COUNT);
      await garbage.addCandidates(domain, names);
      after = names.at(-1);
      if (names.length < COLLECT_PAGE_COUNT) return;
      await nextTurn();
    }
  }

  async #expand(garbage: GarbageRoot): Promise<void> {
    const others = await this.#parts.catalog.liveness.nearestRoots(garbage, NEIGHBOURS);
    await this.#expandBeside(garbage, others).catch((error: unknown) => {
      // It may be a neighbour that is damaged.
      if (!(error instanceof CorruptionError) || others.length === 0) throw error;
      return this.#expandBeside(garbage, []);
    });
  }

  async #expandBeside(garbage: GarbageRoot, others: readonly Digest[]): Promise<void> {
    const { catalog, blocks, maps } = this.#parts;
    const { domain } = garbage;
    let page: RecordName[] = [];
    const flush = async () => {
      await catalog.garbage.addCandidates(domain, page);
      page = [];
      await nextTurn();
    };
    for await (const reached of reachable(maps(domain), garbage.root, { others })) {
      page.push(...(await blocks.records.namesOf(domain, [reached.node, ...reached.blocks])));
      if (page.length >= COLLECT_PAGE_COUNT) await flush();
      if (this.#isEnding()) return;
    }
    await flush();
  }

  async #collectDomain(
    run: CollectionRun,
    domain: Domain,
    { options, total }: { readonly options: CollectOptions; readonly total: Tally },
  ): Promise<void> {
    const { garbage } = this.#parts.catalog;
    for (let afterName: RecordName | undefined; !this.#isEnding(); ) {
      const candidates = await this.#pageOf(domain, afterName);
      const last = candidates.at(-1);
      if (!last) return;
      const unreached = await this.#unreached(domain, candidates);
      if (unreached === undefined) return;
      total.candidateCount += candidates.length;
      total.reachableCount += candidates.length - unreached.size;
      const kept = candidates.filter(({ name }) => !unreached.has(name));
      const gone = candidates.filter(({ name }) => unreached.has(name));
      if (options.isDryRun) {
        total.doomedCount += gone.length;
      } else {
        for (const names of pages(kept)) await garbage.keep(run, domain, names);
        await this.#remove(run, domain, { gone, options, total });
      }
      afterName = last.name;
    }
  }

  async #pageOf(domain: Domain, afterName: RecordName | undefined): Promise<GarbageCandidate[]> {
    const all: GarbageCandidate[] = [];
    for (let after = afterName; all.length < CANDIDATES_AT_ONCE; ) {
      const { garbage } = this.#parts.catalog;
      const page = await garbage.candidates(domain, after, COLLECT_PAGE_COUNT);
      all.push(...page);
      after = page.at(-1)?.name;
      if (page.length < COLLECT_PAGE_COUNT) break;
      await nextTurn();
    }
    return all;
  }

  /** Dooms what is unreachable for the first time, removes what has been so for long enough. */
  async #remove(
    run: CollectionRun,
    domain: Domain,
    work: {
      readonly gone: readonly GarbageCandidate[];
      readonly options: CollectOptions;
      readonly total: Tally;
    },
  ): Promise<void> {
    const { garbage } = this.#parts.catalog;
    const { clock } = this.#parts;
    const nowMs = clock.nowMs();
    const graceMs = work.options.graceSeconds * 1000;
    const doomedByMs = nowMs - graceMs;
    // A time noted before the clock was set says nothing: the grace begins anew from then.
    const isTrusted = this.#clock.isRightFor(graceMs);
    const isDue = ({ doomedGeneration, doomedAtMs }: GarbageCandidate) =>
      isTrusted &&
      doomedGeneration !== undefined &&
      doomedGeneration < run.generation &&
      doomedAtMs !== undefined &&
      doomedAtMs <= doomedByMs;
    // One noted by a clock that was ahead would not be due for as long.
    const isFresh = ({ doomedGeneration, doomedAtMs }: GarbageCandidate) =>
      doomedGeneration === undefined || (doomedAtMs ?? 0) > nowMs;
    const fresh = work.gone.filter(isFresh);
    for (const names of pages(fresh)) await garbage.doom(run, domain, { names, nowMs });
    for (const names of pages(work.gone.filter(isDue))) {
      const { recordCount, sizeBytes } = await garbage.sweep(run, domain, { names, doomedByMs });
      work.total.removedCount += recordCount;
      work.total.removedBytes += sizeBytes;
      await nextTurn();
    }
    work.total.doomedCount += work.gone.filter((candidate) => !isDue(candidate)).length;
  }

  /**
   * Those of the candidates that nothing reaches; undefined when the walk was stopped. Rejects when
   * any part of what is needed cannot be read: then nothing is known of what lies below it.
   */
  async #unreached(
    domain: Domain,
    candidates: readonly GarbageCandidate[],
  ): Promise<Set<RecordName> | undefined> {
    const { liveness } = this.#parts.catalog;
    const left = new Set(candidates.map(({ name }) => name));
    const reach = (names: readonly RecordName[]) => {
      for (const name of names) left.delete(name);
    };
    left.delete(ZERO_BLOCK_NAME);
    reach(await liveness.manifests(domain));
    for (let after: Parameters<typeof liveness.pendingNames>[1]; ; ) {
      const page = await liveness.pendingNames(domain, after, COLLECT_PAGE_COUNT);
      reach(page.names);
      after = page.last;
      if (after === undefined) break;
      await nextTurn();
    }
    // After the writes under way: a snapshot that is completed in between is found by its root.
    const walk = { domain, reach, isEnding: () => this.#isEnding() };
    return (await walkLiveRoots(this.#parts, walk)) ? left : undefined;
  }
}

/** What a run has come to so far. */
class Tally {
  candidateCount = 0;
  reachableCount = 0;
  doomedCount = 0;
  removedCount = 0;
  removedBytes = 0;

  result(): Collected {
    return { ...this, segmentCount: 0, segmentBytes: 0, movedBytes: 0 };
  }
}

function* pages(candidates: readonly GarbageCandidate[]): Generator<RecordName[]> {
  for (let start = 0; start < candidates.length; start += COLLECT_PAGE_COUNT) {
    yield candidates.slice(start, start + COLLECT_PAGE_COUNT).map(({ name }) => name);
  }
}
