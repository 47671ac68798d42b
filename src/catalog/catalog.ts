import type { Digest } from "../model/digest.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import type { Snapshot, SnapshotState, Tag } from "../model/snapshot.ts";

/*
 * The one mutable thing: what exists and where it lies. Three short ports over one database, so
 * that each can be read on its own. Every method that writes is one durable transaction: when it
 * resolves, its effect survives a power cut; when it rejects, nothing of it has happened.
 */

/** All tables of one database. */
export interface Catalog {
  readonly snapshots: SnapshotTable;
  readonly blocks: BlockTable;
  readonly identity: IdentityTable;
  /** Releases the database; the lock on the store goes with it. */
  close(): Promise<void>;
}

/** An account's earlier StartSnapshot request, so that repeating it starts nothing new. */
export interface ClientTokenUse {
  readonly clientToken: string;
  /** Digest of the request's parameters; a repetition must have the same. */
  readonly fingerprint: Digest;
}

/** What a client token was used for before: the same request, or another one. */
export type EarlierStart =
  | { readonly outcome: "replayed"; readonly snapshot: Snapshot }
  | { readonly outcome: "conflict" };

/** A change of state and what comes with it; fields left out stay as they are. */
export type StateChange = { readonly state: SnapshotState } & Partial<
  Pick<
    Snapshot,
    "stateMessage" | "completion" | "completionTimeMs" | "root" | "blockCount" | "writtenBlockCount"
  >
>;

/** Snapshots, their tags, and the client tokens that started them. */
export interface SnapshotTable {
  /** What this account used the client token for before; undefined if it did not. */
  startedWith(account: AccountId, token: ClientTokenUse): Promise<EarlierStart | undefined>;
  /** Adds a snapshot; does nothing but answer if this account used the client token before. */
  start(snapshot: Snapshot, token: ClientTokenUse | undefined): Promise<EarlierStart | undefined>;
  get(id: SnapshotId): Promise<Snapshot | undefined>;
  /** One account's snapshots with ids after `afterId`, in order of id, at most `limit`. */
  page(account: AccountId, afterId: string, limit: number): Promise<Snapshot[]>;
  /** Every snapshot in a state, whoever owns it. */
  inState(state: SnapshotState): Promise<Snapshot[]>;
  /** Changes the state if it still is `from`; false when it is not (someone else was first). */
  changeState(id: SnapshotId, from: SnapshotState, change: StateChange): Promise<boolean>;
  /** Moves every pending snapshot whose time is up to `error`; answers how many. */
  expire(nowMs: number, stateMessage: string): Promise<number>;
  /** Removes a snapshot with its tags, pending writes and client token; false if unknown. */
  delete(id: SnapshotId): Promise<boolean>;
  /** Replaces all tags of a snapshot. */
  setTags(id: SnapshotId, tags: readonly Tag[]): Promise<void>;
}

/** Where a stored record lies. */
export interface Location {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** A record that is durable in a segment and is to be found under its digest from now on. */
export interface NewLocation extends Location {
  readonly domain: AccountId;
  readonly digest: Digest;
}

/** One block index of a pending snapshot and the digest written there. */
export interface BlockWrite {
  readonly blockIndex: number;
  readonly digest: Digest;
}

/** A block written to a pending snapshot, as acknowledged to its writer. */
export interface PendingWrite extends BlockWrite {
  readonly snapshotId: SnapshotId;
  readonly domain: AccountId;
  /** New expiry of the snapshot, which each write moves. */
  readonly expiresAtMs: number;
}

/** Why a pending write was not taken. */
export type WriteRefusal = "not-pending" | "not-stored";

/** Where each digest lies, and what pending snapshots have written. */
export interface BlockTable {
  /**
   * Adds locations, then writes, in one transaction. A write is refused, and the others are
   * kept, when its snapshot is no longer pending or its digest is not stored in its domain: a
   * reference and the proof that it can be followed are one decision. Answers a refusal or
   * undefined for each write, in order.
   */
  commit(
    locations: readonly NewLocation[],
    writes: readonly PendingWrite[],
  ): Promise<(WriteRefusal | undefined)[]>;
  locate(domain: AccountId, digest: Digest): Promise<Location | undefined>;
  /** Writes of a pending snapshot from a block index on, ascending, at most `limit`. */
  pendingWrites(id: SnapshotId, fromIndex: number, limit: number): Promise<BlockWrite[]>;
  /** Forgets up to `limit` writes of snapshots that are no longer pending; answers how many. */
  forgetSettledWrites(limit: number): Promise<number>;
}

/** An access key with its secret. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly account: AccountId;
  readonly active: boolean;
}

/** Accounts, access keys, and the store's own secrets. */
export interface IdentityTable {
  /** Adds an account; one that is there already stays as it is. */
  addAccount(account: AccountId): Promise<void>;
  /** All accounts, oldest first. */
  accounts(): Promise<AccountId[]>;
  /** Adds an access key or replaces the one of that id. */
  putAccessKey(key: AccessKey): Promise<void>;
  accessKey(accessKeyId: string): Promise<AccessKey | undefined>;
  accessKeys(account: AccountId): Promise<AccessKey[]>;
  /** A secret of the store: kept under its name the first time, the same ever after. */
  secret(name: string, initial: Uint8Array): Promise<Uint8Array>;
}
