import assert from "node:assert/strict";
import { test } from "node:test";
import { DeleteSnapshotCommand, LockSnapshotCommand } from "@aws-sdk/client-ec2";
import { ec2Clients } from "../support/ec2.ts";
import { policyOf, withNewKey } from "../support/keys.ts";
import { snapshotOf } from "../support/operations.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { startTwoServices } from "./_two-services.ts";
import { runVarve } from "./_varve.ts";

/* Deletions of which some fail: each failure is told, and the rest is done. */

test("prune tells every snapshot that it could not delete, also when quiet", async (t) => {
  const service = await startService(t);
  const { ec2 } = await ec2Clients(t, service);
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) ids.push(await snapshotOf(service, new Map()));
  const [first = "", second = "", third = "", last = ""] = ids;
  for (const SnapshotId of [first, third]) {
    const lock = { LockMode: "governance" as const, LockDuration: 1 };
    await ec2.send(new LockSnapshotCommand({ SnapshotId, ...lock }));
  }
  // Without leave to ask what is locked, pruning finds it out when it deletes.
  const policy = policyOf(
    { Action: ["ec2:*", "ebs:*", "varve:*"] },
    { Effect: "Deny", Action: "ec2:DescribeLockedSnapshots" },
  );
  const { firstKey } = await withNewKey(service, { policy });
  const env = {
    ...awsEnvironment(service),
    AWS_ACCESS_KEY_ID: firstKey.key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: firstKey.key.secretAccessKey,
  };
  const prune = (...options: string[]) => {
    const rules = ["--keep-last", "1", "--group-by", "none", "--quiet"];
    return runVarve(["prune", ...rules, ...options], { env });
  };
  const { code, stdout, stderr } = await prune();
  assert.equal(code, 1, stderr);
  const told = stderr.trimEnd().split("\n");
  assert.equal(told.length, 2, stderr);
  for (const [i, id] of [first, third].entries()) {
    assert.match(told[i] ?? "", new RegExp(`^varve: ${id} was not deleted: .*locked`));
    assert.match(stdout, new RegExp(`${id} .* failed +no rule keeps it`));
  }
  assert.match(stdout, new RegExp(`${second} .* delete +no rule keeps it`));
  const again = await prune("--json");
  assert.equal(again.code, 1, again.stderr);
  const { snapshots, deleted, failed } = JSON.parse(again.stdout);
  assert.deepEqual(
    snapshots.map((each: { snapshotId: string; action: string }) => [each.snapshotId, each.action]),
    [
      [first, "failed"],
      [third, "failed"],
      [last, "keep"],
    ],
  );
  assert.deepEqual(deleted, []);
  assert.equal(failed.length, 2);
  const errors = again.stderr.trimEnd().split("\n");
  const subjects = errors.map((line) => JSON.parse(line).error.snapshotId);
  assert.deepEqual(subjects, [first, third]);
});

test("sync deletes the other copies when one is locked, and tells it at the end", async (t) => {
  const { source, destination, run, to } = await startTwoServices(t);
  const { ec2 } = await ec2Clients(t, destination);
  const { ec2: own } = await ec2Clients(t, source);
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) ids.push(await snapshotOf(source, new Map()));
  const copied = await run(["sync", ...to, "--all", "--json", "--quiet"]);
  const { copies } = JSON.parse(copied.stdout);
  const lock = { LockMode: "governance" as const, LockDuration: 1 };
  const locked: string[] = copies
    .slice(0, 2)
    .map((each: { snapshotId: string }) => each.snapshotId);
  for (const SnapshotId of locked) await ec2.send(new LockSnapshotCommand({ SnapshotId, ...lock }));
  for (const SnapshotId of ids.slice(0, 3)) {
    await own.send(new DeleteSnapshotCommand({ SnapshotId }));
  }
  const { code, stdout, stderr } = await run(["sync", ...to, "--all", "--delete", "--quiet"]);
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "0 snapshots copied, 1 deleted, 2 not deleted, 1 up to date.\n");
  const told = stderr.trimEnd().split("\n");
  assert.equal(told.length, 2, stderr);
  for (const id of locked)
    assert.match(stderr, new RegExp(`varve: ${id} was not deleted: .*locked`));
  const again = await run(["sync", ...to, "--all", "--delete", "--quiet", "--json"]);
  assert.equal(again.code, 1, again.stderr);
  const { deleted, failed } = JSON.parse(again.stdout);
  assert.deepEqual(deleted, []);
  assert.deepEqual(
    failed.map((each: { snapshotId: string }) => each.snapshotId).sort(),
    locked.toSorted(),
  );
  assert.match(failed[0].message, /locked/);
});
