import type { RecordName } from "../model/digest.ts";
import type { AccountId, Domain, SnapshotId } from "../model/ids.ts";
import type { SnapshotState } from "../model/snapshot.ts";
import type { Place, VerificationProgress } from "./integrity.ts";

/* What is told to those who operate the store, rather than to those who use it. */

/** Snapshots of all accounts in one state, those in the recycle bin under `recycled`. */
export interface SnapshotTotals {
  readonly state: SnapshotState;
  readonly count: number;
  /** Blocks of all of them, each in full; says something of completed ones only. */
  readonly blockCount: number;
}

/** How the store was at one time. */
export interface StoreMeasure {
  readonly timeMs: number;
  readonly protectedBytes: number;
  readonly storedBytes: number;
  /** Undefined where segments lie on no disk. */
  readonly freeBytes: number | undefined;
  readonly snapshotCount: number;
}

/** A snapshot's verification under way. */
export interface VerificationUnderWay extends VerificationProgress {
  readonly id: SnapshotId;
  /** Blocks there are to verify. */
  readonly blockCount: number;
}

/** Counts over the whole store, and how they were. */
export interface StatisticsTable {
  /** One pass over all snapshots, and over nothing that is larger. */
  snapshots(): Promise<SnapshotTotals[]>;
  /** At most `limit`, in order of snapshot id. */
  verifications(limit: number): Promise<VerificationUnderWay[]>;
  /** In order of time. */
  measures(): Promise<StoreMeasure[]>;
  /**
   * Keeps a measure, in the place of one of the same time. Of those before `fullFromMs` the latest
   * of each day (UTC) is kept; of those before `keptFromMs` none.
   */
  keepMeasure(
    measure: StoreMeasure,
    bounds: { readonly fullFromMs: number; readonly keptFromMs: number },
  ): Promise<void>;
}

/** Something that a webhook is to be told of. */
export type Notice = { readonly number: number } & (
  | { readonly kind: "completed" | "failed"; readonly id: SnapshotId; readonly account: AccountId }
  | ({ readonly kind: "damaged"; readonly domain: Domain; readonly name: RecordName } & Place)
);

/**
 * Notices, each written in the transaction that made it true and kept until it was delivered.
 * None are written while they are turned off, as they are at first.
 */
export interface NoticeTable {
  /** Turns them on or off; off, those that wait are forgotten. */
  turn(isOn: boolean): Promise<void>;
  /**
   * Takes the oldest notices that nobody has taken, at most `limit`: nobody else is given them
   * before `untilMs`.
   */
  take(
    times: { readonly nowMs: number; readonly untilMs: number },
    limit: number,
  ): Promise<Notice[]>;
  /** Forgets notices that were delivered. */
  remove(numbers: readonly number[]): Promise<void>;
  /** Forgets the oldest, so that at most `countMax` wait; answers how many it forgot. */
  trim(countMax: number): Promise<number>;
  /** How many wait. */
  count(): Promise<number>;
}
