import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import * as sdk from "@aws-sdk/client-ec2";
import { MS_PER_DAY, MS_PER_HOUR } from "../../src/model/limits.ts";
import type { ServiceConfig } from "../../src/service.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { blockToken, getParts, listParts, send, snapshotOf, start } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { asSecondAccount } from "../support/second-account.ts";
import { sdkOptions, startService } from "../support/service.ts";
import type { Cleanup } from "../support/temporary-directory.ts";

/* Locks and the recycle bin: what keeps a snapshot when somebody deletes it. */

const NOT_FOUND = { name: "InvalidSnapshot.NotFound" };
const IN_USE = { name: "InvalidSnapshot.InUse" };

/** A service whose clock can be set forward, and EC2 as its owner and as another account. */
async function setUp(t: Cleanup, config: Partial<ServiceConfig> = {}) {
  const clock = new MovingClock();
  const service = { ...(await startService(t, { clock, ...config })), clock };
  const ec2 = new sdk.EC2Client(sdkOptions(service));
  const other = new sdk.EC2Client(sdkOptions(await asSecondAccount(service)));
  t.after(() => [ec2, other].map((client) => client.destroy()));
  let offsetMs = 0;
  for (const { config } of [ec2, other]) {
    // The SDK would set its clock by the Date header, which tells the machine's time.
    const descriptor = { get: () => offsetMs, set: () => undefined };
    Object.defineProperty(config, "systemClockOffset", descriptor);
  }
  const advance = (durationMs: number) => {
    clock.advance(durationMs);
    offsetMs += durationMs;
  };
  return { service, ec2, other, advance };
}

function lock(SnapshotId: string, LockMode: sdk.LockMode, more: object) {
  return new sdk.LockSnapshotCommand({ SnapshotId, LockMode, ...more });
}

const remove = (SnapshotId: string) => new sdk.DeleteSnapshotCommand({ SnapshotId });
const unlock = (SnapshotId: string) => new sdk.UnlockSnapshotCommand({ SnapshotId });

test("a governance lock holds until it is taken off or expires", async (t) => {
  const { service, ec2, advance } = await setUp(t);
  const id = await snapshotOf(service, new Map());
  const locked = await ec2.send(lock(id, "governance", { LockDuration: 2 }));
  assert.equal(locked.LockState, "governance");
  assert.equal(locked.LockDuration, 2);
  assert.equal(locked.CoolOffPeriod, undefined);
  const lasts = Number(locked.LockExpiresOn) - Number(locked.LockCreatedOn);
  assert.equal(lasts, 2 * MS_PER_DAY);
  await assert.rejects(ec2.send(remove(id)), IN_USE);
  assert.equal((await send(service, listParts(id))).status, 200);
  assert.equal((await ec2.send(unlock(id))).SnapshotId, id);
  await assert.rejects(ec2.send(unlock(id)), { name: "IncorrectState" });
  await ec2.send(lock(id, "governance", { LockDuration: 1 }));
  await assert.rejects(ec2.send(remove(id)), IN_USE);
  advance(MS_PER_DAY + 1);
  await ec2.send(remove(id));
});

test("a compliance lock can be taken off while it cools, and then only be extended", async (t) => {
  const { service, ec2, advance } = await setUp(t);
  const id = await snapshotOf(service, new Map());
  const terms = { LockDuration: 10, CoolOffPeriod: 24 };
  const locked = await ec2.send(lock(id, "compliance", terms));
  assert.equal(locked.LockState, "compliance-cooloff");
  const cools = Number(locked.CoolOffPeriodExpiresOn) - Number(locked.LockCreatedOn);
  assert.equal(cools, 24 * MS_PER_HOUR);
  await ec2.send(unlock(id));
  const { LockCreatedOn } = await ec2.send(lock(id, "compliance", terms));
  advance(25 * MS_PER_HOUR);
  const fixed = { name: "OperationNotPermitted" };
  await assert.rejects(ec2.send(unlock(id)), fixed);
  await assert.rejects(ec2.send(remove(id)), IN_USE);
  await assert.rejects(ec2.send(lock(id, "governance", { LockDuration: 20 })), fixed);
  await assert.rejects(ec2.send(lock(id, "compliance", { LockDuration: 1 })), fixed);
  const again = { LockDuration: 20, CoolOffPeriod: 1 };
  await assert.rejects(ec2.send(lock(id, "compliance", again)), fixed);
  const extended = await ec2.send(lock(id, "compliance", { LockDuration: 20 }));
  assert.equal(extended.LockState, "compliance");
  assert.deepEqual(extended.LockCreatedOn, LockCreatedOn);
  assert.equal(extended.LockDuration, 22, "from the beginning, in days begun");
  advance(20 * MS_PER_DAY + 1);
  await ec2.send(remove(id));
});

test("DescribeLockedSnapshots tells each lock and how it stands", async (t) => {
  const { service, ec2, other, advance } = await setUp(t);
  const ids: string[] = [];
  for (let i = 0; i < 6; i++) ids.push(await start(service));
  const [first, second, ...others] = ids as [string, string, ...string[]];
  await ec2.send(lock(first, "compliance", { LockDuration: 3 }));
  const ExpirationDate = new Date(service.clock.nowMs() + MS_PER_DAY);
  await ec2.send(lock(second, "governance", { ExpirationDate }));
  for (const id of others) await ec2.send(lock(id, "governance", { LockDuration: 9 }));
  advance(MS_PER_DAY + 1);
  const describe = (input: sdk.DescribeLockedSnapshotsCommandInput) =>
    ec2.send(new sdk.DescribeLockedSnapshotsCommand(input));
  const named = await describe({ SnapshotIds: [first, second] });
  const states = named.Snapshots?.map(({ SnapshotId, LockState }) => [SnapshotId, LockState]);
  const expected = [
    [first, "compliance"],
    [second, "expired"],
  ];
  assert.deepEqual(states?.sort(), expected.sort());
  const filter = await describe({ Filters: [{ Name: "lock-state", Values: ["expired"] }] });
  assert.deepEqual(
    filter.Snapshots?.map(({ SnapshotId, OwnerId }) => [SnapshotId, OwnerId]),
    [[second, service.firstKey.key.account]],
  );
  const page = await describe({ MaxResults: 5 });
  const rest = await describe({ MaxResults: 5, NextToken: page.NextToken });
  assert.equal(rest.NextToken, undefined);
  const all = [...(page.Snapshots ?? []), ...(rest.Snapshots ?? [])];
  assert.deepEqual(
    all.map(({ SnapshotId }) => SnapshotId),
    ids.sort(),
  );
  const foreign = await other.send(new sdk.DescribeLockedSnapshotsCommand({}));
  assert.deepEqual(foreign.Snapshots, []);
  await assert.rejects(describe({ NextToken: "x" }), { name: "InvalidParameterValue" });
});

test("LockSnapshot refuses terms that make no sense, and other accounts", async (t) => {
  const { service, ec2, other } = await setUp(t);
  const id = await start(service);
  const days = { LockDuration: 1 };
  for (const [mode, more, name] of [
    ["governance", {}, "InvalidParameterCombination"],
    ["governance", { ...days, ExpirationDate: new Date(1e13) }, "InvalidParameterCombination"],
    ["governance", { ...days, CoolOffPeriod: 1 }, "InvalidParameterCombination"],
    ["compliance", { ...days, CoolOffPeriod: 73 }, "InvalidParameterValue"],
    ["compliance", { LockDuration: 36_501 }, "InvalidParameterValue"],
    ["governance", { LockDuration: 0 }, "InvalidParameterValue"],
    ["governance", { ExpirationDate: new Date(1e12) }, "InvalidParameterValue"],
    ["governance", { ExpirationDate: new Date(1e14) }, "InvalidParameterValue"],
    ["strict", days, "InvalidParameterValue"],
  ] as const) {
    const call = ec2.send(lock(id, mode as sdk.LockMode, more));
    await assert.rejects(call, { name }, JSON.stringify({ mode, more }));
  }
  await assert.rejects(other.send(lock(id, "governance", days)), NOT_FOUND);
  await assert.rejects(other.send(unlock(id)), NOT_FOUND);
  await ec2.send(remove(id));
});

test("a deleted snapshot lies in the recycle bin and comes back as it was", async (t) => {
  const { service, ec2, other } = await setUp(t, { recycleBinDays: 7 });
  const block = blockContents(5);
  const Tags = [{ Key: "kept", Value: "too" }];
  const id = await snapshotOf(service, new Map([[0, block]]), { Description: "deleted", Tags });
  const token = await blockToken(service, id, 0);
  await ec2.send(remove(id));
  assert.equal((await send(service, listParts(id))).status, 404);
  assert.equal((await send(service, getParts(id, 0, token))).status, 404);
  await assert.rejects(ec2.send(remove(id)), NOT_FOUND);
  const describe = new sdk.DescribeSnapshotsCommand({ SnapshotIds: [id] });
  await assert.rejects(ec2.send(describe), NOT_FOUND);
  assert.deepEqual((await ec2.send(new sdk.DescribeSnapshotsCommand({}))).Snapshots, []);
  const list = new sdk.ListSnapshotsInRecycleBinCommand({});
  const [binned, ...more] = (await ec2.send(list)).Snapshots ?? [];
  assert.deepEqual(more, []);
  assert.equal(binned?.SnapshotId, id);
  assert.equal(binned?.Description, "deleted");
  const stays = Number(binned?.RecycleBinExitTime) - Number(binned?.RecycleBinEnterTime);
  assert.equal(stays, 7 * MS_PER_DAY);
  const restore = new sdk.RestoreSnapshotFromRecycleBinCommand({ SnapshotId: id });
  assert.deepEqual((await other.send(list)).Snapshots, [], "each account has its own bin");
  await assert.rejects(other.send(restore), NOT_FOUND);
  const restored = await ec2.send(restore);
  assert.equal(restored.State, "completed");
  assert.deepEqual((await ec2.send(describe)).Snapshots?.[0]?.Tags, Tags);
  assert.deepEqual((await send(service, getParts(id, 0, token))).body, Buffer.from(block));
  await assert.rejects(ec2.send(restore), NOT_FOUND);
  assert.deepEqual((await ec2.send(list)).Snapshots, []);
});

test("the recycle bin empties itself, and takes only completed snapshots", async (t) => {
  const { service, ec2, advance } = await setUp(t, { recycleBinDays: 1 });
  const [pending, id] = [await start(service), await snapshotOf(service, new Map())];
  const binned = async () =>
    (await ec2.send(new sdk.ListSnapshotsInRecycleBinCommand({}))).Snapshots ?? [];
  for (const each of [pending, id]) await ec2.send(remove(each));
  assert.deepEqual(
    (await binned()).map(({ SnapshotId }) => SnapshotId),
    [id],
  );
  advance(MS_PER_DAY - MS_PER_HOUR);
  await setTimeout(150);
  assert.equal((await binned()).length, 1);
  advance(MS_PER_HOUR);
  for (let tries = 0; (await binned()).length > 0; tries++) {
    assert.ok(tries < 200, "the bin is emptied");
    await setTimeout(25);
  }
  assert.equal(await service.core.catalog.snapshots.get(id as never), undefined);
});

test("without a recycle bin nothing is kept", async (t) => {
  const { service, ec2 } = await setUp(t);
  const id = await snapshotOf(service, new Map());
  await ec2.send(remove(id));
  const { Snapshots } = await ec2.send(new sdk.ListSnapshotsInRecycleBinCommand({}));
  assert.deepEqual(Snapshots, []);
});
