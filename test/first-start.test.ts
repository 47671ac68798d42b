import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryDirectory } from "./support/temporary-directory.ts";

/*
 * Several first starts of one checkout at once: one installs, the others wait for it, and nobody
 * waits for a dead one. In npm's place is a script that says when it begins and ends, and ends when
 * it may.
 */

const SCRIPT = new URL("../scripts/find-node.mjs", import.meta.url).href;
const PROGRAM = `import { prepare } from ${JSON.stringify(SCRIPT)};
console.log(prepare(process.argv[1]));`;
const NPM = `#!/bin/sh
echo "begin $$" >> npm.txt
tries=0
while [ ! -e go ] && [ $tries -lt 2000 ]; do sleep 0.02; tries=$((tries + 1)); done
mkdir -p node_modules
echo "end $$" >> npm.txt
`;
const WAIT_MS_MAX = 30_000;
const SKIP = ["perl", "flock"].every((name) => spawnSync(name, ["--version"]).error)
  ? "neither perl nor flock is here"
  : false;

async function checkout(t: TestContext) {
  const root = await temporaryDirectory(t);
  await writeFile(join(root, "package-lock.json"), "{}\n");
  await writeFile(join(root, "npm"), NPM);
  await chmod(join(root, "npm"), 0o755);
  const children: ChildProcess[] = [];
  const goOn = () => writeFile(join(root, "go"), "");
  t.after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await goOn();
  });
  const start = () => {
    const env = { ...process.env, PATH: [root, process.env["PATH"]].join(delimiter) };
    const args = ["--input-type=module", "-e", PROGRAM, root];
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    children.push(child);
    const told = { out: "", error: "" };
    child.stdout.on("data", (text) => {
      told.out += text;
    });
    child.stderr.on("data", (text) => {
      told.error += text;
    });
    return { child, told, ended: once(child, "close"), died: once(child, "exit") };
  };
  const calls = async () => {
    const text = await readFile(join(root, "npm.txt"), "utf8").catch(() => "");
    return text.split("\n").filter(Boolean);
  };
  return { start, calls, goOn };
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX;
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, what);
    await sleep(20);
  }
}

function kinds(calls: readonly string[]): string[] {
  return calls.map((line) => line.split(" ")[0] ?? "");
}

test("of two first starts at once, one installs and both go on", { skip: SKIP }, async (t) => {
  const { start, calls, goOn } = await checkout(t);
  const first = start();
  await until("npm runs", async () => (await calls()).length === 1);
  const second = start();
  await until("the second waits", () => /waiting for it/.test(second.told.error));
  await goOn();
  for (const { ended, told } of [first, second]) {
    assert.deepEqual(await ended, [0, null], told.error);
    assert.equal(told.out, `${process.execPath}\n`);
  }
  assert.deepEqual(kinds(await calls()), ["begin", "end"]);
});

test("npm outlives a start that was killed, and the next one waits", { skip: SKIP }, async (t) => {
  const { start, calls, goOn } = await checkout(t);
  const first = start();
  await until("npm runs", async () => (await calls()).length === 1);
  first.child.kill("SIGKILL");
  await first.died;
  const second = start();
  await until("the second waits", () => /waiting for it/.test(second.told.error));
  await goOn();
  assert.deepEqual(await second.ended, [0, null], second.told.error);
  // Nobody was left to tell that the first one had come to its end.
  assert.deepEqual(kinds(await calls()), ["begin", "end", "begin", "end"]);
});

test("nobody waits for a start that was killed with its npm", { skip: SKIP }, async (t) => {
  const { start, calls, goOn } = await checkout(t);
  const first = start();
  await until("npm runs", async () => (await calls()).length === 1);
  const [line = ""] = await calls();
  first.child.kill("SIGKILL");
  process.kill(Number(line.split(" ")[1]), "SIGKILL");
  await first.died;
  await goOn();
  const second = start();
  assert.deepEqual(await second.ended, [0, null], second.told.error);
  assert.deepEqual(kinds(await calls()), ["begin", "begin", "end"]);
});
