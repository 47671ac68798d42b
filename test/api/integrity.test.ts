import assert from "node:assert/strict";
import { test } from "node:test";
import { RECORD_KIND } from "../../src/blocks/record.ts";
import type { LogEntry, Service } from "../../src/service.ts";
import { flipBit, storedRecords } from "../support/damage.ts";
import { admin, newAccount, policyOf, withNewKey } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import {
  blockToken,
  getParts,
  list,
  listParts,
  put,
  send,
  snapshotOf,
  start,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";

/* Flipped bits are found before they are served: by reading, by scrubbing, by verifying. */

const BLOCKS = new Map([1, 2, 600].map((blockIndex, i) => [blockIndex, blockContents(i + 1)]));

/** A service whose log is kept rather than found fault with. */
async function open(t: Cleanup, dataDirectory?: string) {
  const log: LogEntry[] = [];
  const directory = dataDirectory ?? (await temporaryDirectory(t));
  const service = await startService(t, {
    dataDirectory: directory,
    log: (entry) => log.push(entry),
    scrubDays: 0,
  });
  return { service, log };
}

async function damageOne(service: Service, kind: number, which = 0): Promise<void> {
  const records = (await storedRecords(service)).filter((record) => record.kind === kind);
  const record = records[which];
  assert.ok(record, "there is such a record");
  await flipBit(service, record);
}

const verify = (target: Target, id: string, input: object = {}) =>
  admin(target, ["POST", `/snapshots/${id}/verification`], input);

async function read(target: Target, id: string, blockIndex: number) {
  const token = await blockToken(target, id, blockIndex);
  return send(target, getParts(id, blockIndex, token));
}

test("a whole snapshot is verified, and when that was is told", async (t) => {
  const { service } = await open(t);
  const id = await snapshotOf(service, new Map([...BLOCKS, [3, blockContents(0)]]));
  const { status, json } = await verify(service, id);
  assert.equal(status, 200);
  assert.deepEqual(json, {
    SnapshotId: id,
    BlockCount: 4,
    BlocksVerified: 4,
    BytesVerified: 3 * 524_288,
    BadBlockCount: 0,
    BadExtents: [],
    Manifest: "whole",
    NextBlockIndex: null,
    Outcome: "whole",
  });
  const listed = await admin(service, ["GET", "/verifications"]);
  const [only] = listed.json["Verifications"] as Record<string, string>[];
  assert.deepEqual([only?.["SnapshotId"], only?.["Outcome"]], [id, "whole"]);
  assert.ok(Math.abs(Date.parse(only?.["VerificationTime"] ?? "") - Date.now()) < 60_000);
});

test("a damaged block is refused, found by verification, remembered, and healed", async (t) => {
  const { service, log } = await open(t);
  const { dataDirectory } = service;
  const id = await snapshotOf(service, BLOCKS);
  await damageOne(service, RECORD_KIND.block, 1);
  const { json } = await verify(service, id);
  assert.deepEqual([json["Outcome"], json["BadBlockCount"]], ["damaged", 1]);
  assert.deepEqual(json["BadExtents"], [{ Start: 2, Count: 1 }]);
  const [said] = log.filter(({ message }) => message === "A stored record is damaged");
  assert.equal(said?.["segment"], "1");
  assert.equal((await read(service, id, 2)).status, 500);
  assert.equal((await read(service, id, 1)).status, 200);
  assert.equal(log.filter(({ message }) => /is damaged$/.test(message)).length, 1, "told once");
  await service.close();

  const again = (await open(t, dataDirectory)).service;
  assert.equal((await again.core.catalog.blocks.damaged(10)).length, 1);
  await put(again, await start(again), new Map([[0, blockContents(2)]]));
  assert.deepEqual(await again.core.catalog.blocks.damaged(10), []);
  assert.equal((await read(again, id, 2)).status, 200);
  assert.equal((await verify(again, id)).json["Outcome"], "whole");
});

test("a scrub finds every damaged record, and takes back what is whole again", async (t) => {
  const { service } = await open(t);
  await snapshotOf(service, BLOCKS);
  const scrub = () => admin(service, ["POST", "/scrub"], {});
  assert.deepEqual((await scrub()).json["DamagedRecords"], []);
  const records = await storedRecords(service);
  for (const record of records) await flipBit(service, record);
  const { json } = await scrub();
  assert.equal(json["RecordsVerified"], records.length);
  assert.equal((json["DamagedRecords"] as object[]).length, records.length);
  assert.deepEqual([json["CatalogFaults"], json["NextToken"]], [[], null]);
  assert.equal(json["BytesDone"], json["BytesTotal"]);
  assert.equal((await service.core.catalog.blocks.damaged(100)).length, records.length);
  for (const record of records) await flipBit(service, record);
  assert.deepEqual((await scrub()).json["DamagedRecords"], []);
  assert.deepEqual(await service.core.catalog.blocks.damaged(100), []);
});

test("samples of a scrub are disjoint and leave nothing out", async (t) => {
  const { service } = await open(t);
  await snapshotOf(service, BLOCKS);
  let count = 0;
  for (let SamplePart = 1; SamplePart <= 3; SamplePart++) {
    const { json } = await admin(service, ["POST", "/scrub"], { SamplePart, SampleParts: 3 });
    count += json["RecordsVerified"] as number;
  }
  assert.equal(count, (await storedRecords(service)).length);
  for (const input of [{ SamplePart: 4, SampleParts: 3 }, { SampleParts: 0 }, { NextToken: "x" }]) {
    assert.equal((await admin(service, ["POST", "/scrub"], input)).status, 400);
  }
});

test("where the block map is damaged, what lies elsewhere can be listed and read", async (t) => {
  const { service } = await open(t);
  const id = await snapshotOf(service, BLOCKS);
  const { core } = service;
  const snapshot = await core.catalog.snapshots.get(id as never);
  const root = await core.maps(snapshot?.domain as never).node(snapshot?.root as never, 2);
  const branch = await core.maps(snapshot?.domain as never).node(root.digests()[0] as never, 1);
  const leaf = branch.digests()[0] as string;
  const record = (await storedRecords(service)).find(({ name }) => (name as string) === leaf);
  assert.ok(record);
  const { dataDirectory } = service;
  const tokens = new Map((await list(service, id)).Blocks.map((b) => [b.BlockIndex, b.BlockToken]));
  await service.close();
  await flipBit({ dataDirectory }, record);
  const again = (await open(t, dataDirectory)).service;
  assert.equal((await send(again, listParts(id))).status, 500);
  const { status, json } = await admin(again, ["GET", `/snapshots/${id}/blocks`]);
  assert.equal(status, 200);
  assert.deepEqual(json["LostExtents"], [{ Start: 0, Count: 512 }]);
  const blocks = json["Blocks"] as { BlockIndex: number; BlockToken: string }[];
  assert.deepEqual(
    blocks.map(({ BlockIndex }) => BlockIndex),
    [600],
  );
  assert.equal((await send(again, getParts(id, 600, blocks[0]?.BlockToken))).status, 200);
  assert.equal((await send(again, getParts(id, 1, tokens.get(1)))).status, 500);
  const verified = await verify(again, id);
  assert.deepEqual(verified.json["BadExtents"], [{ Start: 0, Count: 512 }]);
  assert.deepEqual([verified.json["Outcome"], verified.json["Manifest"]], ["damaged", "whole"]);
});

test("a damaged manifest, and a row that is not what it says, are damage", async (t) => {
  const { service } = await open(t);
  const id = await snapshotOf(service, BLOCKS);
  await damageOne(service, RECORD_KIND.manifest);
  const first = await verify(service, id);
  assert.deepEqual([first.json["Outcome"], first.json["Manifest"]], ["damaged", "damaged"]);
  await damageOne(service, RECORD_KIND.manifest);
  assert.equal((await verify(service, id)).json["Manifest"], "whole");
});

test("a verification is its owner's, and of those who may read the blocks", async (t) => {
  const { service } = await open(t);
  const id = await snapshotOf(service, BLOCKS);
  const other = await withNewKey(service, { account: await newAccount(service) });
  assert.equal((await verify(other, id)).status, 404);
  assert.deepEqual((await admin(other, ["GET", "/verifications"])).json["Verifications"], []);
  const reader = policyOf({ Action: "ebs:GetSnapshotBlock" });
  assert.equal((await verify(await withNewKey(service, { policy: reader }), id)).status, 200);
  const lister = policyOf({ Action: ["ebs:ListSnapshotBlocks", "ec2:DescribeSnapshots"] });
  const listing = await withNewKey(service, { policy: lister });
  assert.equal((await verify(listing, id)).status, 403);
  assert.equal((await admin(listing, ["GET", "/verifications"])).status, 200);
  assert.equal((await admin(other, ["POST", "/scrub"], {})).status, 403);
  assert.equal((await verify(service, id, { StartingBlockIndex: 7 })).status, 400);
  assert.equal((await verify(service, await start(service))).status, 404);
});

test("the store tells what it holds, what is damaged, and when it was looked after", async (t) => {
  const { service } = await open(t);
  const describe = async () => (await admin(service, ["GET", "/store"])).json;
  const nothing = { StoredBytes: 0, SegmentCount: 0, DamagedRecordCount: 0 };
  assert.deepEqual(await describe(), { ...nothing, VerifiedSince: null, LastCollectionTime: null });
  const before = Date.now();
  await snapshotOf(service, BLOCKS);
  const records = await storedRecords(service);
  const written = await describe();
  assert.equal(written["SegmentCount"], 1);
  assert.ok(Number(written["StoredBytes"]) > 0);
  const since = Date.parse(String(written["VerifiedSince"]));
  assert.ok(since >= before - 1 && since <= Date.now());
  for (const record of records) await flipBit(service, record);
  await admin(service, ["POST", "/scrub"], {});
  await admin(service, ["POST", "/collections"], { DryRun: true });
  const damaged = await describe();
  assert.equal(damaged["DamagedRecordCount"], records.length);
  assert.ok(Date.parse(String(damaged["LastCollectionTime"])) >= before - 1);
});

/** A service whose reads of blocks wait for something else. */
async function openReading(t: Cleanup, before: (clock: MovingClock) => Promise<void>) {
  const clock = new MovingClock();
  const service = await startService(t, { clock, scrubDays: 0 });
  const id = await snapshotOf(service, new Map([...BLOCKS, [1_200, blockContents(5)]]));
  const { blocks } = service.core;
  const get = blocks.getBlock.bind(blocks);
  blocks.getBlock = async (...args) => {
    await before(clock);
    return get(...args);
  };
  return { service, id };
}

test("a step of a verification whose answer was lost can be repeated", async (t) => {
  // Each part of the block map takes as long as a step may take.
  const { service, id } = await openReading(t, async (clock) => clock.pass(5_001));
  const next = async (StartingBlockIndex?: number) => {
    const { status, json } = await verify(service, id, { StartingBlockIndex });
    return [status, json["NextBlockIndex"], json["BlocksVerified"], json["Outcome"]];
  };
  assert.deepEqual(await next(), [200, 600, 2, "verifying"]);
  assert.deepEqual(await next(600), [200, 1_200, 3, "verifying"]);
  assert.equal((await next(1_201))[0], 400, "nobody has come so far");
  assert.equal((await next(0))[0], 400, "no answer says that");
  assert.deepEqual(await next(600), [200, null, 4, "whole"]);
  assert.equal((await next(600))[0], 400, "none is under way any more");
});

test("a verification whose turn does not come is refused before anything is done", async (t) => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { service, id } = await openReading(t, () => held);
  const underWay = [verify(service, id), verify(service, id)];
  const third = await verify(service, id).finally(release);
  assert.equal(third.status, 400);
  const told = /did not come within 15 s\. Nothing of it was done\. Please repeat it\.$/;
  assert.match(String(third.json["Message"]), told);
  for (const each of underWay) assert.equal((await each).json["Outcome"], "whole");
});
