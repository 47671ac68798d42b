import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { newSnapshotId } from "../../src/model/ids.ts";
import { signedFor } from "../support/matrix/cells.ts";
import { ROWS, type Row } from "../support/matrix/operations.ts";
import { type CallerName, completed, type World } from "../support/matrix/world.ts";
import { pick, seededFraction } from "../support/property.ts";
import { encode, RawConnection, type RawResponse } from "../support/raw-http.ts";

/*
 * Does the time of an answer tell that something exists? What is there and not the caller's is
 * asked for in turns with what is not there, in a random order, by ids of one shape, several of
 * each kind. Taken is the processor's time of this thread, in which client and service are, since
 * the clock also has what else the machine does; and the clock's, for that is what an attacker
 * sees.
 */

/** Rows that are timed: one of each place an id travels in, and of each service. */
const TIMED: readonly (readonly [string, Row["place"]])[] = [
  ["ListSnapshotBlocks", "path"],
  ["GetSnapshotBlock", "path"],
  ["ListChangedBlocks", "query"],
  ["StartSnapshot", "body"],
  ["DescribeSnapshots", "body"],
  ["CopySnapshot", "body"],
];
const TIMED_CALLERS = ["another account", "a key allowed nothing"] as const;

/** Ids of each kind: no one page of an index, and no one row, stands for all. */
const IDS = 16;
/** Rounds before the first that counts: code is compiled, caches are warm. */
const WARM_UP_ROUNDS = 40;
/** On a busy machine there are fewer rounds. */
const SECONDS_MAX = 150;
/** The fastest and the slowest of this share are left out of the means. */
const TRIMMED_SHARE = 0.25;
/** Two medians further apart than this tell them apart. */
const PERCENT_MAX = 5;

type Kind = "there" | "absent";

/** One call and who makes it. */
interface Case {
  readonly row: Row;
  readonly caller: CallerName;
  readonly cpu: Readonly<Record<Kind, number[]>>;
  readonly clock: Readonly<Record<Kind, number[]>>;
}

/** Whom to ask, and on what. */
interface Asked {
  readonly world: World;
  readonly line: Line;
}

/** What was asked, of whom, and how often. */
export interface TimingRun {
  readonly world: World;
  /** Requests of each kind for each case. */
  readonly rounds: number;
  readonly seed: number;
  say(line: string): void;
}

/** Compares the times of what is there and of what is not; says so in a few words. */
export async function compareTimes(run: TimingRun): Promise<string> {
  const fraction = seededFraction(run.seed);
  const cases = TIMED.flatMap(([name, place]) =>
    TIMED_CALLERS.map((by) => caseOf(name, place, by)),
  );
  const ids = await makeIds(run, fraction);
  const line = new Line();
  const endMs = performance.now() + SECONDS_MAX * 1_000;
  for (let round = -WARM_UP_ROUNDS; round < run.rounds && performance.now() < endMs; round++) {
    for (const each of shuffled(cases, fraction)) {
      for (const kind of shuffled(["there", "absent"] as const, fraction)) {
        const id = ids[kind][pick(fraction, IDS)] as string;
        const taken = await time({ world: run.world, line }, each, id);
        if (round < 0) continue;
        each.cpu[kind].push(taken.cpu);
        each.clock[kind].push(taken.clock);
      }
    }
  }
  line.close();
  for (const each of cases) run.say(lineOf(each));
  const asked = cases[0]?.cpu.there.length ?? 0;
  return (
    `${verdict(cases, "cpu")} of the processor; by the clock ${verdict(cases, "clock")}; ` +
    `each asked ${asked} times`
  );
}

function caseOf(name: string, place: Row["place"], caller: CallerName): Case {
  const row = ROWS.findLast((each) => each.name === name && each.place === place);
  assert.ok(row, name);
  return { row, caller, cpu: { there: [], absent: [] }, clock: { there: [], absent: [] } };
}

/** Half of what is there is shared with a third account, so that there is a grant to look at. */
async function makeIds({ world }: TimingRun, fraction: () => number) {
  const there: string[] = [];
  for (let i = 0; i < IDS; i++) there.push(await completed(world));
  const bytes = (length: number) => Uint8Array.from({ length }, () => pick(fraction, 256));
  const absent = Array.from({ length: IDS }, () => newSnapshotId({ bytes, fraction }));
  return { there, absent };
}

/** A connection that stays open from one request to the next, for as long as it may. */
class Line {
  #open: RawConnection | undefined;

  /** Connected, and taken by the service. */
  async take(world: World): Promise<RawConnection> {
    const known = this.#open;
    this.#open = undefined;
    if (known) return known;
    const connection = await RawConnection.open(world.service);
    for (let i = 0; i < 3; i++) await turn();
    return connection;
  }

  give(connection: RawConnection, { header }: RawResponse): void {
    if (header("Connection") === "close") connection.destroy();
    else this.#open = connection;
  }

  close(): void {
    this.#open?.destroy();
  }
}

async function time({ world, line }: Asked, { row, caller }: Case, id: string) {
  const bytes = encode(signedFor(world, row, { caller: world.callers[caller], id }));
  const connection = await line.take(world);
  const cpu = cpuMicroseconds();
  const start = performance.now();
  connection.write(bytes);
  const response = await connection.response();
  const clock = (performance.now() - start) * 1000;
  const taken = cpuMicroseconds() - cpu;
  line.give(connection, response);
  assert.ok(response.status >= 400, `${row.name} by ${caller}: ${response.status}`);
  return { cpu: taken, clock };
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Time of the processor that this thread had; Linux sums it up whenever the thread sleeps. */
function cpuMicroseconds(): number {
  Atomics.wait(sleeper, 0, 0, 0.02);
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

function shuffled<T>(all: readonly T[], fraction: () => number): T[] {
  const left = [...all];
  return all.map(() => left.splice(pick(fraction, left.length), 1)[0] as T);
}

function verdict(cases: readonly Case[], by: "cpu" | "clock"): string {
  const found = cases
    .map((each) => ({ name: nameOf(each), percent: Math.abs(percentOf(each[by])) }))
    .toSorted((a, b) => b.percent - a.percent);
  const within = found.filter(({ percent }) => percent < PERCENT_MAX).length;
  const [worst] = found;
  return (
    `median times within ${PERCENT_MAX} % in ${within} of ${found.length}, the worst ` +
    `${worst?.percent.toFixed(1)} % (${worst?.name})`
  );
}

function nameOf({ row, caller }: Case): string {
  return `${row.name} by ${caller}`;
}

/** How much longer what is there takes, in percent of what is not. */
function percentOf({ there, absent }: Case["cpu"]): number {
  return (median(there) / median(absent) - 1) * 100;
}

function lineOf(each: Case): string {
  const { cpu, clock } = each;
  const signed = (percent: number) => `${percent < 0 ? "" : "+"}${percent.toFixed(1)} %`;
  const mean = (trimmedMean(cpu.there) / trimmedMean(cpu.absent) - 1) * 100;
  return (
    `${nameOf(each)}: processor ${signed(percentOf(cpu))} of ${median(cpu.absent).toFixed(0)} us ` +
    `(trimmed means ${signed(mean)}), clock ${signed(percentOf(clock))}`
  );
}

function median(values: readonly number[]): number {
  const ordered = values.toSorted((a, b) => a - b);
  return ordered[Math.floor(ordered.length / 2)] ?? 0;
}

function trimmedMean(values: readonly number[]): number {
  const ordered = values.toSorted((a, b) => a - b);
  const cut = Math.floor(ordered.length * TRIMMED_SHARE);
  const kept = ordered.slice(cut, ordered.length - cut);
  return kept.reduce((sum, value) => sum + value, 0) / Math.max(1, kept.length);
}
