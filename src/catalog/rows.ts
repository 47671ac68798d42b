import {
  type Digest,
  digestFromBytes,
  digestToBytes,
  type RecordName,
  recordNameFromBytes,
} from "../model/digest.ts";
import type {
  EncryptionKey,
  EncryptionKeyManager,
  EncryptionKeyState,
  WrappedSecret,
} from "../model/encryption-key.ts";
import type { AccountId, Domain, EncryptionKeyId, KeyDomain, SnapshotId } from "../model/ids.ts";
import type { Image } from "../model/image.ts";
import type {
  CompletionRequest,
  LockMode,
  Snapshot,
  SnapshotLock,
  SnapshotState,
  Tag,
} from "../model/snapshot.ts";
import type { StoreSecret } from "../model/store-secret.ts";
import type { AccessKey, SecretName, SnapshotCopy } from "./catalog.ts";
import type { GarbageCandidate, LiveRoot, PendingPlace } from "./collection.ts";
import type {
  DamagedRecord,
  StoredRecord,
  VerificationProgress,
  VerifiedSnapshot,
} from "./integrity.ts";
import type { Notice, SnapshotTotals, StoreMeasure, VerificationUnderWay } from "./statistics.ts";

/* What the rows of a catalog say, which is the same whatever engine holds them. */

/** A row as an engine answers it: columns by name, whole numbers as numbers, bytes as bytes. */
export type Row = Readonly<Record<string, unknown>>;

/** The encryption key in a row. */
export function keyFrom(row: Row): EncryptionKey {
  return {
    id: row["id"] as EncryptionKeyId,
    account: row["account"] as AccountId,
    domain: row["domain"] as KeyDomain,
    state: row["state"] as EncryptionKeyState,
    manager: row["manager"] as EncryptionKeyManager,
    description: row["description"] as string,
    createdAtMs: row["created_at_ms"] as number,
    deletionAtMs: (row["deletion_at_ms"] as number | null) ?? undefined,
    secrets: JSON.parse(row["secrets"] as string) as WrappedSecret[],
  };
}

/** The possible garbage in a row. */
export function candidateFrom(row: Row): GarbageCandidate {
  return {
    name: recordNameFromBytes(row["name"] as Uint8Array),
    doomedGeneration: (row["doomed_generation"] as number | null) ?? undefined,
    doomedAtMs: (row["doomed_at_ms"] as number | null) ?? undefined,
  };
}

/** What every name that comes after it is greater than. */
export function keyAfter(afterName: RecordName | undefined): Uint8Array {
  return afterName === undefined ? new Uint8Array(0) : digestToBytes(afterName);
}

/** The first secret of a name has no number there: once there was but one. */
export function metaName({ name, number }: SecretName): string {
  return number === 0 ? name : `${name}/${number}`;
}

/** The store's secret in a row. */
export function secretFrom(row: Row): StoreSecret {
  const [, number = "0"] = (row["name"] as string).split("/");
  return {
    number: Number(number),
    value: row["value"] as Uint8Array,
    createdAtMs: row["created_at_ms"] as number,
  };
}

/** The access key in a row. */
export function accessKeyFrom(row: Row): AccessKey {
  return {
    accessKeyId: row["id"] as string,
    secretAccessKey: row["secret"] as string,
    account: row["account"] as AccountId,
    active: row["active"] === 1,
    policy: (row["policy"] as string | null) ?? undefined,
    createdAtMs: row["created_at_ms"] as number,
  };
}

/** JSON leaves undefined members out; they read as undefined all the same. */
export function imageFrom(row: Row): Image {
  return JSON.parse(row["contents"] as string) as Image;
}

/** The root in a row that has one. */
export function rootFrom(row: Row): Digest {
  return digestFromBytes(row["root"] as Uint8Array);
}

/** What `LivenessTable.roots` answers of a row. */
export function liveRootFrom(row: Row): LiveRoot {
  const isGarbage = row["is_garbage"] === 1;
  return { lineage: row["lineage"] as string, root: rootFrom(row), isGarbage };
}

/** The lock in a row. */
export function lockFrom(row: Row): SnapshotLock {
  return {
    mode: row["mode"] as LockMode,
    createdAtMs: row["created_at_ms"] as number,
    expiresAtMs: row["expires_at_ms"] as number,
    coolOffHours: row["cool_off_hours"] as number,
  };
}

/** True for the same lock, or for none both times. */
export function isSame(one: SnapshotLock | undefined, other: SnapshotLock | undefined): boolean {
  if (!one || !other) return one === other;
  return (
    one.mode === other.mode &&
    one.createdAtMs === other.createdAtMs &&
    one.expiresAtMs === other.expiresAtMs &&
    one.coolOffHours === other.coolOffHours
  );
}

/** Column of each field of a `Snapshot`, in the order of `snapshotValues`. */
export const SNAPSHOT_COLUMNS = [
  "id",
  "account",
  "domain",
  "state",
  "state_message",
  "parent",
  "lineage",
  "volume_size_gib",
  "description",
  "tags",
  "start_time_ms",
  "completion_time_ms",
  "timeout_minutes",
  "expires_at_ms",
  "parent_root",
  "parent_block_count",
  "root",
  "block_count",
  "written_block_count",
  "completion",
  "writers_root",
  "manifest",
] as const;

/** What is written in the columns of a snapshot's row. */
export function snapshotValues(snapshot: Snapshot): (string | number | null | Uint8Array)[] {
  return [
    snapshot.id,
    snapshot.account,
    snapshot.domain,
    snapshot.state,
    snapshot.stateMessage ?? null,
    snapshot.parent ?? null,
    snapshot.lineage,
    snapshot.volumeSizeGib,
    snapshot.description ?? null,
    JSON.stringify(snapshot.tags),
    snapshot.startTimeMs,
    snapshot.completionTimeMs ?? null,
    snapshot.timeoutMinutes,
    snapshot.expiresAtMs,
    snapshot.parentRoot ? digestToBytes(snapshot.parentRoot) : null,
    snapshot.parentBlockCount,
    snapshot.root ? digestToBytes(snapshot.root) : null,
    snapshot.blockCount,
    snapshot.writtenBlockCount,
    snapshot.completion ? JSON.stringify(snapshot.completion) : null,
    snapshot.writersRoot ? digestToBytes(snapshot.writersRoot) : null,
    snapshot.manifest ? digestToBytes(snapshot.manifest) : null,
  ];
}

/** The snapshot in a row of the table. */
export function snapshotFrom(row: Row): Snapshot {
  return {
    id: row["id"] as SnapshotId,
    account: row["account"] as AccountId,
    domain: row["domain"] as Domain,
    state: row["state"] as SnapshotState,
    stateMessage: (row["state_message"] as string | null) ?? undefined,
    parent: (row["parent"] as SnapshotId | null) ?? undefined,
    lineage: row["lineage"] as SnapshotId,
    volumeSizeGib: row["volume_size_gib"] as number,
    description: (row["description"] as string | null) ?? undefined,
    tags: JSON.parse(row["tags"] as string) as Tag[],
    startTimeMs: row["start_time_ms"] as number,
    completionTimeMs: (row["completion_time_ms"] as number | null) ?? undefined,
    timeoutMinutes: row["timeout_minutes"] as number,
    expiresAtMs: row["expires_at_ms"] as number,
    parentRoot: digestFrom(row["parent_root"]),
    parentBlockCount: row["parent_block_count"] as number,
    root: digestFrom(row["root"]),
    blockCount: row["block_count"] as number,
    writtenBlockCount: row["written_block_count"] as number,
    completion: completionFrom(row["completion"] as string | null),
    ...(row["writers_root"] === null ? {} : { writersRoot: digestFrom(row["writers_root"]) }),
    ...(row["manifest"] === null
      ? {}
      : { manifest: recordNameFromBytes(row["manifest"] as Uint8Array) }),
  };
}

function digestFrom(value: unknown): Digest | undefined {
  return value === null ? undefined : digestFromBytes(value as Uint8Array);
}

function completionFrom(text: string | null): CompletionRequest | undefined {
  if (text === null) return undefined;
  const { changedBlocksCount, linearDigest } = JSON.parse(text);
  return { changedBlocksCount, linearDigest };
}

/** The verification under way in a row. */
export function verificationFrom(row: Row): VerificationUnderWay {
  return {
    ...(JSON.parse(row["progress"] as string) as VerificationProgress),
    id: row["id"] as SnapshotId,
    blockCount: row["block_count"] as number,
  };
}

/** The measure in a row. */
export function measureFrom(row: Row): StoreMeasure {
  return {
    timeMs: row["time_ms"] as number,
    protectedBytes: row["protected_bytes"] as number,
    storedBytes: row["stored_bytes"] as number,
    freeBytes: (row["free_bytes"] as number | null) ?? undefined,
    snapshotCount: row["snapshot_count"] as number,
  };
}

/** The record in a row: where it lies. */
export function storedRecordFrom(row: Row): StoredRecord {
  return { ...placedRecordFrom(row), length: row["length"] as number };
}

/** The damaged record in a row. */
export function damagedRecordFrom(row: Row): DamagedRecord {
  return { ...storedRecordFrom(row), foundAtMs: row["found_at_ms"] as number };
}

/** The notice in a row. */
export function noticeFrom(row: Row): Notice {
  const number = row["number"] as number;
  if (row["kind"] === "damaged") return { ...placedRecordFrom(row), number, kind: "damaged" };
  return {
    number,
    kind: row["kind"] as "completed" | "failed",
    id: row["snapshot"] as SnapshotId,
    account: row["account"] as AccountId,
  };
}

function placedRecordFrom(row: Row) {
  return {
    domain: row["domain"] as Domain,
    name: recordNameFromBytes(row["name"] as Uint8Array),
    segment: row["segment"] as number,
    offset: row["offset"] as number,
  };
}

/** The copy under way in a row. */
export function copyFrom(row: Row): SnapshotCopy {
  return {
    id: row["id"] as SnapshotId,
    sourceDomain: row["source_domain"] as Domain,
    sourceRoot: digestFrom(row["source_root"]),
    nextIndex: row["next_index"] as number,
  };
}

/** How a snapshot's latest verification ended, in a row. */
export function verifiedSnapshotFrom(row: Row): VerifiedSnapshot {
  return {
    id: row["id"] as SnapshotId,
    endedAtMs: row["ended_at_ms"] as number,
    isWhole: row["is_whole"] === 1,
  };
}

/** The snapshots of one state, counted in a row. */
export function totalsFrom(row: Row): SnapshotTotals {
  return {
    state: row["state"] as SnapshotTotals["state"],
    count: row["count"] as number,
    blockCount: row["blocks"] as number,
  };
}

/** The names in rows of pending writes, and the place of the last one. */
export function pendingNamesFrom(rows: readonly Row[]): {
  readonly names: RecordName[];
  readonly last: PendingPlace | undefined;
} {
  const names = rows.map((row) => recordNameFromBytes(row["name"] as Uint8Array));
  const row = rows.at(-1);
  const last = row && {
    snapshot: row["snapshot"] as number,
    blockIndex: row["block_index"] as number,
  };
  return { names, last };
}
