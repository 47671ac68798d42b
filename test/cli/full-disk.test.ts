import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Outcome, type RunOptions, runVarve } from "./_varve.ts";

/*
 * The disk of this machine is full, not the service's: that of an image that is written, or of the
 * log from which a transfer goes on. The command ends with 6 and says which file it could not
 * write; with more room the same command goes on, and ends well.
 */

const BLOCKS = 120;
const service = await startService({ after });
const folder = await temporaryDirectory({ after });
const image = join(folder, "image.raw");
const contents = Array.from({ length: BLOCKS }, (_, i) => [2 * i, i + 1] as const);
await writeImage(image, 2 * BLOCKS * BLOCK_SIZE_BYTES, Object.fromEntries(contents));
/** A log's page: it holds some dozens of blocks, and not all of them. */
const PAGE = "4k";

const skip =
  process.platform === "linux" && process.getuid?.() === 0 && canMount()
    ? false
    : "needs Linux and the right to mount a tmpfs";

const varve = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  runVarve(args, { cwd: folder, env: awsEnvironment(service), ...options });

const result = async (args: readonly string[], options: RunOptions = {}): Promise<string> => {
  const { code, stdout, stderr } = await varve(args, options);
  assert.equal(code, 0, stderr);
  return stdout.trimEnd();
};

const snapshotId = skip ? "" : await result(["upload", image]);

test("an image for which there is no room is gone on with", { skip }, async (t) => {
  const disk = await mountDisk(t, "8m");
  const target = join(disk.path, "restored.raw");
  const download = ["download", snapshotId, target, "--json"];
  const { code, stderr } = await varve(download);
  assert.equal(code, 6, stderr);
  const { message, resumeCommand } = errorOf(stderr);
  assert.match(
    message,
    /^Cannot write \S+restored\.raw: no space is left on the disk\. What was written is kept/,
  );
  assert.ok(resumeCommand.startsWith("varve download "));
  disk.resize("200m");
  const done = JSON.parse(await result(download));
  assert.equal(done.blocksReceived + done.blocksKept, BLOCKS);
  await assertSameBytes(target, image);
  assert.deepEqual(await readdir(disk.path), ["restored.raw"]);
});

test("an image of which nothing can be written is told by its name", { skip }, async () => {
  const by = ["sh", "-c", '"$@" >/dev/full', "sh"];
  const { code, stderr } = await varve(["download", snapshotId, "-"], { by });
  assert.equal(code, 6, stderr);
  assert.match(stderr, /^varve: Cannot write to -: .*no space/m);
});

for (const room of ["0", PAGE]) {
  test(`an upload whose log has room for ${room} is gone on with`, { skip }, async (t) => {
    const disk = await mountDisk(t, PAGE);
    if (room === "0") disk.fill();
    const log = join(disk.path, "log");
    const upload = ["upload", image, "--resume-file", log, "--json", "--description", room];
    const { code, stderr } = await varve(upload);
    assert.equal(code, 6, stderr);
    const { message, snapshotId: begun } = errorOf(stderr);
    assert.ok(message.startsWith(`Cannot write ${log}: no space is left on the disk.`), message);
    disk.resize("1m");
    const done = JSON.parse(await result(upload));
    assert.equal(done.blocksSent + done.blocksKept, BLOCKS);
    if (room === PAGE) assert.deepEqual([done.snapshotId, done.blocksKept > 0], [begun, true]);
    const restored = join(folder, `restored-${room}.raw`);
    await result(["download", done.snapshotId, restored]);
    await assertSameBytes(restored, image);
    assert.deepEqual(await readdir(disk.path), disk.files(), "the log is gone");
  });

  test(`a download whose log has room for ${room} is gone on with`, { skip }, async (t) => {
    const disk = await mountDisk(t, PAGE);
    if (room === "0") disk.fill();
    const log = join(disk.path, "log");
    const target = join(folder, `target-${room}.raw`);
    const download = ["download", snapshotId, target, "--resume-file", log, "--json"];
    const { code, stderr } = await varve(download);
    assert.equal(code, 6, stderr);
    const { message } = errorOf(stderr);
    assert.ok(message.startsWith(`Cannot write ${log}: no space is left on the disk.`), message);
    disk.resize("1m");
    const done = JSON.parse(await result(download));
    assert.equal(done.blocksReceived + done.blocksKept, BLOCKS);
    await assertSameBytes(target, image);
    assert.deepEqual(await readdir(disk.path), disk.files(), "the log is gone");
  });
}

interface Failure {
  readonly message: string;
  readonly snapshotId?: string;
  readonly resumeCommand: string;
}

/** What a command that was given --json said last. */
function errorOf(stderr: string): Failure {
  return JSON.parse(stderr.trim().split("\n").at(-1) ?? "").error as Failure;
}

function canMount(): boolean {
  const script = "mount -t tmpfs -o size=64k none /mnt";
  return spawnSync("unshare", ["-m", "sh", "-c", script]).status === 0;
}

/** A disk of such a size, which can be given more room. */
async function mountDisk(t: TestContext, size: string) {
  const path = await temporaryDirectory(t);
  const mount = (...options: readonly string[]) => {
    const { status, stderr } = spawnSync("mount", [...options, path]);
    assert.equal(status, 0, stderr.toString());
  };
  mount("-t", "tmpfs", "-o", `size=${size}`, "none");
  t.after(() => spawnSync("umount", [path]));
  const files: string[] = [];
  return {
    path,
    /** Names of the files that belong to the disk. */
    files: () => files,
    resize: (to: string) => mount("-o", `remount,size=${to}`),
    /** Takes all the room. */
    fill() {
      spawnSync("sh", ["-c", 'cat /dev/zero >"$0"/ballast 2>&-', path]);
      files.push("ballast");
    },
  };
}
