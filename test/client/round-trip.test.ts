import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import {
  blocksOf,
  type Client,
  createTags,
  deleteSnapshot,
  diffSnapshots,
  downloadSnapshot,
  type HoleSearch,
  type UploadOptions,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES, GIB_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, type ImageContents, writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { clientFor, clientThrough, describeOne } from "./_client.ts";

/* Images through the client library into a real service and back, byte for byte. */

const HOLES: readonly HoleSearch[] = ["seek", "zero", "auto"];

async function setUp(t: TestContext): Promise<{ client: Client; folder: string }> {
  return { client: clientFor(t, await startService(t)), folder: await temporaryDirectory(t) };
}

async function indexesOf(client: Client, snapshotId: string): Promise<number[]> {
  const indexes: number[] = [];
  for await (const { BlockIndex } of blocksOf(client, snapshotId)) indexes.push(BlockIndex);
  return indexes;
}

/** Uploads, downloads, and compares; `paddedToBytes` where the volume comes back, not the image. */
async function roundTrip(
  client: Client,
  options: UploadOptions,
  paddedToBytes?: number,
): Promise<Awaited<ReturnType<typeof uploadSnapshot>>> {
  const uploaded = await uploadSnapshot(client, options);
  const path = `${options.path}.restored`;
  await downloadSnapshot(client, { snapshotId: uploaded.snapshotId, path, force: true });
  await assertSameBytes(path, options.path, paddedToBytes);
  return uploaded;
}

for (const holes of HOLES) {
  test(`an image comes back as it was, holes found by ${holes}`, async (t) => {
    const { client, folder } = await setUp(t);
    const path = join(folder, "image.raw");
    const sizeBytes = 9 * BLOCK_SIZE_BYTES + 12_345;
    await writeImage(path, sizeBytes, { 0: 1, 2: 2, 3: 0, 5: 1, 9: 9 });
    const result = await roundTrip(client, { path, holes });
    assert.equal(result.volumeSizeGib, 1);
    assert.equal(result.blocksTotal, 10);
    const indexes = holes === "zero" ? [0, 2, 5, 9] : [0, 2, 3, 5, 9];
    assert.deepEqual(await indexesOf(client, result.snapshotId), indexes);
    assert.equal(result.blocksSent, indexes.length);
    assert.equal(result.blocksSkipped, 10 - indexes.length);
    assert.equal(result.blocksRead, holes === "zero" ? 10 : 5);
    const { Tags, State } = (await describeOne(client, result.snapshotId)) ?? {};
    assert.equal(State, "completed");
    assert.deepEqual(Tags, [{ Key: "varve:image-bytes", Value: String(sizeBytes) }]);
  });

  test(`an incremental upload sends what differs, holes found by ${holes}`, async (t) => {
    const { client, folder } = await setUp(t);
    const path = join(folder, "image.raw");
    await writeImage(path, 20 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2, 2: 3, 4: 5, 7: 0, 19: 6 });
    const first = await roundTrip(client, { path, holes });
    // 1 changes; 2 becomes a hole; 4 becomes written zeros; 5 is new; 7 and 8 stay as they read.
    await writeImage(path, 20 * BLOCK_SIZE_BYTES, { 0: 1, 1: 22, 4: 0, 5: 7, 19: 6 });
    const parentSnapshotId = first.snapshotId;
    const second = await roundTrip(client, { path, holes, parentSnapshotId });
    assert.equal(second.blocksSent, 4);
    const { snapshotId: secondSnapshotId } = second;
    const difference = { firstSnapshotId: first.snapshotId, secondSnapshotId };
    assert.deepEqual(await diffSnapshots(client, difference), {
      volumeSizeGib: 1,
      changedBlocks: 4,
      changedBytes: 4 * BLOCK_SIZE_BYTES,
      onlyInFirst: 0,
      onlyInSecond: 1,
      extents: [
        { start: 1, count: 2 },
        { start: 4, count: 2 },
      ],
    });
    const again = await roundTrip(client, { path, holes, parentSnapshotId: secondSnapshotId });
    assert.equal(again.blocksSent, 0);
  });
}

test("an image may grow and shrink from snapshot to snapshot", async (t) => {
  const { client, folder } = await setUp(t);
  const path = join(folder, "image.raw");
  const images: [size: number, contents: ImageContents, volumeSizeGib: number][] = [
    [3 * BLOCK_SIZE_BYTES + 1, { 0: 1, 3: 4 }, 1],
    [GIB_BYTES + 2 * BLOCK_SIZE_BYTES, { 0: 1, 3: 5, 2047: 6, 2048: 7, 2049: 8 }, 2],
    [2 * BLOCK_SIZE_BYTES + 100, { 0: 1, 2: 9 }, 2],
    [GIB_BYTES, { 0: 1, 2047: 2 }, 2],
  ];
  let parentSnapshotId: string | undefined;
  for (const [sizeBytes, contents, volumeSizeGib] of images) {
    await writeImage(path, sizeBytes, contents);
    const result = await roundTrip(client, { path, parentSnapshotId });
    assert.equal(result.volumeSizeGib, volumeSizeGib);
    assert.ok(result.blocksSent <= 5, `${result.blocksSent} blocks sent`);
    parentSnapshotId = result.snapshotId;
  }
});

test("a parent from a service without our listing is compared by reading it", async (t) => {
  const service = await startService(t);
  const folder = await temporaryDirectory(t);
  const path = join(folder, "image.raw");
  const client = clientFor(t, service);
  await writeImage(path, 4 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2, 3: 3 });
  const { snapshotId: parentSnapshotId } = await uploadSnapshot(client, { path });
  const plain = clientThrough(client, (call, options) => {
    // As AWS answers a path it does not know.
    const path = call.request.path.replace(/\/digests$/, "/nothing-here");
    return client.send({ ...call, request: { ...call.request, path } }, options);
  });
  await writeImage(path, 4 * BLOCK_SIZE_BYTES, { 0: 1, 1: 5 });
  const result = await uploadSnapshot(plain, { path, parentSnapshotId });
  assert.equal(result.blocksSent, 2);
  const restored = join(folder, "restored.raw");
  await downloadSnapshot(client, { snapshotId: result.snapshotId, path: restored });
  await assertSameBytes(restored, path);
});

describe("options of an upload", () => {
  test("volume size, description and tags arrive", async (t) => {
    const { client, folder } = await setUp(t);
    const path = join(folder, "image.raw");
    await writeImage(path, GIB_BYTES, { 7: 7 });
    const tags = [{ Key: "name", Value: "disk" }];
    const options = { path, volumeSizeGib: 3, description: "a disk", tags, concurrency: 1 };
    const { snapshotId } = await roundTrip(client, options);
    const described = await describeOne(client, snapshotId);
    assert.equal(described?.VolumeSize, 3);
    assert.equal(described?.Description, "a disk");
    assert.deepEqual(described?.Tags, [
      ...tags,
      { Key: "varve:image-bytes", Value: String(GIB_BYTES) },
    ]);
  });

  test("an image of whole GiB carries no tag of its length", async (t) => {
    const { client, folder } = await setUp(t);
    const path = join(folder, "image.raw");
    await writeImage(path, GIB_BYTES, { 0: 1 });
    const { snapshotId } = await roundTrip(client, { path });
    assert.deepEqual((await describeOne(client, snapshotId))?.Tags, []);
  });

  test("progress never goes back and ends at the total", async (t) => {
    const { client, folder } = await setUp(t);
    const path = join(folder, "image.raw");
    await writeImage(path, 40 * BLOCK_SIZE_BYTES, { 0: 1, 10: 2, 20: 3, 39: 4 });
    const done: number[] = [];
    const onProgress = ({ blocksDone }: { blocksDone: number }) => done.push(blocksDone);
    const { snapshotId } = await uploadSnapshot(client, { path, onProgress });
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    assert.equal(done.at(-1), 40);
    done.length = 0;
    await downloadSnapshot(client, { snapshotId, path: `${path}.restored`, onProgress });
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    assert.equal(done.at(-1), 40);
  });
});

test("a restored image is sparse, and a wrong length tag is not believed", async (t) => {
  const { client, folder } = await setUp(t);
  const path = join(folder, "image.raw");
  await writeImage(path, 100 * BLOCK_SIZE_BYTES, { 50: 1, 60: 0 });
  const { snapshotId } = await uploadSnapshot(client, { path });
  for (const Value of ["-1", "1.5", "many", String(GIB_BYTES + 1)]) {
    const Tags = [{ Key: "varve:image-bytes", Value }];
    await createTags(client, { Resources: [snapshotId], Tags });
    const restored = join(folder, "restored.raw");
    await downloadSnapshot(client, { snapshotId, path: restored, force: true });
    await assertSameBytes(restored, path, GIB_BYTES);
    const { blocks } = await stat(restored);
    assert.ok(blocks * 512 < 4 * BLOCK_SIZE_BYTES, `${blocks * 512} bytes on disk`);
  }
});

test("nothing is left out for a length tag that is too short", async (t) => {
  const { client, folder } = await setUp(t);
  const path = join(folder, "image.raw");
  const restored = join(folder, "restored.raw");
  await writeImage(path, 6 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2, 3: 0, 5: 3 });
  const { snapshotId } = await uploadSnapshot(client, { path, holes: "seek" });
  const download = async (imageBytes: number) => {
    const Tags = [{ Key: "varve:image-bytes", Value: String(imageBytes) }];
    await createTags(client, { Resources: [snapshotId], Tags });
    return downloadSnapshot(client, { snapshotId, path: restored, force: true });
  };
  // At a block's edge, in the middle of a block, in a hole, and within the last block's data.
  for (const blocks of [1, 1.5, 2.5, 4, 5.5]) {
    const result = await download(blocks * BLOCK_SIZE_BYTES);
    await assertSameBytes(restored, path, GIB_BYTES);
    const { imageBytes, blocksReceived, blocksTotal } = result;
    assert.deepEqual([imageBytes, blocksReceived, blocksTotal], [GIB_BYTES, 4, 2048]);
  }
});

test("zeros beyond the tagged length are no part of the image", async (t) => {
  const { client, folder } = await setUp(t);
  const path = join(folder, "image.raw");
  const restored = join(folder, "restored.raw");
  await writeImage(path, 5 * BLOCK_SIZE_BYTES, { 0: 1, 1: 0, 3: 0 });
  const { snapshotId } = await uploadSnapshot(client, { path, holes: "seek" });
  const Tags = [{ Key: "varve:image-bytes", Value: String(1.5 * BLOCK_SIZE_BYTES) }];
  await createTags(client, { Resources: [snapshotId], Tags });
  const result = await downloadSnapshot(client, { snapshotId, path: restored });
  assert.equal(result.blocksReceived, 3);
  await writeImage(path, 1.5 * BLOCK_SIZE_BYTES, { 0: 1 });
  await assertSameBytes(restored, path);
});

test("a description comes back with the spaces at its ends", async (t) => {
  const { client, folder } = await setUp(t);
  const path = join(folder, "image.raw");
  await writeImage(path, BLOCK_SIZE_BYTES, { 0: 1 });
  for (const description of ["after  ", "  before", " ", "a\nb"]) {
    const { snapshotId } = await uploadSnapshot(client, { path, description });
    assert.equal((await describeOne(client, snapshotId))?.Description, description);
  }
});

test("a child keeps its blocks when its parent is deleted", async (t) => {
  const { client, folder } = await setUp(t);
  const path = join(folder, "image.raw");
  await writeImage(path, 4 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2 });
  const parent = await uploadSnapshot(client, { path });
  await writeImage(path, 4 * BLOCK_SIZE_BYTES, { 0: 1, 1: 3 });
  const child = await uploadSnapshot(client, { path, parentSnapshotId: parent.snapshotId });
  await deleteSnapshot(client, parent.snapshotId);
  const restored = join(folder, "restored.raw");
  await downloadSnapshot(client, { snapshotId: child.snapshotId, path: restored });
  await assertSameBytes(restored, path);
});
