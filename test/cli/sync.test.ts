import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { writeImage } from "../support/image-file.ts";
import { snapshotOf, start } from "../support/operations.ts";
import { startTwoServices } from "./_two-services.ts";

/* One service kept up to date with another, by the command. */

test("sync copies what is missing, deletes what is gone, and then has nothing to do", async (t) => {
  const { source, destination, folder, run, to } = await startTwoServices(t);
  const there = ["--endpoint", destination.endpoint, "--profile", "other"];
  const image = join(folder, "image.raw");
  const result = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(["--quiet", ...args]);
    assert.equal(code, 0, stderr);
    return stdout.trimEnd();
  };
  const upload = async (pattern: number, ...options: string[]) => {
    await writeImage(image, 9 * BLOCK_SIZE_BYTES, { 0: 1, 4: pattern });
    return result("upload", image, ...options);
  };
  const sync = async (...options: string[]) =>
    JSON.parse(await result("sync", ...to, "--tag", "backup=yes", "--json", ...options));
  const counts = (found: { copies: unknown[]; deleted: unknown[]; upToDate: number }) => [
    found.copies.length,
    found.deleted.length,
    found.upToDate,
  ];
  const first = await upload(2, "--tag", "backup=yes");
  const second = await upload(3, "--parent", first, "--tag", "backup=yes");
  await upload(4, "--parent", second);
  await start(source, { VolumeSize: 1, Tags: [{ Key: "backup", Value: "yes" }] });

  const dry = await sync("--dry-run");
  assert.deepEqual(dry.toCopy, [first, second]);
  assert.equal(await result("list", ...there), "");
  const done = await sync();
  assert.deepEqual(counts(done), [2, 0, 0]);
  assert.equal(done.copies[1].blocksSent, 1);
  assert.equal(done.copies[1].parentSnapshotId, done.copies[0].snapshotId);
  assert.deepEqual(counts(await sync("--delete")), [0, 0, 2]);

  await result("delete", first);
  assert.deepEqual(counts(await sync()), [0, 0, 1]);
  const told = await sync("--delete", "--dry-run");
  assert.deepEqual(told.toDelete, [
    { snapshotId: done.copies[0].snapshotId, sourceSnapshotId: first },
  ]);
  assert.deepEqual(counts(await sync("--delete")), [0, 1, 1]);
  // The same the other way round, and pulled instead of pushed.
  const third = await upload(5, "--parent", second, "--tag", "backup=yes");
  const from = ["--from", source.endpoint, "--from-profile", "default"];
  const pulled = await run(["sync", ...there, ...from, "--tag", "backup=yes", "--json"]);
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.deepEqual(JSON.parse(pulled.stdout).toCopy, [third]);
  // Copies of a destination's own snapshots do not come back to it.
  const back = ["--from", destination.endpoint, "--from-profile", "other"];
  assert.deepEqual(counts(JSON.parse(await result("sync", ...back, "--all", "--json"))), [0, 0, 2]);
});

test("sync deletes nothing for a source where nothing matches, unless told to", async (t) => {
  const { source, folder, run, to } = await startTwoServices(t);
  const image = join(folder, "image.raw");
  await writeImage(image, BLOCK_SIZE_BYTES, { 0: 1 });
  const tag = ["--tag", "backup=yes"];
  const uploaded = await run(["upload", image, ...tag]);
  const id = uploaded.stdout.trim();
  assert.equal((await run(["sync", ...to, ...tag])).code, 0);
  await run(["delete", id]);
  const empty = await run(["sync", ...to, ...tag, "--delete", "--allow-empty-source"]);
  assert.equal(empty.code, 2, empty.stderr);
  assert.match(empty.stderr, /There is no snapshot at .*: it cannot be told whose copies/);
  await start(source, { VolumeSize: 1 });
  const refused = await run(["sync", ...to, ...tag, "--delete"]);
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /1 copy would be deleted\. If that is right, say so with --allow/);
  const allowed = await run(["sync", ...to, ...tag, "--delete", "--allow-empty-source"]);
  assert.equal(allowed.code, 0, allowed.stderr);
  assert.match(allowed.stdout, /^0 snapshots copied, 1 deleted, 0 up to date\.\n$/);
  for (const wrong of [[], ["--all", ...tag]]) {
    assert.equal((await run(["sync", ...to, ...wrong])).code, 2);
  }
});

test("sync --every goes on after a failure until it is interrupted", async (t) => {
  const { folder, run, to } = await startTwoServices(t);
  const image = join(folder, "image.raw");
  await writeImage(image, BLOCK_SIZE_BYTES, { 0: 1 });
  await run(["upload", image]);
  const args = ["sync", ...to, "--all", "--every", "1s", "--quiet"];
  const { code, stdout } = await run(args, {
    onStdout(text, child) {
      if (text.split("\n").length > 2) child.kill("SIGINT");
    },
  });
  assert.equal(code, 130);
  assert.match(
    stdout,
    /^1 snapshot copied, .*Again in 1\.0 s\.\n0 snapshots copied, .*1 up to date/,
  );
});

test("sync --every outlasts a source without matches, and keys that are not found", async (t) => {
  const { source, folder, run, to, destination } = await startTwoServices(t);
  const { accessKeyId, secretAccessKey } = destination.firstKey.key;
  const keys = join(folder, "keys.json");
  const config = join(folder, "config");
  await writeFile(config, `[profile late]\ncredential_process = cat ${keys}\n`);
  const id = await snapshotOf(source, new Map(), { Tags: [{ Key: "a", Value: "b" }] });
  const copied = await run(["sync", ...to, "--tag", "a=b", "--quiet"]);
  assert.equal(copied.code, 0, copied.stderr);
  await run(["delete", id]);
  await start(source);
  const there = ["--to", destination.endpoint, "--to-profile", "late"];
  const args = ["sync", ...there, "--tag", "a", "--delete", "--every", "1s", "--quiet", "--json"];
  const done: Promise<unknown>[] = [];
  const seen = new Set<string>();
  const { code, stdout, stderr } = await run(args, {
    env: { AWS_CONFIG_FILE: config },
    onStderr(text) {
      const once = (what: string, act: () => Promise<unknown>) => {
        if (!text.includes(what) || seen.has(what)) return;
        seen.add(what);
        done.push(act());
      };
      const found = { Version: 1, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey };
      once("NoCredentials", () => writeFile(keys, JSON.stringify(found)));
      const Tags = [{ Key: "a", Value: "c" }];
      once("EmptySource", () => snapshotOf(source, new Map(), { Tags }));
    },
    onStdout: (_text, child) => child.kill("SIGINT"),
  });
  await Promise.all(done);
  assert.equal(code, 130, stderr);
  assert.deepEqual([...seen], ["NoCredentials", "EmptySource"]);
  const { copies, deleted } = JSON.parse(stdout.split("\n")[0] ?? "");
  assert.deepEqual([copies.length, deleted.length], [1, 1]);
});

test("sync --every ends when its keys are refused", async (t) => {
  const { folder, run, destination } = await startTwoServices(t);
  const credentials = join(folder, "wrong");
  const wrong = "aws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n";
  await writeFile(credentials, `[wrong]\n${wrong}`);
  const to = ["--to", destination.endpoint, "--to-profile", "wrong"];
  const { code, stderr } = await run(["sync", ...to, "--all", "--every", "1s"], {
    env: { AWS_SHARED_CREDENTIALS_FILE: credentials },
  });
  assert.equal(code, 4, stderr);
  assert.match(stderr, /refuses your access key/);
});
