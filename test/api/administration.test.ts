import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ADMIN_ROUTES } from "../../src/wire/admin/routes.ts";
import { admin, newAccount, policyOf, withNewKey } from "../support/keys.ts";
import { listParts, send, start } from "../support/operations.ts";
import type { Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/* Accounts and access keys over the wire: who may manage which, and what each answer says. */

const service = await startService({ after });
const { account } = service.firstKey.key;
const idOf = (target: Target) => target.firstKey.key.accessKeyId;
const keyPath = (target: Target) => `/keys/${idOf(target)}`;

async function statusOfListing(target: Target): Promise<number> {
  return (await send(target, listParts("snap-0ffffffffffffffff"))).status;
}

test("accounts are created, with or without a given id, and listed", async () => {
  const minted = await newAccount(service);
  assert.match(minted, /^[1-9][0-9]{11}$/);
  const given = await admin(service, ["POST", "/accounts"], { AccountId: "000000000042" });
  assert.deepEqual(given, { status: 201, json: { AccountId: "000000000042" } });
  const again = await admin(service, ["POST", "/accounts"], { AccountId: "000000000042" });
  assert.equal(again.status, 409);
  const { json } = await admin(service, ["GET", "/accounts"]);
  const ids = (json["Accounts"] as { AccountId: string }[]).map(({ AccountId }) => AccountId);
  assert.deepEqual(ids.slice(0, 3), [account, minted, "000000000042"]);
  for (const AccountId of ["42", "00000000004x", 42]) {
    assert.equal((await admin(service, ["POST", "/accounts"], { AccountId })).status, 400);
  }
});

test("a secret is told when its key is made and never again", async () => {
  const other = await newAccount(service);
  const path = `/accounts/${other}/keys`;
  const { status, json } = await admin(service, ["POST", path], {});
  assert.equal(status, 201);
  const { SecretAccessKey, ...described } = json;
  assert.match(String(SecretAccessKey), /^[A-Za-z0-9+/]{40}$/);
  const { AccessKeyId, CreateDate } = described;
  assert.match(String(AccessKeyId), /^AKIA[A-Z2-7]{16}$/);
  assert.deepEqual(described, {
    AccessKeyId,
    AccountId: other,
    Status: "Active",
    CreateDate,
    HasPolicy: false,
  });
  assert.deepEqual((await admin(service, ["GET", path])).json, { AccessKeys: [described] });
  const got = await admin(service, ["GET", `/keys/${AccessKeyId}`]);
  assert.deepEqual(got.json, { ...described, PolicyDocument: null });
});

test("a key is rotated: another made, the first deactivated, then deleted", async () => {
  const owner = await withNewKey(service, { account: await newAccount(service) });
  const next = await withNewKey(owner);
  assert.equal(await statusOfListing(next), 404);
  const deactivated = await admin(next, ["POST", keyPath(owner)], { Status: "Inactive" });
  assert.deepEqual(deactivated, { status: 200, json: {} });
  assert.equal(await statusOfListing(owner), 403);
  const { json } = await admin(next, ["GET", "/accounts/self/keys"]);
  const keys = json["AccessKeys"] as { AccessKeyId: string; Status: string }[];
  const states = keys.map(({ AccessKeyId, Status }) => [AccessKeyId, Status]).sort();
  assert.deepEqual(
    states,
    [
      [idOf(owner), "Inactive"],
      [idOf(next), "Active"],
    ].sort(),
  );
  await admin(next, ["POST", keyPath(owner)], { Status: "Active" });
  assert.equal(await statusOfListing(owner), 404);
  assert.equal((await admin(next, ["DELETE", keyPath(owner)])).status, 200);
  assert.equal(await statusOfListing(owner), 403);
  assert.equal((await admin(next, ["DELETE", keyPath(owner)])).status, 404);
});

test("the last active key without a policy of the first account stays as it is", async (t) => {
  const alone = await startService(t);
  const policy = policyOf({ Action: "*" });
  await withNewKey(alone, { policy });
  const path = keyPath(alone);
  const refusals = [
    await admin(alone, ["DELETE", path]),
    await admin(alone, ["POST", path], { Status: "Inactive" }),
    await admin(alone, ["POST", path], { PolicyDocument: JSON.stringify(policy) }),
  ];
  for (const { status, json } of refusals) {
    assert.equal(status, 409);
    assert.match(String(json["message"]), /^This is the last active access key/);
  }
  await start(alone);
  const second = await withNewKey(alone);
  assert.equal((await admin(alone, ["DELETE", path])).status, 200);
  assert.equal((await admin(second, ["DELETE", keyPath(second)])).status, 409);
});

describe("management is left to", () => {
  const calls = (accountId: string, accessKeyId: string) =>
    Object.entries(ADMIN_ROUTES).map(([name, { method, path }]) => {
      const filled = path
        .replace("/varve", "")
        .replace("{accountId}", accountId)
        .replace("{accessKeyId}", accessKeyId)
        .replace("{collectionId}", "999")
        .replace("{snapshotId}", "snap-0ffffffffffffffff")
        .replace("{blockIndex}", "0");
      const body = name === "SimulatePolicy" ? { AccessKeyId: accessKeyId } : {};
      const input = method === "POST" ? body : undefined;
      return { name, call: [method, filled] as const, input };
    });

  test("keys without a policy, even one that allows everything", async () => {
    const target = await withNewKey(service, { policy: policyOf({ Action: "*" }) });
    for (const { name, call, input } of calls("self", idOf(target))) {
      const { status, json } = await admin(target, call, input);
      assert.equal(status, 403, name);
      assert.deepEqual(Object.keys(json), ["Message"]);
      assert.match(
        String(json["Message"]),
        new RegExp(`not authorized to perform: varve:${name} `),
      );
    }
  });

  test("the first account for all, another account for its own keys", async () => {
    const [one, two] = [await newAccount(service), await newAccount(service)];
    const stranger = await withNewKey(service, { account: one });
    const victim = await withNewKey(service, { account: two });
    for (const accountId of [two, account, "999999999999"]) {
      for (const { name, call, input } of calls(accountId, idOf(victim))) {
        const { status } = await admin(stranger, call, input);
        const isOfKey = name.endsWith("AccessKey") && !call[1].includes("acc");
        assert.equal(status, isOfKey || name === "SimulatePolicy" ? 404 : 403);
      }
    }
    assert.equal(await statusOfListing(victim), 404, "the key is there and active");
    assert.equal((await admin(stranger, ["GET", `/accounts/${one}/keys`])).status, 200);
    assert.equal((await admin(service, ["GET", `/accounts/${two}/keys`])).status, 200);
    const absent = await admin(service, ["GET", "/accounts/999999999999/keys"]);
    assert.equal(absent.status, 404);
  });

  test("keys in use: nobody else gets an answer, and a foreign key is not there", async () => {
    const stranger = await withNewKey(service, { account: await newAccount(service) });
    const unknown = await admin(stranger, ["GET", "/keys/AKIAUNKNOWN"]);
    const foreign = await admin(stranger, ["GET", keyPath(service)]);
    assert.equal(unknown.status, 404);
    assert.deepEqual(foreign, {
      status: 404,
      json: { message: `There is no access key ${idOf(service)}` },
    });
    assert.deepEqual(unknown.json, { message: "There is no access key AKIAUNKNOWN" });
    const key = { accessKeyId: idOf(service), secretAccessKey: "not the secret" };
    const liar = { ...service, firstKey: { key } };
    for (const { call, input } of calls(account, idOf(service))) {
      assert.equal((await admin(liar, call, input)).status, 403);
    }
  });
});

test("a policy is kept as it was given; one not understood is refused and says where", async () => {
  const target = await withNewKey(service);
  const PolicyDocument = `${JSON.stringify(policyOf({ Action: "ebs:*" }), undefined, 2)}\n`;
  assert.equal((await admin(service, ["POST", keyPath(target)], { PolicyDocument })).status, 200);
  const bad = JSON.stringify(policyOf({ Action: "ebs:*" }, { Action: "ebs:*", Effect: "Perhaps" }));
  const paths = [keyPath(target), "/accounts/self/keys"];
  for (const path of paths) {
    const { status, json } = await admin(service, ["POST", path], { PolicyDocument: bad });
    assert.equal(status, 400);
    assert.equal(json["message"], "Statement[1].Effect: must be Allow or Deny");
  }
  const { json } = await admin(service, ["GET", keyPath(target)]);
  assert.equal(json["PolicyDocument"], PolicyDocument);
  assert.equal(json["HasPolicy"], true);
  for (const input of [{ Status: "active" }, { Status: 1 }, { PolicyDocument: {} }]) {
    assert.equal((await admin(service, ["POST", keyPath(target)], input)).status, 400);
  }
});

test("keys, policies and accounts are there after a restart", async (t) => {
  const before = await startService(t);
  const policy = policyOf({ Action: "ebs:ListSnapshotBlocks" });
  const target = await withNewKey(before, { account: await newAccount(before), policy });
  const full = await withNewKey(before);
  const { dataDirectory } = before;
  await before.close();
  const { endpoint, firstKey } = await startService(t, { dataDirectory });
  assert.equal(firstKey.key.accessKeyId, idOf(before), "the oldest key stays the first");
  assert.equal(await statusOfListing({ ...target, endpoint }), 404);
  assert.equal((await admin({ ...target, endpoint }, ["GET", "/accounts"])).status, 403);
  assert.equal((await admin({ ...full, endpoint }, ["GET", "/accounts"])).status, 200);
});
