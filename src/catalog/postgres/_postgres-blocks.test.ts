import assert from "node:assert/strict";
import { test } from "node:test";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { POSTGRES_MISSING, postgresDatabase } from "../../../test/support/postgres.ts";
import { ZERO_BLOCK_NAME } from "../../model/digest.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import { shareGeneration } from "./_notes.ts";
import { type Fence, PostgresBlockTable } from "./_postgres-blocks.ts";
import { PostgresDatabase } from "./_postgres-database.ts";
import { openPostgresCatalog } from "./postgres-catalog.ts";

const skip = POSTGRES_MISSING;
const ACCOUNT = "111122223333" as AccountId;
const SNAPSHOT = "snap-01" as SnapshotId;

test("a commit that is begun again as another process takes no writes of the earlier one", {
  skip,
}, async (t) => {
  const connectionString = await postgresDatabase(t);
  const catalog = await openPostgresCatalog({ connectionString });
  t.after(() => catalog.close());
  await catalog.identity.addAccount(ACCOUNT);
  await catalog.snapshots.start(pendingSnapshot(SNAPSHOT, ACCOUNT, {}), undefined);
  const database = new PostgresDatabase({ connectionString });
  t.after(() => database.close());
  let process = 1;
  const fencedAs: number[] = [];
  const fence: Fence = async (queries) => {
    fencedAs.push(process);
    if (process === 1) {
      process = 2;
      // As the database says where two transactions have met.
      await queries.run("DO $$ BEGIN RAISE 'They met' USING ERRCODE = '40001'; END $$");
    }
    return shareGeneration(queries);
  };
  const parts = { fence, processNumber: () => process, companions: [] };
  const blocks = new PostgresBlockTable(database, parts);
  const write = { snapshotId: SNAPSHOT, domain: ACCOUNT, name: ZERO_BLOCK_NAME, expiresAtMs: 1 };
  const writes = [
    { ...write, blockIndex: 1, term: 1 },
    { ...write, blockIndex: 2 },
    { ...write, blockIndex: 3, term: 2 },
  ];
  assert.deepEqual(await blocks.commit([], writes), ["late", "late", undefined]);
  assert.deepEqual(fencedAs, [1, 2]);
  const taken = await blocks.pendingWrites(SNAPSHOT, 0, 10);
  assert.deepEqual(taken, [{ blockIndex: 3, name: ZERO_BLOCK_NAME }]);
});
