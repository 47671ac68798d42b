import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { Grantee, Snapshot } from "../../model/snapshot.ts";
import type { GranteesChange, SharingTable } from "../catalog.ts";
import { snapshotFrom } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `SharingTable` on SQLite. */
export class SqliteSharingTable implements SharingTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async grantees(id: SnapshotId): Promise<Grantee[]> {
    const rows = this.#database.all(
      `SELECT grantee FROM snapshot_permissions
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = ?) ORDER BY grantee`,
      id,
    );
    return rows.map((row) => row["grantee"] as Grantee);
  }

  async changeGrantees(id: SnapshotId, { add, remove }: GranteesChange): Promise<void> {
    this.#database.transaction(() => {
      for (const grantee of add) {
        this.#database.run(
          `INSERT INTO snapshot_permissions (snapshot, grantee)
           SELECT number, ? FROM snapshots WHERE id = ? ON CONFLICT DO NOTHING`,
          grantee,
          id,
        );
      }
      for (const grantee of remove) {
        this.#database.run(
          `DELETE FROM snapshot_permissions
           WHERE snapshot = (SELECT number FROM snapshots WHERE id = ?) AND grantee = ?`,
          id,
          grantee,
        );
      }
    });
  }

  async visible(account: AccountId, id: SnapshotId): Promise<Snapshot | undefined> {
    // Every block that is read asks for the same one.
    return this.#database.recall(`visible ${account} ${id}`, () => this.#visible(account, id));
  }

  #visible(account: AccountId, id: SnapshotId): Snapshot | undefined {
    // Decided before a row is made: to read one costs more than all the rest. No IN: a table would
    // be made for its list, only where the snapshot is there, and the time it takes would tell so.
    const row = this.#database.get(
      `SELECT * FROM snapshots WHERE id = ? AND state <> 'recycled' AND (account = ?
         OR EXISTS (SELECT 1 FROM snapshot_permissions
           WHERE snapshot = snapshots.number AND grantee = ?)
         OR EXISTS (SELECT 1 FROM snapshot_permissions
           WHERE snapshot = snapshots.number AND grantee = 'all'))`,
      ...[id, account, account],
    );
    return row && snapshotFrom(row);
  }

  async visiblePage(account: AccountId, afterId: string, limit: number): Promise<Snapshot[]> {
    // Two short searches rather than one OR, which would read every snapshot of the store.
    const rows = this.#database.all(
      `SELECT * FROM (
         SELECT * FROM snapshots WHERE account = ? AND id > ? AND state <> 'recycled'
         ORDER BY id LIMIT ?
       ) UNION SELECT snapshots.* FROM snapshot_permissions
         JOIN snapshots ON snapshots.number = snapshot_permissions.snapshot
         WHERE grantee IN (?, 'all') AND id > ? AND state <> 'recycled'
       ORDER BY id LIMIT ?`,
      ...[account, afterId, limit],
      ...[account, afterId],
      limit,
    );
    return rows.map(snapshotFrom);
  }
}
