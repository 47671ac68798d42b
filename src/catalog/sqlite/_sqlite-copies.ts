import { digestToBytes } from "../../model/digest.ts";
import type { SnapshotId } from "../../model/ids.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { CopySource, CopyTable, SnapshotCopy } from "../catalog.ts";
import { copyFrom, snapshotValues } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";
import { INSERT_SNAPSHOT } from "./_sqlite-snapshots.ts";

/** `CopyTable` on SQLite. */
export class SqliteCopyTable implements CopyTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async start(snapshot: Snapshot, source: CopySource): Promise<boolean> {
    return this.#database.transaction(() => {
      const isThere = "SELECT 1 FROM snapshots WHERE id = ? AND state IN ('completed', 'recycled')";
      if (!this.#database.get(isThere, source.sourceId)) return false;
      this.#database.run(INSERT_SNAPSHOT, ...snapshotValues(snapshot));
      this.#database.run(
        `INSERT INTO snapshot_copies (snapshot, source_domain, source_root, next_index)
         SELECT number, ?, ?, ? FROM snapshots WHERE id = ?`,
        source.sourceDomain,
        source.sourceRoot ? digestToBytes(source.sourceRoot) : null,
        source.nextIndex,
        snapshot.id,
      );
      return true;
    }, "new-data");
  }

  async all(): Promise<SnapshotCopy[]> {
    const rows = this.#database.all(
      `SELECT id, source_domain, source_root, next_index FROM snapshot_copies
       JOIN snapshots ON snapshots.number = snapshot_copies.snapshot
       WHERE state = 'copying' ORDER BY number`,
    );
    return rows.map(copyFrom);
  }

  async advance(id: SnapshotId, nextIndex: number): Promise<void> {
    this.#database.run(
      `UPDATE snapshot_copies SET next_index = ?
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = ?)`,
      nextIndex,
      id,
    );
  }
}
