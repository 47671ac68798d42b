import assert from "node:assert/strict";
import { assertCell, call, expectedOf, KEPT_OUT, toldBy } from "../support/matrix/cells.ts";
import { ROWS, type Row } from "../support/matrix/operations.ts";
import { CALLERS, openWorld, type World } from "../support/matrix/world.ts";
import { pick, seededFraction } from "../support/property.ts";
import { compareTimes } from "./_timing.ts";
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
    const { seed, say } = run;
    const times = await compareTimes({ world, rounds: run.count(1_000, 5), seed, say });
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
