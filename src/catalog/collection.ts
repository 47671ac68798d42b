import type { Digest, RecordName } from "../model/digest.ts";
import type { Domain, SnapshotId } from "../model/ids.ts";
import { COLLECT_SKEW_SECONDS_MAX } from "../model/limits.ts";
import type { Location } from "./location.ts";

/*
 * What the collector works with. The rules that keep it from removing what is needed:
 *
 * - A reference enters the catalog together with the proof that it can be followed, and gives the
 *   location the generation of now.
 * - A run takes the generations up to its beginning, and to the beginning of every sealing under
 *   way, before it looks at any root. Only locations of those can be removed by it.
 * - What lost a reference since a run began stays noted, though that run may still have reached it.
 * - A record is removed by the second run that finds it unreachable, and not before a grace.
 * - Locations go first, bytes last. An earlier run can change nothing once a later one has begun.
 *
 * They are asserted where the data is; docs/decisions/0027 says which is where.
 */

/** By how many milliseconds the latest time seen may be ahead without being wrong. */
export const SEEN_AHEAD_MS_MAX = COLLECT_SKEW_SECONDS_MAX * 1_000;

/** One run of the collector. */
export interface CollectionRun {
  /** Fences this run: a later one has a greater one. */
  readonly epoch: number;
  /** Locations of later generations are not removed by this run. */
  readonly cutoffGeneration: number;
  /** Marks what this run dooms; greater than that of every run before. */
  readonly generation: number;
}

/** A tree that may have become unreachable, in part or as a whole. */
export interface GarbageRoot {
  readonly number: number;
  readonly domain: Domain;
  /** "" where it is not known. */
  readonly lineage: string;
  /** When the snapshot was started whose root it was. */
  readonly startTimeMs: number;
  readonly root: Digest;
}

/** A record that may be garbage. */
export interface GarbageCandidate {
  readonly name: RecordName;
  /** The run that first found it unreachable; undefined if none has yet. */
  readonly doomedGeneration: number | undefined;
  /** When that was. */
  readonly doomedAtMs: number | undefined;
}

/** What a run asks to be removed. */
export interface Sweep {
  readonly names: readonly RecordName[];
  /** Each must have been doomed at that time or before: its grace is over. */
  readonly doomedByMs: number;
}

/** A tree that is needed, and in which lineage. */
export interface LiveRoot {
  readonly lineage: string;
  readonly root: Digest;
  /** True for a garbage root, which is needed only until what lies below is noted. */
  readonly isGarbage: boolean;
}

/** Thrown by the tables below when a later run has begun. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/** What may be garbage, and what is none. */
export interface GarbageTable {
  /**
   * Begins a run. Every earlier one is over. Where what was seen is further ahead than clocks may
   * differ, that is forgotten: whoever begins all the same believes the time of now.
   */
  begin(nowMs: number): Promise<CollectionRun>;
  /** Latest time that a run has begun at; 0 before the first. */
  seenMs(): Promise<number>;
  /** The oldest garbage roots, at most `limit`. */
  roots(limit: number): Promise<GarbageRoot[]>;
  /**
   * Notes records as possible garbage, as of now; those noted already stay doomed if they were.
   * Also for a run that is over: what is noted is looked at once more and nothing else.
   */
  addCandidates(domain: Domain, names: readonly RecordName[]): Promise<void>;
  /**
   * Names of all records of a domain after `afterName`, in order, up to `limit`: for one in which
   * trees cannot be walked any more.
   */
  stored(domain: Domain, afterName: RecordName | undefined, limit: number): Promise<RecordName[]>;
  /**
   * Forgets a garbage root: all below it has been noted. Of no run, and whoever was faster has
   * noted the same: a number is never given twice.
   */
  removeRoot(number: number): Promise<void>;
  /** Domains that have candidates. */
  domains(): Promise<Domain[]>;
  /** A domain's candidates with names after `afterName`, in order of name, up to `limit`. */
  candidates(
    domain: Domain,
    afterName: RecordName | undefined,
    limit: number,
  ): Promise<GarbageCandidate[]>;
  /** Forgets candidates that are reachable, but for those that were noted since the run began. */
  keep(run: CollectionRun, domain: Domain, names: readonly RecordName[]): Promise<void>;
  /** Notes that this run found them unreachable for the first time. */
  doom(
    run: CollectionRun,
    domain: Domain,
    doomed: { readonly names: readonly RecordName[]; readonly nowMs: number },
  ): Promise<void>;
  /**
   * Removes the locations of doomed candidates and forgets these, but for those that were referred
   * to since the run's cutoff, which begin anew as candidates. Answers what became free. Asserts,
   * of all of them before any is removed, that an earlier run doomed them, and by that time.
   */
  sweep(
    run: CollectionRun,
    domain: Domain,
    sweep: Sweep,
  ): Promise<{ readonly recordCount: number; readonly sizeBytes: number }>;
}

/** What must stay. */
export interface LivenessTable {
  /**
   * Every root of a domain that is needed: a snapshot's own, that of the parent of one under way,
   * that of what is copied, those of writer maps, and the garbage roots, for without one of its
   * nodes nobody could note what lies below. Of one lineage one after another, in order of start.
   */
  roots(domain: Domain): Promise<LiveRoot[]>;
  /** The live roots of a lineage nearest to a time: some before, some after. */
  nearestRoots(root: GarbageRoot, limit: number): Promise<Digest[]>;
  /** Names of a domain's manifests and journal entries. */
  manifests(domain: Domain): Promise<RecordName[]>;
  /** Names written to a domain's snapshots under way, after a place, at most `limit`. */
  pendingNames(
    domain: Domain,
    after: PendingPlace | undefined,
    limit: number,
  ): Promise<{ readonly names: readonly RecordName[]; readonly last: PendingPlace | undefined }>;
  /**
   * Notes the beginning of an attempt to seal a snapshot: what is stored from now on is safe until
   * it has ended. Answers the attempt's number. What an earlier one stored is safe no more, so from
   * now on that one can change nothing (`StateChange.attempt`).
   */
  beginSealing(id: SnapshotId): Promise<number>;
  /**
   * Snapshots to be sealed that this process tried to seal last and, with `takesOver`, those that
   * no living process did.
   */
  sealings(takesOver: boolean): Promise<SnapshotId[]>;
  /**
   * One of these block indexes that was written to a snapshot under way and whose block is not
   * located. There is none: a write is taken when its block is, and both stay until the snapshot is
   * settled.
   */
  findMissing(id: SnapshotId, blockIndexes: readonly number[]): Promise<number | undefined>;
  /**
   * True when the record is stored; it is then referred to as of now, so that no run which has
   * begun by now removes it.
   */
  refer(domain: Domain, name: RecordName): Promise<boolean>;
}

/** Where a listing of pending names has come to. */
export interface PendingPlace {
  readonly snapshot: number;
  readonly blockIndex: number;
}

/** A collection that somebody asked for, and how it stands; both as their caller writes them. */
export interface RequestedCollection {
  readonly id: string;
  readonly request: string;
  readonly status: string;
  /** True when somebody asked for it to be stopped. */
  readonly isStopAsked: boolean;
  /** True when it has ended. */
  readonly isDone: boolean;
}

/** Collections that were asked for, at whichever process; the latest of them. */
export interface RequestTable {
  /** Adds one; answers its id. */
  add(asked: Pick<RequestedCollection, "request" | "status">): Promise<string>;
  get(id: string): Promise<RequestedCollection | undefined>;
  /**
   * Takes up those not done that no living process has; this one has them from now on. `known` is
   * all that it knows to have by now, done or not: what else it has it takes once more, for it
   * never heard that it took it. Not to be called twice at once.
   */
  take(known: readonly string[]): Promise<RequestedCollection[]>;
  /** Notes how one stands. */
  put(id: string, now: Pick<RequestedCollection, "status" | "isDone">): Promise<void>;
  /** Asks for one to be stopped. */
  askToStop(id: string): Promise<void>;
}

/** Collections remembered: far more than anybody follows at once (ours). */
export const REQUESTS_KEPT_COUNT = 100;

/**
 * How much of each segment is still needed. Whoever gives segments back is of no run and needs no
 * fence: a record is moved from the one place where it was found, and a segment that is removable
 * stays so.
 */
export interface SegmentTable {
  /** Bytes of located records by segment; segments without any may be missing. */
  liveBytes(): Promise<ReadonlyMap<number, number>>;
  /** Where the last located record of a segment ends; undefined where none is located in it. */
  endOf(segment: number): Promise<number | undefined>;
  /** True when a record that lies there is the one to be found under its name. */
  isLocated(domain: Domain, name: RecordName, location: Location): Promise<boolean>;
  /**
   * True when nothing is located in a segment, nor ever will be: so it may be removed at any later
   * time, too. Of a segment to which nothing is appended any more.
   */
  isRemovable(segment: number): Promise<boolean>;
  /** Forgets a segment that has been removed. Asserts that nothing is located in it. */
  forget(segment: number): Promise<void>;
}
