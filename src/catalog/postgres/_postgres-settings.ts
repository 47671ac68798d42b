import type { AccountId } from "../../model/ids.ts";
import type { SettingsTable } from "../catalog.ts";
import { noteChanges } from "./_notes.ts";
import type { PostgresDatabase } from "./_postgres-database.ts";

/** `SettingsTable` on PostgreSQL. */
export class PostgresSettingsTable implements SettingsTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async get(account: AccountId, name: string): Promise<string | undefined> {
    const sql = "SELECT value FROM account_settings WHERE account = $1 AND name = $2";
    return (await this.#database.get(sql, account, name))?.["value"] as string | undefined;
  }

  async put(account: AccountId, name: string, value: string | undefined): Promise<void> {
    await this.#database.transaction(async (queries) => {
      if (value === undefined) {
        const sql = "DELETE FROM account_settings WHERE account = $1 AND name = $2";
        await queries.run(sql, account, name);
      } else {
        await queries.run(
          `INSERT INTO account_settings (account, name, value) VALUES ($1, $2, $3)
           ON CONFLICT (account, name) DO UPDATE SET value = excluded.value`,
          account,
          name,
          value,
        );
      }
      await noteChanges(queries, [`account-setting/${account}/${name}`]);
    });
  }
}
