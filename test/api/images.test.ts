import assert from "node:assert/strict";
import { after, test } from "node:test";
import { jsSdkDriver } from "../support/js-sdk.ts";
import { snapshotOf, start } from "../support/operations.ts";
import { asSecondAccount, SECOND_ACCOUNT } from "../support/second-account.ts";
import { startService } from "../support/service.ts";

/* The registry of machine images, as far as programs that upload images need it. */

const service = await startService({ after });
const { account } = service.firstKey.key;
const [driver, otherDriver] = [service, await asSecondAccount(service)].map(jsSdkDriver) as [
  ReturnType<typeof jsSdkDriver>,
  ReturnType<typeof jsSdkDriver>,
];
after(() => [driver, otherDriver].map((each) => each.destroy()));

const ec2 = (operation: string, input: object, by = driver) =>
  by.call("ec2", operation, input as never);

const imageOf = (Name: string, SnapshotId: string, more: object = {}) => ({
  Name,
  BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { SnapshotId } }],
  ...more,
});

async function register(Name: string, SnapshotId: string, more: object = {}): Promise<string> {
  const { ImageId } = await ec2("RegisterImage", imageOf(Name, SnapshotId, more));
  return String(ImageId);
}

async function describe(input: object, by = driver): Promise<Record<string, unknown>[]> {
  return (await ec2("DescribeImages", input, by))["Images"] as Record<string, unknown>[];
}

const idsOf = (images: readonly Record<string, unknown>[]) =>
  images.map(({ ImageId }) => String(ImageId));

test("an image is registered and described as it was given", async () => {
  const SnapshotId = await snapshotOf(service, new Map(), { VolumeSize: 3 });
  const Ebs = { VolumeType: "gp3", DeleteOnTermination: true, Iops: 3_000, Throughput: 125 };
  const Tags = [{ Key: "Name", Value: "nixos" }];
  const ImageId = await register("nixos/24.11 (x86_64)", SnapshotId, {
    Description: "an image",
    Architecture: "x86_64",
    VirtualizationType: "hvm",
    RootDeviceName: "/dev/xvda",
    BootMode: "uefi-preferred",
    EnaSupport: true,
    SriovNetSupport: "simple",
    ImdsSupport: "v2.0",
    TpmSupport: "v2.0",
    BlockDeviceMappings: [
      { DeviceName: "/dev/xvda", Ebs: { SnapshotId, ...Ebs } },
      { DeviceName: "/dev/xvdb", VirtualName: "ephemeral0" },
    ],
    TagSpecifications: [{ ResourceType: "image", Tags }],
  });
  assert.match(ImageId, /^ami-0[0-9a-f]{16}$/);
  const [{ CreationDate, ...image } = {}] = await describe({ ImageIds: [ImageId, ImageId] });
  assert.ok(Math.abs(Date.parse(String(CreationDate)) - Date.now()) < 60_000);
  assert.deepEqual(image, {
    ImageId,
    Name: "nixos/24.11 (x86_64)",
    Description: "an image",
    ImageLocation: `${account}/nixos/24.11 (x86_64)`,
    State: "available",
    OwnerId: account,
    Public: false,
    ImageType: "machine",
    Architecture: "x86_64",
    VirtualizationType: "hvm",
    BootMode: "uefi-preferred",
    EnaSupport: true,
    SriovNetSupport: "simple",
    ImdsSupport: "v2.0",
    TpmSupport: "v2.0",
    RootDeviceType: "ebs",
    RootDeviceName: "/dev/xvda",
    Hypervisor: "xen",
    PlatformDetails: "Linux/UNIX",
    UsageOperation: "RunInstances",
    DeregistrationProtection: "disabled",
    BlockDeviceMappings: [
      { DeviceName: "/dev/xvda", Ebs: { SnapshotId, VolumeSize: 3, Encrypted: false, ...Ebs } },
      { DeviceName: "/dev/xvdb", VirtualName: "ephemeral0" },
    ],
    Tags,
  });
});

test("a snapshot that an image uses is not deleted until the image is deregistered", async () => {
  const SnapshotId = await snapshotOf(service, new Map());
  const images = [await register("one", SnapshotId), await register("two", SnapshotId)];
  for (const ImageId of images) {
    const remove = ec2("DeleteSnapshot", { SnapshotId });
    await assert.rejects(remove, { name: "InvalidSnapshot.InUse" });
    await ec2("DeregisterImage", { ImageId });
    const again = ec2("DeregisterImage", { ImageId });
    await assert.rejects(again, { name: "InvalidAMIID.NotFound" });
    await assert.rejects(describe({ ImageIds: [ImageId] }), { name: "InvalidAMIID.NotFound" });
  }
  await ec2("DeleteSnapshot", { SnapshotId });
  assert.match(
    await register("one", await snapshotOf(service, new Map())),
    /^ami-/,
    "name is free",
  );
});

test("images are found by owner and filters, page by page", async () => {
  const SnapshotId = await snapshotOf(service, new Map());
  const Tags = [{ Key: "fleet", Value: "blue" }];
  const tagged = { TagSpecifications: [{ ResourceType: "image", Tags }] };
  const blue = await register("fleet-blue", SnapshotId, { ...tagged, Architecture: "arm64" });
  const red = await register("fleet-red", SnapshotId);
  const find = async (Name: string, ...Values: string[]) =>
    idsOf(await describe({ Owners: ["self"], Filters: [{ Name, Values }] })).sort();
  const both = [blue, red].sort();
  assert.deepEqual(await find("name", "fleet-*"), both);
  assert.deepEqual(await find("block-device-mapping.snapshot-id", SnapshotId), both);
  assert.deepEqual(await find("name", "fleet-red"), [red]);
  assert.deepEqual(await find("tag:fleet", "blue"), [blue]);
  assert.deepEqual(await find("tag-key", "fleet"), [blue]);
  assert.deepEqual(await find("architecture", "arm64"), [blue]);
  assert.deepEqual(await find("state", "pending"), []);
  await assert.rejects(find("color", "blue"), { name: "InvalidParameterValue" });
  assert.deepEqual(await describe({ Owners: ["amazon"] }), []);
  const all = idsOf(await describe({ Owners: [account] }));
  const paged: string[] = [];
  let NextToken: unknown;
  do {
    const page = await ec2("DescribeImages", { MaxResults: 1, NextToken });
    paged.push(...idsOf(page["Images"] as Record<string, unknown>[]));
    NextToken = page["NextToken"];
  } while (NextToken);
  assert.deepEqual(paged, all);
  const made = describe({ NextToken: "ami-0" });
  await assert.rejects(made, { name: "InvalidParameterValue" });
});

test("an image is its owner's until it is shared", async () => {
  const ImageId = await register("shared", await snapshotOf(service, new Map()));
  const unknown = { name: "InvalidAMIID.NotFound" };
  const seen = () => describe({ ImageIds: [ImageId] }, otherDriver);
  await assert.rejects(seen(), unknown);
  assert.deepEqual(await describe({}, otherDriver), []);
  const modify = (input: object, by = driver) =>
    ec2("ModifyImageAttribute", { ImageId, ...input }, by);
  await modify({ LaunchPermission: { Add: [{ UserId: SECOND_ACCOUNT }] } });
  assert.deepEqual(idsOf(await seen()), [ImageId]);
  assert.deepEqual(idsOf(await describe({ ExecutableUsers: ["self"] }, otherDriver)), [ImageId]);
  assert.deepEqual(await describe({ Owners: ["self"] }, otherDriver), []);
  await assert.rejects(modify({ Description: { Value: "mine" } }, otherDriver), unknown);
  await assert.rejects(ec2("DeregisterImage", { ImageId }, otherDriver), unknown);
  await modify({
    Attribute: "launchPermission",
    OperationType: "remove",
    UserIds: [SECOND_ACCOUNT],
  });
  await assert.rejects(seen(), unknown);
  await modify({ LaunchPermission: { Add: [{ Group: "all" }] } });
  assert.equal((await seen())[0]?.["Public"], true);
  await modify({ Description: { Value: "renamed" } });
  await modify({ Attribute: "description", Value: "again" });
  await modify({ ImdsSupport: { Value: "v2.0" } });
  const [image] = await seen();
  assert.equal(image?.["Description"], "again");
  assert.equal(image?.["ImdsSupport"], "v2.0");
  await assert.rejects(modify({}), { name: "MissingParameter" });
  await assert.rejects(modify({ Attribute: "color" }), { name: "InvalidParameterValue" });
});

test("RegisterImage refuses names and snapshots it cannot take", async () => {
  const SnapshotId = await snapshotOf(service, new Map());
  const foreign = await snapshotOf(await asSecondAccount(service), new Map());
  await register("taken", SnapshotId);
  for (const [input, name] of [
    [imageOf("taken", SnapshotId), "InvalidAMIName.Duplicate"],
    [imageOf("no", SnapshotId), "InvalidAMIName.Malformed"],
    [imageOf("a?b", SnapshotId), "InvalidAMIName.Malformed"],
    [imageOf("pending", await start(service)), "IncorrectState"],
    [imageOf("unknown", "snap-00000000000000000"), "InvalidSnapshot.NotFound"],
    [imageOf("foreign", foreign), "InvalidSnapshot.NotFound"],
    [imageOf("empty", SnapshotId, { BlockDeviceMappings: [] }), "MissingParameter"],
    [{ Name: "bundle", ImageLocation: "bucket/manifest" }, "UnsupportedOperation"],
  ] as const) {
    await assert.rejects(ec2("RegisterImage", input), { name }, JSON.stringify(input));
  }
  const malformed = ec2("DeregisterImage", { ImageId: "image" });
  await assert.rejects(malformed, { name: "InvalidAMIID.Malformed" });
  const greedy = { ImageId: "ami-0", DeleteAssociatedSnapshots: true };
  await assert.rejects(ec2("DeregisterImage", greedy), { name: "InvalidAMIID.NotFound" });
});
