import type { PostgresDatabase, Queries } from "./_postgres-database.ts";
import { MIGRATIONS, POSTGRES_CATALOG_VERSION } from "./_schema.ts";

/**
 * Brings the database to the schema of today, once, however many processes start at once: each
 * waits for the row that says which version there is. Throws for a schema of tomorrow, and leaves
 * it as it is. A process of yesterday's that is running sees no difference until its next start,
 * so a migration has to leave what that needs.
 */
export async function migrate(database: PostgresDatabase): Promise<void> {
  await makeVersionTable(database);
  // All or nothing: a migration interrupted by a crash is begun again from where it was.
  await database.transaction(async (queries) => {
    const row = await queries.get("SELECT version FROM catalog_version WHERE one = 1 FOR UPDATE");
    const version = row?.["version"] as number;
    if (version > POSTGRES_CATALOG_VERSION) throw tooNew(version);
    if (version === POSTGRES_CATALOG_VERSION) return;
    for (const statement of statementsFrom(version)) await queries.run(statement);
    await queries.run("UPDATE catalog_version SET version = $1", POSTGRES_CATALOG_VERSION);
  });
}

/** An index entry, a type, a table that is there: what one of two finds that make it at once. */
const MADE_BY_ANOTHER = ["23505", "42710", "42P07"];

/** Two that make the same table at once meet in the system's own catalog; then it is there. */
async function makeVersionTable(database: PostgresDatabase): Promise<void> {
  const make = `CREATE TABLE IF NOT EXISTS catalog_version (
      one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL)`;
  await database.run(make).catch(async (error: unknown) => {
    if (!MADE_BY_ANOTHER.includes((error as { code?: string }).code ?? "")) throw error;
  });
  await database.run(
    "INSERT INTO catalog_version (one, version) VALUES (1, 0) ON CONFLICT (one) DO NOTHING",
  );
}

function statementsFrom(version: number): string[] {
  const text = MIGRATIONS.slice(version).join("\n");
  const withoutComments = text.replace(/^ *--.*$/gm, "");
  return withoutComments
    .split(";\n")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}

function tooNew(version: number): Error {
  return new Error(
    `The catalog has version ${version}; this Varve reads up to ${POSTGRES_CATALOG_VERSION}. ` +
      "Start the newer Varve that wrote it.",
  );
}

/**
 * Throws where the server would acknowledge commits that a crash or a power cut takes back: then
 * blocks that were acknowledged could be lost.
 */
export async function checkDurability(queries: Queries): Promise<void> {
  const row = await queries.get(
    `SELECT current_setting('synchronous_commit', true) AS commits,
       current_setting('fsync', true) AS syncs`,
  );
  // An engine that knows no such setting has no such choice.
  const wrong =
    row?.["commits"] === "off" ? "synchronous_commit" : row?.["syncs"] === "off" ? "fsync" : "";
  if (wrong === "") return;
  throw new Error(
    `PostgreSQL runs with ${wrong} = off, so it may lose what it has acknowledged. ` +
      `Set ${wrong} = on (also for this role and this database) and start again.`,
  );
}
