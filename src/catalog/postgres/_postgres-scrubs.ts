import { digestToBytes, ZERO_BLOCK_NAME } from "../../model/digest.ts";
import type { CatalogFaults, Place, ScrubTable, SegmentScrub, StoredRecord } from "../integrity.ts";
import { storedRecordFrom } from "../rows.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";

/** Faults told of; a catalog that has any is to be brought back from elsewhere. */
const FAULTS_COUNT_MAX = 20;
const ZERO_BLOCK_BYTES = digestToBytes(ZERO_BLOCK_NAME);

/** `ScrubTable` on PostgreSQL. */
export class PostgresScrubTable implements ScrubTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async recordsFrom({ segment, offset }: Place, limit: number): Promise<StoredRecord[]> {
    const rows = await this.#database.all(
      `SELECT domain, name, segment, at_byte AS "offset", length FROM locations
       WHERE (segment, at_byte) >= ($1, $2) ORDER BY segment, at_byte LIMIT $3`,
      segment,
      offset,
      limit,
    );
    return rows.map(storedRecordFrom);
  }

  async scrubs(nowMs: number): Promise<SegmentScrub[]> {
    const rows = await this.#database.all(
      `SELECT segment_usage.segment, verified_at_ms, started_at_ms, next_offset
       FROM segment_usage
       LEFT JOIN segment_scrubs ON segment_scrubs.segment = segment_usage.segment
       WHERE live_bytes > 0 ORDER BY segment_usage.segment`,
    );
    const isNews = rows.some((row) => row["verified_at_ms"] === null);
    const known = await this.#database.get("SELECT count(*) AS count FROM segment_scrubs");
    // Written only when segments came or went: a commit is a sync.
    if (isNews || known?.["count"] !== rows.length) await this.#follow(nowMs);
    return rows.map((row) => ({
      segment: row["segment"] as number,
      verifiedAtMs: (row["verified_at_ms"] as number | null) ?? nowMs,
      startedAtMs: (row["started_at_ms"] as number | null) ?? undefined,
      nextOffset: (row["next_offset"] as number | null) ?? 0,
    }));
  }

  async #follow(nowMs: number): Promise<void> {
    await this.#database.run(
      `INSERT INTO segment_scrubs (segment, verified_at_ms, next_offset)
       SELECT segment, $1, 0 FROM segment_usage WHERE live_bytes > 0 ORDER BY segment
       ON CONFLICT (segment) DO NOTHING`,
      nowMs,
    );
    await this.#database.run(
      `DELETE FROM segment_scrubs WHERE NOT EXISTS (
         SELECT 1 FROM segment_usage
         WHERE segment_usage.segment = segment_scrubs.segment AND live_bytes > 0)`,
    );
  }

  async noteScrub(scrub: SegmentScrub): Promise<void> {
    const { segment, verifiedAtMs, startedAtMs, nextOffset } = scrub;
    await this.#database.run(
      `UPDATE segment_scrubs SET verified_at_ms = $1, started_at_ms = $2, next_offset = $3
       WHERE segment = $4`,
      verifiedAtMs,
      startedAtMs ?? null,
      nextOffset,
      segment,
    );
  }

  /**
   * PostgreSQL looks after its own pages (initdb --data-checksums, amcheck). What is looked at here
   * is what has to agree between tables.
   */
  async findFaults(): Promise<CatalogFaults> {
    const rows = await this.#database.all(
      `SELECT format('segment %s: %s bytes are located, %s are counted', segment,
         coalesce(sum, 0), coalesce(live_bytes, 0)) AS fault
       FROM (SELECT segment, sum(length) AS sum FROM locations GROUP BY segment) AS located
       FULL JOIN segment_usage USING (segment)
       WHERE coalesce(sum, 0) <> coalesce(live_bytes, 0)
       UNION ALL
       SELECT format('snapshot %s: block %s is written, and not stored', snapshots.id, block_index)
       FROM pending_writes JOIN snapshots ON snapshots.number = pending_writes.snapshot
       WHERE state IN ('pending', 'sealing', 'copying') AND name <> $2 AND NOT EXISTS (
         SELECT 1 FROM locations
         WHERE locations.domain = snapshots.domain AND locations.name = pending_writes.name)
       LIMIT $1`,
      FAULTS_COUNT_MAX,
      ZERO_BLOCK_BYTES,
    );
    return { faults: rows.map((row) => row["fault"] as string), isSound: true };
  }
}
