import { appendFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { printSeed } from "../support/property.ts";
import type { Cleanup } from "../support/temporary-directory.ts";

/*
 * The scorecard: one file for each of its tests, each with one figure. `npm test` runs a short,
 * seeded version of each; `npm run deep` runs them in full and prints the figures as one table.
 */

/** One test of the scorecard. */
export interface ScorecardTest {
  readonly number: number;
  readonly name: string;
  /** What is to be reached. */
  readonly goal: string;
  /** The best figure published for the same kind of test, and whose it is. */
  readonly peer: string;
  /** Why the test cannot run here; undefined where it can. */
  skip?(): string | undefined;
  /**
   * Runs the test; answers the figure reached, in a few words with numbers. Throws for whatever
   * must never be seen; a goal that is merely not reached is told by the figure.
   */
  run(run: ScorecardRun): Promise<string>;
}

/** How far one run goes. */
export interface ScorecardRun extends Cleanup {
  /** True for `npm run deep`. */
  readonly isFull: boolean;
  /** Seed of all chance in it, printed. */
  readonly seed: number;
  /** How many of something: in full, or that share of it, and in the short version. */
  count(full: number, short: number): number;
  /** How much of a full run is asked for, at most 1. */
  readonly share: number;
  /** Says something in the output of the test. */
  say(line: string): void;
}

/** A figure as `npm run deep` collects it: one line of JSON in the file that it names. */
export interface Figure extends Omit<ScorecardTest, "run" | "skip"> {
  /** What was reached; of a test that was skipped or failed, that and why. */
  readonly figure: string;
  readonly outcome: "passed" | "skipped" | "failed";
  readonly seconds: number;
}

const REPORT = process.env["VARVE_DEEP_REPORT"];
const isFull = REPORT !== undefined;
/** `VARVE_DEEP_SHARE` has a full run do less of everything; its figures say how much. */
const SHARE = Number(process.env["VARVE_DEEP_SHARE"] ?? 1);

/** Makes a test of the scorecard one of node's test runner. */
export function scorecard(subject: ScorecardTest): void {
  const { number, name } = subject;
  test(`scorecard ${number}: ${name}`, async (t) => {
    const missing = subject.skip?.();
    if (missing !== undefined) {
      // Told as well: without a row, the figure of an earlier run would pass for one of this.
      report(subject, { figure: `skipped: ${missing}`, outcome: "skipped", seconds: 0 });
      return t.skip(missing);
    }
    const start = performance.now();
    const { figure, error } = await attempt(subject, t);
    const seconds = (performance.now() - start) / 1000;
    t.diagnostic(`${figure} (${seconds.toFixed(1)} s)`);
    report(subject, { figure, outcome: error ? "failed" : "passed", seconds });
    if (error) throw error;
  });
}

function report(
  { number, name, goal, peer }: ScorecardTest,
  reached: Pick<Figure, "figure" | "outcome" | "seconds">,
): void {
  if (REPORT === undefined) return;
  const row: Figure = { number, name, goal, peer, ...reached };
  appendFileSync(REPORT, `${JSON.stringify(row)}\n`);
}

async function attempt(
  subject: ScorecardTest,
  t: TestContext,
): Promise<{ figure: string; error?: Error }> {
  const run: ScorecardRun = {
    isFull,
    seed: printSeed(t),
    count: (full, short) => (isFull ? Math.ceil(full * SHARE) : short),
    share: SHARE,
    say: (line) => t.diagnostic(line),
    after: (work) => t.after(work),
  };
  try {
    return { figure: await subject.run(run) };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    return { figure: `failed: ${error.message.split("\n")[0]}`, error };
  }
}
