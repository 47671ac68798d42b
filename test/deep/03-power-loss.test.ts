import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DiskModel, type Loss } from "../faults/disk-model.ts";
import { reopen } from "../faults/reopen.ts";
import { type LoggedCall, NO_SHIM, readLog, shim, spawnFaulty } from "../faults/shim.ts";
import { Story } from "../faults/story.ts";
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
 * It does not model a disk that lies about a flush, nor bytes that change by themselves.
 */

const LOSSES: readonly Loss[] = ["all", "torn-op", "torn-seq", "names"];
/** Callers at once, so that commits hold requests of several. */
const CALLERS = 4;
/** Cuts made of one recording. */
const CUTS_OF_ONE = 50;
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
    const wanted = run.count(500, 12);
    const counts = { cuts: 0, answers: 0, blocks: 0 };
    for (let round = 0; counts.cuts < wanted; round++) {
      const recording = await record(run, `round-${round}`);
      const cuts = Math.min(CUTS_OF_ONE, wanted - counts.cuts);
      const found = await cutOften(run, recording, { cuts, fraction });
      counts.cuts += cuts;
      counts.answers += found.answers;
      counts.blocks += found.blocks;
    }
    assert.ok(counts.answers > counts.cuts, "requests had been answered before the cuts");
    return (
      `${counts.cuts} cuts, ${counts.answers} acknowledgements checked, ` +
      `${counts.blocks} blocks read back: lost 0, torn or half done 0`
    );
  },
});

/** What reached a disk, and what its callers were answered. */
interface Recording {
  readonly calls: readonly LoggedCall[];
  readonly name: string;
  /** The answers of each caller. */
  readonly answers: readonly (readonly RawResponse[])[];
}

/** Lets a server work until its callers have told their stories. */
async function record(run: ScorecardRun, name: string): Promise<Recording> {
  const directory = await temporaryDirectory(run);
  const data = join(directory, "data");
  await mkdir(data);
  const log = join(directory, "log");
  const server = spawnFaulty(data, { log });
  run.after(() => server.kill());
  const target = await server.greeting;
  const stories = storiesOf(name);
  await Promise.all(stories.map((story) => story.run(target)));
  await server.kill();
  const calls = await readLog(log);
  await rm(directory, { recursive: true, force: true });
  return { calls, name, answers: stories.map((story) => story.answers) };
}

function storiesOf(name: string): Story[] {
  return Array.from({ length: CALLERS }, (_, i) => new Story(`${name}-${i}`, 1, 1 + 10 * i));
}

async function cutOften(
  run: ScorecardRun,
  { calls, name, answers }: Recording,
  { cuts, fraction }: { readonly cuts: number; readonly fraction: () => number },
): Promise<{ answers: number; blocks: number }> {
  const moments = Array.from({ length: cuts }, () => pick(fraction, calls.length + 1));
  const directory = await temporaryDirectory(run);
  const model = new DiskModel();
  const counts = { answers: 0, blocks: 0 };
  const given = new Set<string>();
  let done = 0;
  for (const moment of moments.sort((a, b) => a - b)) {
    for (; done < moment; done++) carryOut(calls[done] as LoggedCall, model, given);
    const folder = await mkdtemp(join(directory, "cut-"));
    const loss = LOSSES[pick(fraction, LOSSES.length)] as Loss;
    await model.cut(folder, loss, fraction);
    const stories = storiesOf(name);
    for (const [i, story] of stories.entries()) {
      const had = (answers[i] ?? []).filter((one) => given.has(one.header(REQUEST_ID) ?? ""));
      story.replay(had);
      counts.answers += had.length;
    }
    const isFinished = fraction() < FINISHED_SHARE;
    counts.blocks += await compare(folder, stories, isFinished).catch((error: Error) => {
      const where = `Cut at call ${moment} of ${calls.length}, losing ${loss}`;
      throw new Error(`${where}: ${error.message}`, { cause: error });
    });
    await rm(folder, { recursive: true, force: true });
  }
  return counts;
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
  stories: readonly Story[],
  isFinished: boolean,
): Promise<number> {
  const blockCount = await reopen(directory, async (service) => {
    let count = 0;
    for (const story of stories) count += await verify(service.core, story);
    if (!isFinished) return count;
    await Promise.all(stories.map((story) => story.run(service)));
    for (const story of stories) await verify(service.core, story);
    return count;
  });
  audit(directory);
  return blockCount;
}
