import assert from "node:assert/strict";
import { createWriteStream } from "node:fs";
import { copyFile, mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "../../src/service.ts";
import type { Collected } from "../../src/snapshots/chores/collector.ts";
import { forgetSettledWrites } from "../../src/snapshots/chores/expire-snapshots.ts";
import { pick, seededFraction } from "../support/property.ts";
import { type Ledger, someWrites, type Told } from "./_ledger.ts";

/*
 * A data folder copied file by file while its service runs, as docs/operating.md tells people to
 * back it up: segments in the order of their names, the key-encryption key, and no catalog.
 */

/** Snapshots that one writer keeps; older ones it deletes. */
const KEPT_OF_A_WRITER = 3;
/** Passes of a copy that wait so; the later ones have to come to an end. */
const SLOW_PASSES = 2;
/** Times that a copy is begun again; each takes only what is new. */
const PASSES_MAX = 100;

/** What goes on beside a copy. */
export interface Activity {
  readonly ledger: Ledger;
  readonly seed: number;
  readonly writers: number;
  /** Puts, over all writers, for which the copy waits before each file. */
  readonly putsAFile: number;
  /** True to collect and compact meanwhile, without end. */
  readonly collects: boolean;
}

/** How a copy went. */
export interface Copied {
  /** Completed before it began. */
  readonly before: readonly Told[];
  readonly passes: number;
  /** Files that were gone when their turn came. */
  readonly goneCount: number;
  /** Segments that the service gave back meanwhile. */
  readonly removedSegmentCount: number;
}

/**
 * Copies a data folder under load. Where a file is gone when its turn comes, the copy is begun
 * again and takes what is new, until it has found every file that it has seen.
 */
export async function copyUnderLoad(
  service: Service,
  to: string,
  activity: Activity,
): Promise<Copied> {
  const { ledger, seed, writers, putsAFile, collects } = activity;
  const putsBefore = ledger.putCount;
  let isOver = false;
  let removedSegmentCount = 0;
  const untilOver = async (work: () => Promise<void>) => {
    while (!isOver) await work();
  };
  const collecting = collects
    ? untilOver(async () => {
        removedSegmentCount += (await collectNow(service)).segmentCount;
        await sleep(20);
      })
    : undefined;
  const writing = Array.from({ length: writers }, (_, i) => {
    const write = writer(service, ledger, seed + 1 + i);
    return untilOver(write);
  });
  const all = Promise.all([collecting, ...writing]);
  // Told where it is awaited; here it only must not wait for ever.
  let failure: { readonly error: unknown } | undefined;
  all.catch((error: unknown) => {
    failure = { error };
  });
  const goOn = async (puts: number) => {
    const wanted = ledger.putCount + puts;
    // So that at least one goes between the look for files and their turn.
    const isGiven = () => !collects || removedSegmentCount > 0;
    while (ledger.putCount < wanted || !isGiven()) {
      if (failure) throw failure.error;
      await sleep(1);
    }
  };
  try {
    while (ledger.putCount < putsBefore + writers * putsAFile && !failure) await sleep(1);
    const before = ledger.lasting();
    removedSegmentCount = 0;
    let [passes, goneCount] = [0, 0];
    for (let gone = -1; gone !== 0; goneCount += gone) {
      assert.ok(++passes <= PASSES_MAX, "a copy comes to its end");
      const puts = passes <= SLOW_PASSES ? putsAFile : 0;
      gone = await copySegments(service.dataDirectory, to, () => goOn(puts));
    }
    return { before, passes, goneCount, removedSegmentCount };
  } finally {
    isOver = true;
    await all;
  }
}

/** Answers how many files were gone when their turn came. */
async function copySegments(
  dataDirectory: string,
  copy: string,
  goOn: () => Promise<void>,
): Promise<number> {
  const [from, to] = [dataDirectory, copy].map((folder) => join(folder, "segments"));
  assert.ok(from && to);
  await mkdir(to, { recursive: true });
  await copyFile(join(dataDirectory, "key-encryption-key"), join(copy, "key-encryption-key"));
  let gone = 0;
  for (const name of (await readdir(from)).sort()) {
    if (await isCopied(join(from, name), join(to, name))) continue;
    await goOn();
    const source = await open(join(from, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    if (source) await pipeline(source.createReadStream(), createWriteStream(join(to, name)));
    else gone += 1;
  }
  return gone;
}

/** Segments only grow. */
async function isCopied(from: string, to: string): Promise<boolean> {
  const [there, here] = await Promise.all(
    [from, to].map((path) => stat(path).catch(() => undefined)),
  );
  return there !== undefined && there.size === here?.size;
}

/** Writes a snapshot each time, on one of its own, and deletes its oldest. */
function writer(service: Service, ledger: Ledger, seed: number): () => Promise<void> {
  const fraction = seededFraction(seed);
  const own: Told[] = [];
  // What everybody has, what was everybody's and may be garbage just now, and what is new.
  const contents = () => (fraction() < 0.5 ? pick(fraction, 60) : 8 * pick(fraction, 10_000) + 7);
  return async () => {
    const parent = fraction() < 0.6 ? own[pick(fraction, own.length)] : undefined;
    const writes = someWrites(fraction, { count: 1 + pick(fraction, 5), contents });
    own.push(await ledger.write(service, writes, { parent }));
    if (own.length > KEPT_OF_A_WRITER) await ledger.delete(service, own.shift() as Told);
  };
}

/** One collection, which removes what the one before it found. */
export async function collectNow({ core }: Service): Promise<Collected> {
  await forgetSettledWrites(core);
  // An hour of grace lies between otherwise, in which what was deleted is journaled.
  await core.journaler.flush();
  return core.collector.collect({ graceSeconds: 0, isDryRun: false });
}
