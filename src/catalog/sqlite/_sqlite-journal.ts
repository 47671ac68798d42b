import { nextTurn } from "../../base/next-turn.ts";
import { digestToBytes, type RecordName } from "../../model/digest.ts";
import type { Domain } from "../../model/ids.ts";
import { type Image, snapshotsOf } from "../../model/image.ts";
import type { JournalChange, JournalEntry, JournalTable } from "../journal.ts";
import {
  fromJournal,
  greatestSequence,
  type Journaled,
  type JournaledColumns,
  type JournaledRow,
  kindOf,
  PARTS,
  partsOf,
  SOURCES,
  type Source,
  toJournal,
} from "../journal-rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";
import { ADD_CANDIDATE } from "./_sqlite-garbage.ts";
import { refer } from "./_sqlite-liveness.ts";

const ORDER = Object.keys(SOURCES);
/** Things read in one turn (ours: some milliseconds). */
const READ_AT_ONCE = 100;

const NOTE_CHANGE = `INSERT INTO journal_changes (key, stamp) VALUES (?, 0)
  ON CONFLICT DO NOTHING`;

/** `JournalTable` on SQLite: a thing is a row with all its columns, bytes in base64. */
export class SqliteJournalTable implements JournalTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async changes(limit: number): Promise<JournalChange[]> {
    return this.#database.transaction(() => {
      const rows = this.#database.all("SELECT key, stamp FROM journal_changes LIMIT ?", limit);
      return rows.map((row) => {
        const key = row["key"] as string;
        const sequence = this.#nextSequence();
        const entry = { key, sequence, value: this.#valueOf(key) };
        return { entry, stamp: row["stamp"] as number };
      });
    });
  }

  #nextSequence(): number {
    const sql = "UPDATE journal_sequence SET sequence = sequence + 1 RETURNING sequence";
    return this.#database.get(sql)?.["sequence"] as number;
  }

  async settle(
    { entry, stamp }: JournalChange,
    { domain, name }: { readonly domain: Domain; readonly name: RecordName },
  ): Promise<boolean> {
    return this.#database.transaction(() => {
      if (!refer(this.#database, domain, name)) return false;
      const known = "SELECT domain, name FROM journal_entries WHERE key = ?";
      const before = this.#database.get(known, entry.key);
      if (before) {
        const lay = [before["domain"] as string, before["name"] as Uint8Array] as const;
        this.#database.run(ADD_CANDIDATE, ...lay);
      }
      this.#database.run(
        `INSERT OR REPLACE INTO journal_entries (key, sequence, domain, name) VALUES (?, ?, ?, ?)`,
        entry.key,
        entry.sequence,
        domain,
        digestToBytes(name),
      );
      const sql = "DELETE FROM journal_changes WHERE key = ? AND stamp = ?";
      this.#database.run(sql, entry.key, stamp);
      return true;
    });
  }

  async restore(entries: readonly JournalEntry[]): Promise<void> {
    const rank = ({ key }: JournalEntry) => ORDER.indexOf(kindOf(key));
    this.#database.transaction(() => {
      for (const { key, value } of entries.toSorted((a, b) => rank(a) - rank(b))) {
        const source = SOURCES[kindOf(key)];
        if (!source) throw new Error(`The journal has an entry of an unknown kind: ${key}`);
        if (value !== undefined) this.#restoreRow(source, JSON.parse(value) as JournaledRow);
        // That it is gone is noted again, or one day only what it left behind would be found.
        else this.#database.run(NOTE_CHANGE, key);
      }
      const sql = "UPDATE journal_sequence SET sequence = max(sequence, ?)";
      this.#database.run(sql, greatestSequence(entries));
    });
  }

  #restoreRow({ table, keys }: Source, { columns, parts = {} }: JournaledRow): void {
    const names = Object.keys(columns);
    const updates = names
      .filter((name) => !keys.includes(name))
      .map((name) => `${name} = excluded.${name}`);
    const action = updates.length > 0 ? `UPDATE SET ${updates.join(", ")}` : "NOTHING";
    const places = names.map(() => "?").join(", ");
    this.#database.run(
      `INSERT INTO ${table} (${names.join(", ")}) VALUES (${places})
       ON CONFLICT (${keys.join(", ")}) DO ${action}`,
      ...names.map((name) => fromJournal(columns[name])),
    );
    const id = columns["id"] as string;
    if (table === "images") this.#holdSnapshots(id, columns["contents"] as string);
    if (table === "snapshots") this.#removeParts(id);
    for (const [part, rows] of Object.entries(parts)) {
      if (!PARTS.includes(part)) throw new Error(`A snapshot in the journal has a part ${part}`);
      for (const row of rows) this.#restorePart(part, row, id);
    }
  }

  /** An image's snapshots are not deleted while there is the image. */
  #holdSnapshots(imageId: string, contents: string): void {
    for (const snapshotId of snapshotsOf(JSON.parse(contents) as Image)) {
      this.#database.run(
        `INSERT INTO image_snapshots (image, snapshot)
         SELECT ?, number FROM snapshots WHERE id = ? ON CONFLICT DO NOTHING`,
        imageId,
        snapshotId,
      );
    }
  }

  /** What an earlier entry said, and the latest does not, is not so any more. */
  #removeParts(snapshotId: string): void {
    for (const part of PARTS) {
      const number = "(SELECT number FROM snapshots WHERE id = ?)";
      this.#database.run(`DELETE FROM ${part} WHERE snapshot = ${number}`, snapshotId);
    }
  }

  #restorePart(table: string, row: Readonly<Record<string, Journaled>>, id: string): void {
    const names = Object.keys(row);
    const columns = ["snapshot", ...names].join(", ");
    this.#database.run(
      `INSERT INTO ${table} (${columns})
       SELECT number${names.map(() => ", ?").join("")} FROM snapshots WHERE id = ?
       ON CONFLICT DO NOTHING`,
      ...names.map((name) => fromJournal(row[name])),
      id,
    );
  }

  async sequence(): Promise<number> {
    return this.#database.get("SELECT sequence FROM journal_sequence")?.["sequence"] as number;
  }

  async all(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const [kind, { table, keys }] of Object.entries(SOURCES)) {
      const lasting = kind === "snapshot" ? "WHERE state IN ('completed', 'recycled')" : "";
      const rows = this.#database.all(`SELECT ${keys.join(", ")} FROM ${table} ${lasting}`);
      for (const row of rows) {
        const key = [kind, ...keys.map((name) => row[name] as string)].join("/");
        const value = this.#valueOf(key);
        if (value !== undefined) found.set(key, value);
        // A large store's take long, and requests have their turn meanwhile.
        if (found.size % READ_AT_ONCE === 0) await nextTurn();
      }
    }
    return found;
  }

  /** The thing of a key as it is now; undefined when there is none. */
  #valueOf(key: string): string | undefined {
    const kind = kindOf(key);
    const source = SOURCES[kind];
    if (!source) throw new Error(`There is nothing to journal under ${key}`);
    const [, ...values] = partsOf(key, source.keys.length);
    const condition = source.keys.map((name) => `${name} = ?`).join(" AND ");
    const row = this.#database.get(`SELECT * FROM ${source.table} WHERE ${condition}`, ...values);
    if (!row) return undefined;
    if (kind !== "snapshot") return JSON.stringify({ columns: toJournal(row) });
    if (row["state"] !== "completed" && row["state"] !== "recycled") return undefined;
    // Numbers and generations are this catalog's own, and a lost parent's root is not needed.
    const { number, seal_generation: _generation, ...columns } = row;
    const parts = PARTS.map((part) => [part, this.#partsOf(part, number as number)] as const);
    const present = Object.fromEntries(parts.filter(([, rows]) => rows.length > 0));
    return JSON.stringify({ columns: toJournal(columns), parts: present });
  }

  #partsOf(table: string, number: number): JournaledColumns[] {
    const rows = this.#database.all(`SELECT * FROM ${table} WHERE snapshot = ?`, number);
    return rows.map(({ snapshot: _snapshot, ...columns }) => toJournal(columns));
  }
}
