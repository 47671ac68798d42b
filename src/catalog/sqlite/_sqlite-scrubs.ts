import type { CatalogFaults, Place, ScrubTable, SegmentScrub, StoredRecord } from "../integrity.ts";
import { storedRecordFrom } from "../rows.ts";
import { isCorruption, type SqliteDatabase } from "./_sqlite-database.ts";
import { isWholeWrite } from "./_write-sums.ts";

/** Every segment that holds a record; each is found by one seek in the index. */
const SEGMENTS_IN_USE = `WITH RECURSIVE used (segment) AS (
    SELECT min(segment) FROM locations
    UNION ALL
    SELECT (SELECT min(segment) FROM locations WHERE segment > used.segment)
    FROM used WHERE segment IS NOT NULL
  )`;
/** Faults told of; a catalog that has any is to be brought back from elsewhere. */
const FAULTS_COUNT_MAX = 20;
/** Writes looked at together: a bound on memory. */
const WRITES_AT_ONCE = 10_000;

/** `ScrubTable` on SQLite. */
export class SqliteScrubTable implements ScrubTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async recordsFrom({ segment, offset }: Place, limit: number): Promise<StoredRecord[]> {
    const rows = this.#database.all(
      `SELECT domain, name, segment, offset, length FROM locations
       WHERE (segment, offset) >= (?, ?) ORDER BY segment, offset LIMIT ?`,
      segment,
      offset,
      limit,
    );
    return rows.map(storedRecordFrom);
  }

  async scrubs(nowMs: number): Promise<SegmentScrub[]> {
    const rows = this.#database.all(
      `${SEGMENTS_IN_USE} SELECT used.segment, verified_at_ms, started_at_ms, next_offset
       FROM used LEFT JOIN segment_scrubs ON segment_scrubs.segment = used.segment
       WHERE used.segment IS NOT NULL ORDER BY used.segment`,
    );
    const isNews = rows.some((row) => row["verified_at_ms"] === null);
    const known = this.#database.get("SELECT count(*) AS count FROM segment_scrubs");
    // Written only when segments came or went: a commit is a sync.
    if (isNews || known?.["count"] !== rows.length) this.#follow(nowMs);
    return rows.map((row) => ({
      segment: row["segment"] as number,
      verifiedAtMs: (row["verified_at_ms"] as number | null) ?? nowMs,
      startedAtMs: (row["started_at_ms"] as number | null) ?? undefined,
      nextOffset: (row["next_offset"] as number | null) ?? 0,
    }));
  }

  #follow(nowMs: number): void {
    this.#database.transaction(() => {
      this.#database.run(
        `${SEGMENTS_IN_USE} INSERT INTO segment_scrubs (segment, verified_at_ms, next_offset)
         SELECT segment, ?, 0 FROM used WHERE segment IS NOT NULL ON CONFLICT DO NOTHING`,
        nowMs,
      );
      this.#database.run(
        `DELETE FROM segment_scrubs WHERE NOT EXISTS (
           SELECT 1 FROM locations WHERE locations.segment = segment_scrubs.segment)`,
      );
    });
  }

  async noteScrub(scrub: SegmentScrub): Promise<void> {
    const { segment, verifiedAtMs, startedAtMs, nextOffset } = scrub;
    this.#database.run(
      `UPDATE segment_scrubs SET verified_at_ms = ?, started_at_ms = ?, next_offset = ?
       WHERE segment = ?`,
      verifiedAtMs,
      startedAtMs ?? null,
      nextOffset,
      segment,
    );
  }

  async findFaults(): Promise<CatalogFaults> {
    const faults = this.#brokenPages();
    if (faults.length > 0) return { faults, isSound: false };
    const others = [...this.#danglingRows(), ...this.#wrongUsage(), ...this.#damagedWrites()];
    return { faults: others, isSound: true };
  }

  #brokenPages(): string[] {
    try {
      const rows = this.#database.all(`PRAGMA integrity_check(${FAULTS_COUNT_MAX})`);
      return rows.map((row) => String(row["integrity_check"])).filter((it) => it !== "ok");
    } catch (error) {
      // Of some pages SQLite says so without ending the check.
      if (!isCorruption(error)) throw error;
      return [error.message];
    }
  }

  #danglingRows(): string[] {
    const rows = this.#database.all("PRAGMA foreign_key_check");
    return rows.map(({ table, parent }) => `A row of ${table} names one of ${parent} that is not`);
  }

  #wrongUsage(): string[] {
    const rows = this.#database.all(
      `WITH needed AS (SELECT segment, sum(length) AS bytes FROM locations GROUP BY segment),
         noted AS (SELECT segment, live_bytes AS bytes FROM segment_usage WHERE live_bytes <> 0)
       SELECT segment FROM (SELECT * FROM needed EXCEPT SELECT * FROM noted)
       UNION SELECT segment FROM (SELECT * FROM noted EXCEPT SELECT * FROM needed)`,
    );
    return rows.map(({ segment }) => `What is needed of segment ${segment} is noted wrongly`);
  }

  /** Of snapshots that need theirs; a flipped bit may have a write belong to one that is not. */
  #damagedWrites(): string[] {
    const faults = new Set<string>();
    for (let [snapshot, index] = [-1, -1]; ; ) {
      const rows = this.#database.all(
        `SELECT pending_writes.*, id FROM pending_writes LEFT JOIN snapshots ON number = snapshot
         WHERE (snapshot, block_index) > (?, ?)
           AND (state IS NULL OR state IN ('pending', 'sealing', 'copying'))
         ORDER BY snapshot, block_index LIMIT ?`,
        ...[snapshot, index, WRITES_AT_ONCE],
      );
      const last = rows.at(-1);
      if (!last) return [...faults];
      for (const row of rows) {
        const id = row["id"] ?? "a snapshot that is not there";
        if (!isWholeWrite(row)) faults.add(`A write to ${id} is damaged`);
      }
      [snapshot, index] = [last["snapshot"] as number, last["block_index"] as number];
    }
  }
}
