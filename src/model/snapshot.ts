import type { Digest, RecordName } from "./digest.ts";
import type { AccountId, Domain, SnapshotId } from "./ids.ts";

/**
 * Where a snapshot stands. `sealing` is ours: completion was asked for and is being carried out;
 * callers see it as `pending`. `copying`: blocks are being copied into it from another domain; also
 * seen as `pending`. `recycled`: completed, then deleted, and kept in the recycle bin;
 * to all but the bin's own operations it does not exist.
 */
export type SnapshotState = "pending" | "sealing" | "copying" | "completed" | "error" | "recycled";

/** A state as callers see it. */
export type VisibleState = "pending" | "completed" | "error";

/** What callers see of a state. */
export function visibleState(state: SnapshotState): VisibleState {
  if (state === "sealing" || state === "copying") return "pending";
  // Whoever sees a snapshot in the recycle bin asked for those there.
  return state === "recycled" ? "completed" : state;
}

/** A key and a value attached to a snapshot by its owner. */
export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** What the caller asked for when completing, checked while the snapshot is sealed. */
export interface CompletionRequest {
  /** Number of distinct block indexes the caller says it wrote. */
  readonly changedBlocksCount: number;
  /** Aggregate checksum over the written blocks' digests, when the caller gave one. */
  readonly linearDigest: Digest | undefined;
}

/** Who may read a snapshot besides its owner: an account, or everybody. */
export type Grantee = AccountId | "all";

/** How firmly a lock holds: `governance` can be taken off again, `compliance` cannot. */
export type LockMode = "governance" | "compliance";

/** A promise that a snapshot is not deleted before a time. */
export interface SnapshotLock {
  readonly mode: LockMode;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** Until when a `compliance` lock may still be changed or taken off; 0 for none. */
  readonly coolOffHours: number;
}

/** A deleted snapshot in the recycle bin. */
export interface RecycledSnapshot {
  readonly snapshot: Snapshot;
  readonly enteredAtMs: number;
  /** When it is removed for good. */
  readonly exitsAtMs: number;
}

/** Everything known about one snapshot. Immutable: a new state is a new value. */
export interface Snapshot {
  readonly id: SnapshotId;
  readonly account: AccountId;
  /**
   * Where this snapshot's blocks and nodes lie: in its encryption key's domain or, unencrypted, in
   * its owner's, but for a copy of another account's snapshot and what is built on it. A snapshot
   * and its parent lie in one domain.
   */
  readonly domain: Domain;
  readonly state: SnapshotState;
  /** Why the state is `error`. */
  readonly stateMessage: string | undefined;
  readonly parent: SnapshotId | undefined;
  /** Id of the lineage's first snapshot; equal for all snapshots connected by parent links. */
  readonly lineage: SnapshotId;
  readonly volumeSizeGib: number;
  readonly description: string | undefined;
  readonly tags: readonly Tag[];
  readonly startTimeMs: number;
  readonly completionTimeMs: number | undefined;
  readonly timeoutMinutes: number;
  /** When a pending snapshot times out; every write moves it. */
  readonly expiresAtMs: number;
  /** Root of the parent's block map, kept here so that the parent may be deleted meanwhile. */
  readonly parentRoot: Digest | undefined;
  /** Blocks visible in the parent. */
  readonly parentBlockCount: number;
  /** Root of this snapshot's block map once completed; undefined for a map without blocks. */
  readonly root: Digest | undefined;
  /** Blocks visible in this snapshot, its own and inherited, once completed. */
  readonly blockCount: number;
  /** Distinct block indexes written in this snapshot itself, once completed. */
  readonly writtenBlockCount: number;
  readonly completion: CompletionRequest | undefined;
  /** Where the manifest lies; undefined before completion. */
  readonly manifest: RecordName | undefined;
}
