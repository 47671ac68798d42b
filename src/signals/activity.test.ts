import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../base/clock.ts";
import { RecentActivity } from "./activity.ts";

class StillClock implements Clock {
  ms = 1_000_000;
  nowMs(): number {
    return this.ms + 500;
  }
  monotonicMs(): number {
    return this.ms;
  }
  async sleep(): Promise<void> {}
}

const PUT = {
  ...{ service: "ebs", snapshotId: undefined, operation: "PutSnapshotBlock", status: 201 },
  ...{ durationMs: 4, readBytes: 0, writtenBytes: 10 },
};

test("an interval is told of when it is over, and forgotten after five minutes", () => {
  const clock = new StillClock();
  const activity = new RecentActivity(clock);
  activity.note(PUT);
  assert.deepEqual(activity.points().Points, []);
  clock.ms += 5_000;
  const [point, ...more] = activity.points().Points;
  assert.deepEqual(more, []);
  assert.equal(point?.WrittenBytes, 10);
  assert.equal(point?.Time, new Date(1_000_500).toISOString());
  clock.ms += 299_000;
  assert.equal(activity.points().Points.length, 60);
  assert.ok(activity.points().Points.some(({ RequestCount }) => RequestCount === 1));
  clock.ms += 3_600_000;
  assert.equal(activity.points().Points.length, 60);
  assert.ok(activity.points().Points.every(({ RequestCount }) => RequestCount === 0));
});

test("statuses are told apart, and latencies by what was asked", () => {
  const clock = new StillClock();
  const activity = new RecentActivity(clock);
  for (const status of [200, 404, 400, 503, 0]) {
    activity.note({ ...PUT, operation: "ListSnapshotBlocks", status });
  }
  activity.note({ ...PUT, operation: "GetSnapshotBlock", readBytes: 7 });
  clock.ms += 5_000;
  const [point] = activity.points().Points;
  assert.deepEqual(
    [point?.RequestCount, point?.RefusedCount, point?.FailedCount, point?.ReadBytes],
    [6, 2, 1, 7],
  );
  assert.equal(point?.PutLatency, null);
  assert.ok(point?.GetLatency);
});

test("quantiles of latencies are within a fifth of the truth, from 0.1 ms to a minute", () => {
  for (const unitMs of [0.2, 1, 30, 500]) {
    const clock = new StillClock();
    const activity = new RecentActivity(clock);
    for (let i = 1; i <= 100; i++) activity.note({ ...PUT, durationMs: i * unitMs });
    clock.ms += 5_000;
    const latency = activity.points().Points[0]?.PutLatency;
    for (const [told, truth] of [
      [latency?.P50 ?? 0, 50 * unitMs],
      [latency?.P99 ?? 0, 99 * unitMs],
    ] as const) {
      assert.ok(told >= truth * 0.99 && told <= truth * 1.21, `${told} for ${truth}`);
    }
  }
});
