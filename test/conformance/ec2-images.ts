import { brief, elementsOf, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import type { Answer } from "./_connection.ts";
import { type Context, completedSnapshot, UNKNOWN } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";
import { ec2Refuses } from "./_refusal.ts";

/* EC2 beside the direct APIs: images, names of parameters, and what there is none of. */

const group = new Group("6 EC2: images, parameters, absences");
/** The checks of this file. */
export const ec2Images = group;

const UNKNOWN_IMAGE = "ami-0fedcba9876543210";

function done(answer: Answer): void {
  same([answer.status, elementsOf(answer.text)["return"]], [200, "true"]);
}

/** Registers an image, of a new snapshot unless told of one. */
async function registered(c: Context, more: Record<string, string> = {}): Promise<string> {
  const answer = await c.caller.query("RegisterImage", {
    Name: `conformance-${c.token()}`,
    RootDeviceName: "/dev/xvda",
    Architecture: "x86_64",
    "BlockDeviceMapping.1.DeviceName": "/dev/xvda",
    "BlockDeviceMapping.1.Ebs.SnapshotId": more["snapshot"] ?? (await completedSnapshot(c.caller)),
    ...Object.fromEntries(Object.entries(more).filter(([name]) => name !== "snapshot")),
  });
  fits(answer.text, /<imageId>ami-[0-9a-f]+</);
  return elementsOf(answer.text)["imageId"] ?? "";
}

const describeImage = async (c: Context, imageId: string) =>
  (await c.caller.query("DescribeImages", { "ImageId.1": imageId })).text.replace(/>\s+</g, "><");

/** What the checks of one image need, taken away again when they are done. */
function withImage(
  check: (c: Context, imageId: string) => Promise<unknown>,
  more: Record<string, string> = {},
) {
  return async (c: Context) => {
    const imageId = await registered(c, more);
    try {
      await check(c, imageId);
    } finally {
      await c.caller.query("DeregisterImage", { ImageId: imageId });
    }
  };
}

const attribute = (c: Context, ImageId: string, Attribute: string) =>
  c.caller.query("DescribeImageAttribute", { ImageId, Attribute });

for (const [name, given, value] of [
  ["description", { Description: "an image" }, "an image"],
  ["bootMode", { BootMode: "uefi" }, "uefi"],
  ["imdsSupport", { ImdsSupport: "v2.0" }, "v2.0"],
  ["tpmSupport", { TpmSupport: "v2.0", BootMode: "uefi" }, "v2.0"],
  ["sriovNetSupport", { SriovNetSupport: "simple" }, "simple"],
] as const) {
  group.check(
    `6/image.attribute ${name}`,
    `DescribeImageAttribute tells ${name}.`,
    withImage(async (c, imageId) => {
      const { text } = await attribute(c, imageId, name);
      const pattern = new RegExp(`<${name}><value>${value}</value></${name}>`);
      fits(text.replace(/>\s+</g, "><"), pattern);
    }, given),
  );
}
group.check(
  "6/image.attribute launchPermission",
  "ModifyImageAttribute shares an image and ResetImageAttribute ends it.",
  withImage(async (c, ImageId) => {
    const Attribute = "launchPermission";
    const share = { OperationType: "add", "UserId.1": "210987654321" };
    done(await c.caller.query("ModifyImageAttribute", { ImageId, Attribute, ...share }));
    fits((await attribute(c, ImageId, Attribute)).text, /<userId>210987654321</);
    done(await c.caller.query("ResetImageAttribute", { ImageId, Attribute }));
    const { text } = await attribute(c, ImageId, Attribute);
    holds(!text.includes("<userId>"), text, "no userId");
  }),
);
group.check("6/image.attribute unknown", "An attribute that is none is refused.", async (c) =>
  ec2Refuses(await attribute(c, UNKNOWN_IMAGE, "color"), "InvalidParameterValue"),
);
for (const [action, parameters] of [
  ["DescribeImageAttribute", { Attribute: "description" }],
  ["ResetImageAttribute", { Attribute: "launchPermission" }],
  ["EnableImageDeprecation", { DeprecateAt: "2030-01-01T00:00:00Z" }],
  ["DisableImageDeprecation", {}],
  ["DeregisterImage", {}],
] as const) {
  group.check(`6/image.unknown ${action}`, `${action} knows no unknown image.`, async (c) =>
    ec2Refuses(
      await c.caller.query(action, { ImageId: UNKNOWN_IMAGE, ...parameters }),
      "InvalidAMIID.NotFound",
    ),
  );
}

group.check(
  "6/image.deprecation",
  "A deprecation is told, to the minute, and taken back.",
  withImage(async (c, ImageId) => {
    const year = new Date((await c.caller.describe(c.id("root")))["startTime"] ?? "").getFullYear();
    const DeprecateAt = `${year + 2}-03-04T05:06:07Z`;
    done(await c.caller.query("EnableImageDeprecation", { ImageId, DeprecateAt }));
    const told = new RegExp(`<deprecationTime>${year + 2}-03-04T05:06:00.000Z<`);
    fits(await describeImage(c, ImageId), told);
    done(await c.caller.query("DisableImageDeprecation", { ImageId }));
    const text = await describeImage(c, ImageId);
    holds(!text.includes("<deprecationTime>"), text, "no deprecationTime");
  }),
);
group.check(
  "6/image.deprecation past",
  "A deprecation is not put into the past.",
  withImage(async (c, ImageId) => {
    const DeprecateAt = "2020-01-01T00:00:00Z";
    const answer = await c.caller.query("EnableImageDeprecation", { ImageId, DeprecateAt });
    holds(answer.status === 400, brief(answer), "400");
  }),
);

const copyOf = (c: Context, SourceImageId: string, more: Record<string, string> = {}) =>
  c.caller.query("CopyImage", {
    Name: `conformance-${c.token()}`,
    SourceImageId,
    SourceRegion: c.caller.party.region,
    ...more,
  });
const removed = (c: Context, ImageId: string) =>
  c.caller.query("DeregisterImage", { ImageId, DeleteAssociatedSnapshots: "true" });

group.check(
  "6/image.copy",
  "CopyImage makes an image on a copy of the snapshot, and names its source.",
  withImage(async (c, source) => {
    const { imageId = "none" } = elementsOf((await copyOf(c, source)).text);
    const text = await describeImage(c, imageId);
    await removed(c, imageId);
    fits(text, new RegExp(`<sourceImageId>${source}</sourceImageId>`));
    fits(text, new RegExp(`<sourceImageRegion>${c.caller.party.region}</sourceImageRegion>`));
    const snapshotOf = (xml: string) => /<snapshotId>([^<]*)/.exec(xml)?.[1];
    const [copied, of] = [snapshotOf(text), snapshotOf(await describeImage(c, source))];
    holds(copied !== undefined && copied !== of, copied, `a snapshot other than ${of}`);
  }),
);
group.check(
  "6/image.copy tags",
  "CopyImage takes the image's tags along only when asked to.",
  withImage(
    async (c, source) => {
      for (const CopyImageTags of ["true", "false"]) {
        const { imageId = "none" } = elementsOf((await copyOf(c, source, { CopyImageTags })).text);
        const text = await describeImage(c, imageId);
        await removed(c, imageId);
        same(String(text.includes("<key>k</key><value>v</value>")), CopyImageTags);
      }
    },
    {
      "TagSpecification.1.ResourceType": "image",
      "TagSpecification.1.Tag.1.Key": "k",
      "TagSpecification.1.Tag.1.Value": "v",
    },
  ),
);
group.check("6/image.copy unknown", "CopyImage knows no unknown image.", async (c) =>
  ec2Refuses(await copyOf(c, UNKNOWN_IMAGE), "InvalidAMIID.NotFound"),
);
group.check(
  "6/image.tags",
  "CreateTags and DeleteTags take images, and DescribeTags tells their type.",
  withImage(async (c, imageId) => {
    const tag = { "ResourceId.1": imageId, "Tag.1.Key": "k", "Tag.1.Value": "v" };
    done(await c.caller.query("CreateTags", tag));
    const filter = { "Filter.1.Name": "resource-id", "Filter.1.Value.1": imageId };
    const { resourceType, key } = elementsOf((await c.caller.query("DescribeTags", filter)).text);
    same([resourceType, key], ["image", "k"]);
    done(await c.caller.query("DeleteTags", tag));
    const text = await describeImage(c, imageId);
    holds(!text.includes("<key>k<"), text, "no tag");
  }),
);
group.check("6/tags.other", "CreateTags of an id that is none is InvalidID.", async (c) => {
  const tag = { "ResourceId.1": "thing-01", "Tag.1.Key": "k", "Tag.1.Value": "v" };
  ec2Refuses(await c.caller.query("CreateTags", tag), "InvalidID");
});
group.check(
  "6/image.deregister snapshots",
  "DeregisterImage deletes the snapshots when asked to, and says so of each.",
  async (c) => {
    const snapshot = await completedSnapshot(c.caller);
    const imageId = await registered(c, { snapshot });
    const { text } = await removed(c, imageId);
    const { snapshotId, returnCode } = elementsOf(text);
    same([snapshotId, returnCode], [snapshot, "success"]);
    const gone = await c.caller.query("DescribeSnapshots", { "SnapshotId.1": snapshot });
    ec2Refuses(gone, "InvalidSnapshot.NotFound");
  },
);
group.check("6/image.deregister used", "One that another image uses is skipped.", async (c) => {
  const snapshot = await completedSnapshot(c.caller);
  const [first, second] = [await registered(c, { snapshot }), await registered(c, { snapshot })];
  const { returnCode } = elementsOf((await removed(c, first)).text);
  await removed(c, second);
  same(returnCode, "skipped");
});

for (const [action, name] of [
  ["DescribeSnapshots", "Colour"],
  ["DescribeSnapshots", "SnapshotIds.1"],
  ["DescribeSnapshots", "Filter.1.Values.1"],
  ["DeleteSnapshot", "Snapshot"],
  ["CreateTags", "TagSpecification.1.Tag.1.Key"],
  ["CopySnapshot", "SourceSnapshot"],
  ["RegisterImage", "BlockDeviceMapping.1.Ebs.Colour"],
  ["DescribeImages", "Filter.1.Colour"],
  ["DescribeVolumes", "Volume.1"],
] as const) {
  const says = `${action} does not have the parameter ${name}.`;
  group.check(`6/parameter ${action} ${name}`, says, async (c) =>
    ec2Refuses(
      await c.caller.query(action, { [name]: "x" }),
      "UnknownParameter",
      new RegExp(`The parameter ${name} is not recognized`),
    ),
  );
}

for (const [action, element] of [
  ["DescribeVolumes", "volumeSet"],
  ["DescribeInstances", "reservationSet"],
] as const) {
  group.check(`6/none ${action}`, `${action} finds nothing of a tag nobody gave.`, async (c) => {
    const filter = { "Filter.1.Name": "tag:conformance", "Filter.1.Value.1": c.token() };
    const answer = await c.caller.query(action, filter);
    same([answer.status, elementsOf(answer.text)[element] ?? ""], [200, ""]);
  });
}
group.check("6/none volume", "An unknown volume is InvalidVolume.NotFound.", async (c) => {
  const answer = await c.caller.query("DescribeVolumes", { "VolumeId.1": "vol-0fedcba9876543210" });
  ec2Refuses(answer, "InvalidVolume.NotFound", /The volume 'vol-0fedcba9876543210' does not exist/);
});
group.check("6/none instance", "An unknown one is InvalidInstanceID.NotFound.", async (c) => {
  const parameters = { "InstanceId.1": "i-0fedcba9876543210" };
  const answer = await c.caller.query("DescribeInstances", parameters);
  ec2Refuses(answer, "InvalidInstanceID.NotFound", /'i-0fedcba9876543210' does not exist/);
});
group.check("6/volume.unknown", "CreateVolume knows no unknown snapshot.", async (c) => {
  const zone = `${c.caller.party.region}a`;
  const parameters = { SnapshotId: UNKNOWN, AvailabilityZone: zone };
  ec2Refuses(await c.caller.query("CreateVolume", parameters), "InvalidSnapshot.NotFound");
});
group.check("6/tier", "A snapshot that was never moved is in the standard tier.", async (c) => {
  const filter = { "Filter.1.Name": "snapshot-id", "Filter.1.Value.1": c.id("root") };
  const { text } = await c.caller.query("DescribeSnapshotTierStatus", filter);
  const { snapshotId, storageTier } = elementsOf(text);
  same([snapshotId, storageTier], [c.id("root"), "standard"]);
});
group.check("6/fast-restores", "No fast restore is enabled for a snapshot.", async (c) => {
  const filter = { "Filter.1.Name": "snapshot-id", "Filter.1.Value.1": c.id("root") };
  const answer = await c.caller.query("DescribeFastSnapshotRestores", filter);
  same(String(answer.status), "200");
  holds(!answer.text.includes("<snapshotId>"), answer.text, "no snapshot");
});

group.check(
  "6/public-access",
  "An account that blocks public sharing cannot share a snapshot with all.",
  async (c) => {
    const owner = c.second();
    const state = async () =>
      elementsOf((await owner.query("GetSnapshotBlockPublicAccessState")).text)["state"] ?? "";
    const before = await state();
    const SnapshotId = String(jsonOf(await owner.start())["SnapshotId"]);
    try {
      const State = "block-new-sharing";
      const enabled = await owner.query("EnableSnapshotBlockPublicAccess", { State });
      same([elementsOf(enabled.text)["state"], await state()], [State, State]);
      const all = { OperationType: "add", "UserGroup.1": "all" };
      const answer = await owner.query("ModifySnapshotAttribute", { SnapshotId, ...all });
      holds(answer.status === 400, brief(answer), "a refusal");
    } finally {
      await owner.query("DeleteSnapshot", { SnapshotId });
      const restore = before.startsWith("block") ? "Enable" : "Disable";
      const parameters: Record<string, string> = restore === "Enable" ? { State: before } : {};
      await owner.query(`${restore}SnapshotBlockPublicAccess`, parameters);
    }
  },
);

group.check("6/filter.escape", "A backslash takes a wildcard's meaning away.", async (c) => {
  const text = `${c.token()}*`;
  const id = String(jsonOf(await c.caller.start({ Description: text }))["SnapshotId"]);
  const find = async (value: string) => {
    const filter = { "Filter.1.Name": "description", "Filter.1.Value.1": value };
    const answer = await c.caller.query("DescribeSnapshots", { "Owner.1": "self", ...filter });
    return answer.text.includes(id);
  };
  same([await find(text.replace("*", "\\*")), await find(text.replace("*", "\\?"))], [true, false]);
});
group.check("6/describe.alias", "Amazon's snapshots are not one's own.", async (c) => {
  const parameters = { "Owner.1": "amazon", "SnapshotId.1": c.id("root") };
  const answer = await c.caller.query("DescribeSnapshots", parameters);
  same(String(answer.status), "200");
  holds(!answer.text.includes(c.id("root")), brief(answer), "nothing");
});
