import { type Digest, digestFromBytes, digestToBytes, ZERO_BLOCK_DIGEST } from "../model/digest.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";
import type {
  BlockTable,
  BlockWrite,
  Location,
  NewLocation,
  PendingWrite,
  WriteRefusal,
} from "./catalog.ts";

const ADD_LOCATION = `INSERT INTO locations (domain, digest, segment, offset, length)
  VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
const REPLACE_LOCATION = `INSERT OR REPLACE INTO locations (domain, digest, segment, offset, length)
  VALUES (?, ?, ?, ?, ?)`;
const ADD_WRITE = `INSERT INTO pending_writes (snapshot, block_index, digest) VALUES (?, ?, ?)
  ON CONFLICT DO UPDATE SET digest = excluded.digest`;

/** `BlockTable` on SQLite. */
export class SqliteBlockTable implements BlockTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async commit(
    locations: readonly NewLocation[],
    writes: readonly PendingWrite[],
  ): Promise<(WriteRefusal | undefined)[]> {
    return this.#database.transaction(() => {
      for (const { domain, digest, segment, offset, length, replaces } of locations) {
        const sql = replaces ? REPLACE_LOCATION : ADD_LOCATION;
        this.#database.run(sql, domain, digestToBytes(digest), segment, offset, length);
      }
      return this.#addWrites(writes);
    });
  }

  /** Looks each snapshot up once, however many of the writes are its own. */
  #addWrites(writes: readonly PendingWrite[]): (WriteRefusal | undefined)[] {
    const numbers = new Map<SnapshotId, number | undefined>();
    return writes.map((write) => {
      const { snapshotId } = write;
      if (!numbers.has(snapshotId)) {
        numbers.set(snapshotId, this.#touchPending(snapshotId, write.expiresAtMs));
      }
      const number = numbers.get(snapshotId);
      if (number === undefined) return "not-pending";
      if (!this.#isStored(write.domain, write.digest)) return "not-stored";
      this.#database.run(ADD_WRITE, number, write.blockIndex, digestToBytes(write.digest));
      return undefined;
    });
  }

  /** Moves a pending snapshot's expiry; answers its number, or undefined if it is not pending. */
  #touchPending(id: SnapshotId, expiresAtMs: number): number | undefined {
    const row = this.#database.get(
      `UPDATE snapshots SET expires_at_ms = max(expires_at_ms, ?)
       WHERE id = ? AND state = 'pending' RETURNING number`,
      expiresAtMs,
      id,
    );
    return row?.["number"] as number | undefined;
  }

  #isStored(domain: AccountId, digest: Digest): boolean {
    return digest === ZERO_BLOCK_DIGEST || this.#locate(domain, digest) !== undefined;
  }

  #locate(domain: AccountId, digest: Digest): Location | undefined {
    const row = this.#database.get(
      "SELECT segment, offset, length FROM locations WHERE domain = ? AND digest = ?",
      domain,
      digestToBytes(digest),
    );
    return row as unknown as Location | undefined;
  }

  async locate(domain: AccountId, digest: Digest): Promise<Location | undefined> {
    return this.#locate(domain, digest);
  }

  async pendingWrites(id: SnapshotId, fromIndex: number, limit: number): Promise<BlockWrite[]> {
    const rows = this.#database.all(
      `SELECT block_index, digest FROM pending_writes
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = ?) AND block_index >= ?
       ORDER BY block_index LIMIT ?`,
      id,
      fromIndex,
      limit,
    );
    return rows.map((row) => ({
      blockIndex: row["block_index"] as number,
      digest: digestFromBytes(row["digest"] as Uint8Array),
    }));
  }

  async forgetSettledWrites(limit: number): Promise<number> {
    // The number of one snapshot at a time, so that the search for rows to forget is a seek.
    const row = this.#database.get(
      `WITH RECURSIVE written (number) AS (
         SELECT min(snapshot) FROM pending_writes
         UNION ALL
         SELECT (SELECT min(snapshot) FROM pending_writes WHERE snapshot > number)
         FROM written WHERE number IS NOT NULL
       )
       SELECT number FROM written WHERE number IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM snapshots
         WHERE snapshots.number = written.number AND state IN ('pending', 'sealing')
       ) LIMIT 1`,
    );
    if (!row) return 0;
    return this.#database.run(
      `DELETE FROM pending_writes WHERE snapshot = ?1 AND block_index IN (
         SELECT block_index FROM pending_writes WHERE snapshot = ?1 LIMIT ?2)`,
      row["number"] as number,
      limit,
    );
  }
}
