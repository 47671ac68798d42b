import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreSample, StoreStatus } from "../../client/index.ts";
import { topScreen } from "./top-screen.ts";

const GIB = 2 ** 30;

const POINT = {
  ...{ Time: "2026-01-02T00:00:00.000Z", RequestCount: 0, RefusedCount: 0, FailedCount: 0 },
  ...{ ReadBytes: 0, WrittenBytes: 0, PutLatency: null, GetLatency: null },
};

const EMPTY: StoreStatus = {
  Time: "2026-01-02T00:00:10.000Z",
  Process: {
    ...{ Id: "0a1b2c3d", Version: "1.2.3", StartTime: "2026-01-02T00:00:00.000Z" },
    ...{ Region: "us-east-1", MemoryBytes: 150 * 2 ** 20, EventLoopDelayMs: 1.5 },
  },
  Snapshots: { Pending: 0, Sealing: 0, Copying: 0, Completed: 0, Error: 0, Recycled: 0 },
  Sizes: {
    ...{ ProtectedBytes: 0, StoredBytes: 0, SegmentBytes: null, CompressionFactor: null },
    ...{ DedupFactor: null, FreeBytes: null, FullTime: null },
  },
  Activity: { IntervalSeconds: 5, Points: [], InFlight: 1 },
  Tasks: [],
  LastCollection: null,
  Scrub: { VerifiedSince: null, DamagedRecordCount: 0 },
  Engines: [{ Name: "catalog", State: "Ok", Message: null }],
};

const FLAT = "▁".repeat(30);

test("an empty store that nobody uses is shown as that", () => {
  assert.deepEqual(topScreen(EMPTY, [], 200), [
    "Varve 1.2.3 · us-east-1 · process 0a1b2c3d · up 10 s · 150 MiB · event loop 1.5 ms late",
    "",
    "Protected  0 B",
    "Stored     0 B",
    "Snapshots  0 completed",
    "",
    `Requests   ${FLAT} 0.0/s · 1 in flight · 0.0/s refused · 0.0/s failed`,
    `Written    ${FLAT} 0 B/s`,
    `Read       ${FLAT} 0 B/s`,
    "",
    "No task is under way.",
    "",
    "Collected  never",
    "Read again nothing is stored · damaged records: none",
    "Engines    catalog ok",
  ]);
});

const SCRUB = { Kind: "Scrub", Id: "scrub", Done: 50, Total: 200, Unit: "bytes" } as const;

test("a store in use is shown with its growth, its pace, its tasks and its troubles", () => {
  const task: StoreStatus["Tasks"][number] = {
    ...{ Kind: "Upload", Id: "snap-01", StartTime: "2026-01-01T23:59:05.000Z" },
    ...{ Done: 120, Total: null, Unit: "blocks", IsOfProcess: true },
  };
  const status: StoreStatus = {
    ...EMPTY,
    Snapshots: { ...EMPTY.Snapshots, Completed: 12, Error: 1 },
    Sizes: {
      ...{ ProtectedBytes: 100 * GIB, StoredBytes: 10 * GIB, SegmentBytes: 12 * GIB },
      ...{ CompressionFactor: 2, DedupFactor: 5, FreeBytes: 30 * GIB },
      FullTime: "2026-02-01T00:00:00.000Z",
    },
    Activity: {
      ...{ IntervalSeconds: 5, InFlight: 3 },
      Points: [
        { ...POINT, RequestCount: 10, WrittenBytes: 5 * 2 ** 20 },
        {
          ...{ ...POINT, RequestCount: 20, RefusedCount: 5, WrittenBytes: 10 * 2 ** 20 },
          PutLatency: { P50: 2.1, P99: 8.4 },
        },
      ],
    },
    Tasks: [task, { ...task, ...SCRUB, StartTime: null }],
    LastCollection: {
      ...{ Time: "2026-01-01T23:30:10.000Z", RemovedRecords: 7, RemovedBytes: 1024 },
      DurationMs: 100,
    },
    Scrub: { VerifiedSince: "2025-12-20T00:00:00.000Z", DamagedRecordCount: 2 },
    Engines: [
      { Name: "catalog", State: "Ok", Message: null },
      { Name: "disk", State: "Degraded", Message: "It is full" },
    ],
  };
  const sample = (Time: string, StoredBytes: number): StoreSample => ({
    ...{ Time, StoredBytes, ProtectedBytes: 0, FreeBytes: null, SnapshotCount: 0 },
  });
  const samples = [
    sample("2025-12-13T00:00:00.000Z", 5 * GIB),
    sample("2026-01-02T00:00:00.000Z", 10 * GIB),
  ];
  const flat = "▁".repeat(28);
  assert.deepEqual(topScreen(status, samples, 200).slice(2), [
    "Protected  100 GiB · 5.00 × by equal blocks · 2.00 × by zstd",
    "Stored     10 GiB · 30 GiB free · full in 30 days · 12 GiB in segments",
    `Growth     ${flat}▅█ stored from 5 GiB to 10 GiB in 20 days`,
    "Snapshots  12 completed · 1 error",
    "",
    `Requests   ${flat}▅█ 4.0/s · 3 in flight · 1.0/s refused · 0.0/s failed`,
    `Written    ${flat}▅█ 2 MiB/s · half within 2.1 ms, 99 % within 8.4 ms`,
    `Read       ${FLAT} 0 B/s`,
    "",
    "TASK    OF              DONE        FOR",
    "upload  snap-01   120 blocks  1 min 5 s",
    "scrub   scrub    50 B · 25 %",
    "",
    "Collected  30 min 0 s ago · 7 records of 1 KiB removed",
    "Read again everything within 13 days · damaged records: 2",
    "Engines    catalog ok · disk degraded (It is full)",
  ]);
});

test("no line is longer than the terminal is wide, and no text steers it", () => {
  const engine = { Name: "disk", State: "Failed", Message: "a\u001b[2Jb\nc" } as const;
  const lines = topScreen({ ...EMPTY, Engines: [engine] }, [], 40);
  assert.ok(lines.every((line) => [...line].length <= 40));
  assert.equal(lines.at(-1), "Engines    disk failed (a?[2Jb?c)");
});
