import assert from "node:assert/strict";
import {
  assertCell,
  call,
  expectedOf,
  KEPT_OUT,
  signedFor,
  toldBy,
} from "../support/matrix/cells.ts";
import { ROWS, type Row } from "../support/matrix/operations.ts";
import { CALLERS, type CallerName, openWorld, type World } from "../support/matrix/world.ts";
import { pick, seededFraction } from "../support/property.ts";
import { encode, RawConnection } from "../support/raw-http.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

scorecard({
  number: 18,
  name: "who may do what",
  goal:
    "all cells asserted, wrong leave 0, existence told 0 (same status and shape; median times " +
    "differ by less than 5 %)",
  peer: "RustFS: 62 advisories, many of one handler that did not ask",
  async run(run) {
    const world = await openWorld(run);
    const cells = ROWS.flatMap((row) => CALLERS.map((name) => ({ row, name })));
    const picked = sample(cells, run.count(cells.length, 120), run.seed);
    for (const { row, name } of picked) await assertCell(world, row, name);
    const denied = picked.filter(({ row, name }) => expectedOf(row, name)[0] >= 400).length;
    const hidden = await checkHidden(world, run);
    const asserted = `${picked.length} of ${cells.length} cells asserted (${denied} refusals)`;
    const times = await compareTimes(world, run.count(400, 10));
    return `${asserted}, wrong leave 0; ${hidden}; ${times}`;
  },
});

function sample<T>(all: readonly T[], count: number, seed: number): readonly T[] {
  if (count >= all.length) return all;
  const fraction = seededFraction(seed);
  return Array.from({ length: count }, () => all[pick(fraction, all.length)] as T);
}

/** Whoever is kept out is told the same of what is there and of what is not. */
async function checkHidden(world: World, run: ScorecardRun): Promise<string> {
  const pairs = withIds().flatMap((row) => KEPT_OUT.map((name) => ({ row, name })));
  const picked = sample(pairs, run.count(pairs.length, 20), run.seed);
  for (const { row, name } of picked) {
    const id = await row.subject(world);
    const there = toldBy(await call(world, row, { name, id }), id);
    const { unknown } = row;
    const absent = toldBy(await call(world, row, { name, id: unknown }), unknown);
    assert.equal(there, absent, `${row.name} (${row.place}) by ${name}`);
  }
  return `existence told 0 of ${picked.length}`;
}

function withIds(): readonly Row[] {
  return ROWS.filter(({ place }) => place !== "-");
}

/** Rows that are timed: one of each place an id travels in, and of each service. */
const TIMED: readonly (readonly [string, Row["place"]])[] = [
  ["ListSnapshotBlocks", "path"],
  ["GetSnapshotBlock", "path"],
  ["ListChangedBlocks", "query"],
  ["StartSnapshot", "body"],
  ["DescribeSnapshots", "body"],
  ["CopySnapshot", "body"],
];

/** Median times of what is there and of what is not, in turns; never a failure. */
async function compareTimes(world: World, rounds: number): Promise<string> {
  const differences: { readonly what: string; readonly percent: number }[] = [];
  for (const [name, place] of TIMED) {
    const row = ROWS.findLast((each) => each.name === name && each.place === place);
    assert.ok(row, name);
    for (const caller of ["another account", "a key allowed nothing"] as const) {
      const percent = await difference(world, { row, caller, rounds });
      differences.push({ what: `${name} by ${caller}`, percent });
    }
  }
  const ordered = differences.toSorted((a, b) => b.percent - a.percent);
  const [worst] = ordered;
  const within = ordered.filter(({ percent }) => percent < 5).length;
  return (
    `median times within 5 % in ${within} of ${ordered.length}, the worst ` +
    `${worst?.percent.toFixed(1)} % (${worst?.what})`
  );
}

async function difference(
  world: World,
  of: { readonly row: Row; readonly caller: CallerName; readonly rounds: number },
): Promise<number> {
  const { row, caller, rounds } = of;
  const id = await row.subject(world);
  const times: Record<"there" | "absent", number[]> = { there: [], absent: [] };
  for (let round = 0; round < rounds; round++) {
    // In turns, and each first as often as second: what else the machine does hits both.
    const kinds = round % 2 === 0 ? (["there", "absent"] as const) : (["absent", "there"] as const);
    for (const kind of kinds) {
      const asked = kind === "there" ? id : row.unknown;
      const raw = signedFor(world, row, { caller: world.callers[caller], id: asked });
      const connection = await RawConnection.open(world.service);
      const start = performance.now();
      connection.write(encode(raw));
      await connection.response();
      times[kind].push(performance.now() - start);
      connection.destroy();
    }
  }
  const [there, absent] = [median(times.there), median(times.absent)];
  return (Math.abs(there - absent) / Math.min(there, absent)) * 100;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
