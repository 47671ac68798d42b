import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { RequestParts } from "../../src/wire/message.ts";
import { admin, newAccount, policyOf, withNewKey } from "../support/keys.ts";
import {
  actionParts,
  blockToken,
  changedParts,
  completeParts,
  getParts,
  listParts,
  put,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { exchange, type RawResponse, sign, type Target, withHeaders } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/*
 * Who may do what: every operation as every kind of caller. Each cell of the matrix states status,
 * type and the body's members.
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

interface Operation {
  readonly name: string;
  readonly service: ServiceName;
  /** The permission needed, and the last part of its resource's ARN; undefined for `*`. */
  readonly action: string;
  /** A request about the snapshots of the first account; some have to be made anew each time. */
  readonly parts: () => Promise<RequestParts>;
  readonly resource: (parts: RequestParts) => string | undefined;
  /** Status for the owner, and for somebody of another account. */
  readonly owner: number;
  readonly stranger: readonly [status: number, type: string | undefined];
}

const idInPath = ({ path }: RequestParts) => /snap-[0-9a-f]+/.exec(path)?.[0];
const idInBody = ({ body }: RequestParts) =>
  /snap-[0-9a-f]+/.exec(Buffer.from(body ?? []).toString())?.[0];
const NOT_FOUND = [404, "ResourceNotFoundException"] as const;
const NO_SNAPSHOT = [400, "InvalidSnapshot.NotFound"] as const;

const OPERATIONS: readonly Operation[] = [
  ebs("StartSnapshot", async () => startParts({ VolumeSize: 1 }), {
    resource: () => "null",
    owner: 201,
    stranger: [201, undefined],
  }),
  ebs("StartSnapshot", async () => startParts({ VolumeSize: 1, ParentSnapshotId: parent }), {
    resource: idInBody,
    owner: 201,
  }),
  ebs(
    "PutSnapshotBlock",
    async () => putParts({ snapshotId: await start(service), blockIndex: 0 }, block),
    { owner: 201 },
  ),
  ebs("CompleteSnapshot", async () => completeParts(await start(service), 0), { owner: 202 }),
  ebs("GetSnapshotBlock", async () => getParts(parent, 0, token), {}),
  ebs("ListSnapshotBlocks", async () => listParts(parent), {}),
  ebs("ListChangedBlocks", async () => changedParts(parent, child), { resource: () => parent }),
  ebs("ListBlockDigests", async () => ({ method: "GET", path: `/snapshots/${parent}/digests` }), {
    action: "ebs:ListSnapshotBlocks",
  }),
  ec2("DescribeSnapshots", async () => ({}), { stranger: [200, undefined] }),
  ec2("DescribeTags", async () => ({}), { stranger: [200, undefined] }),
  ec2("DeleteSnapshot", async () => ({ SnapshotId: await start(service) }), {}),
  ec2("CreateTags", async () => ({ "ResourceId.1": child, "Tag.1.Key": "a" }), {}),
  ec2("DeleteTags", async () => ({ "ResourceId.1": child, "Tag.1.Key": "a" }), {}),
];

function ebs(
  name: string,
  parts: () => Promise<RequestParts>,
  rest: Partial<Operation>,
): Operation {
  const common = { name, service: "ebs", action: `ebs:${name}`, parts, owner: 200 } as const;
  return { ...common, resource: idInPath, stranger: NOT_FOUND, ...rest };
}

function ec2(
  name: string,
  parameters: () => Promise<Record<string, string>>,
  rest: Partial<Operation>,
): Operation {
  const parts = async () => actionParts(name, await parameters());
  const common = { name, service: "ec2", action: `ec2:${name}`, parts, owner: 200 } as const;
  return { ...common, resource: idInBody, stranger: NO_SNAPSHOT, ...rest };
}

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

for (const operation of OPERATIONS) {
  const { name, service: of, action } = operation;
  const signed = async (target: Target) => sign(target, await operation.parts(), { service: of });
  const by = async (target: Target) => exchange(target, await signed(target));
  const refusedKey = of === "ebs" ? "UnrecognizedClientException" : "AuthFailure";
  const refusedStatus = of === "ebs" ? 403 : 401;
  const arnOf = (target: Target) => {
    return `arn:aws:iam::${account}:user/${target.firstKey.key.accessKeyId}`;
  };
  const denialOf = (target: Target, parts: RequestParts, why: string) => {
    const id = operation.resource(parts);
    const resource = id === undefined ? "*" : `arn:aws:ec2:${service.region}::snapshot/${id}`;
    const prefix = of === "ebs" ? "" : "You are not authorized to perform this operation. ";
    const what = `${action} on resource: ${resource} ${why}`;
    return `${prefix}User: ${arnOf(target)} is not authorized to perform: ${what}`;
  };

  const title =
    operation.resource({ method: "", path: "" }) === "null" ? `${name} from nothing` : name;
  describe(`${title} answers`, () => {
    test("no signature", async () => {
      const raw = withHeaders(await signed(service), { authorization: undefined });
      const type =
        of === "ebs" ? "MissingAuthenticationTokenException" : "MissingAuthenticationToken";
      assertError(await exchange(service, raw), { service: of, status: 403, type });
    });

    test("a bad signature", async () => {
      const secretAccessKey = "not the secret";
      const { accessKeyId } = service.firstKey.key;
      const liar = { ...service, firstKey: { key: { accessKeyId, secretAccessKey } } };
      const type = of === "ebs" ? "InvalidSignatureException" : "AuthFailure";
      assertError(await by(liar), { service: of, status: refusedStatus, type });
    });

    test("an inactive key and a deleted key", async () => {
      for (const target of [inactive, deleted]) {
        const expected = { service: of, status: refusedStatus, type: refusedKey };
        assertError(await by(target), expected);
      }
    });

    test("another account", async () => {
      const response = await by(stranger);
      const [status, type] = operation.stranger;
      if (type === undefined) {
        assert.equal(response.status, status, response.text);
        assert.doesNotMatch(response.text, new RegExp(`${parent}|${child}|${account}`));
        return;
      }
      assertError(response, { service: of, status, type, message: /does not exist\.$/ });
    });

    test("a key that its policy denies this, and one that it does not allow it", async () => {
      const type = of === "ebs" ? "AccessDeniedException" : "UnauthorizedOperation";
      const explicit = "with an explicit deny in an identity-based policy";
      const implicit = `because no identity-based policy allows the ${action} action`;
      for (const [target, why] of [
        [denied, explicit],
        [powerless, implicit],
      ] as const) {
        const parts = await operation.parts();
        const response = await send(target, parts, { service: of });
        const message = denialOf(target, parts, why);
        assertError(response, { service: of, status: 403, type, message });
      }
    });

    test("a key whose policy allows just this", async () => {
      const target = await withNewKey(service, { policy: policyOf({ Action: action }) });
      assert.equal((await by(target)).status, operation.owner);
    });

    test("the owner", async () => {
      const response = await by(service);
      assert.equal(response.status, operation.owner, response.text);
    });
  });
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
