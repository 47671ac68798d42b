import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as sdk from "@aws-sdk/client-ec2";
import { blockToken, getParts, listParts, send, snapshotOf } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { asSecondAccount, SECOND_ACCOUNT } from "../support/second-account.ts";
import { sdkOptions, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* Accounts that let none of their snapshots be public. */

const service = await startService({ after });
const second = await asSecondAccount(service);
const [ec2, other] = [service, second].map((each) => new sdk.EC2Client(sdkOptions(each))) as [
  sdk.EC2Client,
  sdk.EC2Client,
];
after(() => [ec2, other].map((client) => client.destroy()));

const BLOCKED = { name: "OperationNotPermitted" };
const NOT_FOUND = { name: "InvalidSnapshot.NotFound" };

const enable = (State: sdk.SnapshotBlockPublicAccessState, by = ec2) =>
  by.send(new sdk.EnableSnapshotBlockPublicAccessCommand({ State }));
const disable = () => ec2.send(new sdk.DisableSnapshotBlockPublicAccessCommand({}));
const state = async (by = ec2) => {
  const answer = await by.send(new sdk.GetSnapshotBlockPublicAccessStateCommand({}));
  assert.equal(answer.ManagedBy, "account");
  return answer.State;
};
const share = (SnapshotId: string, CreateVolumePermission: object) =>
  ec2.send(new sdk.ModifySnapshotAttributeCommand({ SnapshotId, CreateVolumePermission }));
const publish = (SnapshotId: string) => share(SnapshotId, { Add: [{ Group: "all" }] });
const isListed = async (id: string, input: object) => {
  const answer = await other.send(new sdk.DescribeSnapshotsCommand(input));
  return answer.Snapshots?.some(({ SnapshotId }) => SnapshotId === id) ?? false;
};
const found = (id: string) => isListed(id, { SnapshotIds: [id] });

test("the state is each account's own, and kept", async (t) => {
  assert.equal(await state(), "unblocked");
  assert.equal((await enable("block-new-sharing")).State, "block-new-sharing");
  assert.equal((await enable("block-all-sharing")).State, "block-all-sharing");
  assert.equal(await state(), "block-all-sharing");
  assert.equal(await state(other), "unblocked");
  assert.equal((await disable()).State, "unblocked");
  assert.equal(await state(), "unblocked");
  for (const text of ["unblocked", "block"]) {
    await assert.rejects(enable(text as never), { name: "InvalidParameterValue" });
  }
  await assert.rejects(enable(undefined as never), { name: "MissingParameter" });

  const dataDirectory = await temporaryDirectory(t);
  const account = await (async () => {
    const first = await startService(t, { dataDirectory });
    const client = new sdk.EC2Client(sdkOptions(first));
    await enable("block-new-sharing", client);
    client.destroy();
    await first.close();
    return first;
  })();
  const again = await startService(t, { dataDirectory });
  assert.equal(again.firstKey.key.account, account.firstKey.key.account);
  const client = new sdk.EC2Client(sdkOptions(again));
  t.after(() => client.destroy());
  assert.equal(await state(client), "block-new-sharing", "after a restart");
});

for (const blocking of ["block-new-sharing", "block-all-sharing"] as const) {
  test(`${blocking} refuses to make a snapshot public, and nothing else`, async (t) => {
    t.after(disable);
    const id = await snapshotOf(service, new Map());
    await enable(blocking);
    await assert.rejects(publish(id), BLOCKED);
    const grouped = new sdk.ModifySnapshotAttributeCommand({
      SnapshotId: id,
      OperationType: "add",
      GroupNames: ["all"],
    });
    await assert.rejects(ec2.send(grouped), BLOCKED);
    await assert.rejects(found(id), NOT_FOUND);
    await share(id, { Add: [{ UserId: SECOND_ACCOUNT }] });
    assert.equal(await found(id), true);
    await share(id, { Remove: [{ Group: "all" }] });
    await disable();
    await publish(id);
  });
}

test("block-new-sharing leaves public what is public", async (t) => {
  t.after(disable);
  const id = await snapshotOf(service, new Map());
  await publish(id);
  await enable("block-new-sharing");
  assert.equal(await found(id), true);
  assert.equal(await isListed(id, { RestorableByUserIds: ["all"] }), true);
});

test("block-all-sharing treats as private what is public, until it ends", async (t) => {
  t.after(disable);
  const block = blockContents(9);
  const id = await snapshotOf(service, new Map([[0, block]]));
  await publish(id);
  const copy = { SourceSnapshotId: id, SourceRegion: service.region };
  await other.send(new sdk.CopySnapshotCommand(copy));
  await enable("block-all-sharing");
  await assert.rejects(found(id), NOT_FOUND);
  await assert.rejects(other.send(new sdk.CopySnapshotCommand(copy)), NOT_FOUND);
  assert.equal(await isListed(id, {}), false);
  assert.equal(await isListed(id, { RestorableByUserIds: ["all"] }), false);
  const hidden = await send(second, listParts(id));
  assert.equal(hidden.status, 404, hidden.text);
  const attribute = { SnapshotId: id, Attribute: "createVolumePermission" } as const;
  const told = await ec2.send(new sdk.DescribeSnapshotAttributeCommand(attribute));
  assert.deepEqual(told.CreateVolumePermissions, [{ Group: "all" }], "grants stay as they are");

  // Who is named reads on: what was refused as public is shared with it alone now.
  await share(id, { Add: [{ UserId: SECOND_ACCOUNT }] });
  assert.equal(await found(id), true);
  const token = await blockToken(second, id, 0);
  const read = await send(second, getParts(id, 0, token));
  assert.deepEqual(read.body, Buffer.from(block));
  await share(id, { Remove: [{ UserId: SECOND_ACCOUNT }] });

  await disable();
  assert.equal(await found(id), true);
  const refused = await send(second, listParts(id));
  assert.match(refused.text, /Public snapshots are not supported/);
});
