import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  type Client,
  createClient,
  deleteSnapshot,
  describeService,
  findLock,
  getCollection,
  getEncryptionDefaults,
  getSnapshotProgress,
  locateBlock,
  lockSnapshot,
  type RecycledSnapshotDescription,
  recycledSnapshotsOf,
  restoreSnapshot,
  setDefaultKey,
  setEncryptionByDefault,
  stopCollection,
  unlockSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { newEncryptionKey } from "../support/keys.ts";
import { actionParts, put, send, snapshotOf, start } from "../support/operations.ts";
import { sdkOptions, startService } from "../support/service.ts";

const block = new Uint8Array(BLOCK_SIZE_BYTES).fill(1);

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "done",
    (error: { code?: string }) => error.code ?? String(error),
  );
}

async function recycled(client: Client): Promise<RecycledSnapshotDescription[]> {
  const found: RecycledSnapshotDescription[] = [];
  for await (const each of recycledSnapshotsOf(client)) found.push(each);
  return found;
}

async function setUp(t: Parameters<typeof startService>[0], recycleBinDays = 0) {
  const service = await startService(t, { recycleBinDays, emulation: { latencyMs: 1, seed: 7 } });
  const client: Client = createClient(sdkOptions(service));
  t.after(() => client.close());
  return { service, client };
}

test("a snapshot is locked and unlocked, and the lock is told of", async (t) => {
  const { service, client } = await setUp(t);
  const snapshotId = await snapshotOf(service, new Map([[0, block]]));
  assert.equal(await findLock(client, snapshotId), undefined);
  await lockSnapshot(client, { snapshotId, mode: "governance", days: 3 });
  const lock = await findLock(client, snapshotId);
  assert.equal(lock?.LockState, "governance");
  const days = (Date.parse(lock?.LockExpiresOn ?? "") - Date.now()) / 86_400_000;
  assert.ok(days > 2.9 && days <= 3, String(days));
  assert.equal(await codeOf(deleteSnapshot(client, snapshotId)), "InvalidSnapshot.InUse");
  await unlockSnapshot(client, snapshotId);
  assert.equal(await findLock(client, snapshotId), undefined);
  await lockSnapshot(client, { snapshotId, mode: "compliance", days: 1, coolOffHours: 1 });
  assert.match((await findLock(client, snapshotId))?.CoolOffPeriodExpiresOn ?? "", /^\d{4}-/);
});

test("a deleted snapshot is found in the recycle bin and restored", async (t) => {
  const { service, client } = await setUp(t, 5);
  const snapshotId = await snapshotOf(service, new Map([[0, block]]), { Description: "A" });
  await deleteSnapshot(client, snapshotId);
  const [first, ...others] = await recycled(client);
  assert.deepEqual([first?.SnapshotId, first?.Description], [snapshotId, "A"]);
  assert.equal(others.length, 0);
  await restoreSnapshot(client, snapshotId);
  assert.deepEqual(await recycled(client), []);
  assert.equal((await getSnapshotProgress(client, snapshotId)).stage, "completed");
});

test("what an account encrypts by default is asked for and changed", async (t) => {
  const { service, client } = await setUp(t);
  const first = await getEncryptionDefaults(client);
  assert.deepEqual(first, { isByDefault: false, keyId: "alias/aws/ebs" });
  const id = await newEncryptionKey(service);
  await setEncryptionByDefault(client, true);
  await setDefaultKey(client, id);
  const then = await getEncryptionDefaults(client);
  assert.equal(then.isByDefault, true);
  assert.ok(then.keyId.endsWith(`key/${id}`), then.keyId);
  await setDefaultKey(client, undefined);
  await setEncryptionByDefault(client, false);
  assert.deepEqual(await getEncryptionDefaults(client), first);
});

test("a pending snapshot tells how much was written to it", async (t) => {
  const { service, client } = await setUp(t);
  const id = await start(service);
  const none = { stage: "writing", blocksTotal: undefined, isCounted: true };
  assert.deepEqual(await getSnapshotProgress(client, id), { ...none, blocksDone: 0 });
  await put(service, id, new Map([3, 900, 901].map((index) => [index, block])));
  assert.deepEqual(await getSnapshotProgress(client, id), { ...none, blocksDone: 3 });
  const path = `/varve/snapshots/${id}/progress`;
  const rest = await send(service, { method: "GET", path, query: { startingBlockIndex: 900 } });
  assert.deepEqual(JSON.parse(rest.text), {
    ...{ SnapshotId: id, Stage: "writing", BlocksDone: 2, BlocksTotal: null },
    NextBlockIndex: null,
  });
  const unknown = await codeOf(getSnapshotProgress(client, "snap-0ffffffffffffffff"));
  assert.equal(unknown, "ResourceNotFoundException");
});

test("a copy under another key tells how far it is", async (t) => {
  const { service, client } = await setUp(t);
  const source = await snapshotOf(service, new Map([[0, block]]));
  // So that it is still under way when it is asked for.
  await service.core.copier.stop();
  const input = { SourceRegion: "us-east-1", SourceSnapshotId: source, Encrypted: "true" };
  const { text } = await send(service, actionParts("CopySnapshot", input), { service: "ec2" });
  const [, copy = ""] = /<snapshotId>([^<]+)/.exec(text) ?? [];
  const { stage, blocksDone, blocksTotal } = await getSnapshotProgress(client, copy);
  assert.deepEqual([stage, blocksDone, blocksTotal], ["copying", 0, 2_048]);
});

test("how the service was started is told to those who manage it", async (t) => {
  const { client } = await setUp(t, 5);
  assert.deepEqual(await describeService(client), {
    Region: "us-east-1",
    RecycleBinDays: 5,
    CollectMinutes: 60,
    ScrubDays: 30,
    TokenSecretDays: 90,
    KeyEncryptionKey: "kept with the store",
    Emulation: { latencyMs: 1, seed: 7 },
  });
});

test("a collection that is stopped has removed nothing, and the next ones go on", async (t) => {
  const { service, client } = await setUp(t);
  const snapshotId = await snapshotOf(service, new Map([[0, block]]));
  await deleteSnapshot(client, snapshotId);
  const { collections } = service.core;
  const ended = async (id: string) => {
    for (;;) {
      const description = await getCollection(client, id);
      if (description.State !== "Running") return description;
    }
  };
  const terms = { graceSeconds: 0, isDryRun: false };
  const { id } = await collections.start(terms);
  await collections.stop(id);
  const stopped = await ended(id);
  assert.deepEqual([stopped.State, stopped.Result?.["Removed"]], ["Done", 0]);
  assert.match(stopped.Message ?? "", /^Stopped before its end/);
  await ended((await collections.start(terms)).id);
  const last = await ended((await collections.start(terms)).id);
  assert.ok((last.Result?.["Removed"] ?? 0) > 0, JSON.stringify(last));
  assert.equal((await stopCollection(client, id)).State, "Done");
  assert.equal(await codeOf(stopCollection(client, "999")), "NoSuchEntityException");
});

test("a block is followed from its index to where its bytes lie", async (t) => {
  const { service, client } = await setUp(t);
  const zeros = new Uint8Array(BLOCK_SIZE_BYTES);
  const blocks = new Map([
    [0, block],
    [7, zeros],
  ]);
  const plain = await snapshotOf(service, blocks);
  const encrypted = await snapshotOf(service, blocks, { Encrypted: true });
  const digest = hash("sha256", block, "hex");
  const found = await locateBlock(client, { snapshotId: plain, blockIndex: 0 });
  const { Segment, Offset, Length, ...named } = found;
  const name = { SnapshotId: plain, BlockIndex: 0, Digest: digest, RecordName: digest };
  assert.deepEqual(named, name);
  const file = join(service.dataDirectory, "segments");
  const [segment = ""] = (await readdir(file)).filter((each) => each.includes(String(Segment)));
  const bytes = await readFile(join(file, segment));
  const record = bytes.subarray(Offset ?? 0, (Offset ?? 0) + (Length ?? 0));
  assert.ok(record.includes(Buffer.from(digest, "hex")), "the record says what it holds");

  const masked = await locateBlock(client, { snapshotId: encrypted, blockIndex: 0 });
  assert.equal(masked.Digest, digest);
  assert.notEqual(masked.RecordName, digest);
  const nowhere = { RecordName: null, Segment: null, Offset: null, Length: null };
  const ofZeros = await locateBlock(client, { snapshotId: plain, blockIndex: 7 });
  const zerosDigest = hash("sha256", zeros, "hex");
  assert.deepEqual(ofZeros, {
    ...{ SnapshotId: plain, BlockIndex: 7, Digest: zerosDigest, ...nowhere },
  });
  const hole = await locateBlock(client, { snapshotId: plain, blockIndex: 3 });
  assert.deepEqual(hole, { SnapshotId: plain, BlockIndex: 3, Digest: null, ...nowhere });
  const unknown = { snapshotId: "snap-0ffffffffffffffff", blockIndex: 0 };
  assert.equal(await codeOf(locateBlock(client, unknown)), "ResourceNotFoundException");
});
