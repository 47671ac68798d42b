import assert from "node:assert/strict";
import { test } from "node:test";
import { type Event, findOrder, type Step } from "./linearizable.ts";

const NEVER = Number.POSITIVE_INFINITY;

function event(calledMs: number, answeredMs: number, step: Step): Event {
  return { step, calledMs, answeredMs };
}

test("an order is found where calls overlap, and none where they do not", () => {
  const started = event(0, 1, { kind: "start", id: "a" });
  const deleted = (from: number, to: number) =>
    event(from, to, { kind: "delete", id: "a", saw: "deleted" });
  const seen = (from: number, to: number) =>
    event(from, to, { kind: "describe", id: "a", saw: "pending" });
  assert.ok(findOrder([started, deleted(2, 6), seen(3, 4)]), "seen before it was deleted");
  assert.equal(findOrder([started, deleted(2, 3), seen(4, 5)]), undefined, "seen when deleted");
});

test("one client token stands for one snapshot, until that is deleted", () => {
  const start = (from: number, to: number, id: string) => event(from, to, { kind: "start", id });
  const deleted = event(4, 5, { kind: "delete", id: "a", saw: "deleted" });
  assert.ok(findOrder([start(0, 3, "a"), start(1, 2, "a")]));
  assert.equal(findOrder([start(0, 3, "a"), start(1, 2, "b")]), undefined);
  assert.ok(findOrder([start(0, 3, "a"), deleted, start(6, 7, "b")]));
  assert.equal(findOrder([start(0, 3, "a"), deleted, start(6, 7, "a")]), undefined);
});

test("a write that was taken counts, and none is taken after completion began", () => {
  const started = event(0, 1, { kind: "start", id: "a" });
  const put = (from: number, to: number) => event(from, to, { kind: "put", id: "a", saw: "taken" });
  const complete = (count: number, from = 4, to = 5) =>
    event(from, to, { kind: "complete", id: "a", count, saw: "pending" });
  const ended = (saw: "completed" | "error", from = 8) =>
    event(from, from + 1, { kind: "describe", id: "a", saw });
  assert.ok(findOrder([started, put(2, 3), complete(1), ended("completed")]));
  assert.equal(findOrder([started, put(2, 3), complete(1), ended("error")]), undefined);
  assert.equal(findOrder([started, put(2, 3), complete(0), ended("completed")]), undefined);
  assert.equal(findOrder([started, complete(0), put(6, 7)]), undefined, "put after completion");
  assert.ok(findOrder([started, complete(1), put(2, 7), ended("completed")]), "put before it");
  assert.equal(
    findOrder([started, put(2, 3), complete(1), ended("completed", 8), ended("error", 10)]),
    undefined,
  );
});

test("a call that was never answered may have taken effect, now or later, or not", () => {
  const started = event(0, 1, { kind: "start", id: "a" });
  const lost = event(2, NEVER, { kind: "delete", id: "a", saw: "deleted" });
  const saw = (from: number, what: "pending" | "absent") =>
    event(from, from + 1, { kind: "describe", id: "a", saw: what });
  assert.ok(findOrder([started, lost, saw(3, "pending"), saw(5, "pending")]));
  assert.ok(findOrder([started, lost, saw(3, "pending"), saw(5, "absent")]));
  assert.equal(findOrder([started, lost, saw(3, "absent"), saw(5, "pending")]), undefined);
});
