import type { Digest, RecordName } from "../model/digest.ts";
import type { EncryptionDefaults, EncryptionKey } from "../model/encryption-key.ts";
import type { AccountId, Domain, EncryptionKeyId, KeyDomain, SnapshotId } from "../model/ids.ts";
import type { Image } from "../model/image.ts";
import type {
  Grantee,
  RecycledSnapshot,
  Snapshot,
  SnapshotLock,
  SnapshotState,
  Tag,
} from "../model/snapshot.ts";
import type { StoreSecret } from "../model/store-secret.ts";
import type { GarbageTable, LivenessTable, RequestTable, SegmentTable } from "./collection.ts";
import type { DamageTable, ScrubTable, VerificationTable } from "./integrity.ts";
import type { JournalTable } from "./journal.ts";
import type { Location } from "./location.ts";
import type { NoticeTable, StatisticsTable } from "./statistics.ts";

export type { Location };

/*
 * The one mutable thing: what exists and where it lies. Short ports over one database, so
 * that each can be read on its own. Every method that writes is one durable transaction: when it
 * resolves, its effect survives a power cut; when it rejects, nothing of it has happened.
 */

/** All tables of one database. */
export interface Catalog {
  readonly snapshots: SnapshotTable;
  readonly blocks: BlockTable;
  readonly identity: IdentityTable;
  readonly sharing: SharingTable;
  readonly retention: RetentionTable;
  readonly images: ImageTable;
  readonly encryption: EncryptionTable;
  readonly copies: CopyTable;
  readonly settings: SettingsTable;
  readonly garbage: GarbageTable;
  readonly liveness: LivenessTable;
  readonly segments: SegmentTable;
  readonly requests: RequestTable;
  readonly journal: JournalTable;
  readonly scrubs: ScrubTable;
  readonly verifications: VerificationTable;
  readonly statistics: StatisticsTable;
  readonly notices: NoticeTable;
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

/** Why a snapshot was not added. */
export type StartRefusal =
  | EarlierStart
  | { readonly outcome: "parent-gone" }
  | { readonly outcome: "manifest-gone" };

/** A change of state and what comes with it; fields left out stay as they are. */
export type StateChange = {
  readonly state: SnapshotState;
  /** The attempt to seal that makes it, as `beginSealing` numbered it: only the latest one may. */
  readonly attempt?: number;
  /** Under what names `root` and `writersRoot` lie, of those that there are. */
  readonly rootNames?: readonly RecordName[];
} & Partial<
  Pick<
    Snapshot,
    | "stateMessage"
    | "completion"
    | "completionTimeMs"
    | "root"
    | "blockCount"
    | "writtenBlockCount"
    | "writersRoot"
    | "manifest"
  >
>;

/** On what terms a snapshot is deleted. */
export interface DeletionTerms {
  /** Locks that end later hold the snapshot. */
  readonly nowMs: number;
  /** Until when a completed snapshot is kept in the recycle bin; undefined for not at all. */
  readonly binnedUntilMs: number | undefined;
}

/** How a deletion went. */
export type DeletionOutcome = "deleted" | "unknown" | "locked" | "in-use";

/** Snapshots, their tags, and the client tokens that started them. */
export interface SnapshotTable {
  /** What this account used the client token for before; undefined if it did not. */
  startedWith(account: AccountId, token: ClientTokenUse): Promise<EarlierStart | undefined>;
  /**
   * Adds a snapshot; does nothing but answer if this account used the client token before, if it
   * is pending and its parent is not there any more, or if it has a manifest that is not stored: a
   * reference and the proof that it can be followed are one decision.
   */
  start(snapshot: Snapshot, token: ClientTokenUse | undefined): Promise<StartRefusal | undefined>;
  get(id: SnapshotId): Promise<Snapshot | undefined>;
  /** One account's snapshots with ids after `afterId`, in order of id, at most `limit`. */
  page(account: AccountId, afterId: string, limit: number): Promise<Snapshot[]>;
  /**
   * The other snapshots of a snapshot's account and lineage, those in the recycle bin aside: at
   * most `limit`, the ones started nearest to it in time.
   */
  relatives(snapshot: Snapshot, limit: number): Promise<Snapshot[]>;
  /** Every snapshot in a state, whoever owns it. */
  inState(state: SnapshotState): Promise<Snapshot[]>;
  /**
   * Changes the state if it still is `from`; false when it is not (someone else was first). Asserts
   * that `from` is no end, and of what becomes `completed` that its roots and manifest are located.
   */
  changeState(id: SnapshotId, from: SnapshotState, change: StateChange): Promise<boolean>;
  /** Moves every pending snapshot whose time is up to `error`; answers how many. */
  expire(nowMs: number, stateMessage: string): Promise<number>;
  /**
   * Removes a snapshot with its tags, permissions and client token, or moves it to the recycle
   * bin, unless a lock or an image holds it: the check and the removal are one. Its pending writes
   * are settled by that, and left to `forgetSettledWrites`.
   */
  delete(id: SnapshotId, terms: DeletionTerms): Promise<DeletionOutcome>;
  /**
   * Replaces all tags of a snapshot by what is made of those that it has. Reading, changing and
   * writing are one; where the change throws, nothing is changed.
   */
  changeTags(id: SnapshotId, change: TagsChange): Promise<void>;
}

/** What is made of a snapshot's tags. It may be asked again, when others get in its way. */
export type TagsChange = (tags: readonly Tag[]) => readonly Tag[];

/** A snapshot that is being copied, block by block, from another domain. */
export interface SnapshotCopy {
  readonly id: SnapshotId;
  readonly sourceDomain: Domain;
  readonly sourceRoot: Digest | undefined;
  /** Blocks before this index have been copied. */
  readonly nextIndex: number;
}

/** What a copy is begun from. */
export interface CopySource extends Omit<SnapshotCopy, "id"> {
  readonly sourceId: SnapshotId;
}

/** Snapshots in the state `copying`. */
export interface CopyTable {
  /**
   * Adds a snapshot, in the state `copying`, and what it is copied from. False, and nothing added,
   * when that is not there any more: the check and the reference are one.
   */
  start(snapshot: Snapshot, source: CopySource): Promise<boolean>;
  /** Every copy under way, whoever owns it. */
  all(): Promise<SnapshotCopy[]>;
  /** Notes how far a copy has come. */
  advance(id: SnapshotId, nextIndex: number): Promise<void>;
}

/** Who may read which snapshot besides its owner. */
export interface SharingTable {
  /** In order of grantee. */
  grantees(id: SnapshotId): Promise<Grantee[]>;
  /** Gives and takes away leave to read; what is there or gone already stays so. */
  changeGrantees(id: SnapshotId, change: GranteesChange): Promise<void>;
  /**
   * The snapshot of that id, if it is the account's own or granted to it or to all, and not in the
   * recycle bin. Another one is looked for no longer than one that is not there: how long an answer
   * takes must not tell.
   */
  visible(account: AccountId, id: SnapshotId): Promise<Snapshot | undefined>;
  /**
   * The snapshots that an account owns or may know of, with ids after `afterId`, in order of id,
   * at most `limit`.
   */
  visiblePage(account: AccountId, afterId: string, limit: number): Promise<Snapshot[]>;
}

/** Grantees to add and to take away. */
export interface GranteesChange {
  readonly add: readonly Grantee[];
  readonly remove: readonly Grantee[];
}

/** What keeps snapshots from being deleted, or keeps deleted ones for a while. */
export interface RetentionTable {
  /** The snapshot's lock, also one that has expired. */
  lock(id: SnapshotId): Promise<SnapshotLock | undefined>;
  /** Replaces the lock if it still is `from`; false when it is not (someone else was first). */
  changeLock(id: SnapshotId, change: LockChange): Promise<boolean>;
  /** Snapshots of an account that have a lock, in order of id. */
  lockedSnapshots(account: AccountId): Promise<Snapshot[]>;
  /** An account's recycle bin, in order of id. */
  recycled(account: AccountId): Promise<RecycledSnapshot[]>;
  /** Takes a snapshot out of the recycle bin, `completed` again; false if it is not there. */
  restore(id: SnapshotId): Promise<boolean>;
  /** Removes what has been in the recycle bin until its time; answers how many. */
  purge(nowMs: number): Promise<number>;
}

/** A lock to put on, to replace or, with `to` undefined, to take off. */
export interface LockChange {
  readonly from: SnapshotLock | undefined;
  readonly to: SnapshotLock | undefined;
}

/** Machine images, each made of snapshots that it keeps from being deleted. */
export interface ImageTable {
  /** Adds an image unless its owner has one of that name or a snapshot is not there any more. */
  add(image: Image): Promise<ImageRefusal | undefined>;
  get(id: string): Promise<Image | undefined>;
  /** The image of that name, which each account has once. */
  named(account: AccountId, name: string): Promise<Image | undefined>;
  /** Images of all accounts with ids after `afterId`, in order of id, at most `limit`. */
  page(afterId: string, limit: number): Promise<Image[]>;
  /**
   * Puts what `change` makes of an image in its place; its id, name and snapshots must stay.
   * Reading, changing and writing are one. Answers the new image; undefined if there is none.
   */
  change(id: string, change: (image: Image) => Image): Promise<Image | undefined>;
  /** Removes an image; false if it is not there. */
  delete(id: string): Promise<boolean>;
}

/** Why an image was not added. */
export type ImageRefusal = "name-taken" | "unknown-snapshot";

/** What an account has decided for all it does, by name; a name never put has no value. */
export interface SettingsTable {
  get(account: AccountId, name: string): Promise<string | undefined>;
  /** Sets the value, or takes it away where it is undefined. */
  put(account: AccountId, name: string, value: string | undefined): Promise<void>;
}

/** A record that is durable in a segment and is to be found under its name from now on. */
export interface NewLocation extends Location {
  readonly domain: Domain;
  readonly name: RecordName;
  /**
   * True to take the place of a location known already, which then is damaged no more; else the
   * one known stays.
   */
  readonly replaces: boolean;
  /** Where the record was moved from: it takes that place and no other, if it still is there. */
  readonly movedFrom?: Location | undefined;
}

/** One block index of a pending snapshot and the name of the block written there. */
export interface BlockWrite {
  readonly blockIndex: number;
  readonly name: RecordName;
}

/** A block written to a pending snapshot, as acknowledged to its writer. */
export interface PendingWrite extends BlockWrite {
  readonly snapshotId: SnapshotId;
  readonly domain: Domain;
  /** New expiry of the snapshot, which each write moves. */
  readonly expiresAtMs: number;
  /** What `BlockTable.term` was when the write arrived; undefined for one of now. */
  readonly term?: number | undefined;
}

/**
 * Why a pending write was not taken. `late`: it arrived before this process was presumed dead, so a
 * later write may have been acknowledged elsewhere, and this one must not come after it.
 */
export type WriteRefusal = "not-pending" | "not-stored" | "late";

/** Where each record lies, which are damaged, and what pending snapshots have written. */
export interface BlockTable extends DamageTable {
  /**
   * Adds locations, then writes, in one transaction. A write is refused, and the others are
   * kept, when its snapshot takes none any more or its block is not stored in its domain: a
   * reference and the proof that it can be followed are one decision. What is referred to has the
   * generation of now; a record that comes without a write, or whose write is refused, is noted as
   * possible garbage. Answers a refusal or undefined for each write, in order.
   */
  commit(
    locations: readonly NewLocation[],
    writes: readonly PendingWrite[],
  ): Promise<(WriteRefusal | undefined)[]>;
  /** Another number whenever this process had been presumed dead by others that serve the store. */
  term(): number;
  locate(domain: Domain, name: RecordName): Promise<Location | undefined>;
  /** The same for several of one domain, in order. */
  locateAll(
    domain: Domain,
    names: readonly RecordName[],
  ): Promise<readonly (Location | undefined)[]>;
  /** Writes of a pending snapshot from a block index on, ascending, at most `limit`. */
  pendingWrites(id: SnapshotId, fromIndex: number, limit: number): Promise<BlockWrite[]>;
  /**
   * Forgets up to `limit` writes of snapshots that are no longer pending; answers how many. What
   * was written to one that never was completed is noted as possible garbage.
   */
  forgetSettledWrites(limit: number): Promise<number>;
}

/** Encryption keys, and how accounts encrypt when nothing is said. */
export interface EncryptionTable {
  /**
   * Adds a key. False, and nothing added, when its account has one that the service made already
   * and this is another, or when its domain is taken.
   */
  add(key: EncryptionKey): Promise<boolean>;
  get(id: EncryptionKeyId): Promise<EncryptionKey | undefined>;
  /** The key whose domain that is. */
  ofDomain(domain: KeyDomain): Promise<EncryptionKey | undefined>;
  /** One account's keys with ids after `afterId`, in order of id, at most `limit`. */
  page(account: AccountId, afterId: string, limit: number): Promise<EncryptionKey[]>;
  /** Every key whose time has come to be destroyed. */
  due(nowMs: number): Promise<EncryptionKey[]>;
  /** The key that the service made for an account; undefined if it made none. */
  madeFor(account: AccountId): Promise<EncryptionKey | undefined>;
  /** The key that encrypts the store's journal; undefined if none was made. */
  ofStore(): Promise<EncryptionKey | undefined>;
  /** Keys with a secret that another key-encryption key than this one wrapped. */
  notWrappedBy(keyEncryptionKeyId: string): Promise<EncryptionKey[]>;
  /**
   * Replaces `from` by `to`; false when it is no longer `from` (someone else was first). Secrets
   * that `to` no longer has are wiped from the disk.
   */
  replace(from: EncryptionKey, to: EncryptionKey): Promise<boolean>;
  defaults(account: AccountId): Promise<EncryptionDefaults>;
  setDefaults(account: AccountId, change: Partial<EncryptionDefaults>): Promise<EncryptionDefaults>;
}

/** An access key with its secret. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly account: AccountId;
  readonly active: boolean;
  /** IAM policy as JSON; without one the key has every right of its account. */
  readonly policy: string | undefined;
  readonly createdAtMs: number;
}

/** New values for an access key; `policy: undefined` takes the policy away. */
export type AccessKeyChange = Partial<Pick<AccessKey, "active" | "policy">>;

/** How a change went: `last` is the change that would leave nobody to manage the store. */
export type AccessKeyOutcome = "changed" | "unknown" | "last";

/** Accounts, access keys, and the store's own secrets. */
export interface IdentityTable {
  /**
   * Sees to it that there is a first account, this one where there is none, and that it has an
   * active key without a policy: this one, for whatever account that then is, where it is given and
   * there is none. The checks and what they lead to are one, so all who begin at once agree.
   */
  begin(account: AccountId, key: AccessKey | undefined): Promise<void>;
  /** Adds an account; one that is there already stays as it is. */
  addAccount(account: AccountId): Promise<void>;
  /** All accounts, oldest first. */
  accounts(): Promise<AccountId[]>;
  /** Adds an access key or replaces the one of that id. */
  putAccessKey(key: AccessKey): Promise<void>;
  accessKey(accessKeyId: string): Promise<AccessKey | undefined>;
  /** An account's access keys, oldest first. */
  accessKeys(account: AccountId): Promise<AccessKey[]>;
  /**
   * Changes an access key, or deletes it. Refused as `last` where the first account would lose its
   * last active key without a policy: the check and the change are one.
   */
  changeAccessKey(
    accessKeyId: string,
    change: AccessKeyChange | "delete",
  ): Promise<AccessKeyOutcome>;
  /** The store's secrets of that name, oldest first; none before the first was added. */
  secrets(name: string): Promise<StoreSecret[]>;
  /** Adds secrets of the store and forgets others, all or nothing. A known one stays as it is. */
  changeSecrets(change: SecretsChange): Promise<void>;
}

/** A secret of the store, by its name and number. */
export interface SecretName {
  readonly name: string;
  readonly number: number;
}

/** Secrets of the store that come and go. */
export interface SecretsChange {
  readonly add: readonly (SecretName & StoreSecret)[];
  readonly forget: readonly SecretName[];
}
