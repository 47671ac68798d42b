import type { AccountId } from "../../model/ids.ts";
import { type Image, snapshotsOf } from "../../model/image.ts";
import type { ImageRefusal, ImageTable } from "../catalog.ts";
import { imageFrom } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `ImageTable` on SQLite: what is searched for in columns, the whole as JSON. */
export class SqliteImageTable implements ImageTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async add(image: Image): Promise<ImageRefusal | undefined> {
    const { id, account, name } = image;
    return this.#database.transaction(() => {
      const named = "SELECT 1 FROM images WHERE account = ? AND name = ?";
      if (this.#database.get(named, account, name)) return "name-taken";
      const numbers = [...snapshotsOf(image)].map((snapshotId) => this.#numberOf(snapshotId));
      if (numbers.includes(undefined)) return "unknown-snapshot";
      const insert = "INSERT INTO images (id, account, name, contents) VALUES (?, ?, ?, ?)";
      this.#database.run(insert, id, account, name, JSON.stringify(image));
      for (const number of numbers) {
        const sql = "INSERT INTO image_snapshots (image, snapshot) VALUES (?, ?)";
        this.#database.run(sql, id, number as number);
      }
      return undefined;
    });
  }

  #numberOf(snapshotId: string): number | undefined {
    const sql = "SELECT number FROM snapshots WHERE id = ? AND state = 'completed'";
    return this.#database.get(sql, snapshotId)?.["number"] as number | undefined;
  }

  async get(id: string): Promise<Image | undefined> {
    const row = this.#database.get("SELECT contents FROM images WHERE id = ?", id);
    return row && imageFrom(row);
  }

  async named(account: AccountId, name: string): Promise<Image | undefined> {
    const sql = "SELECT contents FROM images WHERE account = ? AND name = ?";
    const row = this.#database.get(sql, account, name);
    return row && imageFrom(row);
  }

  async page(afterId: string, limit: number): Promise<Image[]> {
    const sql = "SELECT contents FROM images WHERE id > ? ORDER BY id LIMIT ?";
    return this.#database.all(sql, afterId, limit).map(imageFrom);
  }

  async change(id: string, change: (image: Image) => Image): Promise<Image | undefined> {
    return this.#database.transaction(() => {
      const row = this.#database.get("SELECT contents FROM images WHERE id = ?", id);
      if (!row) return undefined;
      const image = change(imageFrom(row));
      const sql = "UPDATE images SET contents = ? WHERE id = ?";
      this.#database.run(sql, JSON.stringify(image), id);
      return image;
    });
  }

  async delete(id: string): Promise<boolean> {
    return this.#database.run("DELETE FROM images WHERE id = ?", id) > 0;
  }
}
