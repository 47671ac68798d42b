import { digestToBytes, type RecordName } from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import type { DamagedRecord, DamageTable } from "../integrity.ts";
import { damagedRecordFrom } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** Forgets that a record is damaged. */
export const REMOVE_DAMAGED = "DELETE FROM damaged_records WHERE domain = ? AND name = ?";

/** `DamageTable` on SQLite. */
export class SqliteDamageTable implements DamageTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async damaged(limit: number): Promise<DamagedRecord[]> {
    const rows = this.#database.all(
      `SELECT locations.domain, locations.name, locations.segment, locations.offset, length,
         found_at_ms
       FROM damaged_records JOIN locations USING (domain, name) ORDER BY domain, name LIMIT ?`,
      limit,
    );
    return rows.map(damagedRecordFrom);
  }

  async isDamaged(domain: Domain, name: RecordName): Promise<boolean> {
    const sql = "SELECT 1 FROM damaged_records WHERE domain = ? AND name = ?";
    return this.#database.get(sql, domain, digestToBytes(name)) !== undefined;
  }

  async addDamaged(record: DamagedRecord): Promise<boolean> {
    const { domain, name, segment, offset, foundAtMs } = record;
    const added = this.#database.run(
      `INSERT INTO damaged_records (domain, name, segment, offset, found_at_ms)
       SELECT domain, name, segment, offset, ? FROM locations
       WHERE domain = ? AND name = ? AND segment = ? AND offset = ? ON CONFLICT DO NOTHING`,
      foundAtMs,
      domain,
      digestToBytes(name),
      segment,
      offset,
    );
    return added > 0;
  }

  async removeDamaged(domain: Domain, name: RecordName): Promise<boolean> {
    return this.#database.run(REMOVE_DAMAGED, domain, digestToBytes(name)) > 0;
  }
}
