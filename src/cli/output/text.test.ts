import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatCount, formatSeconds, formatTable, printable } from "./format.ts";
import { Output } from "./output.ts";
import { ProgressDisplay, progressLine } from "./progress.ts";
import { paintCells } from "./volume-picture.ts";

/* What people see: numbers, tables, the bar and the picture of a volume. */

test("bytes have IEC units and three digits that mean something", () => {
  const texts = [0, 1023, 1024, 1536, 524_288, 10.25 * 1024 ** 2, 2 ** 30, 1.234 * 2 ** 40];
  assert.deepEqual(texts.map(formatBytes), [
    "0 B",
    "1023 B",
    "1 KiB",
    "1.50 KiB",
    "512 KiB",
    "10.3 MiB",
    "1 GiB",
    "1.23 TiB",
  ]);
});

test("durations and counts read as people say them", () => {
  const texts = [0, 9.94, 12, 185, 7_800].map(formatSeconds);
  assert.deepEqual(texts, ["0.0 s", "9.9 s", "12 s", "3 min 5 s", "2 h 10 min"]);
  assert.deepEqual(
    [0, 1, 2].map((count) => formatCount(count, "block")),
    ["0 blocks", "1 block", "2 blocks"],
  );
});

test("a table is aligned, and no text in it steers the terminal", () => {
  const columns = [{ title: "ID" }, { title: "SIZE", align: "right" }, { title: "TEXT" }] as const;
  const rows = [
    ["a", "1", "one"],
    ["long", "22222", "\u001b[2Jtwo\n"],
  ];
  assert.equal(
    formatTable(columns, rows),
    "ID     SIZE  TEXT\na         1  one\nlong  22222  ?[2Jtwo?",
  );
  assert.equal(printable("plain ä 漢"), "plain ä 漢");
});

test("the picture shades each cell by its share, and never hides a change", () => {
  const cells = (extents: { start: number; count: number }[], blockCount = 6400) =>
    paintCells(extents, blockCount, false);
  assert.equal(cells([]), "·".repeat(64));
  assert.equal(cells([{ start: 0, count: 6400 }]), "█".repeat(64));
  const some = cells([
    { start: 0, count: 1 },
    { start: 100, count: 50 },
    { start: 250, count: 100 },
    { start: 6399, count: 1 },
  ]);
  assert.equal(some, `░▒▒▒${"·".repeat(59)}░`);
  assert.equal(cells([{ start: 1, count: 1 }], 2), "·".repeat(32) + "█".repeat(32));
  const colored = paintCells([{ start: 0, count: 100 }], 6400, true);
  assert.equal(colored, `\u001b[33m█\u001b[0m${"·".repeat(63)}`);
});

test("the bar shows share, bytes, rate and the time left", () => {
  assert.equal(
    progressLine({ blocksDone: 1024, blocksTotal: 4096 }, 4),
    "██████··················  25%  512 MiB of 2 GiB  128 MiB/s  12 s left",
  );
  assert.match(progressLine({ blocksDone: 0, blocksTotal: 4096 }, 0), /\? left$/);
  const busy = { blocksDone: 1024, blocksTotal: 4096, blocksInFlight: 16, retries: 1 };
  const pace = { rate: 2 ** 20, leftSeconds: undefined, idleSeconds: 12 };
  assert.equal(
    progressLine({ ...busy, bytesSent: 512 }, 4, { pace, columns: 90 }),
    "██·······  25%  512 MiB of 2 GiB  1 MiB/s  ? left  16 in flight  1 retry  nothing for 12 s",
  );
  assert.match(progressLine({ blocksDone: 0, blocksTotal: 0 }, 1), /100%/);
});

test("a transfer that stands still is shown until it is cleared", async () => {
  let nowMs = 0;
  const ticks: (() => void)[] = [];
  const clock = {
    nowMs: () => 0,
    monotonicMs: () => nowMs,
    sleep: () => new Promise<void>((resolve) => ticks.push(resolve)),
  };
  const written: string[] = [];
  const terminal = { isTTY: true, columns: 120, write: (text: string) => written.push(text) };
  const display = new ProgressDisplay(new Output({ json: false, quiet: false }), clock, terminal);
  display.start();
  display.update({ blocksDone: 1, blocksTotal: 100, blocksInFlight: 16, retries: 2 });
  nowMs = 12_000;
  ticks.shift()?.();
  await new Promise(setImmediate);
  assert.match(written.at(-1) ?? "", /16 in flight {2}2 retries {2}nothing for 12 s$/);
  display.clear();
  const count = written.length;
  nowMs = 24_000;
  ticks.shift()?.();
  await new Promise(setImmediate);
  assert.equal(written.length, count);
});

test("the bar is drawn on a terminal only, not too often, and cleared", () => {
  for (const isTTY of [true, false]) {
    let nowMs = 0;
    const clock = { nowMs: () => 0, monotonicMs: () => nowMs, sleep: async () => undefined };
    const written: string[] = [];
    const terminal = { isTTY, columns: 40, write: (text: string) => written.push(text) };
    const output = new Output({ json: false, quiet: false });
    const display = new ProgressDisplay(output, clock, terminal);
    for (let blocksDone = 0; blocksDone <= 100; blocksDone++, nowMs += 10) {
      display.update({ blocksDone, blocksTotal: 100 });
    }
    display.clear();
    display.clear();
    assert.equal(written.length, isTTY ? 12 : 0);
    assert.ok(written.every((text) => text.startsWith("\r\u001b[K") && text.length < 45));
  }
});
