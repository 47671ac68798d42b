// The one entry point behind the npm scripts: node scripts/run.mjs <task> [arguments].
// Installs what is missing, finds Node 24 and runs the task's steps with it, one after another,
// up to the first that fails. Plain JavaScript without dependencies: it must run on Node 20.

import { spawnSync } from "node:child_process";
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isConsoleBuilt } from "./console-stamp.mjs";
import { COMPILE_CACHE, prepare, runNode } from "./find-node.mjs";
import { SERVICE_NODE } from "./service-node.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const biome = "node_modules/@biomejs/biome/bin/biome";
const tsc = "node_modules/typescript/bin/tsc";
const quiet = "--disable-warning=ExperimentalWarning";

const checks = [
  { name: "biome", args: [biome, "check", "--error-on-warnings"] },
  { name: "types", args: [tsc, "--noEmit"] },
  { name: "types of the console", args: [tsc, "--noEmit", "-p", "src/console"] },
  { name: "tidy", args: [quiet, "scripts/tidy.ts"] },
];

const buildConsole = { name: "console", args: [quiet, "scripts/build-console.ts"] };

const tasks = {
  start: (args) => [
    ...consoleIfChanged(),
    {
      ...single("start", [
        ...SERVICE_NODE.flags,
        "bin/varve.mjs",
        "serve",
        "--data",
        "./data",
        ...args,
      ]),
      env: SERVICE_NODE.env,
    },
  ],
  test: (args) => [...checks, tests(args)],
  ok: (args) => [...checks, tests(args)],
  check: () => checks,
  format: () => [{ name: "format", args: [biome, "check", "--write"] }],
  build: () => [
    {
      name: "build",
      args: [tsc, "-p", "tsconfig.build.json"],
      before: clean,
      after: addManual,
    },
    buildConsole,
  ],
  demo: (args) => [single("demo", [quiet, "scripts/demo.ts", ...args])],
  conformance: (args) => [single("conformance", [quiet, "test/conformance/main.ts", ...args])],
  bench: (args) => [single("bench", [quiet, "bench/main.ts", ...args])],
  deep: (args) => [single("deep", [quiet, "scripts/deep.ts", ...args])],
};

// What Node made of the sources, types stripped, is kept: half of what a start costs, and the tests
// start hundreds of processes.
const env = {
  NODE_COMPILE_CACHE: join(root, COMPILE_CACHE),
  ...process.env,
};

process.exitCode = await main(process.argv.slice(2));

async function main([task = "", ...args]) {
  if (!Object.hasOwn(tasks, task)) {
    console.error(`usage: node scripts/run.mjs <${Object.keys(tasks).join("|")}> [arguments]`);
    return 2;
  }
  let node;
  try {
    node = prepare(root);
  } catch (error) {
    console.error(`varve: ${error.message}`);
    return 1;
  }
  for (const step of tasks[task](args)) {
    const code = await runStep(node, step);
    if (code !== 0 && !step.mayFail) return code;
  }
  return 0;
}

async function runStep(node, step) {
  const started = performance.now();
  step.before?.();
  const code = await runNode(node, step.args, { cwd: root, env: { ...step.env, ...env } });
  if (code === 0) step.after?.(node);
  if (step.silent) return code;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const outcome = code === 0 ? "ok" : `failed, exit code ${code}`;
  console.error(`${step.name}: ${outcome} (${seconds} s)`);
  return code;
}

/** A program that speaks for itself: no line of ours after it. */
function single(name, args) {
  return { name, args, silent: true };
}

/** Arguments without a dash pick files or folders; the others go to the test runner as they are. */
function tests(args) {
  const options = args.filter((arg) => arg.startsWith("-"));
  const picked = args.filter((arg) => !arg.startsWith("-")).map(filesOf);
  const files = picked.length > 0 ? picked : ["src/**/*.test.ts", "test/**/*.test.ts"];
  return { name: "tests", args: [quiet, "--test", "--test-concurrency=2", ...options, ...files] };
}

function filesOf(path) {
  const isFolder = existsSync(join(root, path)) && statSync(join(root, path)).isDirectory();
  return isFolder ? `${path.replace(/\/+$/, "")}/**/*.test.ts` : path;
}

function clean() {
  rmSync(join(root, "dist"), { recursive: true, force: true });
}

/** The service runs without its console, too; /console then says how it is built. */
function consoleIfChanged() {
  return isConsoleBuilt(root) ? [] : [{ ...buildConsole, mayFail: true }];
}

/** Beside the compiled code. */
function addManual(node) {
  const { status, stdout } = spawnSync(node, ["bin/varve.mjs", "manual"], { cwd: root });
  if (status !== 0) throw new Error("the manual page could not be made");
  writeFileSync(join(root, "dist", "varve.1"), stdout);
}
