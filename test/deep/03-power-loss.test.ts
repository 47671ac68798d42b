import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DiskModel, type Loss } from "../faults/disk-model.ts";
import { reopen } from "../faults/reopen.ts";
import { type LoggedCall, NO_SHIM, readLog, shim, spawnFaulty } from "../faults/shim.ts";
import { Story } from "../faults/story.ts";
import { type UsedStore, useStore } from "../faults/used-store.ts";
import { audit, verify } from "../faults/verify.ts";
import { pick, seededFraction } from "../support/property.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * Power loss. A server works for several callers at once while every call that reaches its disk,
 * and the moment of every answer, is written down; the data folder covers segments, catalog, its
 * log and the small files alike. Then the calls are carried out again on the model of a disk in
 * ../faults/disk-model.ts, which is cut off at random moments and loses what was not synced, in
 * one of four ways. What is left is opened by the real service, and compared with what had been
 * answered at that moment: all of that is there. Of each caller's later requests, at most the one
 * that was under way may be there too, whole; so what is not acknowledged is a clean prefix.
 *
 * Every other time it works on a folder that was used before. There one caller begins with a
 * collection, for which the catalog carries over its log, and which moves records to a new segment
 * and removes the old one; some cuts are made in each of these, besides those at random.
 *
 * It does not model a disk that lies about a flush, nor bytes that change by themselves.
 */

const LOSSES: readonly Loss[] = ["all", "torn-op", "torn-seq", "names"];
/** Callers at once, so that commits hold requests of several. */
const CALLERS = 4;
/** Cuts made of one recording, at most. */
const CUTS_OF_ONE = 50;
/** Of those, how many are made in each place of a collection. */
const CHOSEN_SHARE = 0.08;
/** Of the stores left, how many are given the rest of the stories. */
const FINISHED_SHARE = 0.1;
const REQUEST_ID = "x-amzn-RequestId";

scorecard({
  number: 3,
  name: "power loss: all that was not synced is lost, torn or out of order, at random moments",
  goal: "500 cuts: acked lost 0; un-acked tail = clean prefix",
  peer: "better-sqlite3's default: 200 of 200 acked lost; kopia had no fsync until Feb 2026",
  skip: () => (shim() ? undefined : NO_SHIM),
  async run(run) {
    const fraction = seededFraction(run.seed);
    const used = await useStore(join(await temporaryDirectory(run), "used"));
    const wanted = run.count(500, 12);
    // At least one on each kind of folder.
    const cutsOfOne = Math.min(CUTS_OF_ONE, Math.ceil(wanted / 2));
    const counts = { cuts: 0, answers: 0, blocks: 0, checkpoint: 0, moves: 0, removal: 0 };
    for (let round = 0; counts.cuts < wanted; round++) {
      const before = round % 2 === 1 ? used : undefined;
      const recording = await record(run, `round-${round}`, before);
      await cutOften(run, recording, { count: cutsOfOne, fraction, counts });
    }
    assert.ok(counts.answers > counts.cuts, "requests had been answered before the cuts");
    return (
      `${counts.cuts} cuts, ${counts.answers} acknowledgements checked, ` +
      `${counts.blocks} blocks read back: lost 0, torn or half done 0 (of the cuts ` +
      `${counts.checkpoint} in a checkpoint, ${counts.moves} while records were moved, ` +
      `${counts.removal} before the removal of a segment was synced)`
    );
  },
});

/** What came of all cuts. */
interface Counts extends Record<Place, number> {
  cuts: number;
  answers: number;
  blocks: number;
}

/** What a collection has the disk do, in this order. */
type Place = "checkpoint" | "moves" | "removal";

/** What reached a disk, and what its callers were answered. */
interface Recording {
  readonly calls: readonly LoggedCall[];
  readonly name: string;
  /** The answers of each caller. */
  readonly answers: readonly (readonly RawResponse[])[];
  /** What the folder was before; undefined for an empty one. */
  readonly used: UsedStore | undefined;
}

/** Lets a server work until its callers have told their stories. */
async function record(
  run: ScorecardRun,
  name: string,
  used: UsedStore | undefined,
): Promise<Recording> {
  const directory = await temporaryDirectory(run);
  const data = join(directory, "data");
  await mkdir(data);
  if (used) await cp(used.directory, data, { recursive: true });
  const log = join(directory, "log");
  const server = spawnFaulty(data, { log });
  run.after(() => server.kill());
  const target = await server.greeting;
  const stories = storiesOf(name, used);
  await Promise.all(stories.map((story) => story.run(target)));
  await server.kill();
  const calls = await readLog(log);
  await rm(directory, { recursive: true, force: true });
  return { calls, name, answers: stories.map((story) => story.answers), used };
}

function storiesOf(name: string, used: UsedStore | undefined): Story[] {
  const stories = Array.from({ length: CALLERS }, (_, i) => {
    return new Story(`${name}-${i}`, 1, 1 + 10 * i);
  });
  if (used) stories[0]?.collectFirst();
  return stories;
}

/** After which calls a cut falls into which place: after the first of two, up to the other. */
function placesIn({ calls, answers, used }: Recording): Map<Place, readonly [number, number]> {
  if (!used) return new Map();
  const isMoved = answers.flat().some(({ text }) => /"MovedBytes":[1-9]/.test(text));
  assert.ok(isMoved, "records were moved");
  const next = (letter: string, path: string, from = 0) => {
    const at = calls.findIndex((call, i) => {
      return i >= from && call.letter === letter && call.path === path;
    });
    assert.ok(at >= 0, `${letter} ${path} is among the calls`);
    return at;
  };
  const begun = next("w", "catalog.sqlite");
  const carried = next("s", "catalog.sqlite", begun);
  const removed = next("u", "segments/0000000001.segment", carried);
  return new Map([
    ["checkpoint", [begun + 1, carried]],
    ["moves", [carried + 1, removed]],
    ["removal", [removed + 1, next("s", "segments", removed)]],
  ]);
}

async function cutOften(
  run: ScorecardRun,
  recording: Recording,
  { count, fraction, counts }: { count: number; fraction: () => number; counts: Counts },
): Promise<void> {
  const { calls, name, answers, used } = recording;
  const places = placesIn(recording);
  const chosen = Array.from({ length: Math.ceil(count * CHOSEN_SHARE) }, () =>
    [...places.values()].map(([from, to]) => from + pick(fraction, to + 1 - from)),
  ).flat();
  const moments = Array.from({ length: count }, (_, i) => {
    return chosen[i] ?? pick(fraction, calls.length + 1);
  });
  const directory = await temporaryDirectory(run);
  const model = used ? await DiskModel.of(used.directory) : new DiskModel();
  const given = new Set<string>();
  let done = 0;
  for (const moment of moments.sort((a, b) => a - b)) {
    for (; done < moment; done++) carryOut(calls[done] as LoggedCall, model, given);
    const folder = await mkdtemp(join(directory, "cut-"));
    const loss = LOSSES[pick(fraction, LOSSES.length)] as Loss;
    await model.cut(folder, loss, fraction);
    const stories = storiesOf(name, used);
    for (const [i, story] of stories.entries()) {
      const had = (answers[i] ?? []).filter((one) => given.has(one.header(REQUEST_ID) ?? ""));
      story.replay(had);
      counts.answers += had.length;
    }
    const isFinished = fraction() < FINISHED_SHARE;
    const subject = { stories, earlier: used ? [used.story] : [] };
    counts.blocks += await compare(folder, subject, isFinished).catch((error: Error) => {
      const where = `Cut at call ${moment} of ${calls.length}, losing ${loss}`;
      throw new Error(`${where}: ${error.message}`, { cause: error });
    });
    counts.cuts += 1;
    for (const [place, [from, to]] of places) {
      if (moment >= from && moment <= to) counts[place] += 1;
    }
    await rm(folder, { recursive: true, force: true });
  }
}

/** On the model; an answer is noted as given. */
function carryOut(call: LoggedCall, model: DiskModel, given: Set<string>): void {
  if (call.letter !== "a") {
    model.apply(call);
    return;
  }
  const id = /x-amzn-RequestId: (\S+)/i.exec(call.bytes.toString("latin1"))?.[1];
  if (id) given.add(id);
}

/** Opens what is left; answers how many blocks were read. */
async function compare(
  directory: string,
  { stories, earlier }: { readonly stories: readonly Story[]; readonly earlier: readonly Story[] },
  isFinished: boolean,
): Promise<number> {
  const all = [...earlier, ...stories];
  const blockCount = await reopen(directory, async (service) => {
    let count = 0;
    for (const story of all) count += await verify(service.core, story);
    if (!isFinished) return count;
    await Promise.all(stories.map((story) => story.run(service)));
    for (const story of all) await verify(service.core, story);
    return count;
  });
  audit(directory);
  return blockCount;
}
