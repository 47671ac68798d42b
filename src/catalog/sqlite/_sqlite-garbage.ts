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
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `GarbageTable` on SQLite. */
export class SqliteGarbageTable implements GarbageTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async begin(nowMs: number): Promise<CollectionRun> {
    return this.#database.transaction(() => {
      const row = this.#database.get(
        `SELECT generation, epoch, coalesce(
           (SELECT min(seal_generation) - 1 FROM snapshots WHERE state = 'sealing'),
           generation) AS sealed
         FROM collection`,
      ) as { generation: number; epoch: number; sealed: number };
      this.#database.run(
        `UPDATE collection SET generation = generation + 1, epoch = epoch + 1,
           seen_ms = CASE WHEN seen_ms > ? THEN ? ELSE max(seen_ms, ?) END`,
        nowMs + SEEN_AHEAD_MS_MAX,
        nowMs,
        nowMs,
      );
      return {
        epoch: row.epoch + 1,
        cutoffGeneration: Math.min(row.generation, row.sealed),
        generation: row.generation + 1,
      };
    });
  }

  async seenMs(): Promise<number> {
    return this.#database.get("SELECT seen_ms FROM collection")?.["seen_ms"] as number;
  }

  async roots(limit: number): Promise<GarbageRoot[]> {
    const sql = "SELECT * FROM garbage_roots ORDER BY number LIMIT ?";
    return this.#database.all(sql, limit).map((row) => ({
      number: row["number"] as number,
      domain: row["domain"] as Domain,
      lineage: row["lineage"] as string,
      startTimeMs: row["start_time_ms"] as number,
      root: digestFromBytes(row["root"] as Uint8Array) as Digest,
    }));
  }

  async addCandidates(domain: Domain, names: readonly RecordName[]): Promise<void> {
    this.#database.transaction(() => {
      for (const name of names) {
        this.#database.run(ADD_CANDIDATE, domain, digestToBytes(name));
      }
    });
  }

  async stored(
    domain: Domain,
    afterName: RecordName | undefined,
    limit: number,
  ): Promise<RecordName[]> {
    const rows = this.#database.all(
      "SELECT name FROM locations WHERE domain = ? AND name > ? ORDER BY name LIMIT ?",
      domain,
      keyAfter(afterName),
      limit,
    );
    return rows.map((row) => recordNameFromBytes(row["name"] as Uint8Array));
  }

  async removeRoot(number: number): Promise<void> {
    this.#database.run("DELETE FROM garbage_roots WHERE number = ?", number);
  }

  async domains(): Promise<Domain[]> {
    const rows = this.#database.all("SELECT DISTINCT domain FROM garbage_candidates");
    return rows.map((row) => row["domain"] as Domain);
  }

  async candidates(
    domain: Domain,
    afterName: RecordName | undefined,
    limit: number,
  ): Promise<GarbageCandidate[]> {
    const rows = this.#database.all(
      `SELECT name, doomed_generation, doomed_at_ms FROM garbage_candidates
       WHERE domain = ? AND name > ? ORDER BY name LIMIT ?`,
      domain,
      keyAfter(afterName),
      limit,
    );
    return rows.map(candidateFrom);
  }

  async keep(run: CollectionRun, domain: Domain, names: readonly RecordName[]): Promise<void> {
    this.#change(run, () => {
      for (const name of names) {
        this.#database.run(KEEP_CANDIDATE, domain, digestToBytes(name), run.generation);
      }
    });
  }

  async doom(
    run: CollectionRun,
    domain: Domain,
    { names, nowMs }: { readonly names: readonly RecordName[]; readonly nowMs: number },
  ): Promise<void> {
    this.#change(run, () => {
      for (const name of names) {
        this.#database.run(
          `UPDATE garbage_candidates SET doomed_generation = ?, doomed_at_ms = ?
           WHERE domain = ? AND name = ?`,
          run.generation,
          nowMs,
          domain,
          digestToBytes(name),
        );
      }
    });
  }

  async sweep(run: CollectionRun, domain: Domain, sweep: Sweep) {
    const { names } = sweep;
    return this.#change(run, () => {
      assertSweepable(run, sweep, this.#known(domain, names));
      let recordCount = 0;
      let sizeBytes = 0;
      for (const name of names) {
        const bytes = digestToBytes(name);
        const removed = this.#database.get(
          `DELETE FROM locations WHERE domain = ? AND name = ? AND generation <= ?
           RETURNING length`,
          domain,
          bytes,
          run.cutoffGeneration,
        );
        if (removed) {
          recordCount += 1;
          sizeBytes += removed["length"] as number;
        }
        // What is still there was referred to meanwhile: it begins anew as a candidate.
        const located = "SELECT 1 FROM locations WHERE domain = ? AND name = ?";
        const isThere = !removed && this.#database.get(located, domain, bytes);
        this.#database.run(isThere ? REPRIEVE_CANDIDATE : FORGET_CANDIDATE, domain, bytes);
      }
      return { recordCount, sizeBytes };
    });
  }

  /** What is noted of these now. */
  #known(domain: Domain, names: readonly RecordName[]): GarbageCandidate[] {
    const rows = names.map((name) => this.#database.get(CANDIDATE, domain, digestToBytes(name)));
    return rows.filter((row) => row !== undefined).map(candidateFrom);
  }

  /** One transaction of a run, unless a later run has begun. */
  #change<T>(run: CollectionRun, work: () => T): T {
    return this.#database.transaction(() => {
      const epoch = this.#database.get("SELECT epoch FROM collection")?.["epoch"];
      if (epoch === run.epoch) return work();
      throw new FencedError(`Collection ${run.epoch} is over: ${epoch} has begun`);
    });
  }
}

/** Notes a record as possible garbage. */
export const ADD_CANDIDATE = `INSERT INTO garbage_candidates (domain, name, noted_generation)
  SELECT ?, ?, generation FROM collection WHERE true
  ON CONFLICT DO UPDATE SET noted_generation = excluded.noted_generation`;
const CANDIDATE = `SELECT name, doomed_generation, doomed_at_ms FROM garbage_candidates
  WHERE domain = ? AND name = ?`;
/** What was noted since the run began may have lost, meanwhile, what the run reached it by. */
const KEEP_CANDIDATE = `DELETE FROM garbage_candidates
  WHERE domain = ? AND name = ? AND noted_generation < ?`;
const FORGET_CANDIDATE = "DELETE FROM garbage_candidates WHERE domain = ? AND name = ?";
const REPRIEVE_CANDIDATE = `UPDATE garbage_candidates
  SET doomed_generation = NULL, doomed_at_ms = NULL WHERE domain = ? AND name = ?`;
