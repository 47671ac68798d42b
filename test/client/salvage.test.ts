import assert from "node:assert/strict";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { StoredRecord } from "../../src/catalog/integrity.ts";
import {
  type Client,
  ClientError,
  downloadLogPath,
  downloadSnapshot,
  listBlockDigests,
  scrubStore,
  uploadSnapshot,
  verificationsOf,
  verifySnapshot,
} from "../../src/client/index.ts";
import type { Digest } from "../../src/model/digest.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { Service } from "../../src/service.ts";
import { flipBit, readAt, storedRecords } from "../support/damage.ts";
import { writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";
import { clientFor, clientThrough } from "./_client.ts";
import { counting, Killed } from "./_counting.ts";

/* Getting out of a damaged snapshot what is left, and being told exactly what is not. */

const BLOCK_COUNT = 700;

/** An image with data in five blocks, uploaded; and what it takes to damage its snapshot. */
async function setUp(t: Cleanup) {
  const folder = await temporaryDirectory(t);
  const image = join(folder, "image.raw");
  await writeImage(image, BLOCK_COUNT * BLOCK_SIZE_BYTES, { 0: 1, 3: 2, 4: 3, 600: 4, 699: 5 });
  const options = { dataDirectory: join(folder, "data"), scrubDays: 0, log: () => undefined };
  const service = await startService(t, options);
  const client = clientFor(t, service, { attemptsMax: 2 });
  const { snapshotId } = await uploadSnapshot(client, { path: image });
  return { folder, image, service, client, snapshotId, options };
}

/** The restored image is the original but for those block indexes, which are zeros. */
async function assertRestored(
  { image, path }: { readonly image: string; readonly path: string },
  zeros: readonly number[],
): Promise<void> {
  assert.equal((await stat(path)).size, (await stat(image)).size);
  for (const at of [0, 1, 3, 4, 511, 512, 600, 698, 699]) {
    const offset = at * BLOCK_SIZE_BYTES;
    const original = await readAt(image, offset, BLOCK_SIZE_BYTES);
    const expected = zeros.includes(at) ? Buffer.alloc(BLOCK_SIZE_BYTES) : original;
    assert.ok(expected.equals(await readAt(path, offset, BLOCK_SIZE_BYTES)), `block ${at}`);
  }
}

const LOST = [
  { start: 3, count: 2 },
  { start: 699, count: 1 },
];

/** Damages the records of blocks 3, 4 and 699. */
async function damageBlocks({ service, client, snapshotId }: Awaited<ReturnType<typeof setUp>>) {
  const { Blocks } = await listBlockDigests(client, { SnapshotId: snapshotId });
  const named = new Map(
    Blocks.map((b) => [Buffer.from(b.Checksum, "base64").toString("hex"), b.BlockIndex]),
  );
  for (const record of await storedRecords(service)) {
    const at = named.get(record.name);
    if (at === 3 || at === 4 || at === 699) await flipBit(service, record);
  }
}

test("salvage writes zeros for damaged blocks and says which they are", async (t) => {
  const parts = await setUp(t);
  const { folder, image, client, snapshotId } = parts;
  await damageBlocks(parts);
  const path = join(folder, "restored.raw");
  await assert.rejects(downloadSnapshot(client, { snapshotId, path }), ClientError);
  await assert.rejects(access(path), "nothing stands under the final name");
  const result = await downloadSnapshot(client, { snapshotId, path, salvage: true });
  assert.deepEqual(result.badExtents, LOST);
  assert.deepEqual([result.badBlocks, result.blocksReceived], [3, 2]);
  await assertRestored({ image, path }, [3, 4, 699]);
  const verified = await verifySnapshot(client, { snapshotId });
  assert.deepEqual([verified.outcome, verified.badExtents], ["damaged", result.badExtents]);
  for await (const { Outcome } of verificationsOf(client)) assert.equal(Outcome, "damaged");
  const scrubbed = await scrubStore(client);
  assert.equal(scrubbed.damagedRecordCount, 3);
});

/** The record of the node of block indexes 0 to 511. */
async function firstLeaf(service: Service, snapshotId: string): Promise<StoredRecord> {
  const snapshot = await service.core.catalog.snapshots.get(snapshotId as SnapshotId);
  assert.ok(snapshot?.root);
  const maps = service.core.maps(snapshot.domain);
  const branch = (await maps.node(snapshot.root, 2)).get(0) as Digest;
  const leaf = (await maps.node(branch, 1)).get(0);
  const record = (await storedRecords(service)).find(({ name }) => name === String(leaf));
  assert.ok(record);
  return record;
}

test("salvage goes on past a damaged part of the block map", async (t) => {
  const { folder, image, service, client, snapshotId, options } = await setUp(t);
  const leaf = await firstLeaf(service, snapshotId);
  await service.close();
  await flipBit(service, leaf);
  const again = await startService(t, options);
  const whole = clientFor(t, again, { attemptsMax: 2 });
  const path = join(folder, "restored.raw");
  await assert.rejects(downloadSnapshot(whole, { snapshotId, path }), ClientError);
  const result = await downloadSnapshot(whole, { snapshotId, path, salvage: true });
  assert.deepEqual(result.badExtents, [{ start: 0, count: 512 }]);
  assert.equal(result.blocksReceived, 2);
  await assertRestored({ image, path }, [0, 3, 4]);

  // A service that has no operation for that: nothing from there on is known.
  const aws = clientThrough(whole, (call, callOptions) => {
    if (call.operation !== "ListReadableBlocks") return whole.send(call, callOptions);
    const message = "Unknown";
    const { operation } = call;
    throw new ClientError({ kind: "service", operation, code: "X", message, status: 404 });
  });
  const lost = await downloadSnapshot(aws, { snapshotId, path, salvage: true, force: true });
  assert.deepEqual(lost.badExtents, [{ start: 0, count: 2_048 }]);
  await assertRestored({ image, path }, [0, 3, 4, 600, 699]);
  client.close();
});

test("salvage of what is whole is an ordinary download", async (t) => {
  const { folder, image, client, snapshotId } = await setUp(t);
  const path = join(folder, "restored.raw");
  const result = await downloadSnapshot(client, { snapshotId, path, salvage: true });
  assert.deepEqual([result.badBlocks, result.badExtents], [0, []]);
  await assertRestored({ image, path }, []);
  const verified = await verifySnapshot(client, { snapshotId });
  assert.deepEqual([verified.outcome, verified.manifest], ["whole", "whole"]);
});

test("salvage does not take a service that is away for damage", async (t) => {
  const { folder, service, client, snapshotId } = await setUp(t);
  const path = join(folder, "restored.raw");
  await service.close();
  const salvaging = downloadSnapshot(client, { snapshotId, path, salvage: true });
  await assert.rejects(salvaging, (error) => {
    return error instanceof ClientError && error.kind === "connection";
  });
});

/** A client whose calls of these operations end with a status, after all their attempts. */
function answering(client: Client, statuses: Readonly<Record<string, number>>): Client {
  return clientThrough(client, (call, options) => {
    const { operation } = call;
    const status = statuses[operation];
    if (status === undefined) return client.send(call, options);
    throw new ClientError({ kind: "service", operation, code: "Odd", message: "Odd.", status });
  });
}

for (const [what, statuses] of [
  ["502 for a block", { GetSnapshotBlock: 502 }],
  ["503 for a block", { GetSnapshotBlock: 503 }],
  ["504 for a block", { GetSnapshotBlock: 504 }],
  ["503 for its listing", { ListSnapshotBlocks: 503 }],
  ["503 for what is left of a damaged one", { ListSnapshotBlocks: 500, ListReadableBlocks: 503 }],
] as const) {
  test(`salvage does not take an outage for damage: ${what}`, async (t) => {
    const { folder, client, snapshotId } = await setUp(t);
    const path = join(folder, "restored.raw");
    const away = answering(client, statuses);
    const salvaging = downloadSnapshot(away, { snapshotId, path, salvage: true });
    await assert.rejects(salvaging, (error) => {
      return error instanceof ClientError && error.status === Object.values(statuses).at(-1);
    });
    await assert.rejects(access(path), "nothing stands under the final name");
  });
}

test("a salvage that died before it said what is lost says it again", async (t) => {
  const parts = await setUp(t);
  const { folder, image, client, snapshotId } = parts;
  await damageBlocks(parts);
  const path = join(folder, "restored.raw");
  const options = { snapshotId, path, logPath: downloadLogPath(path), salvage: true };
  const onCompleted = () => {
    throw new Killed("killed");
  };
  await assert.rejects(downloadSnapshot(client, { ...options, onCompleted }), Killed);
  const next = counting(client);
  const result = await downloadSnapshot(next.client, options);
  assert.deepEqual(next.operations, []);
  assert.deepEqual([result.badBlocks, result.badExtents], [3, LOST]);
  await assertRestored({ image, path }, [3, 4, 699]);
});
