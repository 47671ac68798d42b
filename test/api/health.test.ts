import assert from "node:assert/strict";
import { test } from "node:test";
import { startService } from "../support/service.ts";

test("health and readiness are told to anybody, and nothing else is", async (t) => {
  const { endpoint } = await startService(t);
  for (const [path, status] of [
    ["/healthz", "alive"],
    ["/readyz", "ready"],
  ]) {
    const response = await fetch(`${endpoint}${path}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.deepEqual(await response.json(), { status });
  }
  const other = await fetch(`${endpoint}/readyz`, { method: "POST" });
  assert.ok(other.status >= 400, "only asking is answered");
});
