// Measures Varve beside floor programs in one run: prints one table and writes one JSON file.
// See bench/README.md for what each figure means.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { backup } from "./figures/backup.ts";
import { changed } from "./figures/changed.ts";
import { client } from "./figures/client.ts";
import { collect } from "./figures/collect.ts";
import { cores } from "./figures/cores.ts";
import { download } from "./figures/download.ts";
import { get } from "./figures/get.ts";
import { list } from "./figures/list.ts";
import { manyClients } from "./figures/many-clients.ts";
import { map } from "./figures/map.ts";
import { memory } from "./figures/memory.ts";
import { moto } from "./figures/moto.ts";
import { put } from "./figures/put.ts";
import { putCompressible } from "./figures/put-compressible.ts";
import { putDuplicate } from "./figures/put-duplicate.ts";
import { s3 } from "./figures/s3.ts";
import { startUp } from "./figures/start-up.ts";
import { upload } from "./figures/upload.ts";
import { Bench, type BenchOptions } from "./harness/bench.ts";
import type { Figure } from "./harness/figure.ts";
import { saveBaseline, warnings } from "./harness/guard.ts";
import { topCosts } from "./harness/profile.ts";
import { missingRow, type Row } from "./harness/rounds.ts";
import { formatTable } from "./harness/table.ts";

const FIGURES: readonly Figure[] = [
  put,
  putDuplicate,
  putCompressible,
  get,
  list,
  changed,
  startUp,
  manyClients,
  cores,
  memory,
  upload,
  download,
  client,
  moto,
  s3,
  backup,
  collect,
  map,
];
const RESULTS = join(import.meta.dirname, "results");
const BASELINE = join(import.meta.dirname, "baseline.json");
const ROUNDS_DEFAULT = 5;
const ROUNDS_QUICK = 3;

process.exitCode = (await main()) || process.exitCode;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      "save-baseline": { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      directory: { type: "string", default: RESULTS },
      help: { type: "boolean", default: false },
    },
  });
  const isQuick = values.quick;
  const rounds = Number(values.rounds ?? (isQuick ? ROUNDS_QUICK : ROUNDS_DEFAULT));
  const isNamed = (word: string) => (figure: Figure) =>
    figure.name === word || figure.group === word;
  const figures = FIGURES.filter(
    (figure) => positionals.length === 0 || positionals.some((word) => isNamed(word)(figure)),
  );
  const unknown = positionals.find((word) => !FIGURES.some(isNamed(word)));
  if (values.help || unknown !== undefined || !Number.isInteger(rounds) || rounds < 1) {
    console.error(usage());
    return values.help ? 0 : 2;
  }
  mkdirSync(RESULTS, { recursive: true });
  mkdirSync(values.directory, { recursive: true });
  const directory = mkdtempSync(join(values.directory, "work-"));
  const profiles = values.profile ? join(RESULTS, `profiles-${process.pid}`) : undefined;
  if (profiles !== undefined) mkdirSync(profiles);
  try {
    const options = { rounds, isQuick, isFull: values.full, directory, profiles };
    const rows = await runAll(figures, options);
    report(rows, { options, figures });
    const kind = isQuick ? "quick" : "whole";
    for (const warning of warnings(BASELINE, rows, kind)) console.log(`warning: ${warning}`);
    if (values["save-baseline"]) saveBaseline(BASELINE, rows, kind);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return 0;
}

async function runAll(figures: readonly Figure[], options: BenchOptions): Promise<Row[]> {
  await using bench = new Bench(options);
  const rows: Row[] = [];
  for (const figure of figures) {
    const startedAt = performance.now();
    // One that fails must not cost what the others have measured.
    const failed = (error: Error) => {
      console.error(error);
      process.exitCode = 1;
      return [missingRow(figure.name, `failed: ${error.message.split("\n")[0]}`)];
    };
    const own = await figure.run(bench).catch(failed);
    rows.push(...own);
    await bench.endFigure();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    // Told at once: what comes later may take long, or be ended by somebody's patience.
    console.error(`${figure.name}: ${seconds} s\n${formatTable(own)}\n`);
  }
  return rows;
}

function report(
  rows: readonly Row[],
  run: {
    readonly options: BenchOptions;
    readonly figures: readonly Figure[];
  },
): void {
  const { rounds, isQuick, profiles } = run.options;
  console.log(formatTable(rows));
  for (const { name } of profiles === undefined ? [] : run.figures) {
    console.log(`\n${name}: main thread of the server, busy time by function`);
    console.log(topCosts(profiles ?? "", name).join("\n"));
  }
  const path = join(RESULTS, `${nextNumber()}.json`);
  const machine = {
    processors: cpus().length,
    model: cpus()[0]?.model,
    kernel: release(),
    node: process.version,
  };
  const finishedAt = new Date().toISOString();
  const result = { finishedAt, machine, rounds, isQuick, isProfiled: profiles !== undefined, rows };
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  console.log(`\n${relative(process.cwd(), path)}`);
}

function nextNumber(): number {
  const numbers = readdirSync(RESULTS).map((name) => Number.parseInt(name, 10) || 0);
  return Math.max(0, ...numbers) + 1;
}

function usage(): string {
  const groups = Map.groupBy(FIGURES, ({ group }) => group);
  const lines = [...groups].flatMap(([group, figures]) => [
    `${group}:`,
    ...figures.map(({ name, about }) => `  ${name.padEnd(18)}${about}`),
  ]);
  return [
    "usage: npm run bench -- [--rounds n] [--quick] [--full] [--profile] [--save-baseline]",
    "       [--directory folder] [figure or group …]",
    ...lines,
  ].join("\n");
}
