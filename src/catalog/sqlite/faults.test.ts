import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { seededBytes } from "../../../test/support/property.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { recordNameFromBytes } from "../../model/digest.ts";
import { DamagedWriteError } from "../../model/errors.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { Catalog } from "../catalog.ts";
import { openSqliteCatalog } from "./sqlite-catalog.ts";

const ACCOUNT = "111122223333" as AccountId;
const ID = "snap-01" as SnapshotId;
const NONE = { faults: [], isSound: true };
const NAME = recordNameFromBytes(seededBytes("a record", 32));

test("SqliteCatalog finds no fault where there is none", async (t) => {
  const catalog = await damaged(t, "");
  assert.deepEqual(await catalog.scrubs.findFaults(), NONE);
  assert.deepEqual(await catalog.blocks.pendingWrites(ID, 0, 10), [{ blockIndex: 5, name: NAME }]);
});

for (const [what, sql] of [
  ["block index", "UPDATE pending_writes SET block_index = 7"],
  ["name", "UPDATE pending_writes SET name = zeroblob(32)"],
  ["sum", "UPDATE pending_writes SET sum = sum + 1"],
] as const) {
  test(`SqliteCatalog answers no write whose ${what} has changed`, async (t) => {
    const catalog = await damaged(t, sql);
    await assert.rejects(catalog.blocks.pendingWrites(ID, 0, 10), DamagedWriteError);
    const names = catalog.liveness.pendingNames(ACCOUNT, undefined, 10);
    await assert.rejects(names, (error: Error) => error.message.includes(ID));
    const found = await catalog.scrubs.findFaults();
    assert.deepEqual(found, { faults: [`A write to ${ID} is damaged`], isSound: true });
  });
}

test("SqliteCatalog asks nothing of writes that no snapshot needs any more", async (t) => {
  const sql = "UPDATE pending_writes SET sum = 0; UPDATE snapshots SET state = 'error'";
  assert.deepEqual(await (await damaged(t, sql)).scrubs.findFaults(), NONE);
});

test("SqliteCatalog finds a write of which nobody knows whose it is", async (t) => {
  const catalog = await damaged(t, "UPDATE pending_writes SET snapshot = 99");
  const { faults } = await catalog.scrubs.findFaults();
  assert.deepEqual(faults, ["A write to a snapshot that is not there is damaged"]);
});

test("SqliteCatalog answers writes of versions that had no sums", async (t) => {
  const catalog = await damaged(t, "UPDATE pending_writes SET sum = NULL");
  assert.deepEqual(await catalog.scrubs.findFaults(), NONE);
  assert.equal((await catalog.blocks.pendingWrites(ID, 0, 10)).length, 1);
});

for (const [what, sql, fault] of [
  ["more is needed", "UPDATE segment_usage SET live_bytes = 9", "segment 1 is noted"],
  ["nothing is known", "DELETE FROM segment_usage", "segment 1 is noted"],
  ["there is none", "INSERT INTO segment_usage VALUES (8, 1)", "segment 8 is noted"],
  ["no snapshot is", "INSERT INTO recycled_snapshots VALUES (9, 0, 0)", "one of snapshots"],
] as const) {
  test(`SqliteCatalog finds out where ${what}`, async (t) => {
    const catalog = await damaged(t, sql);
    const { faults } = await catalog.scrubs.findFaults();
    assert.equal(faults.length, 1);
    assert.ok(faults[0]?.includes(fault), faults[0]);
  });
}

/** A catalog with one record and one write, which a statement changed behind its back. */
async function damaged(t: TestContext, sql: string): Promise<Catalog> {
  const path = join(await temporaryDirectory(t), "catalog.sqlite");
  const before = openSqliteCatalog(path);
  await before.identity.addAccount(ACCOUNT);
  await before.snapshots.start(pendingSnapshot(ID, ACCOUNT), undefined);
  const record = { domain: ACCOUNT, name: NAME };
  const location = { ...record, segment: 1, offset: 16, length: 10, replaces: false };
  const write = { ...record, snapshotId: ID, blockIndex: 5, expiresAtMs: 0 };
  assert.deepEqual(await before.blocks.commit([location], [write]), [undefined]);
  await before.close();
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  database.exec(sql);
  database.close();
  const catalog = openSqliteCatalog(path);
  t.after(() => catalog.close());
  return catalog;
}
