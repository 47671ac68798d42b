import { digestToBytes } from "../../model/digest.ts";
import type { SnapshotId } from "../../model/ids.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { CopySource, CopyTable, SnapshotCopy } from "../catalog.ts";
import { copyFrom, snapshotValues } from "../rows.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";
import { INSERT_SNAPSHOT } from "./_snapshot-rows.ts";

/** `CopyTable` on PostgreSQL. */
export class PostgresCopyTable implements CopyTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async start(snapshot: Snapshot, source: CopySource): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      // The source stays until what refers to it is there.
      const isThere = `SELECT 1 AS one FROM snapshots
        WHERE id = $1 AND state IN ('completed', 'recycled') FOR SHARE`;
      if (!(await queries.get(isThere, source.sourceId))) return false;
      const added = await queries.get(INSERT_SNAPSHOT, ...snapshotValues(snapshot));
      await queries.run(
        `INSERT INTO snapshot_copies (snapshot, source_domain, source_root, next_index)
         VALUES ($1, $2, $3, $4)`,
        added?.["number"] as number,
        source.sourceDomain,
        source.sourceRoot ? digestToBytes(source.sourceRoot) : null,
        source.nextIndex,
      );
      return true;
    });
  }

  async all(): Promise<SnapshotCopy[]> {
    const rows = await this.#database.all(
      `SELECT id, source_domain, source_root, next_index FROM snapshot_copies
       JOIN snapshots ON snapshots.number = snapshot_copies.snapshot
       WHERE state = 'copying' ORDER BY number`,
    );
    return rows.map(copyFrom);
  }

  async advance(id: SnapshotId, nextIndex: number): Promise<void> {
    // A process that lost its lead may come late with a page that another has passed.
    await this.#database.run(
      `UPDATE snapshot_copies SET next_index = greatest(next_index, $1)
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = $2)`,
      nextIndex,
      id,
    );
  }
}
