import { digestToBytes, type RecordName, recordNameFromBytes } from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import type { JournalChange, JournalEntry, JournalTable } from "../journal.ts";
import { greatestSequence, type JournaledRow, kindOf, SOURCES } from "../journal-rows.ts";
import { describeThing, restoreRow } from "./_journal-things.ts";
import { type Named, noteCandidates, noteChanges, refer, shareGeneration } from "./_notes.ts";
import type { PostgresDatabase, Queries } from "./_postgres-database.ts";

const ORDER = Object.keys(SOURCES);
/** Changes noted in one statement: all of a large store's would take longer than one may. */
const NOTED_AT_ONCE = 10_000;

/**
 * `JournalTable` on PostgreSQL. Two journalers at once, of which one has lost its lead and does not
 * know, do no harm: a sequence is given to one of them after the other, each reads what is there
 * after it was given its own, and an entry never takes the place of one with a greater sequence.
 */
export class PostgresJournalTable implements JournalTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async changes(limit: number): Promise<JournalChange[]> {
    const any = await this.#database.get("SELECT 1 AS one FROM journal_changes LIMIT 1");
    if (!any) return [];
    return this.#database.transaction(async (queries) => {
      // Held to the end, so that whoever has the greater sequence has read later.
      const given = await queries.get(
        "UPDATE journal_sequence SET sequence = sequence + $1 WHERE one = 1 RETURNING sequence",
        limit,
      );
      const first = (given?.["sequence"] as number) - limit + 1;
      const rows = await queries.all("SELECT key, stamp FROM journal_changes LIMIT $1", limit);
      const changes: JournalChange[] = [];
      for (const [i, row] of rows.entries()) {
        const key = row["key"] as string;
        const entry = { key, sequence: first + i, value: await describeThing(queries, key) };
        changes.push({ entry, stamp: row["stamp"] as number });
      }
      return changes;
    });
  }

  async settle({ entry, stamp }: JournalChange, record: Named): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const generation = await shareGeneration(queries);
      if (!(await refer(queries, generation, record))) return false;
      const unneeded = await putEntry(queries, entry, record);
      if (unneeded) await noteCandidates(queries, generation, [unneeded]);
      const sql = "DELETE FROM journal_changes WHERE key = $1 AND stamp = $2";
      await queries.run(sql, entry.key, stamp);
      return true;
    });
  }

  async restore(entries: readonly JournalEntry[]): Promise<void> {
    const rank = ({ key }: JournalEntry) => ORDER.indexOf(kindOf(key));
    await this.#database.transaction(async (queries) => {
      for (const { key, value } of entries.toSorted((a, b) => rank(a) - rank(b))) {
        const source = SOURCES[kindOf(key)];
        if (!source) throw new Error(`The journal has an entry of an unknown kind: ${key}`);
        if (value === undefined) continue;
        await restoreRow(queries, source, JSON.parse(value) as JournaledRow);
      }
      // Also that one is gone, or one day only what it left behind would be found.
      for (let start = 0; start < entries.length; start += NOTED_AT_ONCE) {
        const some = entries.slice(start, start + NOTED_AT_ONCE);
        await noteChanges(
          queries,
          some.map(({ key }) => key),
        );
      }
      await queries.run(
        "UPDATE journal_sequence SET sequence = greatest(sequence, $1) WHERE one = 1",
        greatestSequence(entries),
      );
    });
  }

  async sequence(): Promise<number> {
    const row = await this.#database.get("SELECT sequence FROM journal_sequence WHERE one = 1");
    return row?.["sequence"] as number;
  }

  async all(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const [kind, { table, keys }] of Object.entries(SOURCES)) {
      const lasting = kind === "snapshot" ? "WHERE state IN ('completed', 'recycled')" : "";
      const rows = await this.#database.all(`SELECT ${keys.join(", ")} FROM ${table} ${lasting}`);
      for (const row of rows) {
        const key = [kind, ...keys.map((name) => row[name] as string)].join("/");
        const value = await describeThing(this.#database, key);
        if (value !== undefined) found.set(key, value);
      }
    }
    return found;
  }
}

/** Answers which record is needed no more: the one before or, where that is later, this one. */
async function putEntry(
  queries: Queries,
  { key, sequence }: JournalEntry,
  { domain, name }: Named,
): Promise<Named | undefined> {
  const added = await queries.run(
    `INSERT INTO journal_entries (key, sequence, domain, name) VALUES ($1, $2, $3, $4)
     ON CONFLICT (key) DO NOTHING`,
    key,
    sequence,
    domain,
    digestToBytes(name),
  );
  if (added > 0) return undefined;
  const locked = "SELECT sequence, domain, name FROM journal_entries WHERE key = $1 FOR UPDATE";
  const before = await queries.get(locked, key);
  if (!before) throw new Error(`The journal's entry ${key} has gone`);
  const earlier: Named = {
    domain: before["domain"] as Domain,
    name: recordNameFromBytes(before["name"] as Uint8Array) as RecordName,
  };
  if (earlier.domain === domain && earlier.name === name) return undefined;
  if ((before["sequence"] as number) > sequence) return { domain, name };
  await queries.run(
    "UPDATE journal_entries SET sequence = $2, domain = $3, name = $4 WHERE key = $1",
    key,
    sequence,
    domain,
    digestToBytes(name),
  );
  return earlier;
}
