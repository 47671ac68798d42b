import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { systemClock } from "./clock.ts";

/** The longest timer of Node; it has a longer one ring after a millisecond. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const WEEK_MS = 7 * 24 * 3_600_000;

/** Timers that ring when they are told to. */
function heldTimers(t: TestContext) {
  const durationsMs: number[] = [];
  let waiting: { readonly ring: () => void; readonly timer: object } | undefined;
  const set = (ring: () => void, durationMs: number) => {
    durationsMs.push(durationMs);
    const timer = {};
    waiting = { ring, timer };
    return timer;
  };
  const clear = (timer: object) => {
    if (waiting?.timer === timer) waiting = undefined;
  };
  t.mock.method(globalThis, "setTimeout", set as never);
  t.mock.method(globalThis, "clearTimeout", clear as never);
  return {
    durationsMs,
    isWaiting: () => waiting !== undefined,
    /** Has the timer ring, and whoever waits for it go on. */
    async ring(): Promise<void> {
      const { ring } = waiting ?? assert.fail("no timer is set");
      waiting = undefined;
      ring();
      await new Promise(setImmediate);
    },
  };
}

test("systemClock.sleep sleeps longer than any timer, piece by piece", async (t) => {
  const timers = heldTimers(t);
  let isAwake = false;
  const sleeping = systemClock.sleep(8 * WEEK_MS).then(() => {
    isAwake = true;
  });
  const lastMs = 8 * WEEK_MS - 2 * TIMER_MS_MAX;
  for (const [i] of [TIMER_MS_MAX, TIMER_MS_MAX, lastMs].entries()) {
    assert.equal(isAwake, false, `before the end of piece ${i}`);
    await timers.ring();
  }
  await sleeping;
  assert.deepEqual(timers.durationsMs, [TIMER_MS_MAX, TIMER_MS_MAX, lastMs]);
});

test("systemClock.sleep takes one timer for all that one can do", async (t) => {
  const timers = heldTimers(t);
  for (const durationMs of [0, 1, TIMER_MS_MAX]) {
    const sleeping = systemClock.sleep(durationMs);
    await timers.ring();
    await sleeping;
  }
  assert.deepEqual(timers.durationsMs, [0, 1, TIMER_MS_MAX]);
});

test("an abort ends a long sleep in any of its pieces, and leaves no timer", async (t) => {
  const timers = heldTimers(t);
  for (const pieces of [0, 1, 2]) {
    const controller = new AbortController();
    let outcome: unknown;
    systemClock.sleep(8 * WEEK_MS, controller.signal).catch((error: unknown) => {
      outcome = error;
    });
    for (let i = 0; i < pieces; i++) await timers.ring();
    const reason = new Error("enough");
    controller.abort(reason);
    await new Promise(setImmediate);
    assert.equal(outcome, reason, `after ${pieces} pieces`);
    assert.equal(timers.isWaiting(), false);
  }
});
