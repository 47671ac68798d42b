import assert from "node:assert/strict";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { rebuildStore } from "../../src/rebuild-store.ts";
import { openService } from "../../src/service.ts";
import { faultsEnvironment } from "../faults/faults-environment.ts";
import { reopen } from "../faults/reopen.ts";
import { type Faults, NO_SHIM, readLog, shim } from "../faults/shim.ts";
import { Story } from "../faults/story.ts";
import { audit, verify } from "../faults/verify.ts";
import { pick, printSeed, seededFraction } from "../support/property.ts";
import { REGION } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Outcome, runVarve } from "./_varve.ts";

/*
 * `varve rebuild` in a process of its own that is killed instead of its k-th write, sync, rename,
 * unlink, truncate or creation of a file, or in the middle of a write, or finds the disk full or
 * broken there. After each, the store is as it was or rebuilt: a service that starts on it either
 * has all of it or refuses to start, and a second rebuild brings all of it back.
 *
 * VARVE_REBUILD_POINTS=1 tries every call, 0.1 every tenth; else it is a handful.
 */

/** Everything that changes what a disk holds. */
const CALLS = "wstunc";
const SHARE = Number(process.env["VARVE_REBUILD_POINTS"] ?? 0);
const [EIO, ENOSPC] = [5, 28];

const LOSSES = ["lost", "put back as it once was", "overwritten"] as const;
const skip = shim() ? false : NO_SHIM;

for (const loss of LOSSES) {
  test(`a rebuild killed anywhere leaves a store to rebuild: catalog ${loss}`, {
    skip,
  }, async (t) => {
    const store = await storeWith(t, loss);
    const { count, writeCount } = await countCalls(t, store);
    const kills = pointsOf(t, count, 3).map((at) => ({ calls: CALLS, do: "kill", at }) as const);
    const torn = pointsOf(t, writeCount, 1).map((at) => ({ calls: "w", do: "torn", at }) as const);
    let killed = 0;
    for (const point of [...kills, ...torn]) killed += (await rebuildBadly(t, store, point)).length;
    t.diagnostic(`killed at ${killed} of ${count} calls, ${writeCount} of them writes`);
    assert.ok(killed > 1);
  });
}

// A full disk has no room for what grows; a broken one fails at anything.
for (const [what, error, calls] of [
  ["full", ENOSPC, "wc"],
  ["broken", EIO, CALLS],
] as const) {
  test(`a rebuild that finds the disk ${what} says so, and loses nothing`, { skip }, async (t) => {
    const store = await storeWith(t, "put back as it once was");
    const { count } = await countCalls(t, store, calls);
    const told: string[] = [];
    const points = pointsOf(t, count, 3);
    for (const at of points) {
      const point = { calls, do: "error", error, isSticky: at % 2 === 0, at } as const;
      told.push(...(await rebuildBadly(t, store, point)));
    }
    const said = [...new Set(told)].join(" | ");
    t.diagnostic(`ended by ${told.length} of ${points.length} of ${count} calls: ${said}`);
    assert.ok(told.length > 0);
  });
}

/** A store that needs to be rebuilt, and what it is owed. */
interface DamagedStore {
  readonly directory: string;
  readonly stories: readonly Story[];
}

/** Made once: a store, and its catalog as it was in the middle. */
const made = { directory: "", once: Buffer.alloc(0), stories: [] as Story[] };

before(async () => {
  if (skip) return;
  made.directory = await temporaryDirectory({ after });
  for (const contents of [100, 200]) {
    const story = new Story(`from-${contents}`, 1, contents);
    await reopen(made.directory, (service) => story.run(service));
    if (made.once.length === 0) made.once = await readFile(join(made.directory, CATALOG));
    made.stories.push(story);
  }
});

const CATALOG = "catalog.sqlite";

async function storeWith(t: TestContext, loss: (typeof LOSSES)[number]): Promise<DamagedStore> {
  const directory = await copyOf(t, made);
  const catalog = join(directory, CATALOG);
  const { once, stories } = made;
  if (loss === "lost") await rm(catalog);
  else await writeFile(catalog, loss === "overwritten" ? Buffer.alloc(once.length, 0xa5) : once);
  return { directory, stories };
}

/** How many such calls a rebuild makes that goes well, and how many of them are writes. */
async function countCalls(t: TestContext, store: DamagedStore, calls = CALLS) {
  const directory = await copyOf(t, store);
  const log = join(await temporaryDirectory(t), "log");
  const { code, stderr } = await rebuild(directory, { calls, log });
  assert.equal(code, 0, stderr);
  await checkWhole(directory, store);
  const letters = (await readLog(log)).map(({ letter }) => letter);
  const count = letters.filter((letter) => calls.includes(letter)).length;
  return { count, writeCount: letters.filter((letter) => letter === "w").length };
}

/** Every call, or some: the last put the new catalog in its place, so those are among them. */
function pointsOf(t: TestContext, count: number, some: number): number[] {
  if (SHARE > 0) return everyCall(count).filter((at) => isInShare(at));
  const fraction = seededFraction(printSeed(t));
  const points = Array.from({ length: some }, (_, i) => {
    return i % 2 === 0 ? count - pick(fraction, Math.min(5, count)) : 1 + pick(fraction, count);
  });
  return [...new Set(points)];
}

function isInShare(at: number): boolean {
  return Math.floor(at * SHARE) !== Math.floor((at - 1) * SHARE);
}

function everyCall(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** A rebuild that something happens to; answers what it said where it ended by that. */
async function rebuildBadly(
  t: TestContext,
  store: DamagedStore,
  faults: Faults,
): Promise<[said: string] | []> {
  const directory = await copyOf(t, store);
  const outcome = await rebuild(directory, faults);
  const { code, stderr } = outcome;
  try {
    if (faults.do === "error") checkTold(outcome, faults);
    else assert.equal(code, null, "it was killed");
    const isServed = await isServedWhole(await copyOf(t, { directory }), store);
    assert.ok(code !== 0 || isServed, "what it says it has made anew is whole");
    const again = await rebuildStore({ dataDirectory: directory });
    assert.deepEqual([again.incomplete, again.unreadable], [[], []]);
    await checkWhole(directory, store);
  } catch (error) {
    const where = `${faults.do} at call ${faults.at}: ${code} ${stderr}`;
    throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
  }
  await rm(directory, { recursive: true });
  return code === 0 ? [] : [stderr.replaceAll(directory, "DATA").trim()];
}

/** What cannot be written ends it in words, unless it can do without. */
function checkTold({ code, stderr }: Outcome, { error }: Faults): void {
  if (code === 0) return;
  assert.equal(code, 6, `a disk cannot be used: ${stderr}`);
  assert.match(stderr, /^varve: .+\.\n$/, "one sentence or two");
  if (error === ENOSPC) assert.match(stderr, /disk is full|no space/);
}

/** True where a service starts there, with all of it; else it has to refuse to start. */
async function isServedWhole(directory: string, { stories }: DamagedStore): Promise<boolean> {
  const place = { dataDirectory: directory, host: "127.0.0.1", port: 0, region: REGION };
  const log = () => undefined;
  const opening = openService({ ...place, collectMinutes: 0, recycleBinDays: 1, log });
  const service = await opening.catch((error: Error) => {
    assert.match(error.message, /varve rebuild|not a database|malformed/);
  });
  if (!service) return false;
  try {
    for (const story of stories) await verify(service.core, story);
    return true;
  } finally {
    await service.close();
  }
}

async function checkWhole(directory: string, { stories }: DamagedStore): Promise<void> {
  await reopen(directory, async ({ core }) => {
    for (const story of stories) await verify(core, story);
  });
  audit(directory);
}

async function copyOf(
  t: TestContext,
  { directory }: Pick<DamagedStore, "directory">,
): Promise<string> {
  const copy = join(await temporaryDirectory(t), "data");
  await mkdir(copy);
  await cp(directory, copy, { recursive: true });
  return copy;
}

function rebuild(directory: string, faults: Faults): Promise<Outcome> {
  const env = faultsEnvironment(directory, faults);
  return runVarve(["rebuild", "--data", directory], { env });
}
