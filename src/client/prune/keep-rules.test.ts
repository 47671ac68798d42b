import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns } from "../../../test/support/property.ts";
import { calendarOf } from "./_calendar.ts";
import { decidePrune, type KeepRules, type PrunableSnapshot } from "./keep-rules.ts";

function snapshot(time: string, parts: Partial<PrunableSnapshot> = {}): PrunableSnapshot {
  const startTimeMs = Date.parse(time);
  return {
    snapshotId: `snap-${time}`,
    startTimeMs,
    state: "completed",
    tags: [],
    holds: [],
    ...parts,
  };
}

const kept = (decisions: ReturnType<typeof decidePrune>) =>
  decisions.filter(({ action }) => action === "keep").map((each) => each.snapshot.snapshotId);

test("each rule keeps the latest of its periods, counted from the latest snapshot", () => {
  const times = ["01T10:00Z", "01T20:00Z", "02T10:00Z", "03T09:00Z", "03T09:30Z", "03T11:00Z"];
  const all = times.map((time) => snapshot(`2026-11-${time}`));
  assert.deepEqual(
    decidePrune(all, { last: 1, hourly: 2, daily: 2 }).map(({ action, reasons }) => [
      action,
      reasons.join(", "),
    ]),
    [
      ["delete", "no rule keeps it"],
      ["delete", "no rule keeps it"],
      ["keep", "daily 2026-11-02"],
      ["delete", "no rule keeps it"],
      ["keep", "hourly 2026-11-03T09Z"],
      ["keep", "last 1, hourly 2026-11-03T11Z, daily 2026-11-03"],
    ],
  );
});

test("a rule with room left keeps the earliest snapshot, too", () => {
  const all = ["2026-11-01T01:00Z", "2026-11-01T02:00Z", "2026-11-01T03:00Z"].map((time) =>
    snapshot(time),
  );
  const [first, second, third] = decidePrune(all, { yearly: 3 });
  assert.deepEqual(first?.reasons, ["oldest yearly"]);
  assert.equal(second?.action, "delete");
  assert.deepEqual(third?.reasons, ["yearly 2026"]);
  assert.equal(kept(decidePrune(all, { yearly: 1 })).length, 1);
});

test("days are those of the time zone", () => {
  const all = [
    snapshot("2026-11-01T23:30Z"),
    snapshot("2026-11-02T00:30Z"),
    snapshot("2026-11-02T23:30Z"),
  ];
  const inUtc = decidePrune(all, { daily: 2 });
  assert.deepEqual(
    inUtc.map(({ action }) => action),
    ["keep", "delete", "keep"],
  );
  const inBerlin = decidePrune(all, { daily: 2 }, "Europe/Berlin");
  assert.deepEqual(
    inBerlin.map(({ action }) => action),
    ["delete", "keep", "keep"],
  );
  assert.throws(() => decidePrune(all, { daily: 2 }, "Mars/Olympus"), RangeError);
});

test("an hour that comes twice in autumn is two hours", () => {
  const { hour } = calendarOf("Europe/Berlin");
  const [before, after] = [Date.parse("2026-10-25T00:30Z"), Date.parse("2026-10-25T01:30Z")];
  assert.notEqual(hour(before), hour(after));
  assert.equal(calendarOf("UTC").hour(before), "2026-10-25T00Z");
});

test("weeks are those of ISO 8601", () => {
  const { week } = calendarOf("UTC");
  const known = {
    "2020-12-31": "2020-W53",
    "2021-01-03": "2020-W53",
    "2021-01-04": "2021-W01",
    "2024-12-30": "2025-W01",
    "2026-01-01": "2026-W01",
    "2026-11-25": "2026-W48",
  };
  for (const [day, name] of Object.entries(known)) assert.equal(week(Date.parse(day)), name, day);
});

test("what is pending, locked or in use is not deleted, and that is said", () => {
  const lock = [{ kind: "lock", what: "governance until 2027-01-01" }] as const;
  const decisions = decidePrune(
    [
      snapshot("2026-01-01T00:00Z", { holds: lock }),
      snapshot("2026-01-02T00:00Z", { state: "error" }),
      snapshot("2026-01-03T00:00Z", { holds: [{ kind: "image", what: "ami-1" }] }),
      snapshot("2026-01-04T00:00Z", { tags: [{ Key: "keep", Value: "yes" }] }),
      snapshot("2026-01-05T00:00Z"),
      snapshot("2026-01-06T00:00Z", { state: "pending" }),
    ],
    { last: 1, tags: [{ Key: "keep" }, { Key: "keep", Value: "no" }] },
  );
  assert.deepEqual(
    decisions.map(({ action, reasons }) => [action, ...reasons]),
    [
      ["held", "lock governance until 2027-01-01"],
      ["held", "error"],
      ["held", "image ami-1"],
      ["keep", "tag keep"],
      ["keep", "last 1"],
      ["held", "pending"],
    ],
  );
  assert.throws(() => decidePrune([], {}), RangeError);
  assert.throws(() => decidePrune([], { last: 0, tags: [] }), RangeError);
});

/** The periods of UTC, by plain arithmetic on days. */
const NAIVE = {
  hourly: (ms: number) => Math.floor(ms / 3_600_000),
  daily: (ms: number) => Math.floor(ms / 86_400_000),
  // The first of January 1970 was a Thursday.
  weekly: (ms: number) => Math.floor((Math.floor(ms / 86_400_000) + 3) / 7),
  monthly: (ms: number) => new Date(ms).getUTCFullYear() * 12 + new Date(ms).getUTCMonth(),
  yearly: (ms: number) => new Date(ms).getUTCFullYear(),
} as const;

/** What the rules keep, period by period instead of snapshot by snapshot. */
function keptNaively(all: readonly PrunableSnapshot[], rules: KeepRules): Set<string> {
  const times = all.toSorted((a, b) => a.startTimeMs - b.startTimeMs);
  const keep = new Set(rules.last ? times.slice(-rules.last).map((each) => each.snapshotId) : []);
  for (const rule of Object.keys(NAIVE) as (keyof typeof NAIVE)[]) {
    const count = rules[rule] ?? 0;
    const latestOf = new Map<number, string>();
    for (const { startTimeMs, snapshotId } of times)
      latestOf.set(NAIVE[rule](startTimeMs), snapshotId);
    const latest = [...latestOf.values()];
    for (const id of count === 0 ? [] : latest.slice(-count)) keep.add(id);
    const oldest = times[0];
    if (oldest && latest.length < count) keep.add(oldest.snapshotId);
  }
  return keep;
}

test("decidePrune keeps what a naive model keeps", async (t) => {
  const minutes = fc.oneof(
    fc.integer({ min: 0, max: 60 * 24 * 3 }),
    fc.integer({ min: 0, max: 60 * 24 * 800 }),
  );
  const count = fc.option(fc.nat(5), { nil: undefined });
  const rules = fc.record({
    last: fc.integer({ min: 1, max: 3 }),
    hourly: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
  });
  const property = fc.property(fc.uniqueArray(minutes, { maxLength: 40 }), rules, (at, keep) => {
    const start = Date.parse("2024-12-20T00:00Z");
    const all = at.map((minute) => snapshot(new Date(start + minute * 60_000).toISOString()));
    assert.deepEqual(new Set(kept(decidePrune(all, keep))), keptNaively(all, keep));
  });
  fc.assert(property, propertyRuns(t, 300));
});
