import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { RECORD_KIND } from "../../src/blocks/record.ts";
import { BLOCK_SIZE_BYTES, GIB_BYTES } from "../../src/model/limits.ts";
import { flipBit, storedRecords } from "../support/damage.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Outcome, type RunOptions, runVarve } from "./_varve.ts";

/* The command as its users run it, against a real service. */

const service = await startService({ after });
const folder = await temporaryDirectory({ after });
const image = join(folder, "image.raw");
await writeImage(image, 6 * BLOCK_SIZE_BYTES + 7, { 0: 1, 3: 0, 5: 2, 6: 3 });

const varve = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> => {
  const env = { ...awsEnvironment(service), ...options.env };
  return runVarve(args, { cwd: folder, ...options, env });
};

/** Runs a command that must succeed, and answers its result. */
const result = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await varve(args);
  assert.equal(code, 0, stderr);
  return stdout.trimEnd();
};

/** Runs a command that must fail: one line on standard error, nothing on standard output. */
const failure = async (exitCode: number, args: string[], options: RunOptions = {}) => {
  const { code, stdout, stderr } = await varve(["--quiet", ...args], options);
  assert.equal(code, exitCode, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /^varve: [^\n]+\n$/);
  return stderr;
};

test("upload, incremental upload, diff, download, list and delete", async () => {
  const first = await result("upload", image, "--tag", "name=disk", "--description", "one");
  assert.match(first, /^snap-[0-9a-f]{17}$/);
  const changed = join(folder, "changed.raw");
  await writeImage(changed, 6 * BLOCK_SIZE_BYTES + 7, { 0: 1, 4: 9, 6: 3 });
  const second = await result("upload", changed, "--parent", first);
  const diff = await result("diff", first, second);
  assert.match(diff, /^2 blocks differ \(1 MiB\): 1 in both, 0 only in the first, 1 only in/);
  assert.match(diff, /\n0 \|░·{63}\| 1 GiB\n/);
  assert.match(diff, /\n +4 +2 +2 MiB +1 MiB$/);
  const restored = join(folder, "restored.raw");
  assert.equal(await result("download", second, restored), restored);
  await assertSameBytes(restored, changed);
  const table = (await result("list")).split("\n");
  assert.match(
    table[0] ?? "",
    /^SNAPSHOT +STATE +GIB +FULL SIZE +VERIFIED +STARTED +DESCRIPTION +TAGS$/,
  );
  const row = table.find((line) => line.startsWith(first)) ?? "";
  assert.match(row, /completed +1 +2 MiB +- +\S+ \S+Z +one +name=disk varve:image-bytes=3145735$/);
  assert.equal(await result("delete", first, second), `${first}\n${second}`);
  assert.doesNotMatch(await result("list"), new RegExp(first));
});

test("verify, scrub, and a salvage of what is damaged", async (t) => {
  const own = await startService(t, { scrubDays: 0, log: () => undefined });
  const env = { ...awsEnvironment(own), VARVE_ENDPOINT: own.endpoint };
  const run = (...args: string[]) => runVarve(["--quiet", ...args], { cwd: folder, env });
  const { stdout: id } = await run("upload", image);
  const whole = await run("verify", id.trim());
  assert.equal(whole.code, 0, whole.stderr);
  assert.match(whole.stdout, /4 blocks \(1\.50 MiB\), all of them whole; manifest whole\.\n$/);
  assert.match((await run("scrub", "--sample", "1/1")).stdout, /: 0 damaged\.\n$/);
  assert.match((await run("list")).stdout, /\d{4}-\d\d-\d\d whole /);
  assert.equal((await run("scrub", "--sample", "3/2")).code, 2);
  for (const record of await storedRecords(own)) {
    if (record.kind === RECORD_KIND.block) await flipBit(own, record);
  }
  const verified = await run("verify", id.trim(), "--json");
  assert.equal(verified.code, 7, verified.stderr);
  assert.deepEqual(JSON.parse(verified.stdout).badExtents, [
    { start: 0, count: 1 },
    { start: 5, count: 2 },
  ]);
  const scrubbed = await run("scrub");
  assert.equal(scrubbed.code, 7);
  assert.match(scrubbed.stdout, /: 3 damaged\.\n\nSEGMENT +OFFSET +LENGTH +DOMAIN +NAME\n/);
  assert.match((await run("list")).stdout, /\d{4}-\d\d-\d\d damaged /);
});

test("with --json, results and failures are objects", async () => {
  const { code, stdout, stderr } = await varve(["--json", "upload", image]);
  assert.equal(code, 0);
  const { snapshotId, blocksSent, volumeSizeGib } = JSON.parse(stdout);
  assert.deepEqual([blocksSent, volumeSizeGib], [4, 1]);
  const events = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.ok(events.every(({ event }) => event === "progress"));
  assert.equal(events.at(-1).percent, 100);
  const { snapshots } = JSON.parse(await result("list", "--json"));
  const listed = snapshots.find((one: { snapshotId: string }) => one.snapshotId === snapshotId);
  assert.equal(listed.tags["varve:image-bytes"], String(6 * BLOCK_SIZE_BYTES + 7));
  const other = JSON.parse(await result("upload", image, "--parent", snapshotId, "--json"));
  const diff = JSON.parse(await result("diff", snapshotId, other.snapshotId, "--json"));
  assert.deepEqual([diff.changedBlocks, diff.extents], [0, []]);
  const failed = await varve(["diff", snapshotId, "snap-0123456789abcdef0", "--json"]);
  assert.equal(failed.code, 3);
  assert.equal(failed.stdout, "");
  const { error } = JSON.parse(failed.stderr);
  assert.equal(error.code, "ResourceNotFoundException");
  assert.equal(error.status, 404);
  assert.ok(error.requestId);
});

test("a wrong command line is told, and ends with 2", async () => {
  const wrong: [args: string[], message: RegExp][] = [
    [["upload"], /missing required argument 'image'/],
    [["uplaod", image], /unknown command 'uplaod'.*Did you mean upload/],
    [["upload", image, "--sise", "1"], /unknown option '--sise'/],
    [["upload", image, "--volume-size", "0"], /whole number from 1 to 65536/],
    [["upload", image, "--tag", "x"], /KEY=VALUE/],
    [["upload", image, "--holes", "x"], /auto, seek, zero/],
    [["download", "snap-XYZ", "x"], /looks like snap-/],
    [["download", "../../etc", "x"], /looks like snap-/],
    [["list", "--endpoint", "nonsense"], /no address of the form/],
  ];
  for (const [args, message] of wrong) assert.match(await failure(2, args), message);
  const { code, stdout, stderr } = await varve([]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^Usage: varve/);
  assert.match((await varve(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
  assert.match((await varve(["upload", "--help"])).stdout, /^Usage: varve upload/);
});

test("unknown snapshots end with 3", async () => {
  const unknown = "snap-0123456789abcdef0";
  for (const args of [
    ["download", unknown, "x.raw"],
    ["diff", unknown, unknown],
    ["upload", image, "--parent", unknown],
    ["delete", unknown],
  ]) {
    assert.match(await failure(3, args), /does not exist\..*varve list$/m);
  }
});

test("wrong and missing keys end with 4", async () => {
  const wrong = { AWS_SECRET_ACCESS_KEY: "wrong" };
  assert.match(await failure(4, ["list"], { env: wrong }), /secret is wrong/);
  assert.match(await failure(4, ["upload", image], { env: wrong }), /secret is wrong/);
  const none = { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" };
  assert.match(await failure(4, ["list"], { env: none }), /No access key found\. Set AWS_ACC/);
  assert.match(await failure(4, ["list", "--profile", "p"]), /in the profile p\./);
  assert.match(await failure(4, ["list", "--region", "eu-west-1"]), /--region/);
});

test("keys are found in the shared credentials file", async () => {
  const { accessKeyId, secretAccessKey } = service.firstKey.key;
  const path = join(folder, "credentials");
  const lines = `aws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`;
  await writeFile(path, `[default]\n${lines}[other]\n${lines}`);
  const env = {
    AWS_ACCESS_KEY_ID: "",
    AWS_SECRET_ACCESS_KEY: "",
    AWS_SHARED_CREDENTIALS_FILE: path,
  };
  assert.equal((await varve(["list"], { env })).code, 0);
  assert.equal((await varve(["list", "--profile", "other"], { env })).code, 0);
});

test("no service ends with 5", async () => {
  const text = await failure(5, ["list", "--endpoint", "http://127.0.0.1:1"]);
  assert.match(text, /Cannot reach http:\/\/127\.0\.0\.1:1: connection refused\..*varve serve$/m);
});

test("files that cannot be used end with 6", async () => {
  const snapshotId = await result("upload", image);
  await mkdir(join(folder, "folder"), { recursive: true });
  await writeFile(join(folder, "empty.raw"), "");
  const cases: [args: string[], message: RegExp][] = [
    [["upload", "none.raw"], /Cannot read none\.raw: no such file or directory\.$/m],
    [["upload", "folder"], /Cannot read folder: it is a directory\.$/m],
    [["upload", "empty.raw"], /The image empty\.raw is empty\.$/m],
    [["download", snapshotId, image], /exists already\. Replace it with: --force$/m],
    [["download", snapshotId, "none/x.raw"], /no such file or directory\.$/m],
  ];
  for (const [args, message] of cases) assert.match(await failure(6, args), message);
});

test("a disk that is full ends with 6 and leaves nothing", async (t) => {
  const mount = join(folder, "small-disk");
  await mkdir(mount);
  const script = `mount -t tmpfs -o size=900k none ${mount} && exec "$@"; exit 99`;
  const by = ["unshare", "-rm", "sh", "-c", script, "sh"];
  if (spawnSync(by[0] as string, [...by.slice(1), "true"]).status !== 0) {
    return t.skip("this machine lets nobody make a small disk");
  }
  const snapshotId = await result("upload", image);
  // One block fits, and a part of the second.
  const last = `"$@"; code=$?; ls -A ${mount} >&2; exit $code`;
  const looking = [...by, "sh", "-c", last, "sh"];
  const download = ["download", snapshotId, join(mount, "x.raw")];
  const { code, stderr } = await varve([...download, "--no-resume"], { by: looking });
  assert.equal(code, 6, stderr);
  assert.match(stderr, /^varve: Cannot write \S+: no space is left on the disk\.\n$/);
  const kept = await varve(download, { by: looking });
  assert.equal(kept.code, 6, kept.stderr);
  assert.match(kept.stderr, /the disk\. What was written is kept in \S+-part\. Go on with: /);
  assert.match(kept.stderr, /\n\.x\.raw\.varve-log\n\.x\.raw\.varve-part\n$/);
});

test("an interrupted upload without resuming ends with 130 and deletes its snapshot", async () => {
  const large = join(folder, "large.raw");
  const blocks = Array.from({ length: 200 }, (_, i) => [i, i + 1] as const);
  await writeImage(large, GIB_BYTES, Object.fromEntries(blocks));
  const { code, stdout, stderr } = await varve(
    [
      "upload",
      large,
      "--no-resume",
      "--concurrency",
      "1",
      "--json",
      "--description",
      "interrupted",
    ],
    { onStderr: (_text, child) => child.killed || child.kill("SIGINT") },
  );
  assert.equal(code, 130, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /"message":"Interrupted\. The unfinished snapshot snap-\w+ was deleted\."/);
  assert.doesNotMatch(await result("list"), /interrupted/);
});

test("no command leaves a part of a file behind", async () => {
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith(".part")),
    [],
  );
});
