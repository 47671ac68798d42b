import assert from "node:assert/strict";
import { access, open, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type Client,
  ClientError,
  DownloadError,
  type DownloadOptions,
  deleteSnapshot,
  downloadLogPath,
  downloadSnapshot,
  FileError,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { clientFor, clientThrough } from "./_client.ts";
import { counting, Killed } from "./_counting.ts";

/* A download that ended early is gone on with, and an older restore gets only what differs. */

const BLOCKS = 24;
const SIZE_BYTES = BLOCKS * BLOCK_SIZE_BYTES - 99;
const CONTENTS = { 0: 1, 1: 2, 3: 0, 5: 6, 8: 9, 9: 10, 10: 11, 16: 17, 23: 24 };

async function setUp(t: TestContext) {
  const folder = await temporaryDirectory(t);
  const image = join(folder, "image.raw");
  await writeImage(image, SIZE_BYTES, CONTENTS);
  const client = clientFor(t, await startService(t));
  const { snapshotId } = await uploadSnapshot(client, { path: image, holes: "seek" });
  const target = join(folder, "restored");
  const options = { snapshotId, path: target, logPath: downloadLogPath(target), concurrency: 1 };
  return { client, folder, image, snapshotId, target, options };
}

async function downloadDies(client: Client, options: DownloadOptions): Promise<DownloadError> {
  const error = await downloadSnapshot(client, options).then(
    () => assert.fail("the download did not fail"),
    (error: unknown) => error as DownloadError,
  );
  assert.equal(error.name, "DownloadError", String(error));
  assert.ok(error.cause instanceof Killed, String(error));
  await assert.rejects(access(options.path), "nothing has the final name");
  return error;
}

test("a download that dies after any of its blocks is gone on with", async (t) => {
  const { client, folder, image, target, options } = await setUp(t);
  for (const after of [1, 4, 8]) {
    const dying = counting(client, { operation: "GetSnapshotBlock", after });
    const { aftermath, partPath } = await downloadDies(dying.client, options);
    assert.equal(aftermath, `What was written is kept in ${partPath}.`);
    const next = counting(client);
    const notes: string[] = [];
    const onNote = ({ event }: { event: string }) => notes.push(event);
    const result = await downloadSnapshot(next.client, { ...options, onNote, force: true });
    assert.deepEqual([...dying.gets, ...next.gets], [0, 1, 3, 5, 8, 9, 10, 16, 23]);
    assert.deepEqual([result.blocksKept, notes], [after, ["resumed"]]);
    await assertSameBytes(target, image);
    assert.deepEqual((await readdir(folder)).sort(), ["image.raw", "restored"]);
    await rename(target, join(folder, "image.raw"));
  }
});

test("what was damaged in the partial file meanwhile is received again", async (t) => {
  const { client, image, target, options } = await setUp(t);
  const end = { operation: "GetSnapshotBlock", after: 6 };
  const { partPath } = await downloadDies(counting(client, end).client, options);
  const part = await open(partPath, "r+");
  await part.write(Buffer.from("x"), 0, 1, BLOCK_SIZE_BYTES + 5);
  // A block that the snapshot has as zeros.
  await part.write(Buffer.from("x"), 0, 1, 3 * BLOCK_SIZE_BYTES + 5);
  await part.close();
  const next = counting(client);
  await downloadSnapshot(next.client, options);
  assert.deepEqual(next.gets, [1, 3, 10, 16, 23]);
  await assertSameBytes(target, image);
});

test("a partial file that is gone or another, or --restart, begins anew", async (t) => {
  const { client, image, target, options, folder } = await setUp(t);
  const end = { operation: "GetSnapshotBlock", after: 6 };
  const { partPath } = await downloadDies(counting(client, end).client, options);
  await rename(partPath, join(folder, "elsewhere"));
  await writeFile(partPath, "something else");
  const next = counting(client);
  await downloadSnapshot(next.client, options);
  assert.equal(next.gets.length, 9);
  await assertSameBytes(target, image);
  await rename(target, join(folder, "first"));
  await downloadDies(counting(client, end).client, options);
  const anew = counting(client);
  await downloadSnapshot(anew.client, { ...options, restart: true });
  assert.equal(anew.gets.length, 9);
  await assertSameBytes(target, image);
});

test("another snapshot, and a second run at once, do not get at a partial file", async (t) => {
  const { client, image, options } = await setUp(t);
  const { snapshotId: other } = await uploadSnapshot(client, { path: image });
  const end = { operation: "GetSnapshotBlock", after: 6 };
  await downloadDies(counting(client, end).client, options);
  const others = downloadSnapshot(client, { ...options, snapshotId: other });
  await assert.rejects(others, { code: "TRANSFER_DIFFERS" });
  const runs = [downloadSnapshot(client, options), downloadSnapshot(client, options)];
  const failures = (await Promise.allSettled(runs)).filter(({ status }) => status === "rejected");
  assert.equal(failures.length, 1);
});

test("a snapshot that is deleted meanwhile is told, and what came of it is kept", async (t) => {
  const { client, options, snapshotId } = await setUp(t);
  const end = { operation: "GetSnapshotBlock", after: 6 };
  const { partPath } = await downloadDies(counting(client, end).client, options);
  await deleteSnapshot(client, snapshotId);
  await assert.rejects(downloadSnapshot(client, options), (error) => {
    assert.ok(error instanceof DownloadError && !error.isResumable, String(error));
    assert.match(error.message, /does not exist\. What was written is kept in \S+-part\.$/);
    return true;
  });
  await access(partPath);
  await access(options.logPath);
});

test("a download that died when only its name was missing has nothing to receive", async (t) => {
  const { client, image, target, options, folder } = await setUp(t);
  const onCompleted = () => {
    throw new Killed("killed");
  };
  await assert.rejects(downloadSnapshot(client, { ...options, onCompleted }), Killed);
  await assertSameBytes(target, image);
  const next = counting(client);
  const result = await downloadSnapshot(next.client, options);
  assert.deepEqual([next.gets, result.imageBytes], [[], SIZE_BYTES]);
  assert.deepEqual((await readdir(folder)).sort(), ["image.raw", "restored"]);
});

/** A service that knows only AWS's operations. */
function plainAws(client: Client): Client {
  return clientThrough(client, (call, options) => {
    if (call.operation !== "ListBlockDigests") return client.send(call, options);
    const { operation } = call;
    const parts = { kind: "service", operation, code: "Unknown", message: "Unknown." } as const;
    throw new ClientError({ ...parts, status: 404 });
  });
}

/** A restore of a first state, and a second snapshot, a child of the first. */
async function setUpOnto(t: TestContext) {
  const { client, image, snapshotId: base, target, folder } = await setUp(t);
  await downloadSnapshot(client, { snapshotId: base, path: target });
  // 1 is other data, 5 a hole, 8 zeros, 12 new, and 23 reaches further.
  const { 5: _, ...rest } = { ...CONTENTS, 1: 50, 8: 0, 12: 51, 23: 24 };
  await writeImage(image, SIZE_BYTES + 50, rest);
  const parent = { parentSnapshotId: base, path: image };
  const { snapshotId } = await uploadSnapshot(client, parent);
  return { client, image, base, target, folder, snapshotId };
}

const ONTO_CASES = [
  { name: "digests", isPlain: false, gets: [1, 5, 8, 12, 23] },
  { name: "the base's changes and a sample", isPlain: true, gets: [0, 1, 5, 8, 12, 23] },
] as const;

for (const { name, isPlain, gets } of ONTO_CASES) {
  test(`only what differs is received onto an older restore, by ${name}`, async (t) => {
    const { client, image, base, target, folder, snapshotId } = await setUpOnto(t);
    const { ino } = await stat(target);
    const counted = counting(isPlain ? plainAws(client) : client);
    const options = { snapshotId, path: target, onto: true, concurrency: 1 };
    const baseSnapshotId = isPlain ? base : undefined;
    const result = await downloadSnapshot(counted.client, { ...options, baseSnapshotId });
    assert.deepEqual(counted.gets, gets);
    assert.equal(result.blocksWritten, 5);
    assert.equal((await stat(target)).ino, ino);
    await assertSameBytes(target, image);
    assert.deepEqual((await readdir(folder)).sort(), ["image.raw", "restored"]);
  });
}

test("onto an older restore without digests and base all is received and compared", async (t) => {
  const { client, image, target, snapshotId } = await setUpOnto(t);
  const result = await downloadSnapshot(plainAws(client), {
    snapshotId,
    path: target,
    onto: true,
  });
  assert.deepEqual([result.blocksReceived, result.blocksWritten], [10, 5]);
  await assertSameBytes(target, image);
});

test("what is no restore of the base is found out by the sample", async (t) => {
  const { client, image, base, target, snapshotId } = await setUpOnto(t);
  await writeImage(target, SIZE_BYTES, { 0: 99 });
  const before = await readFile(target);
  const options = { snapshotId, path: target, onto: true, baseSnapshotId: base, concurrency: 1 };
  await assert.rejects(downloadSnapshot(plainAws(client), options), (error) => {
    assert.ok(error instanceof FileError, String(error));
    assert.match(error.message, /is no restore of snap-\w+: its block 0 is another\./);
    return true;
  });
  assert.ok((await readFile(target)).equals(before), "it has its name and its contents");
  await downloadSnapshot(client, { snapshotId, path: target, onto: true });
  await assertSameBytes(target, image);
});

test("a half-written restore is compared by a restart, and not believed by its base", async (t) => {
  const { client, image, base, target, snapshotId } = await setUpOnto(t);
  const options = { path: target, onto: true, concurrency: 1 };
  const dying = counting(client, { operation: "GetSnapshotBlock", after: 2 });
  await downloadDies(dying.client, { ...options, snapshotId });
  const other = { ...options, snapshotId: base };
  await assert.rejects(downloadSnapshot(client, other), { code: "TRANSFER_DIFFERS" });
  const based = { ...options, snapshotId, baseSnapshotId: base, restart: true };
  await assert.rejects(downloadSnapshot(client, based), /without a base it is compared\.$/);
  await downloadSnapshot(client, { ...options, snapshotId, restart: true });
  await assertSameBytes(target, image);
});

test("a delta that dies leaves no half image under the name, and is gone on with", async (t) => {
  const { client, image, target, snapshotId, folder } = await setUpOnto(t);
  const options = { snapshotId, path: target, onto: true, concurrency: 1 };
  for (const after of [1, 2]) {
    const dying = counting(client, { operation: "GetSnapshotBlock", after });
    await downloadDies(dying.client, options);
  }
  const next = counting(client);
  await downloadSnapshot(next.client, options);
  assert.deepEqual(next.gets, [12, 23]);
  await assertSameBytes(target, image);
  assert.deepEqual((await readdir(folder)).sort(), ["image.raw", "restored"]);
  await assert.rejects(downloadSnapshot(client, { ...options, path: `${target}.none` }), {
    code: "ENOENT",
  });
});
