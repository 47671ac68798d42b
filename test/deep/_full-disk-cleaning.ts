import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { type ServerProcess, spawnServer } from "../crash/process.ts";
import { admin } from "../support/keys.ts";
import {
  actionParts,
  completeParts,
  put,
  send,
  settled,
  snapshotOf,
  start,
} from "../support/operations.ts";
import type { Target } from "../support/raw-http.ts";
import {
  type Blocks,
  contents,
  freeBytes,
  mountDisk,
  putUnlessFull,
  readAll,
  reserveIsWhole,
  takeLastByte,
  until,
} from "./_small-disk.ts";
import type { ScorecardRun } from "./scorecard.ts";

/*
 * A full disk that is cleaned up with what is on it alone. Each life of the server has left a
 * segment of which little will be needed; a ballast takes the disk's last byte, and stays. The
 * server is killed and started on that. Deleting and collecting have to make room for new data.
 */

/** The reserve, the segments, and room for new data to be taken at the beginning. */
const DISK_MIB = 128;
const LIVES = 3;
/** Blocks that one life's segment is still needed for, and others. */
const KEPT_COUNT = 3;
const DELETED_COUNT = 40;

/** What came of it. */
export interface Cleaned {
  /** Bytes of segments given back. */
  readonly freedBytes: number;
  /** From the end of the last collection until new data was taken. */
  readonly resumeMs: number;
}

/** Fills a disk, and cleans it up. */
export async function cleanUpFull(run: ScorecardRun, seed: number): Promise<Cleaned> {
  let server: ServerProcess | undefined;
  const { place, unmount } = await mountDisk(run, DISK_MIB, async () => server?.kill());
  const kept = new Map<string, Blocks>();
  const others: string[] = [];
  let pending = "";
  for (let life = 0; life < LIVES; life++) {
    server = spawnServer(place.data);
    const target = await server.greeting;
    await until(() => reserveIsWhole(place));
    const blocks = someBlocks(KEPT_COUNT, `${seed} ${life} kept`);
    kept.set(await snapshotOf(target, blocks), blocks);
    others.push(await snapshotOf(target, someBlocks(DELETED_COUNT, `${seed} ${life}`)));
    pending = await start(target);
    await put(target, pending, new Map([[0, contents(0, `${seed} pending`)]]));
    if (life < LIVES - 1) await server.kill();
  }
  await writeFile(place.ballast, Buffer.alloc(Math.max(0, (await freeBytes(place)) - 65_536)));
  await takeLastByte(place);
  await server?.kill();
  server = spawnServer(place.data);
  const target = await server.greeting;
  const more = () => putUnlessFull(target, { snapshotId: pending, blockIndex: 1 }, MORE);
  assert.equal(await more(), false, "no data is taken with 0 bytes free");
  for (const id of others) await deleteSnapshot(target, id);
  const freedBytes = (await collect(target)) + (await collect(target));
  const least = LIVES * DELETED_COUNT * BLOCK_SIZE_BYTES;
  assert.ok(freedBytes >= least, `${freedBytes} of ${least} bytes given back: ${server.errors()}`);
  const collected = performance.now();
  await until(more);
  const resumeMs = performance.now() - collected;
  const { status, text } = await send(target, completeParts(pending, 2));
  assert.equal(status, 202, text);
  assert.equal((await settled(target, pending))["status"], "completed");
  for (const [id, blocks] of kept) await readAll(target, id, blocks);
  await unmount();
  return { freedBytes, resumeMs };
}

const MORE = contents(1, "more");

function someBlocks(count: number, seed: string): Blocks {
  return new Map(Array.from({ length: count }, (_, i) => [i, contents(i, seed)]));
}

async function deleteSnapshot(target: Target, id: string): Promise<void> {
  const deletion = actionParts("DeleteSnapshot", { SnapshotId: id });
  const { status, text } = await send(target, deletion, { service: "ec2" });
  assert.equal(status, 200, `deleting goes on: ${text}`);
}

/** Collects once; answers the bytes of segments that were given back. */
async function collect(target: Target): Promise<number> {
  const begun = await admin(target, ["POST", "/collections"], { GraceSeconds: 0 });
  assert.equal(begun.status, 202, JSON.stringify(begun.json));
  for (;;) {
    const { json } = await admin(target, ["GET", `/collections/${begun.json["CollectionId"]}`]);
    if (json["State"] === "Done")
      return (json["Result"] as Record<string, number>)["SegmentBytes"] ?? 0;
    assert.equal(json["State"], "Running", JSON.stringify(json));
    await sleep(20);
  }
}
