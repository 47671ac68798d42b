import type { RecordName } from "../model/digest.ts";
import type { Extent } from "../model/extent.ts";
import type { AccountId, Domain, SnapshotId } from "../model/ids.ts";

/* What is known of what is stored by having read it again, rather than by having written it. */

/** A place in the segments, in the order in which they are read through. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

/** A record that can be found, and where it lies. */
export interface StoredRecord extends Place {
  readonly length: number;
  readonly domain: Domain;
  readonly name: RecordName;
}

/** A record that was found damaged there. */
export interface DamagedRecord extends StoredRecord {
  readonly foundAtMs: number;
}

/** Records that are known to be damaged. A location that is removed or replaced is so no more. */
export interface DamageTable {
  /** In order of domain and name, at most `limit`. */
  damaged(limit: number): Promise<DamagedRecord[]>;
  isDamaged(domain: Domain, name: RecordName): Promise<boolean>;
  /** False, and nothing noted, when it was known, or when the record lies elsewhere by now. */
  addDamaged(record: DamagedRecord): Promise<boolean>;
  /** For a record that was found whole again; false when it was not known as damaged. */
  removeDamaged(domain: Domain, name: RecordName): Promise<boolean>;
}

/** When a segment was read through, and how far that is if it is under way. */
export interface SegmentScrub {
  readonly segment: number;
  /** No record of it has gone unverified for longer than since then. */
  readonly verifiedAtMs: number;
  /** When reading it through began; undefined if it is not under way. */
  readonly startedAtMs: number | undefined;
  /** Records before this offset have been verified since then. */
  readonly nextOffset: number;
}

/** What is wrong with a catalog, in words without a secret. */
export interface CatalogFaults {
  readonly faults: readonly string[];
  /** False where it does not hold together, so that nothing can be told from what it says. */
  readonly isSound: boolean;
}

/** What the scrubber works with. */
export interface ScrubTable {
  /** Records from a place on, in order of their places, at most `limit`. */
  recordsFrom(place: Place, limit: number): Promise<StoredRecord[]>;
  /**
   * All segments that hold records, in order of their numbers. One that was not known is from now
   * on, as verified now: it has just been written. Those that hold none any more are forgotten.
   */
  scrubs(nowMs: number): Promise<SegmentScrub[]>;
  /** Notes how far a segment is; one that is not known any more stays so. */
  noteScrub(scrub: SegmentScrub): Promise<void>;
  /** What is wrong with the catalog, as far as that can be told from it alone; reads all of it. */
  findFaults(): Promise<CatalogFaults>;
}

/** A snapshot's verification under way. */
export interface VerificationProgress {
  readonly startedAtMs: number;
  /** Blocks before this index have been verified. */
  readonly nextIndex: number;
  readonly blocksVerified: number;
  readonly bytesVerified: number;
  readonly badBlockCount: number;
  /** Where they are, ascending; the first of them where there are very many. */
  readonly badExtents: readonly Extent[];
}

/** How a verification ended. */
export interface VerificationOutcome {
  readonly endedAtMs: number;
  readonly isWhole: boolean;
}

/** A snapshot and how its latest verification ended. */
export interface VerifiedSnapshot extends VerificationOutcome {
  readonly id: SnapshotId;
}

/** Verifications of snapshots: one under way, and how the latest one ended. */
export interface VerificationTable {
  progress(id: SnapshotId): Promise<VerificationProgress | undefined>;
  /** Notes how far it is; does nothing for a snapshot that is gone. */
  advance(id: SnapshotId, progress: VerificationProgress): Promise<void>;
  /** Notes how it ended; none is under way any more. */
  end(id: SnapshotId, outcome: VerificationOutcome): Promise<void>;
  /** One account's snapshots that were verified, with ids after `afterId`, at most `limit`. */
  page(account: AccountId, afterId: string, limit: number): Promise<VerifiedSnapshot[]>;
}
