import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { RecycledSnapshot, Snapshot, SnapshotLock } from "../../model/snapshot.ts";
import type { LockChange, RetentionTable } from "../catalog.ts";
import { isSame, lockFrom, snapshotFrom } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

const NUMBER = "(SELECT number FROM snapshots WHERE id = ?)";

/** `RetentionTable` on SQLite. */
export class SqliteRetentionTable implements RetentionTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async lock(id: SnapshotId): Promise<SnapshotLock | undefined> {
    return this.#lock(id);
  }

  #lock(id: SnapshotId): SnapshotLock | undefined {
    const sql = `SELECT * FROM snapshot_locks WHERE snapshot = ${NUMBER}`;
    const row = this.#database.get(sql, id);
    return row && lockFrom(row);
  }

  async changeLock(id: SnapshotId, { from, to }: LockChange): Promise<boolean> {
    return this.#database.transaction(() => {
      if (!isSame(this.#lock(id), from)) return false;
      this.#database.run(`DELETE FROM snapshot_locks WHERE snapshot = ${NUMBER}`, id);
      if (!to) return true;
      const { mode, createdAtMs, expiresAtMs, coolOffHours } = to;
      const sql = `INSERT INTO snapshot_locks
        (snapshot, mode, created_at_ms, expires_at_ms, cool_off_hours)
        SELECT number, ?, ?, ?, ? FROM snapshots WHERE id = ? AND state <> 'recycled'`;
      return this.#database.run(sql, mode, createdAtMs, expiresAtMs, coolOffHours, id) > 0;
    });
  }

  async lockedSnapshots(account: AccountId): Promise<Snapshot[]> {
    const rows = this.#database.all(
      `SELECT snapshots.* FROM snapshot_locks
       JOIN snapshots ON snapshots.number = snapshot_locks.snapshot
       WHERE account = ? AND state <> 'recycled' ORDER BY id`,
      account,
    );
    return rows.map(snapshotFrom);
  }

  async recycled(account: AccountId): Promise<RecycledSnapshot[]> {
    const rows = this.#database.all(
      `SELECT snapshots.*, entered_at_ms, exits_at_ms FROM snapshots
       JOIN recycled_snapshots ON snapshots.number = recycled_snapshots.snapshot
       WHERE account = ? ORDER BY id`,
      account,
    );
    return rows.map((row) => ({
      snapshot: snapshotFrom(row),
      enteredAtMs: row["entered_at_ms"] as number,
      exitsAtMs: row["exits_at_ms"] as number,
    }));
  }

  async restore(id: SnapshotId): Promise<boolean> {
    return this.#database.transaction(() => {
      this.#database.run(`DELETE FROM recycled_snapshots WHERE snapshot = ${NUMBER}`, id);
      const sql = "UPDATE snapshots SET state = 'completed' WHERE id = ? AND state = 'recycled'";
      return this.#database.run(sql, id) > 0;
    });
  }

  async purge(nowMs: number): Promise<number> {
    return this.#database.run(
      `DELETE FROM snapshots WHERE state = 'recycled' AND number IN (
         SELECT snapshot FROM recycled_snapshots WHERE exits_at_ms <= ?)`,
      nowMs,
    );
  }
}
