import { brief, elementsOf, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import type { Answer } from "./_connection.ts";
import { A, type Context, UNKNOWN } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";
import { ec2Refuses } from "./_refusal.ts";

/* The EC2, STS and S3 calls that tools make beside the direct APIs. */

const group = new Group("6 EC2 and STS beside it");
/** The checks of this file. */
export const ec2 = group;

const describe = (c: Context, parameters: Record<string, string>) =>
  c.caller.query("DescribeSnapshots", parameters);
const idsOf = ({ text }: Answer) =>
  [...text.matchAll(/<snapshotId>([^<]*)/g)].map(([, id]) => id).sort();
const filter = (Name: string, value: string, n = 1) => ({
  [`Filter.${n}.Name`]: Name,
  [`Filter.${n}.Value.1`]: value,
});
const own = (c: Context) => filter("tag:conformance", c.run);
const fresh = async (c: Context) => String(jsonOf(await c.caller.start())["SnapshotId"]);

group.check("6/describe.id", "DescribeSnapshots finds a snapshot by its id.", async (c) =>
  same(idsOf(await describe(c, { "SnapshotId.1": c.id("root") })), [c.id("root")]),
);
group.check("6/describe.ids", "And several.", async (c) => {
  const [one, two] = [c.id("root"), c.id("child")];
  const answer = await describe(c, { "SnapshotId.1": one, "SnapshotId.2": two });
  same(idsOf(answer), [one, two].sort());
});
group.check("6/describe.unknown", "An unknown id is InvalidSnapshot.NotFound.", async (c) =>
  ec2Refuses(
    await describe(c, { "SnapshotId.1": UNKNOWN }),
    "InvalidSnapshot.NotFound",
    `The snapshot '${UNKNOWN}' does not exist.`,
  ),
);
group.check("6/describe.form", "Errors stand in Response, Errors, Error.", async (c) => {
  const { text } = await describe(c, { "SnapshotId.1": UNKNOWN });
  fits(
    text.replace(/>\s+</g, "><"),
    /<Response><Errors><Error><Code>.*<\/Error><\/Errors><RequestID>[^<]+<\/RequestID><\/Resp/,
  );
});
group.check("6/describe.malformed", "A malformed id is InvalidSnapshotID.Malformed.", async (c) =>
  ec2Refuses(
    await describe(c, { "SnapshotId.1": "snap-THING" }),
    "InvalidSnapshotID.Malformed",
    'Invalid id: "snap-THING"',
  ),
);
group.check("6/describe.deleted", "A deleted one is not found at once.", async (c) =>
  ec2Refuses(
    await describe(c, { "SnapshotId.1": c.id("deletedParent") }),
    "InvalidSnapshot.NotFound",
    /does not exist/,
  ),
);
group.check("6/describe.owner", "Owner self lists own snapshots.", async (c) => {
  const ids = idsOf(await describe(c, { "Owner.1": "self", ...own(c) }));
  same(ids, [c.id("root")]);
});
group.check("6/filter.tag", "The filter tag:… finds by tag.", async (c) =>
  same(idsOf(await describe(c, own(c))), [c.id("root")]),
);
for (const [status, name] of [
  ["completed", "root"],
  ["pending", "pending"],
  ["error", "failed"],
] as const) {
  group.check(`6/filter.status ${status}`, `The filter status finds ${status} ones.`, async (c) => {
    const parameters = { "SnapshotId.1": c.id(name), ...filter("status", status) };
    same(idsOf(await describe(c, parameters)), [c.id(name)]);
  });
}
group.check("6/filter.none", "A filter that does not match finds nothing.", async (c) =>
  same(idsOf(await describe(c, { ...own(c), ...filter("status", "pending", 2) })), []),
);
group.check("6/filter.volume", "The filter volume-id knows vol-ffffffff.", async (c) =>
  same(idsOf(await describe(c, { ...own(c), ...filter("volume-id", "vol-ffffffff", 2) })), [
    c.id("root"),
  ]),
);
group.check("6/filter.time", "The filter start-time takes a wildcard.", async (c) => {
  const { startTime = "" } = await c.caller.describe(c.id("root"));
  const parameters = { ...own(c), ...filter("start-time", `${startTime.slice(0, 10)}*`, 2) };
  same(idsOf(await describe(c, parameters)), [c.id("root")]);
});
group.check("6/pages", "MaxResults and NextToken walk through pages.", async (c) => {
  const ids = new Set<string | undefined>();
  let token = "";
  for (let pages = 0; pages < 400; pages++) {
    const parameters = { "Owner.1": "self", MaxResults: "100" };
    const answer = await describe(c, { ...parameters, ...(token ? { NextToken: token } : {}) });
    same(String(answer.status), "200");
    const page = idsOf(answer);
    holds(page.length <= 100, page.length, "at most 100");
    for (const id of page) ids.add(id);
    token = elementsOf(answer.text)["nextToken"] ?? "";
    if (!token) break;
  }
  holds(ids.has(c.id("root")) && ids.has(c.id("pending")), ids.size, "root and pending among them");
});
for (const state of ["pending", "completed", "error"] as const) {
  group.check(`6/delete.${state}`, `DeleteSnapshot takes a ${state} one.`, async (c) => {
    const id = await fresh(c);
    if (state !== "pending") {
      await c.caller.complete(id, state === "error" ? 3 : 0);
      same((await c.caller.readable(id))["status"], state);
    }
    const answer = await c.caller.query("DeleteSnapshot", { SnapshotId: id });
    same([answer.status, elementsOf(answer.text)["return"]], [200, "true"]);
  });
}
group.check("6/delete.again", "Deleting again is InvalidSnapshot.NotFound.", async (c) =>
  ec2Refuses(
    await c.caller.query("DeleteSnapshot", { SnapshotId: c.id("deletedParent") }),
    "InvalidSnapshot.NotFound",
    `The snapshot '${c.id("deletedParent")}' does not exist.`,
  ),
);

const tag = (id: string, Key: string, Value?: string) => ({
  "ResourceId.1": id,
  "Tag.1.Key": Key,
  ...(Value === undefined ? {} : { "Tag.1.Value": Value }),
});
group.check("6/tags.create", "CreateTags tags a snapshot.", async (c) => {
  const id = await fresh(c);
  const answer = await c.caller.query("CreateTags", tag(id, "Name", "disk"));
  same([answer.status, elementsOf(answer.text)["return"]], [200, "true"]);
  const { text } = await c.caller.describeXml(id);
  fits(text.replace(/>\s+</g, "><"), /<key>Name<\/key><value>disk<\/value>/);
});
group.check("6/tags.replace", "A key set again has the new value.", async (c) => {
  const id = await fresh(c);
  for (const value of ["one", "two"]) await c.caller.query("CreateTags", tag(id, "k", value));
  const { text } = await c.caller.describeXml(id);
  holds(text.includes("<value>two<") && !text.includes("<value>one<"), text.slice(-400), "two");
});
group.check("6/tags.delete", "DeleteTags takes them away.", async (c) => {
  const id = await fresh(c);
  await c.caller.query("CreateTags", tag(id, "k", "v"));
  await c.caller.query("DeleteTags", tag(id, "k"));
  const { text } = await c.caller.describeXml(id);
  holds(!text.includes("<tagSet>"), text.slice(-400), "no tagSet");
});
group.check("6/tags.describe", "DescribeTags lists them by resource.", async (c) => {
  const answer = await c.caller.query("DescribeTags", filter("resource-id", c.id("root")));
  const { resourceId, resourceType, key, value } = elementsOf(answer.text);
  same([resourceId, resourceType, key, value], [c.id("root"), "snapshot", "conformance", c.run]);
});
group.check("6/tags.reserved", "Keys aws:… are refused.", async (c) => {
  const answer = await c.caller.query("CreateTags", tag(await fresh(c), "aws:x", "y"));
  holds(answer.status === 400, brief(answer), "400");
});
group.check("6/tags.50", "A 51st tag is refused.", async (c) => {
  const Tags = Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: "" }));
  const id = String(jsonOf(await c.caller.start({ Tags }))["SnapshotId"]);
  const answer = await c.caller.query("CreateTags", tag(id, "one-more", ""));
  holds(answer.status === 400, brief(answer), "400 TagLimitExceeded");
});
group.check("6/tags.unknown", "Tags of an unknown snapshot are refused.", async (c) =>
  ec2Refuses(
    await c.caller.query("CreateTags", tag(UNKNOWN, "k", "v")),
    "InvalidSnapshot.NotFound",
    /does not exist/,
  ),
);
group.check("6/waiter", "A waiter sees completed again and again.", async (c) => {
  for (let i = 0; i < 3; i++) {
    same((await c.caller.describe(c.id("root")))["status"], "completed");
  }
});

group.check("6/sts", "GetCallerIdentity names the account that owns snapshots.", async (c) => {
  const answer = await c.caller.query("GetCallerIdentity", {}, "sts");
  const owner = jsonOf(c.sample("StartSnapshot"))["OwnerId"];
  const { Account, Arn, UserId } = elementsOf(answer.text);
  same([Account, Arn?.split(":")[4], typeof UserId], [owner, owner, "string"]);
});
group.check("6/regions", "DescribeRegions names the region.", async (c) => {
  const answer = await c.caller.query("DescribeRegions");
  fits(answer.text, new RegExp(`<regionName>${c.caller.party.region}</regionName>`));
});
group.check("6/regions.name", "Also by RegionName.", async (c) => {
  const parameters = { "RegionName.1": c.caller.party.region };
  fits((await c.caller.query("DescribeRegions", parameters)).text, /<regionName>/);
});

type Asked = (c: Context) => Record<string, string>;
const none: Asked = () => ({});
const ACTIONS: readonly (readonly [string, Asked, RegExp])[] = [
  ["GetEbsEncryptionByDefault", none, /<ebsEncryptionByDefault>(true|false)</],
  ["GetEbsDefaultKmsKeyId", none, /<kmsKeyId>/],
  [
    "DescribeSnapshotAttribute",
    (c) => ({ SnapshotId: c.id("root"), Attribute: "createVolumePermission" }),
    /<createVolumePermission/,
  ],
  [
    "ModifySnapshotAttribute",
    (c) => ({
      SnapshotId: c.id("other"),
      Attribute: "createVolumePermission",
      OperationType: "add",
      "UserId.1": "210987654321",
    }),
    /<return>true</,
  ],
  [
    "ResetSnapshotAttribute",
    (c) => ({ SnapshotId: c.id("other"), Attribute: "createVolumePermission" }),
    /<return>true</,
  ],
  [
    "CopySnapshot",
    (c) => ({ SourceSnapshotId: c.id("root"), SourceRegion: c.caller.party.region }),
    /<snapshotId>snap-0[0-9a-f]{16}</,
  ],
  ["DescribeImages", () => ({ "Owner.1": "self" }), /<imagesSet/],
  ["DescribeLockedSnapshots", none, /<snapshotSet/],
  ["ListSnapshotsInRecycleBin", none, /<snapshotSet/],
  ["GetSnapshotBlockPublicAccessState", none, /<state>/],
  ["DescribeVolumes", none, /<volumeSet/],
  ["DescribeInstances", none, /<reservationSet/],
];
for (const [action, parameters, pattern] of ACTIONS) {
  group.check(`6/action ${action}`, `${action} answers.`, async (c) => {
    const answer = await c.caller.query(action, parameters(c));
    holds(answer.status === 200, brief(answer), "200");
    fits(answer.text, pattern);
  });
}
group.check("6/copy", "A copy has its source's blocks, and vol-ffffffff.", async (c) => {
  const parameters = { SourceSnapshotId: c.id("root"), SourceRegion: c.caller.party.region };
  const answer = await c.caller.query("CopySnapshot", parameters);
  const { snapshotId = "none" } = elementsOf(answer.text);
  same((await c.caller.readable(snapshotId))["volumeId"], "vol-ffffffff");
  const listed = jsonOf(await c.caller.list(snapshotId), 200)["Blocks"] as object[];
  same(listed.length, 4);
});
group.check("6/copy.tags", "A copy does not take its source's tags along.", async (c) => {
  const parameters = { SourceSnapshotId: c.id("root"), SourceRegion: c.caller.party.region };
  const answer = await c.caller.query("CopySnapshot", parameters);
  const { snapshotId = "none" } = elementsOf(answer.text);
  const { text } = await c.caller.describeXml(snapshotId);
  holds(!text.includes("<tagSet>"), text.slice(-400), "no tagSet");
});
group.check("6/describe.1000", "Pages of 1,000 by volume-id and owner are answered.", async (c) => {
  const parameters = { "Owner.1": "self", MaxResults: "1000" };
  const answer = await describe(c, { ...parameters, ...filter("volume-id", "vol-ffffffff") });
  holds(idsOf(answer).includes(c.id("root")), brief(answer), "root among them");
});
group.check("6/lock", "A locked snapshot is not deleted, an unlocked one is.", async (c) => {
  const SnapshotId = await fresh(c);
  await c.caller.complete(SnapshotId, 0);
  same((await c.caller.readable(SnapshotId))["status"], "completed");
  const lock = { SnapshotId, LockMode: "governance", LockDuration: "1" };
  const locked = await c.caller.query("LockSnapshot", lock);
  holds(locked.status === 200, brief(locked), "LockSnapshot 200");
  const refusal = await c.caller.query("DeleteSnapshot", { SnapshotId });
  holds(refusal.status === 400, brief(refusal), "a refusal");
  await c.caller.query("UnlockSnapshot", { SnapshotId });
  same(String((await c.caller.query("DeleteSnapshot", { SnapshotId })).status), "200");
});

const registered = async (c: Context, snapshotId: string) => {
  const answer = await c.caller.query("RegisterImage", {
    Name: `conformance-${c.token()}`,
    RootDeviceName: "/dev/xvda",
    Architecture: "x86_64",
    "BlockDeviceMapping.1.DeviceName": "/dev/xvda",
    "BlockDeviceMapping.1.Ebs.SnapshotId": snapshotId,
  });
  fits(answer.text, /<imageId>ami-[0-9a-f]+</);
  return elementsOf(answer.text)["imageId"] ?? "";
};
group.check("6/image", "RegisterImage makes an image of a snapshot.", async (c) => {
  const imageId = await registered(c, c.id("root"));
  const { text } = await c.caller.query("DescribeImages", { "ImageId.1": imageId });
  fits(text, /<imageState>available</);
  fits(text, new RegExp(`<snapshotId>${c.id("root")}<`));
  await c.caller.query("DeregisterImage", { ImageId: imageId });
});
group.check("6/image.in-use", "An image's snapshot is InvalidSnapshot.InUse.", async (c) => {
  const SnapshotId = await fresh(c);
  await c.caller.complete(SnapshotId, 0);
  same((await c.caller.readable(SnapshotId))["status"], "completed");
  const ImageId = await registered(c, SnapshotId);
  const refusal = await c.caller.query("DeleteSnapshot", { SnapshotId });
  await c.caller.query("DeregisterImage", { ImageId });
  ec2Refuses(refusal, "InvalidSnapshot.InUse", /./);
  same(String((await c.caller.query("DeleteSnapshot", { SnapshotId })).status), "200");
});
group.check("6/volume", "CreateVolume from a pending one is IncorrectState.", async (c) => {
  const id = await fresh(c);
  await c.caller.put(id, 0, A);
  const parameters = { SnapshotId: id, AvailabilityZone: `${c.caller.party.region}a` };
  const answer = await c.caller.query("CreateVolume", parameters);
  ec2Refuses(answer, "IncorrectState", "Snapshot is in invalid state - pending");
});
