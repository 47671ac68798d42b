import type { AccountId } from "../model/ids.ts";
import type { Row, SqliteDatabase } from "./_sqlite-database.ts";
import type { AccessKey, IdentityTable } from "./catalog.ts";

/** `IdentityTable` on SQLite. */
export class SqliteIdentityTable implements IdentityTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async addAccount(account: AccountId): Promise<void> {
    this.#database.run(
      `INSERT INTO accounts (id, position) SELECT ?, count(*) FROM accounts WHERE true
       ON CONFLICT DO NOTHING`,
      account,
    );
  }

  async accounts(): Promise<AccountId[]> {
    const rows = this.#database.all("SELECT id FROM accounts ORDER BY position");
    return rows.map((row) => row["id"] as AccountId);
  }

  async putAccessKey(key: AccessKey): Promise<void> {
    this.#database.run(
      `INSERT INTO access_keys (id, secret, account, active) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET secret = excluded.secret, account = excluded.account,
         active = excluded.active`,
      key.accessKeyId,
      key.secretAccessKey,
      key.account,
      key.active ? 1 : 0,
    );
  }

  async accessKey(accessKeyId: string): Promise<AccessKey | undefined> {
    const row = this.#database.get("SELECT * FROM access_keys WHERE id = ?", accessKeyId);
    return row && accessKeyFrom(row);
  }

  async accessKeys(account: AccountId): Promise<AccessKey[]> {
    const rows = this.#database.all(
      "SELECT * FROM access_keys WHERE account = ? ORDER BY id",
      account,
    );
    return rows.map(accessKeyFrom);
  }

  async secret(name: string, initial: Uint8Array): Promise<Uint8Array> {
    this.#database.run(
      "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
      name,
      initial,
    );
    return this.#database.get("SELECT value FROM meta WHERE name = ?", name)?.[
      "value"
    ] as Uint8Array;
  }
}

function accessKeyFrom(row: Row): AccessKey {
  return {
    accessKeyId: row["id"] as string,
    secretAccessKey: row["secret"] as string,
    account: row["account"] as AccountId,
    active: row["active"] === 1,
  };
}
