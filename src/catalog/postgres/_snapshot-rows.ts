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

/** True for a snapshot that the journal keeps. */
export function isLasting(state: unknown): boolean {
  return state === "completed" || state === "recycled";
}
