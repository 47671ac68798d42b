import type { EncryptionDefaults, EncryptionKey } from "../../model/encryption-key.ts";
import type { AccountId, EncryptionKeyId, KeyDomain } from "../../model/ids.ts";
import type { EncryptionTable } from "../catalog.ts";
import type { Row } from "../rows.ts";
import { keyFrom } from "../rows.ts";
import { Gathered } from "./_gathered.ts";
import { noteChanges } from "./_notes.ts";
import type { Parameter, PostgresDatabase } from "./_postgres-database.ts";

/** `EncryptionTable` on PostgreSQL. */
export class PostgresEncryptionTable implements EncryptionTable {
  readonly #database: PostgresDatabase;
  readonly #ofDomains = new Gathered((domains: readonly KeyDomain[]) => this.#inDomains(domains));

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async add(key: EncryptionKey): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const added = await queries.run(
        `INSERT INTO encryption_keys (id, account, domain, manager, created_at_ms, state,
           description, deletion_at_ms, secrets)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
        ...[key.id, key.account, key.domain, key.manager, key.createdAtMs],
        ...changeableValues(key),
      );
      if (added > 0) await noteChanges(queries, [`encryption-key/${key.id}`]);
      return added > 0;
    });
  }

  async get(id: EncryptionKeyId): Promise<EncryptionKey | undefined> {
    return this.#first("id = $1", id);
  }

  ofDomain(domain: KeyDomain): Promise<EncryptionKey | undefined> {
    return this.#ofDomains.get(domain);
  }

  async #inDomains(domains: readonly KeyDomain[]): Promise<(EncryptionKey | undefined)[]> {
    const rows = await this.#database.all(
      "SELECT * FROM encryption_keys WHERE domain = ANY ($1::text[])",
      [...new Set(domains)],
    );
    const found = new Map(rows.map(keyFrom).map((key) => [key.domain, key]));
    return domains.map((domain) => found.get(domain));
  }

  async madeFor(account: AccountId): Promise<EncryptionKey | undefined> {
    return this.#first("account = $1 AND manager = 'service'", account);
  }

  async ofStore(): Promise<EncryptionKey | undefined> {
    return this.#first("manager = $1", "store");
  }

  async #first(condition: string, value: string): Promise<EncryptionKey | undefined> {
    const sql = `SELECT * FROM encryption_keys WHERE ${condition}`;
    const row = await this.#database.get(sql, value);
    return row && keyFrom(row);
  }

  async page(account: AccountId, afterId: string, limit: number): Promise<EncryptionKey[]> {
    const sql = `SELECT * FROM encryption_keys
      WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3`;
    return (await this.#database.all(sql, account, afterId, limit)).map(keyFrom);
  }

  async due(nowMs: number): Promise<EncryptionKey[]> {
    const sql = `SELECT * FROM encryption_keys
      WHERE state = 'pending-deletion' AND deletion_at_ms <= $1 ORDER BY id`;
    return (await this.#database.all(sql, nowMs)).map(keyFrom);
  }

  async notWrappedBy(keyEncryptionKeyId: string): Promise<EncryptionKey[]> {
    const sql = `SELECT * FROM encryption_keys WHERE EXISTS (
        SELECT 1 FROM jsonb_array_elements(secrets::jsonb) AS secret
        WHERE secret ->> 'wrappedBy' <> $1)
      ORDER BY id`;
    return (await this.#database.all(sql, keyEncryptionKeyId)).map(keyFrom);
  }

  /** What it replaces stays in dead rows and in the log until these are written over. */
  async replace(from: EncryptionKey, to: EncryptionKey): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const changed = await queries.run(
        `UPDATE encryption_keys
         SET state = $1, description = $2, deletion_at_ms = $3, secrets = $4
         WHERE id = $5 AND state = $6 AND description = $7
           AND deletion_at_ms IS NOT DISTINCT FROM $8::bigint AND secrets = $9`,
        ...changeableValues(to),
        from.id,
        ...changeableValues(from),
      );
      if (changed > 0) await noteChanges(queries, [`encryption-key/${from.id}`]);
      return changed > 0;
    });
  }

  async defaults(account: AccountId): Promise<EncryptionDefaults> {
    const sql = "SELECT * FROM encryption_defaults WHERE account = $1";
    return defaultsFrom(await this.#database.get(sql, account));
  }

  async setDefaults(
    account: AccountId,
    change: Partial<EncryptionDefaults>,
  ): Promise<EncryptionDefaults> {
    return this.#database.transaction(async (queries) => {
      await queries.run(
        `INSERT INTO encryption_defaults (account, by_default, key) VALUES ($1, 0, NULL)
         ON CONFLICT (account) DO NOTHING`,
        account,
      );
      const locked = "SELECT * FROM encryption_defaults WHERE account = $1 FOR UPDATE";
      const before = defaultsFrom(await queries.get(locked, account));
      const { byDefault, keyId } = { ...before, ...change };
      await queries.run(
        "UPDATE encryption_defaults SET by_default = $1, key = $2 WHERE account = $3",
        byDefault ? 1 : 0,
        keyId ?? null,
        account,
      );
      await noteChanges(queries, [`encryption-defaults/${account}`]);
      return { byDefault, keyId };
    });
  }
}

function defaultsFrom(row: Row | undefined): EncryptionDefaults {
  const keyId = (row?.["key"] as EncryptionKeyId | null | undefined) ?? undefined;
  return { byDefault: row?.["by_default"] === 1, keyId };
}

function changeableValues(key: EncryptionKey): Parameter[] {
  return [key.state, key.description, key.deletionAtMs ?? null, JSON.stringify(key.secrets)];
}
