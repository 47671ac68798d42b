import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { turnsDuring } from "../../../test/support/turns-during.ts";
import type { Digest } from "../../model/digest.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import { catalogSuite } from "../catalog.suite.ts";
import { addImage, HELD } from "../journal.suite.ts";
import { CATALOG_VERSION, MIGRATIONS } from "./_schema.ts";
import { SqliteDatabase } from "./_sqlite-database.ts";
import { openSqliteCatalog, StoreInUseError } from "./sqlite-catalog.ts";

catalogSuite("SqliteCatalog", async (t) => {
  const path = await catalogPath(t);
  let catalog = openSqliteCatalog(path);
  t.after(() => catalog.close());
  const reopen = async () => {
    await catalog.close();
    catalog = openSqliteCatalog(path);
    return catalog;
  };
  return { catalog, reopen };
});

test("SqliteDatabase syncs every commit", async (t) => {
  const database = new SqliteDatabase(await catalogPath(t));
  t.after(() => database.close());
  assert.equal(database.get("PRAGMA synchronous")?.["synchronous"], 2, "FULL");
  assert.equal(database.get("PRAGMA journal_mode")?.["journal_mode"], "wal");
  assert.equal(database.get("PRAGMA locking_mode")?.["locking_mode"], "exclusive");
  assert.equal(database.get("PRAGMA foreign_keys")?.["foreign_keys"], 1);
});

test("SqliteDatabase.transaction leaves nothing of work that throws", async (t) => {
  const database = new SqliteDatabase(await catalogPath(t));
  t.after(() => database.close());
  database.exec("CREATE TABLE numbers (n INTEGER)");
  const failing = () =>
    database.transaction(() => {
      database.run("INSERT INTO numbers VALUES (1)");
      throw new Error("no");
    });
  assert.throws(failing, /no/);
  database.transaction(() => database.run("INSERT INTO numbers VALUES (2)"));
  assert.deepEqual(
    database.all("SELECT n FROM numbers").map((row) => row["n"]),
    [2],
  );
});

test("openSqliteCatalog makes the file readable by its owner alone", async (t) => {
  const path = await catalogPath(t);
  const catalog = openSqliteCatalog(path);
  t.after(() => catalog.close());
  await catalog.identity.addAccount("111122223333" as AccountId);
  for (const name of [path, `${path}-wal`]) assert.equal(statSync(name).mode & 0o777, 0o600);
});

test("openSqliteCatalog refuses a file that this process has open", async (t) => {
  const path = await catalogPath(t);
  const catalog = openSqliteCatalog(path);
  t.after(() => catalog.close());
  assert.throws(() => openSqliteCatalog(path), StoreInUseError);
});

test("openSqliteCatalog refuses a file that another process has open", async (t) => {
  const path = await catalogPath(t);
  const catalog = openSqliteCatalog(path);
  assert.match(openElsewhere(path), /StoreInUseError/);
  // A refused attempt, here or there, must not take the lock away from its holder.
  assert.throws(() => openSqliteCatalog(path), StoreInUseError);
  assert.match(openElsewhere(path), /StoreInUseError/);
  await catalog.close();
  assert.match(openElsewhere(path), /opened/);
});

test("openSqliteCatalog opens what a killed process left, with all it committed", async (t) => {
  const path = await catalogPath(t);
  const child = spawn(process.execPath, parameters(path, "hold"));
  t.after(() => child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  assert.throws(() => openSqliteCatalog(path), StoreInUseError);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
  const catalog = openSqliteCatalog(path);
  t.after(() => catalog.close());
  assert.deepEqual(await catalog.identity.accounts(), ["111122223333"]);
});

test("openSqliteCatalog refuses the catalog of a newer Varve and leaves it as it is", async (t) => {
  const path = await catalogPath(t);
  await openSqliteCatalog(path).close();
  setVersion(path, CATALOG_VERSION + 1);
  const told = `version ${CATALOG_VERSION + 1}; this Varve reads up to ${CATALOG_VERSION}`;
  assert.throws(() => openSqliteCatalog(path), new RegExp(told));
  // The refusal gave the file up again.
  setVersion(path, CATALOG_VERSION);
  await openSqliteCatalog(path).close();
});

test("openSqliteCatalog brings access keys of the first version along", async (t) => {
  const path = await catalogPath(t);
  const old = new DatabaseSync(path);
  old.exec(MIGRATIONS[0] ?? "");
  old.exec("INSERT INTO accounts VALUES ('111122223333', 0)");
  old.exec("INSERT INTO access_keys VALUES ('AKIAOLD', 'secret', '111122223333', 1)");
  old.exec("PRAGMA user_version = 1");
  old.close();
  const { identity, close } = openSqliteCatalog(path);
  t.after(close);
  assert.deepEqual(await identity.accessKey("AKIAOLD"), {
    accessKeyId: "AKIAOLD",
    secretAccessKey: "secret",
    account: "111122223333",
    active: true,
    policy: undefined,
    createdAtMs: 0,
  });
});

test("openSqliteCatalog gives snapshots of the first version their owner's domain", async (t) => {
  const path = await catalogPath(t);
  const database = new DatabaseSync(path);
  database.exec(MIGRATIONS[0] as string);
  database.exec(`
    INSERT INTO accounts (id, position) VALUES ('111122223333', 0);
    INSERT INTO snapshots (id, account, state, lineage, volume_size_gib, tags, start_time_ms,
      timeout_minutes, expires_at_ms, parent_block_count, block_count, written_block_count)
    VALUES ('snap-01', '111122223333', 'completed', 'snap-01', 1, '[]', 0, 60, 0, 0, 0, 0);
    PRAGMA user_version = 1`);
  database.close();
  const catalog = openSqliteCatalog(path);
  t.after(() => catalog.close());
  const snapshot = await catalog.snapshots.get("snap-01" as SnapshotId);
  assert.equal(snapshot?.domain, "111122223333");
});

test("openSqliteCatalog brings the secrets of the first version along", async (t) => {
  const path = await catalogPath(t);
  const database = new DatabaseSync(path);
  database.exec(MIGRATIONS[0] as string);
  database.exec("INSERT INTO meta VALUES ('token-secret', x'0102'); PRAGMA user_version = 1");
  database.close();
  const { identity, close } = openSqliteCatalog(path);
  t.after(close);
  const [secret, ...others] = await identity.secrets("token-secret");
  assert.deepEqual([secret?.number, secret?.createdAtMs, others], [0, 0, []]);
  assert.deepEqual(Buffer.from(secret?.value ?? []), Buffer.of(1, 2));
});

test("openSqliteCatalog has images hold snapshots that a rebuild had let go of", async (t) => {
  const path = await catalogPath(t);
  const before = openSqliteCatalog(path);
  await addImage(before);
  await before.close();
  const database = new DatabaseSync(path);
  const version = MIGRATIONS.findIndex((sql) => sql.includes("INTO image_snapshots"));
  database.exec(`DELETE FROM image_snapshots; PRAGMA user_version = ${version}`);
  database.close();
  const { snapshots, close } = openSqliteCatalog(path);
  t.after(close);
  assert.equal(await snapshots.delete(HELD, { nowMs: 0, binnedUntilMs: undefined }), "in-use");
});

test("openSqliteCatalog forgets to tell the end of a snapshot that is under way", async (t) => {
  const path = await catalogPath(t);
  const database = new DatabaseSync(path);
  const version = MIGRATIONS.findIndex((sql) => sql.includes("snapshots_by_lineage"));
  for (const migration of MIGRATIONS.slice(0, version)) database.exec(migration);
  const insert = (id: string, state: string) => `
    INSERT INTO snapshots (id, account, state, lineage, volume_size_gib, tags, start_time_ms,
      timeout_minutes, expires_at_ms, parent_block_count, block_count, written_block_count)
    VALUES ('${id}', '111122223333', '${state}', '${id}', 1, '[]', 0, 60, 0, 0, 0, 0);
    INSERT INTO snapshot_permissions (snapshot, grantee)
      SELECT number, 'all' FROM snapshots WHERE id = '${id}';`;
  database.exec(`
    INSERT INTO accounts (id, position) VALUES ('111122223333', 0);
    ${insert("snap-01", "pending")} ${insert("snap-02", "completed")}
    INSERT INTO journal_changes (key, stamp) VALUES ('snapshot/snap-03', 0);
    PRAGMA user_version = ${version}`);
  database.close();
  const { journal, close } = openSqliteCatalog(path);
  t.after(close);
  const told = (await journal.changes(100)).map(({ entry }) => [entry.key, !entry.value]);
  assert.deepEqual(told, [
    ["account/111122223333", false],
    ["snapshot/snap-02", false],
    ["snapshot/snap-03", true],
  ]);
});

test("SqliteCatalog.journal lets others have their turn while it reads all things", async (t) => {
  const { journal, close } = openSqliteCatalog(await catalogPath(t));
  t.after(close);
  const things = Array.from({ length: 1_000 }, (_, i) => {
    const columns = { id: String(i).padStart(12, "0"), position: i };
    return { key: `account/${columns.id}`, sequence: 0, value: JSON.stringify({ columns }) };
  });
  await journal.restore(things);
  const { turns, result } = await turnsDuring(() => journal.all());
  assert.equal(result.size, 1_000);
  assert.ok(turns >= 5, `${turns} turns`);
});

test("SqliteCatalog finds a tree's neighbours without a look at all snapshots", async (t) => {
  const path = await catalogPath(t);
  const statements: string[] = [];
  const { prepare } = DatabaseSync.prototype;
  t.mock.method(DatabaseSync.prototype, "prepare", function (this: DatabaseSync, sql: string) {
    statements.push(sql);
    return prepare.call(this, sql);
  });
  const { liveness, close } = openSqliteCatalog(path);
  const [domain, root] = ["111122223333" as AccountId, "ab".repeat(32) as Digest];
  await liveness.nearestRoots({ number: 1, domain, lineage: "snap-01", startTimeMs: 5, root }, 2);
  await close();
  t.mock.restoreAll();
  const database = new DatabaseSync(path);
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${statements.at(-1)}`).all();
  database.close();
  const searches = plan.map((row) => row["detail"]).filter((it) => /SCAN|SEARCH/.test(String(it)));
  const search = "snapshots USING INDEX snapshots_by_lineage (lineage=? AND start_time_ms";
  const ofSnapshots = searches.filter((detail) => / snapshots\b/.test(String(detail)));
  assert.deepEqual(ofSnapshots, [`SEARCH ${search}<?)`, `SEARCH ${search}>?)`]);
});

test("openSqliteCatalog tells the system's error when the folder is not there", async (t) => {
  const path = join(await temporaryDirectory(t), "missing", "catalog.sqlite");
  assert.throws(() => openSqliteCatalog(path), { code: "ENOENT" });
});

const MODULE = import.meta.resolve("./sqlite-catalog.ts");

/** Opens the catalog, says so, and ends at once or holds it open. */
const OPEN_SCRIPT = `
  const [module, path, mode] = process.argv.slice(1);
  const { openSqliteCatalog } = await import(module);
  try {
    const catalog = openSqliteCatalog(path);
    await catalog.identity.addAccount("111122223333");
    console.log("opened");
    if (mode === "hold") setInterval(() => {}, 1000);
  } catch (error) {
    console.log(error.name + ": " + error.message);
  }
`;

function openElsewhere(path: string): string {
  return spawnSync(process.execPath, parameters(path, "leave")).stdout.toString();
}

function parameters(path: string, mode: "hold" | "leave"): string[] {
  return ["--input-type=module", "-e", OPEN_SCRIPT, MODULE, path, mode];
}

function setVersion(path: string, version: number): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA user_version = ${version}`);
  database.close();
}

async function catalogPath(t: TestContext): Promise<string> {
  return join(await temporaryDirectory(t), "catalog.sqlite");
}
