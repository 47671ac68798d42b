import type { JournalEntry } from "./journal.ts";
import type { Row } from "./rows.ts";

/* The rows that the journal keeps, as the same JSON whatever engine holds them. */

/** A column's value as the journal writes it. */
export type Journaled = string | number | null | { readonly base64: string };

/** A row's columns as the journal writes them, bytes in base64. */
export type JournaledColumns = Readonly<Record<string, Journaled>>;

/** A table whose rows are journaled, with the columns of its key in order. */
export interface Source {
  readonly table: string;
  readonly keys: readonly string[];
}

/** By the first part of the key, in the order in which rows can be brought back. */
export const SOURCES: Readonly<Record<string, Source>> = {
  account: { table: "accounts", keys: ["id"] },
  secret: { table: "meta", keys: ["name"] },
  "access-key": { table: "access_keys", keys: ["id"] },
  "encryption-key": { table: "encryption_keys", keys: ["id"] },
  "encryption-defaults": { table: "encryption_defaults", keys: ["account"] },
  "account-setting": { table: "account_settings", keys: ["account", "name"] },
  snapshot: { table: "snapshots", keys: ["id"] },
  image: { table: "images", keys: ["id"] },
};

/** Parts of a snapshot, in tables of their own. */
export const PARTS = ["snapshot_permissions", "snapshot_locks", "recycled_snapshots"];

/** A thing as the journal writes it. */
export interface JournaledRow {
  readonly columns: JournaledColumns;
  readonly parts?: Readonly<Record<string, readonly JournaledColumns[]>>;
}

/** What kind of thing a key names. */
export function kindOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

/** The kind and as many values as the key has columns; the last may hold slashes itself. */
export function partsOf(key: string, count: number): string[] {
  const parts = key.split("/");
  return [...parts.slice(0, count), parts.slice(count).join("/")];
}

/** The greatest sequence of entries, of which there may be more than a function takes arguments. */
export function greatestSequence(entries: readonly JournalEntry[]): number {
  return entries.reduce((greatest, { sequence }) => Math.max(greatest, sequence), 0);
}

/** A row as the journal writes it. */
export function toJournal(row: Row): JournaledColumns {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array
        ? { base64: Buffer.from(value).toString("base64") }
        : (value as string | number | null),
    ]),
  );
}

/** What the journal wrote of a column. */
export function fromJournal(value: Journaled | undefined): string | number | null | Uint8Array {
  if (value === undefined) return null;
  return typeof value === "object" && value !== null ? Buffer.from(value.base64, "base64") : value;
}
