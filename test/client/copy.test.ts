import assert from "node:assert/strict";
import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { crc32 } from "node:zlib";
import {
  type Client,
  ClientError,
  CopyError,
  compareSnapshots,
  copySnapshots,
  createTags,
  deleteSnapshot,
  downloadSnapshot,
  startSnapshot,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, type ImageContents, writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { allIds, asAws, clientFor, clientThrough, describeOne } from "./_client.ts";

/* Snapshots from one real service to another. */

const IMAGE_BYTES = 140 * BLOCK_SIZE_BYTES;

interface World {
  readonly source: Client;
  readonly destination: Client;
  readonly folder: string;
  /** Uploads an image with these blocks. */
  readonly upload: (contents: ImageContents, parentSnapshotId?: string) => Promise<string>;
  /** Throws unless both snapshots come back as the same bytes. */
  readonly assertSame: (sourceId: string, copyId: string) => Promise<void>;
}

async function setUp(t: TestContext): Promise<World> {
  const source = clientFor(t, await startService(t));
  const destination = clientFor(t, await startService(t));
  const folder = await temporaryDirectory(t);
  const path = join(folder, "image.raw");
  return {
    source,
    destination,
    folder,
    async upload(contents, parentSnapshotId) {
      await writeImage(path, IMAGE_BYTES, contents);
      const options = { path, parentSnapshotId, description: "a disk", holes: "seek" } as const;
      return (await uploadSnapshot(source, options)).snapshotId;
    },
    async assertSame(sourceId, copyId) {
      const [original, copied] = [join(folder, "original.raw"), join(folder, "copied.raw")];
      await downloadSnapshot(source, { snapshotId: sourceId, path: original, force: true });
      await downloadSnapshot(destination, { snapshotId: copyId, path: copied, force: true });
      await assertSameBytes(copied, original);
    },
  };
}

test("a lineage is copied in order, each on top of its parent's copy", async (t) => {
  const { source, destination, upload, assertSame } = await setUp(t);
  const first = await upload({ 0: 1, 1: 2, 7: 0, 60: 3 });
  const second = await upload({ 0: 1, 1: 4, 7: 0, 60: 3, 61: 5 }, first);
  const third = await upload({ 0: 6, 1: 4, 7: 0, 60: 3, 61: 5 }, second);
  await createTags(source, { Resources: [third], Tags: [{ Key: "name", Value: "disk" }] });
  const options = { snapshotIds: [third], lineage: true, verify: true };
  const results = await copySnapshots(source, destination, options);
  assert.deepEqual(
    results.map(({ sourceSnapshotId }) => sourceSnapshotId),
    [first, second, third],
  );
  assert.deepEqual(
    results.map(({ blocksSent, blocksReceived }) => [blocksSent, blocksReceived]),
    // The written zeros of the first are known before they are read.
    [
      [4, 3],
      [2, 2],
      [1, 1],
    ],
  );
  assert.deepEqual(
    results.map(({ parentSnapshotId }) => parentSnapshotId),
    [undefined, results[0]?.snapshotId, results[1]?.snapshotId],
  );
  for (const { sourceSnapshotId, snapshotId, verification } of results) {
    assert.equal(verification?.differingBlocks, 0);
    await assertSame(sourceSnapshotId, snapshotId);
  }
  const copy = await describeOne(destination, results[2]?.snapshotId ?? "");
  const original = await describeOne(source, third);
  assert.equal(copy?.Description, "a disk");
  assert.equal(copy?.FullSnapshotSizeInBytes, original?.FullSnapshotSizeInBytes);
  assert.deepEqual(Object.fromEntries((copy?.Tags ?? []).map(({ Key, Value }) => [Key, Value])), {
    name: "disk",
    "varve:image-bytes": String(IMAGE_BYTES),
    "varve:source": `${original?.OwnerId}/us-east-1`,
    "varve:source-snapshot": third,
    "varve:source-time": original?.StartTime,
  });
  const again = await copySnapshots(source, destination, options);
  assert.deepEqual(
    again.map(({ outcome, blocksSent, snapshotId }) => [outcome, blocksSent, snapshotId]),
    results.map(({ snapshotId }) => ["there", 0, snapshotId]),
  );
  assert.equal((await allIds(destination)).length, 3);
});

test("a base that is gone at the source is compared by its copy's checksums", async (t) => {
  const { source, destination, upload, assertSame } = await setUp(t);
  const first = await upload({ 0: 1, 1: 2, 3: 4, 60: 3 });
  const second = await upload({ 0: 1, 1: 9, 3: 4, 60: 3 }, first);
  const [copied] = await copySnapshots(source, destination, { snapshotIds: [first] });
  await deleteSnapshot(source, first);
  const [result] = await copySnapshots(source, destination, { snapshotIds: [second] });
  assert.equal(result?.parentSnapshotId, copied?.snapshotId);
  assert.equal(result?.blocksSent, 1);
  await assertSame(second, result?.snapshotId ?? "");
});

test("a sibling's copy is a base, and zeros are written where it has more", async (t) => {
  const { source, destination, upload, assertSame } = await setUp(t);
  const first = await upload({ 0: 1, 1: 2 });
  const sibling = await upload({ 0: 1, 1: 2, 5: 5 }, first);
  const other = await upload({ 0: 1, 1: 3 }, first);
  await copySnapshots(source, destination, { snapshotIds: [sibling] });
  const [result] = await copySnapshots(source, destination, { snapshotIds: [other], verify: true });
  assert.deepEqual([result?.blocksSent, result?.blocksReceived], [2, 1]);
  assert.equal(result?.verification?.differingBlocks, 0);
  await assertSame(other, result?.snapshotId ?? "");
});

test("services that tell neither lineages nor checksums are asked what is related", async (t) => {
  const { source, destination, upload, assertSame } = await setUp(t);
  const [from, to] = [asAws(source), asAws(destination)];
  const first = await upload({ 0: 1, 1: 2, 3: 0 });
  const stranger = await upload({ 0: 9 });
  const second = await upload({ 0: 1, 1: 4, 3: 0 }, first);
  const third = await upload({ 0: 5, 1: 4, 3: 0 }, second);
  const snapshotIds = [second, stranger, first];
  const results = await copySnapshots(from, to, { snapshotIds, verify: true });
  const byId = new Map(results.map((each) => [each.sourceSnapshotId, each]));
  assert.deepEqual([...byId.keys()], [first, stranger, second]);
  assert.equal(byId.get(stranger)?.parentSnapshotId, undefined);
  assert.equal(byId.get(second)?.parentSnapshotId, byId.get(first)?.snapshotId);
  assert.deepEqual([byId.get(first)?.blocksSent, byId.get(first)?.blocksReceived], [3, 3]);
  assert.equal(byId.get(second)?.blocksSent, 1);
  for (const { sourceSnapshotId, snapshotId, verification } of results) {
    assert.equal(verification?.differingBlocks, 0);
    await assertSame(sourceSnapshotId, snapshotId);
  }
  const lineage = copySnapshots(from, to, { snapshotIds: [third], lineage: true });
  await assert.rejects(
    lineage,
    /does not tell which snapshots .* Name them all, without --lineage/,
  );
  // With all its relatives gone, nothing is left to compare with, and all of it is copied.
  for (const id of [first, second, stranger]) await deleteSnapshot(source, id);
  const [whole] = await copySnapshots(from, to, { snapshotIds: [third] });
  assert.deepEqual([whole?.parentSnapshotId, whole?.blocksSent], [undefined, 3]);
  await assertSame(third, whole?.snapshotId ?? "");
});

test("an earlier snapshot that nobody can read any more is no base, and no obstacle", async (t) => {
  const { source, destination, upload, assertSame } = await setUp(t);
  const first = await upload({ 0: 1, 1: 2, 3: 4 });
  const second = await upload({ 0: 1, 1: 4, 3: 4 }, first);
  const third = await upload({ 0: 5, 1: 4, 3: 4 }, second);
  const [from, to] = [asAws(source), asAws(destination)];
  const copies = await copySnapshots(from, to, { snapshotIds: [first, second] });
  // The nearest, say one that was archived since: it is there, and its blocks are not.
  const archived = clientThrough(from, async (call, options) => {
    const { operation, request } = call;
    const isOfIt = JSON.stringify([request.path, request.query]).includes(second);
    if (operation !== "ListChangedBlocks" || !isOfIt) return from.send(call, options);
    const [code, message] = ["ResourceNotFoundException", "It does not exist."];
    throw new ClientError({ kind: "service", operation, code, message, status: 404 });
  });
  const [result] = await copySnapshots(archived, to, { snapshotIds: [third] });
  assert.deepEqual([result?.parentSnapshotId, result?.blocksSent], [copies[0]?.snapshotId, 2]);
  await assertSame(third, result?.snapshotId ?? "");
});

/** A client that fails for good after so many blocks were put. */
function failingAfter(client: Client, puts: number): Client {
  let count = 0;
  return clientThrough(client, async (call, options) => {
    if (call.operation === "PutSnapshotBlock" && ++count > puts) {
      const parts = { kind: "connection", operation: call.operation, code: "ECONNRESET" } as const;
      throw new ClientError({ ...parts, message: "cut off" });
    }
    return client.send(call, options);
  });
}

test("a copy that was cut off goes on where it was", async (t) => {
  const { source, destination, folder, upload, assertSame } = await setUp(t);
  const contents = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i * 3, i]));
  const id = await upload(contents);
  const options = { snapshotIds: [id], stateFolder: join(folder, "state"), concurrency: 4 };
  const cut = await copySnapshots(source, failingAfter(destination, 15), options).catch((e) => e);
  assert.ok(cut instanceof CopyError, String(cut));
  assert.match(cut.message, /^cut off What is done is kept in snap-\w+: go on with the same/);
  const [result] = await copySnapshots(source, destination, options);
  assert.equal(result?.snapshotId, cut.snapshotId);
  assert.deepEqual([result?.blocksResumed, result?.blocksSent], [15, 25]);
  await assertSame(id, result?.snapshotId ?? "");
});

test("a line of the log that was damaged counts for nothing", async (t) => {
  const { source, destination, folder, upload, assertSame } = await setUp(t);
  const id = await upload({ 0: 1, 1: 2, 2: 3, 3: 4 });
  const stateFolder = join(folder, "state");
  const options = { snapshotIds: [id], stateFolder, concurrency: 1 };
  await assert.rejects(copySnapshots(source, failingAfter(destination, 3), options), CopyError);
  const path = join(stateFolder, (await readdir(stateFolder))[0] ?? "");
  const lines = (await readFile(path, "utf8")).split("\n");
  const damaged = lines.map((line) => line.replace('"block":1', '"block":3'));
  await writeFile(path, damaged.join("\n"));
  const [result] = await copySnapshots(source, destination, options);
  // From the damaged line on.
  assert.deepEqual([result?.blocksResumed, result?.blocksSent], [1, 3]);
  await assertSame(id, result?.snapshotId ?? "");
});

test("a log that lies is found out at completion, and the copy made anew", async (t) => {
  const { source, destination, folder, upload, assertSame } = await setUp(t);
  const id = await upload({ 0: 1, 1: 2, 2: 3, 3: 4 });
  const stateFolder = join(folder, "state");
  const options = { snapshotIds: [id], stateFolder, concurrency: 1 };
  await assert.rejects(copySnapshots(source, failingAfter(destination, 3), options), CopyError);
  const path = join(stateFolder, (await readdir(stateFolder))[0] ?? "");
  const lie = JSON.stringify({ block: 1, checksum: Buffer.alloc(32, 1).toString("base64") });
  await appendFile(path, `${crc32(lie).toString(16).padStart(8, "0")} ${lie}\n`);
  const lost = await copySnapshots(source, destination, options).catch((error) => error);
  assert.match(lost.message, /mismatch.* was deleted; the same command makes another one\.$/i);
  const [result] = await copySnapshots(source, destination, options);
  assert.notEqual(result?.snapshotId, lost.snapshotId);
  assert.equal(result?.blocksSent, 4);
  await assertSame(id, result?.snapshotId ?? "");
  assert.deepEqual(await readdir(stateFolder), []);
});

test("of two at once, the second is refused and changes nothing", async (t) => {
  const { source, destination, folder, upload, assertSame } = await setUp(t);
  const id = await upload({ 0: 1, 1: 2, 2: 3, 3: 4 });
  const options = { snapshotIds: [id], stateFolder: join(folder, "state"), concurrency: 1 };
  let second: Promise<unknown> | undefined;
  const first = clientThrough(destination, async (call, callOptions) => {
    if (call.operation === "PutSnapshotBlock" && second === undefined) {
      second = copySnapshots(source, destination, options).catch((error: unknown) => error);
      assert.equal(((await second) as { code?: string }).code, "TRANSFER_RUNNING");
    }
    return destination.send(call, callOptions);
  });
  const [result] = await copySnapshots(source, first, options);
  assert.ok(second);
  assert.equal(result?.blocksSent, 4);
  await assertSame(id, result?.snapshotId ?? "");
  assert.equal((await allIds(destination)).length, 1);
  const [again] = await copySnapshots(source, destination, options);
  assert.equal(again?.outcome, "there");
});

test("without a state folder the unfinished copy is found again, and sent again", async (t) => {
  const { source, destination, upload, assertSame } = await setUp(t);
  const id = await upload({ 0: 1, 1: 2, 2: 3, 3: 4 });
  const options = { snapshotIds: [id], concurrency: 1 };
  const cut = await copySnapshots(source, failingAfter(destination, 2), options).catch((e) => e);
  const [result] = await copySnapshots(source, destination, options);
  assert.equal(result?.snapshotId, cut.snapshotId);
  assert.equal(result?.blocksSent, 4);
  await assertSame(id, result?.snapshotId ?? "");
  await deleteSnapshot(destination, result?.snapshotId ?? "");
  const [anew] = await copySnapshots(source, destination, options);
  assert.notEqual(anew?.snapshotId, result?.snapshotId);
  await assertSame(id, anew?.snapshotId ?? "");
});

test("a wrong byte at the destination is found by --verify's comparison", async (t) => {
  const { source, destination, folder, upload } = await setUp(t);
  const id = await upload({ 0: 1, 2: 2, 9: 0 });
  const path = join(folder, "other.raw");
  await writeImage(path, IMAGE_BYTES, { 0: 1, 2: 7 });
  const { snapshotId } = await uploadSnapshot(destination, { path });
  const found = await compareSnapshots(
    { client: source, snapshotId: id },
    { client: destination, snapshotId },
  );
  assert.deepEqual(found.differingExtents, [{ start: 2, count: 1 }]);
  assert.equal(found.isSameSize, true);
});

test("a pending snapshot is not copied, and the error says what to wait for", async (t) => {
  const { source, destination } = await setUp(t);
  const { SnapshotId } = await startSnapshot(source, { VolumeSize: 1 });
  await assert.rejects(
    copySnapshots(source, destination, { snapshotIds: [SnapshotId] }),
    /in the state pending\. Only a completed one can be copied\. Wait for it with: varve wait/,
  );
});
