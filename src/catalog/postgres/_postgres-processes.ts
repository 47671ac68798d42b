import { type Beat, type Leases, type ProcessTable, RESERVATION_MS_MAX } from "../processes.ts";
import type { PostgresDatabase, Queries } from "./_postgres-database.ts";

/** `ProcessTable` on PostgreSQL; every time is its own. */
export class PostgresProcessTable implements ProcessTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async join(name: string, { aliveMs }: Leases): Promise<number> {
    const row = await this.#database.get(
      `INSERT INTO processes (name, joined_at, alive_until)
       VALUES ($1, clock_timestamp(), clock_timestamp() + $2 * interval '1 millisecond')
       RETURNING number`,
      name,
      aliveMs,
    );
    return row?.["number"] as number;
  }

  async beat(process: number, leases: Leases): Promise<Beat | undefined> {
    return this.#database.transaction((queries) => beat(queries, process, leases));
  }

  async leave(process: number): Promise<void> {
    await this.#database.transaction(async (queries) => {
      await queries.run("DELETE FROM processes WHERE number = $1", process);
      await queries.run(
        `UPDATE leadership SET process = NULL, leads_until = clock_timestamp()
         WHERE one = 1 AND process = $1`,
        process,
      );
    });
  }

  async reserve(process: number, count: number): Promise<readonly number[] | undefined> {
    return this.#database.transaction(async (queries) => {
      const isAlive = "SELECT 1 AS one FROM processes WHERE number = $1 FOR KEY SHARE";
      if (!(await queries.get(isAlive, process))) return undefined;
      const row = await queries.get(
        "UPDATE segment_numbers SET next = next + $1 WHERE one = 1 RETURNING next",
        count,
      );
      const next = row?.["next"] as number;
      const segments = Array.from({ length: count }, (_, i) => next - count + i);
      await queries.run(
        `INSERT INTO segment_reservations (segment, process, reserved_at)
         SELECT segment, $1, clock_timestamp() FROM unnest($2::bigint[]) AS given (segment)`,
        process,
        segments,
      );
      return segments;
    });
  }
}

async function beat(
  queries: Queries,
  process: number,
  { aliveMs, leadMs }: Leases,
): Promise<Beat | undefined> {
  const before = await queries.get(
    `SELECT alive_until < clock_timestamp() AS late FROM processes
     WHERE number = $1 FOR NO KEY UPDATE`,
    process,
  );
  if (!before) return undefined;
  await queries.run(
    `UPDATE processes SET alive_until = clock_timestamp() + $2 * interval '1 millisecond'
     WHERE number = $1`,
    process,
    aliveMs,
  );
  // Where this one is late itself, the database was away for all: the others get their chance.
  if (!before["late"]) await removeDead(queries);
  const leading = await queries.get(
    `UPDATE leadership SET
       epoch = CASE WHEN process = $1 THEN epoch ELSE epoch + 1 END,
       process = $1, leads_until = clock_timestamp() + $2 * interval '1 millisecond'
     WHERE one = 1 AND (process IS NULL OR process = $1 OR leads_until < clock_timestamp())
     RETURNING epoch`,
    process,
    leadMs,
  );
  const now = await queries.get(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms",
  );
  const epoch = (leading?.["epoch"] as number | undefined) ?? 0;
  return { isLeader: leading !== undefined, epoch, nowMs: now?.["ms"] as number };
}

/** One whose row is held has a commit under way: the next beat sees to it, not this one. */
async function removeDead(queries: Queries): Promise<void> {
  await queries.run(
    `DELETE FROM processes WHERE number IN (
       SELECT number FROM processes WHERE alive_until < clock_timestamp()
       ORDER BY number FOR UPDATE SKIP LOCKED)`,
  );
  await queries.run(
    `DELETE FROM segment_reservations WHERE segment IN (
       SELECT segment FROM segment_reservations
       WHERE reserved_at < clock_timestamp() - $1 * interval '1 millisecond'
       ORDER BY segment FOR UPDATE SKIP LOCKED)`,
    RESERVATION_MS_MAX,
  );
}
