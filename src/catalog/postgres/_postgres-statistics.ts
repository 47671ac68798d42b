import { MS_PER_DAY } from "../../model/limits.ts";
import { measureFrom, totalsFrom, verificationFrom } from "../rows.ts";
import type {
  SnapshotTotals,
  StatisticsTable,
  StoreMeasure,
  VerificationUnderWay,
} from "../statistics.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";

/** `StatisticsTable` on PostgreSQL. */
export class PostgresStatisticsTable implements StatisticsTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async snapshots(): Promise<SnapshotTotals[]> {
    const rows = await this.#database.all(
      `SELECT state, count(*) AS count, sum(block_count)::bigint AS blocks FROM snapshots
       GROUP BY state ORDER BY state`,
    );
    return rows.map(totalsFrom);
  }

  async verifications(limit: number): Promise<VerificationUnderWay[]> {
    const rows = await this.#database.all(
      `SELECT id, block_count, progress FROM snapshot_verifications
       JOIN snapshots ON snapshots.number = snapshot_verifications.snapshot
       WHERE progress IS NOT NULL ORDER BY id LIMIT $1`,
      limit,
    );
    return rows.map(verificationFrom);
  }

  async measures(): Promise<StoreMeasure[]> {
    const rows = await this.#database.all("SELECT * FROM store_measures ORDER BY time_ms");
    return rows.map(measureFrom);
  }

  async keepMeasure(
    measure: StoreMeasure,
    { fullFromMs, keptFromMs }: { readonly fullFromMs: number; readonly keptFromMs: number },
  ): Promise<void> {
    const { timeMs, protectedBytes, storedBytes, freeBytes, snapshotCount } = measure;
    await this.#database.transaction(async (queries) => {
      await queries.run(
        `INSERT INTO store_measures
           (time_ms, protected_bytes, stored_bytes, free_bytes, snapshot_count)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (time_ms) DO UPDATE SET protected_bytes = excluded.protected_bytes,
           stored_bytes = excluded.stored_bytes, free_bytes = excluded.free_bytes,
           snapshot_count = excluded.snapshot_count`,
        ...[timeMs, protectedBytes, storedBytes, freeBytes ?? null, snapshotCount],
      );
      await queries.run(
        `DELETE FROM store_measures WHERE time_ms < $1 OR time_ms < $2 AND time_ms NOT IN (
           SELECT max(time_ms) FROM store_measures GROUP BY time_ms / ${MS_PER_DAY})`,
        keptFromMs,
        fullFromMs,
      );
    });
  }
}
