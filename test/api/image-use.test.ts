import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as sdk from "@aws-sdk/client-ec2";
import { MS_PER_DAY, MS_PER_MINUTE } from "../../src/model/limits.ts";
import { ec2ClientOf, ec2Clients, imageIds, imageOf, registerImage } from "../support/ec2.ts";
import { policyOf, withNewKey } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { snapshotOf } from "../support/operations.ts";
import { SECOND_ACCOUNT } from "../support/second-account.ts";
import { startService } from "../support/service.ts";

/* What an image says of itself, whether it is still to be used, and who may decide that. */

const clock = new MovingClock();
const service = await startService({ after }, { clock });
const { ec2, other } = await ec2Clients({ after }, service);
const snapshot = await snapshotOf(service, new Map(), { VolumeSize: 3 });
let count = 0;
const register = (input: Partial<sdk.RegisterImageCommandInput> = {}) =>
  registerImage(ec2, [snapshot], { Name: `image ${count++}`, ...input });

const UNKNOWN = { name: "InvalidAMIID.NotFound" };
const INVALID = { name: "InvalidParameterValue" };

const grant = (ImageId: string, change: sdk.LaunchPermissionModifications) =>
  ec2.send(new sdk.ModifyImageAttributeCommand({ ImageId, LaunchPermission: change }));
const publish = (ImageId: string) => grant(ImageId, { Add: [{ Group: "all" }] });

async function attribute(ImageId: string, Attribute: sdk.ImageAttributeName, by = ec2) {
  const command = new sdk.DescribeImageAttributeCommand({ ImageId, Attribute });
  const { $metadata, ImageId: described, ...rest } = await by.send(command);
  assert.equal(described, ImageId);
  return rest;
}

test("DescribeImageAttribute tells each attribute, set or not", async () => {
  const full = await register({
    Description: "full",
    BootMode: "uefi",
    TpmSupport: "v2.0",
    ImdsSupport: "v2.0",
    SriovNetSupport: "simple",
    KernelId: "aki-01",
    RamdiskId: "ari-01",
  });
  const bare = await register();
  await grant(full, { Add: [{ UserId: SECOND_ACCOUNT }, { Group: "all" }] });
  for (const [name, member, value] of [
    ["description", "Description", "full"],
    ["bootMode", "BootMode", "uefi"],
    ["tpmSupport", "TpmSupport", "v2.0"],
    ["imdsSupport", "ImdsSupport", "v2.0"],
    ["sriovNetSupport", "SriovNetSupport", "simple"],
    ["kernel", "KernelId", "aki-01"],
    ["ramdisk", "RamdiskId", "ari-01"],
  ] as const) {
    assert.deepEqual(await attribute(full, name), { [member]: { Value: value } }, name);
    const empty = Object.values(await attribute(bare, name))[0];
    assert.ok(!(empty as sdk.AttributeValue | undefined)?.Value, name);
  }
  assert.deepEqual(await attribute(bare, "deregistrationProtection"), {
    DeregistrationProtection: { Value: "disabled" },
  });
  for (const name of ["uefiData", "lastLaunchedTime"] as const) {
    const [empty] = Object.values(await attribute(full, name));
    assert.ok(!(empty as sdk.AttributeValue | undefined)?.Value, name);
  }
  assert.deepEqual(await attribute(full, "launchPermission"), {
    LaunchPermissions: [{ UserId: SECOND_ACCOUNT }, { Group: "all" }],
  });
  assert.deepEqual(await attribute(bare, "launchPermission"), { LaunchPermissions: [] });
  assert.deepEqual(await attribute(full, "productCodes"), { ProductCodes: [] });
  const Ebs = { SnapshotId: snapshot, VolumeSize: 3, Encrypted: false };
  assert.deepEqual(await attribute(full, "blockDeviceMapping"), {
    BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs }],
  });
  await assert.rejects(attribute(full, "color" as never), INVALID);
  await assert.rejects(attribute(full, "launchPermission", other), UNKNOWN);
  await assert.rejects(attribute("ami-0f", "description"), UNKNOWN);
});

test("ResetImageAttribute makes an image its owner's alone", async () => {
  const imageId = await register();
  await grant(imageId, { Add: [{ UserId: SECOND_ACCOUNT }, { Group: "all" }] });
  assert.deepEqual(await imageIds(other, { ImageIds: [imageId] }), [imageId]);
  const reset = (Attribute: string, by = ec2) => {
    const input = { ImageId: imageId, Attribute: Attribute as "launchPermission" };
    return by.send(new sdk.ResetImageAttributeCommand(input));
  };
  await assert.rejects(reset("launchPermission", other), UNKNOWN);
  await assert.rejects(reset("description"), INVALID);
  await reset("launchPermission");
  assert.deepEqual(await attribute(imageId, "launchPermission"), { LaunchPermissions: [] });
  await assert.rejects(imageIds(other, { ImageIds: [imageId] }), UNKNOWN);
});

test("many who modify an image at once lose nothing of each other", async () => {
  const imageId = await register();
  const accounts = Array.from({ length: 20 }, (_, i) => `4444555566${String(i).padStart(2, "0")}`);
  await Promise.all(accounts.map((UserId) => grant(imageId, { Add: [{ UserId }] })));
  const { LaunchPermissions = [] } = await attribute(imageId, "launchPermission");
  assert.deepEqual(
    LaunchPermissions.map(({ UserId }) => UserId),
    accounts,
  );
});

test("a deprecated image is left out of the listings of others, but not hidden", async (t) => {
  const service = await startService(t, { clock });
  const { ec2, other } = await ec2Clients(t, service);
  const imageId = await registerImage(ec2, [await snapshotOf(service, new Map())]);
  await ec2.send(
    new sdk.ModifyImageAttributeCommand({
      ImageId: imageId,
      LaunchPermission: { Add: [{ UserId: SECOND_ACCOUNT }] },
    }),
  );
  const soonMs = Math.ceil((clock.nowMs() + MS_PER_MINUTE) / MS_PER_MINUTE) * MS_PER_MINUTE;
  const deprecate = (DeprecateAt: Date, by = ec2) =>
    by.send(new sdk.EnableImageDeprecationCommand({ ImageId: imageId, DeprecateAt }));
  await assert.rejects(deprecate(new Date(soonMs), other), UNKNOWN);
  await deprecate(new Date(soonMs + 29_000));
  const told = (await imageOf(other, imageId)).DeprecationTime;
  assert.equal(told, new Date(soonMs).toISOString(), "seconds are rounded");
  assert.deepEqual(await imageIds(other), [imageId], "its time has not come");

  // Set forward by less than what a signature may be off.
  clock.advance(3 * MS_PER_MINUTE);
  assert.deepEqual(await imageIds(other), []);
  assert.deepEqual(await imageIds(other, { ExecutableUsers: ["self"] }), []);
  assert.deepEqual(await imageIds(other, { IncludeDeprecated: true }), [imageId]);
  assert.deepEqual(await imageIds(other, { ImageIds: [imageId] }), [imageId]);
  assert.deepEqual(await imageIds(ec2), [imageId], "its owner sees it");

  await assert.rejects(deprecate(new Date(clock.nowMs() - 2 * MS_PER_MINUTE)), INVALID);
  await assert.rejects(deprecate(new Date(clock.nowMs() + 3_700 * MS_PER_DAY)), INVALID);
  await deprecate(new Date(clock.nowMs() + 3_600 * MS_PER_DAY));
  assert.deepEqual(await imageIds(other), [imageId], "put off");
  await ec2.send(new sdk.DisableImageDeprecationCommand({ ImageId: imageId }));
  assert.equal((await imageOf(ec2, imageId)).DeprecationTime, undefined);
  const foreign = new sdk.DisableImageDeprecationCommand({ ImageId: imageId });
  await assert.rejects(other.send(foreign), UNKNOWN);
});

test("a public image is deprecated within two years of its making", async () => {
  const imageId = await register();
  await publish(imageId);
  const at = (days: number) => new Date(clock.nowMs() + days * MS_PER_DAY);
  const deprecate = (DeprecateAt: Date) =>
    ec2.send(new sdk.EnableImageDeprecationCommand({ ImageId: imageId, DeprecateAt }));
  await assert.rejects(deprecate(at(740)), INVALID);
  await deprecate(at(700));
});

test("a disabled image is its owner's alone until it is enabled and shared again", async () => {
  const imageId = await register();
  await publish(imageId);
  const disable = new sdk.DisableImageCommand({ ImageId: imageId });
  await assert.rejects(other.send(disable), UNKNOWN);
  await ec2.send(disable);
  await assert.rejects(imageIds(other, { ImageIds: [imageId] }), UNKNOWN);
  assert.equal((await imageOf(ec2, imageId)).State, "disabled");
  assert.equal((await imageIds(ec2)).includes(imageId), false);
  const Filters = [{ Name: "state", Values: ["disabled"] }];
  assert.deepEqual(await imageIds(ec2, { Filters, IncludeDisabled: true }), [imageId]);
  await assert.rejects(publish(imageId), { name: "InvalidAMIID.Unavailable" });
  await ec2.send(new sdk.EnableImageCommand({ ImageId: imageId }));
  assert.equal((await imageOf(ec2, imageId)).State, "available");
  await assert.rejects(imageIds(other, { ImageIds: [imageId] }), UNKNOWN);
  await publish(imageId);
  assert.deepEqual(await imageIds(other, { ImageIds: [imageId] }), [imageId]);
});

test("a protected image is not deregistered", async () => {
  const imageId = await register();
  const protect = (WithCooldown?: boolean) =>
    ec2.send(
      new sdk.EnableImageDeregistrationProtectionCommand({
        ImageId: imageId,
        ...(WithCooldown === undefined ? {} : { WithCooldown }),
      }),
    );
  const deregister = () => ec2.send(new sdk.DeregisterImageCommand({ ImageId: imageId }));
  await assert.rejects(protect(true), { name: "UnsupportedOperation" });
  await protect(false);
  await protect();
  const { DeregistrationProtection } = await imageOf(ec2, imageId);
  assert.equal(DeregistrationProtection, "enabled-without-cooldown");
  await assert.rejects(deregister(), { name: "OperationNotPermitted" });
  await ec2.send(new sdk.DisableImageDeregistrationProtectionCommand({ ImageId: imageId }));
  await deregister();
});

test("images are tagged like snapshots, and with them", async () => {
  const imageId = await register();
  const [first, second] = [
    await snapshotOf(service, new Map()),
    await snapshotOf(service, new Map()),
  ] as [string, string];
  const tags = (...keys: string[]) => keys.map((Key) => ({ Key, Value: `of ${Key}` }));
  const create = (Resources: string[], Tags: sdk.Tag[], by = ec2) =>
    by.send(new sdk.CreateTagsCommand({ Resources, Tags }));
  await create([first, imageId, second], tags("b", "a"));
  assert.deepEqual((await imageOf(ec2, imageId)).Tags, tags("a", "b"));
  const described = async (...Filters: [string, ...string[]][]) => {
    const input = { Filters: Filters.map(([Name, ...Values]) => ({ Name, Values })) };
    const { Tags = [] } = await ec2.send(new sdk.DescribeTagsCommand(input));
    return Tags.map(({ ResourceId, ResourceType, Key }) => `${ResourceType} ${ResourceId} ${Key}`);
  };
  const all = [imageId, ...[first, second].sort()].flatMap((id) =>
    ["a", "b"].map((key) => `${id === imageId ? "image" : "snapshot"} ${id} ${key}`),
  );
  const ids = ["resource-id", first, imageId, second] as [string, ...string[]];
  assert.deepEqual(await described(ids), all);
  assert.deepEqual(await described(["resource-type", "image"]), all.slice(0, 2));
  assert.deepEqual(await described(ids, ["key", "?"], ["value", "*a"]), [all[0], all[2], all[4]]);
  assert.deepEqual(await described(ids, ["tag:b", "of b"]), [all[1], all[3], all[5]]);
  assert.deepEqual(await described(ids, ["tag:b", "of a"]), []);
  assert.deepEqual(await imageIds(ec2, { Filters: [{ Name: "tag:a", Values: ["of a"] }] }), [
    imageId,
  ]);
  await ec2.send(new sdk.DeleteTagsCommand({ Resources: [imageId], Tags: [{ Key: "a" }] }));
  assert.deepEqual((await imageOf(ec2, imageId)).Tags, tags("b"));

  const many = Array.from({ length: 50 }, (_, i) => `k${i}`);
  await assert.rejects(create([first, imageId], tags(...many)), INVALID, "51 tags");
  assert.deepEqual((await imageOf(ec2, imageId)).Tags, tags("b"), "all or none of a request");
  await create([imageId], tags(...many.slice(1)));
  await assert.rejects(create([imageId], tags("aws:x")), INVALID);
  await assert.rejects(create([imageId], tags("x"), other), UNKNOWN);
  await assert.rejects(create(["vol-01"], tags("x")), { name: "InvalidID" });
  await assert.rejects(create(["ami-x"], tags("x")), { name: "InvalidAMIID.Malformed" });
});

test("policies decide over images by name and by their tags", async (t) => {
  const [open, closed] = [await register(), await register()] as [string, string];
  const Tags = [{ Key: "fleet", Value: "blue" }];
  await ec2.send(new sdk.CreateTagsCommand({ Resources: [open], Tags }));
  const Resource = (id: string) => `arn:aws:ec2:us-east-1::image/${id}`;
  const blue = { StringEquals: { "aws:ResourceTag/fleet": "blue" } };
  const byTag = await withNewKey(service, {
    policy: policyOf({ Action: "ec2:*Image*", Condition: blue }),
  });
  const byName = await withNewKey(service, {
    policy: policyOf({ Action: ["ec2:*Image*", "ec2:CreateTags"], Resource: Resource(open) }),
  });
  const commands = (ImageId: string) => [
    new sdk.DisableImageDeprecationCommand({ ImageId }),
    new sdk.EnableImageDeprecationCommand({
      ImageId,
      DeprecateAt: new Date(clock.nowMs() + MS_PER_DAY),
    }),
    new sdk.DescribeImageAttributeCommand({ ImageId, Attribute: "description" }),
    new sdk.ResetImageAttributeCommand({ ImageId, Attribute: "launchPermission" }),
    new sdk.EnableImageDeregistrationProtectionCommand({ ImageId }),
    new sdk.DisableImageDeregistrationProtectionCommand({ ImageId }),
    new sdk.DisableImageCommand({ ImageId }),
    new sdk.EnableImageCommand({ ImageId }),
    new sdk.CopyImageCommand({
      Name: `copy ${count++}`,
      SourceImageId: ImageId,
      SourceRegion: "us-east-1",
    }),
    new sdk.DeregisterImageCommand({ ImageId: ImageId === open ? "ami-0f" : ImageId }),
  ];
  for (const target of [byTag, byName]) {
    const client = ec2ClientOf(t, service, target);
    for (const command of commands(closed)) {
      const refused = client.send(command as sdk.EnableImageCommand);
      await assert.rejects(refused, { name: "UnauthorizedOperation" }, command.constructor.name);
    }
    for (const command of commands(open).slice(0, -1)) {
      await client.send(command as sdk.EnableImageCommand);
    }
  }
  const withTags = ec2ClientOf(t, service, byName).send(
    new sdk.CopyImageCommand({
      Name: `copy ${count++}`,
      SourceImageId: open,
      SourceRegion: "us-east-1",
      CopyImageTags: true,
    }),
  );
  await assert.rejects(withTags, { name: "UnauthorizedOperation" }, "tags of what is new");
  const client = ec2ClientOf(t, service, byName);
  const tag = (id: string) => client.send(new sdk.CreateTagsCommand({ Resources: [id], Tags }));
  await tag(open);
  await assert.rejects(tag(closed), { name: "UnauthorizedOperation" });
});
