import assert from "node:assert/strict";
import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import type { ServerProcess } from "../crash/process.ts";
import {
  checkCatalogEnds,
  checkSyncs,
  hasFailedSync,
  type Life,
  verifyLost,
} from "../faults/failed-syncs.ts";
import { verifyAndFinish } from "../faults/reopen.ts";
import {
  type Faults,
  type LoggedCall,
  NO_SHIM,
  readLog,
  shim,
  spawnFaulty,
} from "../faults/shim.ts";
import { NotDoneError, readBack, Story } from "../faults/story.ts";
import { type UsedStore, useStore } from "../faults/used-store.ts";
import { actionParts, send } from "../support/operations.ts";
import { seededFraction } from "../support/property.ts";
import type { RawResponse, Target } from "../support/raw-http.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  ALWAYS,
  countCalls,
  countSites,
  everySite,
  FAILING,
  KINDS,
  type Kind,
  type Site,
  someSites,
} from "./_disk-sites.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * One call on the disk fails: the k-th sync, write, read, creation, unlink, rename or truncation in
 * the life of a server, once, or from then on for the same file; or the disk takes only half of a
 * write without a word. The caller goes on with its history as a program would, repeating what
 * failed a few times. Then:
 *
 * - no descriptor and no file is synced again after a sync on it has failed, and nothing is written
 *   to that file; and everything that was acknowledged is there also where all that is lost which
 *   those syncs were to make durable, so that no answer rests on them,
 * - what was read back on the way was right, or an error,
 * - the service goes on, or ends by itself with exit code 6; that it does, without another word of
 *   success, where the disk has failed under its catalog,
 * - a new process on the same disk holds all that was acknowledged, and takes the rest. It may read
 *   from the system's memory what a failed sync did not bring to the disk; what it acknowledges is
 *   there without that, too.
 *
 * All of this on an empty folder and on one that was used before: there the history begins with a
 * collection that moves records, removes a segment and has the catalog carry over its log.
 */

/** Sites tried at once. */
const AT_ONCE = 3;
/** How often a caller repeats a request that failed. */
const REPEATS = 2;
/** When a server that answers nothing any more is taken for one that never ends. */
const END_MS_MAX = 30_000;

type Outcome = "wentOn" | "refused" | "ended" | "notStarted";

/** What came of all sites. */
interface Counts extends Record<Outcome, number> {
  readonly kinds: Map<string, number>;
  /** Answers of success after a sync had failed. */
  acknowledgedAfter: number;
  /** Faults in the moving of records, at the removal of a segment, in a checkpoint. */
  moves: number;
  removals: number;
  checkpoints: number;
  /** Lives with a fault in which records were moved, and the segment they had lain in removed. */
  compactions: number;
}

scorecard({
  number: 4,
  name:
    "EIO, ENOSPC and short writes at each sync, write, read, creation, unlink, rename and " +
    "truncation, once and sticky",
  goal:
    "100 % of sites; acks after a failed sync on that file 0; sync retries on one fd 0; " +
    "wrong bytes 0",
  peer: "ATC'20: 0 of 5 databases fully correct; PostgreSQL now PANICs",
  skip: () => (shim() ? undefined : NO_SHIM),
  async run(run) {
    const directory = await temporaryDirectory(run);
    const used = await useStore(join(directory, "used"));
    const subject = { run, directory, used };
    const [empty, again] = await Promise.all([count(subject, false), count(subject, true)]);
    const lives = { empty, used: again };
    const fraction = seededFraction(run.seed);
    const drawn = run.isFull
      ? everySite(lives, run.share, run.seed)
      : someSites(lives, 3, fraction);
    const sites = [...ALWAYS, ...drawn];
    const counts: Counts = {
      ...{ kinds: new Map(), wentOn: 0, refused: 0, ended: 0, notStarted: 0 },
      ...{ acknowledgedAfter: 0, moves: 0, removals: 0, checkpoints: 0, compactions: 0 },
    };
    await forEachConcurrent(sites, AT_ONCE, async (site) => {
      const lived = await fail(subject, site).catch((error: Error) => {
        throw new Error(`${nameOf(site)}: ${error.message}`, { cause: error });
      });
      note(lived, site.kind, counts);
    });
    for (const place of ["moves", "removals", "checkpoints", "compactions"] as const) {
      assert.ok(counts[place] > 0, `there were ${place} under faults`);
    }
    return figureOf(counts, sites.length, countSites(lives));
  },
});

function figureOf(counts: Counts, tried: number, possible: number): string {
  const reached = [...counts.kinds.values()].reduce((sum, each) => sum + each, 0);
  assert.ok(reached > tried / 2, "the sites lie within the history");
  const kinds = KINDS.map(({ name }) => `${name} ${counts.kinds.get(name) ?? 0}`).join(", ");
  return (
    `${reached} of ${possible} sites (${kinds}), 100 % kept all that was acknowledged: ` +
    `${counts.wentOn} went on, ${counts.refused} refused until started anew, ` +
    `${counts.ended} ended by themselves, ${counts.notStarted} did not start; of ` +
    `${counts.acknowledgedAfter} acks after a failed sync 0 rest on it, syncs repeated on a ` +
    `descriptor or file 0, wrong bytes 0 (of the faults ${counts.moves} in moving records, ` +
    `${counts.removals} in removing a segment, ${counts.checkpoints} in a checkpoint; ` +
    `${counts.compactions} times both was done in spite of one)`
  );
}

interface Subject {
  readonly run: ScorecardRun;
  readonly directory: string;
  readonly used: UsedStore;
}

/** What is to happen in one life of a server, in a folder of its own. */
interface Plan {
  readonly name: string;
  readonly isUsed: boolean;
  readonly faults: Faults;
}

/** A life that has come to its end, and what it left. */
interface Lived extends Life {
  readonly folder: string;
  readonly data: string;
  /** The failures that its caller was told of. */
  readonly errors: readonly Error[];
  /** Of a server that ended by itself. */
  readonly code: number | undefined;
  /** Of this server, and of none after it. */
  readonly answers: readonly RawResponse[];
  readonly wentOn: boolean;
  readonly log: string;
}

/** How many calls of each letter there are where nothing fails. */
async function count(subject: Subject, isUsed: boolean) {
  const faults = { calls: FAILING };
  const lived = await live(subject, { name: `count ${isUsed}`, isUsed, faults });
  assert.deepEqual([lived.errors, lived.code, lived.log], [[], undefined, ""]);
  return countCalls(lived.calls);
}

function nameOf({ kind, at, isSticky, isUsed }: Site): string {
  const where = kind.path?.replaceAll("/", " ") ?? "any file";
  return `${kind.name} ${at} of ${where}${isSticky ? ", for good" : ""}${isUsed ? ", used" : ""}`;
}

/** One life of a server in which one site fails, and what comes after it. */
async function fail(subject: Subject, site: Site): Promise<Lived & { acknowledgedAfter: number }> {
  const { kind, at, isSticky, isUsed } = site;
  const faults = { ...kind, at, sticky: isSticky ? kind.sticky : "" };
  const lived = await live(subject, { name: nameOf(site), isUsed, faults });
  const { errors, code, folder, used, story } = lived;
  try {
    for (const error of errors) if (error instanceof assert.AssertionError) throw error;
    checkSyncs(lived.calls);
    checkCatalogEnds(lived.calls);
    // 1: it could not start. 6: its catalog failed.
    if (code !== undefined) assert.ok(code === 1 || code === 6, `it ended with ${code}`);
    let acknowledgedAfter = await verifyLost(folder, lived);
    if (hasFailedSync(lived.calls) && !lived.wentOn) {
      acknowledgedAfter += await verifyLost(folder, await goOn(subject, lived));
    }
    await verifyAndFinish(lived.data, story, used ? [used.story] : []);
    await rm(folder, { recursive: true, force: true });
    return { ...lived, acknowledgedAfter };
  } catch (error) {
    const told = `${(error as Error).message}\n${errors.at(-1) ?? ""}\n${lived.log}`;
    throw new Error(told, { cause: error });
  }
}

/** Has a server live on a folder; its caller tells the story as far as the server lets it. */
async function live(
  { run, directory, used }: Subject,
  { name, isUsed, faults }: Plan,
): Promise<Lived> {
  const folder = join(directory, name);
  const [data, log] = [join(folder, "data"), join(folder, "log")];
  await mkdir(data, { recursive: true });
  if (isUsed) await cp(used.directory, data, { recursive: true });
  const story = storyOn(isUsed);
  const server = spawnFaulty(data, { ...faults, log });
  run.after(() => server.kill());
  const target = await server.greeting.catch((error: Error) => error);
  const errors = target instanceof Error ? [target] : await tell(target, story);
  const code = await endOf(server, target instanceof Error ? undefined : target);
  const calls = await readLog(log);
  const told = { story, answers: [...story.answers], wentOn: story.isOver };
  const before = isUsed ? used : undefined;
  return { folder, data, used: before, ...told, calls, errors, code, log: server.errors() };
}

function storyOn(isUsed: boolean): Story {
  const story = new Story("story", 1);
  return isUsed ? story.collectFirst() : story;
}

/**
 * Has another server go on after one that has ended. It finds all that was written, also what a
 * failed sync did not bring to the disk, since that is in the system's memory.
 */
async function goOn({ run }: Subject, { folder, data, ...before }: Lived): Promise<Life> {
  const [again, log] = [join(folder, "again"), join(folder, "log again")];
  await cp(data, again, { recursive: true });
  const story = storyOn(before.used !== undefined);
  story.replay(before.answers);
  const server = spawnFaulty(again, { log });
  run.after(() => server.kill());
  await story.run(await server.greeting);
  await server.kill();
  return { story, used: before.used, calls: [...before.calls, ...(await readLog(log))] };
}

/** Answers the failures on the way. */
async function tell(target: Target, story: Story): Promise<Error[]> {
  const errors: Error[] = [];
  while (!story.isOver && errors.length <= REPEATS) {
    await story
      .run(target, () => readBack(target, story))
      .catch((error: Error) => errors.push(error));
    if (!(errors.at(-1) instanceof NotDoneError)) break;
  }
  return errors;
}

/**
 * The code of a server that ended by itself; a living one is killed. It lives if it answers a
 * request, whatever it says: where the disk has failed under its catalog, it ends before it takes
 * another.
 */
async function endOf(
  server: ServerProcess,
  target: Target | undefined,
): Promise<number | undefined> {
  const parts = actionParts("DescribeSnapshots");
  const isAlive = await (target
    ? send(target, parts, { service: "ec2" }).then(
        () => true,
        () => false,
      )
    : false);
  if (isAlive) {
    await server.kill();
    return undefined;
  }
  const late = sleep(END_MS_MAX, undefined, { ref: false });
  const code = await Promise.race([server.exited, late]);
  assert.equal(typeof code, "number", `it neither answers nor ends by itself: ${code}`);
  return code as number;
}

/** Counts a site that was reached, by what came of it and by what was under way. */
function note(lived: Awaited<ReturnType<typeof fail>>, kind: Kind, counts: Counts): void {
  const { calls, answers, used } = lived;
  const at = calls.findIndex((call) => hasFailed(call, kind));
  const failed = calls[at];
  if (failed === undefined) return;
  counts.kinds.set(kind.name, (counts.kinds.get(kind.name) ?? 0) + 1);
  counts[outcomeOf(lived)] += 1;
  counts.acknowledgedAfter += lived.acknowledgedAfter;
  if (!used) return;
  const isRead = failed.letter === "r";
  if (isRemoval(failed)) counts.removals += 1;
  else if (isSegment(failed) && isCollecting(lived, at)) counts.moves += 1;
  else if (failed.path === "catalog.sqlite" && !isRead) counts.checkpoints += 1;
  const isMoved = answers.some(({ text }) => /"MovedBytes":[1-9]/.test(text));
  const isRemoved = calls.some((call) => isRemoval(call) && call.result === 0);
  if (isMoved && isRemoved) counts.compactions += 1;
}

function isSegment({ path }: LoggedCall): boolean {
  return path.endsWith(".segment");
}

function isRemoval(call: LoggedCall): boolean {
  return call.letter === "u" && isSegment(call);
}

/** True from the first answer, which is of the first collection, until it is known to be done. */
function isCollecting({ calls, answers }: Lived, at: number): boolean {
  const done = answers.find(({ text }) => /"State":"Done"/.test(text));
  const id = done?.header("x-amzn-RequestId");
  const given = calls.slice(0, at).filter(({ letter }) => letter === "a");
  const isOver = id !== undefined && given.some(({ bytes }) => bytes.includes(id, 0, "latin1"));
  return given.length > 0 && !isOver;
}

function hasFailed({ letter, length, result }: LoggedCall, kind: Kind): boolean {
  if (letter !== kind.calls) return false;
  return kind.do === "short" ? result >= 0 && result < length : result === -(kind.error ?? 0);
}

function outcomeOf({ code, wentOn }: Lived): Outcome {
  if (code === 1) return "notStarted";
  if (code !== undefined) return "ended";
  return wentOn ? "wentOn" : "refused";
}
