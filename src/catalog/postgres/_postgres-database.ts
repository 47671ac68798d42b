import { DatabaseError, Pool, type PoolClient, types } from "pg";
import { type Clock, systemClock } from "../../base/clock.ts";
import { type Random, systemRandom } from "../../base/random.ts";
import { UnavailableError } from "../../base/unavailable.ts";
import type { Row } from "../rows.ts";

/*
 * How everything here stays right although PostgreSQL runs transactions side by side:
 *
 * 1. Every transaction is READ COMMITTED, whatever the database's default: each statement sees what
 *    was committed when it began. A check and the change that it guards are one statement, or the
 *    check has locked the row that would have to change, and what else it asks, it asks after that.
 * 2. Whoever stamps something with `collection.generation` holds that row FOR SHARE until its
 *    commit; a run of the collector begins by updating it. So no run begins between a stamp and its
 *    commit, and all that is stamped later than a run's beginning is committed after it.
 * 3. Locks are taken in one order: collection and process, reservations, records (by domain and
 *    name), snapshots (by number), what belongs to these, candidates, usage, journal (by key).
 *    Where two meet all the same, the database ends one of them, which is then done again.
 * 4. Nothing is acknowledged before COMMIT was answered. When the connection is lost before that,
 *    nobody knows the outcome, and the call rejects with an `UnavailableError`.
 * 5. A standby is asked nothing, reads included: it may not know yet what was acknowledged. After a
 *    failover the same name leads to one for a while.
 */

/** A parameter of a statement; an array stands for an array of PostgreSQL's. */
export type Parameter = string | number | null | Uint8Array | readonly Parameter[];

/** Runs statements: on any connection, or all of them in one transaction. */
export interface Queries {
  /** All rows. */
  all(sql: string, ...parameters: Parameter[]): Promise<Row[]>;
  /** The first row, or undefined when there is none. */
  get(sql: string, ...parameters: Parameter[]): Promise<Row | undefined>;
  /** Runs a statement; answers how many rows it changed. */
  run(sql: string, ...parameters: Parameter[]): Promise<number>;
}

/** How to reach a database, and how long to wait for it. */
export interface PostgresOptions {
  /** `postgres://user@host:port/database`; what it leaves out comes from PGHOST and the like. */
  readonly connectionString: string;
  /** Kept out of the connection string, where it would be seen. */
  readonly password?: string | undefined;
  /** PEM of the authorities to trust, where the server is reached over TLS. */
  readonly certificateAuthority?: string | undefined;
  /** Connections of this process at once; default 10. */
  readonly connectionCountMax?: number | undefined;
  /** Hears of connections that were lost while nobody used them. */
  readonly onError?: ((error: Error) => void) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** Connections of one process (ours: PostgreSQL's own default allows 100 in all). */
const CONNECTION_COUNT = 10;
/** Milliseconds to wait for a connection: a client's patience ends later (ours). */
const CONNECT_MS_MAX = 5_000;
/** Milliseconds for a lock, a statement, and its answer to arrive: each longer than the last. */
const LOCK_MS_MAX = 8_000;
const STATEMENT_MS_MAX = 15_000;
const ANSWER_MS_MAX = 20_000;
/** A process that was stopped in a transaction holds its locks no longer than that, in ms. */
const IDLE_IN_TRANSACTION_MS_MAX = 10_000;
/** A transaction that met another is begun anew so often, after so many milliseconds at most. */
const ATTEMPTS_MAX = 10;
const PAUSE_MS_MAX = 50;

const INT8 = 20;
const TEXT = 25;
/** Serialization failure and deadlock: nothing was done, and doing it again may well succeed. */
const AGAIN = new Set(["40001", "40P01"]);
/**
 * Classes of errors that say nothing of the statement: connection, resources, operator, system.
 * 25006: a standby answers; 25P03: the transaction was ended for idleness; 55P03: a lock was held.
 */
const UNAVAILABLE = /^(?:08|53|57|58)|^(?:25006|25P03|55P03)$/;

/** A standby answers, so what it says may be of earlier. */
class StandbyError extends UnavailableError {}

/** A pool of connections with prepared statements, and transactions on them. */
export class PostgresDatabase implements Queries {
  readonly #pool: Pool;
  /** Connections to what was no standby when they were made: it is asked once. */
  readonly #primary = new WeakSet<PoolClient>();
  readonly #names = new Map<string, string>();
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(options: PostgresOptions) {
    const { connectionString, password, certificateAuthority: ca } = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#pool = new Pool({
      connectionString,
      ...(password === undefined ? {} : { password }),
      ...(ca === undefined ? {} : { ssl: { ca } }),
      max: options.connectionCountMax ?? CONNECTION_COUNT,
      connectionTimeoutMillis: CONNECT_MS_MAX,
      lock_timeout: LOCK_MS_MAX,
      statement_timeout: STATEMENT_MS_MAX,
      query_timeout: ANSWER_MS_MAX,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
      application_name: "varve",
      keepAlive: true,
      types: { getTypeParser },
    });
    // A connection that breaks while nobody uses it is replaced by the next one asked for.
    this.#pool.on("error", (error) => options.onError?.(error));
  }

  async all(sql: string, ...parameters: Parameter[]): Promise<Row[]> {
    return this.#again(() => this.#with((client) => this.#on(client).all(sql, ...parameters)));
  }

  async get(sql: string, ...parameters: Parameter[]): Promise<Row | undefined> {
    return (await this.all(sql, ...parameters))[0];
  }

  async run(sql: string, ...parameters: Parameter[]): Promise<number> {
    return this.#again(() => this.#with((client) => this.#on(client).run(sql, ...parameters)));
  }

  /**
   * Runs the work in one durable transaction; what throws leaves nothing behind. The work may be
   * done several times, when others get in its way, so it changes nothing but the database.
   */
  async transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    return this.#again(() => this.#with((client) => this.#transaction(client, work)));
  }

  async #transaction<T>(client: PoolClient, work: (queries: Queries) => Promise<T>): Promise<T> {
    await client.query("BEGIN ISOLATION LEVEL READ COMMITTED");
    try {
      const result = await work(this.#on(client));
      await client.query("COMMIT");
      return result;
    } catch (error) {
      // On a connection that is lost the server does this by itself.
      await client.query("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  /** Runs statements without parameters, several in one text, which then are one transaction. */
  async exec(sql: string): Promise<void> {
    await this.#with((client) => client.query(sql));
  }

  /** Resolves when the database answers and is no standby; else rejects (`UnavailableError`). */
  async check(): Promise<void> {
    await this.#with(refuseStandby);
  }

  /** Waits for the calls under way and ends all connections. */
  async close(): Promise<void> {
    await this.#pool.end();
  }

  /** Does the work on a connection of its own; one on which anything went wrong is thrown away. */
  async #with<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw toldApart(error);
    });
    let failure: unknown;
    const onLost = () => undefined;
    client.on("error", onLost);
    try {
      // Not in a hook of the pool: who has given up waiting by then would never release it.
      if (!this.#primary.has(client)) await refuseStandby(client);
      this.#primary.add(client);
      return await work(client);
    } catch (error) {
      failure = error;
      throw toldApart(error);
    } finally {
      client.off("error", onLost);
      const isBroken = failure !== undefined && !isStatementsFault(failure);
      client.release(isBroken);
    }
  }

  async #again<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!isWorthRepeating(error)) throw error;
        if (attempt === ATTEMPTS_MAX) {
          throw new UnavailableError("Too many transactions met in the catalog", { cause: error });
        }
        const [chance = 0] = this.#random.bytes(1);
        await this.#clock.sleep((PAUSE_MS_MAX * chance) / 255);
      }
    }
  }

  #on(client: PoolClient): Queries {
    const query = (text: string, parameters: Parameter[]) => {
      const values = parameters.map(escaped);
      return client.query<Row>({ name: this.#nameOf(text), text, values });
    };
    return {
      all: async (sql, ...parameters) => (await query(sql, parameters)).rows,
      get: async (sql, ...parameters) => (await query(sql, parameters)).rows[0],
      run: async (sql, ...parameters) => (await query(sql, parameters)).rowCount ?? 0,
    };
  }

  /** Each statement is prepared once on each connection; there are as many as in this folder. */
  #nameOf(sql: string): string {
    const known = this.#names.get(sql);
    if (known !== undefined) return known;
    const name = `varve${this.#names.size}`;
    this.#names.set(sql, name);
    return name;
  }
}

/** A primary that takes no writes, for its disk is full, knows all and is asked on. */
async function refuseStandby(client: PoolClient): Promise<void> {
  const { rows } = await client.query<Row>("SELECT pg_is_in_recovery() AS is_standby");
  if (rows[0]?.["is_standby"] !== true) return;
  throw new StandbyError(
    "The catalog's database is a standby, which may not know yet what was acknowledged. Lead its " +
      "address to the primary",
  );
}

/** An error of the database's that leaves the connection usable. */
function isStatementsFault(error: unknown): boolean {
  if (error instanceof StandbyError) return false;
  const isPostgres = error instanceof DatabaseError;
  // What the work itself threw, between two statements, says nothing of the connection.
  if (!isPostgres) return !isConnectionFault(error);
  // 25006: a standby is at its other end, and stays there.
  return !/^(?:08|57P)|^25006$/.test(error.code ?? "");
}

function isWorthRepeating(error: unknown): boolean {
  return error instanceof DatabaseError && AGAIN.has(error.code ?? "");
}

/** The driver's own errors have neither a class nor a code; those of sockets have a code. */
function isConnectionFault(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof DatabaseError) return false;
  if ("syscall" in error) return true;
  return /[Cc]onnection|[Tt]imeout|Client (?:was closed|has encountered)|server closed/.test(
    error.message,
  );
}

/** What says nothing of the statement is told as such; all else stays as it is. */
function toldApart(error: unknown): unknown {
  const isServers = error instanceof DatabaseError && UNAVAILABLE.test(error.code ?? "");
  if (!isServers && !isConnectionFault(error)) return error;
  const why = error instanceof DatabaseError ? `${error.message} (${error.code})` : error.message;
  return new UnavailableError(`The catalog's database does not answer: ${why}`, { cause: error });
}

/*
 * PostgreSQL's text holds every character but NUL. Where one occurs it is written as \x01 0, and
 * \x01 itself as \x01 1.
 */
function escaped(value: Parameter): unknown {
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== "string" || !(value.includes("\0") || value.includes("\x01"))) return value;
  return value.replaceAll("\x01", "\x011").replaceAll("\0", "\x010");
}

function unescaped(text: string): string {
  if (!text.includes("\x01")) return text;
  return text.replaceAll("\x010", "\0").replaceAll("\x011", "\x01");
}

/** Whole numbers here are times, sizes and counts, all below 2^53. */
const getTypeParser = ((oid: number, format?: "text" | "binary") => {
  if (oid === INT8) return Number;
  if (oid === TEXT) return unescaped;
  return types.getTypeParser(oid, format as "text");
}) as typeof types.getTypeParser;
