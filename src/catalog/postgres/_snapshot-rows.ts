import {
  type Digest,
  digestFromBytes,
  digestToBytes,
  recordNameFromBytes,
} from "../../model/digest.ts";
import type { AccountId, Domain, SnapshotId } from "../../model/ids.ts";
import type { CompletionRequest, Snapshot, SnapshotState, Tag } from "../../model/snapshot.ts";
import type { Parameter, Row } from "./_postgres-database.ts";

/** Column of each field of a `Snapshot`; these are what the journal keeps of one. */
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

/** Adds a snapshot; its parameters are `snapshotValues`. Answers its number. */
export const INSERT_SNAPSHOT = `INSERT INTO snapshots (${SNAPSHOT_COLUMNS.join(", ")})
  VALUES (${SNAPSHOT_COLUMNS.map((_, i) => `$${i + 1}`).join(", ")}) RETURNING number`;

/** Writes all of a snapshot's columns; its parameters are `snapshotValues` and its number. */
export const UPDATE_SNAPSHOT = `UPDATE snapshots
  SET ${SNAPSHOT_COLUMNS.map((column, i) => `${column} = $${i + 1}`).join(", ")}
  WHERE number = $${SNAPSHOT_COLUMNS.length + 1}`;

/** What is written in the columns of a snapshot's row. */
export function snapshotValues(snapshot: Snapshot): Parameter[] {
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

/** True for a snapshot that the journal keeps. */
export function isLasting(state: unknown): boolean {
  return state === "completed" || state === "recycled";
}
