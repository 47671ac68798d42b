import {
  type Digest,
  digestFromBytes,
  digestToBytes,
  type RecordName,
  recordNameFromBytes,
} from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import { assertSweepable } from "../assertions.ts";
import {
  type CollectionRun,
  FencedError,
  type GarbageCandidate,
  type GarbageRoot,
  type GarbageTable,
  SEEN_AHEAD_MS_MAX,
  type Sweep,
} from "../collection.ts";
import { candidateFrom, keyAfter } from "../rows.ts";
import { noteCandidates, shareGeneration, UsageChanges } from "./_notes.ts";
import type { PostgresDatabase, Queries } from "./_postgres-database.ts";

/** `GarbageTable` on PostgreSQL. */
export class PostgresGarbageTable implements GarbageTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async begin(nowMs: number): Promise<CollectionRun> {
    return this.#database.transaction(async (queries) => {
      await queueForCollection(queries);
      // Waits for whoever is stamping; whoever comes later stamps with the new generation.
      const row = (await queries.get(
        `UPDATE collection SET generation = generation + 1, epoch = epoch + 1,
           seen_ms = CASE WHEN seen_ms > $2 THEN $1 ELSE greatest(seen_ms, $1) END
         WHERE one = 1 RETURNING generation, epoch`,
        nowMs,
        nowMs + SEEN_AHEAD_MS_MAX,
      )) as { generation: number; epoch: number };
      const { generation, epoch } = row;
      const sealing = await queries.get(
        "SELECT min(seal_generation) AS oldest FROM snapshots WHERE state = 'sealing'",
      );
      const oldest = (sealing?.["oldest"] as number | null) ?? generation;
      return { epoch, cutoffGeneration: Math.min(generation, oldest) - 1, generation };
    });
  }

  async seenMs(): Promise<number> {
    const row = await this.#database.get("SELECT seen_ms FROM collection WHERE one = 1");
    return row?.["seen_ms"] as number;
  }

  async roots(limit: number): Promise<GarbageRoot[]> {
    const sql = "SELECT * FROM garbage_roots ORDER BY number LIMIT $1";
    const rows = await this.#database.all(sql, limit);
    return rows.map((row) => ({
      number: row["number"] as number,
      domain: row["domain"] as Domain,
      lineage: row["lineage"] as string,
      startTimeMs: row["start_time_ms"] as number,
      root: digestFromBytes(row["root"] as Uint8Array) as Digest,
    }));
  }

  async addCandidates(domain: Domain, names: readonly RecordName[]): Promise<void> {
    await this.#database.transaction(async (queries) => {
      const generation = await shareGeneration(queries);
      const records = names.map((name) => ({ domain, name }));
      await noteCandidates(queries, generation, records);
    });
  }

  async stored(
    domain: Domain,
    afterName: RecordName | undefined,
    limit: number,
  ): Promise<RecordName[]> {
    const rows = await this.#database.all(
      "SELECT name FROM locations WHERE domain = $1 AND name > $2 ORDER BY name LIMIT $3",
      domain,
      keyAfter(afterName),
      limit,
    );
    return rows.map((row) => recordNameFromBytes(row["name"] as Uint8Array));
  }

  async removeRoot(number: number): Promise<void> {
    await this.#database.run("DELETE FROM garbage_roots WHERE number = $1", number);
  }

  async domains(): Promise<Domain[]> {
    const rows = await this.#database.all(
      "SELECT DISTINCT domain FROM garbage_candidates ORDER BY domain",
    );
    return rows.map((row) => row["domain"] as Domain);
  }

  async candidates(
    domain: Domain,
    afterName: RecordName | undefined,
    limit: number,
  ): Promise<GarbageCandidate[]> {
    const rows = await this.#database.all(
      `SELECT name, doomed_generation, doomed_at_ms FROM garbage_candidates
       WHERE domain = $1 AND name > $2 ORDER BY name LIMIT $3`,
      domain,
      keyAfter(afterName),
      limit,
    );
    return rows.map(candidateFrom);
  }

  async keep(run: CollectionRun, domain: Domain, names: readonly RecordName[]): Promise<void> {
    // What was noted since the run began may have lost, meanwhile, what the run reached it by.
    await this.#change(run, (queries) =>
      queries.run(
        `DELETE FROM garbage_candidates
         WHERE domain = $1 AND name = ANY ($2::bytea[]) AND noted_generation < $3`,
        domain,
        names.map(digestToBytes),
        run.generation,
      ),
    );
  }

  async doom(
    run: CollectionRun,
    domain: Domain,
    { names, nowMs }: { readonly names: readonly RecordName[]; readonly nowMs: number },
  ): Promise<void> {
    await this.#change(run, (queries) =>
      queries.run(
        `UPDATE garbage_candidates SET doomed_generation = $1, doomed_at_ms = $2
         WHERE domain = $3 AND name = ANY ($4::bytea[])`,
        run.generation,
        nowMs,
        domain,
        names.map(digestToBytes),
      ),
    );
  }

  async sweep(run: CollectionRun, domain: Domain, sweep: Sweep) {
    const bytes = sweep.names.map(digestToBytes);
    return this.#change(run, async (queries) => {
      const known = await queries.all(
        `SELECT name, doomed_generation, doomed_at_ms FROM garbage_candidates
         WHERE domain = $1 AND name = ANY ($2::bytea[])`,
        domain,
        bytes,
      );
      assertSweepable(run, sweep, known.map(candidateFrom));
      // In order, before any is removed; what is referred to meanwhile is seen as it then is.
      const removed = await queries.all(
        `WITH old AS (
           SELECT name FROM locations
           WHERE domain = $1 AND name = ANY ($2::bytea[]) AND generation <= $3
           ORDER BY name FOR UPDATE
         )
         DELETE FROM locations USING old
         WHERE domain = $1 AND locations.name = old.name AND generation <= $3
         RETURNING locations.name, segment, length`,
        domain,
        bytes,
        run.cutoffGeneration,
      );
      // What is still there was referred to meanwhile: it begins anew as a candidate.
      await queries.run(
        `DELETE FROM garbage_candidates WHERE domain = $1 AND name = ANY ($2::bytea[])
           AND NOT EXISTS (SELECT 1 FROM locations
             WHERE locations.domain = $1 AND locations.name = garbage_candidates.name)`,
        domain,
        bytes,
      );
      await queries.run(
        `UPDATE garbage_candidates SET doomed_generation = NULL, doomed_at_ms = NULL
         WHERE domain = $1 AND name = ANY ($2::bytea[])`,
        domain,
        bytes,
      );
      const usage = new UsageChanges();
      for (const row of removed) usage.add(row["segment"] as number, -(row["length"] as number));
      await usage.write(queries);
      const sizeBytes = removed.reduce((sum, row) => sum + (row["length"] as number), 0);
      return { recordCount: removed.length, sizeBytes };
    });
  }

  /** One transaction of a run, unless a later run has begun; none begins before it ends. */
  #change<T>(run: CollectionRun, work: (queries: Queries) => Promise<T>): Promise<T> {
    return this.#database.transaction(async (queries) => {
      const row = await queries.get("SELECT epoch FROM collection WHERE one = 1 FOR SHARE");
      if (row?.["epoch"] === run.epoch) return work(queries);
      throw new FencedError(`Collection ${run.epoch} is over: ${row?.["epoch"]} has begun`);
    });
  }
}

/** What an engine answers that knows no such lock, or not this mode of it. */
const NO_SUCH_LOCK = ["0A000", "42601"];

/**
 * Has whoever wants to stamp from now on wait until this transaction has ended. Of a row's locks,
 * shared ones overtake whoever waits to change it, so that under load a run would never begin; a
 * table's stand in line. An engine that has no such lock goes on without: it has its own order.
 */
async function queueForCollection(queries: Queries): Promise<void> {
  await queries.run("SAVEPOINT queueing");
  try {
    await queries.run("LOCK TABLE collection IN EXCLUSIVE MODE");
  } catch (error) {
    const { code = "" } = error as { readonly code?: string };
    if (!NO_SUCH_LOCK.includes(code)) throw error;
    await queries.run("ROLLBACK TO SAVEPOINT queueing");
  }
}
