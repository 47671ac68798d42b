import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { open, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { systemRandom } from "../base/random.ts";
import { DiskFullError } from "../model/errors.ts";
import { CATALOG_ROOM_BYTES, RESERVE_SIZE_BYTES } from "../model/limits.ts";

const MIB = 1024 * 1024;

import { DiskSpace } from "./disk-space.ts";

test("DiskSpace makes the reserve, of real bytes, for its owner alone", async (t) => {
  const { disk, reserve, told } = await setUp(t);
  await disk.look();
  const { size, blocks, mode } = await stat(reserve);
  assert.deepEqual([size, mode & 0o777], [RESERVE_SIZE_BYTES, 0o600]);
  assert.ok(blocks * 512 >= RESERVE_SIZE_BYTES, "no holes");
  assert.deepEqual(told, []);
});

test("DiskSpace gives up the reserve for upkeep, never for new data", async (t) => {
  const { disk, reserve, told } = await setUp(t);
  await disk.look();
  assert.equal(disk.makeRoom("new-data"), false);
  assert.equal(statSync(reserve).size, RESERVE_SIZE_BYTES);
  assert.equal(disk.makeRoom("upkeep"), true);
  assert.equal(statSync(reserve, { throwIfNoEntry: false }), undefined);
  assert.equal(disk.makeRoom("upkeep"), false, "there is nothing more to give up");
  assert.deepEqual(told, [true]);
});

test("DiskSpace gives up the reserve that an earlier process has made", async (t) => {
  const { disk, reserve, open } = await setUp(t);
  await disk.look();
  assert.equal(open().makeRoom("upkeep"), true, "before anybody has looked");
  assert.equal(statSync(reserve, { throwIfNoEntry: false }), undefined);
});

test("DiskSpace lets a full disk move what fits, and keeps its reserve for others", async (t) => {
  const { disk, reserve } = await setUp(t);
  await disk.look();
  assert.equal(await disk.hasRoomToMove(Number.MAX_SAFE_INTEGER), true, "it is not full yet");
  disk.makeRoom("new-data");
  assert.equal(await disk.hasRoomToMove(Number.MAX_SAFE_INTEGER), false);
  assert.equal(await disk.hasRoomToMove(1), true);
  assert.equal(statSync(reserve).size, RESERVE_SIZE_BYTES);
  assert.equal(await disk.write("upkeep", 1, async () => 7), 7);
});

test("DiskSpace keeps room for the catalog from moves that were begun before", async (t) => {
  const { disk } = await setUp(t);
  await disk.look();
  let freeBytes = Number.MAX_SAFE_INTEGER;
  disk.freeBytes = async () => freeBytes;
  const move = () =>
    disk.write("upkeep", MIB, async () => {
      freeBytes -= MIB;
    });
  assert.equal(await disk.hasRoomToMove(64 * MIB), true);
  await move();
  freeBytes = 0;
  // A commit of the catalog found no room.
  assert.equal(disk.makeRoom("upkeep"), true);
  freeBytes = RESERVE_SIZE_BYTES;
  let movedCount = 0;
  const moving = async () => {
    for (; movedCount < 64; movedCount++) await move();
  };
  await assert.rejects(moving, DiskFullError);
  assert.ok(movedCount > 0 && freeBytes >= CATALOG_ROOM_BYTES / 2, `${freeBytes} are left`);
});

test("DiskSpace knows of a reserve that is given up while it is made", async (t) => {
  const { disk, reserve, told } = await setUp(t);
  await disk.look();
  disk.makeRoom("upkeep");
  const file = await open(reserve, "w");
  const handles = Object.getPrototypeOf(file) as typeof file;
  await file.close();
  const sync = t.mock.method(handles, "sync", async () => {
    assert.equal(disk.makeRoom("upkeep"), true, "it has all of its bytes");
  });
  await disk.look();
  assert.throws(() => disk.checkRoom(), DiskFullError);
  assert.deepEqual(told, [true]);
  sync.mock.restore();
  await disk.look();
  disk.checkRoom();
  assert.equal(statSync(reserve).size, RESERVE_SIZE_BYTES);
});

test("DiskSpace takes new data again when the reserve is there again", async (t) => {
  const { disk, reserve, told } = await setUp(t);
  await disk.look();
  disk.makeRoom("upkeep");
  assert.throws(() => disk.checkRoom(), DiskFullError);
  await disk.look();
  disk.checkRoom();
  assert.equal(statSync(reserve).size, RESERVE_SIZE_BYTES);
  assert.deepEqual(told, [true, false]);
});

test("DiskSpace replaces a reserve that a crash left in part, and keeps a whole one", async (t) => {
  const { disk, reserve, open } = await setUp(t);
  await disk.look();
  const { ino, mtimeMs } = await stat(reserve);
  await open().look();
  assert.deepEqual([(await stat(reserve)).ino, (await stat(reserve)).mtimeMs], [ino, mtimeMs]);
  await truncate(reserve, 1_000);
  await open().look();
  assert.equal((await stat(reserve)).size, RESERVE_SIZE_BYTES);
});

test("DiskSpace refuses writes from the first that finds no room on", async (t) => {
  const { disk, told } = await setUp(t);
  await disk.look();
  for (const code of ["ENOSPC", "EDQUOT"]) {
    let tries = 0;
    const write = async () => {
      tries += 1;
      throw Object.assign(new Error("no room"), { code });
    };
    await assert.rejects(disk.write("new-data", 1, write), DiskFullError);
    await assert.rejects(disk.write("new-data", 1, write), DiskFullError);
    assert.equal(tries, 1);
    await disk.look();
  }
  assert.equal(await disk.write("new-data", 1, async () => 7), 7);
  assert.deepEqual(told, [true, false, true, false]);
});

test("DiskSpace takes another failure for what it is, not for a full disk", async (t) => {
  const { disk, told } = await setUp(t);
  const broken = Object.assign(new Error("broken"), { code: "EIO" });
  await assert.rejects(
    disk.write("new-data", 1, () => Promise.reject(broken)),
    { code: "EIO" },
  );
  disk.checkRoom();
  assert.deepEqual(told, []);
});

async function setUp(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const told: boolean[] = [];
  const onChange = (isFull: boolean) => told.push(isFull);
  const open = () => new DiskSpace({ directory, random: systemRandom, onChange });
  return { disk: open(), open, told, reserve: join(directory, "reserve") };
}
