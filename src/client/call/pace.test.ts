import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.ts";

/** Connections of the simulated client. */
const WORKERS = 32;
/** Milliseconds of one request. */
const LATENCY_MS = 5;

interface Seconds {
  readonly succeeded: number[];
  readonly throttled: number[];
}

/**
 * A client with 32 requests in flight at a service whose quota is `quotaAt` requests a second
 * with a second's worth saved up, as the service's own emulation has it. Time is simulated.
 */
function simulate(durationMs: number, quotaAt: (ms: number) => number, pace?: Pace): Seconds {
  const seconds: Seconds = { succeeded: [], throttled: [] };
  let tokens = quotaAt(0);
  let filledAtMs = 0;
  const take = (nowMs: number) => {
    tokens = Math.min(quotaAt(nowMs), tokens + ((nowMs - filledAtMs) / 1_000) * quotaAt(nowMs));
    filledAtMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
  const events = Array.from({ length: WORKERS }, () => 0);
  const takenAtMs = Array.from({ length: WORKERS }, () => 0);
  for (;;) {
    const worker = events.indexOf(Math.min(...events));
    const nowMs = events[worker] as number;
    if (nowMs >= durationMs) return seconds;
    const second = Math.floor(nowMs / 1_000);
    const allowed = take(nowMs);
    const list = allowed ? seconds.succeeded : seconds.throttled;
    list[second] = (list[second] ?? 0) + 1;
    const endMs = nowMs + LATENCY_MS;
    if (!allowed) pace?.throttled(takenAtMs[worker] as number, endMs);
    // What was throttled comes again like anything else; its back-off would only help.
    takenAtMs[worker] = endMs;
    events[worker] = endMs + (pace?.take(endMs) ?? 0);
  }
}

const sum = (counts: readonly number[], from = 0) =>
  Array.from(counts).reduce<number>((total, count, i) => total + (i < from ? 0 : (count ?? 0)), 0);

test("nothing is held back until the service throttles", () => {
  const pace = new Pace();
  for (let i = 0; i < 10_000; i++) assert.equal(pace.take(i / 100), 0);
  assert.equal(pace.ratePerSecond, Number.POSITIVE_INFINITY);
});

for (const quota of [10, 50, 1_000]) {
  test(`a quota of ${quota} requests a second is used well and hardly exceeded`, () => {
    const without = simulate(30_000, () => quota);
    const paced = simulate(30_000, () => quota, new Pace());
    // Some seconds are spent on finding the rate.
    const [used, refused] = [sum(paced.succeeded, 5), sum(paced.throttled, 5)];
    assert.ok(used > 0.7 * 25 * quota, `${used} of ${25 * quota} used`);
    assert.ok(refused < 0.05 * used + 5, `${refused} refused beside ${used}`);
    assert.ok(sum(without.throttled, 5) > 20 * refused, "a client without it is refused more");
  });
}

test("when the quota grows, so does the rate, until nothing is held back", () => {
  const pace = new Pace();
  const quotaAt = (ms: number) => (ms < 10_000 ? 100 : 100_000);
  const { succeeded } = simulate(60_000, quotaAt, pace);
  assert.ok((succeeded[9] ?? 0) < 130, `${succeeded[9]} in the tenth second`);
  assert.ok((succeeded[59] ?? 0) > 5_000, `${succeeded[59]} in the sixtieth second`);
  assert.equal(pace.ratePerSecond, Number.POSITIVE_INFINITY);
});

test("requests under way when the rate is lowered do not lower it again", () => {
  const pace = new Pace();
  for (let i = 0; i < 100; i++) pace.take(i * 10);
  for (let i = 0; i < 32; i++) pace.throttled(990, 1_000);
  assert.ok(pace.ratePerSecond > 50, `${pace.ratePerSecond}`);
  pace.throttled(1_001, 1_010);
  assert.ok(pace.ratePerSecond < 55, `${pace.ratePerSecond}`);
});
