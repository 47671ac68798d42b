import { assert } from "../../base/assert.ts";
import { digestToBytes, type RecordName } from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import type { Location } from "../catalog.ts";
import type { SegmentTable } from "../collection.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `SegmentTable` on SQLite. */
export class SqliteSegmentTable implements SegmentTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async liveBytes(): Promise<ReadonlyMap<number, number>> {
    const rows = this.#database.all("SELECT segment, live_bytes FROM segment_usage");
    return new Map(
      rows.map((row) => [row["segment"] as number, row["live_bytes"] as number] as const),
    );
  }

  async endOf(segment: number): Promise<number | undefined> {
    const row = this.#database.get(
      `SELECT offset + length AS end FROM locations WHERE segment = ?
       ORDER BY offset DESC LIMIT 1`,
      segment,
    );
    return row?.["end"] as number | undefined;
  }

  async isLocated(domain: Domain, name: RecordName, location: Location): Promise<boolean> {
    const row = this.#database.get(
      `SELECT 1 FROM locations WHERE domain = ? AND name = ? AND segment = ? AND offset = ?`,
      domain,
      digestToBytes(name),
      location.segment,
      location.offset,
    );
    return row !== undefined;
  }

  async isRemovable(segment: number): Promise<boolean> {
    return this.#isUnused(segment);
  }

  async forget(segment: number): Promise<void> {
    this.#database.transaction(() => {
      assert(this.#isUnused(segment), `nothing is located in a segment that is gone: ${segment}`);
      this.#database.run("DELETE FROM segment_usage WHERE segment = ?", segment);
    });
  }

  #isUnused(segment: number): boolean {
    const sql = "SELECT 1 FROM locations WHERE segment = ? LIMIT 1";
    return this.#database.get(sql, segment) === undefined;
  }
}
