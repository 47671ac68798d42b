import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { Grantee, Snapshot } from "../../model/snapshot.ts";
import type { GranteesChange, SharingTable } from "../catalog.ts";
import { snapshotFrom } from "../rows.ts";
import { Gathered } from "./_gathered.ts";
import { noteChanges } from "./_notes.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";
import { isLasting } from "./_snapshot-rows.ts";

interface Asked {
  readonly account: AccountId;
  readonly id: SnapshotId;
}

/** `SharingTable` on PostgreSQL. */
export class PostgresSharingTable implements SharingTable {
  readonly #database: PostgresDatabase;
  readonly #gathered = new Gathered((asked: readonly Asked[]) => this.#visible(asked));

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async grantees(id: SnapshotId): Promise<Grantee[]> {
    const rows = await this.#database.all(
      `SELECT grantee FROM snapshot_permissions
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = $1) ORDER BY grantee`,
      id,
    );
    return rows.map((row) => row["grantee"] as Grantee);
  }

  async changeGrantees(id: SnapshotId, { add, remove }: GranteesChange): Promise<void> {
    await this.#database.transaction(async (queries) => {
      const locked = "SELECT number, state FROM snapshots WHERE id = $1 FOR NO KEY UPDATE";
      const row = await queries.get(locked, id);
      if (!row) return;
      const number = row["number"] as number;
      await queries.run(
        `INSERT INTO snapshot_permissions (snapshot, grantee)
         SELECT DISTINCT $1::bigint, grantee FROM unnest($2::text[]) AS given (grantee)
         ON CONFLICT (snapshot, grantee) DO NOTHING`,
        number,
        add,
      );
      await queries.run(
        "DELETE FROM snapshot_permissions WHERE snapshot = $1 AND grantee = ANY ($2::text[])",
        number,
        remove,
      );
      // One under way is journaled when it is completed: till then, an entry would say it is gone.
      if (isLasting(row["state"])) await noteChanges(queries, [`snapshot/${id}`]);
    });
  }

  visible(account: AccountId, id: SnapshotId): Promise<Snapshot | undefined> {
    return this.#gathered.get({ account, id });
  }

  async #visible(asked: readonly Asked[]): Promise<(Snapshot | undefined)[]> {
    const distinct = [...new Map(asked.map((each) => [keyOf(each), each])).values()];
    // Decided before a row is made: to read one costs more than all the rest.
    const rows = await this.#database.all(
      `SELECT snapshots.*, asked.account AS asked_by
       FROM unnest($1::text[], $2::text[]) AS asked (account, id)
       JOIN snapshots ON snapshots.id = asked.id
       WHERE state <> 'recycled' AND (
         snapshots.account = asked.account OR EXISTS (SELECT 1 FROM snapshot_permissions
           WHERE snapshot = snapshots.number AND grantee IN (asked.account, 'all')))`,
      distinct.map(({ account }) => account),
      distinct.map(({ id }) => id),
    );
    const found = new Map<string, Snapshot>();
    for (const row of rows) {
      const snapshot = snapshotFrom(row);
      found.set(keyOf({ account: row["asked_by"] as AccountId, id: snapshot.id }), snapshot);
    }
    return asked.map((each) => found.get(keyOf(each)));
  }

  async visiblePage(account: AccountId, afterId: string, limit: number): Promise<Snapshot[]> {
    // Two short searches rather than one OR, which would read every snapshot of the store.
    const rows = await this.#database.all(
      `SELECT * FROM snapshots WHERE number IN (
         SELECT number FROM (
           SELECT number FROM snapshots WHERE account = $1 AND id > $2 AND state <> 'recycled'
           ORDER BY id LIMIT $3
         ) AS own
         UNION SELECT number FROM (
           SELECT DISTINCT number, id FROM snapshot_permissions
           JOIN snapshots ON snapshots.number = snapshot_permissions.snapshot
           WHERE grantee IN ($1, 'all') AND id > $2 AND state <> 'recycled'
           ORDER BY id LIMIT $3
         ) AS shared
       ) ORDER BY id LIMIT $3`,
      account,
      afterId,
      limit,
    );
    return rows.map(snapshotFrom);
  }
}

function keyOf({ account, id }: Asked): string {
  return `${account} ${id}`;
}
