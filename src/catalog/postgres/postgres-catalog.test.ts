import assert from "node:assert/strict";
import { test } from "node:test";
import { POSTGRES_MISSING, postgresDatabase, query } from "../../../test/support/postgres.ts";
import { UnavailableError } from "../../base/unavailable.ts";
import type { AccountId } from "../../model/ids.ts";
import { catalogSuite } from "../catalog.suite.ts";
import { addImage, HELD } from "../journal.suite.ts";
import { openPostgresCatalog, POSTGRES_CATALOG_VERSION } from "./postgres-catalog.ts";

const skip = POSTGRES_MISSING;

if (skip) {
  test("PostgresCatalog", { skip }, () => undefined);
} else {
  catalogSuite("PostgresCatalog", async (t) => {
    const connectionString = await postgresDatabase(t);
    let catalog = await openPostgresCatalog({ connectionString });
    t.after(() => catalog.close());
    const reopen = async () => {
      await catalog.close();
      catalog = await openPostgresCatalog({ connectionString });
      return catalog;
    };
    return { catalog, reopen };
  });
}

test("openPostgresCatalog makes its tables once, however many open it at once", {
  skip,
}, async (t) => {
  const connectionString = await postgresDatabase(t);
  const opening = Array.from({ length: 6 }, () => openPostgresCatalog({ connectionString }));
  t.after(() => Promise.allSettled(opening.map(async (catalog) => (await catalog).close())));
  const catalogs = await Promise.all(opening);
  for (const catalog of catalogs) {
    await catalog.identity.addAccount("111122223333" as AccountId);
    assert.deepEqual(await catalog.identity.accounts(), ["111122223333"]);
  }
});

test("openPostgresCatalog refuses the schema of a newer Varve and leaves it as it is", {
  skip,
}, async (t) => {
  const connectionString = await postgresDatabase(t);
  await (await openPostgresCatalog({ connectionString })).close();
  const newer = POSTGRES_CATALOG_VERSION + 1;
  await query(connectionString, `UPDATE catalog_version SET version = ${newer}`);
  const told = new RegExp(`version ${newer}; this Varve reads up to ${POSTGRES_CATALOG_VERSION}`);
  await assert.rejects(openPostgresCatalog({ connectionString }), told);
  const [row] = await query(connectionString, "SELECT version FROM catalog_version");
  assert.equal(Number(row?.["version"]), newer);
});

test("openPostgresCatalog has images hold snapshots that a rebuild had let go of", {
  skip,
}, async (t) => {
  const connectionString = await postgresDatabase(t);
  const before = await openPostgresCatalog({ connectionString });
  await addImage(before);
  await before.close();
  await query(connectionString, "DELETE FROM image_snapshots");
  await query(connectionString, "UPDATE catalog_version SET version = 1");
  const { snapshots, close } = await openPostgresCatalog({ connectionString });
  t.after(close);
  assert.equal(await snapshots.delete(HELD, { nowMs: 0, binnedUntilMs: undefined }), "in-use");
});

test("openPostgresCatalog refuses a server that acknowledges what it may lose", {
  skip,
}, async (t) => {
  const url = new URL(await postgresDatabase(t));
  const options = `${url.searchParams.get("options") ?? ""} -c synchronous_commit=off`;
  url.searchParams.set("options", options);
  const told = /synchronous_commit = off, so it may lose.*Set synchronous_commit = on/;
  await assert.rejects(openPostgresCatalog({ connectionString: url.href }), told);
});

test("openPostgresCatalog says that nobody answers where nobody does", async () => {
  const connectionString = "postgres://nobody@127.0.0.1:1/none";
  await assert.rejects(openPostgresCatalog({ connectionString }), UnavailableError);
});

test("PostgresCatalog keeps text that PostgreSQL has no way to write", { skip }, async (t) => {
  const connectionString = await postgresDatabase(t);
  const catalog = await openPostgresCatalog({ connectionString });
  t.after(() => catalog.close());
  const account = "111122223333" as AccountId;
  await catalog.identity.addAccount(account);
  for (const value of ["a\0b", "\x01", "\x010\0\x01\x01", "\\x00 \\0"]) {
    await catalog.settings.put(account, "name", value);
    assert.equal(await catalog.settings.get(account, "name"), value);
  }
});
