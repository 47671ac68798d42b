import assert from "node:assert/strict";
import { after, test } from "node:test";
import { jsSdkDriver } from "../support/js-sdk.ts";
import {
  blockToken,
  changedParts,
  completeParts,
  getParts,
  list,
  listParts,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { RawResponse, Target } from "../support/raw-http.ts";
import { asSecondAccount, SECOND_ACCOUNT } from "../support/second-account.ts";
import { startService } from "../support/service.ts";

/* What an account may do with a snapshot that another one shares with it, and what not. */

const service = await startService({ after });
const other = await asSecondAccount(service);
const [owner, recipient] = [jsSdkDriver(service), jsSdkDriver(other)];
after(() => [owner, recipient].map((driver) => driver.destroy()));

const block = blockContents(3);
const parent = await snapshotOf(service, new Map([[0, block]]));
const changes = new Map([[1, blockContents(4)]]);
const child = await snapshotOf(service, changes, { ParentSnapshotId: parent });

const ec2 = (driver: typeof owner, operation: string, input: object) =>
  driver.call("ec2", operation, input as never);

function share(snapshotId: string, permission: object): Promise<unknown> {
  const input = { SnapshotId: snapshotId, CreateVolumePermission: permission };
  return ec2(owner, "ModifySnapshotAttribute", input);
}

async function permissions(snapshotId: string): Promise<unknown> {
  const input = { SnapshotId: snapshotId, Attribute: "createVolumePermission" };
  const described = await ec2(owner, "DescribeSnapshotAttribute", input);
  return described["CreateVolumePermissions"];
}

async function visibleIds(driver: typeof owner, input: object = {}): Promise<string[]> {
  const { Snapshots } = await ec2(driver, "DescribeSnapshots", input);
  return (Snapshots as { SnapshotId: string }[]).map(({ SnapshotId }) => SnapshotId).sort();
}

function assertGone(response: RawResponse, snapshotId: string): void {
  assert.equal(response.status, 404, response.text);
  const Message = `The snapshot '${snapshotId}' does not exist.`;
  assert.deepEqual(JSON.parse(response.text), { Message, Reason: "SNAPSHOT_NOT_FOUND" });
}

function assertPublic(response: RawResponse): void {
  assert.equal(response.status, 400, response.text);
  assert.deepEqual(JSON.parse(response.text), {
    Message: "Public snapshots are not supported",
    Reason: "INVALID_SNAPSHOT_ID",
  });
}

const read = async (target: Target, snapshotId: string) =>
  send(target, getParts(snapshotId, 0, await blockToken(service, snapshotId, 0)));

test("a snapshot is another account's secret until it is shared", async () => {
  assertGone(await send(other, listParts(parent)), parent);
  assertGone(await read(other, parent), parent);
  assert.deepEqual(await visibleIds(recipient), []);
  const named = visibleIds(recipient, { SnapshotIds: [parent] });
  await assert.rejects(named, { name: "InvalidSnapshot.NotFound" });
  assert.deepEqual(await permissions(parent), []);
});

test("a shared snapshot is listed, read and compared by the other account", async () => {
  for (const id of [parent, child]) await share(id, { Add: [{ UserId: SECOND_ACCOUNT }] });
  assert.deepEqual(await permissions(parent), [{ UserId: SECOND_ACCOUNT }]);
  const { Blocks } = await list(other, child);
  assert.deepEqual(
    Blocks.map(({ BlockIndex }) => BlockIndex),
    [0, 1],
  );
  const got = await read(other, parent);
  assert.equal(got.status, 200, "a token minted for the owner works for the recipient");
  assert.deepEqual(got.body, Buffer.from(block));
  const compared = await send(other, changedParts(parent, child));
  assert.equal(compared.status, 200);
  assert.equal(JSON.parse(compared.text).ChangedBlocks.length, 1);
});

test("a token stops working when sharing ends and works when it is shared again", async () => {
  const token = await blockToken(other, parent, 0);
  await share(parent, { Remove: [{ UserId: SECOND_ACCOUNT }] });
  assertGone(await send(other, getParts(parent, 0, token)), parent);
  const compared = await send(other, changedParts(parent, child));
  assert.equal(compared.status, 404);
  const words = { OperationType: "add", UserIds: [SECOND_ACCOUNT] };
  await ec2(owner, "ModifySnapshotAttribute", {
    SnapshotId: parent,
    Attribute: "createVolumePermission",
    ...words,
  });
  assert.equal((await send(other, getParts(parent, 0, token))).status, 200);
});

test("a shared snapshot is no parent, and not the recipient's to write or delete", async () => {
  const started = startParts({ VolumeSize: 1, ParentSnapshotId: parent });
  assertGone(await send(other, started), parent);
  const pending = await start(service);
  await share(pending, { Add: [{ UserId: SECOND_ACCOUNT }] });
  const put = await send(other, putParts({ snapshotId: pending, blockIndex: 0 }, block));
  assertGone(put, pending);
  assertGone(await send(other, completeParts(pending, 0)), pending);
  assertGone(await send(other, listParts(pending)), pending);
  for (const [operation, input] of [
    ["DeleteSnapshot", {}],
    ["CreateTags", { Resources: [parent], Tags: [{ Key: "a", Value: "b" }] }],
    ["DescribeSnapshotAttribute", { Attribute: "createVolumePermission" }],
    ["ResetSnapshotAttribute", { Attribute: "createVolumePermission" }],
    ["ModifySnapshotAttribute", { CreateVolumePermission: { Add: [{ Group: "all" }] } }],
  ] as const) {
    const call = ec2(recipient, operation, { SnapshotId: parent, ...input });
    await assert.rejects(call, { name: "InvalidSnapshot.NotFound" }, operation);
  }
  await ec2(owner, "DeleteSnapshot", { SnapshotId: pending });
});

test("a public snapshot is refused to others, even to those it is shared with", async () => {
  await share(parent, { Add: [{ Group: "all" }] });
  assert.deepEqual(await permissions(parent), [{ UserId: SECOND_ACCOUNT }, { Group: "all" }]);
  assertPublic(await send(other, listParts(parent)));
  assertPublic(await read(other, parent));
  assertPublic(await send(other, changedParts(parent, child)));
  assert.equal((await read(service, parent)).status, 200, "the owner reads on");
  await ec2(owner, "ModifySnapshotAttribute", {
    SnapshotId: parent,
    OperationType: "remove",
    GroupNames: ["all"],
  });
  assert.equal((await read(other, parent)).status, 200);
});

test("DescribeSnapshots shows what is shared, by owner and by who may read it", async () => {
  const { account } = service.firstKey.key;
  const both = [parent, child].sort();
  const secret = await snapshotOf(service, new Map());
  const mine = await snapshotOf(other, new Map());
  assert.deepEqual(await visibleIds(recipient), [...both, mine].sort());
  assert.deepEqual(await visibleIds(recipient, { SnapshotIds: both }), both);
  assert.deepEqual(await visibleIds(recipient, { OwnerIds: ["self"] }), [mine]);
  assert.deepEqual(await visibleIds(recipient, { OwnerIds: [account] }), both);
  assert.deepEqual(await visibleIds(recipient, { OwnerIds: [account, "self"] }).then(count), 3);
  assert.deepEqual(await visibleIds(recipient, { OwnerIds: ["amazon"] }), []);
  const restorable = (driver: typeof owner, ...users: string[]) =>
    visibleIds(driver, { RestorableByUserIds: users });
  assert.deepEqual(await restorable(recipient, "self"), [...both, mine].sort());
  assert.deepEqual(await restorable(owner, SECOND_ACCOUNT), both);
  assert.deepEqual(await restorable(owner, "self"), [...both, secret].sort());
  assert.deepEqual(await restorable(owner, "all"), []);
  await share(secret, { Add: [{ Group: "all" }] });
  assert.deepEqual(await restorable(recipient, "all"), [secret]);
  assert.ok((await visibleIds(recipient)).includes(secret), "public snapshots are shown");
  const filter = [{ Name: "owner-id", Values: [account] }];
  assert.deepEqual(await visibleIds(recipient, { Filters: filter }).then(count), 3);
  const page = await ec2(recipient, "DescribeSnapshots", { OwnerIds: [account], MaxResults: 5 });
  assert.equal((page["Snapshots"] as unknown[]).length, 3);
});

const count = (list: readonly unknown[]) => list.length;

test("ResetSnapshotAttribute takes back all that was shared", async () => {
  await ec2(owner, "ResetSnapshotAttribute", {
    SnapshotId: child,
    Attribute: "createVolumePermission",
  });
  assert.deepEqual(await permissions(child), []);
  assertGone(await send(other, listParts(child)), child);
  const codes = { SnapshotId: child, Attribute: "productCodes" };
  const described = await ec2(owner, "DescribeSnapshotAttribute", codes);
  assert.deepEqual(described["ProductCodes"], []);
});

test("what cannot be shared is refused, and nothing of it is done", async () => {
  const accounts = Array.from({ length: 501 }, (_, i) => ({ UserId: String(10 ** 11 + i) }));
  for (const [permission, name] of [
    [{ Add: accounts }, "InvalidParameterValue"],
    [{ Add: [{ UserId: "someone" }] }, "InvalidUserID.Malformed"],
    [{ Add: [{ Group: "friends" }] }, "InvalidParameterValue"],
    [{}, "MissingParameter"],
  ] as const) {
    await assert.rejects(share(child, permission), { name });
  }
  const unknown = share("snap-00000000000000000", { Add: [{ Group: "all" }] });
  await assert.rejects(unknown, { name: "InvalidSnapshot.NotFound" });
  assert.deepEqual(await permissions(child), []);
  await share(child, { Add: accounts.slice(1) });
  assert.equal(((await permissions(child)) as unknown[]).length, 500);
});
