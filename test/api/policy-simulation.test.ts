import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { POLICY_ACTIONS } from "../../src/server/admin/simulate-policy.ts";
import type { Service } from "../../src/service.ts";
import { admin, newAccount, policyOf, withNewKey } from "../support/keys.ts";
import { ROWS } from "../support/matrix/operations.ts";
import { actionParts, send, snapshotOf, start } from "../support/operations.ts";
import { startService } from "../support/service.ts";
import { suiteCleanup } from "../support/suite-cleanup.ts";
import { turnsDuring } from "../support/turns-during.ts";

interface Result {
  readonly Action: string;
  readonly Resource: string;
  readonly Decision: string;
  readonly Statements: readonly number[];
}

describe("simulating a policy", () => {
  const suite = suiteCleanup();
  let service: Service;
  before(async () => {
    service = await startService(suite);
  });

  async function simulate(input: object, target: Parameters<typeof admin>[0] = service) {
    const { status, json } = await admin(target, ["POST", "/policy-simulations"], input);
    return { status, json, results: (json["Results"] ?? []) as readonly Result[] };
  }

  test("tells what each statement says, and what nothing allows", async () => {
    const PolicyDocument = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Action: ["ebs:List*", "ebs:Get*"], Resource: "*" },
        { Effect: "Deny", Action: "ebs:GetSnapshotBlock", Resource: "*" },
      ],
    });
    const Actions = ["ebs:ListSnapshotBlocks", "ebs:GetSnapshotBlock", "ec2:DeleteSnapshot"];
    const { status, json, results } = await simulate({ PolicyDocument, Actions });
    assert.equal(status, 200);
    assert.equal(json["HasPolicy"], true);
    assert.deepEqual(
      results.map(({ Action, Decision, Statements }) => [Action, Decision, Statements]),
      [
        ["ebs:ListSnapshotBlocks", "allowed", [0]],
        ["ebs:GetSnapshotBlock", "explicitDeny", [0, 1]],
        ["ec2:DeleteSnapshot", "implicitDeny", []],
      ],
    );
    const all = await simulate({ PolicyDocument });
    assert.deepEqual(
      all.results.map(({ Action }) => Action),
      POLICY_ACTIONS,
    );
  });

  test("knows every action that requests need leave for", () => {
    const needed = new Set(ROWS.flatMap(({ permission }) => permission ?? []));
    assert.ok(needed.size > 50);
    assert.deepEqual([...needed].filter((name) => !POLICY_ACTIONS.includes(name)).sort(), []);
  });

  test("says what requests with the same policy are told", async () => {
    const tagged = await start(service);
    const tags = { "ResourceId.1": tagged, "Tag.1.Key": "Team", "Tag.1.Value": "db" };
    await send(service, actionParts("CreateTags", tags), { service: "ec2" });
    const plain = await start(service);
    const policy = {
      Statement: {
        Effect: "Allow",
        Action: "ec2:DeleteSnapshot",
        Resource: "arn:aws:ec2:*::snapshot/*",
        Condition: { StringEquals: { "ec2:ResourceTag/Team": "db" } },
      },
    };
    const target = await withNewKey(service, { policy });
    const { accessKeyId: AccessKeyId } = target.firstKey.key;
    const Actions = ["ec2:DeleteSnapshot"];
    const asArn = `arn:aws:ec2:us-east-1::snapshot/${tagged}`;
    const { results } = await simulate({ AccessKeyId, Actions, Resources: [tagged, asArn, plain] });
    assert.deepEqual(
      results.map(({ Decision }) => Decision),
      ["allowed", "allowed", "implicitDeny"],
    );
    for (const [SnapshotId, status] of [
      [plain, 403],
      [tagged, 200],
    ] as const) {
      const parts = actionParts("DeleteSnapshot", { SnapshotId });
      assert.equal((await send(target, parts, { service: "ec2" })).status, status);
    }
  });

  test("takes what a request would say of itself", async () => {
    const PolicyDocument = JSON.stringify({
      Statement: {
        Effect: "Allow",
        Action: "ebs:*",
        Resource: "*",
        Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } },
      },
    });
    const of = async (ContextEntries: object[]) => {
      const Actions = ["ebs:StartSnapshot"];
      return (await simulate({ PolicyDocument, Actions, ContextEntries })).results[0]?.Decision;
    };
    assert.equal(await of([{ Name: "AWS:sourceip", Values: ["10.1.2.3"] }]), "allowed");
    assert.equal(await of([{ Name: "aws:SourceIp", Values: ["192.0.2.1"] }]), "implicitDeny");
    assert.equal(await of([]), "implicitDeny");
  });

  test("lets others have their turn between resources, whatever there is to compare", async () => {
    // The longest policy of patterns, and values that take the longest to fit none of them.
    const patterns = Array.from({ length: 40 }, (_, i) => `*${"a?".repeat(60)}b${i}*`);
    const PolicyDocument = JSON.stringify({
      Statement: {
        ...{ Effect: "Allow", Action: "*", Resource: "*" },
        Condition: { StringLike: { "aws:TagKeys": patterns } },
      },
    });
    const ContextEntries = [{ Name: "aws:TagKeys", Values: Array(4).fill("a".repeat(1_000)) }];
    const Actions = Array(10).fill("ebs:GetSnapshotBlock");
    const input = { PolicyDocument, Actions, ContextEntries, Resources: Array(100).fill("*") };
    const { turns, result } = await turnsDuring(() => simulate(input));
    assert.equal(result.status, 200);
    assert.equal(result.results.length, 1_000);
    assert.ok(turns >= 100, `others got ${turns} turns`);
  });

  test("looks in the recycle bin where an action does", async (t) => {
    const kept = await startService(t, { recycleBinDays: 1 });
    const id = await snapshotOf(kept, new Map(), { Tags: [{ Key: "hold", Value: "yes" }] });
    const deletion = actionParts("DeleteSnapshot", { SnapshotId: id });
    assert.equal((await send(kept, deletion, { service: "ec2" })).status, 200);
    const Condition = { StringEquals: { "aws:ResourceTag/hold": "yes" } };
    const PolicyDocument = JSON.stringify(policyOf({ Action: "ec2:*", Condition }));
    const Actions = ["ec2:DeleteSnapshot", "ec2:RestoreSnapshotFromRecycleBin", "ec2:CreateTags"];
    const { results } = await simulate({ PolicyDocument, Actions, Resources: [id] }, kept);
    assert.deepEqual(
      results.map(({ Decision }) => Decision),
      ["implicitDeny", "allowed", "implicitDeny"],
    );
  });

  test("allows all to a key without a policy, and refuses what it cannot read", async () => {
    const { accessKeyId: AccessKeyId } = service.firstKey.key;
    const { json, results } = await simulate({ AccessKeyId, Actions: ["ec2:DeleteSnapshot"] });
    assert.equal(json["HasPolicy"], false);
    assert.deepEqual(results[0]?.Decision, "allowed");
    const other = await withNewKey(service, { account: await newAccount(service) });
    assert.equal((await simulate({ AccessKeyId }, other)).status, 404);
    const limited = await withNewKey(service, { policy: policyOf({ Action: "*" }) });
    assert.equal((await simulate({ AccessKeyId }, limited)).status, 403);
    const context = (Values: readonly string[], count: number) => {
      return { AccessKeyId, ContextEntries: Array(count).fill({ Name: "aws:TagKeys", Values }) };
    };
    const bad: [input: object, status: number, message: RegExp][] = [
      [{}, 400, /either PolicyDocument.*or the AccessKeyId/],
      [{ AccessKeyId, PolicyDocument: "{}" }, 400, /either/],
      [{ PolicyDocument: '{"Statement":{"Effect":"Maybe"}}' }, 400, /Statement.Effect: must be/],
      [{ AccessKeyId, Actions: ["nothing"] }, 400, /'nothing' at 'actions'/],
      [{ AccessKeyId, Resources: ["x y"] }, 400, /'x y' at 'resources'/],
      [{ AccessKeyId, Actions: "ebs:*" }, 400, /Actions|actions/],
      [{ AccessKeyId, Resources: Array(101).fill("*") }, 400, /101 members; there can be 100/],
      [
        { AccessKeyId, Actions: Array(51).fill("ebs:Get"), Resources: Array(20).fill("*") },
        400,
        /51 actions on 20 resources are 1020 questions; one simulation answers 1000/,
      ],
      [{ AccessKeyId, Resources: Array(100).fill("*") }, 400, /actions on 100 resources are/],
      [context(["v".repeat(1_024)], 5), 400, /contextEntries.values have 5120 characters.* 4096/],
      [context(["v", "w"], 51), 400, /contextEntries.values has 102 members; there can be 100/],
      [{ AccessKeyId, ContextEntries: [{ Name: "x", Values: [] }] }, 400, /contextEntries.name/],
    ];
    for (const [input, status, message] of bad) {
      const refused = await simulate(input);
      assert.equal(refused.status, status);
      assert.match(JSON.stringify(refused.json), message);
    }
  });
});
