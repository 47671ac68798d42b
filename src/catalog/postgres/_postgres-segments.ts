import { assert } from "../../base/assert.ts";
import { digestToBytes, type RecordName } from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import type { Location } from "../catalog.ts";
import type { SegmentTable } from "../collection.ts";
import type { PostgresDatabase, Queries } from "./_postgres-database.ts";

/** `SegmentTable` on PostgreSQL. */
export class PostgresSegmentTable implements SegmentTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async liveBytes(): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#database.all("SELECT segment, live_bytes FROM segment_usage");
    return new Map(
      rows.map((row) => [row["segment"] as number, row["live_bytes"] as number] as const),
    );
  }

  async endOf(segment: number): Promise<number | undefined> {
    const row = await this.#database.get(
      `SELECT at_byte + length AS end_byte FROM locations WHERE segment = $1
       ORDER BY at_byte DESC LIMIT 1`,
      segment,
    );
    return row?.["end_byte"] as number | undefined;
  }

  async isLocated(domain: Domain, name: RecordName, location: Location): Promise<boolean> {
    const row = await this.#database.get(
      `SELECT 1 AS one FROM locations
       WHERE domain = $1 AND name = $2 AND segment = $3 AND at_byte = $4`,
      domain,
      digestToBytes(name),
      location.segment,
      location.offset,
    );
    return row !== undefined;
  }

  async isRemovable(segment: number): Promise<boolean> {
    const row = await this.#database.get(
      `SELECT EXISTS (SELECT 1 FROM locations WHERE segment = $1)
         OR EXISTS (SELECT 1 FROM segment_reservations WHERE segment = $1)
         OR (SELECT next FROM segment_numbers WHERE one = 1) <= $1 AS needed`,
      segment,
    );
    return row?.["needed"] === false;
  }

  /** The least number that was given to no segment yet. */
  async next(): Promise<number> {
    const row = await this.#database.get("SELECT next FROM segment_numbers WHERE one = 1");
    return row?.["next"] as number;
  }

  /** Has no number up to this one be given: a segment of it may be there. */
  async pass(segment: number): Promise<void> {
    await passSegments(this.#database, [segment]);
  }

  async forget(segment: number): Promise<void> {
    await this.#database.transaction(async (queries) => {
      const sql = "SELECT 1 AS one FROM locations WHERE segment = $1 LIMIT 1";
      const isUnused = (await queries.get(sql, segment)) === undefined;
      assert(isUnused, `nothing is located in a segment that is gone: ${segment}`);
      await queries.run("DELETE FROM segment_usage WHERE segment = $1", segment);
    });
  }
}

/** Numbers of segments that were written elsewhere are never given again. */
export async function passSegments(queries: Queries, segments: readonly number[]): Promise<void> {
  const last = segments.at(-1);
  if (last === undefined) return;
  await queries.run("UPDATE segment_numbers SET next = $1 WHERE one = 1 AND next < $1", last + 1);
}
