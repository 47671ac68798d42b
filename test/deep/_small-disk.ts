import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { appendFile, mkdir, stat, statfs, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BLOCK_SIZE_BYTES, RESERVE_SIZE_BYTES } from "../../src/model/limits.ts";
import { blockToken, getParts, list, putParts, send } from "../support/operations.ts";
import { seededBytes } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";

/* A disk of its own, a tmpfs, which a ballast file fills up. */

/** Blocks by their index. */
export type Blocks = ReadonlyMap<number, Uint8Array>;

/** Such a disk. */
export interface SmallDisk {
  /** Where it is mounted. */
  readonly disk: string;
  /** The data folder on it. */
  readonly data: string;
  /** The file that takes what is to be taken. */
  readonly ballast: string;
}

/** True where one can be mounted. */
export function canMount(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0 && tryMount();
}

function tryMount(): boolean {
  const script = "mount -t tmpfs -o size=64k none /mnt";
  return spawnSync("unshare", ["-m", "sh", "-c", script]).status === 0;
}

/**
 * Mounts one, with an empty data folder. `end` is called before it is unmounted, for nobody may
 * have a file open on it then.
 */
export async function mountDisk(
  run: Cleanup,
  sizeMib: number,
  end: () => Promise<void>,
): Promise<{ readonly place: SmallDisk; readonly unmount: () => Promise<void> }> {
  let disk: string | undefined;
  const unmount = async () => {
    await end();
    if (disk !== undefined) spawnSync("umount", [disk]);
  };
  // Before the folder's own removal, which comes too soon for one that is mounted.
  run.after(unmount);
  disk = await temporaryDirectory(run);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMib}m`, "none", disk]);
  assert.equal(mounted.status, 0, mounted.stderr.toString());
  const data = join(disk, "data");
  await mkdir(data);
  return { place: { disk, data, ballast: join(disk, "ballast") }, unmount };
}

/** True when the data folder holds a whole reserve. */
export function reserveIsWhole({ data }: SmallDisk): boolean {
  const reserve = join(data, "reserve");
  return existsSync(reserve) && statSync(reserve).size === RESERVE_SIZE_BYTES;
}

/** Bytes that nobody has taken yet. */
export async function freeBytes({ disk }: SmallDisk): Promise<number> {
  const { bavail, bsize } = await statfs(disk);
  return bavail * bsize;
}

/** Lets the ballast take all that is left. */
export async function takeLastByte({ ballast }: SmallDisk): Promise<void> {
  await appendFile(ballast, "");
  // What is left is taken page by page, so that a torn write leaves nothing behind.
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

/** True when it was acknowledged; a refusal has to say that the disk is full. */
export async function putUnlessFull(
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
export async function readAll(target: Target, snapshotId: string, blocks: Blocks): Promise<number> {
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

/** Waits until something has come to pass, for at most 10 s. */
export async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await isDone()); await sleep(20)) {
    assert.ok(performance.now() - begun < 10_000, "it comes to pass within 10 s");
  }
}

/** Bytes that do not compress. */
export function contents(blockIndex: number, seed: string): Uint8Array {
  return seededBytes(`${seed} ${blockIndex}`, BLOCK_SIZE_BYTES);
}
