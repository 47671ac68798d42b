import { putParts } from "../support/operations.ts";
import { brief, type Caller, elementsOf, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import { A, type Context, completedSnapshot } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";
import { constrainsAny, eitherNotFound, invalid, notFound, refuses } from "./_refusal.ts";

/* What other accounts may (2.1) and what policies decide (4); skipped where there is one key. */

const sharing = new Group("2.1 sharing");
const policies = new Group("4 policies");
/** The checks of this file. */
export const accounts = [sharing, policies];

/** A completed snapshot of one block, shared with the second account and whoever else is named. */
async function share(c: Context, who: Record<string, string> = {}): Promise<string> {
  const id = await completedSnapshot(c.caller);
  await permit(c, id, { "UserId.1": await accountOf(c.second()), ...who });
  return id;
}

async function permit(c: Context, SnapshotId: string, changes: Record<string, string>) {
  const named = { SnapshotId, Attribute: "createVolumePermission", OperationType: "add" };
  const answer = await c.caller.query("ModifySnapshotAttribute", { ...named, ...changes });
  holds(answer.status === 200, brief(answer), "ModifySnapshotAttribute 200");
}

async function accountOf(caller: Caller): Promise<string> {
  const { text } = await caller.query("GetCallerIdentity", {}, "sts");
  return elementsOf(text)["Account"] ?? "none";
}

async function tokenOf(caller: Caller, id: string): Promise<string> {
  const page = jsonOf(await caller.list(id), 200);
  return (page["Blocks"] as { BlockToken: string }[])[0]?.BlockToken ?? "none";
}

sharing.check("2.1/stranger", "A snapshot of another account does not exist.", async (c) =>
  notFound(await c.second().list(c.id("root")), c.id("root")),
);
sharing.check("2.1/stranger.changed", "Nor does a pair that holds one.", async (c) => {
  const [first, second] = [c.id("root"), c.id("child")];
  eitherNotFound(await c.second().changed(first, second), first, second);
});
sharing.check("2.1/stranger.parent", "Nor as a parent.", async (c) =>
  notFound(await c.second().start({ ParentSnapshotId: c.id("root") }), c.id("root")),
);
sharing.check("2.1/stranger.put", "Nor for a put.", async (c) =>
  notFound(await c.second().put(c.id("pending"), 0, A), c.id("pending")),
);
sharing.check("2.1/shared", "A recipient can list, get and compare.", async (c) => {
  const id = await share(c);
  const token = await tokenOf(c.second(), id);
  holds((await c.second().get(id, 0, token)).body.equals(A), "other bytes", "A");
  same(String((await c.second().changed(id, id)).status), "200");
});
sharing.check("2.1/shared.token", "A token minted by the owner works for them.", async (c) => {
  const id = await share(c);
  const token = await tokenOf(c.caller, id);
  holds((await c.second().get(id, 0, token)).body.equals(A), "other bytes", "A");
});
sharing.check(
  "2.1/unshared",
  "Without the share the same token is 404; with it, good.",
  async (c) => {
    const id = await share(c);
    const token = await tokenOf(c.second(), id);
    const user = { "UserId.1": await accountOf(c.second()) };
    await permit(c, id, { ...user, OperationType: "remove" });
    notFound(await c.second().get(id, 0, token), id);
    await permit(c, id, user);
    same(String((await c.second().get(id, 0, token)).status), "200");
  },
);
sharing.check("2.1/shared.parent", "A shared snapshot cannot be a parent.", async (c) => {
  const id = await share(c);
  notFound(await c.second().start({ ParentSnapshotId: id }), id);
});
sharing.check("2.1/shared.write", "A recipient neither writes nor completes.", async (c) => {
  const id = await share(c);
  for (const answer of [await c.second().put(id, 0, A), await c.second().complete(id, 1)]) {
    holds(answer.status >= 400 && answer.status < 500, brief(answer), "a refusal");
  }
});
sharing.check("2.1/shared.delete", "Nor deletes.", async (c) => {
  const id = await share(c);
  const answer = await c.second().query("DeleteSnapshot", { SnapshotId: id });
  holds(answer.status >= 400 && answer.status < 500, brief(answer), "a refusal");
  same(String((await c.caller.list(id)).status), "200");
});
sharing.check("2.1/unrelated", "One's own and a shared one are not related.", async (c) => {
  const [first, second] = [await share(c), await completedSnapshot(c.second())];
  const message = `The snapshot ${first} and ${second} are not related.`;
  invalid(await c.second().changed(first, second), "UNRELATED_SNAPSHOTS", message);
});
sharing.check("2.1/public.owner", "The owner still reads a public one.", async (c) => {
  const id = await completedSnapshot(c.caller);
  await permit(c, id, { "UserGroup.1": "all" });
  same(String((await c.caller.list(id)).status), "200");
});
for (const [what, make] of [
  ["not shared", () => ({})],
  ["shared by name, too", async (c: Context) => ({ "UserId.1": await accountOf(c.second()) })],
] as const) {
  sharing.check(`2.1/public ${what}`, `A public one, ${what}, is not supported.`, async (c) => {
    const id = await completedSnapshot(c.caller);
    await permit(c, id, { "UserGroup.1": "all", ...(await make(c)) });
    const message = "Public snapshots are not supported";
    invalid(await c.second().list(id), "INVALID_SNAPSHOT_ID", message);
  });
}
sharing.check(
  "2.1/attribute",
  "DescribeSnapshotAttribute names who it is shared with.",
  async (c) => {
    const SnapshotId = await share(c);
    const parameters = { SnapshotId, Attribute: "createVolumePermission" };
    const { text } = await c.caller.query("DescribeSnapshotAttribute", parameters);
    same(elementsOf(text)["userId"], await accountOf(c.second()));
  },
);
sharing.check("2.1/attribute.reset", "ResetSnapshotAttribute takes it all back.", async (c) => {
  const SnapshotId = await share(c);
  const parameters = { SnapshotId, Attribute: "createVolumePermission" };
  await c.caller.query("ResetSnapshotAttribute", parameters);
  notFound(await c.second().list(SnapshotId), SnapshotId);
});

const REASON = "because no identity-based policy allows the";
const arn = (c: Context, id: string) => `arn:aws:ec2:${c.caller.party.region}::snapshot/${id}`;

interface Statement {
  readonly Effect?: string;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: object;
}

const allowing = (c: Context, ...statements: readonly Statement[]) =>
  c.restricted({
    Version: "2012-10-17",
    Statement: statements.map((statement) => ({ Effect: "Allow", Resource: "*", ...statement })),
  });
const denied = (message: RegExp) => ({ status: 403, code: "AccessDeniedException", message });

policies.check("4/policy.text", "A denial names user, action, resource and reason.", async (c) => {
  const caller = await allowing(c, { Action: "ebs:GetSnapshotBlock" });
  const user = elementsOf((await caller.query("GetCallerIdentity", {}, "sts")).text)["Arn"];
  refuses(await caller.list(c.id("root")), {
    status: 403,
    code: "AccessDeniedException",
    message:
      `User: ${user} is not authorized to perform: ebs:ListSnapshotBlocks on resource: ` +
      `${arn(c, c.id("root"))} ${REASON} ebs:ListSnapshotBlocks action`,
  });
});
policies.check("4/policy.deny", "An explicit deny wins, and is named.", async (c) => {
  const caller = await allowing(c, { Action: "ebs:*" }, { Effect: "Deny", Action: "ebs:List*" });
  refuses(await caller.list(c.id("root")), denied(/with an explicit deny in an? /));
});
policies.check("4/policy.arn", "A resource has an empty account field.", async (c) => {
  const Action = "ebs:ListSnapshotBlocks";
  const caller = await allowing(c, { Action, Resource: arn(c, c.id("root")) });
  same(String((await caller.list(c.id("root"))).status), "200");
  refuses(await caller.list(c.id("other")), denied(/not authorized/));
});
policies.check("4/policy.arn.account", "A policy naming the account does not match.", async (c) => {
  const owner = await accountOf(c.caller);
  const Resource = arn(c, "*").replace("::", `:${owner}:`);
  const caller = await allowing(c, { Action: "ebs:*", Resource });
  refuses(await caller.list(c.id("root")), denied(/not authorized/));
});
policies.check("4/policy.null", "A start without parent is judged on snapshot/null.", async (c) => {
  const caller = await allowing(c, { Action: "ebs:StartSnapshot", Resource: arn(c, "null") });
  same(String((await caller.start()).status), "201");
  const answer = await caller.start({ ParentSnapshotId: c.id("root") });
  refuses(answer, denied(new RegExp(`snapshot/${c.id("root")} ${REASON}`)));
});
policies.check("4/policy.parent", "With a parent, on the parent's ARN.", async (c) => {
  const Resource = arn(c, c.id("root"));
  const caller = await allowing(c, { Action: "ebs:StartSnapshot", Resource });
  same(String((await caller.start({ ParentSnapshotId: c.id("root") })).status), "201");
  refuses(await caller.start(), denied(/snapshot\/null/));
});
policies.check("4/policy.both", "ListChangedBlocks needs the right to both.", async (c) => {
  const Action = "ebs:ListChangedBlocks";
  const [first, second] = [c.id("root"), c.id("child")];
  const one = await allowing(c, { Action, Resource: arn(c, second) });
  refuses(await one.changed(first, second), denied(/not authorized/));
  const both = await allowing(c, { Action, Resource: [arn(c, first), arn(c, second)] });
  same(String((await both.changed(first, second)).status), "200");
});
policies.check(
  "4/policy.tags",
  "A start with tags needs ec2:CreateTags, judged second.",
  async (c) => {
    const Tags = [{ Key: "user", Value: "x" }];
    const caller = await allowing(c, { Action: "ebs:StartSnapshot" });
    refuses(await caller.start({ Tags }), denied(/ec2:CreateTags on resource: .*::snapshot\/\*/));
    const neither = await allowing(c, { Action: "ebs:GetSnapshotBlock" });
    refuses(await neither.start({ Tags }), denied(/ebs:StartSnapshot/));
    const both = await allowing(c, { Action: ["ebs:StartSnapshot", "ec2:CreateTags"] });
    same(String((await both.start({ Tags })).status), "201");
  },
);
for (const [key, operator, value, input] of [
  ["ebs:Description", "StringEquals", "allowed", { Description: "allowed" }],
  ["ebs:VolumeSize", "NumericEquals", "2", { VolumeSize: 2 }],
] as const) {
  policies.check(`4/policy.${key}`, `${key} is known at start.`, async (c) => {
    const Condition = { [operator]: { [key]: value } };
    const caller = await allowing(c, { Action: "ebs:StartSnapshot", Condition });
    same(String((await caller.start(input)).status), "201");
    refuses(await caller.start({ Description: "other" }), denied(/not authorized/));
  });
}
policies.check("4/policy.ebs:ParentSnapshot", "So is ebs:ParentSnapshot, an ARN.", async (c) => {
  const Condition = { ArnLike: { "ebs:ParentSnapshot": "arn:aws:ec2:*::snapshot/*" } };
  const caller = await allowing(c, { Action: "ebs:StartSnapshot", Condition });
  same(String((await caller.start({ ParentSnapshotId: c.id("root") })).status), "201");
  refuses(await caller.start(), denied(/not authorized/));
});
policies.check("4/policy.ResourceTag", "aws:ResourceTag limits reads.", async (c) => {
  const Condition = { StringEquals: { "aws:ResourceTag/conformance": c.run } };
  const caller = await allowing(c, { Action: "ebs:List*", Condition });
  same(String((await caller.list(c.id("root"))).status), "200");
  refuses(await caller.list(c.id("other")), denied(/not authorized/));
});
policies.check("4/policy.ec2", "Rights of ebs do not depend on those of ec2.", async (c) => {
  const caller = await allowing(c, { Action: "ebs:*" }, { Effect: "Deny", Action: "ec2:*" });
  same(String((await caller.list(c.id("root"))).status), "200");
});
policies.check("1.4/rights", "Rights come before the meaning of parameters.", async (c) => {
  const caller = await allowing(c, { Action: "ebs:GetSnapshotBlock" });
  const at = { snapshotId: c.id("pending"), blockIndex: 2048 };
  refuses(await caller.call(putParts(at, A)), denied(/ebs:PutSnapshotBlock/));
});
policies.check("1.4/bounds-before-rights", "Bounds come before rights.", async (c) => {
  const caller = await allowing(c, { Action: "ebs:GetSnapshotBlock" });
  const answer = await caller.list(c.id("root"), { maxResults: 99 });
  constrainsAny(answer);
  fits(answer.text, /maxResults/);
});
