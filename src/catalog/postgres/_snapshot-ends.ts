import { recordNameFromBytes } from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import type { Row } from "../rows.ts";
import {
  type LostRoot,
  needsParent,
  noteCandidates,
  noteChanges,
  noteRoots,
  rootOf,
  shareGeneration,
} from "./_notes.ts";
import type { Queries } from "./_postgres-database.ts";

/* What goes when snapshots do: in the embedded catalog triggers see to it. */

/**
 * Removes snapshots, whose rows the transaction has locked, with all that is theirs, and notes what
 * they referred to. Writes to them are settled by that, and left to `forgetSettledWrites`.
 */
export async function removeSnapshots(
  queries: Queries,
  generation: number,
  numbers: readonly number[],
): Promise<void> {
  await queries.run(
    `INSERT INTO settled_writers (snapshot, domain)
     SELECT number, domain FROM snapshots WHERE number = ANY ($1::bigint[]) AND EXISTS (
       SELECT 1 FROM pending_writes WHERE snapshot = number)
     ON CONFLICT (snapshot) DO NOTHING`,
    numbers,
  );
  await forgetCopies(queries, numbers);
  const rows = await queries.all(
    "DELETE FROM snapshots WHERE number = ANY ($1::bigint[]) RETURNING *",
    numbers,
  );
  await noteRoots(queries, rows.flatMap(rootsHeld));
  const manifests = rows.flatMap((row) => {
    if (row["manifest"] === null) return [];
    const name = recordNameFromBytes(row["manifest"] as Uint8Array);
    return [{ domain: row["domain"] as Domain, name }];
  });
  await noteCandidates(queries, generation, manifests);
  // Of those deleted while they were sealed, too: their manifests may be stored.
  const journaled = rows.filter((row) => row["state"] !== "pending");
  await noteChanges(
    queries,
    journaled.map(({ id }) => `snapshot/${id}`),
  );
}

/** What a snapshot needed to the last; of its parent that was noted when it was settled. */
function rootsHeld(row: Row): LostRoot[] {
  const parents = needsParent(row) ? [rootOf(row, "parent_root")] : [];
  return [rootOf(row, "root"), ...parents, rootOf(row, "writers_root")];
}

/** Forgets what snapshots were copied from, which then may be garbage. */
export async function forgetCopies(queries: Queries, numbers: readonly number[]): Promise<void> {
  const rows = await queries.all(
    `DELETE FROM snapshot_copies WHERE snapshot = ANY ($1::bigint[])
     RETURNING source_domain, source_root`,
    numbers,
  );
  await noteRoots(
    queries,
    rows.map((row) => ({
      ...{ domain: row["source_domain"], lineage: "", startTimeMs: 0 },
      root: row["source_root"],
    })),
  );
}

/** Removes what has been in the recycle bin until its time; answers how many. */
export async function purgeRecycled(queries: Queries, nowMs: number): Promise<number> {
  const generation = await shareGeneration(queries);
  const rows = await queries.all(
    `SELECT number FROM snapshots WHERE state = 'recycled' AND number IN (
       SELECT snapshot FROM recycled_snapshots WHERE exits_at_ms <= $1)
     ORDER BY number FOR UPDATE`,
    nowMs,
  );
  const numbers = rows.map(({ number }) => number as number);
  if (numbers.length > 0) await removeSnapshots(queries, generation, numbers);
  return numbers.length;
}
