import { digestToBytes, type RecordName } from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import type { DamagedRecord, DamageTable } from "../integrity.ts";
import { damagedRecordFrom } from "../rows.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";
import { noticeDamage } from "./_postgres-notices.ts";

/** `DamageTable` on PostgreSQL. */
export class PostgresDamageTable implements DamageTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async damaged(limit: number): Promise<DamagedRecord[]> {
    const rows = await this.#database.all(
      `SELECT locations.domain, locations.name, locations.segment, locations.at_byte AS "offset",
         length, found_at_ms
       FROM damaged_records JOIN locations ON locations.domain = damaged_records.domain
         AND locations.name = damaged_records.name
       ORDER BY locations.domain, locations.name LIMIT $1`,
      limit,
    );
    return rows.map(damagedRecordFrom);
  }

  async isDamaged(domain: Domain, name: RecordName): Promise<boolean> {
    const sql = "SELECT 1 AS one FROM damaged_records WHERE domain = $1 AND name = $2";
    return (await this.#database.get(sql, domain, digestToBytes(name))) !== undefined;
  }

  async addDamaged(record: DamagedRecord): Promise<boolean> {
    const { domain, name, segment, offset, foundAtMs } = record;
    return this.#database.transaction(async (queries) => {
      // The lock keeps the record where it is until this is noted.
      const added = await queries.get(
        `INSERT INTO damaged_records (domain, name, segment, at_byte, found_at_ms)
         SELECT domain, name, segment, at_byte, $1 FROM (
           SELECT domain, name, segment, at_byte FROM locations
           WHERE domain = $2 AND name = $3 AND segment = $4 AND at_byte = $5 FOR SHARE
         ) AS there ON CONFLICT (domain, name) DO NOTHING RETURNING *`,
        foundAtMs,
        domain,
        digestToBytes(name),
        segment,
        offset,
      );
      if (added) await noticeDamage(queries, added);
      return added !== undefined;
    });
  }

  async removeDamaged(domain: Domain, name: RecordName): Promise<boolean> {
    const sql = "DELETE FROM damaged_records WHERE domain = $1 AND name = $2";
    return (await this.#database.run(sql, domain, digestToBytes(name))) > 0;
  }
}
