import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { logger } from "../model/log.ts";
import { logLines } from "./log-lines.ts";

function logTo(level: "error" | "info" | "silent") {
  const lines: string[] = [];
  const { write } = logLines(level, { write: (line) => lines.push(line) });
  return { lines, log: logger(write, systemClock) };
}

test("a line says level, time, message and details, and nothing of the machine", () => {
  const { lines, log } = logTo("info");
  log("A request failed", { requestId: "r1", error: new Error("Broken"), gone: undefined });
  assert.equal(lines.length, 1);
  assert.ok(lines[0]?.endsWith("}\n"));
  const line = JSON.parse(lines[0] ?? "") as Record<string, string>;
  assert.deepEqual(Object.keys(line), ["level", "time", "requestId", "error", "message"]);
  assert.equal(line["level"], "error");
  assert.equal(line["message"], "A request failed");
  assert.match(line["time"] ?? "", /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.match(line["error"] ?? "", /^Error: Broken\n +at /);
});

test("only lines of the level asked for, and those above it, are written", () => {
  for (const [level, count] of [
    ["info", 2],
    ["error", 1],
    ["silent", 0],
  ] as const) {
    const { lines, log } = logTo(level);
    log("Something", {}, "info");
    log("Something bad", {});
    assert.equal(lines.length, count, level);
  }
});
