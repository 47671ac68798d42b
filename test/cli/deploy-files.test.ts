import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runVarve } from "./_varve.ts";

/* The files in deploy/, and the page about them, say what `varve serve` understands. */

const ROOT = join(import.meta.dirname, "../..");
const FILES = [
  "deploy/Dockerfile",
  "deploy/compose.yaml",
  "deploy/kubernetes/varve.yaml",
  "deploy/varve.service",
  "docs/deployment.md",
];
/** Variables without an option, for what may never be on a command line; and those of tests. */
const WITHOUT_OPTION =
  /^VARVE_(?:STORE_)?(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY)$|^VARVE_(?:TEST|OUTAGE|SCALED)_/;

test("deploy/ and docs/deployment.md name options of varve serve and their variables", async () => {
  const { stdout } = await runVarve(["serve", "--help"]);
  const known = new Set([...stdout.matchAll(/--([a-z-]+)/g)].map(([, name]) => name));
  let namedCount = 0;
  for (const path of FILES) {
    const text = await readFile(join(ROOT, path), "utf8");
    for (const [variable] of text.matchAll(/\bVARVE_[A-Z0-9_]+/g)) {
      if (WITHOUT_OPTION.test(variable)) continue;
      const option = variable.slice("VARVE_".length).toLowerCase().replaceAll("_", "-");
      assert.ok(known.has(option), `${path} names ${variable}`);
      namedCount += 1;
    }
  }
  assert.ok(namedCount > 15);
});

test("systemd finds nothing wrong with the unit", async (t) => {
  const unit = join(ROOT, "deploy/varve.service");
  const { error, status, stderr } = spawnSync("systemd-analyze", ["verify", unit], {
    encoding: "utf8",
  });
  if (error) return t.skip("there is no systemd-analyze");
  assert.equal(status, 0, stderr);
  assert.equal(stderr, "");
});
