import {
  digestToBytes,
  type RecordName,
  recordNameFromBytes,
  ZERO_BLOCK_NAME,
} from "../../model/digest.ts";
import type { Domain, SnapshotId } from "../../model/ids.ts";
import type {
  BlockTable,
  BlockWrite,
  Location,
  NewLocation,
  PendingWrite,
  WriteRefusal,
} from "../catalog.ts";
import { Gathered } from "./_gathered.ts";
import { addLocations, keyOf } from "./_locations.ts";
import { type Named, noteCandidates, referAll, shareGeneration } from "./_notes.ts";
import { PostgresDamageTable } from "./_postgres-damage.ts";
import type { PostgresDatabase, Queries } from "./_postgres-database.ts";

/** Proves, in the transaction of a commit, that this process may commit it; answers the stamp. */
export type Fence = (queries: Queries, segments: readonly number[]) => Promise<number>;

/** Whoever has look-ups that may go with a commit's transaction. */
export type Companion = Pick<Gathered<unknown, unknown>, "ride">;

/** What a table of blocks works with besides the database. */
export interface BlockTableParts {
  readonly fence: Fence;
  readonly processNumber: () => number | undefined;
  readonly companions: readonly Companion[];
}

/** `BlockTable` on PostgreSQL: as many statements for a large batch as for a small one. */
export class PostgresBlockTable extends PostgresDamageTable implements BlockTable {
  readonly #database: PostgresDatabase;
  readonly #fence: Fence;
  readonly #located = new Gathered((records: readonly Named[], queries?: Queries) =>
    this.#locate(records, queries),
  );
  readonly #processNumber: () => number | undefined;
  readonly #companions: readonly Companion[];

  constructor(database: PostgresDatabase, parts: BlockTableParts) {
    super(database);
    this.#database = database;
    this.#fence = parts.fence;
    this.#processNumber = parts.processNumber;
    this.#companions = parts.companions;
  }

  term(): number {
    return this.#processNumber() ?? 0;
  }

  async commit(
    locations: readonly NewLocation[],
    writes: readonly PendingWrite[],
  ): Promise<(WriteRefusal | undefined)[]> {
    const arrived = this.term();
    const segments = [...new Set(locations.map(({ segment }) => segment))].sort((a, b) => a - b);
    // Whoever looks records up until it begins shares its way to the database.
    const rides = [this.#located, ...this.#companions].map((gathered) => gathered.ride());
    const committed = this.#database.transaction(async (queries) => {
      for (const ride of rides) await ride.answer(queries);
      // In one turn with the fence, which asks for the process of now: while this waited for its
      // connection, or was begun again, this process may have become another.
      const term = this.term();
      const generation = await this.#fence(queries, segments);
      await addLocations(queries, generation, locations);
      const isTimely = (write: PendingWrite) => (write.term ?? arrived) === term;
      const timely = writes.filter(isTimely);
      const batch = { locations, writes: timely };
      const { refusals, replaced } = await addWrites(queries, generation, batch);
      const accepted = timely.filter((_, i) => refusals[i] === undefined);
      const unreferenced = findUnreferenced(locations, accepted);
      await noteCandidates(queries, generation, [...unreferenced, ...replaced]);
      let next = 0;
      return writes.map((write) => (isTimely(write) ? refusals[next++] : "late"));
    });
    return committed.finally(() => {
      for (const ride of rides) ride.end();
    });
  }

  locate(domain: Domain, name: RecordName): Promise<Location | undefined> {
    return this.#located.get({ domain, name });
  }

  locateAll(
    domain: Domain,
    names: readonly RecordName[],
  ): Promise<readonly (Location | undefined)[]> {
    return this.#locate(names.map((name) => ({ domain, name })));
  }

  async #locate(
    records: readonly Named[],
    queries: Queries = this.#database,
  ): Promise<(Location | undefined)[]> {
    const rows = await queries.all(
      `SELECT asked.position, segment, at_byte, length
       FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS asked (domain, name, position)
       JOIN locations ON locations.domain = asked.domain AND locations.name = asked.name`,
      records.map(({ domain }) => domain),
      records.map(({ name }) => digestToBytes(name)),
    );
    const found: (Location | undefined)[] = records.map(() => undefined);
    for (const row of rows) {
      found[(row["position"] as number) - 1] = {
        segment: row["segment"] as number,
        offset: row["at_byte"] as number,
        length: row["length"] as number,
      };
    }
    return found;
  }

  async pendingWrites(id: SnapshotId, fromIndex: number, limit: number): Promise<BlockWrite[]> {
    const rows = await this.#database.all(
      `SELECT block_index, name FROM pending_writes
       WHERE snapshot = (SELECT number FROM snapshots WHERE id = $1) AND block_index >= $2
       ORDER BY block_index LIMIT $3`,
      id,
      fromIndex,
      limit,
    );
    return rows.map((row) => ({
      blockIndex: row["block_index"] as number,
      name: recordNameFromBytes(row["name"] as Uint8Array),
    }));
  }

  async forgetSettledWrites(limit: number): Promise<number> {
    // One snapshot at a time, each found by one seek.
    const row = await this.#database.get(
      `WITH RECURSIVE written (number) AS (
         SELECT min(snapshot) FROM pending_writes
         UNION ALL
         SELECT (SELECT min(snapshot) FROM pending_writes WHERE snapshot > written.number)
         FROM written WHERE written.number IS NOT NULL
       )
       SELECT number FROM written WHERE number IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM snapshots
         WHERE snapshots.number = written.number AND state IN ('pending', 'sealing', 'copying')
       ) LIMIT 1`,
    );
    if (!row) return 0;
    const number = row["number"] as number;
    return this.#database.transaction((queries) => forgetWritesOf(queries, number, limit));
  }
}

/** Records that nothing refers to yet; the collector finds out whether anything ever will. */
function findUnreferenced(
  locations: readonly NewLocation[],
  writes: readonly PendingWrite[],
): Named[] {
  const referred = new Set(writes.map(keyOf));
  return locations.filter((each) => !each.movedFrom && !referred.has(keyOf(each)));
}

interface Added {
  readonly refusals: readonly (WriteRefusal | undefined)[];
  /** What was written before to the same block indexes of the same snapshots. */
  readonly replaced: readonly Named[];
}

async function addWrites(
  queries: Queries,
  generation: number,
  batch: { readonly locations: readonly NewLocation[]; readonly writes: readonly PendingWrite[] },
): Promise<Added & { refusals: (WriteRefusal | undefined)[] }> {
  const { locations, writes } = batch;
  if (writes.length === 0) return { refusals: [], replaced: [] };
  const stored = new Set(locations.filter(({ movedFrom }) => !movedFrom).map(keyOf));
  const others = new Map(
    writes
      .filter((write) => write.name !== ZERO_BLOCK_NAME && !stored.has(keyOf(write)))
      .map((write) => [keyOf(write), write]),
  );
  // Records before snapshots: that is the order of locks.
  for (const row of await referAll(queries, generation, [...others.values()])) {
    const domain = row["domain"] as Domain;
    stored.add(keyOf({ domain, name: recordNameFromBytes(row["name"] as Uint8Array) }));
  }
  const numbers = await touchPending(queries, writes);
  const refusals = writes.map((write): WriteRefusal | undefined => {
    if (!numbers.has(write.snapshotId)) return "not-pending";
    const isStored = write.name === ZERO_BLOCK_NAME || stored.has(keyOf(write));
    return isStored ? undefined : "not-stored";
  });
  const accepted = writes.filter((_, i) => refusals[i] === undefined);
  return { refusals, replaced: await putWrites(queries, numbers, accepted) };
}

/** Moves the expiry of snapshots; answers the numbers of those that take writes, locked. */
async function touchPending(
  queries: Queries,
  writes: readonly PendingWrite[],
): Promise<ReadonlyMap<SnapshotId, number>> {
  const expiries = new Map<SnapshotId, number>();
  for (const { snapshotId, expiresAtMs } of writes) {
    expiries.set(snapshotId, Math.max(expiries.get(snapshotId) ?? 0, expiresAtMs));
  }
  const rows = await queries.all(
    `WITH open AS (
       SELECT number, given.expires_at_ms
       FROM unnest($1::text[], $2::bigint[]) AS given (id, expires_at_ms)
       JOIN snapshots ON snapshots.id = given.id
       WHERE state IN ('pending', 'copying') ORDER BY number FOR NO KEY UPDATE OF snapshots
     )
     UPDATE snapshots SET expires_at_ms = greatest(snapshots.expires_at_ms, open.expires_at_ms)
     FROM open WHERE snapshots.number = open.number RETURNING id, snapshots.number`,
    [...expiries.keys()],
    [...expiries.values()],
  );
  return new Map(rows.map((row) => [row["id"] as SnapshotId, row["number"] as number]));
}

/** Puts the writes in the order in which they were given; answers what they replaced. */
async function putWrites(
  queries: Queries,
  numbers: ReadonlyMap<SnapshotId, number>,
  writes: readonly PendingWrite[],
): Promise<Named[]> {
  if (writes.length === 0) return [];
  const last = new Map<string, PendingWrite>();
  const replaced: Named[] = [];
  for (const write of writes) {
    const key = `${write.snapshotId} ${write.blockIndex}`;
    const before = last.get(key);
    if (before && before.name !== write.name) replaced.push(before);
    last.set(key, write);
  }
  const given = [...last.values()];
  // The snapshots are locked, so what is found under these indexes is what is replaced.
  const rows = await queries.all(
    `WITH given AS (
       SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
         AS given (snapshot, block_index, name)
     ), before AS (
       SELECT snapshots.domain, pending_writes.name
       FROM given
       JOIN pending_writes ON pending_writes.snapshot = given.snapshot
         AND pending_writes.block_index = given.block_index
       JOIN snapshots ON snapshots.number = given.snapshot
       WHERE pending_writes.name <> given.name
     ), put AS (
       INSERT INTO pending_writes (snapshot, block_index, name) SELECT * FROM given
       ON CONFLICT (snapshot, block_index) DO UPDATE SET name = excluded.name
     )
     SELECT domain, name FROM before`,
    given.map(({ snapshotId }) => numbers.get(snapshotId) as number),
    given.map(({ blockIndex }) => blockIndex),
    given.map(({ name }) => digestToBytes(name)),
  );
  for (const row of rows) {
    const name = recordNameFromBytes(row["name"] as Uint8Array);
    replaced.push({ domain: row["domain"] as Domain, name });
  }
  return replaced.filter(({ name }) => name !== ZERO_BLOCK_NAME);
}

/** Writes of a completed snapshot are in its block map; others may be the last reference. */
async function forgetWritesOf(queries: Queries, number: number, limit: number): Promise<number> {
  const generation = await shareGeneration(queries);
  const owner = await queries.get(
    `SELECT domain FROM settled_writers WHERE snapshot = $1
     UNION ALL SELECT domain FROM snapshots WHERE number = $1 AND state = 'error'`,
    number,
  );
  const rows = await queries.all(
    `DELETE FROM pending_writes WHERE snapshot = $1 AND block_index IN (
       SELECT block_index FROM pending_writes WHERE snapshot = $1 ORDER BY block_index LIMIT $2
     ) RETURNING name`,
    number,
    limit,
  );
  if (owner) {
    const domain = owner["domain"] as Domain;
    const names = rows.map((row) => recordNameFromBytes(row["name"] as Uint8Array));
    const lost = names.filter((name) => name !== ZERO_BLOCK_NAME);
    const records = lost.map((name) => ({ domain, name }));
    await noteCandidates(queries, generation, records);
  }
  await queries.run(
    `DELETE FROM settled_writers WHERE snapshot = $1
       AND NOT EXISTS (SELECT 1 FROM pending_writes WHERE snapshot = $1)`,
    number,
  );
  return rows.length;
}
