import {
  type Digest,
  digestToBytes,
  type RecordName,
  recordNameFromBytes,
  ZERO_BLOCK_NAME,
} from "../../model/digest.ts";
import type { Domain, SnapshotId } from "../../model/ids.ts";
import type { GarbageRoot, LivenessTable, LiveRoot, PendingPlace } from "../collection.ts";
import { liveRootFrom, pendingNamesFrom, rootFrom } from "../rows.ts";
import { refer, shareGeneration } from "./_notes.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";

/** The parent's root is needed until a snapshot is settled, its own from then on. */
const NEEDED_ROOT = `CASE WHEN state IN ('completed', 'recycled') THEN root
  WHEN state IN ('pending', 'sealing') THEN parent_root END`;

const IS_UNDER_WAY = "state IN ('pending', 'sealing', 'copying')";

/** `LivenessTable` on PostgreSQL. */
export class PostgresLivenessTable implements LivenessTable {
  readonly #database: PostgresDatabase;
  /** Whose attempts to seal these are; undefined where nothing is served. */
  readonly #processNumber: () => number | undefined;

  constructor(database: PostgresDatabase, processNumber: () => number | undefined) {
    this.#database = database;
    this.#processNumber = processNumber;
  }

  async roots(domain: Domain): Promise<LiveRoot[]> {
    const rows = await this.#database.all(
      `SELECT lineage, root, is_garbage FROM (
         SELECT lineage, ${NEEDED_ROOT} AS root, start_time_ms, 0 AS is_garbage FROM snapshots
         WHERE domain = $1
         UNION ALL
         SELECT 'writers ' || lineage, writers_root, start_time_ms, 0 FROM snapshots
         WHERE domain = $1
         UNION ALL
         SELECT '', source_root, 0, 0 FROM snapshot_copies WHERE source_domain = $1
         UNION ALL
         SELECT lineage, root, start_time_ms, 1 FROM garbage_roots WHERE domain = $1
       ) AS needed WHERE root IS NOT NULL ORDER BY lineage, start_time_ms`,
      domain,
    );
    return rows.map(liveRootFrom);
  }

  async nearestRoots(
    { domain, lineage, startTimeMs }: GarbageRoot,
    limit: number,
  ): Promise<Digest[]> {
    const half = (comparison: string, order: string) => `SELECT root FROM (
      SELECT ${NEEDED_ROOT} AS root FROM snapshots
      WHERE lineage = $1 AND domain = $2 AND start_time_ms ${comparison} $3
        AND state IN ('completed', 'recycled', 'pending', 'sealing')
      ORDER BY start_time_ms ${order} LIMIT $4) AS near WHERE root IS NOT NULL`;
    const sql = `${half("<=", "DESC")} UNION ${half(">", "ASC")}`;
    const rows = await this.#database.all(sql, lineage, domain, startTimeMs, limit);
    return rows.map(rootFrom);
  }

  async manifests(domain: Domain): Promise<RecordName[]> {
    const rows = await this.#database.all(
      `SELECT manifest AS name FROM snapshots WHERE domain = $1 AND manifest IS NOT NULL
       UNION ALL SELECT name FROM journal_entries WHERE domain = $1`,
      domain,
    );
    return rows.map((row) => recordNameFromBytes(row["name"] as Uint8Array));
  }

  async pendingNames(domain: Domain, after: PendingPlace | undefined, limit: number) {
    const rows = await this.#database.all(
      `SELECT snapshot, block_index, name FROM pending_writes
       WHERE (snapshot, block_index) > ($1, $2) AND snapshot IN (
         SELECT number FROM snapshots
         WHERE domain = $3 AND ${IS_UNDER_WAY})
       ORDER BY snapshot, block_index LIMIT $4`,
      after?.snapshot ?? -1,
      after?.blockIndex ?? -1,
      domain,
      limit,
    );
    return pendingNamesFrom(rows);
  }

  async beginSealing(id: SnapshotId): Promise<number> {
    return this.#database.transaction(async (queries) => {
      const generation = await shareGeneration(queries);
      const row = await queries.get(
        `UPDATE snapshots SET seal_generation = $1, seal_attempt = seal_attempt + 1,
           sealed_by = $2 WHERE id = $3 RETURNING seal_attempt`,
        generation,
        this.#processNumber() ?? null,
        id,
      );
      return (row?.["seal_attempt"] as number | undefined) ?? 0;
    });
  }

  async sealings(takesOver: boolean): Promise<SnapshotId[]> {
    const own = this.#processNumber() ?? null;
    const rows = await this.#database.all(
      `SELECT id FROM snapshots WHERE state = 'sealing' AND (
         sealed_by IS NOT DISTINCT FROM $1::bigint
         OR ($2::bigint = 1 AND NOT EXISTS (SELECT 1 FROM processes WHERE number = sealed_by)))
       ORDER BY snapshots.number`,
      own,
      takesOver ? 1 : 0,
    );
    return rows.map((row) => row["id"] as SnapshotId);
  }

  async findMissing(id: SnapshotId, blockIndexes: readonly number[]): Promise<number | undefined> {
    // LIMIT has each looked up: to read whole tables instead would cost what the store holds.
    const row = await this.#database.get(
      `SELECT min(asked.block_index) AS missing
       FROM snapshots CROSS JOIN unnest($2::bigint[]) AS asked (block_index)
       CROSS JOIN LATERAL (
         SELECT name FROM pending_writes
         WHERE snapshot = number AND block_index = asked.block_index LIMIT 1) AS written
       WHERE id = $1 AND ${IS_UNDER_WAY} AND name <> $3 AND (
         SELECT 1 FROM locations
         WHERE locations.domain = snapshots.domain AND locations.name = written.name
         LIMIT 1) IS NULL`,
      id,
      blockIndexes,
      digestToBytes(ZERO_BLOCK_NAME),
    );
    return (row?.["missing"] as number | null) ?? undefined;
  }

  async refer(domain: Domain, name: RecordName): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const generation = await shareGeneration(queries);
      return refer(queries, generation, { domain, name });
    });
  }
}
