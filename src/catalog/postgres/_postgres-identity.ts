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
import { Gathered, type Ride } from "./_gathered.ts";
import { noteChanges } from "./_notes.ts";
import type { PostgresDatabase, Queries } from "./_postgres-database.ts";

/** Accounts and keys in charge are few and change rarely: one at a time, behind this row. */
const LOCK = "SELECT version FROM catalog_version WHERE one = 1 FOR UPDATE";

/** `IdentityTable` on PostgreSQL. */
export class PostgresIdentityTable implements IdentityTable {
  readonly #database: PostgresDatabase;
  readonly #gathered = new Gathered((ids: readonly string[], queries?: Queries) =>
    this.#accessKeys(ids, queries),
  );

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async begin(account: AccountId, key: AccessKey | undefined): Promise<void> {
    await this.#database.transaction(async (queries) => {
      await queries.get(LOCK);
      if (!(await firstAccount(queries))) await addAccount(queries, account);
      const first = (await firstAccount(queries)) ?? account;
      const inCharge = `SELECT 1 AS one FROM access_keys
        WHERE account = $1 AND active = 1 AND policy IS NULL LIMIT 1`;
      if (!key || (await queries.get(inCharge, first))) return;
      await putAccessKey(queries, { ...key, account: first });
    });
  }

  async addAccount(account: AccountId): Promise<void> {
    await this.#database.transaction(async (queries) => {
      await queries.get(LOCK);
      await addAccount(queries, account);
    });
  }

  async accounts(): Promise<AccountId[]> {
    const rows = await this.#database.all("SELECT id FROM accounts ORDER BY position");
    return rows.map((row) => row["id"] as AccountId);
  }

  async putAccessKey(key: AccessKey): Promise<void> {
    await this.#database.transaction((queries) => putAccessKey(queries, key));
  }

  accessKey(accessKeyId: string): Promise<AccessKey | undefined> {
    return this.#gathered.get(accessKeyId);
  }

  /** Takes look-ups of access keys along with a transaction; see `Gathered`. */
  ride(): Ride {
    return this.#gathered.ride();
  }

  async #accessKeys(
    ids: readonly string[],
    queries: Queries = this.#database,
  ): Promise<(AccessKey | undefined)[]> {
    const distinct = [...new Set(ids)];
    const rows = await queries.all(
      "SELECT * FROM access_keys WHERE id = ANY ($1::text[])",
      distinct,
    );
    const found = new Map(rows.map(accessKeyFrom).map((key) => [key.accessKeyId, key]));
    return ids.map((id) => found.get(id));
  }

  async accessKeys(account: AccountId): Promise<AccessKey[]> {
    const rows = await this.#database.all(
      "SELECT * FROM access_keys WHERE account = $1 ORDER BY created_at_ms, id",
      account,
    );
    return rows.map(accessKeyFrom);
  }

  async changeAccessKey(
    accessKeyId: string,
    change: AccessKeyChange | "delete",
  ): Promise<AccessKeyOutcome> {
    return this.#database.transaction(async (queries) => {
      await queries.get(LOCK);
      const key = await findAccessKey(queries, accessKeyId);
      if (!key) return "unknown";
      const changed = change === "delete" ? undefined : { ...key, ...change };
      const staysInCharge = changed?.active && changed.policy === undefined;
      if (!staysInCharge && (await isLastInCharge(queries, key))) return "last";
      if (changed) await putAccessKey(queries, changed);
      else {
        await queries.run("DELETE FROM access_keys WHERE id = $1", accessKeyId);
        await noteChanges(queries, [`access-key/${accessKeyId}`]);
      }
      return "changed";
    });
  }

  async secrets(name: string): Promise<StoreSecret[]> {
    const rows = await this.#database.all(
      "SELECT * FROM meta WHERE name = $1 OR substr(name, 1, $2::int) = $3",
      name,
      name.length + 1,
      `${name}/`,
    );
    return rows.map(secretFrom).sort((a, b) => a.number - b.number);
  }

  async changeSecrets({ add, forget }: SecretsChange): Promise<void> {
    await this.#database.transaction(async (queries) => {
      for (const secret of add) {
        await queries.run(
          "INSERT INTO meta (name, value, created_at_ms) VALUES ($1, $2, $3)",
          metaName(secret),
          secret.value,
          secret.createdAtMs,
        );
      }
      const forgotten = forget.map(metaName);
      await queries.run("DELETE FROM meta WHERE name = ANY ($1::text[])", forgotten);
      const changed = [...add.map(metaName), ...forgotten];
      await noteChanges(
        queries,
        changed.map((name) => `secret/${name}`),
      );
    });
  }
}

async function firstAccount(queries: Queries): Promise<AccountId | undefined> {
  const row = await queries.get("SELECT id FROM accounts ORDER BY position LIMIT 1");
  return row?.["id"] as AccountId | undefined;
}

async function addAccount(queries: Queries, account: AccountId): Promise<void> {
  const added = await queries.run(
    `INSERT INTO accounts (id, position) SELECT $1, count(*) FROM accounts
     ON CONFLICT (id) DO NOTHING`,
    account,
  );
  if (added > 0) await noteChanges(queries, [`account/${account}`]);
}

async function putAccessKey(queries: Queries, key: AccessKey): Promise<void> {
  await queries.run(
    `INSERT INTO access_keys (id, secret, account, active, policy, created_at_ms)
     VALUES ($1, $2, $3, $4, $5, $6)
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
  await noteChanges(queries, [`access-key/${key.accessKeyId}`]);
}

async function findAccessKey(queries: Queries, id: string): Promise<AccessKey | undefined> {
  const row = await queries.get("SELECT * FROM access_keys WHERE id = $1", id);
  return row && accessKeyFrom(row);
}

/** True for the only active key of the first account that has no policy. */
async function isLastInCharge(queries: Queries, { accessKeyId }: AccessKey): Promise<boolean> {
  const rows = await queries.all(
    `SELECT id FROM access_keys WHERE active = 1 AND policy IS NULL
       AND account = (SELECT id FROM accounts ORDER BY position LIMIT 1) LIMIT 2`,
  );
  return rows.length === 1 && rows[0]?.["id"] === accessKeyId;
}
