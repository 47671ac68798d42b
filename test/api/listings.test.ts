import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { promisify } from "node:util";
import * as sdk from "@aws-sdk/client-ec2";
import { ec2Clients } from "../support/ec2.ts";
import { complete, snapshotOf, start } from "../support/operations.ts";
import { findPythonTools } from "../support/python.ts";
import { SECOND_ACCOUNT } from "../support/second-account.ts";
import { awsEnvironment, startService } from "../support/service.ts";

/* What every listing of EC2 has: filters with wildcards, owners, pages, and waiters on top. */

const tools = await findPythonTools();
const skip = typeof tools === "string" ? tools : false;

const service = await startService({ after }, { recycleBinDays: 1 });
const { account } = service.firstKey.key;
const { ec2, other } = await ec2Clients({ after }, service);
const INVALID = { name: "InvalidParameterValue" };

const find = async (input: sdk.DescribeSnapshotsCommandInput, by = ec2) => {
  const { Snapshots = [] } = await by.send(new sdk.DescribeSnapshotsCommand(input));
  return Snapshots.map(({ SnapshotId }) => String(SnapshotId));
};
const filtered = (Name: string, ...Values: string[]) => find({ Filters: [{ Name, Values }] });

const tags = [{ Key: "odd *key?", Value: "a*b" }];
const odd = await start(service, { Description: "50%*off\\", Tags: tags });
const even = await start(service, { Description: "50% off" });
const bad = await start(service);
assert.equal(await complete(service, bad, 3), "error");

test("filters take wildcards, and a backslash takes their meaning away", async () => {
  assert.deepEqual(await filtered("description", "50%*"), [odd, even].sort());
  assert.deepEqual(await filtered("description", "50%?off"), [even]);
  assert.deepEqual(await filtered("description", "50%\\*off\\\\"), [odd]);
  assert.deepEqual(await filtered("description", "50%\\?off"), []);
  assert.deepEqual(await filtered("tag-key", "odd \\*key\\?"), [odd]);
  assert.deepEqual(await filtered("tag-key", "odd \\?key*"), []);
  assert.deepEqual(await filtered("tag:odd *key?", "a\\*b"), [odd], "keys are not patterns");
  assert.deepEqual(await filtered("tag:odd*", "a\\*b"), []);
  assert.deepEqual(await filtered("description", ""), [bad]);
  assert.deepEqual(await filtered("owner-alias", "*"), []);
  assert.deepEqual(await filtered("status", "error", "nothing"), [bad]);
  await assert.rejects(filtered("colour", "red"), INVALID);
});

test("owners are accounts, self, and an alias that nobody has", async () => {
  const own = [odd, even, bad].sort();
  assert.deepEqual(await find({ OwnerIds: ["self"] }), own);
  assert.deepEqual(await find({ OwnerIds: [account, "amazon"] }), own);
  assert.deepEqual(await find({ OwnerIds: ["amazon"] }), []);
  assert.deepEqual(await find({ OwnerIds: [SECOND_ACCOUNT] }), []);
  const malformed = { name: "InvalidUserID.Malformed" };
  await assert.rejects(find({ OwnerIds: ["me"] }), malformed);
  const images = ec2.send(new sdk.DescribeImagesCommand({ Owners: ["me"] }));
  await assert.rejects(images, malformed);
  for (const Owners of [["amazon"], ["aws-marketplace"], ["aws-backup-vault"]]) {
    assert.deepEqual((await ec2.send(new sdk.DescribeImagesCommand({ Owners }))).Images, []);
  }
});

test("RestorableByUserIds finds what an account may read", async () => {
  const grant = (SnapshotId: string, entry: object) =>
    ec2.send(
      new sdk.ModifySnapshotAttributeCommand({
        SnapshotId,
        CreateVolumePermission: { Add: [entry] },
      }),
    );
  const [named, open] = [
    await snapshotOf(service, new Map()),
    await snapshotOf(service, new Map()),
  ] as [string, string];
  await grant(named, { UserId: SECOND_ACCOUNT });
  await grant(open, { Group: "all" });
  const of = (user: string, by = ec2) => find({ RestorableByUserIds: [user] }, by);
  assert.deepEqual(await of(SECOND_ACCOUNT), [named]);
  assert.deepEqual(await of("all"), [open]);
  assert.deepEqual(await of("self", other), [named]);
  assert.deepEqual(await of("all", other), [open]);
  assert.ok((await of("self")).includes(odd));
});

interface Page {
  readonly ids: readonly string[];
  readonly NextToken: string | undefined;
}
type Listing = (input: { MaxResults?: number; NextToken?: string | undefined }) => Promise<Page>;

/** Twelve snapshots, made once, and not before the tests above have counted. */
const kept: string[] = [];
async function twelve(): Promise<readonly string[]> {
  while (kept.length < 12) kept.push(await snapshotOf(service, new Map()));
  return kept;
}

const LISTINGS: Readonly<Record<string, Listing>> = {
  async DescribeLockedSnapshots(input) {
    const answer = await ec2.send(new sdk.DescribeLockedSnapshotsCommand(input));
    const ids = (answer.Snapshots ?? []).map(({ SnapshotId }) => String(SnapshotId));
    return { ids, NextToken: answer.NextToken };
  },
  async DescribeTags(input) {
    const Filters = [{ Name: "key", Values: ["page"] }];
    const answer = await ec2.send(new sdk.DescribeTagsCommand({ ...input, Filters }));
    const ids = (answer.Tags ?? []).map(({ ResourceId }) => String(ResourceId));
    return { ids, NextToken: answer.NextToken };
  },
  async ListSnapshotsInRecycleBin(input) {
    const answer = await ec2.send(new sdk.ListSnapshotsInRecycleBinCommand(input));
    const ids = (answer.Snapshots ?? []).map(({ SnapshotId }) => String(SnapshotId));
    return { ids, NextToken: answer.NextToken };
  },
};

const prepare: Readonly<Record<string, (SnapshotId: string) => Promise<unknown>>> = {
  DescribeLockedSnapshots: (SnapshotId) =>
    ec2.send(new sdk.LockSnapshotCommand({ SnapshotId, LockMode: "governance", LockDuration: 1 })),
  DescribeTags: (SnapshotId) => {
    const Tags = [{ Key: "page", Value: "" }];
    return ec2.send(new sdk.CreateTagsCommand({ Resources: [SnapshotId], Tags }));
  },
  async ListSnapshotsInRecycleBin(SnapshotId) {
    await ec2.send(new sdk.UnlockSnapshotCommand({ SnapshotId }));
    await ec2.send(new sdk.DeleteSnapshotCommand({ SnapshotId }));
  },
};

for (const [name, listing] of Object.entries(LISTINGS)) {
  test(`${name} goes page by page, 5 to 1,000 at once`, async () => {
    for (const id of await twelve()) await prepare[name]?.(id);
    const pages: (readonly string[])[] = [];
    let NextToken: string | undefined;
    do {
      const page: Page = await listing({ MaxResults: 5, NextToken });
      pages.push(page.ids);
      NextToken = page.NextToken;
    } while (NextToken);
    const lengths = pages.map(({ length }) => length);
    assert.deepEqual(lengths, [5, 5, 2]);
    assert.deepEqual(pages.flat(), [...kept].sort());
    assert.deepEqual((await listing({ MaxResults: 1_000 })).ids, pages.flat());
    assert.equal((await listing({ MaxResults: 12 })).NextToken, undefined, "no empty last page");
    for (const MaxResults of [4, 1_001]) {
      await assert.rejects(listing({ MaxResults }), INVALID, String(MaxResults));
    }
    const elsewhere = await ec2.send(new sdk.DescribeSnapshotsCommand({ MaxResults: 5 }));
    const token = { NextToken: elsewhere.NextToken ?? "none" };
    await assert.rejects(listing(token), INVALID, "the token of another listing");
  });
}

test("DescribeLockedSnapshots filters by state, with wildcards", async () => {
  const SnapshotId = await snapshotOf(service, new Map());
  const lock = { SnapshotId, LockMode: "compliance", LockDuration: 1, CoolOffPeriod: 1 } as const;
  await ec2.send(new sdk.LockSnapshotCommand(lock));
  const locked = async (value: string) => {
    const Filters = [{ Name: "lock-state", Values: [value] }];
    const answer = await ec2.send(new sdk.DescribeLockedSnapshotsCommand({ Filters }));
    return (answer.Snapshots ?? []).map((each) => each.SnapshotId);
  };
  assert.deepEqual(await locked("compliance-cooloff"), [SnapshotId]);
  assert.deepEqual(await locked("compliance*"), [SnapshotId]);
  assert.deepEqual(await locked("compliance"), []);
});

test("the SDK's waiter sees completion, and fails on an error", async () => {
  const waiter = { client: ec2, maxWaitTime: 20, minDelay: 1, maxDelay: 1 };
  const wait = (...SnapshotIds: string[]) =>
    sdk.waitUntilSnapshotCompleted(waiter, { SnapshotIds });
  const done = await snapshotOf(service, new Map());
  assert.equal((await wait(done)).state, "SUCCESS");
  await assert.rejects(wait(bad), /FAILURE/);
  await assert.rejects(wait(done, bad), /FAILURE/);
  const pending = await start(service);
  const short = { ...waiter, maxWaitTime: 2 };
  const timeout = sdk.waitUntilSnapshotCompleted(short, { SnapshotIds: [pending] });
  await assert.rejects(timeout, { name: "TimeoutError" });
});

/** Prints how boto3's waiter ended for each snapshot. */
const SCRIPT = `
import boto3, botocore, json, sys
ec2 = boto3.client('ec2')
def wait(id):
    try:
        ec2.get_waiter('snapshot_completed').wait(
            SnapshotIds=[id], WaiterConfig={'Delay': 0, 'MaxAttempts': 3})
        return 'completed'
    except botocore.exceptions.WaiterError as error:
        return error.kwargs['reason']
print(json.dumps([wait(id) for id in sys.argv[1:]]))
`;

test("boto3's waiter sees completion, and fails on an error", { skip }, async () => {
  if (typeof tools === "string") return;
  const [done, pending] = [await snapshotOf(service, new Map()), await start(service)];
  const env = { ...process.env, ...awsEnvironment(service) };
  const run = promisify(execFile)(tools.python, ["-c", SCRIPT, done, bad, pending], { env });
  const [completed, failed, waited] = JSON.parse((await run).stdout);
  assert.equal(completed, "completed");
  assert.match(failed, /terminal failure state.*"error"/);
  assert.match(waited, /Max attempts exceeded/);
});
