import assert from "node:assert/strict";
import { test } from "node:test";
import { printSeed } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { killOften } from "./kill-often.ts";

/** How often the server is killed; each time starts it again on the same folder. */
const CYCLES = Number(process.env["VARVE_KILL_CYCLES"] ?? 50);
/**
 * From the start of the process to the first successful request: when a restart is taken for one
 * that never comes. How fast it is, scorecard 1 tells by its figure.
 */
const RESTART_MS_MAX = 10_000;

test("openService keeps all it acknowledged when it is killed at any moment", async (t) => {
  const run = { seed: printSeed(t), after: (work: () => unknown) => t.after(work) };
  const found = await killOften(await temporaryDirectory(t), {
    run,
    cycles: CYCLES,
    lanes: 4,
    writers: 3,
  });
  const slowestMs = Math.max(...found.restartMs);
  t.diagnostic(
    `${found.kills} kills, ${found.acknowledged} blocks acknowledged, ` +
      `${found.completed} snapshots completed, ${found.checked} blocks read back, ` +
      `0 lost, slowest restart ${Math.round(slowestMs)} ms`,
  );
  assert.ok(found.acknowledged > CYCLES, "there was a load");
  assert.ok(found.completed > CYCLES / 10, "there were completions");
  assert.ok(slowestMs < RESTART_MS_MAX, `a restart took ${slowestMs} ms`);
});
