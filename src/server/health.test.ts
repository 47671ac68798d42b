import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import type { WireResponse } from "../wire/message.ts";
import { createHealth, type Engine } from "./health.ts";

test("a process is alive whatever its engines do", async () => {
  const response = await ask([failing("catalog")], "/healthz");
  assert.equal(response.status, 200);
  assert.deepEqual(JSON.parse(String(response.body)), { status: "alive" });
});

test("a process is ready when all engines answer, and else says which do not", async () => {
  const ready = await ask([working("catalog"), working("segments")], "/readyz");
  assert.equal(ready.status, 200);
  assert.deepEqual(JSON.parse(String(ready.body)), { status: "ready" });
  const unready = await ask([working("catalog"), failing("segments")], "/readyz");
  assert.equal(unready.status, 503);
  const { status, missing } = JSON.parse(String(unready.body));
  assert.deepEqual([status, missing], ["not ready", ["segments"]]);
  assert.ok(!String(unready.body).includes("secret"), "why is nobody's business here");
});

test("an engine that hangs is missing after two seconds", async () => {
  const startMs = performance.now();
  const hanging = { name: "catalog", check: () => new Promise(() => {}) };
  assert.equal((await ask([hanging], "/readyz")).status, 503);
  assert.ok(performance.now() - startMs < 10_000);
});

test("engines are asked once a second, however often readiness is", async () => {
  let [asked, nowMs] = [0, 0];
  const check = async () => {
    asked += 1;
  };
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const answerHealth = createHealth(clock, [{ name: "catalog", check }]);
  const request = head("GET", "/readyz");
  await Promise.all(Array.from({ length: 50 }, () => answerHealth(request)));
  assert.equal(asked, 1);
  nowMs = 1_000;
  await answerHealth(request);
  assert.equal(asked, 2);
});

test("nothing else is answered", () => {
  const answerHealth = createHealth(systemClock, []);
  for (const [method, path] of [
    ["POST", "/readyz"],
    ["GET", "/healthz/"],
    ["GET", "/"],
  ] as const) {
    assert.equal(answerHealth(head(method, path)), undefined, `${method} ${path}`);
  }
});

function head(method: string, path: string) {
  return { method, path, query: "", headers: new Map<string, string>() };
}

async function ask(engines: readonly Engine[], path: string): Promise<WireResponse> {
  const response = await createHealth(systemClock, engines)(head("GET", path));
  assert.ok(response);
  return response;
}

function working(name: string): Engine {
  return { name, check: async () => undefined };
}

function failing(name: string): Engine {
  return { name, check: () => Promise.reject(new Error("secret")) };
}
