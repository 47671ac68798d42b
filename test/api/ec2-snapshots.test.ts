import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { jsSdkDriver } from "../support/js-sdk.ts";
import {
  actionParts,
  blockToken,
  changedParts,
  getParts,
  list,
  send,
  snapshotOf,
  start,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { findPythonTools } from "../support/python.ts";
import { asSecondAccount, SECOND_ACCOUNT } from "../support/second-account.ts";
import { awsEnvironment, REGION, startService } from "../support/service.ts";

/* DescribeSnapshots page by page, CopySnapshot, and the small calls that tools make beside them. */

const tools = await findPythonTools();
const skip = typeof tools === "string" ? tools : false;

const service = await startService({ after });
const other = await asSecondAccount(service);
const [driver, otherDriver] = [jsSdkDriver(service), jsSdkDriver(other)];
after(() => [driver, otherDriver].map((each) => each.destroy()));

const ec2 = (operation: string, input: object = {}) =>
  driver.call("ec2", operation, input as never);
const idsOf = ({ Snapshots }: Readonly<Record<string, unknown>>) =>
  (Snapshots as { SnapshotId: string }[]).map(({ SnapshotId }) => SnapshotId);

test("DescribeSnapshots goes page by page with tokens that nobody can make up", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 12; i++) ids.push(await start(service));
  const pages: string[][] = [];
  let NextToken: string | undefined;
  do {
    const page = await ec2("DescribeSnapshots", { MaxResults: 5, NextToken });
    pages.push(idsOf(page));
    NextToken = page["NextToken"] as string | undefined;
  } while (NextToken);
  assert.deepEqual(
    pages.map(({ length }) => length),
    [5, 5, 2],
  );
  assert.deepEqual(pages.flat(), ids.sort());
  const [first] = ids as [string];
  const { NextToken: token } = await ec2("DescribeSnapshots", { MaxResults: 5 });
  assert.ok(!String(token).includes(first), "the token does not show what it says");
  const guesses = [first, "", ".", "AAAA", `${token}A`, String(token).slice(1), `${token}.`];
  for (const guess of guesses.filter((text) => text !== "")) {
    const name = "InvalidParameterValue";
    await assert.rejects(ec2("DescribeSnapshots", { NextToken: guess }), { name }, guess);
  }
  const foreign = otherDriver.call("ec2", "DescribeSnapshots", { NextToken: token });
  await assert.rejects(foreign, { name: "InvalidParameterValue" }, "of another account");
  for (const id of ids) await ec2("DeleteSnapshot", { SnapshotId: id });
});

test("DescribeSnapshots takes ids once each, and not together with a page", async () => {
  const id = await start(service);
  assert.deepEqual(idsOf(await ec2("DescribeSnapshots", { SnapshotIds: [id, id] })), [id]);
  const name = "InvalidParameterCombination";
  const paged = ec2("DescribeSnapshots", { SnapshotIds: [id], MaxResults: 5 });
  await assert.rejects(paged, { name });
  const next = ec2("DescribeSnapshots", { SnapshotIds: [id], NextToken: "x" });
  await assert.rejects(next, { name });
  for (const MaxResults of [4, 1_001]) {
    const call = ec2("DescribeSnapshots", { MaxResults });
    await assert.rejects(call, { name: "InvalidParameterValue" });
  }
});

test("every action can be asked without being done", async () => {
  const id = await start(service);
  const dry = ec2("DeleteSnapshot", { SnapshotId: id, DryRun: true });
  await assert.rejects(dry, { name: "DryRunOperation" });
  assert.deepEqual(idsOf(await ec2("DescribeSnapshots", { SnapshotIds: [id] })), [id]);
});

test("DescribeRegions answers the one region", async () => {
  const expected = [
    {
      RegionName: REGION,
      Endpoint: `ec2.${REGION}.amazonaws.com`,
      OptInStatus: "opt-in-not-required",
    },
  ];
  assert.deepEqual((await ec2("DescribeRegions"))["Regions"], expected);
  const named = await ec2("DescribeRegions", { RegionNames: [REGION], AllRegions: true });
  assert.deepEqual(named["Regions"], expected);
  const filter = (Name: string, value: string) =>
    ec2("DescribeRegions", { Filters: [{ Name, Values: [value] }] });
  assert.deepEqual((await filter("region-name", REGION))["Regions"], expected);
  assert.deepEqual((await filter("region-name", "eu-west-1"))["Regions"], []);
  const name = "InvalidParameterValue";
  await assert.rejects(filter("color", "blue"), { name });
  await assert.rejects(ec2("DescribeRegions", { RegionNames: ["eu-west-1"] }), { name });
});

test("S3 ListBuckets answers that there are none, and whose they are", async () => {
  const parts = { method: "GET", path: "/", query: { "x-id": "ListBuckets" } };
  const answer = await send(service, parts, { service: "s3" });
  assert.equal(answer.status, 200);
  assert.match(answer.text, /<Owner><ID>[0-9a-f]{64}<\/ID>.*<Buckets\/>/);
  const foreign = await send(other, parts, { service: "s3" });
  const idOf = (text: string) => /<ID>(.*)<\/ID>/.exec(text)?.[1];
  assert.notEqual(idOf(foreign.text), idOf(answer.text));
  const credentials = { ...service.firstKey.key, secretAccessKey: "wrong" };
  const refused = await send(service, parts, { service: "s3", credentials });
  assert.equal(refused.status, 403);
  assert.match(refused.text, /<Error><Code>SignatureDoesNotMatch<\/Code>/);
  const otherService = await send(service, parts, { service: "ebs" });
  assert.equal(otherService.status, 404, "only S3 has something at this path");
});

const block = blockContents(5);
const copyOf = (SourceSnapshotId: string, input: object = {}) => ({
  SourceRegion: REGION,
  SourceSnapshotId,
  ...input,
});

test("CopySnapshot makes a snapshot of its own with the same contents, at once", async () => {
  const tags = [{ Key: "of", Value: "source" }];
  const source = await snapshotOf(service, new Map([[3, block]]), { Tags: tags });
  const Tags = [{ Key: "a", Value: "b" }];
  const TagSpecifications = [{ ResourceType: "snapshot", Tags }];
  const input = copyOf(source, { Description: "a copy", TagSpecifications });
  const { SnapshotId, ...rest } = await ec2("CopySnapshot", input);
  assert.deepEqual(rest["Tags"], Tags);
  const copy = String(SnapshotId);
  assert.notEqual(copy, source);
  const described = await ec2("DescribeSnapshots", { SnapshotIds: [copy] });
  const [found] = described["Snapshots"] as Record<string, unknown>[];
  assert.equal(found?.["State"], "completed");
  assert.equal(found?.["Description"], "a copy");
  assert.equal(found?.["VolumeId"], "vol-ffffffff");
  assert.equal(found?.["FullSnapshotSizeInBytes"], block.length);
  assert.deepEqual(found?.["Tags"], Tags, "tags of the source are not copied");
  const compared = await send(service, changedParts(source, copy));
  assert.deepEqual(JSON.parse(compared.text).ChangedBlocks, []);
  await ec2("DeleteSnapshot", { SnapshotId: source });
  const got = await send(service, getParts(copy, 3, await blockToken(service, copy, 3)));
  assert.deepEqual(got.body, Buffer.from(block), "the copy reads on without its source");
});

test("CopySnapshot of a shared snapshot is the copier's own, also to build upon", async () => {
  const source = await snapshotOf(service, new Map([[3, block]]));
  const asOther = (operation: string, input: object) =>
    otherDriver.call("ec2", operation, input as never);
  const secret = asOther("CopySnapshot", copyOf(source));
  await assert.rejects(secret, { name: "InvalidSnapshot.NotFound" });
  const permission = { Add: [{ UserId: SECOND_ACCOUNT }] };
  await ec2("ModifySnapshotAttribute", { SnapshotId: source, CreateVolumePermission: permission });
  const { SnapshotId } = await asOther("CopySnapshot", copyOf(source));
  const copy = String(SnapshotId);
  await ec2("DeleteSnapshot", { SnapshotId: source });
  const got = await send(other, getParts(copy, 3, await blockToken(other, copy, 3)));
  assert.deepEqual(got.body, Buffer.from(block));
  const onTop = new Map([[4, blockContents(6)]]);
  const child = await snapshotOf(other, onTop, { ParentSnapshotId: copy });
  await asOther("DeleteSnapshot", { SnapshotId: copy });
  const { Blocks } = await list(other, child);
  assert.deepEqual(
    Blocks.map(({ BlockIndex }) => BlockIndex),
    [3, 4],
  );
  for (const [blockIndex, bytes] of [[3, block] as const, ...onTop]) {
    const token = await blockToken(other, child, blockIndex);
    const read = await send(other, getParts(child, blockIndex, token));
    assert.deepEqual(read.body, Buffer.from(bytes));
  }
  const back = ec2("DescribeSnapshots", { SnapshotIds: [child] });
  await assert.rejects(back, { name: "InvalidSnapshot.NotFound" }, "the owner sees nothing of it");
});

test("CopySnapshot refuses what it cannot copy", async () => {
  const pending = await start(service);
  const source = await snapshotOf(service, new Map());
  for (const [input, name] of [
    [copyOf(pending), "IncorrectState"],
    [copyOf("snap-00000000000000000"), "InvalidSnapshot.NotFound"],
    [copyOf("snapshot"), "InvalidSnapshotID.Malformed"],
    [{ ...copyOf(source), SourceRegion: "eu-west-1" }, "InvalidParameterValue"],
    [copyOf(source, { DestinationOutpostArn: "arn:aws:outposts" }), "UnsupportedOperation"],
    [
      copyOf(source, { TagSpecifications: [{ ResourceType: "volume", Tags: [] }] }),
      "InvalidParameterValue",
    ],
  ] as const) {
    await assert.rejects(ec2("CopySnapshot", input), { name }, JSON.stringify(input));
  }
  const bare = await send(service, actionParts("CopySnapshot"), { service: "ec2" });
  assert.match(bare.text, /<Code>MissingParameter<\/Code>/);
});

/** Prints what boto3 makes of the answers. */
const SCRIPT = `
import boto3, json, sys
ec2 = boto3.client('ec2')
source = sys.argv[1]
copy = ec2.copy_snapshot(SourceRegion='${REGION}', SourceSnapshotId=source)['SnapshotId']
ec2.get_waiter('snapshot_completed').wait(SnapshotIds=[copy])
ec2.modify_snapshot_attribute(SnapshotId=copy, OperationType='add', UserIds=['${SECOND_ACCOUNT}'],
    Attribute='createVolumePermission')
attribute = ec2.describe_snapshot_attribute(SnapshotId=copy, Attribute='createVolumePermission')
pages = ec2.get_paginator('describe_snapshots').paginate(PaginationConfig={'PageSize': 5})
buckets = boto3.client('s3').list_buckets()
print(json.dumps({
  'regions': [r['RegionName'] for r in ec2.describe_regions()['Regions']],
  'permissions': attribute['CreateVolumePermissions'],
  'found': copy in [s['SnapshotId'] for p in pages for s in p['Snapshots']],
  'buckets': buckets['Buckets'], 'owner': len(buckets['Owner']['ID']),
}))
`;

test("boto3 copies, shares, pages, and asks for regions and buckets", { skip }, async () => {
  if (typeof tools === "string") return;
  const source = await snapshotOf(service, new Map([[0, block]]));
  const env = { ...process.env, ...awsEnvironment(service) };
  const run = promisify(execFile)(tools.python, ["-c", SCRIPT, source], { env });
  assert.deepEqual(JSON.parse((await run).stdout), {
    regions: [REGION],
    permissions: [{ UserId: SECOND_ACCOUNT }],
    found: true,
    buckets: [],
    owner: 64,
  });
});
