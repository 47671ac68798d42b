import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { LockSnapshotCommand } from "@aws-sdk/client-ec2";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { ec2Clients, registerImage } from "../support/ec2.ts";
import { writeImage } from "../support/image-file.ts";
import { start } from "../support/operations.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVarve } from "./_varve.ts";

/* Commands around snapshots, as their users run them, against a real service. */

const service = await startService({ after });
const folder = await temporaryDirectory({ after });
const run = (...args: string[]) =>
  runVarve(args, { cwd: folder, env: { ...awsEnvironment(service) } });

/** Runs a command that must succeed, and answers its result. */
async function result(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("--quiet", ...args);
  assert.equal(code, 0, stderr);
  return stdout.trimEnd();
}

async function upload(contents: Readonly<Record<number, number>>, ...options: string[]) {
  const image = join(folder, "image.raw");
  await writeImage(image, 20 * BLOCK_SIZE_BYTES, contents);
  return result("upload", image, ...options);
}

const first = await upload(
  { 0: 1, 1: 2, 2: 3 },
  "--tag",
  "disk=a",
  "--description",
  "Root, Monday",
);
const second = await upload({ 0: 1, 1: 5, 2: 3, 9: 4 }, "--parent", first, "--tag", "disk=a");
const other = await upload({ 0: 7 }, "--tag", "disk=b", "--description", "100% *data*");

async function listed(...args: string[]): Promise<string[]> {
  const { snapshots } = JSON.parse(await result("list", "--json", ...args));
  return snapshots.map((each: { snapshotId: string }) => each.snapshotId);
}

test("list takes filters, all of which have to hold", async () => {
  assert.deepEqual(await listed(), [first, second, other]);
  assert.deepEqual(await listed("--tag", "disk=a"), [first, second]);
  assert.deepEqual(await listed("--tag", "disk", "--description", "ROOT"), [first]);
  assert.deepEqual(await listed("--description", "*"), [other]);
  assert.deepEqual(await listed("--state", "pending"), []);
  assert.deepEqual(await listed("--state", "completed", "--newer-than", "1h"), [
    first,
    second,
    other,
  ]);
  assert.deepEqual(await listed("--older-than", "1h"), []);
  assert.deepEqual(await listed("--since", "2100-01-01"), []);
  assert.deepEqual(await listed("--until", "2100-01-01T00:00Z", "--tag", "disk=b"), [other]);
  assert.deepEqual(await listed("--volume", "vol-0123456789abcdef0"), []);
  const nothing = await run("list", "--tag", "disk=c");
  assert.deepEqual(
    [nothing.code, nothing.stdout, nothing.stderr],
    [0, "", "No snapshot matches.\n"],
  );
  for (const wrong of [
    ["--since", "yesterday"],
    ["--older-than", "7"],
    ["--state", "done"],
    ["--since", "2026-01-01", "--newer-than", "1h"],
  ]) {
    assert.equal((await run("list", ...wrong)).code, 2, wrong.join(" "));
  }
});

test("list tells what is exclusive and what changed, without listing blocks", async () => {
  const { snapshots } = JSON.parse(await result("list", "--json", "--sizes"));
  const blocks = snapshots.map((each: Record<string, number>) =>
    ["fullSizeBytes", "exclusiveBytes", "changedBytes"].map(
      (name) => (each[name] ?? Number.NaN) / BLOCK_SIZE_BYTES,
    ),
  );
  assert.deepEqual(blocks, [
    [3, 1, 3],
    [4, 2, 2],
    [1, 1, 1],
  ]);
  const [titles, row] = (await result("list", "--sizes", "--tag", "disk=a")).split("\n");
  assert.match(titles ?? "", /FULL SIZE +EXCLUSIVE +CHANGED +VERIFIED/);
  assert.match(row ?? "", / 1\.50 MiB +512 KiB +1\.50 MiB /);
});

test("tag adds and removes", async () => {
  const id = await upload({ 0: 1 });
  await result("tag", id, other, "--add", "keep=yes", "--add", "note=x");
  await result("tag", id, "--remove", "keep=no", "--remove", "note", "--add", "by=me");
  const { snapshots } = JSON.parse(await result("list", "--json", "--tag", "by=me"));
  const { "varve:image-bytes": _, ...tags } = snapshots[0].tags;
  assert.deepEqual(tags, { keep: "yes", by: "me" });
  await result("tag", other, "--remove", "keep", "--remove", "note");
  assert.equal((await run("tag", id)).code, 2);
  assert.equal((await run("tag", "snap-0123456789abcdef0", "--add", "a=b")).code, 3);
  await result("delete", id);
});

test("wait ends with its own code when the time is over", async () => {
  assert.equal(await result("wait", first, second), `${first}\n${second}`);
  const pending = await start(service, { VolumeSize: 1 });
  const late = await run("wait", first, pending, "--timeout", "1s", "--json");
  assert.equal(late.code, 8, late.stderr);
  assert.match(
    late.stderr,
    /"event":"completed".*\n.*still pending after 1\.0 s\.","code":"TimeOver"/,
  );
  await result("delete", pending);
  assert.equal((await run("wait", "snap-0123456789abcdef0")).code, 3);
  assert.equal((await run("wait", first, "--timeout", "5")).code, 2);
});

test("delete --dry-run deletes nothing", async () => {
  const table = await result("delete", "--dry-run", first, other);
  assert.match(table, new RegExp(`${first} +completed +deleted +Root, Monday`));
  assert.deepEqual(await listed(), [first, second, other]);
  assert.equal((await run("delete", "--dry-run", "snap-0123456789abcdef0")).code, 3);
});

test("prune refuses to go without a rule, and says what is wrong with others", async () => {
  const none = await run("prune", "--dry-run");
  assert.equal(none.code, 2);
  assert.match(none.stderr, /Without a rule nothing would be kept\. Give at least one, such as/);
  for (const wrong of [
    ["--keep-last", "0"],
    ["--keep-last", "1", "--group-by", "size"],
    ["--keep-last", "1", "--time-zone", "Mars/Olympus"],
    ["--keep-last", "x"],
  ]) {
    assert.equal((await run("prune", ...wrong)).code, 2, wrong.join(" "));
  }
  assert.deepEqual(await listed(), [first, second, other]);
});

test("prune decides by groups, tells why, and leaves what is held", async (t) => {
  const { ec2 } = await ec2Clients(t, service);
  const ids = [second];
  for (let i = 0; i < 4; i++) ids.push(await upload({ 0: i + 10 }, "--parent", ids.at(-1) ?? ""));
  const [, locked = "", imaged = "", kept = "", latest = ""] = ids;
  await result("tag", kept, "--add", "keep=yes");
  const lock = { SnapshotId: locked, LockMode: "governance" as const, LockDuration: 1 };
  await ec2.send(new LockSnapshotCommand(lock));
  await registerImage(ec2, [imaged]);
  const pending = await start(service, { VolumeSize: 1, ParentSnapshotId: latest });
  const rules = ["--keep-last", "1", "--keep-tag", "keep"];
  const dry = JSON.parse(await result("prune", ...rules, "--dry-run", "--json"));
  assert.deepEqual(
    dry.snapshots
      .filter(({ group }: { group: string }) => group === first)
      .map((each: { snapshotId: string; action: string }) => [each.snapshotId, each.action]),
    [
      [first, "delete"],
      [second, "delete"],
      [locked, "held"],
      [imaged, "held"],
      [kept, "keep"],
      [latest, "keep"],
      [pending, "held"],
    ],
  );
  assert.deepEqual(dry.deleted, []);
  assert.equal((await listed()).length, 8);
  const table = await result("prune", ...rules, "--dry-run");
  assert.match(table, /^GROUP +SNAPSHOT +STARTED +ACTION +WHY/);
  assert.match(table, new RegExp(`${locked} .* held +lock governance until 20`));
  assert.match(table, new RegExp(`${imaged} .* held +image ami-`));
  assert.match(table, new RegExp(`${first} .* delete +no rule keeps it +Root, Monday`));
  // Another lineage is another group, and its latest snapshot stays.
  assert.match(table, new RegExp(`^${other} +${other} .* keep +last 1`, "m"));
  const byTag = JSON.parse(
    await result("prune", "--keep-last", "1", "--group-by", "tag:disk", "--dry-run", "--json"),
  );
  assert.deepEqual(
    byTag.snapshots.map((each: { group: string; action: string }) => [each.group, each.action]),
    [
      ["a", "delete"],
      ["a", "keep"],
      ["b", "keep"],
    ],
  );
  assert.equal(byTag.ungrouped.length, 5);
  const done = await run("prune", ...rules);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stderr, /^2 snapshots deleted, 3 kept, 3 held\.\n$/);
  assert.deepEqual((await listed()).sort(), [locked, imaged, kept, latest, pending, other].sort());
});
