import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { storedRecords } from "../../test/support/damage.ts";
import {
  blockToken,
  getParts,
  put,
  send,
  snapshotOf,
  start,
} from "../../test/support/operations.ts";
import { blockContents } from "../../test/support/property.ts";
import { startService } from "../../test/support/service.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { unreadable } from "../../test/support/unreadable.ts";
import { RECORD_KIND } from "../blocks/record.ts";
import type { SnapshotId } from "../model/ids.ts";
import type { Service } from "../service.ts";
import { listReadableBlocks } from "./list-readable-blocks.ts";
import { verifySnapshot } from "./verify-snapshot.ts";

/* Sectors that a disk cannot read any more are damage like any other: told, remembered, healed. */

const BLOCKS = new Map([1, 600].map((blockIndex) => [blockIndex, blockContents(blockIndex)]));

test("an unreadable block is noted, and healed by the same contents", async (t) => {
  const { service, id, records } = await setUp(t);
  const { undo } = unreadable(t, blocksOf(records).slice(0, 1));
  assert.equal(await statusOf(service, id, 1), 500);
  assert.equal(await statusOf(service, id, 600), 200);
  assert.equal((await service.core.catalog.blocks.damaged(10)).length, 1);
  await put(service, await start(service), new Map([[0, blockContents(1)]]));
  assert.equal(await statusOf(service, id, 1), 200, "stored anew, elsewhere");
  assert.deepEqual(await service.core.catalog.blocks.damaged(10), []);
  undo();
});

test("what a disk reads again when it is scrubbed is damaged no more", async (t) => {
  const { service, id, records } = await setUp(t);
  const { undo } = unreadable(t, blocksOf(records));
  for (const blockIndex of BLOCKS.keys())
    assert.equal(await statusOf(service, id, blockIndex), 500);
  assert.equal((await service.core.catalog.blocks.damaged(10)).length, 2);
  undo();
  assert.deepEqual((await service.core.scrubber.step(undefined, undefined)).damaged, []);
  assert.deepEqual(await service.core.catalog.blocks.damaged(10), []);
  for (const blockIndex of BLOCKS.keys())
    assert.equal(await statusOf(service, id, blockIndex), 200);
});

test("a verification names the blocks that a disk cannot read", async (t) => {
  const { service, id, account, records } = await setUp(t);
  const { undo } = unreadable(t, blocksOf(records).slice(1));
  const step = await verifySnapshot(service.core, account, {
    snapshotId: id,
    fromIndex: undefined,
  });
  assert.deepEqual([step.badExtents, step.isWhole], [[{ start: 600, count: 1 }], false]);
  undo();
});

test("a salvage goes on behind a node that a disk cannot read", async (t) => {
  const { service, id, account, records, leafOf } = await setUp(t);
  const leaf = records.find(({ name }) => String(name) === leafOf[0]);
  assert.ok(leaf);
  const { undo } = unreadable(t, [leaf]);
  const page = { nextToken: undefined, maxResults: undefined, startingBlockIndex: undefined };
  const left = await listReadableBlocks(service.core, account, { snapshotId: id, ...page });
  assert.deepEqual(left.lostExtents, [{ start: 0, count: 512 }]);
  assert.deepEqual(
    left.blocks.map(({ blockIndex }) => blockIndex),
    [600],
  );
  undo();
});

test("a collection goes on behind an unreadable node of what was deleted", async (t) => {
  const { service, id, records } = await setUp(t);
  const { undo } = unreadable(
    t,
    records.filter(({ kind }) => kind === RECORD_KIND.node),
  );
  const { catalog, collector } = service.core;
  await catalog.snapshots.delete(id, { nowMs: 0, binnedUntilMs: undefined });
  let removedCount = 0;
  for (let run = 0; run < 3; run++) {
    removedCount += (await collector.collect({ graceSeconds: 0, isDryRun: false })).removedCount;
  }
  const gone = blocksOf(records).map(({ domain, name }) => catalog.blocks.locate(domain, name));
  assert.deepEqual(await Promise.all(gone), [undefined, undefined]);
  assert.ok(removedCount >= 6, "the blocks, and the nodes above them");
  undo();
});

/** A service that has a snapshot, and nothing of it in memory. */
async function setUp(t: TestContext) {
  const options = { dataDirectory: await temporaryDirectory(t), collectMinutes: 0, scrubDays: 0 };
  const first = await startService(t, { ...options, log: () => undefined });
  const id = (await snapshotOf(first, BLOCKS)) as SnapshotId;
  const records = await storedRecords(first);
  const snapshot = await first.core.catalog.snapshots.get(id);
  assert.ok(snapshot?.root);
  const maps = first.core.maps(snapshot.domain);
  const [branch] = (await maps.node(snapshot.root, 2)).digests();
  assert.ok(branch);
  const leafOf: readonly string[] = (await maps.node(branch, 1)).digests();
  await first.close();
  const service = await startService(t, { ...options, log: () => undefined });
  return { service, id, records, leafOf, account: snapshot.account };
}

/** In the order in which they were put. */
function blocksOf(records: Awaited<ReturnType<typeof storedRecords>>) {
  return records.filter(({ kind }) => kind === RECORD_KIND.block);
}

async function statusOf(service: Service, id: string, blockIndex: number): Promise<number> {
  const parts = getParts(id, blockIndex, await blockToken(service, id, blockIndex));
  return (await send(service, parts)).status;
}
