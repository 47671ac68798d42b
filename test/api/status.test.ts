import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { StoreStatus } from "../../src/wire/admin/status.ts";
import { admin, newAccount, withNewKey } from "../support/keys.ts";
import { blockToken, getParts, put, send, snapshotOf, start } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { isInFolder, startService } from "../support/service.ts";
import { waitUntil } from "../support/wait-until.ts";

async function statusOf(target: Target): Promise<StoreStatus> {
  const { status, json } = await admin(target, ["GET", "/status"]);
  assert.equal(status, 200, JSON.stringify(json));
  return json as unknown as StoreStatus;
}

test("GetStoreStatus of an empty store has nothing to tell, and says so", async (t) => {
  const service = await startService(t);
  const status = await statusOf(service);
  assert.equal(status.Sizes.ProtectedBytes, 0);
  assert.equal(status.Sizes.CompressionFactor, null);
  assert.equal(status.Sizes.FullTime, null);
  if (isInFolder(service)) assert.ok((status.Sizes.FreeBytes ?? 0) > 0);
  else assert.equal(status.Sizes.FreeBytes, null, "a bucket has no end that it tells of");
  assert.equal(status.LastCollection, null);
  const none = { Pending: 0, Sealing: 0, Copying: 0, Completed: 0, Error: 0, Recycled: 0 };
  assert.deepEqual(status.Snapshots, none);
  assert.deepEqual(status.Tasks, []);
  const engines = isInFolder(service) ? ["catalog", "disk"] : ["catalog", "segments", "disk"];
  assert.deepEqual(
    status.Engines.map(({ Name, State }) => [Name, State]),
    engines.map((name) => [name, "Ok"]),
  );
  assert.equal(status.Process.Region, service.region);
  assert.match(status.Process.Version, /^\d+\.\d+\.\d+/);
  assert.ok(status.Process.MemoryBytes > 10_000_000);
});

test("GetStoreStatus tells sizes, factors, snapshots and what goes on", async (t) => {
  const service = await startService(t);
  // Three blocks, two of the same contents, each of which compresses to next to nothing.
  const same = blockContents(1);
  const parent = await snapshotOf(
    service,
    new Map([
      [0, same],
      [1, same],
      [2, blockContents(2)],
    ]),
  );
  await snapshotOf(service, new Map([[3, same]]), { ParentSnapshotId: parent });
  const pending = await start(service);
  await put(service, pending, new Map([[5, blockContents(3)]]));
  const status = await waitUntil(
    () => statusOf(service),
    ({ Sizes, Snapshots }) => Sizes.CompressionFactor !== null && Snapshots.Completed === 2,
  );
  assert.equal(status.Sizes.ProtectedBytes, (3 + 4) * BLOCK_SIZE_BYTES);
  assert.deepEqual([status.Snapshots.Completed, status.Snapshots.Pending], [2, 1]);
  assert.ok(status.Sizes.StoredBytes > 0);
  const verified = Date.parse(status.Scrub.VerifiedSince ?? "");
  assert.ok(Date.now() - verified < 120_000, "all of it was written just now");
  const { CompressionFactor: compression, DedupFactor: dedup } = status.Sizes;
  assert.ok(compression !== null && dedup !== null);
  // Protected are 7 blocks, stored 3 and the nodes.
  const product = status.Sizes.ProtectedBytes / status.Sizes.StoredBytes;
  assert.ok(Math.abs(compression * dedup - product) < product * 0.01, `${compression} ${dedup}`);
  assert.deepEqual(
    status.Tasks.map(({ Kind, Id, Done, IsOfProcess }) => [Kind, Id, Done, IsOfProcess]),
    [["Upload", pending, 1, true]],
  );
  assert.equal(status.Activity.InFlight, 1, "the request that asks");
});

test("GetStoreStatus counts requests and blocks of the last minutes", async (t) => {
  const service = await startService(t);
  const id = await snapshotOf(service, new Map([[0, blockContents(1)]]));
  const token = await blockToken(service, id, 0);
  assert.equal((await send(service, getParts(id, 0, token))).status, 200);
  assert.equal((await send(service, getParts("snap-0ffffffffffffffff", 0, token))).status, 404);
  // An interval is told of once it is over, at most 5 s later.
  const { Activity } = await waitUntil(
    () => statusOf(service),
    ({ Activity: { Points } }) => Points.some(({ ReadBytes }) => ReadBytes > 0),
    { timeoutMs: 15_000 },
  );
  const sum = (of: (point: (typeof Activity.Points)[number]) => number) =>
    Activity.Points.reduce((total, point) => total + of(point), 0);
  assert.equal(
    sum(({ WrittenBytes }) => WrittenBytes),
    BLOCK_SIZE_BYTES,
  );
  assert.equal(
    sum(({ ReadBytes }) => ReadBytes),
    BLOCK_SIZE_BYTES,
  );
  assert.equal(
    sum(({ RefusedCount }) => RefusedCount),
    1,
  );
  assert.ok(sum(({ RequestCount }) => RequestCount) >= 5);
  const put = Activity.Points.find(({ PutLatency }) => PutLatency !== null)?.PutLatency;
  assert.ok(put && put.P50 > 0 && put.P50 <= put.P99, JSON.stringify(put));
});

test("ListStoreSamples has the measure of this hour once it was taken", async (t) => {
  const service = await startService(t);
  const empty = await admin(service, ["GET", "/samples"]);
  assert.deepEqual(empty, { status: 200, json: { Samples: [] } });
  await service.core.catalog.statistics.keepMeasure(
    {
      timeMs: 3_600_000,
      protectedBytes: 7,
      storedBytes: 5,
      freeBytes: undefined,
      snapshotCount: 1,
    },
    { fullFromMs: 0, keptFromMs: 0 },
  );
  const { json } = await admin(service, ["GET", "/samples"]);
  const Time = "1970-01-01T01:00:00.000Z";
  const sizes = { ProtectedBytes: 7, StoredBytes: 5, FreeBytes: null, SnapshotCount: 1 };
  assert.deepEqual(json, { Samples: [{ Time, ...sizes }] });
});

test("only keys without a policy of the first account learn how the store is", async (t) => {
  const service = await startService(t);
  const account = await newAccount(service);
  const other = await withNewKey(service, { account });
  for (const path of ["/status", "/samples", "/audit"]) {
    const { status, json } = await admin(other, ["GET", path]);
    assert.equal(status, 403, path);
    assert.match(String(json["Message"]), /is not authorized to perform: varve:/);
  }
});
