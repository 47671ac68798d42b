import { REQUESTS_KEPT_COUNT, type RequestedCollection, type RequestTable } from "../collection.ts";
import type { Row } from "../rows.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";

/** `RequestTable` on PostgreSQL: asked for at any process, carried out by the one that leads. */
export class PostgresRequestTable implements RequestTable {
  readonly #database: PostgresDatabase;
  readonly #processNumber: () => number | undefined;

  constructor(database: PostgresDatabase, processNumber: () => number | undefined) {
    this.#database = database;
    this.#processNumber = processNumber;
  }

  async add({ request, status }: Pick<RequestedCollection, "request" | "status">): Promise<string> {
    const row = await this.#database.get(
      `INSERT INTO collections (request, status, is_done, is_stop_asked)
       VALUES ($1, $2, 0, 0) RETURNING number`,
      request,
      status,
    );
    const number = row?.["number"] as number;
    const sql = "DELETE FROM collections WHERE number <= $1";
    await this.#database.run(sql, number - REQUESTS_KEPT_COUNT);
    return String(number);
  }

  async get(id: string): Promise<RequestedCollection | undefined> {
    const row = await this.#database.get("SELECT * FROM collections WHERE number::text = $1", id);
    return row && requestFrom(row);
  }

  async take(known: readonly string[]): Promise<RequestedCollection[]> {
    const own = this.#processNumber() ?? null;
    const free = `is_done = 0 AND number::text <> ALL ($2::text[]) AND (process = $1::bigint
      OR NOT EXISTS (SELECT 1 FROM processes WHERE processes.number = collections.process))`;
    // Asked for often and mostly in vain: a write would be a sync each time.
    const first = `SELECT 1 AS one FROM collections WHERE ${free} LIMIT 1`;
    if (!(await this.#database.get(first, own, known))) return [];
    const rows = await this.#database.all(
      `WITH free AS (
         SELECT number FROM collections WHERE ${free} ORDER BY number FOR UPDATE
       )
       UPDATE collections SET process = $1::bigint FROM free WHERE collections.number = free.number
       RETURNING collections.*`,
      own,
      known,
    );
    return rows.map(requestFrom).sort((a, b) => Number(a.id) - Number(b.id));
  }

  async put(
    id: string,
    { status, isDone }: Pick<RequestedCollection, "status" | "isDone">,
  ): Promise<void> {
    // One that is done stays so: whoever took it up besides comes late.
    await this.#database.run(
      `UPDATE collections SET status = $2, is_done = $3
       WHERE number::text = $1 AND is_done = 0`,
      id,
      status,
      isDone ? 1 : 0,
    );
  }

  async askToStop(id: string): Promise<void> {
    const sql = "UPDATE collections SET is_stop_asked = 1 WHERE number::text = $1";
    await this.#database.run(sql, id);
  }
}

function requestFrom(row: Row): RequestedCollection {
  return {
    id: String(row["number"]),
    request: row["request"] as string,
    status: row["status"] as string,
    isStopAsked: row["is_stop_asked"] === 1,
    isDone: row["is_done"] === 1,
  };
}
