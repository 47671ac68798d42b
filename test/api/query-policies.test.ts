import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { RequestParts } from "../../src/wire/message.ts";
import { policyOf, withNewKey } from "../support/keys.ts";
import { actionParts, send, snapshotOf, start } from "../support/operations.ts";
import type { Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/* A policy is asked about what an EC2 action does; what stands beside it says nothing. */

const service = await startService({ after }, { recycleBinDays: 1 });
const { region } = service;

/** Status and code of an action with a form that is written out. */
async function ask(target: Target, action: string, form: string): Promise<string> {
  const parts: RequestParts = { ...actionParts(action), body: Buffer.from(form) };
  const { status, text } = await send(target, parts, { service: "ec2" });
  return `${status} ${/<Code>([\w.]+)/.exec(text)?.[1] ?? ""}`.trim();
}

async function tagsOf(id: string): Promise<string> {
  const parts = actionParts("DescribeSnapshots", { "SnapshotId.1": id });
  const { text } = await send(service, parts, { service: "ec2" });
  const pairs = text.matchAll(/<key>(.*?)<\/key><value>(.*?)<\/value>/g);
  return [...pairs].map(([, key, value]) => `${key}=${value}`).join(" ");
}

/** May copy snapshots that are tagged `team=db`, and nothing untagged. */
const tagger = await withNewKey(service, {
  policy: policyOf({
    Action: ["ec2:CopySnapshot", "ec2:CreateTags"],
    Condition: { StringEquals: { "aws:RequestTag/team": "db" } },
  }),
});
const source = await snapshotOf(service, new Map());

function copyForm(more: string): string {
  const named = `SourceRegion=${region}&SourceSnapshotId=${source}`;
  return `Action=CopySnapshot&Version=2016-11-15&${named}&${more}`;
}

const SPECIFICATION = "TagSpecification.1.ResourceType=snapshot";

test("tags that the action does not read do not satisfy a condition", async () => {
  const tag = (prefix: string) => `${prefix}.Key=team&${prefix}.Value=db`;
  const wanted = `${SPECIFICATION}&${tag("TagSpecification.1.Tag.1")}`;
  assert.equal(await ask(tagger, "CopySnapshot", copyForm(wanted)), "200");
  for (const aside of ["X-Amz-x.Tag.1", "Tag.1", "TagSpecification.1.Tag.01", "Signature.Tag.1"]) {
    const form = copyForm(`${SPECIFICATION}&${tag(aside)}`);
    const refused = await ask(tagger, "CopySnapshot", form);
    assert.equal(refused, "403 UnauthorizedOperation", aside);
  }
  const allowed = await ask(service, "CopySnapshot", copyForm(tag("X-Amz-x.Tag.1")));
  assert.equal(allowed, "400 UnknownParameter");
});

test("a parameter that is given twice is refused, whoever asks", async () => {
  const tag = "TagSpecification.1.Tag.1";
  const twice = `${SPECIFICATION}&${tag}.Key=foo&${tag}.Value=db&${tag}.Key=team`;
  for (const target of [tagger, service]) {
    const refused = await ask(target, "CopySnapshot", copyForm(twice));
    assert.equal(refused, "400 InvalidParameterValue");
  }
});

test("a snapshot that the action does not read is not what it is done to", async () => {
  const Resource = `arn:aws:ec2:*::snapshot/${source}`;
  const target = await withNewKey(service, { policy: policyOf({ Action: "ec2:*", Resource }) });
  const action = "EnableEbsEncryptionByDefault";
  for (const aside of ["X-Amz-x.SnapshotId", "X-Amz-SnapshotId", "SnapshotId"]) {
    const refused = await ask(target, action, `Action=${action}&${aside}=${source}`);
    assert.equal(refused, "403 UnauthorizedOperation", aside);
  }
});

test("the tags of a snapshot in the recycle bin count when it is to be restored", async () => {
  const ids = [];
  for (const Value of ["held", "free"]) {
    const id = await snapshotOf(service, new Map(), { Tags: [{ Key: "hold", Value }] });
    const deleted = await ask(service, "DeleteSnapshot", `Action=DeleteSnapshot&SnapshotId=${id}`);
    assert.equal(deleted, "200");
    ids.push(id);
  }
  const held = { StringEquals: { "aws:ResourceTag/hold": "held" } };
  const denying = { Effect: "Deny", Action: "ec2:RestoreSnapshot*", Condition: held };
  const target = await withNewKey(service, { policy: policyOf({ Action: "*" }, denying) });
  const restore = (id: string | undefined) =>
    `Action=RestoreSnapshotFromRecycleBin&SnapshotId=${id}`;
  const answers: string[] = [];
  for (const id of ids) {
    answers.push(await ask(target, "RestoreSnapshotFromRecycleBin", restore(id)));
  }
  assert.deepEqual(answers, ["403 UnauthorizedOperation", "200"]);
});

test("of tags that are created and deleted at once, none is lost", async () => {
  const id = await start(service, { Tags: [{ Key: "old", Value: "" }] });
  const create = (i: number) =>
    ask(
      service,
      "CreateTags",
      `Action=CreateTags&ResourceId.1=${id}&Tag.1.Key=k${i}&Tag.1.Value=v`,
    );
  const changes = Array.from({ length: 9 }, (_, i) => create(i));
  const remove = `Action=DeleteTags&ResourceId.1=${id}&Tag.1.Key=old`;
  const answers = await Promise.all([...changes, ask(service, "DeleteTags", remove)]);
  assert.deepEqual([...new Set(answers)], ["200"]);
  assert.equal(await tagsOf(id), Array.from({ length: 9 }, (_, i) => `k${i}=v`).join(" "));
});

test("the most and longest tags fit in a request, in whatever script", async () => {
  const id = await start(service);
  const form = new URLSearchParams({ Action: "CreateTags", "ResourceId.1": id });
  for (let i = 1; i <= 50; i++) {
    form.set(`Tag.${i}.Key`, `${"鍵".repeat(125)}${i + 10}`);
    form.set(`Tag.${i}.Value`, "値".repeat(255));
  }
  assert.ok(form.toString().length > 170_000);
  assert.equal(await ask(service, "CreateTags", form.toString()), "200");
  assert.equal((await tagsOf(id)).split(" ").length, 50);
});
