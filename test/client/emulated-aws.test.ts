import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import {
  ClientError,
  countExclusiveBlocks,
  diffSnapshots,
  diffSnapshotWithImage,
  downloadLogPath,
  downloadSnapshot,
  isSnapshotNotFound,
  listSnapshotBlocks,
  uploadSnapshot,
  verifySnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { printSeed } from "../support/property.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { clientFor, clientThrough } from "./_client.ts";
import { counting } from "./_counting.ts";

const ROOT = join(import.meta.dirname, "../..");

test("the client goes its whole way where the service does as AWS does", async (t) => {
  const path = join(await temporaryDirectory(t), "image.raw");
  const service = await startService(t, { emulation: { aws: true, lagSeconds: 0.3 } });
  const client = clientFor(t, service);
  await writeImage(path, 40 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2, 39: 3 });
  const { snapshotId: first } = await uploadSnapshot(client, { path });
  await writeImage(path, 40 * BLOCK_SIZE_BYTES, { 0: 1, 1: 4, 39: 3 });
  const { snapshotId: second } = await uploadSnapshot(client, { path, parentSnapshotId: first });
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

test("everybody who reads waits for a snapshot that was completed just now", async (t) => {
  const folder = await temporaryDirectory(t);
  const path = join(folder, "image.raw");
  const service = await startService(t, { emulation: { lagSeconds: 3 } });
  const client = clientFor(t, service);
  await writeImage(path, 2 * BLOCK_SIZE_BYTES, { 0: 1 });
  const upload = async () => {
    const { snapshotId } = await uploadSnapshot(client, { path });
    const early = await listSnapshotBlocks(client, snapshotId).catch((error: unknown) => error);
    assert.ok(isSnapshotNotFound(early), "the service does not know of it");
    return snapshotId;
  };
  const readers: ((snapshotId: string) => Promise<unknown>)[] = [
    (snapshotId) => downloadSnapshot(client, { snapshotId, path: `${path}.restored` }),
    (snapshotId) => verifySnapshot(client, { snapshotId }),
    (snapshotId) => diffSnapshotWithImage(client, { snapshotId, path }),
    (snapshotId) => uploadSnapshot(client, { path, parentSnapshotId: snapshotId }),
    (snapshotId) => countExclusiveBlocks(client, snapshotId),
  ];
  await Promise.all(readers.map(async (read) => read(await upload())));
  const { client: counted, operations } = counting(client);
  const nobodys = downloadSnapshot(counted, { snapshotId: "snap-0123456789abcdef0", path });
  await assert.rejects(nobodys, isSnapshotNotFound);
  const question = ["ListSnapshotBlocks", "DescribeSnapshots"];
  assert.deepEqual(operations, question, "one that never was is told at once");
});

test("an upload starts as soon as its parent is known to be complete", async (t) => {
  const path = join(await temporaryDirectory(t), "image.raw");
  const client = clientFor(t, await startService(t));
  await writeImage(path, BLOCK_SIZE_BYTES, { 0: 1 });
  const { snapshotId: parentSnapshotId } = await uploadSnapshot(client, { path });
  let starts = 0;
  const late = clientThrough(client, async (call, options) => {
    const { operation } = call;
    if (operation !== "StartSnapshot" || ++starts > 1) return client.send(call, options);
    const message = `Source snapshot (${parentSnapshotId}) is not complete.`;
    const parts = { kind: "service", operation, code: "ValidationException", message } as const;
    throw new ClientError({ ...parts, status: 400 });
  });
  await uploadSnapshot(late, { path, parentSnapshotId });
  assert.equal(starts, 2);
});

test("the first example of docs/client.md runs where the service does as AWS does", async (t) => {
  const service = await startService(t, { emulation: { aws: true, lagSeconds: 2 } });
  const page = await readFile(join(ROOT, "docs/client.md"), "utf8");
  const [, example = ""] = /^```ts\n([\s\S]*?)^```$/m.exec(page) ?? [];
  const library = JSON.stringify(join(ROOT, "src/client/index.ts"));
  const path = join(await temporaryDirectory(t), "example.mts");
  await writeFile(path, example.replace('"varve"', library));
  const env = { PATH: process.env["PATH"] ?? "", ...awsEnvironment(service) };
  const flags = ["--disable-warning=ExperimentalWarning", path];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { env });
  assert.equal(stdout, "7 524288\n");
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
