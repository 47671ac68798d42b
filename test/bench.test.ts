import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "./support/temporary-directory.ts";

const ROOT = join(import.meta.dirname, "..");

interface Result {
  readonly rows: readonly {
    readonly figure: string;
    readonly varve?: number | null;
    readonly note?: string;
  }[];
}

test("every figure of the bench can be measured; worse ratios fail nothing", async (t) => {
  const directory = await temporaryDirectory(t);
  const main = join(ROOT, "bench", "main.ts");
  const quiet = "--disable-warning=ExperimentalWarning";
  const args = [quiet, main, "--quick", "--rounds", "1", "--directory", directory];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    cwd: ROOT,
  });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const path = /^bench\/results\/\d+\.json$/m.exec(stdout)?.[0];
  assert.ok(path !== undefined, stdout);
  const { rows } = JSON.parse(await readFile(join(ROOT, path), "utf8")) as Result;
  await rm(join(ROOT, path));
  assert.ok(rows.length > 60, `${rows.length} rows`);
  for (const { figure, varve, note } of rows) {
    // A peer that is not installed here says so.
    assert.ok(Number(varve) > 0 || note !== undefined, `${figure} has no value\n${stdout}`);
  }
  for (const line of stdout.split("\n")) if (line.startsWith("warning: ")) t.diagnostic(line);
});
