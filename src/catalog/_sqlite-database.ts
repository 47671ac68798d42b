import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { assert } from "../base/assert.ts";

/** A row as SQLite answers it, columns by name. */
export type Row = Record<string, unknown>;

/** One connection with its prepared statements. All calls are synchronous and on one thread. */
export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens the file for this process alone. The lock is the operating system's: it goes with the
   * process, however that ends.
   */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: true });
    try {
      // Exclusive before WAL: no shared-memory file, and no second process on one store.
      this.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
      // FULL: a commit is in the log and the log is synced before the call returns. The default
      // of some bindings (NORMAL) loses acknowledged commits in a power cut.
      this.exec("PRAGMA synchronous = FULL; PRAGMA cache_size = -65536");
      // What is overwritten is wiped where that writes no more pages than are written anyway.
      this.exec("PRAGMA secure_delete = FAST");
      // On macOS a plain fsync does not reach the disk; elsewhere these two say nothing new.
      this.exec("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
      this.exec("BEGIN EXCLUSIVE; COMMIT");
      assert(this.get("PRAGMA synchronous")?.["synchronous"] === 2, "commits are synced");
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Runs statements that take no parameters and answer nothing. */
  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /** Runs a statement; answers how many rows it changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...parameters).changes);
  }

  /** The first row, or undefined when there is none. */
  get(sql: string, ...parameters: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...parameters) as Row | undefined;
  }

  /** All rows. */
  all(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...parameters) as Row[];
  }

  /** Runs the work in one durable transaction; what throws leaves nothing behind. */
  transaction<T>(work: () => T): T {
    this.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.exec("ROLLBACK");
      throw error;
    }
  }

  /** The same, and what it overwrites or deletes is in neither the file nor its log afterwards. */
  transactionWithoutTrace<T>(work: () => T): T {
    this.exec("PRAGMA secure_delete = ON");
    try {
      const result = this.transaction(work);
      const row = this.get("PRAGMA wal_checkpoint(TRUNCATE)");
      assert(row?.["busy"] === 0, "nobody else holds the log");
      return result;
    } finally {
      this.exec("PRAGMA secure_delete = FAST");
    }
  }

  /** Closes the file and gives up the lock. */
  close(): void {
    this.#database.close();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
