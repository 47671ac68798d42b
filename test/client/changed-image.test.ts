import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { appendFile, copyFile, open, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type Client,
  downloadSnapshot,
  type TransferNote,
  type UploadOptions,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { allIds, clientFor, clientThrough } from "./_client.ts";
import { counting } from "./_counting.ts";
import { rewriteLog } from "./_noted-entries.ts";

/* An image that changes around its upload: no snapshot passes for what it does not hold. */

const SIZE_BYTES = 5 * BLOCK_SIZE_BYTES - 99;

async function setUp(t: TestContext) {
  const folder = await temporaryDirectory(t);
  const path = join(folder, "image.raw");
  await writeImage(path, SIZE_BYTES, { 0: 1, 1: 2, 4: 3 });
  // Long ago, so that a write that follows at once has another time, however coarse the clock is.
  await utimes(path, 1, 1);
  const client = clientFor(t, await startService(t));
  return { client, folder, path, logPath: join(folder, "log") };
}

async function upload(client: Client, options: UploadOptions) {
  const notes: TransferNote[] = [];
  const result = await uploadSnapshot(client, { ...options, onNote: (note) => notes.push(note) });
  return {
    ...result,
    events: notes.map(({ event }) => event),
    messages: notes.map(({ message }) => message).join("\n"),
  };
}

async function assertHolds(client: Client, snapshotId: string, path: string): Promise<void> {
  const restored = `${path}.restored`;
  await downloadSnapshot(client, { snapshotId, path: restored, force: true });
  await assertSameBytes(restored, path);
}

/** Runs an upload that dies once its completion was asked for; answers its snapshot. */
async function dieAtCompletion(
  client: Client,
  options: UploadOptions,
  beforeAnswer = false,
): Promise<string> {
  const earlier = await allIds(client);
  const end = { operation: "CompleteSnapshot", after: 1, beforeAnswer };
  await assert.rejects(uploadSnapshot(counting(client, end).client, options), /killed/);
  const [begun, ...more] = (await allIds(client)).filter((id) => !earlier.includes(id));
  assert.ok(begun !== undefined && more.length === 0);
  return begun;
}

test("an image that changed after its completion was asked for is uploaded anew", async (t) => {
  const { client, folder, path, logPath } = await setUp(t);
  const before = join(folder, "before.raw");
  const changes = [
    () => writeImage(path, SIZE_BYTES, { 0: 1, 1: 9, 4: 3 }),
    () => appendFile(path, "more"),
  ];
  for (const [i, change] of changes.entries()) {
    await copyFile(path, before);
    const first = await dieAtCompletion(client, { path, logPath }, i === 0);
    await change();
    const result = await upload(client, { path, logPath });
    assert.notEqual(result.snapshotId, first);
    assert.deepEqual([result.events, result.blocksKept], [["begun-anew"], 0]);
    const note = `${first} begins anew, since the image has changed: ${first} may be a completed`;
    assert.ok(result.messages.includes(`${note} snapshot of what the image held before.`));
    await assertHolds(client, result.snapshotId, path);
    await assertHolds(client, first, before);
  }
});

test("what nobody can tell apart is uploaded anew once its completion was asked for", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const again = () => ({ path: "-", stream: createReadStream(path), volumeSizeGib: 1, logPath });
  const first = await dieAtCompletion(client, again());
  await writeImage(path, SIZE_BYTES, { 0: 1, 1: 9, 4: 3 });
  const result = await upload(client, again());
  assert.notEqual(result.snapshotId, first);
  assert.deepEqual(result.events, ["begun-anew"]);
  const why = `since nobody can tell whether the image has changed: ${first} may be a completed`;
  assert.ok(result.messages.includes(why), result.messages);
  await assertHolds(client, result.snapshotId, path);
});

test("--restart leaves a snapshot whose completion was asked for, and names it", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const first = await dieAtCompletion(client, { path, logPath });
  const result = await upload(client, { path, logPath, restart: true });
  const note = `begins anew, as was asked for: ${first} may be a completed snapshot of what`;
  assert.ok(result.messages.includes(note), result.messages);
  assert.deepEqual((await allIds(client)).sort(), [first, result.snapshotId].sort());
});

test("an image that changed only before all of it was sent has nothing more to send", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const end = { operation: "PutSnapshotBlock", after: 1 };
  const dying = uploadSnapshot(counting(client, end).client, { path, logPath, concurrency: 1 });
  await assert.rejects(dying, /killed/);
  await writeImage(path, SIZE_BYTES, { 0: 1, 1: 9, 4: 3 });
  const [first] = await allIds(client);
  const endLater = { operation: "CompleteSnapshot", after: 1 };
  const later = uploadSnapshot(counting(client, endLater).client, { path, logPath });
  await assert.rejects(later, /killed/);
  const result = await upload(client, { path, logPath });
  assert.deepEqual([result.snapshotId, result.events], [first, ["resumed"]]);
  await assertHolds(client, result.snapshotId, path);
});

test("a log that tells the image only at its start is gone on with", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const first = await dieAtCompletion(client, { path, logPath });
  await rewriteLog(logPath, ({ source, ...entry }) => {
    return entry["completion"] === undefined ? { ...entry, source } : entry;
  });
  const result = await upload(client, { path, logPath });
  assert.deepEqual([result.snapshotId, result.events], [first, ["resumed"]]);
});

/** A client that does something to the image before the first call of an operation. */
function meanwhile(client: Client, operation: string, change: () => Promise<void>): Client {
  let isDone = false;
  return clientThrough(client, async (call, options) => {
    if (call.operation === operation && !isDone) {
      isDone = true;
      await change();
    }
    return client.send(call, options);
  });
}

test("what is added to an image after it was opened is told to be missing", async (t) => {
  const { client, folder, path } = await setUp(t);
  const { snapshotId: parentSnapshotId } = await uploadSnapshot(client, { path });
  const opened = join(folder, "opened.raw");
  await copyFile(path, opened);
  // The parent is looked at before anything is read, and the last block before the completion.
  for (const operation of ["ListBlockDigests", "CompleteSnapshot"]) {
    await writeImage(path, SIZE_BYTES, { 0: 1, 1: 2, 4: 3 });
    const growing = meanwhile(client, operation, () => appendFile(path, Buffer.alloc(1_000, 7)));
    const result = await upload(growing, { path, parentSnapshotId });
    assert.deepEqual(result.events, ["source-changed"], operation);
    assert.match(result.messages, /at its end, 1000 bytes, is not in the snapshot\.$/);
    await downloadSnapshot(client, { ...result, path: `${path}.restored`, force: true });
    await assertSameBytes(`${path}.restored`, opened);
  }
});

test("an image that is written to while it is read is told to have changed", async (t) => {
  const { client, path } = await setUp(t);
  const writing = meanwhile(client, "StartSnapshot", async () => {
    await using file = await open(path, "r+");
    await file.write("x", BLOCK_SIZE_BYTES);
  });
  const result = await upload(writing, { path });
  assert.deepEqual(result.events, ["source-changed"]);
  assert.match(result.messages, /each block as it was at some time of the upload\.$/);
});
