import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as sdk from "@aws-sdk/client-ec2";
import { completeParts, send, settled, snapshotOf, start } from "../support/operations.ts";
import { asSecondAccount } from "../support/second-account.ts";
import { sdkOptions, startService } from "../support/service.ts";

/* What there is none of, said truthfully. */

const service = await startService({ after });
const ec2 = new sdk.EC2Client(sdkOptions(service));
after(() => ec2.destroy());

test("there are no volumes, machines and fast restores", async () => {
  const filtered = { Filters: [{ Name: "status", Values: ["available"] }], MaxResults: 5 };
  for (const input of [{}, filtered]) {
    assert.deepEqual((await ec2.send(new sdk.DescribeVolumesCommand(input))).Volumes, []);
    const { Reservations } = await ec2.send(new sdk.DescribeInstancesCommand(input));
    assert.deepEqual(Reservations, []);
    const restores = new sdk.DescribeFastSnapshotRestoresCommand(input);
    assert.deepEqual((await ec2.send(restores)).FastSnapshotRestores, []);
  }
});

test("a volume or a machine that is named is not found", async () => {
  const volumes = (...VolumeIds: string[]) =>
    ec2.send(new sdk.DescribeVolumesCommand({ VolumeIds }));
  const instances = (...InstanceIds: string[]) =>
    ec2.send(new sdk.DescribeInstancesCommand({ InstanceIds }));
  await assert.rejects(volumes("vol-0123456789abcdef0"), {
    name: "InvalidVolume.NotFound",
    message: /The volume 'vol-0123456789abcdef0' does not exist/,
  });
  await assert.rejects(volumes("disk"), { name: "InvalidVolumeID.Malformed" });
  await assert.rejects(instances("i-0123456789abcdef0"), {
    name: "InvalidInstanceID.NotFound",
    message: /The instance ID 'i-0123456789abcdef0' does not exist/,
  });
  await assert.rejects(instances("vol-01"), { name: "InvalidInstanceID.Malformed" });
});

test("CreateVolume says what is wrong with the snapshot, then what to do instead", async () => {
  const create = (SnapshotId: string) =>
    ec2.send(new sdk.CreateVolumeCommand({ SnapshotId, AvailabilityZone: "us-east-1a" }));
  const pending = await start(service);
  const state = (word: string) => ({
    name: "IncorrectState",
    message: new RegExp(`Snapshot is in invalid state - ${word}`),
  });
  await assert.rejects(create(pending), state("pending"));
  await send(service, completeParts(pending, 7));
  assert.equal((await settled(service, pending))["status"], "error");
  await assert.rejects(create(pending), state("error"));
  await assert.rejects(create("snap-0ffffffffffffffff"), {
    name: "InvalidSnapshot.NotFound",
    message: "Snapshot does not exist",
  });
  await assert.rejects(create("disk"), { name: "InvalidSnapshotID.Malformed" });
  const foreign = await snapshotOf(await asSecondAccount(service), new Map());
  await assert.rejects(create(foreign), { name: "InvalidSnapshot.NotFound" });
  const whole = create(await snapshotOf(service, new Map()));
  await assert.rejects(whole, { name: "UnsupportedOperation", message: /varve download/ });
});

test("other actions of AWS that cannot be had say what to do instead", async () => {
  const SnapshotId = await snapshotOf(service, new Map());
  const restores = { SourceSnapshotIds: [SnapshotId], AvailabilityZones: ["us-east-1a"] };
  for (const [command, text] of [
    [new sdk.CreateSnapshotCommand({ VolumeId: "vol-01" }), /StartSnapshot/],
    [
      new sdk.CreateSnapshotsCommand({ InstanceSpecification: { InstanceId: "i-01" } }),
      /StartSnapshot/,
    ],
    [new sdk.RunInstancesCommand({ MinCount: 1, MaxCount: 1 }), /varve download/],
    [new sdk.CreateImageCommand({ InstanceId: "i-01", Name: "one" }), /RegisterImage/],
    [new sdk.ModifySnapshotTierCommand({ SnapshotId }), /standard tier/],
    [new sdk.RestoreSnapshotTierCommand({ SnapshotId }), /standard tier/],
    [new sdk.EnableFastSnapshotRestoresCommand(restores), /full speed/],
  ] as const) {
    const refused = { name: "UnsupportedOperation", message: text };
    await assert.rejects(ec2.send(command as sdk.CreateImageCommand), refused);
  }
  const strange = ec2.send(new sdk.CreateVpcCommand({ CidrBlock: "10.0.0.0/16" }));
  await assert.rejects(strange, { name: "UnsupportedOperation", message: /It supports:/ });
});

test("every snapshot is in the standard tier, page by page", async () => {
  const Tags = [{ Key: "tier", Value: "x" }];
  const ids = [await start(service, { Tags })];
  for (let i = 0; i < 6; i++) ids.push(await start(service));
  const status = (input: object) => ec2.send(new sdk.DescribeSnapshotTierStatusCommand(input));
  const [id = ""] = ids;
  const filter = (Name: string, ...Values: string[]) => ({ Filters: [{ Name, Values }] });
  const { SnapshotTierStatuses } = await status(filter("snapshot-id", id));
  assert.deepEqual(SnapshotTierStatuses, [
    {
      SnapshotId: id,
      VolumeId: "vol-ffffffff",
      Status: "pending",
      OwnerId: service.firstKey.key.account,
      Tags,
      StorageTier: "standard",
    },
  ]);
  const moved = await status(filter("last-tiering-operation", "archival-completed"));
  assert.deepEqual(moved.SnapshotTierStatuses, []);
  await assert.rejects(status(filter("color", "red")), { name: "InvalidParameterValue" });
  const paged: (string | undefined)[] = [];
  let NextToken: string | undefined;
  do {
    const page = await status({ MaxResults: 5, NextToken });
    assert.ok((page.SnapshotTierStatuses?.length ?? 0) <= 5);
    paged.push(...(page.SnapshotTierStatuses ?? []).map(({ SnapshotId }) => SnapshotId));
    NextToken = page.NextToken;
  } while (NextToken);
  assert.equal(new Set(paged).size, paged.length);
  for (const each of ids) assert.ok(paged.includes(each));
});
