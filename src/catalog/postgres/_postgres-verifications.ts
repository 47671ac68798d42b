import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type {
  VerificationOutcome,
  VerificationProgress,
  VerificationTable,
  VerifiedSnapshot,
} from "../integrity.ts";
import { verifiedSnapshotFrom } from "../rows.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";

/** A snapshot that is deleted meanwhile takes its verification with it. */
const NUMBER = "SELECT number FROM snapshots WHERE id = $1 FOR KEY SHARE";

/** `VerificationTable` on PostgreSQL. */
export class PostgresVerificationTable implements VerificationTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async progress(id: SnapshotId): Promise<VerificationProgress | undefined> {
    const row = await this.#database.get(
      `SELECT progress FROM snapshot_verifications
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = $1)`,
      id,
    );
    const text = row?.["progress"] as string | null | undefined;
    return text ? (JSON.parse(text) as VerificationProgress) : undefined;
  }

  async advance(id: SnapshotId, progress: VerificationProgress): Promise<void> {
    await this.#database.run(
      `INSERT INTO snapshot_verifications (snapshot, progress)
       SELECT number, $2 FROM (${NUMBER}) AS there
       ON CONFLICT (snapshot) DO UPDATE SET progress = excluded.progress`,
      id,
      JSON.stringify(progress),
    );
  }

  async end(id: SnapshotId, { endedAtMs, isWhole }: VerificationOutcome): Promise<void> {
    await this.#database.run(
      `INSERT INTO snapshot_verifications (snapshot, ended_at_ms, is_whole)
       SELECT number, $2, $3 FROM (${NUMBER}) AS there
       ON CONFLICT (snapshot) DO UPDATE SET progress = NULL,
         ended_at_ms = excluded.ended_at_ms, is_whole = excluded.is_whole`,
      id,
      endedAtMs,
      isWhole ? 1 : 0,
    );
  }

  async page(account: AccountId, afterId: string, limit: number): Promise<VerifiedSnapshot[]> {
    const rows = await this.#database.all(
      `SELECT id, ended_at_ms, is_whole FROM snapshots
       JOIN snapshot_verifications ON snapshot_verifications.snapshot = snapshots.number
       WHERE account = $1 AND id > $2 AND state <> 'recycled' AND ended_at_ms IS NOT NULL
       ORDER BY id LIMIT $3`,
      account,
      afterId,
      limit,
    );
    return rows.map(verifiedSnapshotFrom);
  }
}
