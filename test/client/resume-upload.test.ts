import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { access, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type Client,
  ClientError,
  deleteSnapshot,
  downloadSnapshot,
  type TransferNote,
  UploadError,
  type UploadOptions,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { allIds, clientFor, clientThrough } from "./_client.ts";
import { counting, Killed } from "./_counting.ts";

/* An upload that ended early is gone on with, and sends nothing twice that was acknowledged. */

const BLOCKS = 24;
const SIZE_BYTES = BLOCKS * BLOCK_SIZE_BYTES - 99;

/** Every third block is a hole, one holds written zeros. */
function contents(changed: Readonly<Record<number, number>> = {}) {
  const all = Array.from({ length: BLOCKS }, (_, i) => [i, i + 1] as const);
  const data = all.filter(([i]) => i % 3 !== 2);
  return { ...Object.fromEntries(data), 4: 0, ...changed };
}

async function setUp(t: TestContext) {
  const folder = await temporaryDirectory(t);
  const path = join(folder, "image.raw");
  await writeImage(path, SIZE_BYTES, contents());
  const client = clientFor(t, await startService(t));
  return { client, folder, path, logPath: join(folder, "log") };
}

async function uploadDies(client: Client, options: UploadOptions): Promise<void> {
  await assert.rejects(uploadSnapshot(client, options), (error) => {
    const cause = error instanceof UploadError ? error.cause : error;
    assert.ok(cause instanceof Killed, String(error));
    return true;
  });
}

async function upload(client: Client, options: UploadOptions) {
  const notes: TransferNote[] = [];
  const result = await uploadSnapshot(client, { ...options, onNote: (note) => notes.push(note) });
  const [events, messages] = [notes.map(({ event }) => event), notes.map((note) => note.message)];
  return { ...result, events, messages };
}

/** The snapshot holds what the image holds now, and no log is left. */
async function isRight(client: Client, snapshotId: string, options: UploadOptions) {
  const path = `${options.path}.restored`;
  await downloadSnapshot(client, { snapshotId, path, force: true });
  await assertSameBytes(path, options.path);
  await assert.rejects(access(options.logPath ?? ""), "the log is gone");
}

test("an upload that dies after any of its calls is gone on with", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const { client: whole, puts: all } = counting(client);
  const { snapshotId: first } = await uploadSnapshot(whole, { path });
  await deleteSnapshot(client, first);
  const ends: [operation: string, after: number, beforeAnswer: boolean][] = [
    ["StartSnapshot", 1, true],
    ["StartSnapshot", 1, false],
    ["PutSnapshotBlock", 1, true],
    ["PutSnapshotBlock", 7, false],
    ["PutSnapshotBlock", all.length, false],
    ["CompleteSnapshot", 1, true],
    ["CompleteSnapshot", 1, false],
  ];
  for (const [operation, after, beforeAnswer] of ends) {
    const options = { path, logPath, concurrency: 1 };
    const dying = counting(client, { operation, after, beforeAnswer });
    await uploadDies(dying.client, options);
    const next = counting(client);
    const result = await upload(next.client, options);
    assert.deepEqual(result.events, ["resumed"], `${operation} ${after}`);
    assert.deepEqual([...dying.puts, ...next.puts].sort(ascending), all.sort(ascending));
    assert.equal(result.blocksKept, dying.puts.length);
    assert.deepEqual(await allIds(client), [result.snapshotId], "there is one snapshot");
    await isRight(client, result.snapshotId, options);
    await deleteSnapshot(client, result.snapshotId);
  }
});

function ascending(a: number, b: number): number {
  return a - b;
}

test("an upload is gone on with again and again, with a parent too", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const { snapshotId: parentSnapshotId } = await uploadSnapshot(client, { path });
  // 3 and 6 become holes, 7 zeros, 8 data where the parent has a hole, 0 and 12 other data.
  const {
    3: _,
    6: __,
    ...rest
  } = contents({ 0: 90, 12: 91, 7: 0, 8: 92 }) as Record<number, number>;
  await writeImage(path, SIZE_BYTES, rest);
  const options = { path, logPath, parentSnapshotId, concurrency: 1 };
  const puts: number[] = [];
  for (let run = 0; run < 3; run++) {
    const dying = counting(client, { operation: "PutSnapshotBlock", after: 2 });
    await uploadDies(dying.client, options);
    puts.push(...dying.puts);
  }
  const last = counting(client);
  const result = await upload(last.client, options);
  assert.deepEqual([...puts, ...last.puts].sort(ascending), [0, 3, 6, 7, 8, 12]);
  await isRight(client, result.snapshotId, options);
});

test("what changed in the image meanwhile is sent again, and nothing else", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const options = { path, logPath, concurrency: 1 };
  const dying = counting(client, { operation: "PutSnapshotBlock", after: 8 });
  await uploadDies(dying.client, options);
  assert.deepEqual(dying.puts, [0, 1, 3, 4, 6, 7, 9, 10]);
  // Other data, a hole instead of data, data instead of zeros; and one not sent yet.
  const changed = contents({ 1: 77, 4: 78, 21: 79 }) as Record<number, number | "hole">;
  await writeImage(path, SIZE_BYTES, { ...changed, 7: "hole" });
  const next = counting(client);
  const result = await upload(next.client, options);
  assert.deepEqual(result.events, ["resumed", "source-changed"]);
  assert.deepEqual(next.puts.slice(0, 3), [1, 4, 7]);
  assert.equal(result.blocksKept, 5);
  await isRight(client, result.snapshotId, options);
});

test("an image touched but not changed is read again and not sent again", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const options = { path, logPath };
  const dying = counting(client, { operation: "PutSnapshotBlock", after: 5 });
  await uploadDies(dying.client, { ...options, concurrency: 1 });
  await utimes(path, 1, 1);
  const result = await upload(client, options);
  assert.deepEqual([result.blocksKept, result.blocksRead], [5, 16]);
  await isRight(client, result.snapshotId, options);
});

test("an image of another size, or --restart, begins anew and leaves nothing behind", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const options = { path, logPath };
  const end = { operation: "PutSnapshotBlock", after: 5 };
  await uploadDies(counting(client, end).client, options);
  await writeImage(path, SIZE_BYTES + 5_000_000, contents());
  const longer = await upload(client, options);
  assert.deepEqual(longer.events, ["begun-anew"]);
  await isRight(client, longer.snapshotId, options);
  await uploadDies(counting(client, end).client, options);
  const anew = await upload(client, { ...options, restart: true });
  assert.deepEqual([anew.events, anew.blocksKept], [["begun-anew"], 0]);
  assert.deepEqual((await allIds(client)).length, 2);
});

test("what an upload begun anew cannot delete is named", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const options = { path, logPath };
  await uploadDies(counting(client, { operation: "PutSnapshotBlock", after: 5 }).client, options);
  const [left] = await allIds(client);
  const denied = clientThrough(client, async (call, callOptions) => {
    if (call.operation !== "DeleteSnapshot") return client.send(call, callOptions);
    throw new ClientError({
      ...{ kind: "service", operation: call.operation, status: 403 },
      ...{ code: "UnauthorizedOperation", message: "Not yours to delete." },
    });
  });
  const anew = await upload(denied, { ...options, restart: true });
  assert.match(
    anew.messages.join(),
    new RegExp(`${left} could not be deleted; delete it yourself`),
  );
  assert.ok((await allIds(client)).includes(left as string));
});

test("a stream that comes again is gone on with, and its length is noted at the end", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const again = () => ({ path: "-", stream: createReadStream(path), volumeSizeGib: 1, logPath });
  const dying = counting(client, { operation: "PutSnapshotBlock", after: 5 });
  await uploadDies(dying.client, { ...again(), concurrency: 1 });
  const next = counting(client);
  const result = await upload(next.client, again());
  assert.deepEqual([result.blocksKept, result.blocksSent, next.puts.length], [5, 10, 10]);
  await isRight(client, result.snapshotId, { path, logPath });
});

test("a snapshot that is gone meanwhile is said, and begun anew", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const options = { path, logPath };
  await uploadDies(counting(client, { operation: "PutSnapshotBlock", after: 5 }).client, options);
  for (const id of await allIds(client)) await deleteSnapshot(client, id);
  const result = await upload(client, options);
  assert.deepEqual([result.events, result.blocksKept], [["begun-anew"], 0]);
  await isRight(client, result.snapshotId, options);
});

test("a second upload of the same at once, or another one with its log, is refused", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const options = { path, logPath };
  const both = await Promise.allSettled([upload(client, options), upload(client, options)]);
  const failures = both.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  assert.deepEqual(
    failures.map(({ code }) => code),
    ["TRANSFER_RUNNING"],
  );
  await uploadDies(counting(client, { operation: "PutSnapshotBlock", after: 5 }).client, options);
  const other = { ...options, description: "another" };
  await assert.rejects(upload(client, other), { code: "TRANSFER_DIFFERS" });
  await upload(client, { ...other, restart: true });
});

test("the result is told again where the process died before it was", async (t) => {
  const { client, path, logPath } = await setUp(t);
  const onCompleted = () => {
    throw new Killed("killed");
  };
  await assert.rejects(upload(client, { path, logPath, onCompleted }), Killed);
  const [known] = await allIds(client);
  const again = await upload(client, { path, logPath });
  assert.deepEqual([again.snapshotId, again.blocksSent], [known, 0]);
  assert.deepEqual(await allIds(client), [known]);
});
