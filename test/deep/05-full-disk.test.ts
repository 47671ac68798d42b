import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, mkdir, rm, stat, statfs, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { type ServerProcess, spawnServer } from "../crash/process.ts";
import {
  actionParts,
  blockToken,
  complete,
  getParts,
  list,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { pick, seededBytes, seededFraction } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * A disk of its own, a tmpfs, on which a ballast file leaves just so many bytes free, from one to
 * three blocks. Some writers write until all of them are refused; then the ballast takes the last
 * byte. Reading has to go on, and deleting; new data is refused in words. When the ballast is
 * gone, writes have to be taken again, and every block that was acknowledged has to be there.
 * A tmpfs gives out whole pages, so a write breaks off at any page, and not at any byte.
 */

/** The reserve and the room that writes are taken again at, what one life stores, and more. */
const DISK_MIB = 96;
/** Sizes tried on one data folder: what they store stays on the disk. */
const SIZES_OF_ONE_LIFE = 10;
const WRITERS = 4;
/** Of one writer; three blocks never hold so many. */
const PUTS_MAX = 6;
const RESUME_MS_MAX = 5_000;

scorecard({
  number: 5,
  name: "disk full at free-space sizes from 1 B to 3 blocks",
  goal:
    "200 sizes: acked lost 0; short writes acked 0; reads 100 %; delete at 0 B free 100 %; " +
    "writes resume ≤ 5 s after space",
  peer: "borg 2: silent loss until Jul 2026; restic needs --unsafe-recover-no-free-space",
  skip: () => (canMount() ? undefined : "needs Linux and the right to mount a tmpfs"),
  async run(run) {
    const fraction = seededFraction(run.seed);
    const wanted = run.count(200, 3);
    const edges = [1, 4_095, 4_097, BLOCK_SIZE_BYTES - 1, BLOCK_SIZE_BYTES + 1];
    const odd = () => 1 + 2 * pick(fraction, (3 * BLOCK_SIZE_BYTES) / 2);
    const sizes = Array.from({ length: wanted }, (_, i) => (run.isFull && edges[i]) || odd());
    const counts = { sizes: 0, acknowledged: 0, refused: 0, reads: 0, deletions: 0, resumeMs: 0 };
    while (counts.sizes < wanted) {
      const some = sizes.slice(counts.sizes, counts.sizes + SIZES_OF_ONE_LIFE);
      await oneLife(run, some, counts);
    }
    assert.ok(counts.resumeMs <= RESUME_MS_MAX, `writes resumed after ${counts.resumeMs} ms`);
    return (
      `${counts.sizes} sizes, ${counts.acknowledged} blocks acked, lost 0, short 0; ` +
      `${counts.refused} refused; ${counts.reads} reads 100 %; ${counts.deletions} deletions at ` +
      `0 B free 100 %; writes resumed after at most ${(counts.resumeMs / 1000).toFixed(1)} s`
    );
  },
});

type Counts = Record<
  "sizes" | "acknowledged" | "refused" | "reads" | "deletions" | "resumeMs",
  number
>;

function canMount(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0 && tryMount();
}

function tryMount(): boolean {
  const script = "mount -t tmpfs -o size=64k none /mnt";
  return spawnSync("unshare", ["-m", "sh", "-c", script]).status === 0;
}

/** A server on a new data folder on a disk of its own, filled up again and again. */
async function oneLife(run: ScorecardRun, sizes: readonly number[], counts: Counts): Promise<void> {
  let server: ServerProcess | undefined;
  let disk: string | undefined;
  const end = async () => {
    await server?.kill();
    if (disk !== undefined) spawnSync("umount", [disk]);
  };
  // Before the folder's own removal, which comes too soon for one that is mounted.
  run.after(end);
  disk = await temporaryDirectory(run);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "none", disk]);
  assert.equal(mounted.status, 0, mounted.stderr.toString());
  const data = join(disk, "data");
  await mkdir(data);
  server = spawnServer(data);
  const target = await server.greeting;
  await until(() => existsSync(join(data, "reserve")) && reserveIsWhole(data));
  const known = new Map([0, 1, 600].map((index) => [index, contents(index, "known")]));
  const kept = new Map<string, Blocks>([[await snapshotOf(target, known), known]]);
  for (const size of sizes) {
    const [id, blocks] = await fillUp({ target, disk, known: kept }, size, counts);
    kept.set(id, blocks);
    counts.sizes += 1;
  }
  checkLog(server.errors(), sizes.length);
  await server.kill();
  server = spawnServer(data);
  const again = await server.greeting;
  for (const [id, blocks] of kept) await readAll(again, id, blocks);
  assert.equal(server.errors(), "");
  await end();
}

async function reserveIsWhole(data: string): Promise<boolean> {
  const reserve = await stat(join(data, "reserve")).catch(() => undefined);
  return reserve?.size === 16 * 1024 * 1024;
}

type Blocks = ReadonlyMap<number, Uint8Array>;

interface FullDisk {
  readonly target: Target;
  readonly disk: string;
  readonly known: ReadonlyMap<string, Blocks>;
}

/** One size: fills the disk, looks, makes room, looks. Answers what was written meanwhile. */
async function fillUp(
  { target, disk, known }: FullDisk,
  size: number,
  counts: Counts,
): Promise<[string, Blocks]> {
  const victim = await snapshotOf(target, new Map([[1, contents(1, "known")]]));
  const id = await start(target);
  const ballast = join(disk, "ballast");
  await leaveFree(disk, ballast, size);
  const acknowledged = new Map<number, Uint8Array>();
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let i = 0; i < PUTS_MAX; i++) {
      const blockIndex = writer + WRITERS * i;
      const bytes = contents(blockIndex, `${size}`);
      if (await put(target, { snapshotId: id, blockIndex }, bytes)) {
        acknowledged.set(blockIndex, bytes);
      } else {
        counts.refused += 1;
        return;
      }
    }
    throw new Error(`${size} bytes hold more than ${PUTS_MAX} blocks of one writer`);
  });
  await Promise.all(writers);
  await takeLastByte(ballast);
  for (const [snapshotId, blocks] of known) {
    counts.reads += await readAll(target, snapshotId, blocks);
  }
  const deletion = actionParts("DeleteSnapshot", { SnapshotId: victim });
  const deleted = await send(target, deletion, { service: "ec2" });
  assert.equal(deleted.status, 200, `deleting goes on: ${deleted.text}`);
  counts.deletions += 1;
  const refusal = await send(target, startParts({ VolumeSize: 1 }));
  assert.match(refusal.text, /disk .* is full/, "a start is refused in words");
  await rm(ballast);
  const resumed = performance.now();
  const [blockIndex, bytes] = [1_000, contents(1_000, `${size}`)];
  await until(() => put(target, { snapshotId: id, blockIndex }, bytes));
  counts.resumeMs = Math.max(counts.resumeMs, performance.now() - resumed);
  acknowledged.set(blockIndex, bytes);
  counts.acknowledged += acknowledged.size;
  assert.equal(await complete(target, id, acknowledged.size), "completed");
  await readAll(target, id, acknowledged);
  return [id, acknowledged];
}

/** Writes a ballast file that leaves so many bytes. */
async function leaveFree(disk: string, ballast: string, size: number): Promise<void> {
  await until(async () => {
    try {
      await writeFile(ballast, Buffer.alloc(Math.max(0, (await freeBytes(disk)) - size)));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      // The server has taken room since it was measured, and may have given its reserve away now.
      await rm(ballast);
      await until(() => reserveIsWhole(join(disk, "data")));
      return false;
    }
  });
}

/** True when it was acknowledged; a refusal has to say that the disk is full. */
async function put(
  target: Target,
  place: { readonly snapshotId: string; readonly blockIndex: number },
  bytes: Uint8Array,
): Promise<boolean> {
  const response = await send(target, putParts(place, bytes));
  if (response.status === 201) return true;
  assert.equal(response.status, 500, response.text);
  assert.match(response.text, /disk .* is full.*Delete snapshots or give the disk room/);
  return false;
}

/** Reads all of a snapshot and compares it; answers how many blocks that were. */
async function readAll(target: Target, snapshotId: string, blocks: Blocks): Promise<number> {
  const { Blocks } = await list(target, snapshotId);
  const found = Blocks.map(({ BlockIndex }) => BlockIndex);
  assert.deepEqual(
    found,
    [...blocks.keys()].sort((a, b) => a - b),
  );
  for (const [blockIndex, bytes] of blocks) {
    const token = await blockToken(target, snapshotId, blockIndex);
    const response = await send(target, getParts(snapshotId, blockIndex, token));
    assert.equal(response.status, 200, response.text);
    assert.equal(Buffer.compare(response.body, bytes), 0, "the block is as it was sent");
  }
  return blocks.size;
}

async function freeBytes(disk: string): Promise<number> {
  const { bavail, bsize } = await statfs(disk);
  return bavail * bsize;
}

async function takeLastByte(ballast: string): Promise<void> {
  const page = Buffer.alloc(4_096);
  for (;;) {
    const { size } = await stat(ballast);
    try {
      await appendFile(ballast, page);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
      await truncate(ballast, Math.max(size, (await stat(ballast)).size));
      return;
    }
  }
}

/** One line when the disk became full and one when it no longer was, and no others. */
function checkLog(errors: string, times: number): void {
  const lines = errors.split("\n").filter(Boolean);
  const messages = lines.map((line) => (JSON.parse(line) as { message: string }).message);
  const ofFull = messages.filter((message) => /is full: new data is refused/.test(message));
  const ofRoom = messages.filter((message) => /has room again/.test(message));
  const told = [ofFull.length, ofRoom.length, messages.length];
  assert.deepEqual(told, [times, times, 2 * times], errors);
}

async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await isDone()); await sleep(20)) {
    assert.ok(performance.now() - begun < 10_000, "it comes to pass within 10 s");
  }
}

/** Bytes that do not compress. */
function contents(blockIndex: number, seed: string): Uint8Array {
  return seededBytes(`${seed} ${blockIndex}`, BLOCK_SIZE_BYTES);
}
