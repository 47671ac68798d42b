import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { snapshotOf } from "./support/operations.ts";
import { blockContents } from "./support/property.ts";
import { startService } from "./support/service.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";
import { waitUntil } from "./support/wait-until.ts";

/* The dashboard and the alert rules in deploy/ ask for what a service tells, in valid questions. */

const DEPLOY = join(import.meta.dirname, "../deploy");
const RULES = join(DEPLOY, "prometheus/varve-alerts.yaml");

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

function promtool(t: TestContext, ...args: string[]): void {
  const { error, status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  if (error) t.skip("there is no promtool (Debian's package prometheus)");
  else assert.equal(status, 0, stdout + stderr);
}

async function expressionsOfDashboard(): Promise<string[]> {
  const text = await readFile(join(DEPLOY, "grafana/varve.json"), "utf8");
  const { panels } = JSON.parse(text) as Dashboard;
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}

test("promtool finds the alert rules valid", (t) => promtool(t, "check", "rules", RULES));

test("each alert comes when it should, and not when it should not", (t) => {
  const tests = ["varve-alerts.test.yaml", "varve-upkeep.test.yaml"];
  promtool(t, "test", "rules", ...tests.map((name) => join(DEPLOY, "prometheus", name)));
});

test("every alert has a test that it comes", async () => {
  const rules = await readFile(RULES, "utf8");
  const names = ["varve-alerts.test.yaml", "varve-upkeep.test.yaml"];
  const tests = await Promise.all(
    names.map((name) => readFile(join(DEPLOY, "prometheus", name), "utf8")),
  );
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  assert.equal(alerts.length, 12);
  for (const alert of alerts) {
    assert.match(tests.join("\n"), new RegExp(`alertname: ${alert}\\n +exp_alerts:\\n`), alert);
  }
});

test("every question of the dashboard is valid", async (t) => {
  const expressions = await expressionsOfDashboard();
  assert.ok(expressions.length > 30);
  const rules = expressions.map((expr, i) => {
    const asked = expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(?:job|instance)/g, ".*");
    return `      - {record: "panel:${i}", expr: ${JSON.stringify(asked)}}\n`;
  });
  const path = join(await temporaryDirectory(t), "dashboard.yaml");
  await writeFile(path, `groups:\n  - name: dashboard\n    rules:\n${rules.join("")}`);
  promtool(t, "check", "rules", path);
});

test("dashboard, alerts and docs name metrics that there are; docs name all of ours", async (t) => {
  const service = await startService(t, {
    metrics: { host: "127.0.0.1", port: 0 },
    webhook: { url: "http://127.0.0.1:1/nobody" },
    log: () => undefined,
  });
  await snapshotOf(service, new Map([[0, blockContents(1)]]));
  const scrape = async () => (await fetch(service.metricsEndpoint ?? "")).text();
  const text = await waitUntil(scrape, (told) => told.includes('class="segments"'));
  const told = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? ""));
  const rules = await readFile(RULES, "utf8");
  const asked = [rules, ...(await expressionsOfDashboard())].join("\n");
  for (const [name] of asked.matchAll(/\b(?:varve|nodejs|process)_\w+/g)) {
    assert.ok(told.has(name.replace(/_(?:bucket|sum|count)$/, "")) || told.has(name), name);
  }
  const page = await readFile(new URL("../docs/signals.md", import.meta.url), "utf8");
  const documented = new Set([...page.matchAll(/^\| `(varve_\w+)/gm)].map(([, name]) => name));
  const ours = [...told].filter((name) => name.startsWith("varve_"));
  assert.deepEqual([...documented].sort(), ours.sort());
});
