import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import { verifyAndFinish } from "../faults/reopen.ts";
import { NO_SHIM, shim, spawnFaulty } from "../faults/shim.ts";
import { Story } from "../faults/story.ts";
import { pick, seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * A server is killed instead of its k-th write, sync, rename, unlink, truncate or creation of a
 * file, for every k from the first call of its first start to the last of a scripted history; and
 * once more in the middle of each write. After each, what it left has to open, to hold all that
 * was acknowledged and nothing wrong, and to take the rest of the history.
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
    // Once a history has come to its end, it has no later calls either.
    const end = { kill: CALLS_MAX, torn: CALLS_MAX };
    await forEachConcurrent(points, AT_ONCE, async (point) => {
      const { how, at } = point;
      if (at > end[how]) return;
      const blocks = await crash(run, join(directory, `${how}-${at}`), point);
      if (blocks === undefined) end[how] = Math.min(end[how], at + SLACK);
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
}

/** Of a share, evenly spread. */
function everyPoint(share: number): Point[] {
  const all = Array.from({ length: CALLS_MAX }, (_, i) => i + 1);
  const points = (["kill", "torn"] as const).flatMap((how) => all.map((at) => ({ how, at })));
  return points.filter((_, i) => Math.floor(i * share) !== Math.floor((i - 1) * share));
}

/** Each of them once: a point has a folder of its own. */
function somePoints(fraction: () => number, count: number): Point[] {
  const places = new Set<number>();
  while (places.size < count) places.add(1 + pick(fraction, 500));
  return [...places].map((at, i) => ({ how: i % 4 === 3 ? "torn" : "kill", at }));
}

/** Answers how many blocks were read back; undefined where the history has no such call. */
async function crash(
  run: ScorecardRun,
  directory: string,
  { how, at }: Point,
): Promise<number | undefined> {
  await mkdir(directory, { recursive: true });
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
    const blocks = await verifyAndFinish(directory, story);
    await rm(directory, { recursive: true, force: true });
    return blocks;
  } catch (error) {
    throw new Error(`${how} at call ${at}, after ${told}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
