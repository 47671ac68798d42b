import type { AccountId } from "../../model/ids.ts";
import type { StoreSecret } from "../../model/store-secret.ts";
import type {
  AccessKey,
  AccessKeyChange,
  AccessKeyOutcome,
  IdentityTable,
  SecretsChange,
} from "../catalog.ts";
import { accessKeyFrom, metaName, secretFrom } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `IdentityTable` on SQLite. */
export class SqliteIdentityTable implements IdentityTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async begin(account: AccountId, key: AccessKey | undefined): Promise<void> {
    this.#database.transaction(() => {
      if (!this.#first()) this.#add(account);
      const first = this.#first() ?? account;
      const inCharge = `SELECT 1 FROM access_keys
        WHERE account = ? AND active = 1 AND policy IS NULL LIMIT 1`;
      if (key && !this.#database.get(inCharge, first)) this.#put({ ...key, account: first });
    });
  }

  #first(): AccountId | undefined {
    const row = this.#database.get("SELECT id FROM accounts ORDER BY position LIMIT 1");
    return row?.["id"] as AccountId | undefined;
  }

  async addAccount(account: AccountId): Promise<void> {
    this.#add(account);
  }

  #add(account: AccountId): void {
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
    this.#put(key);
  }

  #put(key: AccessKey): void {
    this.#database.run(
      `INSERT INTO access_keys (id, secret, account, active, policy, created_at_ms)
       VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET secret = excluded.secret, account = excluded.account,
         active = excluded.active, policy = excluded.policy,
         created_at_ms = excluded.created_at_ms`,
      key.accessKeyId,
      key.secretAccessKey,
      key.account,
      key.active ? 1 : 0,
      key.policy ?? null,
      key.createdAtMs,
    );
  }

  async accessKey(accessKeyId: string): Promise<AccessKey | undefined> {
    // Every request asks for its own. One that is inactive is looked for as long as one that is not
    // there: how long an answer takes must not tell.
    const active = this.#database.recall(`key ${accessKeyId}`, () => {
      const key = this.#get(accessKeyId);
      return key?.active ? key : undefined;
    });
    return active ?? this.#get(accessKeyId);
  }

  #get(accessKeyId: string): AccessKey | undefined {
    const row = this.#database.get("SELECT * FROM access_keys WHERE id = ?", accessKeyId);
    return row && accessKeyFrom(row);
  }

  async accessKeys(account: AccountId): Promise<AccessKey[]> {
    const rows = this.#database.all(
      "SELECT * FROM access_keys WHERE account = ? ORDER BY created_at_ms, id",
      account,
    );
    return rows.map(accessKeyFrom);
  }

  async changeAccessKey(
    accessKeyId: string,
    change: AccessKeyChange | "delete",
  ): Promise<AccessKeyOutcome> {
    return this.#database.transaction(() => {
      const key = this.#get(accessKeyId);
      if (!key) return "unknown";
      const changed = change === "delete" ? undefined : { ...key, ...change };
      const staysInCharge = changed?.active && changed.policy === undefined;
      if (!staysInCharge && this.#isLastInCharge(key)) return "last";
      if (changed) this.#put(changed);
      else this.#database.run("DELETE FROM access_keys WHERE id = ?", accessKeyId);
      return "changed";
    });
  }

  /** True for the only active key of the first account that has no policy. */
  #isLastInCharge({ accessKeyId }: AccessKey): boolean {
    const rows = this.#database.all(
      `SELECT id FROM access_keys WHERE active = 1 AND policy IS NULL
         AND account = (SELECT id FROM accounts ORDER BY position LIMIT 1) LIMIT 2`,
    );
    return rows.length === 1 && rows[0]?.["id"] === accessKeyId;
  }

  async secrets(name: string): Promise<StoreSecret[]> {
    const rows = this.#database.all(
      "SELECT * FROM meta WHERE name = ? OR substr(name, 1, ?) = ?",
      name,
      name.length + 1,
      `${name}/`,
    );
    return rows.map(secretFrom).sort((a, b) => a.number - b.number);
  }

  async changeSecrets({ add, forget }: SecretsChange): Promise<void> {
    this.#database.transaction(() => {
      for (const secret of add) {
        this.#database.run(
          "INSERT INTO meta (name, value, created_at_ms) VALUES (?, ?, ?)",
          metaName(secret),
          secret.value,
          secret.createdAtMs,
        );
      }
      for (const secret of forget) {
        this.#database.run("DELETE FROM meta WHERE name = ?", metaName(secret));
      }
    });
  }
}
