import assert from "node:assert/strict";
import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import { verifyAndFinish } from "../faults/reopen.ts";
import { NO_SHIM, shim, spawnFaulty } from "../faults/shim.ts";
import { Story } from "../faults/story.ts";
import { type UsedStore, useStore } from "../faults/used-store.ts";
import { pick, seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * A server is killed instead of its k-th write, sync, rename, unlink, truncate or creation of a
 * file, for every k from the first call of its first start to the last of a scripted history; and
 * once more in the middle of each write. After each, what it left has to open, to hold all that
 * was acknowledged and nothing wrong, and to take the rest of the history.
 *
 * All of this on an empty folder and on one that was used before: there the history's collections
 * find a segment that is mostly garbage, move what is needed of it, and give it back.
 */

/** Everything that changes what a disk holds. */
const CALLS = "wstunc";
/** Crash points tried at once. */
const AT_ONCE = 3;
/** Of one history, with its start: more than any takes. */
const CALLS_MAX = 2_500;
/** Histories differ by so many calls: by what is done every second, and who commits with whom. */
const SLACK = 60;

scorecard({
  number: 2,
  name: "kill at every write, sync, rename, unlink, truncate of a scripted history",
  goal: "≥ 2000 crash points, 100 % recover, invariants 0 broken",
  peer: "ALICE: 60 holes in 11 applications; CrashMonkey: 328 workloads in 12 min",
  skip: () => (shim() ? undefined : NO_SHIM),
  async run(run) {
    const directory = await temporaryDirectory(run);
    const fraction = seededFraction(run.seed);
    const points: Point[] = run.isFull ? everyPoint(run.share) : somePoints(fraction, 5);
    const results = { reached: 0, read: 0 };
    const used = await useStore(join(directory, "used"), 0);
    // Once a history has come to its end, it has no later calls either.
    const ends = new Map<string, number>();
    await forEachConcurrent(points, AT_ONCE, async (point) => {
      const { how, at, isUsed } = point;
      const history = `${how}-${isUsed ? "used" : "new"}`;
      const end = ends.get(history) ?? CALLS_MAX;
      if (at > end) return;
      const folder = join(directory, `${history}-${at}`);
      const blocks = await crash(run, folder, { point, used: isUsed ? used : undefined });
      if (blocks === undefined) ends.set(history, Math.min(end, at + SLACK));
      else results.reached += 1;
      results.read += blocks ?? 0;
    });
    assert.ok(results.reached >= Math.min(3, points.length), "the points lie within the history");
    return (
      `${results.reached} crash points, ${results.reached} recovered (100 %), ` +
      `${results.read} blocks read back, invariants 0 broken`
    );
  },
});

interface Point {
  readonly how: "kill" | "torn";
  readonly at: number;
  /** On a folder that was used before. */
  readonly isUsed: boolean;
}

/** Of a share, evenly spread. */
function everyPoint(share: number): Point[] {
  const all = Array.from({ length: CALLS_MAX }, (_, i) => i + 1);
  const points = (["kill", "torn"] as const).flatMap((how) =>
    [false, true].flatMap((isUsed) => all.map((at) => ({ how, at, isUsed }))),
  );
  return points.filter((_, i) => Math.floor(i * share) !== Math.floor((i - 1) * share));
}

/** Each of them once: a point has a folder of its own. */
function somePoints(fraction: () => number, count: number): Point[] {
  const places = new Set<number>();
  // The last calls on a used folder are those of the compactor.
  while (places.size < count) places.add(1 + pick(fraction, places.size % 2 === 1 ? 700 : 500));
  return [...places].map((at, i) => ({
    how: i % 4 === 3 ? "torn" : "kill",
    at,
    isUsed: i % 2 === 1,
  }));
}

/** Answers how many blocks were read back; undefined where the history has no such call. */
async function crash(
  run: ScorecardRun,
  directory: string,
  { point, used }: { readonly point: Point; readonly used: UsedStore | undefined },
): Promise<number | undefined> {
  const { how, at } = point;
  await mkdir(directory, { recursive: true });
  if (used) await cp(used.directory, directory, { recursive: true });
  const story = new Story("story", run.isFull ? 4 : 1);
  const calls = how === "torn" ? "w" : CALLS;
  const server = spawnFaulty(directory, { calls, at, do: how });
  run.after(() => server.kill());
  const told = await server.greeting.then(
    (greeting) => story.run(greeting).catch((error: Error) => error),
    (error: Error) => error,
  );
  if (story.isOver) {
    await server.kill();
    await rm(directory, { recursive: true, force: true });
    return undefined;
  }
  assert.equal(
    await server.exited,
    "SIGKILL",
    `the server was killed: ${told}\n${server.errors()}`,
  );
  try {
    const blocks = await verifyAndFinish(directory, story, used ? [used.story] : []);
    await rm(directory, { recursive: true, force: true });
    return blocks;
  } catch (error) {
    throw new Error(`${how} at call ${at}, after ${told}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
