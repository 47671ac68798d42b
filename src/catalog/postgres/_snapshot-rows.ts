import { SNAPSHOT_COLUMNS } from "../rows.ts";

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
