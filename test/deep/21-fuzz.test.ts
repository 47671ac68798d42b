import assert from "node:assert/strict";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import { fuzzTarget } from "./_fuzz.ts";
import { FUZZ_TARGETS, type FuzzTargetName } from "./_fuzz-targets.ts";
import { scorecard } from "./scorecard.ts";

/** Seconds for one target of the full version; `VARVE_FUZZ_SECONDS` makes a night's shorter. */
const SECONDS = Number(process.env["VARVE_FUZZ_SECONDS"] ?? 3_600);
/** Targets at once: this machine's idea of its processors would change how long the test takes. */
const CONCURRENCY = 2;

scorecard({
  number: 21,
  name: "fuzz",
  goal: "≥ 10⁷ runs of each of ≥ 7 targets a night; crash, hang > 1 s, uncaught 0",
  peer: "SQLite: about 10⁹ runs a day, on many cores",
  async run(run) {
    const names = Object.keys(FUZZ_TARGETS) as FuzzTargetName[];
    const counts: number[] = [];
    const findings: string[] = [];
    await forEachConcurrent(names, CONCURRENCY, async (name) => {
      const count = run.count(10_000_000, 2_000);
      const seconds = run.count(SECONDS, 60);
      const outcome = await fuzzTarget({ name, seed: run.seed, count, seconds });
      counts.push(outcome.done);
      run.say(
        `${name}: ${outcome.done} runs in ${outcome.seconds.toFixed(1)} s, ` +
          `${outcome.taken} inputs taken`,
      );
      if (outcome.finding !== undefined) findings.push(`${name}: ${outcome.finding}`);
      else assert.ok(outcome.taken > 0, `${name}: nothing was ever taken`);
    });
    for (const finding of findings) run.say(finding);
    const least = Math.min(...counts);
    const total = counts.reduce((sum, count) => sum + count, 0);
    assert.deepEqual(findings, []);
    return (
      `${names.length} targets, ${least.toExponential(1)} runs of the slowest, ` +
      `${total.toExponential(1)} in all; crash, hang, uncaught 0`
    );
  },
});
