import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { BLOCK_SIZE_BYTES, GIB_BYTES, VOLUME_SIZE_GIB_MAX } from "../../src/model/limits.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { runVarve } from "./_varve.ts";

/*
 * The largest volume there is, nearly all of it holes, goes in, is compared and comes back in
 * seconds and in little memory. Needs a file system that takes a file of 64 TiB: the one that
 * Linux keeps in memory does. VARVE_HUGE_BLOCKS=1000 is the long run.
 */

const BLOCKS = Number(process.env["VARVE_HUGE_BLOCKS"] ?? 60);
const SIZE_BYTES = VOLUME_SIZE_GIB_MAX * GIB_BYTES;
/** What each command may have of memory at any time. */
const RSS_MIB_MAX = 200;
const SECONDS_MAX = 120;
const FOLDER = "/dev/shm";
/** Milliseconds between two looks at the memory of a command; the system keeps the maximum. */
const LOOK_MS = 20;

/** Block indexes of data, spread over the whole volume. */
const INDEXES = Array.from({ length: BLOCKS }, (_, i) => {
  return Math.floor((i * (SIZE_BYTES / BLOCK_SIZE_BYTES - 1)) / (BLOCKS - 1));
});

async function makeImage(path: string): Promise<void> {
  const file = await open(path, "w");
  await file.truncate(SIZE_BYTES);
  // A page of data makes a block of data, and costs no more than a page.
  for (const index of INDEXES) {
    await file.write(Buffer.alloc(4_096, index + 1), 0, 4_096, index * BLOCK_SIZE_BYTES);
  }
  await file.close();
}

/** Bytes that the system has seen a process have at once, as long as it is there. */
async function peakBytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

async function canHold(sizeBytes: number): Promise<boolean> {
  if (!existsSync(FOLDER)) return false;
  const { bavail, bsize } = await statfs(FOLDER);
  return bavail * bsize > sizeBytes;
}

async function setUp(t: TestContext) {
  const folder = await mkdtemp(join(FOLDER, "varve-huge-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const service = await startService(t);
  const run = async (...args: string[]): Promise<string> => {
    let peak = 0;
    let timer: NodeJS.Timeout | undefined;
    const startedMs = performance.now();
    const { code, stdout, stderr } = await runVarve(args, {
      cwd: folder,
      env: awsEnvironment(service),
      onStart: ({ pid }) => {
        const look = async () => {
          peak = Math.max(peak, await peakBytes(pid));
        };
        timer = setInterval(look, LOOK_MS);
      },
    });
    clearInterval(timer);
    assert.equal(code, 0, stderr);
    const [mib, seconds] = [Math.round(peak / 2 ** 20), (performance.now() - startedMs) / 1000];
    t.diagnostic(`${args[0]}: ${seconds.toFixed(1)} s, at most ${mib} MiB of memory`);
    assert.ok(mib > 0 && mib <= RSS_MIB_MAX, `${args[0]} took ${mib} MiB`);
    assert.ok(seconds < SECONDS_MAX, `${args[0]} took ${seconds} s`);
    return stdout.trimEnd();
  };
  return { folder, run };
}

test(`64 TiB with ${BLOCKS} blocks of data go in, are compared, and come back`, async (t) => {
  if (!(await canHold(2 * BLOCKS * BLOCK_SIZE_BYTES))) return t.skip(`no room in ${FOLDER}`);
  const { folder, run } = await setUp(t);
  const [image, target] = [join(folder, "image.raw"), join(folder, "restored.raw")];
  await makeImage(image);
  const first = JSON.parse(await run("upload", image, "--json"));
  assert.deepEqual([first.blocksSent, first.volumeSizeGib], [BLOCKS, VOLUME_SIZE_GIB_MAX]);
  assert.match(await run("diff", first.snapshotId, image), /have the same contents/);
  const file = await open(image, "r+");
  await file.write(Buffer.from("changed"), 0, 7, SIZE_BYTES - 7);
  await file.close();
  const args = ["upload", image, "--parent", first.snapshotId, "--json"];
  const second = JSON.parse(await run(...args));
  assert.equal(second.blocksSent, 1);
  const diff = JSON.parse(await run("diff", first.snapshotId, second.snapshotId, "--json"));
  assert.equal(diff.changedBlocks, 1);
  await run("download", second.snapshotId, target);
  const { size, blocks } = await stat(target);
  assert.equal(size, SIZE_BYTES);
  assert.ok(blocks * 512 <= (BLOCKS + 2) * BLOCK_SIZE_BYTES, "it is sparse");
  assert.match(await run("diff", second.snapshotId, target), /have the same contents/);
});
