import assert from "node:assert/strict";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { decodeRecord, RECORD_KIND } from "../src/blocks/record.ts";
import { findDataExtents } from "../src/client/image/sparse-extents.ts";
import {
  ClientError,
  completeSnapshot,
  createClient,
  deleteSnapshot,
  getSnapshotBlock,
  listChangedBlocks,
  listSnapshotBlocks,
  putSnapshotBlock,
  startSnapshot,
} from "../src/client/index.ts";
import { type Digest, digestFromChecksum, type RecordName } from "../src/model/digest.ts";
import { offsetOf } from "../src/model/geometry.ts";
import type { SnapshotId } from "../src/model/ids.ts";
import { BLOCK_SIZE_BYTES, GIB_BYTES } from "../src/model/limits.ts";
import { startService } from "./support/service.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

/*
 * The walk of one block, as ARCHITECTURE.md tells it: block 7 of a 1 GiB volume, through a real
 * service. Each step is a test of the same name, and the last test compares the names.
 */

const BLOCK_INDEX = 7;
const page = await readFile(new URL("../ARCHITECTURE.md", import.meta.url), "utf8");
const headings = [...page.matchAll(/^### (\d+\. .*)$/gm)].map((match) => match[1] as string);
const walked: string[] = [];

/** A step of the walk. Steps build on each other, so a failed one makes the later ones fail. */
function step(name: string, work: () => Promise<void>): void {
  walked.push(name);
  test(name, work);
}

const directory = await temporaryDirectory({ after });
const service = await startService({ after });
const { core, endpoint, region, firstKey } = service;
const client = createClient({ endpoint, region, credentials: firstKey.key, attemptsMax: 1 });
after(() => client.close());
const { account } = firstKey.key;

const text = new TextEncoder().encode("A varve is a yearly layer of sediment. ".repeat(14_000));
const block = text.subarray(0, BLOCK_SIZE_BYTES);
let digest: Digest;
let snapshotId: SnapshotId;
let childId: SnapshotId;

step("1. An image is read", async () => {
  const path = join(directory, "image.raw");
  const image = await open(path, "w+");
  try {
    await image.truncate(GIB_BYTES);
    await image.write(block, 0, BLOCK_SIZE_BYTES, offsetOf(BLOCK_INDEX));
    await image.sync();
    const extents = await findDataExtents({ fd: image.fd, path, sizeBytes: GIB_BYTES });
    // Undefined where this machine cannot tell holes from data; zeros are looked for then.
    for await (const extent of extents ?? []) assert.deepEqual(extent, { start: 7, count: 1 });
    const bytes = Buffer.alloc(BLOCK_SIZE_BYTES);
    await image.read(bytes, 0, BLOCK_SIZE_BYTES, offsetOf(BLOCK_INDEX));
    assert.ok(bytes.equals(block));
  } finally {
    await image.close();
  }
});

step("2. A snapshot is started", async () => {
  const started = await startSnapshot(client, { VolumeSize: 1 });
  snapshotId = started.SnapshotId as SnapshotId;
  const snapshot = await core.catalog.snapshots.get(snapshotId);
  assert.equal(snapshot?.state, "pending");
  assert.equal(snapshot?.account, account);
});

step("3. The request is signed and verified", async () => {
  const { accessKeyId } = firstKey.key;
  const credentials = { accessKeyId, secretAccessKey: "not the secret" };
  const stranger = createClient({ endpoint, region, credentials, attemptsMax: 1 });
  const putting = putSnapshotBlock(stranger, BLOCK_INDEX, snapshotId, { BlockData: block });
  await assert.rejects(putting, (error) => {
    return error instanceof ClientError && error.code === "InvalidSignatureException";
  });
  stranger.close();
  assert.deepEqual(await core.catalog.blocks.pendingWrites(snapshotId, 0, 1), []);
});

step("4. The block is put", async () => {
  const put = await putSnapshotBlock(client, BLOCK_INDEX, snapshotId, { BlockData: block });
  digest = digestFromChecksum(put.Checksum) as Digest;
  assert.match(digest, /^[0-9a-f]{64}$/);
});

/** The domain is not encrypted, so the record is called by the block's digest. */
const recordName = () => digest as string as RecordName;

step("5. The segment is synced", async () => {
  const location = await core.catalog.blocks.locate(account, recordName());
  assert.ok(location);
  const name = `${String(location.segment).padStart(10, "0")}.segment`;
  const segment = await readFile(join(service.dataDirectory, "segments", name));
  const record = segment.subarray(location.offset, location.offset + location.length);
  const { header } = decodeRecord(record);
  assert.equal(header.kind, RECORD_KIND.block);
  assert.equal(header.name, recordName());
  assert.ok(header.storedLength < BLOCK_SIZE_BYTES / 100, "such text is well compressed");
});

step("6. The catalog is committed", async () => {
  const writes = await core.catalog.blocks.pendingWrites(snapshotId, 0, 10);
  assert.deepEqual(writes, [{ blockIndex: BLOCK_INDEX, name: recordName() }]);
});

step("7. The snapshot is sealed", async () => {
  const completed = await completeSnapshot(client, snapshotId, { ChangedBlocksCount: 1 });
  assert.equal(completed.Status, "pending");
  await core.sealer.idle();
  const snapshot = await core.catalog.snapshots.get(snapshotId);
  assert.equal(snapshot?.state, "completed");
  assert.equal(snapshot?.blockCount, 1);
  assert.equal(await core.maps(account).lookup(snapshot?.root, BLOCK_INDEX), digest);
});

step("8. The block is listed", async () => {
  const { Blocks } = await listSnapshotBlocks(client, snapshotId);
  assert.deepEqual(
    Blocks.map(({ BlockIndex }) => BlockIndex),
    [BLOCK_INDEX],
  );
});

step("9. Two snapshots are compared", async () => {
  const input = { VolumeSize: 1, ParentSnapshotId: snapshotId };
  childId = (await startSnapshot(client, input)).SnapshotId as SnapshotId;
  await putSnapshotBlock(client, BLOCK_INDEX, childId, { BlockData: block });
  await putSnapshotBlock(client, 9, childId, { BlockData: new Uint8Array(BLOCK_SIZE_BYTES) });
  await completeSnapshot(client, childId, { ChangedBlocksCount: 2 });
  await core.sealer.idle();
  const changed = await listChangedBlocks(client, childId, { FirstSnapshotId: snapshotId });
  // Block 7 was written with the same bytes, so it is no change; block 9 is new, and all zeros.
  assert.deepEqual(
    changed.ChangedBlocks.map(({ BlockIndex }) => BlockIndex),
    [9],
  );
});

step("10. The block is read", async () => {
  const { Blocks } = await listSnapshotBlocks(client, childId);
  const token = Blocks.find(({ BlockIndex }) => BlockIndex === BLOCK_INDEX)?.BlockToken as string;
  const { BlockData } = await getSnapshotBlock(client, BLOCK_INDEX, childId, token);
  assert.ok(Buffer.from(BlockData).equals(block));
});

step("11. The snapshot is deleted", async () => {
  await deleteSnapshot(client, snapshotId);
  await assert.rejects(listSnapshotBlocks(client, snapshotId), /does not exist/);
  const { Blocks } = await listSnapshotBlocks(client, childId);
  assert.equal(Blocks.length, 2, "the child keeps what it inherited");
});

step("12. What nothing needs is collected", async () => {
  await deleteSnapshot(client, childId);
  const { catalog, collector } = core;
  const located = () => catalog.blocks.locate(account, recordName());
  assert.ok(await located());
  const options = { graceSeconds: 0, isDryRun: false };
  await collector.collect(options);
  assert.ok(await located(), "the first run only takes note");
  const { removedCount } = await collector.collect(options);
  assert.ok(removedCount > 0);
  assert.equal(await located(), undefined);
});

test("the walk has the steps of ARCHITECTURE.md, in its order", () => {
  assert.deepEqual(walked, headings);
});
