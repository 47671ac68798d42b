import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type {
  VerificationOutcome,
  VerificationProgress,
  VerificationTable,
  VerifiedSnapshot,
} from "../integrity.ts";
import { verifiedSnapshotFrom } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `VerificationTable` on SQLite. */
export class SqliteVerificationTable implements VerificationTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async progress(id: SnapshotId): Promise<VerificationProgress | undefined> {
    const row = this.#database.get(
      `SELECT progress FROM snapshot_verifications
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = ?)`,
      id,
    );
    const text = row?.["progress"] as string | null | undefined;
    return text ? (JSON.parse(text) as VerificationProgress) : undefined;
  }

  async advance(id: SnapshotId, progress: VerificationProgress): Promise<void> {
    this.#database.run(
      `INSERT INTO snapshot_verifications (snapshot, progress)
       SELECT number, ? FROM snapshots WHERE id = ?
       ON CONFLICT DO UPDATE SET progress = excluded.progress`,
      JSON.stringify(progress),
      id,
    );
  }

  async end(id: SnapshotId, { endedAtMs, isWhole }: VerificationOutcome): Promise<void> {
    this.#database.run(
      `INSERT INTO snapshot_verifications (snapshot, ended_at_ms, is_whole)
       SELECT number, ?, ? FROM snapshots WHERE id = ?
       ON CONFLICT DO UPDATE SET progress = NULL, ended_at_ms = excluded.ended_at_ms,
         is_whole = excluded.is_whole`,
      endedAtMs,
      isWhole ? 1 : 0,
      id,
    );
  }

  async page(account: AccountId, afterId: string, limit: number): Promise<VerifiedSnapshot[]> {
    const rows = this.#database.all(
      `SELECT id, ended_at_ms, is_whole FROM snapshots
       JOIN snapshot_verifications ON snapshot_verifications.snapshot = snapshots.number
       WHERE account = ? AND id > ? AND state <> 'recycled' AND ended_at_ms IS NOT NULL
       ORDER BY id LIMIT ?`,
      account,
      afterId,
      limit,
    );
    return rows.map(verifiedSnapshotFrom);
  }
}
