import assert from "node:assert/strict";
import { test } from "node:test";
import { RetryBudget } from "./retry-budget.ts";

test("a hundred repetitions go at once, then ten a second, and none after half a minute", () => {
  const budget = new RetryBudget();
  const waits = Array.from({ length: 500 }, () => budget.take(0));
  assert.deepEqual(new Set(waits.slice(0, 100)), new Set([0]));
  assert.deepEqual(waits.slice(100, 103), [100, 200, 300]);
  assert.equal(waits[399], 30_000);
  assert.equal(waits[400], undefined, "whoever would wait longer is refused");
  assert.equal(waits.filter((wait) => wait !== undefined).length, 400);
});

test("tokens come back with time and with successes, up to what there was", () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 100; i++) budget.take(0);
  assert.equal(budget.take(1_000), 0, "ten came back");
  for (let i = 0; i < 9; i++) assert.equal(budget.take(1_000), 0);
  assert.equal(Math.round(budget.take(1_000) ?? Number.NaN), 100);
  for (let i = 0; i < 25; i++) budget.succeeded();
  assert.equal(budget.take(1_000), 0, "ten successes paid the debt, ten more one repetition");
  assert.notEqual(budget.take(1_000), 0);
  const later = Array.from({ length: 101 }, () => budget.take(3_600_000));
  assert.equal(later[99], 0);
  assert.notEqual(later[100], 0, "an hour saves up no more than a hundred");
});
