import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { WritePurpose } from "../../base/write-purpose.ts";
import { DiskFullError } from "../../model/errors.ts";
import { SqliteDatabase } from "./_sqlite-database.ts";

test("SqliteDatabase keeps nothing of a transaction that finds the disk full", async (t) => {
  const { database, isRoomy, asked } = await setUp(t);
  isRoomy(false);
  assert.throws(() => addRows(database, 100, "new-data"), DiskFullError);
  assert.throws(() => database.run("INSERT INTO rows VALUES (zeroblob(100000))"), DiskFullError);
  assert.deepEqual(asked, ["new-data", "upkeep"]);
  assert.equal(countOf(database), 1);
  isRoomy(true);
  addRows(database, 100);
  assert.equal(countOf(database), 101);
});

test("SqliteDatabase repeats a transaction once when room has been made", async (t) => {
  const { database, isRoomy, asked } = await setUp(t, () => isRoomy(true));
  isRoomy(false);
  addRows(database, 100);
  assert.equal(countOf(database), 101);
  assert.deepEqual(asked, ["upkeep"]);
});

test("SqliteDatabase carries its log over, so that it does not grow for ever", async (t) => {
  const { database } = await setUp(t);
  const framesIn = () => Number(database.get("PRAGMA wal_checkpoint(NOOP)")?.["log"]);
  let greatest = 0;
  for (let i = 0; i < 1_200; i++) {
    database.run("UPDATE rows SET bytes = ?", Buffer.alloc(10, i));
    if (i % 100 === 0) greatest = Math.max(greatest, framesIn());
  }
  assert.ok(greatest > 0 && greatest <= 1_000, `at most ${greatest} frames`);
});

test("SqliteDatabase recalls an answer until something is written", async (t) => {
  const { database } = await setUp(t);
  let reads = 0;
  const count = () =>
    database.recall("count", () => {
      reads += 1;
      return { count: countOf(database) };
    })?.count;
  assert.deepEqual([count(), count(), reads], [1, 1, 1]);
  addRows(database, 1);
  assert.deepEqual([count(), count(), reads], [2, 2, 2]);
  database.run("DELETE FROM rows");
  assert.deepEqual([count(), reads], [0, 3]);
  database.exec("INSERT INTO rows VALUES (x'00')");
  assert.deepEqual([count(), reads], [1, 4]);
});

test("SqliteDatabase recalls nothing of a transaction that may be undone", async (t) => {
  const { database } = await setUp(t);
  const count = () => database.recall("count", () => ({ count: countOf(database) }))?.count;
  assert.equal(count(), 1);
  const undone = () =>
    database.transaction(() => {
      database.run("DELETE FROM rows");
      assert.equal(count(), 0);
      throw new Error("undone");
    });
  assert.throws(undone, /undone/);
  assert.equal(count(), 1);
});

test("SqliteDatabase looks each time for what is not there", async (t) => {
  const { database } = await setUp(t);
  let reads = 0;
  const read = () => {
    reads += 1;
    return undefined;
  };
  assert.equal(database.recall("nothing", read), undefined);
  assert.equal(database.recall("nothing", read), undefined);
  assert.equal(reads, 2);
});

/** A database with one row, whose file may be kept from growing, as on a full disk. */
async function setUp(t: TestContext, makeRoom?: () => void) {
  const asked: WritePurpose[] = [];
  const path = join(await temporaryDirectory(t), "database.sqlite");
  const database = new SqliteDatabase(path, {
    makeRoom(purpose) {
      asked.push(purpose);
      makeRoom?.();
      return makeRoom !== undefined;
    },
  });
  t.after(() => database.close());
  database.exec("CREATE TABLE rows (bytes BLOB)");
  addRows(database, 1);
  const isRoomy = (roomy: boolean) => {
    database.exec(`PRAGMA max_page_count = ${roomy ? 1_000_000 : 5}`);
  };
  return { database, isRoomy, asked };
}

function addRows(database: SqliteDatabase, count: number, purpose?: WritePurpose): void {
  database.transaction(() => {
    for (let i = 0; i < count; i++) database.run("INSERT INTO rows VALUES (zeroblob(1000))");
  }, purpose);
}

function countOf(database: SqliteDatabase): unknown {
  return database.get("SELECT count(*) AS count FROM rows")?.["count"];
}
