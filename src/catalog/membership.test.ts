import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { waitUntil } from "../../test/support/wait-until.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { UnavailableError } from "../base/unavailable.ts";
import { Membership } from "./membership.ts";
import type { Beat, Leases, ProcessTable } from "./processes.ts";

/** The database's time when the clock that never jumps says 0. */
const DATABASE_MS = Date.parse("2024-05-01T00:00:00Z");
const LEASES: Leases = { beatMs: 2_000, aliveMs: 10_000, leadMs: 6_000 };

test("the first beat gives the time, however long its answer took", async (t) => {
  const { member, setAnswerMs } = await join(t, { answersMs: [9_000] });
  // Known to half of what the answer took, and it was the way back that took all of it.
  assert.equal(errorMs(member), -4_500);
  setAnswerMs(100);
  await waitUntil(
    async () => errorMs(member),
    (ms) => ms === -50,
  );
});

test("a later beat that took long changes no time", async (t) => {
  const { member, setAnswerMs, beatCount } = await join(t, { answersMs: [100] });
  setAnswerMs(9_000);
  const before = beatCount();
  await waitUntil(
    async () => beatCount(),
    (count) => count > before + 2,
  );
  assert.equal(errorMs(member), -50);
});

test("a process presumed dead before its first beat knows the time all the same", async (t) => {
  const { member } = await join(t, { answersMs: [undefined, 100] });
  assert.equal(member.number, 2);
  assert.equal(errorMs(member), -50);
  await assert.rejects(join(t, { answersMs: [undefined, undefined] }), UnavailableError);
});

/** By how much its time is ahead of the database's. */
function errorMs({ clock }: Membership): number {
  return clock.nowMs() - (DATABASE_MS + clock.monotonicMs());
}

/** Joins; its beats take as long as said one by one, on the way back, or find it presumed dead. */
async function join(
  t: TestContext,
  { answersMs }: { readonly answersMs: readonly (number | undefined)[] },
) {
  let [nowMs, joinedCount, beatCount] = [1_000, 0, 0];
  let laterMs = 100;
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => nowMs,
    sleep: (_, signal) => systemClock.sleep(5, signal),
  };
  const table: ProcessTable = {
    join: async () => ++joinedCount,
    async beat(): Promise<Beat | undefined> {
      const answerMs = beatCount < answersMs.length ? answersMs[beatCount] : laterMs;
      beatCount += 1;
      if (answerMs === undefined) return undefined;
      const beat = { isLeader: true, epoch: 1, nowMs: DATABASE_MS + nowMs };
      nowMs += answerMs;
      return beat;
    },
    leave: async () => undefined,
    reserve: async () => undefined,
  };
  const parts = { table, clock, name: "test", onError: () => undefined, leases: LEASES };
  const member = await Membership.join(parts);
  t.after(() => member.stop());
  const setAnswerMs = (ms: number) => {
    laterMs = ms;
  };
  return { member, setAnswerMs, beatCount: () => beatCount };
}
