import assert from "node:assert/strict";
import fs, { cpSync, readFileSync, statSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
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

test("SqliteDatabase writes its log anew in pieces, wherever the system breaks off", async (t) => {
  const path = await leftOpen(t);
  const log = `${path}-wal`;
  const before = readFileSync(log);
  const written = Buffer.alloc(before.length);
  let longest = 0;
  const { writeSync } = fs;
  mockWrites(t, (file, bytes, start, length, at) => {
    const some = Math.min(length, 700_001);
    longest = Math.max(longest, length);
    bytes.copy(written, at, start, start + some);
    return writeSync(file, bytes, start, some, at);
  });
  const database = new SqliteDatabase(path);
  assert.ok(written.equals(before), "every byte in its place");
  assert.ok(longest <= 1024 * 1024 && before.length > 3 * longest, `${longest} bytes at once`);
  assert.equal(countOf(database), 4_001);
  database.close();
});

for (const isRoomMade of [true, false]) {
  const what = isRoomMade ? "takes the room that is made for its log" : "says what its log needs";
  test(`SqliteDatabase ${what} on a full disk that writes all in a new place`, async (t) => {
    const path = await leftOpen(t);
    const { size } = statSync(`${path}-wal`);
    const asked: WritePurpose[] = [];
    const { writeSync } = fs;
    mockWrites(t, (file, bytes, ...place) => {
      if (isRoomMade && asked.length > 0) return writeSync(file, bytes, ...place);
      throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC", errno: -28 });
    });
    const makeRoom = (purpose: WritePurpose) => {
      asked.push(purpose);
      return isRoomMade;
    };
    const open = () => new SqliteDatabase(path, { makeRoom });
    if (isRoomMade) open().close();
    else assert.throws(open, ({ message }: Error) => isTold(message, `${path}-wal`, size));
    assert.deepEqual(asked, ["upkeep"]);
  });
}

function isTold(message: string, log: string, sizeBytes: number): boolean {
  return (
    message.includes(log) && message.includes(`${sizeBytes} bytes`) && /give .*room/.test(message)
  );
}

/** Path of a database with 4,001 rows as a process leaves it that is killed, with its log. */
async function leftOpen(t: TestContext): Promise<string> {
  const { database, path } = await setUp(t);
  addRows(database, 4_000);
  const folder = join(await temporaryDirectory(t), "left");
  cpSync(dirname(path), folder, { recursive: true });
  return join(folder, "database.sqlite");
}

type WriteSync = (
  file: number,
  bytes: Buffer,
  ...place: readonly [start: number, length: number, at: number]
) => number;

/** Has all that is imported from `node:fs` write so, until the test ends. */
function mockWrites(t: TestContext, write: WriteSync): void {
  const mock = t.mock.method(fs, "writeSync", write as typeof fs.writeSync);
  syncBuiltinESMExports();
  t.after(() => {
    mock.mock.restore();
    syncBuiltinESMExports();
  });
}

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
  return { database, path, isRoomy, asked };
}

function addRows(database: SqliteDatabase, count: number, purpose?: WritePurpose): void {
  database.transaction(() => {
    for (let i = 0; i < count; i++) database.run("INSERT INTO rows VALUES (zeroblob(1000))");
  }, purpose);
}

function countOf(database: SqliteDatabase): unknown {
  return database.get("SELECT count(*) AS count FROM rows")?.["count"];
}
