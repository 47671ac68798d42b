import {
  type Digest,
  digestToBytes,
  type RecordName,
  recordNameFromBytes,
  ZERO_BLOCK_NAME,
} from "../../model/digest.ts";
import { DamagedWriteError } from "../../model/errors.ts";
import type { Domain, SnapshotId } from "../../model/ids.ts";
import type { GarbageRoot, LivenessTable, LiveRoot, PendingPlace } from "../collection.ts";
import { liveRootFrom, pendingNamesFrom, rootFrom } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";
import { isWholeWrite } from "./_write-sums.ts";

/** The parent's root is needed until a snapshot is settled, its own from then on. */
const NEEDED_ROOT = `CASE WHEN state IN ('completed', 'recycled') THEN root
  WHEN state IN ('pending', 'sealing') THEN parent_root END`;

const IS_UNDER_WAY = "state IN ('pending', 'sealing', 'copying')";

/**
 * The latest attempt to seal each snapshot. One process has the file, so all attempts that may be
 * under way are its own, and none outlasts it.
 */
export class SealingAttempts {
  readonly #latest = new Map<SnapshotId, number>();

  /** Begins another one; answers its number. */
  begin(id: SnapshotId): number {
    const attempt = (this.#latest.get(id) ?? 0) + 1;
    this.#latest.set(id, attempt);
    return attempt;
  }

  /** True for the latest. */
  isLatest(id: SnapshotId, attempt: number): boolean {
    return this.#latest.get(id) === attempt;
  }

  /** Forgets them: the snapshot is sealed. */
  end(id: SnapshotId): void {
    this.#latest.delete(id);
  }
}

/** `LivenessTable` on SQLite. */
export class SqliteLivenessTable implements LivenessTable {
  readonly #database: SqliteDatabase;
  readonly #attempts: SealingAttempts;

  constructor(database: SqliteDatabase, attempts: SealingAttempts) {
    this.#database = database;
    this.#attempts = attempts;
  }

  async roots(domain: Domain): Promise<LiveRoot[]> {
    const rows = this.#database.all(
      `SELECT lineage, root, is_garbage FROM (
         SELECT lineage, ${NEEDED_ROOT} AS root, start_time_ms, 0 AS is_garbage FROM snapshots
         WHERE domain = ?
         UNION ALL
         SELECT 'writers ' || lineage, writers_root, start_time_ms, 0 FROM snapshots
         WHERE domain = ?
         UNION ALL
         SELECT '', source_root, 0, 0 FROM snapshot_copies WHERE source_domain = ?
         UNION ALL
         SELECT lineage, root, start_time_ms, 1 FROM garbage_roots WHERE domain = ?
       ) WHERE root IS NOT NULL ORDER BY lineage, start_time_ms`,
      ...[domain, domain, domain, domain],
    );
    return rows.map(liveRootFrom);
  }

  async nearestRoots(
    { domain, lineage, startTimeMs }: GarbageRoot,
    limit: number,
  ): Promise<Digest[]> {
    const half = (comparison: string, order: string) => `SELECT * FROM (
      SELECT ${NEEDED_ROOT} AS root FROM snapshots
      WHERE lineage = ? AND domain = ? AND start_time_ms ${comparison} ?
        AND state IN ('completed', 'recycled', 'pending', 'sealing')
      ORDER BY start_time_ms ${order} LIMIT ?) WHERE root IS NOT NULL`;
    const sql = `${half("<=", "DESC")} UNION ${half(">", "ASC")}`;
    const values = [lineage, domain, startTimeMs, limit];
    return this.#database.all(sql, ...values, ...values).map(rootFrom);
  }

  async manifests(domain: Domain): Promise<RecordName[]> {
    const rows = this.#database.all(
      `SELECT manifest AS name FROM snapshots WHERE domain = ? AND manifest IS NOT NULL
       UNION ALL SELECT name FROM journal_entries WHERE domain = ?`,
      domain,
      domain,
    );
    return rows.map((row) => recordNameFromBytes(row["name"] as Uint8Array));
  }

  async pendingNames(domain: Domain, after: PendingPlace | undefined, limit: number) {
    const rows = this.#database.all(
      `SELECT *, (SELECT id FROM snapshots WHERE number = snapshot) AS id FROM pending_writes
       WHERE (snapshot, block_index) > (?, ?) AND snapshot IN (
         SELECT number FROM snapshots
         WHERE domain = ? AND ${IS_UNDER_WAY})
       ORDER BY snapshot, block_index LIMIT ?`,
      after?.snapshot ?? -1,
      after?.blockIndex ?? -1,
      domain,
      limit,
    );
    // What a damaged one needs is not known, so nothing of its domain may be removed.
    const damaged = rows.find((row) => !isWholeWrite(row));
    if (damaged) throw new DamagedWriteError(damaged["id"] as string);
    return pendingNamesFrom(rows);
  }

  async beginSealing(id: SnapshotId): Promise<number> {
    this.#database.run(
      `UPDATE snapshots SET seal_generation = (SELECT generation FROM collection) WHERE id = ?`,
      id,
    );
    return this.#attempts.begin(id);
  }

  async sealings(_takesOver: boolean): Promise<SnapshotId[]> {
    const rows = this.#database.all("SELECT id FROM snapshots WHERE state = 'sealing'");
    return rows.map((row) => row["id"] as SnapshotId);
  }

  async findMissing(id: SnapshotId, blockIndexes: readonly number[]): Promise<number | undefined> {
    // In this order, so that each is a look-up.
    const row = this.#database.get(
      `SELECT block_index FROM snapshots CROSS JOIN json_each(?) AS asked
       CROSS JOIN pending_writes ON snapshot = number AND block_index = asked.value
       WHERE snapshots.id = ? AND ${IS_UNDER_WAY} AND pending_writes.name <> ? AND NOT EXISTS (
         SELECT 1 FROM locations
         WHERE locations.domain = snapshots.domain AND locations.name = pending_writes.name)
       LIMIT 1`,
      JSON.stringify(blockIndexes),
      id,
      digestToBytes(ZERO_BLOCK_NAME),
    );
    return row?.["block_index"] as number | undefined;
  }

  async refer(domain: Domain, name: RecordName): Promise<boolean> {
    return refer(this.#database, domain, name);
  }
}

/** Gives a location the generation of now; false when there is none. Also in a transaction. */
export function refer(database: SqliteDatabase, domain: Domain, name: RecordName): boolean {
  const bytes = digestToBytes(name);
  const row = database.get(
    `SELECT locations.generation < collection.generation AS old FROM locations, collection
     WHERE domain = ? AND name = ?`,
    domain,
    bytes,
  );
  if (!row) return false;
  if (row["old"] === 0) return true;
  const sql = `UPDATE locations SET generation = (SELECT generation FROM collection)
    WHERE domain = ? AND name = ?`;
  return database.run(sql, domain, bytes) > 0;
}
