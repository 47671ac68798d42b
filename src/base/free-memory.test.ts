import assert from "node:assert/strict";
import { test } from "node:test";
import { freeMemory } from "./free-memory.ts";

test("memory is freed where the bytes fill it, unless it is short or shared", () => {
  const whole = new Uint8Array(100_000);
  freeMemory(whole);
  assert.equal(whole.length, 0);
  const part = new Uint8Array(100_000).subarray(1);
  const short = new Uint8Array(8_192);
  const shared = new Uint8Array(new SharedArrayBuffer(100_000));
  for (const kept of [part, short, shared]) freeMemory(kept);
  assert.deepEqual([part.length, short.length, shared.length], [99_999, 8_192, 100_000]);
});
