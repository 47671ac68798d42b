import { digestFromBytes, digestToBytes, type RecordName } from "../../model/digest.ts";
import type { AccountId, Domain, SnapshotId } from "../../model/ids.ts";
import type { Snapshot, SnapshotState } from "../../model/snapshot.ts";
import { assertChange, assertLocated, neededBy } from "../assertions.ts";
import type {
  ClientTokenUse,
  DeletionOutcome,
  DeletionTerms,
  EarlierStart,
  SnapshotTable,
  StartRefusal,
  StateChange,
  TagsChange,
} from "../catalog.ts";
import { SNAPSHOT_COLUMNS, snapshotFrom, snapshotValues } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";
import { refer, type SealingAttempts } from "./_sqlite-liveness.ts";

/** Adds a snapshot; its parameters are `snapshotValues`. */
export const INSERT_SNAPSHOT = `INSERT INTO snapshots (${SNAPSHOT_COLUMNS.join(", ")})
  VALUES (${SNAPSHOT_COLUMNS.map(() => "?").join(", ")})`;

/** `SnapshotTable` on SQLite. */
export class SqliteSnapshotTable implements SnapshotTable {
  readonly #database: SqliteDatabase;
  readonly #attempts: SealingAttempts;

  constructor(database: SqliteDatabase, attempts: SealingAttempts) {
    this.#database = database;
    this.#attempts = attempts;
  }

  async startedWith(account: AccountId, token: ClientTokenUse): Promise<EarlierStart | undefined> {
    return this.#startedWith(account, token);
  }

  async start(
    snapshot: Snapshot,
    token: ClientTokenUse | undefined,
  ): Promise<StartRefusal | undefined> {
    return this.#database.transaction(() => {
      const earlier = token && this.#startedWith(snapshot.account, token);
      if (earlier) return earlier;
      const { parent, state, domain, manifest } = snapshot;
      const isGone = parent && state === "pending" && !this.#isCompleted(parent);
      if (isGone) return { outcome: "parent-gone" };
      const isStored = !manifest || refer(this.#database, domain, manifest);
      if (!isStored) return { outcome: "manifest-gone" };
      this.#database.run(INSERT_SNAPSHOT, ...snapshotValues(snapshot));
      if (token) {
        this.#database.run(
          `INSERT INTO client_tokens (account, client_token, fingerprint, snapshot)
           SELECT ?, ?, ?, number FROM snapshots WHERE id = ?`,
          snapshot.account,
          token.clientToken,
          digestToBytes(token.fingerprint),
          snapshot.id,
        );
      }
      return undefined;
    }, "new-data");
  }

  #isCompleted(id: SnapshotId): boolean {
    const sql = "SELECT 1 FROM snapshots WHERE id = ? AND state = 'completed'";
    return this.#database.get(sql, id) !== undefined;
  }

  #startedWith(account: AccountId, token: ClientTokenUse): EarlierStart | undefined {
    const row = this.#database.get(
      `SELECT snapshots.*, client_tokens.fingerprint FROM client_tokens
       JOIN snapshots ON snapshots.number = client_tokens.snapshot
       WHERE client_tokens.account = ? AND client_tokens.client_token = ?`,
      account,
      token.clientToken,
    );
    if (!row) return undefined;
    const fingerprint = digestFromBytes(row["fingerprint"] as Uint8Array);
    if (fingerprint !== token.fingerprint) return { outcome: "conflict" };
    return { outcome: "replayed", snapshot: snapshotFrom(row) };
  }

  async get(id: SnapshotId): Promise<Snapshot | undefined> {
    const row = this.#database.get("SELECT * FROM snapshots WHERE id = ?", id);
    return row && snapshotFrom(row);
  }

  async page(account: AccountId, afterId: string, limit: number): Promise<Snapshot[]> {
    const rows = this.#database.all(
      `SELECT * FROM snapshots WHERE account = ? AND id > ? AND state <> 'recycled'
       ORDER BY id LIMIT ?`,
      account,
      afterId,
      limit,
    );
    return rows.map(snapshotFrom);
  }

  async relatives(snapshot: Snapshot, limit: number): Promise<Snapshot[]> {
    const { id, account, lineage, startTimeMs } = snapshot;
    const rows = this.#database.all(
      `SELECT * FROM snapshots
       WHERE account = ? AND lineage = ? AND id <> ? AND state <> 'recycled'
       ORDER BY abs(start_time_ms - ?), id LIMIT ?`,
      account,
      lineage,
      id,
      startTimeMs,
      limit,
    );
    return rows.map(snapshotFrom);
  }

  async inState(state: SnapshotState): Promise<Snapshot[]> {
    const rows = this.#database.all("SELECT * FROM snapshots WHERE state = ?", state);
    return rows.map(snapshotFrom);
  }

  async changeState(id: SnapshotId, from: SnapshotState, change: StateChange): Promise<boolean> {
    assertChange(from, change);
    const { attempt } = change;
    if (attempt !== undefined && !this.#attempts.isLatest(id, attempt)) return false;
    const isChanged = this.#changeState(id, from, change);
    if (isChanged && from === "sealing") this.#attempts.end(id);
    return isChanged;
  }

  #changeState(id: SnapshotId, from: SnapshotState, change: StateChange): boolean {
    const { attempt: _, rootNames: __, ...fields } = change;
    return this.#database.transaction(() => {
      const row = this.#database.get(
        "SELECT * FROM snapshots WHERE id = ? AND state = ?",
        id,
        from,
      );
      if (!row) return false;
      const before = snapshotFrom(row);
      const needed = neededBy(change);
      assertLocated(needed, this.#located(before.domain, needed));
      const assignments = SNAPSHOT_COLUMNS.map((column) => `${column} = ?`).join(", ");
      const values = snapshotValues({ ...before, ...fields });
      this.#database.run(`UPDATE snapshots SET ${assignments} WHERE id = ?`, ...values, id);
      return true;
    });
  }

  /** Those of the records that are located. */
  #located(domain: Domain, names: readonly RecordName[]): ReadonlySet<string> {
    const sql = "SELECT 1 FROM locations WHERE domain = ? AND name = ?";
    return new Set(names.filter((name) => this.#database.get(sql, domain, digestToBytes(name))));
  }

  async expire(nowMs: number, stateMessage: string): Promise<number> {
    return this.#database.run(
      `UPDATE snapshots SET state = 'error', state_message = ?
       WHERE state = 'pending' AND expires_at_ms <= ?`,
      stateMessage,
      nowMs,
    );
  }

  async delete(id: SnapshotId, terms: DeletionTerms): Promise<DeletionOutcome> {
    return this.#database.transaction(() => {
      const row = this.#database.get(
        `SELECT number, state,
           EXISTS (SELECT 1 FROM image_snapshots WHERE snapshot = number) AS used,
           EXISTS (SELECT 1 FROM snapshot_locks WHERE snapshot = number AND expires_at_ms > ?)
             AS locked
         FROM snapshots WHERE id = ?`,
        terms.nowMs,
        id,
      );
      if (!row || row["state"] === "recycled") return "unknown";
      if (row["locked"] === 1) return "locked";
      if (row["used"] === 1) return "in-use";
      if (terms.binnedUntilMs !== undefined && row["state"] === "completed") {
        this.#recycle(row["number"] as number, { ...terms, exitsAtMs: terms.binnedUntilMs });
      } else {
        // Pending writes of a snapshot that is gone are settled; they are forgotten page by page.
        this.#database.run("DELETE FROM snapshots WHERE id = ?", id);
      }
      return "deleted";
    });
  }

  #recycle(number: number, { nowMs, exitsAtMs }: { nowMs: number; exitsAtMs: number }): void {
    this.#database.run("UPDATE snapshots SET state = 'recycled' WHERE number = ?", number);
    this.#database.run("DELETE FROM client_tokens WHERE snapshot = ?", number);
    this.#database.run(
      "INSERT INTO recycled_snapshots (snapshot, entered_at_ms, exits_at_ms) VALUES (?, ?, ?)",
      number,
      nowMs,
      exitsAtMs,
    );
  }

  async changeTags(id: SnapshotId, change: TagsChange): Promise<void> {
    this.#database.transaction(() => {
      const row = this.#database.get("SELECT * FROM snapshots WHERE id = ?", id);
      if (!row) return;
      const changed = change(snapshotFrom(row).tags);
      const sql = "UPDATE snapshots SET tags = ? WHERE id = ?";
      this.#database.run(sql, JSON.stringify(changed), id);
    });
  }
}
