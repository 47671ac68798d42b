import type { AccountId } from "../../model/ids.ts";
import type { SettingsTable } from "../catalog.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `SettingsTable` on SQLite. */
export class SqliteSettingsTable implements SettingsTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async get(account: AccountId, name: string): Promise<string | undefined> {
    const sql = "SELECT value FROM account_settings WHERE account = ? AND name = ?";
    return this.#database.get(sql, account, name)?.["value"] as string | undefined;
  }

  async put(account: AccountId, name: string, value: string | undefined): Promise<void> {
    if (value === undefined) {
      const sql = "DELETE FROM account_settings WHERE account = ? AND name = ?";
      this.#database.run(sql, account, name);
      return;
    }
    this.#database.run(
      `INSERT INTO account_settings (account, name, value) VALUES (?, ?, ?)
       ON CONFLICT (account, name) DO UPDATE SET value = excluded.value`,
      account,
      name,
      value,
    );
  }
}
