import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { Group } from "./_check.ts";
import { type Context, prepare } from "./_context.ts";
import { openVarve } from "./_endpoints.ts";
import { holds, same } from "./_expect.ts";
import { countTable, differences } from "./_report.ts";
import { count, runChecks } from "./_run.ts";
import { ALL_CHECKS } from "./all-checks.ts";
import { spentReasons, unexpectedFailures } from "./known-failures.ts";

/* Varve against the fact sheet, and the suite against itself. */

const CHECKS_MIN = 250;
/** A machine that runs other tests beside this one may be slow; nothing else waits this long. */
const PATIENCE_MS = 30_000;

test("Varve answers as documented, but for what is known", async (t) => {
  const varve = await openVarve({ patienceMs: PATIENCE_MS });
  t.after(() => varve.close());
  const results = await runChecks(ALL_CHECKS, await prepare(varve.caller, varve.others));
  t.diagnostic(`\n${countTable(results)}`);
  for (const reason of spentReasons(results)) t.diagnostic(`no longer a known failure: ${reason}`);
  const { exact, compatible } = count(results);
  assert.ok(exact + compatible >= CHECKS_MIN, `${exact} exact and ${compatible} compatible`);
  const failures = unexpectedFailures(results);
  assert.equal(failures.length, 0, `\n${differences(failures)}`);
});

/** As AWS, but sooner: delays that can still be told from none on a slow machine. */
const EMULATED = "aws,lag=2";
/** Checks do little but wait here, so many run at once, and each may take long. */
const EMULATED_PATIENCE_MS = 90_000;

test("with --emulate aws Varve answers exactly as documented", async (t) => {
  const varve = await openVarve({ patienceMs: EMULATED_PATIENCE_MS, emulate: EMULATED });
  t.after(() => varve.close());
  const results = await runChecks(ALL_CHECKS, await prepare(varve.caller, varve.others));
  t.diagnostic(`\n${countTable(results)}`);
  const inexact = results.filter(({ verdict }) => verdict === "compatible");
  const failures = [...inexact, ...unexpectedFailures(results)];
  assert.equal(failures.length, 0, `\n${differences(failures)}`);
  assert.ok(count(results).exact >= CHECKS_MIN);
});

describe("The checks", () => {
  test("have ids of their own, and each says something", () => {
    const ids = ALL_CHECKS.map(({ id }) => id);
    const repeated = ids.filter((id, i) => ids.indexOf(id) !== i);
    assert.deepEqual(repeated, []);
    for (const { id, says } of ALL_CHECKS) assert.match(says, /^\S.*[./]$/, id);
  });

  test("name deviations by rows of docs/api.md, and no other", async () => {
    const api = await readFile(new URL("../../docs/api.md", import.meta.url), "utf8");
    const rows = ALL_CHECKS.flatMap(({ deviation }) => deviation?.row ?? []);
    assert.ok(rows.length > 0);
    const unknown = new Set(rows.filter((row) => !api.includes(`\n| ${row} |`)));
    assert.deepEqual([...unknown], []);
  });
});

test("A check comes to what its body and its deviation come to", async () => {
  const group = new Group("own");
  const bad = () => same("seen", "wanted");
  group.check("exact", "Holds.", () => same(1, 1));
  group.check("fail", "Does not.", bad);
  group.check("crash", "Crashes.", () => {
    throw new TypeError("crashed");
  });
  group.check("compatible", "Deviates.", bad).or("row", () => holds(true, "", ""));
  group.check("worse", "Deviates otherwise.", bad).or("row", bad);
  group.skip("skip", "Cannot be checked.", "reason");
  const results = await runChecks(group.checks, {} as Context);
  assert.deepEqual(
    results.map(({ id, verdict }) => `${id} ${verdict}`),
    ["exact exact", "fail fail", "crash fail", "compatible compatible", "worse fail", "skip skip"],
  );
  assert.deepEqual(count(results), { exact: 1, compatible: 1, fail: 3, skip: 1 });
  assert.match(
    differences(results),
    /fail\s+fail: Does not\.\n\s+seen: {3}seen\n\s+wanted: wanted/,
  );
});
