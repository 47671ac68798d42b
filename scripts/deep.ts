// The scorecard in full: every test of test/deep with its full counts, then one table. Run by
// `npm run deep`, which takes hours; `npm test` runs the short versions.
//
//   npm run deep -- [NUMBER …] [--seed N] [--share 0.1] [--table FILE] [--from FOLDER]
//
// With --share, only that share of the full counts is run; the figures say how many that was.
// With --table, the rows that were run take their place in that page's table, between its markers.
// A test that was skipped leaves its row on the page as it is. When one that was asked for was
// skipped, failed, or ended without a figure, that is said on standard error, and the end is not 0.
// With --from, the tests are those of another folder, such as the ones that test this script.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Figure } from "../test/deep/scorecard.ts";

const ROOT = join(import.meta.dirname, "..");
const BEGIN = "<!-- scorecard begins -->";
const END = "<!-- scorecard ends -->";

const { values, positionals } = parseArgs({
  options: {
    seed: { type: "string" },
    share: { type: "string" },
    table: { type: "string" },
    from: { type: "string", default: join(ROOT, "test", "deep") },
  },
  allowPositionals: true,
});
const FOLDER = resolve(values.from);

process.exitCode = main();

function main(): number {
  const files = readdirSync(FOLDER).filter(isAskedFor).sort();
  if (files.length === 0) {
    console.error(`varve: no test of the scorecard has the number ${positionals.join(", ")}`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), "varve-deep-"));
  try {
    const report = join(folder, "figures");
    writeFileSync(report, "");
    const status = runTests(files, report);
    const lines = readFileSync(report, "utf8").trim().split("\n").filter(Boolean);
    const figures = lines.map((line) => JSON.parse(line) as Figure);
    console.log(`\n${tableOf(figures).join("\n")}`);
    if (values.table !== undefined) {
      const isRun = ({ outcome }: Figure) => outcome !== "skipped";
      replaceRows(values.table, figures.filter(isRun));
    }
    const shortcomings = shortcomingsOf(files, figures);
    for (const each of shortcomings) console.error(`varve: ${each}`);
    return status || (shortcomings.length > 0 ? 1 : 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Undefined for what is no test of the scorecard; `06-bit-rot.test.ts` is number 6. */
function numberOfFile(file: string): number | undefined {
  const number = /^(\d+)-.*\.test\.ts$/.exec(file)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Without numbers, all are asked for. */
function isAskedFor(file: string): boolean {
  const number = numberOfFile(file);
  if (number === undefined) return false;
  return positionals.length === 0 || positionals.some((asked) => Number(asked) === number);
}

/** What of the tests asked for brought no figure, one line each. */
function shortcomingsOf(files: readonly string[], figures: readonly Figure[]): string[] {
  return files.flatMap((file) => {
    const number = numberOfFile(file);
    const row = figures.find((figure) => figure.number === number);
    if (row === undefined) return `scorecard ${number} ended without a figure; see above`;
    if (row.outcome === "passed") return [];
    const kept = row.outcome === "skipped" ? ": what a page says of it is of an earlier run" : "";
    return `scorecard ${number} ${row.figure}${kept}`;
  });
}

function runTests(files: readonly string[], report: string): number {
  const env: NodeJS.ProcessEnv = { ...process.env, VARVE_DEEP_REPORT: report };
  if (values.seed !== undefined) env["VARVE_SEED"] = values.seed;
  if (values.share !== undefined) env["VARVE_DEEP_SHARE"] = values.share;
  const options = ["--disable-warning=ExperimentalWarning", "--test", "--test-concurrency=1"];
  const paths = files.map((file) => join(FOLDER, file));
  const { status } = spawnSync(process.execPath, [...options, ...paths], { stdio: "inherit", env });
  return status ?? 1;
}

function tableOf(figures: readonly Figure[]): string[] {
  const ordered = figures.toSorted((a, b) => a.number - b.number);
  const cells = (row: Figure) => [String(row.number), row.name, row.figure, row.goal, row.peer];
  const head = ["#", "test", "figure reached", "goal", "best peer"];
  const rule = head.map(() => "---");
  const rows = [head, rule, ...ordered.map(cells)];
  return rows.map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
}

/** Rows of tests that were not run now stay as they are. */
function replaceRows(path: string, figures: readonly Figure[]): void {
  const page = readFileSync(path, "utf8");
  const [start, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${path} has no ${BEGIN} … ${END}`);
  const [head = "", rule = "", ...rows] = tableOf(figures);
  const numberOf = (row: string) => Number(/^\| (\d+) \|/.exec(row)?.[1]);
  const kept = page
    .slice(start, end)
    .split("\n")
    .filter((row) => numberOf(row) > 0);
  const byNumber = new Map([...kept, ...rows].map((row) => [numberOf(row), row]));
  const merged = [...byNumber].sort(([a], [b]) => a - b).map(([, row]) => row);
  const table = [BEGIN, "", head, rule, ...merged, "", ""].join("\n");
  writeFileSync(path, page.slice(0, start) + table + page.slice(end));
}
