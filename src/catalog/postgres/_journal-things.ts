import type { Parameter, Queries, Row } from "./_postgres-database.ts";
import { isLasting, SNAPSHOT_COLUMNS } from "./_snapshot-rows.ts";

/* The rows that the journal keeps, as the JSON that the embedded catalog makes of them, too. */

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

type Journaled = string | number | null | { readonly base64: string };

/** A row's columns as the journal writes them, bytes in base64. */
export type JournaledColumns = Readonly<Record<string, Journaled>>;

/** A thing as the journal writes it. */
export interface JournaledRow {
  readonly columns: JournaledColumns;
  readonly parts?: Readonly<Record<string, readonly JournaledColumns[]>>;
}

/** What kind of thing a key names. */
export function kindOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

/** The thing of a key as it is now; undefined when there is none. */
export async function describeThing(queries: Queries, key: string): Promise<string | undefined> {
  const kind = kindOf(key);
  const source = SOURCES[kind];
  if (!source) throw new Error(`There is nothing to journal under ${key}`);
  const [, ...values] = partsOf(key, source.keys.length);
  const condition = source.keys.map((name, i) => `${name} = $${i + 1}`).join(" AND ");
  const sql = `SELECT * FROM ${source.table} WHERE ${condition}`;
  const row = await queries.get(sql, ...values);
  if (!row) return undefined;
  if (kind !== "snapshot") return JSON.stringify({ columns: toJournal(row) });
  if (!isLasting(row["state"])) return undefined;
  // Numbers, generations and attempts are this catalog's own.
  const columns = Object.fromEntries(SNAPSHOT_COLUMNS.map((name) => [name, row[name]]));
  const parts: Record<string, readonly JournaledColumns[]> = {};
  for (const part of PARTS) {
    const rows = await queries.all(
      `SELECT * FROM ${part} WHERE snapshot = $1`,
      row["number"] as number,
    );
    if (rows.length > 0) parts[part] = rows.map(({ snapshot: _, ...rest }) => toJournal(rest));
  }
  return JSON.stringify({ columns: toJournal(columns), parts });
}

/** Brings a row back; one of its key that is there is replaced. */
export async function restoreRow(
  queries: Queries,
  { table, keys }: Source,
  { columns, parts = {} }: JournaledRow,
): Promise<void> {
  const names = Object.keys(columns);
  const updates = names
    .filter((name) => !keys.includes(name))
    .map((name) => `${name} = excluded.${name}`);
  const action = updates.length > 0 ? `UPDATE SET ${updates.join(", ")}` : "NOTHING";
  await queries.run(
    `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map((_, i) => `$${i + 1}`)})
     ON CONFLICT (${keys.join(", ")}) DO ${action}`,
    ...names.map((name) => fromJournal(columns[name])),
  );
  for (const [part, rows] of Object.entries(parts)) {
    if (!PARTS.includes(part)) throw new Error(`A snapshot in the journal has a part ${part}`);
    for (const row of rows) await restorePart(queries, part, { id: columns["id"], row });
  }
}

async function restorePart(
  queries: Queries,
  table: string,
  { id, row }: { readonly id: Journaled | undefined; readonly row: JournaledColumns },
): Promise<void> {
  const names = Object.keys(row);
  const places = names.map((_, i) => `$${i + 2}`);
  // Typed by the columns they go to, which a SELECT would not let them be.
  await queries.run(
    `INSERT INTO ${table} (${["snapshot", ...names].join(", ")})
     VALUES (${["(SELECT number FROM snapshots WHERE id = $1)", ...places]})
     ON CONFLICT DO NOTHING`,
    fromJournal(id),
    ...names.map((name) => fromJournal(row[name])),
  );
}

/** The kind and as many values as the key has columns; the last may hold slashes itself. */
function partsOf(key: string, count: number): string[] {
  const parts = key.split("/");
  return [...parts.slice(0, count), parts.slice(count).join("/")];
}

function toJournal(row: Row): JournaledColumns {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array
        ? { base64: Buffer.from(value).toString("base64") }
        : (value as string | number | null),
    ]),
  );
}

function fromJournal(value: Journaled | undefined): Parameter {
  if (value === undefined) return null;
  return typeof value === "object" && value !== null ? Buffer.from(value.base64, "base64") : value;
}
