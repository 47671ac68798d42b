import assert from "node:assert/strict";
import { test } from "node:test";
import { MS_PER_DAY } from "../model/limits.ts";
import { fullTimeMs } from "./full-time.ts";

const NOW = 1_000 * MS_PER_DAY;

/** A measure so many days ago. */
function measure(daysAgo: number, storedBytes: number) {
  const timeMs = NOW - daysAgo * MS_PER_DAY;
  return { timeMs, storedBytes, protectedBytes: 0, freeBytes: 0, snapshotCount: 0 };
}

test("a store that grows steadily is full when its growth has used the room up", () => {
  const measures = [4, 3, 2, 1, 0].map((days) => measure(days, (10 - days) * 100));
  assert.equal(Math.round((fullTimeMs(measures, 700, NOW) ?? 0) / MS_PER_DAY), 1_007);
  assert.equal(fullTimeMs(measures, 0, NOW), NOW);
});

test("growth of long ago does not count", () => {
  const old = [measure(40, 0), measure(31, 1_000_000)];
  const still = [measure(20, 1_000_000), measure(10, 1_000_000), measure(0, 1_000_000)];
  assert.equal(fullTimeMs([...old, ...still], 700, NOW), undefined);
});

test("nothing is foretold of a store that shrinks, hardly grows, or is too young", () => {
  assert.equal(fullTimeMs([measure(2, 500), measure(0, 100)], 700, NOW), undefined);
  assert.equal(fullTimeMs([measure(2, 100), measure(0, 101)], 1_000_000, NOW), undefined);
  assert.equal(fullTimeMs([measure(0.5, 100), measure(0, 200)], 700, NOW), undefined);
  assert.equal(fullTimeMs([], 700, NOW), undefined);
});
