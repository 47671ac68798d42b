import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { promisify } from "node:util";
import * as sdk from "@aws-sdk/client-ec2";
import {
  ec2ClientOf,
  ec2Clients,
  imageIds,
  imageOf,
  registerImage,
  snapshotsOf,
} from "../support/ec2.ts";
import { policyOf, withNewKey } from "../support/keys.ts";
import { blockToken, getParts, send, snapshotOf } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { findPythonTools } from "../support/python.ts";
import { asSecondAccount, SECOND_ACCOUNT } from "../support/second-account.ts";
import { awsEnvironment, REGION, startService } from "../support/service.ts";

/* CopyImage, and DeregisterImage with the snapshots that an image is made of. */

const tools = await findPythonTools();
const skip = typeof tools === "string" ? tools : false;

const service = await startService({ after });
const second = await asSecondAccount(service);
const { ec2, other } = await ec2Clients({ after }, service);
const block = blockContents(11);

const copy = async (
  SourceImageId: string,
  input: Partial<sdk.CopyImageCommandInput> = {},
  by = ec2,
) => {
  const whole = { Name: `copy of ${SourceImageId}`, SourceImageId, SourceRegion: REGION, ...input };
  return String((await by.send(new sdk.CopyImageCommand(whole))).ImageId);
};
const shareImage = (ImageId: string) =>
  ec2.send(
    new sdk.ModifyImageAttributeCommand({
      ImageId,
      LaunchPermission: { Add: [{ UserId: SECOND_ACCOUNT }] },
    }),
  );
const shareSnapshot = (SnapshotId: string, grantee: object) =>
  ec2.send(
    new sdk.ModifySnapshotAttributeCommand({
      SnapshotId,
      CreateVolumePermission: { Add: [grantee] },
    }),
  );
const snapshotIds = async (by = ec2) => {
  const { Snapshots = [] } = await by.send(
    new sdk.DescribeSnapshotsCommand({ OwnerIds: ["self"] }),
  );
  return Snapshots.map(({ SnapshotId }) => String(SnapshotId)).sort();
};
const tagged = (ResourceType: sdk.ResourceType, Key: string) => ({
  ResourceType,
  Tags: [{ Key, Value: "v" }],
});

test("CopyImage makes an image on copies of its snapshots, which keep it whole", async () => {
  const [root, data] = [
    await snapshotOf(service, new Map([[5, block]]), { VolumeSize: 2 }),
    await snapshotOf(service, new Map()),
  ];
  const sourceId = await registerImage(ec2, [root, data], {
    Description: "the source",
    BootMode: "uefi",
    TagSpecifications: [tagged("image", "own")],
  });
  const source = await imageOf(ec2, sourceId);
  const imageId = await copy(sourceId, {
    TagSpecifications: [tagged("image", "new"), tagged("snapshot", "of")],
  });
  const waiter = { client: ec2, maxWaitTime: 10, minDelay: 1, maxDelay: 1 };
  await sdk.waitUntilImageExists(waiter, { ImageIds: [imageId] });
  await sdk.waitUntilImageAvailable(waiter, { ImageIds: [imageId] });
  const image = await imageOf(ec2, imageId);
  const { BlockDeviceMappings: devices, ...rest } = image;
  const { BlockDeviceMappings: sources, ...of } = source;
  assert.deepEqual(rest, {
    ...of,
    ImageId: imageId,
    Name: `copy of ${sourceId}`,
    ImageLocation: `${service.firstKey.key.account}/copy of ${sourceId}`,
    CreationDate: rest.CreationDate,
    SourceImageId: sourceId,
    SourceImageRegion: REGION,
    Tags: [{ Key: "new", Value: "v" }],
  });
  const copies = snapshotsOf(image);
  assert.deepEqual(
    devices?.map(({ Ebs, ...device }) => ({ ...device, Ebs: { ...Ebs, SnapshotId: "" } })),
    sources?.map(({ Ebs, ...device }) => ({ ...device, Ebs: { ...Ebs, SnapshotId: "" } })),
  );
  assert.equal(new Set([...copies, root, data]).size, 4);
  const described = new sdk.DescribeSnapshotsCommand({ SnapshotIds: copies });
  for (const { Description, State, Tags, SnapshotId } of (await ec2.send(described)).Snapshots ??
    []) {
    const from = snapshotsOf(source)[copies.indexOf(String(SnapshotId))];
    const said = `Copied for DestinationAmi ${imageId} from SourceAmi ${sourceId}`;
    assert.ok(Description?.startsWith(`${said} for SourceSnapshot ${from}.`), Description);
    assert.match(String(Description), /\. Task created on \d{1,3}(,\d{3}){4}\.$/);
    assert.equal(State, "completed");
    assert.deepEqual(Tags, [{ Key: "of", Value: "v" }]);
  }
  await ec2.send(new sdk.DeregisterImageCommand({ ImageId: sourceId }));
  for (const SnapshotId of [root, data]) {
    await ec2.send(new sdk.DeleteSnapshotCommand({ SnapshotId }));
  }
  const [first = ""] = copies;
  const read = await send(service, getParts(first, 5, await blockToken(service, first, 5)));
  assert.deepEqual(read.body, Buffer.from(block));
  const held = ec2.send(new sdk.DeleteSnapshotCommand({ SnapshotId: first }));
  await assert.rejects(held, { name: "InvalidSnapshot.InUse" });
});

test("CopyImage takes tags along when asked to, and one's own only", async () => {
  const snapshot = await snapshotOf(service, new Map());
  const sourceId = await registerImage(ec2, [snapshot], {
    TagSpecifications: [tagged("image", "own")],
  });
  const imageId = await copy(sourceId, {
    CopyImageTags: true,
    TagSpecifications: [tagged("image", "new")],
  });
  const keys = async (id: string, by = ec2) => (await imageOf(by, id)).Tags?.map(({ Key }) => Key);
  assert.deepEqual(await keys(imageId), ["new", "own"]);
  await shareImage(sourceId);
  await shareSnapshot(snapshot, { UserId: SECOND_ACCOUNT });
  const foreign = await copy(sourceId, { CopyImageTags: true }, other);
  assert.equal(await keys(foreign, other), undefined);
  const Tags = Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: "" }));
  const many = copy(sourceId, {
    Name: "too many tags",
    CopyImageTags: true,
    TagSpecifications: [{ ResourceType: "image", Tags }],
  });
  await assert.rejects(many, { name: "InvalidParameterValue", message: /more than the 50 tags/ });
});

test("CopyImage of another account's image needs its snapshots to be shared, too", async () => {
  const snapshot = await snapshotOf(service, new Map([[2, block]]));
  const sourceId = await registerImage(ec2, [snapshot]);
  const unknown = { name: "InvalidAMIID.NotFound" };
  await assert.rejects(copy(sourceId, {}, other), unknown);
  await shareImage(sourceId);
  const before = await snapshotIds(other);
  const closed = {
    name: "InvalidRequest",
    message: /You do not have permission to access the storage of this ami/,
  };
  await assert.rejects(copy(sourceId, {}, other), closed);
  assert.deepEqual(await snapshotIds(other), before);
  await shareSnapshot(snapshot, { Group: "all" });
  const image = await imageOf(other, await copy(sourceId, {}, other));
  assert.equal(image.OwnerId, SECOND_ACCOUNT);
  const [copied = ""] = snapshotsOf(image);
  const read = await send(second, getParts(copied, 2, await blockToken(second, copied, 2)));
  assert.deepEqual(read.body, Buffer.from(block));
});

test("CopyImage refused leaves no snapshots behind", async () => {
  const [open, closed] = [
    await snapshotOf(service, new Map()),
    await snapshotOf(service, new Map()),
  ];
  const sourceId = await registerImage(ec2, [open, closed]);
  await shareImage(sourceId);
  await shareSnapshot(open, { UserId: SECOND_ACCOUNT });
  const before = await snapshotIds(other);
  await assert.rejects(copy(sourceId, {}, other), { name: "InvalidRequest" });
  assert.deepEqual(await snapshotIds(other), before);

  await copy(sourceId, { Name: "taken" });
  const own = await snapshotIds();
  for (const [input, name] of [
    [{ Name: "taken" }, "InvalidAMIName.Duplicate"],
    [{ Name: "?" }, "InvalidAMIName.Malformed"],
    [{ SourceRegion: "eu-west-1" }, "InvalidParameterValue"],
    [{ SourceImageId: "ami-0ffffffffffffffff" }, "InvalidAMIID.NotFound"],
    [{ SourceImageId: "image" }, "InvalidAMIID.Malformed"],
    [{ Encrypted: true }, "UnsupportedOperation"],
    [{ TagSpecifications: [tagged("volume", "k")] }, "InvalidParameterValue"],
  ] as const) {
    const refused = copy(sourceId, input as Partial<sdk.CopyImageCommandInput>);
    await assert.rejects(refused, { name }, JSON.stringify(input));
  }
  assert.deepEqual(await snapshotIds(), own);
});

test("CopyImage repeated with its client token makes nothing new", async () => {
  const sourceId = await registerImage(ec2, [await snapshotOf(service, new Map())]);
  const otherId = await registerImage(ec2, [await snapshotOf(service, new Map())]);
  const input = { Name: "once", ClientToken: "a token" };
  const imageId = await copy(sourceId, input);
  const before = await snapshotIds();
  assert.equal(await copy(sourceId, input), imageId);
  assert.deepEqual(await snapshotIds(), before);
  await assert.rejects(copy(otherId, input), { name: "IdempotentParameterMismatch" });
  const another = copy(sourceId, { ...input, ClientToken: "another" });
  await assert.rejects(another, { name: "InvalidAMIName.Duplicate" });
});

const deregister = async (ImageId: string, by = ec2) => {
  const input = { ImageId, DeleteAssociatedSnapshots: true };
  const answer = await by.send(new sdk.DeregisterImageCommand(input));
  assert.equal(answer.Return, true);
  const { DeleteSnapshotResults = [] } = answer;
  return DeleteSnapshotResults.map(({ SnapshotId, ReturnCode }) => [SnapshotId, ReturnCode]);
};

test("DeregisterImage deletes the image's snapshots where nothing holds them", async () => {
  const [free, used, locked] = [
    await snapshotOf(service, new Map()),
    await snapshotOf(service, new Map()),
    await snapshotOf(service, new Map()),
  ] as [string, string, string];
  const plain = await registerImage(ec2, [free]);
  const plainAnswer = await ec2.send(new sdk.DeregisterImageCommand({ ImageId: plain }));
  assert.equal(plainAnswer.DeleteSnapshotResults, undefined);
  assert.ok((await snapshotIds()).includes(free), "not asked for");
  const imageId = await registerImage(ec2, [free, used, locked, free]);
  await registerImage(ec2, [used], { Name: "another of it" });
  const lock = { SnapshotId: locked, LockMode: "governance", LockDuration: 1 } as const;
  await ec2.send(new sdk.LockSnapshotCommand(lock));
  assert.deepEqual(await deregister(imageId), [
    [free, "success"],
    [used, "skipped"],
    [locked, "client-error"],
  ]);
  const left = await snapshotIds();
  assert.deepEqual(
    [free, used, locked].map((id) => left.includes(id)),
    [false, true, true],
  );
  await assert.rejects(deregister(imageId), { name: "InvalidAMIID.NotFound" });
});

test("DeregisterImage deletes no snapshot that the caller's policy does not let go", async (t) => {
  const [mine, kept] = [
    await snapshotOf(service, new Map()),
    await snapshotOf(service, new Map(), { Tags: [{ Key: "keep", Value: "yes" }] }),
  ] as [string, string];
  const imageId = await registerImage(ec2, [mine, kept]);
  const careful = await withNewKey(service, {
    policy: policyOf(
      { Action: ["ec2:DeregisterImage", "ec2:DeleteSnapshot"] },
      {
        Effect: "Deny",
        Action: "ec2:DeleteSnapshot",
        Condition: { StringEquals: { "aws:ResourceTag/keep": "yes" } },
      },
    ),
  });
  assert.deepEqual(await deregister(imageId, ec2ClientOf(t, service, careful)), [
    [mine, "success"],
    [kept, "missing-permissions"],
  ]);
  const left = await snapshotIds();
  assert.deepEqual([left.includes(mine), left.includes(kept)], [false, true]);
});

/** Prints what boto3 makes of the answers. */
const SCRIPT = `
import boto3, json, sys
ec2 = boto3.client('ec2')
image, region = sys.argv[1:]
copy = ec2.copy_image(Name='by boto3', SourceImageId=image, SourceRegion=region)['ImageId']
ec2.get_waiter('image_exists').wait(ImageIds=[copy])
ec2.get_waiter('image_available').wait(ImageIds=[copy])
ec2.create_tags(Resources=[copy], Tags=[{'Key': 'a', 'Value': 'b'}])
ec2.enable_image_deprecation(ImageId=copy, DeprecateAt='2035-01-02T03:04:31Z')
described = ec2.describe_images(ImageIds=[copy])['Images'][0]
attribute = ec2.describe_image_attribute(ImageId=copy, Attribute='launchPermission')
gone = ec2.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)
print(json.dumps({
  'source': described['SourceImageId'], 'tags': described['Tags'],
  'deprecation': described['DeprecationTime'], 'permissions': attribute['LaunchPermissions'],
  'results': [r['ReturnCode'] for r in gone['DeleteSnapshotResults']],
  'volumes': ec2.describe_volumes()['Volumes'],
  'instances': ec2.describe_instances()['Reservations'],
}))
`;

test("boto3 copies an image, tags, deprecates and removes it", { skip }, async () => {
  if (typeof tools === "string") return;
  const imageId = await registerImage(ec2, [await snapshotOf(service, new Map())]);
  const env = { ...process.env, ...awsEnvironment(service) };
  const run = promisify(execFile)(tools.python, ["-c", SCRIPT, imageId, REGION], { env });
  assert.deepEqual(JSON.parse((await run).stdout), {
    source: imageId,
    tags: [{ Key: "a", Value: "b" }],
    deprecation: "2035-01-02T03:05:00.000Z",
    permissions: [],
    results: ["success"],
    volumes: [],
    instances: [],
  });
  assert.ok((await imageIds(ec2)).includes(imageId));
});
