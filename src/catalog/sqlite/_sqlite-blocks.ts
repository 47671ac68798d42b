import { assert } from "../../base/assert.ts";
import {
  digestToBytes,
  type RecordName,
  recordNameFromBytes,
  ZERO_BLOCK_NAME,
} from "../../model/digest.ts";
import { DamagedWriteError } from "../../model/errors.ts";
import type { Domain, SnapshotId } from "../../model/ids.ts";
import { assertMove } from "../assertions.ts";
import type {
  BlockTable,
  BlockWrite,
  Location,
  NewLocation,
  PendingWrite,
  WriteRefusal,
} from "../catalog.ts";
import { REMOVE_DAMAGED, SqliteDamageTable } from "./_sqlite-damage.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";
import { ADD_CANDIDATE } from "./_sqlite-garbage.ts";
import { refer } from "./_sqlite-liveness.ts";
import { isWholeWrite, sumOfWrite } from "./_write-sums.ts";

const NEW_LOCATION = `INSERT INTO locations (domain, name, segment, offset, length, generation)
  SELECT ?, ?, ?, ?, ?, generation FROM collection WHERE true`;
const ADD_LOCATION = `${NEW_LOCATION} ON CONFLICT DO NOTHING`;
const REPLACE_LOCATION = `${NEW_LOCATION} ON CONFLICT DO UPDATE SET segment = excluded.segment,
  offset = excluded.offset, length = excluded.length, generation = excluded.generation`;
const MOVE_LOCATION = `UPDATE locations SET segment = ?, offset = ?
  WHERE domain = ? AND name = ? AND segment = ? AND offset = ? AND length = ?`;
const IS_AT = `SELECT 1 FROM locations
  WHERE domain = ? AND name = ? AND segment = ? AND offset = ?`;
const ADD_WRITE = `INSERT INTO pending_writes (snapshot, block_index, name, sum)
  VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, sum = excluded.sum`;
/** Names that one statement looks up: a look-up of its own takes several times as long (ours). */
const LOCATED_AT_ONCE = 64;
const LOCATE_ALL = `SELECT name, segment, offset, length FROM locations
  WHERE domain = ? AND name IN (${Array(LOCATED_AT_ONCE).fill("?").join()})`;

interface LocatedRow extends Location {
  readonly name: Uint8Array;
}

/** `BlockTable` on SQLite. */
export class SqliteBlockTable extends SqliteDamageTable implements BlockTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    super(database);
    this.#database = database;
  }

  async commit(
    locations: readonly NewLocation[],
    writes: readonly PendingWrite[],
  ): Promise<(WriteRefusal | undefined)[]> {
    // What is moved makes room in the end, so it may take some.
    const isUpkeep = writes.length === 0 && locations.every(({ movedFrom }) => movedFrom);
    return this.#database.transaction(
      () => {
        for (const location of locations) this.#addLocation(location);
        const refusals = this.#addWrites(writes);
        this.#noteUnreferenced(
          locations,
          writes.filter((_, i) => refusals[i] === undefined),
        );
        return refusals;
      },
      isUpkeep ? "upkeep" : "new-data",
    );
  }

  #addLocation(location: NewLocation): void {
    const { domain, name, segment, offset, length, replaces, movedFrom } = location;
    if (movedFrom) {
      this.#moveLocation(location, movedFrom);
      return;
    }
    const bytes = digestToBytes(name);
    const sql = replaces ? REPLACE_LOCATION : ADD_LOCATION;
    this.#database.run(sql, domain, bytes, segment, offset, length);
    if (replaces) this.#database.run(REMOVE_DAMAGED, domain, bytes);
  }

  /** What was removed, healed or moved by another meanwhile stays as it is. */
  #moveLocation(location: NewLocation, from: Location): void {
    assertMove(location);
    const { domain, name, segment, offset, length } = location;
    const was = [domain, digestToBytes(name), from.segment, from.offset] as const;
    const moved = this.#database.run(MOVE_LOCATION, segment, offset, ...was, length);
    if (moved > 0) return;
    const isThere = this.#database.get(IS_AT, ...was) !== undefined;
    assert(!isThere, `what is moved is as long as before: ${name}`);
  }

  /** Records that nothing refers to yet; the collector finds out whether anything ever will. */
  #noteUnreferenced(locations: readonly NewLocation[], writes: readonly PendingWrite[]): void {
    const referred = new Set(writes.map(({ domain, name }) => domain + name));
    for (const { domain, name, movedFrom } of locations) {
      if (movedFrom || referred.has(domain + name)) continue;
      this.#database.run(ADD_CANDIDATE, domain, digestToBytes(name));
    }
  }

  /** Looks each snapshot up once, however many of the writes are its own. */
  #addWrites(writes: readonly PendingWrite[]): (WriteRefusal | undefined)[] {
    const numbers = new Map<SnapshotId, number | undefined>();
    return writes.map((write) => {
      const { snapshotId, blockIndex } = write;
      if (!numbers.has(snapshotId)) {
        numbers.set(snapshotId, this.#touchPending(snapshotId, write.expiresAtMs));
      }
      const number = numbers.get(snapshotId);
      if (number === undefined) return "not-pending";
      if (!this.#refer(write.domain, write.name)) return "not-stored";
      const name = digestToBytes(write.name);
      const sum = sumOfWrite(number, blockIndex, name);
      this.#database.run(ADD_WRITE, number, blockIndex, name, sum);
      return undefined;
    });
  }

  /** Moves a snapshot's expiry; answers its number, or undefined if it takes no writes. */
  #touchPending(id: SnapshotId, expiresAtMs: number): number | undefined {
    const row = this.#database.get(
      `UPDATE snapshots SET expires_at_ms = max(expires_at_ms, ?)
       WHERE id = ? AND state IN ('pending', 'copying') RETURNING number`,
      expiresAtMs,
      id,
    );
    return row?.["number"] as number | undefined;
  }

  #refer(domain: Domain, name: RecordName): boolean {
    return name === ZERO_BLOCK_NAME || refer(this.#database, domain, name);
  }

  #locate(domain: Domain, name: RecordName): Location | undefined {
    const row = this.#database.get(
      "SELECT segment, offset, length FROM locations WHERE domain = ? AND name = ?",
      domain,
      digestToBytes(name),
    );
    return row as unknown as Location | undefined;
  }

  /** Nobody else serves this store. */
  term(): number {
    return 0;
  }

  async locate(domain: Domain, name: RecordName): Promise<Location | undefined> {
    return this.#locate(domain, name);
  }

  async locateAll(
    domain: Domain,
    names: readonly RecordName[],
  ): Promise<readonly (Location | undefined)[]> {
    const found = new Map<RecordName, Location>();
    for (let i = 0; i < names.length; i += LOCATED_AT_ONCE) {
      const asked = names.slice(i, i + LOCATED_AT_ONCE);
      // Always so many, so that it is one statement; asked for twice, a name is answered once.
      const last = asked.at(-1) as RecordName;
      const filled = Array.from({ length: LOCATED_AT_ONCE }, (_, at) => asked[at] ?? last);
      const rows = this.#database.all(LOCATE_ALL, domain, ...filled.map(digestToBytes));
      for (const { name, segment, offset, length } of rows as unknown as LocatedRow[]) {
        found.set(recordNameFromBytes(name), { segment, offset, length });
      }
    }
    return names.map((name) => found.get(name));
  }

  async pendingWrites(id: SnapshotId, fromIndex: number, limit: number): Promise<BlockWrite[]> {
    const rows = this.#database.all(
      `SELECT * FROM pending_writes
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = ?) AND block_index >= ?
       ORDER BY block_index LIMIT ?`,
      id,
      fromIndex,
      limit,
    );
    return rows.map((row) => {
      if (!isWholeWrite(row)) throw new DamagedWriteError(id);
      const name = recordNameFromBytes(row["name"] as Uint8Array);
      return { blockIndex: row["block_index"] as number, name };
    });
  }

  async forgetSettledWrites(limit: number): Promise<number> {
    // The number of one snapshot at a time, so that the search for rows to forget is a seek.
    const row = this.#database.get(
      `WITH RECURSIVE written (number) AS (
         SELECT min(snapshot) FROM pending_writes
         UNION ALL
         SELECT (SELECT min(snapshot) FROM pending_writes WHERE snapshot > number)
         FROM written WHERE number IS NOT NULL
       )
       SELECT number FROM written WHERE number IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM snapshots
         WHERE snapshots.number = written.number AND state IN ('pending', 'sealing', 'copying')
       ) LIMIT 1`,
    );
    if (!row) return 0;
    const number = row["number"] as number;
    return this.#database.transaction(() => this.#forgetWritesOf(number, limit));
  }

  /** Writes of a completed snapshot are in its block map; others may be the last reference. */
  #forgetWritesOf(number: number, limit: number): number {
    const page = `SELECT block_index FROM pending_writes WHERE snapshot = ?
      ORDER BY block_index LIMIT ?`;
    this.#database.run(
      `INSERT INTO garbage_candidates (domain, name, noted_generation)
       SELECT domain, name, generation FROM collection, pending_writes, (
         SELECT domain FROM settled_writers WHERE snapshot = ?
         UNION ALL SELECT domain FROM snapshots WHERE number = ? AND state = 'error'
       ) WHERE snapshot = ? AND name <> ? AND block_index IN (${page})
       ON CONFLICT DO UPDATE SET noted_generation = excluded.noted_generation`,
      ...[number, number, number],
      digestToBytes(ZERO_BLOCK_NAME),
      ...[number, limit],
    );
    const forgotten = this.#database.run(
      `DELETE FROM pending_writes WHERE snapshot = ? AND block_index IN (${page})`,
      number,
      ...[number, limit],
    );
    if (forgotten < limit) {
      this.#database.run("DELETE FROM settled_writers WHERE snapshot = ?", number);
    }
    return forgotten;
  }
}
