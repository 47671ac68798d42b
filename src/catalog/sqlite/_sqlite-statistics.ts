import { MS_PER_DAY } from "../../model/limits.ts";
import { measureFrom, totalsFrom, verificationFrom } from "../rows.ts";
import type {
  SnapshotTotals,
  StatisticsTable,
  StoreMeasure,
  VerificationUnderWay,
} from "../statistics.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `StatisticsTable` on SQLite. */
export class SqliteStatisticsTable implements StatisticsTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async snapshots(): Promise<SnapshotTotals[]> {
    const rows = this.#database.all(
      `SELECT state, count(*) AS count, sum(block_count) AS blocks FROM snapshots
       GROUP BY state ORDER BY state`,
    );
    return rows.map(totalsFrom);
  }

  async verifications(limit: number): Promise<VerificationUnderWay[]> {
    const rows = this.#database.all(
      `SELECT id, block_count, progress FROM snapshot_verifications
       JOIN snapshots ON snapshots.number = snapshot_verifications.snapshot
       WHERE progress IS NOT NULL ORDER BY id LIMIT ?`,
      limit,
    );
    return rows.map(verificationFrom);
  }

  async measures(): Promise<StoreMeasure[]> {
    const rows = this.#database.all("SELECT * FROM store_measures ORDER BY time_ms");
    return rows.map(measureFrom);
  }

  async keepMeasure(
    measure: StoreMeasure,
    { fullFromMs, keptFromMs }: { readonly fullFromMs: number; readonly keptFromMs: number },
  ): Promise<void> {
    const { timeMs, protectedBytes, storedBytes, freeBytes, snapshotCount } = measure;
    this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO store_measures
           (time_ms, protected_bytes, stored_bytes, free_bytes, snapshot_count)
         VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET protected_bytes = excluded.protected_bytes,
           stored_bytes = excluded.stored_bytes, free_bytes = excluded.free_bytes,
           snapshot_count = excluded.snapshot_count`,
        ...[timeMs, protectedBytes, storedBytes, freeBytes ?? null, snapshotCount],
      );
      this.#database.run(
        `DELETE FROM store_measures WHERE time_ms < ? OR time_ms < ? AND time_ms NOT IN (
           SELECT max(time_ms) FROM store_measures GROUP BY time_ms / ${MS_PER_DAY})`,
        keptFromMs,
        fullFromMs,
      );
    });
  }
}
