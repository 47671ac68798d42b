import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { RequestParts } from "../../src/wire/message.ts";
import { admin, newAccount, newEncryptionKey, policyOf, withNewKey } from "../support/keys.ts";
import {
  actionParts,
  blockToken,
  changedParts,
  completeParts,
  getParts,
  kmsParts,
  listParts,
  put,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { RawResponse, Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/*
 * What policies decide by, and what is kept from whoever may not know. Who may call what, in every
 * combination, is in the matrix: authorization-matrix.test.ts.
 */

const service = await startService({ after });
const { account } = service.firstKey.key;
const block = blockContents(1);
const UNKNOWN = "snap-0ffffffffffffffff";

const parent = await snapshotOf(service, new Map([[0, block]]));
const child = await snapshotOf(service, new Map([[1, block]]), { ParentSnapshotId: parent });
const token = await blockToken(service, parent, 0);

const stranger = await withNewKey(service, { account: await newAccount(service) });
const denied = await withNewKey(service, {
  policy: policyOf({ Action: "*" }, { Effect: "Deny", Action: ["ebs:*", "ec2:*"] }),
});
const powerless = await withNewKey(service, { policy: policyOf({ Action: "s3:*" }) });
const inactive = await withNewKey(service);
const deleted = await withNewKey(service);
const keyPath = (target: Target) => `/keys/${target.firstKey.key.accessKeyId}`;
await admin(service, ["POST", keyPath(inactive)], { Status: "Inactive" });
await admin(service, ["DELETE", keyPath(deleted)]);

type ServiceName = "ebs" | "ec2" | "sts";

/** The error as the service called words it: status, type, message; nothing else is in the body. */
function assertError(
  response: RawResponse,
  expected: { service: ServiceName; status: number; type: string; message?: string | RegExp },
): void {
  const { status, type, message = /./ } = expected;
  assert.equal(response.status, status, response.text);
  const matches = (text: string) =>
    typeof message === "string" ? assert.equal(text, message) : assert.match(text, message);
  if (expected.service === "ebs") {
    assert.equal(response.header("x-amzn-ErrorType")?.split(":")[0], type);
    const json = JSON.parse(response.text) as Record<string, string>;
    const names = Object.keys(json);
    if (type === "ResourceNotFoundException") assert.deepEqual(names, ["Message", "Reason"]);
    else assert.ok(names.length === 1 && /^[Mm]essage$/.test(names[0] ?? ""), response.text);
    matches(Object.values(json)[0] ?? "");
    return;
  }
  const error = "<Error><Code>([\\w.]+)</Code><Message>([^<]*)</Message></Error>";
  const requestId = "<RequestID>[0-9a-f-]{36}</RequestID>";
  const body = `<Response><Errors>${error}</Errors>${requestId}</Response>`;
  const shape = new RegExp(`^<\\?xml [^>]*>\\n${body}$`);
  const parts = shape.exec(response.text);
  assert.ok(parts, response.text);
  assert.equal(parts[1], type);
  matches((parts[2] ?? "").replaceAll("&apos;", "'"));
}

test("no action of EC2 is carried out for a key that may do nothing", async () => {
  const ask = (target: Target, action: string) =>
    send(target, actionParts(action, { SnapshotId: child, ImageId: "ami-0" }), { service: "ec2" });
  const { text } = await ask(service, "NoSuchAction");
  const names = /It supports: (.*)\.</.exec(text)?.[1]?.split(", ") ?? [];
  assert.ok(names.length >= 5, text);
  for (const name of [...names, "NoSuchAction"]) {
    const response = await ask(powerless, name);
    const message = new RegExp(`perform: ec2:${name} on resource: \\S+ because no identity-based`);
    const type = "UnauthorizedOperation";
    assertError(response, { service: "ec2", status: 403, type, message });
  }
});

describe("GetCallerIdentity", () => {
  const ask = (target: Target) =>
    send(target, actionParts("GetCallerIdentity"), { service: "sts" });

  test("is allowed to every key, and tells who it is", async () => {
    for (const target of [denied, powerless]) {
      const { status, text } = await ask(target);
      assert.equal(status, 200, text);
      const { accessKeyId } = target.firstKey.key;
      assert.match(text, new RegExp(`<Arn>arn:aws:iam::${account}:user/${accessKeyId}</Arn>`));
    }
    assert.match((await ask(service)).text, new RegExp(`<Arn>arn:aws:iam::${account}:root</Arn>`));
  });

  test("is refused without a key in use", async () => {
    for (const target of [inactive, deleted]) assert.equal((await ask(target)).status, 403);
  });
});

describe("what is there cannot be told from what is not", () => {
  /** Status, the headers that say something, and the body, with the id taken out. */
  const seen = ({ status, headers, text }: RawResponse, id: string) => {
    const telling = headers.filter(([name]) => !/^(date|x-amzn-requestid)$/i.test(name));
    const body = text.replace(/<RequestID>.*<\/RequestID>/, "").replaceAll(id, "ID");
    return JSON.stringify([status, telling, body]);
  };
  const about = (id: string): readonly (readonly [RequestParts, ServiceName])[] => [
    [startParts({ VolumeSize: 1, ParentSnapshotId: id }), "ebs"],
    [putParts({ snapshotId: id, blockIndex: 0 }, block), "ebs"],
    [completeParts(id, 0), "ebs"],
    [getParts(id, 0, token), "ebs"],
    [listParts(id), "ebs"],
    [changedParts(id, id), "ebs"],
    [{ method: "GET", path: `/snapshots/${id}/digests` }, "ebs"],
    [actionParts("DescribeSnapshots", { "SnapshotId.1": id }), "ec2"],
    [actionParts("DeleteSnapshot", { SnapshotId: id }), "ec2"],
    [actionParts("CreateTags", { "ResourceId.1": id, "Tag.1.Key": "a" }), "ec2"],
    [actionParts("DeleteTags", { "ResourceId.1": id, "Tag.1.Key": "a" }), "ec2"],
  ];

  async function assertSame(target: Target, status: readonly number[]): Promise<void> {
    const pending = await start(service);
    await put(service, pending, new Map([[0, block]]));
    for (const id of [parent, pending]) {
      const unknown = about(UNKNOWN);
      for (const [i, [parts, of]] of about(id).entries()) {
        const there = await send(target, parts, { service: of });
        const [otherParts, other] = unknown[i] as readonly [RequestParts, ServiceName];
        const absent = await send(target, otherParts, { service: other });
        assert.ok(status.includes(there.status), there.text);
        assert.equal(seen(there, id), seen(absent, UNKNOWN));
      }
    }
  }

  test("by another account", () => assertSame(stranger, [400, 404]));
  test("by a key that is denied", () => assertSame(denied, [403]));
  test("by a key that may do nothing", () => assertSame(powerless, [403]));
  test("by another account's key that may do what carries a tag", async () => {
    await tag(parent, "shown", "yes");
    const Condition = { StringEquals: { "aws:ResourceTag/shown": "yes" } };
    const policy = policyOf({ Action: ["ebs:*", "ec2:*"], Condition });
    const other = await newAccount(service);
    await assertSame(await withNewKey(service, { account: other, policy }), [403]);
  });
});

async function tag(id: string, key: string, value: string): Promise<void> {
  const members = { "ResourceId.1": id, "Tag.1.Key": key, "Tag.1.Value": value };
  const response = await send(service, actionParts("CreateTags", members), { service: "ec2" });
  assert.equal(response.status, 200, response.text);
}

describe("a policy decides by", () => {
  const allowedTo = (...statements: readonly object[]) =>
    withNewKey(service, { policy: policyOf(...statements) });

  test("snapshot: both that ListChangedBlocks compares must be allowed", async () => {
    const arn = (id: string) => `arn:aws:ec2:*::snapshot/${id}`;
    const both = { Action: "ebs:*", Resource: [arn(parent), arn(child)] };
    const status = async (target: Target) =>
      (await send(target, changedParts(parent, child))).status;
    assert.equal(await status(await allowedTo(both)), 200);
    for (const id of [parent, child]) {
      assert.equal(await status(await allowedTo({ ...both, Resource: arn(id) })), 403);
    }
    const withAccount = arn(child).replace("::", `:${account}:`);
    const named = await allowedTo({ ...both, Resource: withAccount });
    assert.equal((await send(named, listParts(child))).status, 403);
  });

  test("the tags of the snapshot, as they are now", async () => {
    const Condition = { StringEquals: { "aws:ResourceTag/readers": "all" } };
    const target = await allowedTo({ Action: "ebs:ListSnapshotBlocks", Condition });
    const id = await snapshotOf(service, new Map([[0, block]]));
    assert.equal((await send(target, listParts(id))).status, 403);
    await tag(id, "Readers", "all");
    assert.equal((await send(target, listParts(id))).status, 200);
  });

  test("parent, size, description and tags of a new snapshot", async () => {
    const Condition = {
      ArnLike: { "ebs:ParentSnapshot": `arn:aws:ec2:*::snapshot/${parent}` },
      NumericLessThanEquals: { "ebs:VolumeSize": "2" },
      StringLike: { "ebs:Description": "nightly *" },
      "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] },
      StringEqualsIfExists: { "aws:RequestTag/team": "db" },
    };
    const target = await allowedTo(
      { Action: "ebs:StartSnapshot", Condition },
      { Action: "ec2:CreateTags", Condition: { StringEquals: { "aws:RequestTag/team": "db" } } },
    );
    const status = async (changes: object) => {
      const input = { VolumeSize: 1, ParentSnapshotId: parent, Description: "nightly 1" };
      return (await send(target, startParts({ ...input, ...changes }))).status;
    };
    const tags = (Key: string, Value: string) => ({ Tags: [{ Key, Value }] });
    assert.equal(await status({}), 201);
    assert.equal(await status(tags("team", "db")), 201);
    assert.equal(await status({ ParentSnapshotId: child }), 403);
    assert.equal(await status({ ParentSnapshotId: undefined }), 403);
    assert.equal(await status({ VolumeSize: 3 }), 403);
    assert.equal(await status({ Description: "weekly" }), 403);
    assert.equal(await status(tags("cost", "db")), 403);
    assert.equal(await status(tags("team", "web")), 403);
  });

  test("whether tags may be created, when a snapshot starts with some", async () => {
    const target = await allowedTo({ Action: "ebs:StartSnapshot" });
    assert.equal((await send(target, startParts({ VolumeSize: 1 }))).status, 201);
    const tagged = startParts({ VolumeSize: 1, Tags: [{ Key: "a", Value: "" }] });
    const response = await send(target, tagged);
    const message =
      /perform: ec2:CreateTags on resource: arn:aws:ec2:us-east-1::snapshot\/\* because/;
    assertError(response, { service: "ebs", status: 403, type: "AccessDeniedException", message });
  });

  test("time and address", async () => {
    const list = async (Condition: object) => {
      const target = await allowedTo({ Action: "ebs:ListSnapshotBlocks", Condition });
      return (await send(target, listParts(parent))).status;
    };
    assert.equal(await list({ DateGreaterThan: { "aws:CurrentTime": "2020-01-01" } }), 200);
    assert.equal(await list({ DateLessThan: { "aws:CurrentTime": "2020-01-01" } }), 403);
    assert.equal(await list({ IpAddress: { "aws:SourceIp": "127.0.0.0/8" } }), 200);
    assert.equal(await list({ NotIpAddress: { "aws:SourceIp": "127.0.0.0/8" } }), 403);
  });

  test("whether an encryption key is used for a snapshot, or by itself", async () => {
    const key = await newEncryptionKey(service);
    const KmsKeyArn = `arn:aws:kms:us-east-1:${account}:key/${key}`;
    const uses = async (operator: "StringEquals" | "StringNotEquals", name = "ViaService") => {
      const value = name === "ViaService" ? "ec2.us-east-1.amazonaws.com" : account;
      const Condition = { [operator]: { [`kms:${name}`]: value } };
      const allowed = { Action: "kms:*", Resource: KmsKeyArn, Condition };
      const target = await allowedTo({ Action: "ebs:*" }, allowed);
      const input = { VolumeSize: 1, Encrypted: true, KmsKeyArn };
      const started = await send(target, startParts(input));
      const shown = await send(target, kmsParts("DescribeKey", { KeyId: key }), { service: "kms" });
      return [started.status, shown.status];
    };
    assert.deepEqual(await uses("StringEquals"), [201, 400]);
    assert.deepEqual(await uses("StringNotEquals"), [400, 200]);
    assert.deepEqual(await uses("StringEquals", "CallerAccount"), [201, 200]);
    assert.deepEqual(await uses("StringNotEquals", "CallerAccount"), [400, 400]);
  });

  test("what an alias stands for, and no denial tells which key that is", async () => {
    const about = kmsParts("DescribeKey", { KeyId: "alias/aws/ebs" });
    const denial = async () => (await send(powerless, about, { service: "kms" })).text;
    const before = await denial();
    assert.match(before, /kms:DescribeKey on resource: arn:aws:kms:[^ ]*:alias\/aws\/ebs because/);
    await start(service, { Encrypted: true });
    assert.equal(await denial(), before);
    const { text } = await send(service, about, { service: "kms" });
    const { Arn } = (JSON.parse(text) as { KeyMetadata: { Arn: string } }).KeyMetadata;
    const target = await allowedTo({ Action: "kms:DescribeKey", Resource: Arn });
    assert.equal((await send(target, about, { service: "kms" })).status, 200);
  });

  test("nothing before the members of the request are in their bounds", async () => {
    const response = await send(powerless, listParts(parent, { maxResults: 1 }));
    const message = /^1 validation error detected/;
    assertError(response, { service: "ebs", status: 400, type: "ValidationException", message });
  });

  test("what it says now: a new policy counts from the next request", async () => {
    const target = await allowedTo({ Action: "ebs:List*" });
    assert.equal((await send(target, listParts(parent))).status, 200);
    const PolicyDocument = JSON.stringify(policyOf({ Action: "ec2:*" }));
    await admin(service, ["POST", keyPath(target)], { PolicyDocument });
    assert.equal((await send(target, listParts(parent))).status, 403);
    await admin(service, ["POST", keyPath(target)], { PolicyDocument: null });
    assert.equal((await send(target, listParts(parent))).status, 200);
  });
});
