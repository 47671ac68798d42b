import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import {
  diffSnapshots,
  downloadLogPath,
  downloadSnapshot,
  isSnapshotNotFound,
  listSnapshotBlocks,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { printSeed } from "../support/property.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { clientFor } from "./_client.ts";

test("the client goes its whole way where the service does as AWS does", async (t) => {
  const path = join(await temporaryDirectory(t), "image.raw");
  const service = await startService(t, { emulation: { aws: true, lagSeconds: 0.3 } });
  const client = clientFor(t, service);
  const readable = async (snapshotId: string) => {
    for (let tries = 0; tries < 100; tries++) {
      const error = await listSnapshotBlocks(client, snapshotId).catch((caught: unknown) => caught);
      if (!isSnapshotNotFound(error)) return;
      await systemClock.sleep(50);
    }
  };
  await writeImage(path, 40 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2, 39: 3 });
  const { snapshotId: first } = await uploadSnapshot(client, { path });
  await readable(first);
  await writeImage(path, 40 * BLOCK_SIZE_BYTES, { 0: 1, 1: 4, 39: 3 });
  const { snapshotId: second } = await uploadSnapshot(client, { path, parentSnapshotId: first });
  await readable(second);
  const pair = { firstSnapshotId: first, secondSnapshotId: second };
  const { extents, volumeSizeGib } = await diffSnapshots(client, pair);
  assert.deepEqual(extents, [{ start: 1, count: 1 }]);
  assert.equal(volumeSizeGib, 1);
  // Every member but the list is null in this answer.
  const same = await diffSnapshots(client, { firstSnapshotId: second, secondSnapshotId: second });
  assert.deepEqual([same.changedBlocks, same.volumeSizeGib], [0, 1]);
  await downloadSnapshot(client, { snapshotId: second, path: `${path}.restored` });
  await assertSameBytes(`${path}.restored`, path);
});

test("a transfer gets through quotas, lag and faults, and counts its retries", async (t) => {
  const folder = await temporaryDirectory(t);
  const path = join(folder, "image.raw");
  const seed = printSeed(t);
  const emulation = { aws: true, quotas: true, lagSeconds: 0.3, latencyMs: 3, seed };
  const service = await startService(t, { emulation: { ...emulation, faultShare: 0.1 } });
  // A stalled answer is given up soon; nobody waits for the 40 s of the emulation.
  const client = clientFor(t, service, { attemptTimeoutMs: 700, attemptsMax: 20 });
  const blocks = Array.from({ length: 60 }, (_, i) => [i * 2, i + 1] as const);
  await writeImage(path, 120 * BLOCK_SIZE_BYTES, Object.fromEntries(blocks));
  const logPath = join(folder, "log");
  const uploaded = await uploadSnapshot(client, { path, logPath });
  const { snapshotId } = uploaded;
  await systemClock.sleep(600);
  const target = join(folder, "restored.raw");
  const downloaded = await downloadSnapshot(client, {
    snapshotId,
    path: target,
    logPath: downloadLogPath(target),
  });
  await assertSameBytes(target, path);
  t.diagnostic(`retries: ${uploaded.retries} of the upload, ${downloaded.retries} of the download`);
  assert.ok(uploaded.retries > 0 && downloaded.retries > 0);
  assert.equal(downloaded.blocksReceived, 60);
});
