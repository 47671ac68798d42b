import assert from "node:assert/strict";
import { readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, seededBytes } from "../../../test/support/property.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { createClient } from "../call/create-client.ts";
import { CopyLog } from "./_copy-log.ts";

const SNAPSHOT = {
  SnapshotId: "snap-0123456789abcdef0",
  OwnerId: "111122223333",
  State: "completed",
  VolumeSize: 1,
  StartTime: "2026-11-25T08:00:00Z",
} as Parameters<typeof CopyLog.open>[1];
const BEGUN = {
  snapshotId: "snap-2123456789abcdef0",
  parentSnapshotId: "snap-1123456789abcdef0",
  attempt: 3,
};

function destination(t: TestContext, port = 7788) {
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
  const client = createClient({ endpoint: `http://127.0.0.1:${port}`, credentials });
  t.after(() => client.close());
  return client;
}

function checksumOf(index: number): string {
  return Buffer.from(seededBytes(index, 32)).toString("base64");
}

test("a log tells later what was noted, and of nothing else", async (t) => {
  const folder = join(await temporaryDirectory(t), "copies");
  const client = destination(t);
  const property = fc.asyncProperty(
    fc.uniqueArray(fc.nat(5_000), { maxLength: 30 }),
    fc.uniqueArray(fc.nat(5_000), { maxLength: 30 }),
    async (noted, asked) => {
      const log = await CopyLog.open(folder, SNAPSHOT, client);
      await log.noteBegun(BEGUN);
      await Promise.all(noted.map((index) => log.noteBlock(index, checksumOf(index))));
      await log.close();
      const again = await CopyLog.open(folder, SNAPSHOT, client);
      assert.deepEqual(again.begun, BEGUN);
      for (const index of [...noted, ...asked]) {
        const expected = noted.includes(index) ? checksumOf(index) : undefined;
        assert.equal(again.putBefore(index), expected);
      }
      await again.remove();
    },
  );
  await fc.assert(property, propertyRuns(t, 10));
});

test("a block at the end that was cut off counts for nothing", async (t) => {
  const folder = await temporaryDirectory(t);
  const client = destination(t);
  const log = await CopyLog.open(folder, SNAPSHOT, client);
  await log.noteBegun(BEGUN);
  await log.noteBlock(0, checksumOf(0));
  await log.noteBlock(1, checksumOf(1));
  await log.close();
  const [name = ""] = await readdir(folder);
  const path = join(folder, name);
  await truncate(path, (await stat(path)).size - 5);
  const again = await CopyLog.open(folder, SNAPSHOT, client);
  assert.equal(again.putBefore(0), checksumOf(0));
  assert.equal(again.putBefore(1), undefined);
  await again.remove();
  assert.deepEqual(await readdir(folder), []);
});

test("a copy begun anew knows nothing of the one before", async (t) => {
  const folder = await temporaryDirectory(t);
  const client = destination(t);
  const log = await CopyLog.open(folder, SNAPSHOT, client);
  await log.noteBegun(BEGUN);
  await log.noteBlock(0, checksumOf(0));
  await log.close();
  const second = await CopyLog.open(folder, SNAPSHOT, client);
  await second.noteBegun({ ...BEGUN, attempt: 4 });
  assert.equal(second.putBefore(0), undefined);
  await second.close();
  const third = await CopyLog.open(folder, SNAPSHOT, client);
  assert.equal(third.begun?.attempt, 4);
  assert.equal(third.putBefore(0), undefined);
  await third.close();
});

test("one at a time has the log of a copy; another destination has its own", async (t) => {
  const folder = await temporaryDirectory(t);
  const client = destination(t);
  const log = await CopyLog.open(folder, SNAPSHOT, client);
  await assert.rejects(CopyLog.open(folder, SNAPSHOT, client), {
    name: "FileError",
    code: "TRANSFER_RUNNING",
  });
  const other = await CopyLog.open(folder, SNAPSHOT, destination(t, 7789));
  await other.close();
  await log.close();
  assert.deepEqual(await readdir(folder), [], "nothing was begun, so nothing is left");
});

test("a folder that cannot be written is told", async (t) => {
  const folder = await temporaryDirectory(t);
  await writeFile(join(folder, "file"), "");
  const opening = CopyLog.open(join(folder, "file", "copies"), SNAPSHOT, destination(t));
  await assert.rejects(opening, {
    name: "FileError",
    message: /^Cannot write .*\.log: a part of the path is not a directory\.$/,
  });
});
