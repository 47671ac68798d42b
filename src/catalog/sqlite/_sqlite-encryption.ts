import type { EncryptionDefaults, EncryptionKey } from "../../model/encryption-key.ts";
import type { AccountId, EncryptionKeyId, KeyDomain } from "../../model/ids.ts";
import type { EncryptionTable } from "../catalog.ts";
import { keyFrom } from "../rows.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `EncryptionTable` on SQLite. */
export class SqliteEncryptionTable implements EncryptionTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async add(key: EncryptionKey): Promise<boolean> {
    const added = this.#database.run(
      `INSERT INTO encryption_keys
         (id, account, domain, state, manager, description, created_at_ms, deletion_at_ms, secrets)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      key.id,
      key.account,
      key.domain,
      key.state,
      key.manager,
      key.description,
      key.createdAtMs,
      key.deletionAtMs ?? null,
      JSON.stringify(key.secrets),
    );
    return added > 0;
  }

  async get(id: EncryptionKeyId): Promise<EncryptionKey | undefined> {
    return this.#first("id = ?", id);
  }

  async ofDomain(domain: KeyDomain): Promise<EncryptionKey | undefined> {
    return this.#database.recall(`domain ${domain}`, () => this.#first("domain = ?", domain));
  }

  async madeFor(account: AccountId): Promise<EncryptionKey | undefined> {
    return this.#first("account = ? AND manager = 'service'", account);
  }

  async ofStore(): Promise<EncryptionKey | undefined> {
    return this.#first("manager = ?", "store");
  }

  #first(condition: string, value: string): EncryptionKey | undefined {
    const row = this.#database.get(`SELECT * FROM encryption_keys WHERE ${condition}`, value);
    return row && keyFrom(row);
  }

  async page(account: AccountId, afterId: string, limit: number): Promise<EncryptionKey[]> {
    const sql = "SELECT * FROM encryption_keys WHERE account = ? AND id > ? ORDER BY id LIMIT ?";
    return this.#database.all(sql, account, afterId, limit).map(keyFrom);
  }

  async due(nowMs: number): Promise<EncryptionKey[]> {
    const sql = `SELECT * FROM encryption_keys
      WHERE state = 'pending-deletion' AND deletion_at_ms <= ?`;
    return this.#database.all(sql, nowMs).map(keyFrom);
  }

  async notWrappedBy(keyEncryptionKeyId: string): Promise<EncryptionKey[]> {
    const sql = `SELECT * FROM encryption_keys WHERE EXISTS (
      SELECT 1 FROM json_each(secrets) WHERE json_extract(value, '$.wrappedBy') <> ?)`;
    return this.#database.all(sql, keyEncryptionKeyId).map(keyFrom);
  }

  async replace(from: EncryptionKey, to: EncryptionKey): Promise<boolean> {
    return this.#database.transactionWithoutTrace(() => {
      const changed = this.#database.run(
        `UPDATE encryption_keys SET state = ?, description = ?, deletion_at_ms = ?, secrets = ?
         WHERE id = ? AND state = ? AND description = ? AND deletion_at_ms IS ? AND secrets = ?`,
        ...changeableValues(to),
        from.id,
        ...changeableValues(from),
      );
      return changed > 0;
    });
  }

  async defaults(account: AccountId): Promise<EncryptionDefaults> {
    return this.#defaults(account);
  }

  #defaults(account: AccountId): EncryptionDefaults {
    const sql = "SELECT * FROM encryption_defaults WHERE account = ?";
    const row = this.#database.get(sql, account);
    const keyId = (row?.["key"] as EncryptionKeyId | null | undefined) ?? undefined;
    return { byDefault: row?.["by_default"] === 1, keyId };
  }

  async setDefaults(
    account: AccountId,
    change: Partial<EncryptionDefaults>,
  ): Promise<EncryptionDefaults> {
    return this.#database.transaction(() => {
      const { byDefault, keyId } = { ...this.#defaults(account), ...change };
      this.#database.run(
        `INSERT OR REPLACE INTO encryption_defaults (account, by_default, key) VALUES (?, ?, ?)`,
        account,
        byDefault ? 1 : 0,
        keyId ?? null,
      );
      return { byDefault, keyId };
    });
  }
}

function changeableValues({ state, description, deletionAtMs, secrets }: EncryptionKey) {
  return [state, description, deletionAtMs ?? null, JSON.stringify(secrets)];
}
