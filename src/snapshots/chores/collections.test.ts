import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { waitUntil } from "../../../test/support/wait-until.ts";
import { systemClock } from "../../base/clock.ts";
import { UnavailableError } from "../../base/unavailable.ts";
import type { RequestTable } from "../../catalog/collection.ts";
import { openSqliteCatalog } from "../../catalog/sqlite/sqlite-catalog.ts";
import { Collections } from "./collections.ts";
import type { Collected } from "./collector.ts";

const REQUEST = { graceSeconds: 0, isDryRun: true };
const NOTHING: Collected = {
  ...{ candidateCount: 0, reachableCount: 0, doomedCount: 0, removedCount: 0, removedBytes: 0 },
  ...{ segmentCount: 0, segmentBytes: 0, movedBytes: 0 },
};

test("a collection is carried out although nobody heard that it was taken up", async (t) => {
  const { collections, table, fail, runCount } = await open(t);
  fail("take");
  await assert.rejects(collections.start(REQUEST), UnavailableError);
  await collections.takeUp();
  await waitUntil(
    () => collections.get("1"),
    (status) => status?.state === "done",
  );
  assert.equal(runCount(), 1);
  assert.equal((await table.get("1"))?.isDone, true);
});

test("what is in doubt is taken up by a process that leads no more, nothing else", async (t) => {
  const { collections, table, fail, lead, runCount } = await open(t);
  fail("take");
  await assert.rejects(collections.start(REQUEST), UnavailableError);
  lead(false);
  await collections.takeUp();
  await waitUntil(
    () => collections.get("1"),
    (status) => status?.state === "done",
  );
  await table.add({ request: JSON.stringify(REQUEST), status: "{}" });
  await collections.takeUp();
  assert.equal(runCount(), 1);
});

test("a collection is carried out once, however often there is a look for it", async (t) => {
  const { collections, fail, finish, runCount } = await open(t, { isHeld: true });
  await Promise.all([collections.start(REQUEST), collections.takeUp(), collections.takeUp()]);
  await collections.takeUp();
  assert.equal(runCount(), 1);
  // It has ended, and the catalog could not be told yet.
  fail("put");
  finish();
  await waitUntil(
    async () => collections.takeUp().then(() => collections.get("1")),
    (status) => status?.state === "done",
  );
  await collections.takeUp();
  assert.equal(runCount(), 1);
});

/** Collections that find nothing, in a catalog that can be told to lose its next answer. */
async function open(t: TestContext, { isHeld } = { isHeld: false }) {
  const catalog = openSqliteCatalog(join(await temporaryDirectory(t), "catalog.sqlite"));
  t.after(() => catalog.close());
  const { requests } = catalog;
  let [lost, leads, runCount]: ["take" | "put" | undefined, boolean, number] = [undefined, true, 0];
  const answer = <T>(call: "take" | "put", result: T): T => {
    if (lost !== call) return result;
    lost = undefined;
    throw new UnavailableError("The answer was lost");
  };
  const table: RequestTable = {
    add: (asked) => requests.add(asked),
    get: (id) => requests.get(id),
    take: async (known) => answer("take", await requests.take(known)),
    // What is put is lost with its answer.
    put: async (id, now) => answer("put", lost === "put" ? undefined : await requests.put(id, now)),
    askToStop: (id) => requests.askToStop(id),
  };
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  if (!isHeld) finish();
  // One that is held would keep the process of a test that failed.
  t.after(() => finish());
  const collector = {
    async collect() {
      runCount += 1;
      await finished;
      return NOTHING;
    },
  };
  const collections = new Collections({ collector, table, clock: systemClock, leads: () => leads });
  return {
    ...{ collections, table, finish },
    fail: (call: "take" | "put") => {
      lost = call;
    },
    lead: (isLeader: boolean) => {
      leads = isLeader;
    },
    runCount: () => runCount,
  };
}
