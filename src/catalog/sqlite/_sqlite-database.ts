import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { assert } from "../../base/assert.ts";
import { LruCache } from "../../base/lru-cache.ts";
import { isNoRoom } from "../../base/no-room.ts";
import type { WritePurpose } from "../../base/write-purpose.ts";
import { DiskFullError } from "../../model/errors.ts";
import { CHECKPOINT_ROWS } from "../../model/limits.ts";
import type { Row } from "../rows.ts";

/** What a database tells its owner, and asks of it. */
export interface SqliteDatabaseHooks {
  /** Asked on a full disk, once for each write; true when there may be room for it now. */
  readonly makeRoom?: (purpose: WritePurpose) => boolean;
  /** Told once, when the database can be used no more and its process has to end. */
  readonly onFailed?: (failure: Error) => void;
}

/** There is no room to write the catalog's log anew, so nothing may be committed behind it. */
class LogNotWrittenError extends Error {
  override readonly name = "LogNotWrittenError";

  constructor(path: string, sizeBytes: number, options: ErrorOptions) {
    const message =
      `The disk of ${path} is full, and on its file system the ${sizeBytes} bytes that are in ` +
      "this log need as much room again when the store is opened. Nothing is lost; give the disk " +
      "that room and start once more";
    super(message, options);
  }
}

/** The disk failed under the catalog; only a new process can tell what is there. */
export class CatalogFailedError extends Error {
  override readonly name = "CatalogFailedError";
}

/** Bytes of the log written anew at once: all of it may be more than fits into memory (ours). */
const PIECE_BYTES = 1024 * 1024;
/** Answers recalled at most (ours): what the requests of a second ask for again and again. */
const RECALLED_COUNT_MAX = 1_000;

/** SQLite's primary result codes; an extended one has more in its upper bits. */
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;

/**
 * Connections whose disk failed. Closing one would sync the file that could not be synced, and so
 * would letting go of it.
 */
const abandoned: DatabaseSync[] = [];

/**
 * One connection with its prepared statements. All calls are synchronous and on one thread.
 *
 * A write that finds the disk full has left nothing behind, and throws a `DiskFullError`. After
 * any other failure of the disk in a write nobody knows what the disk holds: a sync that failed
 * once may succeed when it is tried again although the bytes are lost. So every later call
 * throws, reads too, and only opening the file anew, in a new process, tells what it holds.
 */
export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #hooks: SqliteDatabaseHooks;
  readonly #statements = new Map<string, StatementSync>();
  /** Answers since the latest write. */
  #recalled = newRecall();
  #failure: Error | undefined;
  /** Rows and commits since the log was last carried over into the file. */
  #changedCount = 0;

  /**
   * Opens the file for this process alone. The lock is the operating system's: it goes with the
   * process, however that ends.
   */
  constructor(path: string, hooks: SqliteDatabaseHooks = {}) {
    this.#hooks = hooks;
    this.#database = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: true });
    try {
      // Exclusive before WAL: no shared-memory file, and no second process on one store.
      this.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
      // FULL: a commit is in the log and the log is synced before the call returns. The default
      // of some bindings (NORMAL) loses acknowledged commits in a power cut.
      this.exec("PRAGMA synchronous = FULL; PRAGMA cache_size = -32768");
      // The log is carried over by us, since SQLite would not tell that a sync failed in that.
      this.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY");
      // What is overwritten is wiped where that writes no more pages than are written anyway.
      this.exec("PRAGMA secure_delete = FAST");
      // On macOS a plain fsync does not reach the disk; elsewhere these two say nothing new.
      this.exec("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
      this.exec("BEGIN EXCLUSIVE; COMMIT");
      // Now that nobody else can be writing to it.
      this.#writeLogAnew(`${path}-wal`);
      assert(this.get("PRAGMA synchronous")?.["synchronous"] === 2, "commits are synced");
    } catch (error) {
      const code = resultCodeOf(error);
      // Without a code it is the system's own: the log could not be written anew.
      if (code === undefined || code === SQLITE_IOERR) abandoned.push(this.#database);
      else this.#database.close();
      throw error;
    }
  }

  #writeLogAnew(path: string): void {
    try {
      writeAnew(path);
    } catch (error) {
      // A file system that writes nothing in its old place takes room for it.
      if (!(error instanceof LogNotWrittenError) || !this.#hooks.makeRoom?.("upkeep")) throw error;
      writeAnew(path);
    }
  }

  /** Runs statements that take no parameters and answer nothing. */
  exec(sql: string): void {
    this.#checkUsable();
    this.#recalled = newRecall();
    this.#database.exec(sql);
  }

  /** Runs a statement; answers how many rows it changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    const run = () => {
      const changes = Number(this.#prepare(sql).run(...parameters).changes);
      this.#changedCount += changes;
      return changes;
    };
    return this.#database.isTransaction ? run() : this.#commit(run, "upkeep");
  }

  /** The first row, or undefined when there is none. */
  get(sql: string, ...parameters: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...parameters) as Row | undefined;
  }

  /** All rows. */
  all(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...parameters) as Row[];
  }

  /**
   * What `read` answers, which must be decided by `name` and what is stored. Until something is
   * written it is read once: nobody else writes to this file. Whoever is answered must not change
   * it. What is not there is looked for each time.
   */
  recall<T extends object>(name: string, read: () => T | undefined): T | undefined {
    this.#checkUsable();
    // What a transaction has written so far may yet be undone.
    if (this.#database.isTransaction) return read();
    const known = this.#recalled.get(name) as T | undefined;
    if (known) return known;
    const answer = read();
    if (answer) this.#recalled.set(name, answer);
    return answer;
  }

  /**
   * Runs the work in one durable transaction; what throws leaves nothing behind. On a full disk
   * the work may be done a second time.
   */
  transaction<T>(work: () => T, purpose: WritePurpose = "upkeep"): T {
    const write = () => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    };
    return this.#commit(write, purpose);
  }

  /** The same, and what it overwrites or deletes is in neither the file nor its log afterwards. */
  transactionWithoutTrace<T>(work: () => T): T {
    this.exec("PRAGMA secure_delete = ON");
    try {
      const result = this.transaction(work);
      const carryOver = () => this.get("PRAGMA wal_checkpoint(TRUNCATE)");
      const row = this.#withRoom(carryOver, "upkeep");
      assert(row?.["busy"] === 0, "nobody else holds the log");
      return result;
    } finally {
      this.exec("PRAGMA secure_delete = FAST");
    }
  }

  /** A write with its commit, and after it, when enough has been written, a checkpoint. */
  #commit<T>(write: () => T, purpose: WritePurpose): T {
    this.#checkUsable();
    this.#recalled = newRecall();
    const result = this.#withRoom(write, purpose);
    this.#changedCount += 1;
    if (this.#changedCount >= CHECKPOINT_ROWS) this.#checkpoint();
    return result;
  }

  #withRoom<T>(write: () => T, purpose: WritePurpose): T {
    try {
      return this.#watched(write);
    } catch (error) {
      const isRoomMade = error instanceof DiskFullError && this.#hooks.makeRoom?.(purpose);
      if (!isRoomMade) throw error;
      return this.#watched(write);
    }
  }

  #watched<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      const code = resultCodeOf(error);
      if (code === SQLITE_FULL) throw new DiskFullError({ cause: error });
      if (code === SQLITE_IOERR) throw this.#fail(error);
      throw error;
    }
  }

  /** Carries the log over into the file, so that it begins anew. What is in it is durable. */
  #checkpoint(): void {
    this.#changedCount = 0;
    try {
      const carryOver = () => this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
      this.#withRoom(carryOver, "upkeep");
    } catch {
      // The commit before this stands. A full disk leaves the log to grow and is tried again
      // later; after any other failure no further call comes through.
    }
  }

  #fail(cause: unknown): Error {
    const message =
      "The catalog could not be written or synced, so nobody knows what its disk holds; " +
      "the store has to be opened anew in a new process";
    const failure = new CatalogFailedError(message, { cause });
    this.#failure = failure;
    this.#hooks.onFailed?.(failure);
    return failure;
  }

  #checkUsable(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Closes the file and gives up the lock; after a failure only the end of the process does. */
  close(): void {
    if (this.#failure) abandoned.push(this.#database);
    else this.#database.close();
  }

  #prepare(sql: string): StatementSync {
    this.#checkUsable();
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * Writes what the log holds once more, and syncs it. An earlier process may have ended because that
 * failed: then the system's memory, from which we read, still has what the disk never got, a sync
 * alone would bring none of it there, and nobody would find what is committed behind that hole.
 */
function writeAnew(path: string): void {
  const file = openSync(path, "r+");
  try {
    if (copyOntoItself(file) > 0) fsyncSync(file);
  } catch (cause) {
    if (!isNoRoom(cause)) throw cause;
    throw new LogNotWrittenError(path, fstatSync(file).size, { cause });
  } finally {
    closeSync(file);
  }
}

/** Answers how many bytes that were. */
function copyOntoItself(file: number): number {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; ; ) {
    const length = readSync(file, piece, 0, PIECE_BYTES, at);
    if (length === 0) return at;
    // What was not written is read again, from there on.
    at += writeSync(file, piece, 0, length, at);
  }
}

function newRecall(): LruCache<object> {
  return new LruCache(RECALLED_COUNT_MAX, () => 1);
}

/** True for what SQLite throws where a page is not what it should be. */
export function isCorruption(error: unknown): error is Error {
  return error instanceof Error && resultCodeOf(error) === SQLITE_CORRUPT;
}

/** The primary result code of an error of SQLite's; undefined for any other. */
function resultCodeOf(error: unknown): number | undefined {
  const { errcode } = error as { readonly errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}
