import type { AccountId } from "../../model/ids.ts";
import { type Image, snapshotsOf } from "../../model/image.ts";
import type { ImageRefusal, ImageTable } from "../catalog.ts";
import { imageFrom } from "../rows.ts";
import { noteChanges } from "./_notes.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";

/** `ImageTable` on PostgreSQL: what is searched for in columns, the whole as JSON. */
export class PostgresImageTable implements ImageTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async add(image: Image): Promise<ImageRefusal | undefined> {
    const { id, account, name } = image;
    const named = "SELECT 1 AS one FROM images WHERE account = $1 AND name = $2";
    const ids = snapshotsOf(image);
    return this.#database.transaction(async (queries) => {
      if (await queries.get(named, account, name)) return "name-taken";
      // Shared, so that none of them is deleted before the image holds it.
      const rows = await queries.all(
        `SELECT number FROM snapshots WHERE id = ANY ($1::text[]) AND state = 'completed'
         ORDER BY number FOR SHARE`,
        [...ids],
      );
      if (rows.length < ids.size) return "unknown-snapshot";
      const added = await queries.run(
        `INSERT INTO images (id, account, name, contents) VALUES ($1, $2, $3, $4)
         ON CONFLICT (account, name) DO NOTHING`,
        id,
        account,
        name,
        JSON.stringify(image),
      );
      if (added === 0) return "name-taken";
      await queries.run(
        "INSERT INTO image_snapshots (image, snapshot) SELECT $1, unnest($2::bigint[])",
        id,
        rows.map(({ number }) => number as number),
      );
      await noteChanges(queries, [`image/${id}`]);
      return undefined;
    });
  }

  async get(id: string): Promise<Image | undefined> {
    const row = await this.#database.get("SELECT contents FROM images WHERE id = $1", id);
    return row && imageFrom(row);
  }

  async named(account: AccountId, name: string): Promise<Image | undefined> {
    const sql = "SELECT contents FROM images WHERE account = $1 AND name = $2";
    const row = await this.#database.get(sql, account, name);
    return row && imageFrom(row);
  }

  async page(afterId: string, limit: number): Promise<Image[]> {
    const sql = "SELECT contents FROM images WHERE id > $1 ORDER BY id LIMIT $2";
    return (await this.#database.all(sql, afterId, limit)).map(imageFrom);
  }

  async change(id: string, change: (image: Image) => Image): Promise<Image | undefined> {
    return this.#database.transaction(async (queries) => {
      const sql = "SELECT contents FROM images WHERE id = $1 FOR UPDATE";
      const row = await queries.get(sql, id);
      if (!row) return undefined;
      const image = change(imageFrom(row));
      const update = "UPDATE images SET contents = $1 WHERE id = $2";
      await queries.run(update, JSON.stringify(image), id);
      await noteChanges(queries, [`image/${id}`]);
      return image;
    });
  }

  async delete(id: string): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const deleted = await queries.run("DELETE FROM images WHERE id = $1", id);
      if (deleted > 0) await noteChanges(queries, [`image/${id}`]);
      return deleted > 0;
    });
  }
}
