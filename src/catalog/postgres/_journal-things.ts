import { type Image, snapshotsOf } from "../../model/image.ts";
import {
  fromJournal,
  type JournaledColumns,
  type JournaledRow,
  kindOf,
  PARTS,
  partsOf,
  SOURCES,
  type Source,
  toJournal,
} from "../journal-rows.ts";
import { SNAPSHOT_COLUMNS } from "../rows.ts";
import type { Queries } from "./_postgres-database.ts";
import { isLasting } from "./_snapshot-rows.ts";

/* The things that the journal keeps, read from and written to their rows. */

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
  const id = columns["id"] as string;
  if (table === "images") await holdSnapshots(queries, id, columns["contents"] as string);
  if (table === "snapshots") await removeParts(queries, id);
  for (const [part, rows] of Object.entries(parts)) {
    if (!PARTS.includes(part)) throw new Error(`A snapshot in the journal has a part ${part}`);
    for (const row of rows) await restorePart(queries, part, { id, row });
  }
}

/** An image's snapshots are not deleted while there is the image. */
async function holdSnapshots(queries: Queries, imageId: string, contents: string): Promise<void> {
  await queries.run(
    `INSERT INTO image_snapshots (image, snapshot)
     SELECT $1, number FROM snapshots WHERE id = ANY ($2::text[]) ON CONFLICT DO NOTHING`,
    imageId,
    [...snapshotsOf(JSON.parse(contents) as Image)],
  );
}

/** What an earlier entry said, and the latest does not, is not so any more. */
async function removeParts(queries: Queries, snapshotId: string): Promise<void> {
  for (const part of PARTS) {
    const sql = `DELETE FROM ${part} WHERE snapshot = (SELECT number FROM snapshots WHERE id = $1)`;
    await queries.run(sql, snapshotId);
  }
}

async function restorePart(
  queries: Queries,
  table: string,
  { id, row }: { readonly id: string; readonly row: JournaledColumns },
): Promise<void> {
  const names = Object.keys(row);
  const places = names.map((_, i) => `$${i + 2}`);
  // Typed by the columns they go to, which a SELECT would not let them be.
  await queries.run(
    `INSERT INTO ${table} (${["snapshot", ...names].join(", ")})
     VALUES (${["(SELECT number FROM snapshots WHERE id = $1)", ...places]})
     ON CONFLICT DO NOTHING`,
    id,
    ...names.map((name) => fromJournal(row[name])),
  );
}
