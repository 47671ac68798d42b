import assert from "node:assert/strict";
import { test } from "node:test";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { turnsDuring } from "../../../test/support/turns-during.ts";
import { systemClock } from "../../base/clock.ts";
import type { Condition } from "../../identity/condition.ts";
import type { Statement } from "../../identity/policy.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { Core } from "../../snapshots/core.ts";
import { QueryParameters } from "../../wire/ec2/query.ts";
import { authorizeQuery, type Caller } from "./authorize.ts";

const ACCOUNT = "111122223333" as AccountId;

/** A core that knows one snapshot, and how often it is looked for one. */
function coreOf(): { readonly core: Core; readonly lookUps: () => number } {
  let lookUps = 0;
  const visible = async (account: AccountId, id: SnapshotId) => {
    lookUps += 1;
    return pendingSnapshot(id, account, { tags: [{ Key: "team", Value: "db" }] });
  };
  const parts = { region: "us-east-1", clock: systemClock, catalog: { sharing: { visible } } };
  return { core: parts as unknown as Core, lookUps: () => lookUps };
}

/** Whoever may do what one condition on a key allows; counts how often that is asked. */
function callerBy(key: string): { readonly caller: Caller; readonly asked: () => number } {
  let asked = 0;
  const holds: Condition["holds"] = (values) => {
    asked += 1;
    return values.includes("db") || values.includes("team");
  };
  const statement: Statement = {
    effect: "Allow",
    ...{ coversAction: () => true, coversResource: () => true, conditions: [{ key, holds }] },
  };
  const principal: Caller["principal"] = {
    ...{ account: ACCOUNT, accessKeyId: "AKIA", arn: "arn:aws:iam::111122223333:user/AKIA" },
    ...{ policy: { statements: [statement] }, session: undefined },
  };
  return { caller: { principal, sourceIp: "192.0.2.1" }, asked: () => asked };
}

function createTags(resources: number, tags: readonly string[]) {
  const form = new URLSearchParams({ Action: "CreateTags" });
  for (let i = 1; i <= resources; i++) {
    form.set(`ResourceId.${i}`, `snap-${i.toString(16).padStart(17, "0")}`);
  }
  for (const [i, key] of tags.entries()) form.set(`Tag.${i + 1}.Key`, key);
  const parameters = new QueryParameters(new TextEncoder().encode(form.toString()));
  return { service: "ec2", parameters } as const;
}

const FIFTY = ["team", ...Array.from({ length: 49 }, (_, i) => `k${i}`)];

test("policies are asked once what a request says of itself, however much it names", async () => {
  const { core, lookUps } = coreOf();
  const { caller, asked } = callerBy("aws:tagkeys");
  const { turns } = await turnsDuring(() => authorizeQuery(core, caller, createTags(1_000, FIFTY)));
  assert.equal(asked(), 1);
  assert.equal(lookUps(), 0, "nothing is looked up that no policy goes by");
  assert.ok(turns >= 100, `others got ${turns} turns`);
});

test("policies are asked of each thing what only that can tell", async () => {
  const { core, lookUps } = coreOf();
  const { caller, asked } = callerBy("aws:resourcetag/team");
  await authorizeQuery(core, caller, createTags(20, FIFTY));
  assert.deepEqual([asked(), lookUps()], [20, 20]);
});

test("no policy is asked about more than one request may name or bring", async () => {
  const { core } = coreOf();
  const { caller, asked } = callerBy("aws:tagkeys");
  for (const [request, message] of [
    [createTags(1_001, ["team"]), /InvalidParameterValue: More than 1000 resources are named/],
    [createTags(1, [...FIFTY, "more"]), /InvalidParameterValue: More than 50 values of Tag/],
    [createTags(1, ["k".repeat(128)]), /InvalidParameterValue: Tag.1.Key has 128 characters/],
  ] as const) {
    await assert.rejects(() => authorizeQuery(core, caller, request), message);
  }
  assert.equal(asked(), 0);
});
