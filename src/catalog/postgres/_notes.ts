import { digestToBytes, type RecordName } from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import type { Row } from "../rows.ts";
import type { Queries } from "./_postgres-database.ts";

/* What every way of changing something else has to note besides, in its own transaction. */

/** A record, by its domain and name. */
export interface Named {
  readonly domain: Domain;
  readonly name: RecordName;
}

/**
 * The generation of now, which stays that until the transaction ends: see rule 2 of
 * `_postgres-database.ts`.
 */
export async function shareGeneration(queries: Queries): Promise<number> {
  const row = await queries.get("SELECT generation FROM collection WHERE one = 1 FOR SHARE");
  return row?.["generation"] as number;
}

/** Notes that things changed, so that the journal is told; by the keys they have there. */
export async function noteChanges(queries: Queries, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  // A stamp is never given twice, also when the change before was journaled meanwhile.
  await queries.run(
    `INSERT INTO journal_changes (key, stamp)
     SELECT key, nextval('journal_stamps') FROM (
       SELECT DISTINCT key COLLATE "C" AS key FROM unnest($1::text[]) AS given (key)
     ) AS each ORDER BY key
     ON CONFLICT (key) DO UPDATE SET stamp = excluded.stamp`,
    keys,
  );
}

/** Notes records as possible garbage, as of a generation that the transaction shares. */
export async function noteCandidates(
  queries: Queries,
  generation: number,
  records: readonly Named[],
): Promise<void> {
  if (records.length === 0) return;
  await queries.run(
    `INSERT INTO garbage_candidates (domain, name, noted_generation)
     SELECT domain, name, $3 FROM (
       SELECT DISTINCT domain COLLATE "C" AS domain, name
       FROM unnest($1::text[], $2::bytea[]) AS given (domain, name)
     ) AS each ORDER BY domain, name
     ON CONFLICT (domain, name) DO UPDATE SET noted_generation = excluded.noted_generation`,
    records.map(({ domain }) => domain),
    records.map(({ name }) => digestToBytes(name)),
    generation,
  );
}

/** A tree that lost a reference; without a root, none. */
export interface LostRoot {
  readonly domain: unknown;
  readonly lineage: unknown;
  readonly startTimeMs: unknown;
  readonly root: unknown;
}

/** Notes trees as possible garbage. */
export async function noteRoots(queries: Queries, lost: readonly LostRoot[]): Promise<void> {
  const roots = lost.filter(({ root }) => root !== null);
  if (roots.length === 0) return;
  await queries.run(
    `INSERT INTO garbage_roots (domain, lineage, start_time_ms, root)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])`,
    roots.map(({ domain }) => domain as string),
    roots.map(({ lineage }) => lineage as string),
    roots.map(({ startTimeMs }) => startTimeMs as number),
    roots.map(({ root }) => root as Uint8Array),
  );
}

/** True for a snapshot's row that needs its parent's root: it is not settled yet. */
export function needsParent(row: Row): boolean {
  return row["state"] === "pending" || row["state"] === "sealing";
}

/** One of the roots in a snapshot's row. */
export function rootOf(row: Row, column: "root" | "parent_root" | "writers_root"): LostRoot {
  const { domain, lineage, start_time_ms: startTimeMs } = row;
  return { domain, lineage, startTimeMs, root: row[column] };
}

/** Bytes by which the located records of segments grew or shrank. */
export class UsageChanges {
  readonly #bytes = new Map<number, number>();

  add(segment: number, bytes: number): void {
    this.#bytes.set(segment, (this.#bytes.get(segment) ?? 0) + bytes);
  }

  /** Writes them, in order of the segments' numbers. */
  async write(queries: Queries): Promise<void> {
    const changes = [...this.#bytes].filter(([, bytes]) => bytes !== 0);
    if (changes.length === 0) return;
    changes.sort(([a], [b]) => a - b);
    await queries.run(
      `INSERT INTO segment_usage (segment, live_bytes)
       SELECT * FROM unnest($1::bigint[], $2::bigint[])
       ON CONFLICT (segment) DO UPDATE
         SET live_bytes = segment_usage.live_bytes + excluded.live_bytes`,
      changes.map(([segment]) => segment),
      changes.map(([, bytes]) => bytes),
    );
  }
}

/**
 * Gives records the generation of now; answers those that are stored, of the given ones in any
 * order. A record that has that generation already needs no lock: only a later run could remove it,
 * and none begins before this transaction ends.
 */
export async function referAll(
  queries: Queries,
  generation: number,
  records: readonly Named[],
): Promise<Row[]> {
  if (records.length === 0) return [];
  const keys = [
    records.map((each) => each.domain),
    records.map((each) => digestToBytes(each.name)),
  ];
  const rows = await queries.all(
    `SELECT locations.domain, locations.name, generation
     FROM unnest($1::text[], $2::bytea[]) AS given (domain, name)
     JOIN locations ON locations.domain = given.domain AND locations.name = given.name
     ORDER BY locations.domain, locations.name`,
    ...keys,
  );
  const old = rows.filter((row) => (row["generation"] as number) < generation);
  if (old.length === 0) return rows;
  const stamped = await queries.all(
    `WITH old AS (
       SELECT locations.domain, locations.name
       FROM unnest($1::text[], $2::bytea[]) AS given (domain, name)
       JOIN locations ON locations.domain = given.domain AND locations.name = given.name
       ORDER BY locations.domain, locations.name FOR NO KEY UPDATE OF locations
     )
     UPDATE locations SET generation = $3 FROM old
     WHERE locations.domain = old.domain AND locations.name = old.name
     RETURNING locations.domain, locations.name`,
    old.map((row) => row["domain"] as string),
    old.map((row) => row["name"] as Uint8Array),
    generation,
  );
  return [...rows.filter((row) => row["generation"] === generation), ...stamped];
}

/** Gives one record the generation of now; false when there is none. */
export async function refer(queries: Queries, generation: number, record: Named): Promise<boolean> {
  return (await referAll(queries, generation, [record])).length > 0;
}
