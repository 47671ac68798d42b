import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { appendFile, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BLOCK_SIZE_BYTES, GIB_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Outcome, type RunOptions, runVarve } from "./_varve.ts";

/* Where images come from and go to, and what a user is told of a transfer that ended early. */

const service = await startService({ after });
const folder = await temporaryDirectory({ after });
const image = join(folder, "image.raw");
const SIZE_BYTES = 40 * BLOCK_SIZE_BYTES + 7;
await writeImage(image, SIZE_BYTES, { 0: 1, 3: 0, 5: 2, 17: 9, 40: 3 });

const varve = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> => {
  const env = { ...awsEnvironment(service), ...options.env };
  return runVarve(args, { cwd: folder, ...options, env });
};

const result = async (args: readonly string[], options: RunOptions = {}): Promise<string> => {
  const { code, stdout, stderr } = await varve(args, options);
  assert.equal(code, 0, stderr);
  return stdout.trimEnd();
};

/** Runs the command behind a shell's line, in which "$@" is the command. */
const shell = (line: string) => ({ by: ["sh", "-c", line, "sh"] });

async function manyBlocks(name: string): Promise<string> {
  const path = join(folder, name);
  const blocks = Array.from({ length: 120 }, (_, i) => [i, i + 1] as const);
  await writeImage(path, 120 * BLOCK_SIZE_BYTES, Object.fromEntries(blocks));
  return path;
}

test("an interrupted upload says how to go on, and that goes on", async () => {
  const path = await manyBlocks("it's large.raw");
  const args = ["upload", path, "--concurrency", "1", "--description", "in two runs"];
  const interrupted = await varve([...args, "--json"], {
    onStderr: (_text, child) => child.killed || child.kill("SIGINT"),
  });
  assert.equal(interrupted.code, 130, interrupted.stderr);
  const { error } = JSON.parse(interrupted.stderr.trim().split("\n").at(-1) ?? "");
  const { snapshotId, message, resumeCommand } = error;
  assert.match(
    message,
    /^Interrupted\. What was sent of snap-\w+ is kept for 60 min\. Go on with: /,
  );
  assert.ok(message.endsWith(resumeCommand));
  // The very command, as a shell takes it.
  const line = resumeCommand.replace(/^varve/, '"$0" "$1"');
  const again = await varve([], { by: ["sh", "-c", line] });
  assert.equal(again.code, 0, again.stderr);
  const events = again.stderr
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text));
  assert.deepEqual(events[0], {
    event: "resumed",
    message: events[0].message,
  });
  assert.match(events[0].message, /^Going on with the upload of snap-\w+: \d+ blocks? w/);
  const done = JSON.parse(again.stdout);
  assert.equal(done.snapshotId, snapshotId);
  assert.ok(done.blocksKept > 0 && done.blocksSent + done.blocksKept === 120);
  const progress = events.filter(({ event }) => event === "progress").at(-1);
  for (const name of ["bytesPerSecond", "blocksInFlight", "retries", "secondsLeft"]) {
    assert.ok(name in progress, name);
  }
});

test("an interrupted download says how to go on, and that goes on", async () => {
  const path = await manyBlocks("large.raw");
  const snapshotId = await result(["upload", path]);
  const target = join(folder, "large.restored.raw");
  const args = ["download", snapshotId, target, "--concurrency", "1"];
  const interrupted = await varve([...args, "--json"], {
    onStderr: (_text, child) => child.killed || child.kill("SIGINT"),
  });
  assert.equal(interrupted.code, 130, interrupted.stderr);
  assert.match(interrupted.stderr, /kept in \S+\.large\.restored\.raw\.varve-part\. Go on with: /);
  const { stdout, stderr, code } = await varve(args);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), target);
  assert.match(
    stderr,
    /^Going on with the download of \S+ in \S+-part\.\nDownloaded .*already\.\n$/,
  );
  await assertSameBytes(target, path);
});

test("standard input and output carry an image", async () => {
  const args = ["upload", "-", "--volume-size", "1"];
  const snapshotId = await result(args, shell(`cat ${image} | "$@"`));
  const out = join(folder, "out.raw");
  const said = await varve(["download", snapshotId, "-"], shell(`"$@" > ${out}`));
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stderr, /^Downloaded snap-/);
  await assertSameBytes(out, image);
  const cut = await varve(
    ["download", snapshotId, "-"],
    shell(`{ "$@"; echo $? >&2; } | head -c 9`),
  );
  assert.match(cut.stderr, /varve: Cannot write to -: write EPIPE\.\n6\n$/);
  const unsized = await varve(["upload", "-"], shell(`cat ${image} | "$@"`));
  assert.equal(unsized.code, 6);
  assert.match(unsized.stderr, /size of the volume is needed.* --volume-size GIB$/m);
  const long = await varve(args, shell(`head -c ${GIB_BYTES + 1} /dev/zero | "$@"`));
  assert.match(long.stderr, /longer than the volume of 1 GiB\. The unfinished \S+ \S+ was deleted/);
  const empty = await varve(args, shell(`"$@" < /dev/null`));
  assert.match(empty.stderr, /The image - is empty\.$/m);
});

/** The first bytes of images that are not raw, and what makes them so. */
const FORMATS: readonly (readonly [magic: string | Buffer, message: RegExp])[] = [
  ["QFI\u00fb", /no raw image but qcow2: .*: qemu-img convert -f qcow2 -O raw \S+x\.img \S+x\.raw/],
  ["KDMV", /but VMDK: .*-f vmdk /],
  ["# Disk DescriptorFile\n", /but VMDK descriptor: /],
  ["vhdxfile", /but VHDX: .*-f vhdx /],
  ["conectix", /but VHD: .*-f vpc /],
  [Buffer.concat([Buffer.alloc(64, "<"), Buffer.from("7f10dabe", "hex")]), /but VDI: .*-f vdi /],
  [
    Buffer.from("1f8b08", "hex"),
    /but gzip: .* gzip -dc \S+x\.img \| varve upload - --volume-size /,
  ],
];

test("what is no raw image is refused with the command that makes one", async () => {
  const path = join(folder, "x.img");
  for (const [magic, message] of FORMATS) {
    await writeFile(path, Buffer.from(magic as string, "latin1"));
    await truncate(path, BLOCK_SIZE_BYTES);
    const { code, stderr } = await varve(["upload", path]);
    assert.equal(code, 6);
    assert.match(stderr, message);
  }
  assert.match((await varve(["upload", path, "--raw"])).stdout, /^snap-/);
  // A fixed VHD is raw but for its last sector.
  await writeImage(path, BLOCK_SIZE_BYTES, { 0: 1 });
  await appendFile(path, Buffer.concat([Buffer.from("conectix"), Buffer.alloc(504)]));
  assert.match((await varve(["upload", path])).stderr, /but VHD: /);
  const piped = ["upload", "-", "--volume-size", "1"];
  const qcow = await varve(piped, shell(`printf 'QFI\\373' | "$@"`));
  assert.match(qcow.stderr, /^varve: - is no raw image but qcow2/);
});

test("a map of qemu-img says where the data is", async () => {
  const map = join(folder, "map.json");
  const at = (blocks: number) => blocks * BLOCK_SIZE_BYTES;
  const runs = [
    { start: 0, length: at(1), depth: 0, present: true, zero: false, data: true, offset: 0 },
    { start: at(1), length: at(4), depth: 0, present: false, zero: true, data: false },
    { start: at(5), length: at(1), depth: 0, present: true, zero: false, data: true, offset: 9 },
    { start: at(6), length: at(11), depth: 0, present: false, zero: true, data: false },
    // What it does not tell is read.
  ];
  await writeFile(map, JSON.stringify(runs));
  const uploaded = JSON.parse(await result(["upload", image, "--map", map, "--json"]));
  assert.deepEqual([uploaded.blocksRead, uploaded.blocksSent], [26, 26]);
  const out = join(folder, "mapped.raw");
  await result(["download", uploaded.snapshotId, out]);
  await assertSameBytes(out, image);
  const wrong: [text: string, message: RegExp][] = [
    ["[", /it is no JSON\. Make one .*: qemu-img map --output=json -f raw IMAGE/],
    ["[{}]", /its entry 0 has no ascending start, length and data/],
    [JSON.stringify([{ start: 0, length: at(99), data: true }]), /covers 51904512 bytes and the/],
  ];
  for (const [text, message] of wrong) {
    await writeFile(map, text);
    const { code, stderr } = await varve(["upload", image, "--map", map]);
    assert.equal(code, 6);
    assert.match(stderr, message);
  }
});

test("diff compares a snapshot with an image", async () => {
  const snapshotId = await result(["upload", image]);
  const same = await result(["diff", snapshotId, image]);
  assert.equal(same, "The snapshot and the image have the same contents.");
  const other = join(folder, "other.raw");
  // 3 stays zeros as a hole, 5 becomes one, 17 changes, 20 comes.
  await writeImage(other, SIZE_BYTES, { 0: 1, 17: 8, 20: 4, 40: 3 });
  const text = await result(["diff", snapshotId, other]);
  assert.match(
    text,
    /^3 blocks differ \(1\.50 MiB\): 1 in both, 1 only in the snapshot, 1 only in/,
  );
  assert.match(text, /\n0 \|░·{63}\| 1 GiB\n/);
  const found = JSON.parse(await result(["diff", snapshotId, other, "--json"]));
  const extents = [5, 17, 20].map((start) => ({ start, count: 1 }));
  assert.deepEqual([found.changedBlocks, found.extents], [3, extents]);
});

test("an older restore gets only what differs, and is named when it is whole", async () => {
  const first = await result(["upload", image]);
  const disk = join(folder, "disk.raw");
  await result(["download", first, disk]);
  const changed = join(folder, "changed.raw");
  await writeImage(changed, SIZE_BYTES, { 0: 1, 5: 77, 40: 3 });
  const second = await result(["upload", changed, "--parent", first]);
  const { code, stderr } = await varve(["download", second, disk, "--onto"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /2 blocks received and verified, 3 there already\.\n$/);
  await assertSameBytes(disk, changed);
  const wrong = await varve(["download", second, disk, "--base", first]);
  assert.equal(wrong.code, 2);
  const piped = await varve(["download", second, "-", "--onto"]);
  assert.match(piped.stderr, /written once and in order: --onto needs a file/);
});

test("a block device is written in place, and read as an image", async (t) => {
  const backing = join(folder, "device.img");
  await writeImage(backing, SIZE_BYTES + 505, { 2: 5, 5: 6, 30: 7 });
  const attached = spawnSync("losetup", ["--find", "--show", backing], { encoding: "utf8" });
  if (attached.status !== 0) return t.skip("this machine lets nobody make a block device");
  const device = attached.stdout.trim();
  t.after(() => spawnSync("losetup", ["--detach", device]));
  const snapshotId = await result(["upload", image]);
  const refused = await varve(["download", snapshotId, device]);
  assert.equal(refused.code, 6);
  assert.match(refused.stderr, /All that is on the device \S+ would be lost\. .*: --force$/m);
  await result(["download", snapshotId, device, "--force"]);
  assert.equal(
    (await varve(["diff", snapshotId, device])).stdout,
    "The snapshot and the image have the same contents.\n",
  );
  const copy = await result(["upload", device, "--parent", snapshotId, "--json"]);
  assert.equal(JSON.parse(copy).blocksSent, 0);
});

test("a second run of the same command is refused while the first is at it", async () => {
  const path = await manyBlocks("twice.raw");
  let second: Promise<Outcome> | undefined;
  const first = await varve(["upload", path, "--concurrency", "1", "--json"], {
    onStderr: () => {
      second ??= varve(["upload", path, "--concurrency", "1"]);
    },
  });
  assert.equal(first.code, 0, first.stderr);
  const { code, stderr } = (await second) as Outcome;
  assert.equal(code, 6, stderr);
  assert.match(
    stderr,
    /Another process is at this transfer: it holds \S+ \S+ log \S+\. Wait for it/,
  );
});

/** Runs a command with pipes at both its ends that nobody serves; answers it and its end. */
function spawnVarve(args: readonly string[]) {
  const bin = join(import.meta.dirname, "../../bin/varve.mjs");
  const env = { PATH: process.env["PATH"], ...awsEnvironment(service) };
  const child = spawn(process.execPath, [bin, ...args], { cwd: folder, env });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, ended, said: () => said };
}

test("Ctrl-C ends a transfer whose pipe stands still", async () => {
  const writing = spawnVarve(["upload", "-", "--volume-size", "1", "--json"]);
  writing.child.stdin.write(Buffer.alloc(BLOCK_SIZE_BYTES * 3, 7));
  const path = await manyBlocks("stuck.raw");
  const snapshotId = await result(["upload", path]);
  const reading = spawnVarve(["download", snapshotId, "-", "--json"]);
  for (const { child, ended, said } of [writing, reading]) {
    for (let i = 0; i < 500 && !said().includes('"event":"progress"'); i++) await sleep(20);
    await sleep(100);
    child.kill("SIGINT");
    const code = await Promise.race([ended, sleep(10_000, "stuck", { ref: false })]);
    if (code === "stuck") child.kill("SIGKILL");
    assert.equal(code, 130, said());
  }
});

test("nothing is left of transfers that ended", async () => {
  assert.deepEqual(
    (await readdir(folder, { recursive: true })).filter((name) => /varve-|\.log$/.test(name)),
    [],
  );
});
