import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  POSTGRES_MISSING,
  postgresDatabase,
  query,
  startPostgres,
} from "../../../test/support/postgres.ts";
import { UnavailableError } from "../../base/unavailable.ts";
import type { AccountId } from "../../model/ids.ts";
import { PostgresDatabase } from "./_postgres-database.ts";
import { openPostgresCatalog } from "./postgres-catalog.ts";

const skip = POSTGRES_MISSING;
const ACCOUNT = "111122223333" as AccountId;
/** What makes a connection refuse writes as a standby does. */
const TURN_STANDBY = "SET default_transaction_read_only = on";

test("a standby is asked nothing, and is used once it is promoted", { skip }, async (t) => {
  const server = await startPostgres();
  t.after(() => server.remove());
  const catalog = await openPostgresCatalog({ connectionString: server.url });
  t.after(() => catalog.close());
  await catalog.identity.addAccount(ACCOUNT);
  const [row] = await query(server.url, "SHOW data_directory");
  await server.stop("SIGINT");
  const signal = join(String(row?.["data_directory"]), "standby.signal");
  writeFileSync(signal, "");
  chmodSync(signal, 0o666);
  await server.start();
  const [asked] = await query(server.url, "SELECT pg_is_in_recovery() AS it");
  assert.equal(asked?.["it"], true, "it is a standby");
  await assert.rejects(catalog.identity.accounts(), isOfStandby);
  await assert.rejects(catalog.check(), isOfStandby);
  await query(server.url, "SELECT pg_promote()");
  await catalog.check();
  assert.deepEqual(await catalog.identity.accounts(), [ACCOUNT]);
});

test("a primary that takes no writes is read from", { skip }, async (t) => {
  const url = new URL(await postgresDatabase(t));
  const options = `${url.searchParams.get("options")} -c default_transaction_read_only=on`;
  url.searchParams.set("options", options);
  const database = open(t, url.href);
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await database.all("SELECT 1 AS one"), [{ one: 1 }]);
    await assert.rejects(database.run("CREATE TABLE made (one BIGINT)"), UnavailableError);
  }
  await database.check();
});

test("a connection on which a standby answers is used no more", { skip }, async (t) => {
  const database = open(t, await postgresDatabase(t));
  const make = "CREATE TABLE made (one BIGINT)";
  await database.exec(TURN_STANDBY);
  await assert.rejects(database.run(make), UnavailableError);
  await database.run(make);
  await database.exec(TURN_STANDBY);
  const adding = database.transaction((queries) => queries.run("INSERT INTO made VALUES (1)"));
  await assert.rejects(adding, UnavailableError);
  assert.deepEqual(await database.all("SHOW transaction_read_only"), [
    { transaction_read_only: "off" },
  ]);
});

/** With one connection, so that all calls share it. */
function open(t: TestContext, connectionString: string): PostgresDatabase {
  const database = new PostgresDatabase({ connectionString, connectionCountMax: 1 });
  t.after(() => database.close());
  return database;
}

function isOfStandby(error: unknown): boolean {
  assert.ok(error instanceof UnavailableError, String(error));
  assert.match(error.message, /^The catalog's database is a standby/);
  return true;
}
