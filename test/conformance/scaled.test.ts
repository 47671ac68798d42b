import assert from "node:assert/strict";
import { test } from "node:test";
import {
  SCALED_KEY as keyEncryptionKey,
  scaledStore,
  whyNoScaledStore,
} from "../support/scaled-store.ts";
import { prepare } from "./_context.ts";
import { openVarve } from "./_endpoints.ts";
import { countTable, differences } from "./_report.ts";
import { runChecks } from "./_run.ts";
import { ALL_CHECKS } from "./all-checks.ts";
import { unexpectedFailures } from "./known-failures.ts";

/** Engines on a machine that runs other tests beside this one may be slow. */
const PATIENCE_MS = 30_000;
const skip = whyNoScaledStore();

test("Varve answers as documented on a bucket and a database, too", { skip }, async (t) => {
  const store = { scaled: await scaledStore(), keyEncryptionKey };
  const varve = await openVarve({ patienceMs: PATIENCE_MS, store });
  t.after(() => varve.close());
  const results = await runChecks(ALL_CHECKS, await prepare(varve.caller, varve.others));
  t.diagnostic(`\n${countTable(results)}`);
  const failures = unexpectedFailures(results);
  assert.equal(failures.length, 0, `\n${differences(failures)}`);
});
