import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { RecycledSnapshot, Snapshot, SnapshotLock } from "../../model/snapshot.ts";
import type { LockChange, RetentionTable } from "../catalog.ts";
import { isSame, lockFrom, snapshotFrom } from "../rows.ts";
import { noteChanges } from "./_notes.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";
import { purgeRecycled } from "./_snapshot-ends.ts";
import { isLasting } from "./_snapshot-rows.ts";

/** `RetentionTable` on PostgreSQL. */
export class PostgresRetentionTable implements RetentionTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async lock(id: SnapshotId): Promise<SnapshotLock | undefined> {
    const sql = `SELECT * FROM snapshot_locks
      WHERE snapshot = (SELECT number FROM snapshots WHERE id = $1)`;
    const row = await this.#database.get(sql, id);
    return row && lockFrom(row);
  }

  async changeLock(id: SnapshotId, { from, to }: LockChange): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const locked = "SELECT number, state FROM snapshots WHERE id = $1 FOR UPDATE";
      const snapshot = await queries.get(locked, id);
      const number = (snapshot?.["number"] as number | undefined) ?? null;
      const row = await queries.get("SELECT * FROM snapshot_locks WHERE snapshot = $1", number);
      if (!isSame(row && lockFrom(row), from)) return false;
      await queries.run("DELETE FROM snapshot_locks WHERE snapshot = $1", number);
      const isPut = to !== undefined && snapshot !== undefined && snapshot["state"] !== "recycled";
      if (isPut) {
        const { mode, createdAtMs, expiresAtMs, coolOffHours } = to;
        await queries.run(
          `INSERT INTO snapshot_locks
             (snapshot, mode, created_at_ms, expires_at_ms, cool_off_hours)
           VALUES ($1, $2, $3, $4, $5)`,
          number,
          mode,
          createdAtMs,
          expiresAtMs,
          coolOffHours,
        );
      }
      // One under way is journaled when it is completed: till then, an entry would say it is gone.
      if (isLasting(snapshot?.["state"])) await noteChanges(queries, [`snapshot/${id}`]);
      return to === undefined || isPut;
    });
  }

  async lockedSnapshots(account: AccountId): Promise<Snapshot[]> {
    const rows = await this.#database.all(
      `SELECT snapshots.* FROM snapshot_locks
       JOIN snapshots ON snapshots.number = snapshot_locks.snapshot
       WHERE account = $1 AND state <> 'recycled' ORDER BY id`,
      account,
    );
    return rows.map(snapshotFrom);
  }

  async recycled(account: AccountId): Promise<RecycledSnapshot[]> {
    const rows = await this.#database.all(
      `SELECT snapshots.*, entered_at_ms, exits_at_ms FROM snapshots
       JOIN recycled_snapshots ON snapshots.number = recycled_snapshots.snapshot
       WHERE account = $1 ORDER BY id`,
      account,
    );
    return rows.map((row) => ({
      snapshot: snapshotFrom(row),
      enteredAtMs: row["entered_at_ms"] as number,
      exitsAtMs: row["exits_at_ms"] as number,
    }));
  }

  async restore(id: SnapshotId): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const row = await queries.get(
        `UPDATE snapshots SET state = 'completed' WHERE id = $1 AND state = 'recycled'
         RETURNING number`,
        id,
      );
      if (!row) return false;
      const sql = "DELETE FROM recycled_snapshots WHERE snapshot = $1";
      await queries.run(sql, row["number"] as number);
      await noteChanges(queries, [`snapshot/${id}`]);
      return true;
    });
  }

  async purge(nowMs: number): Promise<number> {
    return this.#database.transaction((queries) => purgeRecycled(queries, nowMs));
  }
}
