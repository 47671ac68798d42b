import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  ClientError,
  diffSnapshots,
  downloadSnapshot,
  FileError,
  startSnapshot,
  UploadError,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { allIds, clientFor } from "./_client.ts";

/* What a user can get wrong, and what goes wrong by itself: each fails clearly. */

async function setUp(t: TestContext) {
  const client = clientFor(t, await startService(t));
  const folder = await temporaryDirectory(t);
  const path = join(folder, "image.raw");
  await writeImage(path, 20 * BLOCK_SIZE_BYTES, { 0: 1, 5: 2, 10: 3, 19: 4 });
  return { client, folder, path };
}

async function rejectsWithFileError(promise: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof FileError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

test("what is no image is refused before a snapshot is started", async (t) => {
  const { client, folder, path } = await setUp(t);
  const empty = join(folder, "empty.raw");
  await writeFile(empty, "");
  const upload = (path: string, volumeSizeGib?: number) =>
    uploadSnapshot(client, { path, volumeSizeGib });
  await rejectsWithFileError(upload(join(folder, "none")), /^Cannot read .*no such file/);
  await rejectsWithFileError(upload(folder), /^Cannot read .*it is a directory\.$/);
  await rejectsWithFileError(upload(empty), /is empty\.$/);
  await rejectsWithFileError(upload("/dev/null"), /neither a file nor a disk/);
  await writeImage(path, 2 ** 30 + 1, { 0: 1 });
  await rejectsWithFileError(upload(path, 1), /needs 2 GiB/);
  assert.deepEqual(await allIds(client), []);
});

/** Root may read everything; for the time of the work this process is nobody. */
const NOBODY = 65_534;

test("an unreadable image is refused", async (t) => {
  const { client, path } = await setUp(t);
  await chmod(path, 0);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    await rejectsWithFileError(uploadSnapshot(client, { path }), /permission denied/);
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

for (const holes of ["seek", "zero"] as const) {
  test(`an image that shrinks is noticed, holes found by ${holes}`, async (t) => {
    const { client, path } = await setUp(t);
    const onProgress = () => truncateSync(path, 7 * BLOCK_SIZE_BYTES);
    const uploading = uploadSnapshot(client, { path, holes, concurrency: 1, onProgress });
    await assert.rejects(uploading, (error) => {
      assert.ok(error instanceof UploadError);
      assert.match(error.message, /^The image shrank while being read: .* was deleted\.$/);
      return true;
    });
    assert.deepEqual(await allIds(client), []);
  });
}

test("an image that shrinks within its last hole is noticed", async (t) => {
  const { client, path } = await setUp(t);
  await writeImage(path, 20 * BLOCK_SIZE_BYTES, { 0: 1 });
  const onProgress = () => truncateSync(path, 7 * BLOCK_SIZE_BYTES);
  const uploading = uploadSnapshot(client, { path, holes: "seek", onProgress });
  await assert.rejects(uploading, /The image shrank while being read/);
});

test("an interrupted upload deletes its snapshot, an interrupted download its file", async (t) => {
  const { client, folder, path } = await setUp(t);
  const { snapshotId } = await uploadSnapshot(client, { path });
  const interrupting = () => {
    const abort = new AbortController();
    const onProgress = () => abort.abort(new Error("enough"));
    return { onProgress, signal: abort.signal, concurrency: 1 };
  };
  const uploading = uploadSnapshot(client, { path, ...interrupting() });
  await assert.rejects(uploading, /^UploadError: enough The unfinished snapshot .* was deleted\.$/);
  assert.deepEqual(await allIds(client), [snapshotId]);
  const target = join(folder, "restored.raw");
  const downloading = downloadSnapshot(client, { snapshotId, path: target, ...interrupting() });
  await assert.rejects(downloading, /^Error: enough$/);
  assert.deepEqual(await readdir(folder), ["image.raw"]);
});

test("a target that cannot be written is refused, and nothing is left behind", async (t) => {
  const { client, folder, path } = await setUp(t);
  const { snapshotId } = await uploadSnapshot(client, { path });
  const download = (target: string, force = false) =>
    downloadSnapshot(client, { snapshotId, path: target, force });
  const other = join(folder, "other.raw");
  await writeFile(other, "precious");
  await rejectsWithFileError(download(other), /exists already\.$/);
  await rejectsWithFileError(download(folder, true), /it is a directory\.$/);
  await rejectsWithFileError(download("/dev/null", true), /only a new file or a regular one/);
  await rejectsWithFileError(download(join(folder, "none", "x")), /no such file or directory/);
  await rejectsWithFileError(download(join(other, "x")), /not a directory/);
  assert.deepEqual((await readdir(folder)).sort(), ["image.raw", "other.raw"]);
  await mkdir(join(folder, "links"));
  await symlink(other, join(folder, "links", "link.raw"));
  await download(join(folder, "links", "link.raw"), true);
  await assertSameBytes(other, path);
  assert.deepEqual(await readdir(join(folder, "links")), ["link.raw"]);
});

test("unknown and unfinished snapshots are told as such", async (t) => {
  const { client, folder, path } = await setUp(t);
  const { SnapshotId: pending } = await startSnapshot(client, { VolumeSize: 1 });
  for (const snapshotId of ["snap-0123456789abcdef0", pending]) {
    const isNotFound = (error: unknown) =>
      error instanceof ClientError && error.reason === "SNAPSHOT_NOT_FOUND";
    const target = join(folder, "restored.raw");
    await assert.rejects(downloadSnapshot(client, { snapshotId, path: target }), isNotFound);
    await assert.rejects(
      uploadSnapshot(client, { path, parentSnapshotId: snapshotId }),
      isNotFound,
    );
    const ids = { firstSnapshotId: snapshotId, secondSnapshotId: snapshotId };
    await assert.rejects(diffSnapshots(client, ids), isNotFound);
  }
  assert.deepEqual(await readdir(folder), ["image.raw"]);
  assert.deepEqual(await allIds(client), [pending]);
});

test("unrelated snapshots have no difference to show", async (t) => {
  const { client, path } = await setUp(t);
  const { snapshotId: firstSnapshotId } = await uploadSnapshot(client, { path });
  const { snapshotId: secondSnapshotId } = await uploadSnapshot(client, { path });
  const diff = diffSnapshots(client, { firstSnapshotId, secondSnapshotId });
  await assert.rejects(diff, { reason: "UNRELATED_SNAPSHOTS", status: 400 });
});

test("wrong keys are told as such", async (t) => {
  const service = await startService(t);
  const { accessKeyId } = service.firstKey.key;
  const pairs = [
    { accessKeyId, secretAccessKey: "wrong" },
    { accessKeyId: "AKIAUNKNOWN", secretAccessKey: "wrong" },
  ];
  for (const credentials of pairs) {
    const client = clientFor(t, service, { credentials });
    await assert.rejects(startSnapshot(client, { VolumeSize: 1 }), { status: 403 });
    await assert.rejects(allIds(client), { status: 401, code: "AuthFailure" });
  }
});
