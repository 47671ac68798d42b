import assert from "node:assert/strict";
import { join } from "node:path";
import { BlockStore } from "../../src/blocks/block-store.ts";
import { digestOf } from "../../src/blocks/hash.ts";
import { Scrubber } from "../../src/blocks/scrubber.ts";
import type { StoredRecord } from "../../src/catalog/integrity.ts";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import type { AccountId } from "../../src/model/ids.ts";
import { MS_PER_DAY } from "../../src/model/limits.ts";
import { FileSegments } from "../../src/segments/file-segments.ts";
import { flipBit } from "../support/damage.ts";
import { NO_SECRETS } from "../support/fakes.ts";
import { getParts, list, send, snapshotOf } from "../support/operations.ts";
import { blockContents, pick, seededBytes, seededFraction } from "../support/property.ts";
import { startService } from "../support/service.ts";
import { SleptClock } from "../support/slept-clock.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { fillLargely, LARGE_BLOCK_COUNT, sizeInWords } from "./_large-store.ts";
import { Ledger } from "./_ledger.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * The real scrubber on real files, through months of a clock that moves when it is slept on: the
 * store grows, the process restarts in the middle of segments, is down for days, and records rot.
 * Then the foreground: how much longer a read takes while a scrub runs as fast as it may.
 */

const DAYS = 30;
const DOMAIN = "111122223333" as AccountId;

scorecard({
  number: 7,
  name: "scrub",
  goal:
    "every record re-read in 30 d, longest ago first; planted damage found in ≤ 1 sweep 100 %; " +
    "foreground p99 ≤ 1.5×",
  peer: "PBS advises monthly; borg goes oldest first; kopia's 1 % a day reaches 97.4 % in a year",
  async run(run) {
    const sweeps = await sweep(run);
    return `${sweeps}; ${await measureForeground(run)}`;
  },
});

async function sweep(run: ScorecardRun): Promise<string> {
  const fraction = seededFraction(run.seed);
  const clock = new SleptClock();
  const directory = await temporaryDirectory(run);
  const days = run.count(180, 40);
  const lastReadMs = new Map<string, number>();
  const firstKnownMs = new Map<string, number>();
  const planted = new Map<string, number>();
  const found = new Map<string, number>();
  let [longestMs, restarts, count] = [0, 0, 0];
  const endMs = clock.nowMs() + days * MS_PER_DAY;
  while (clock.nowMs() < endMs) {
    const store = await openParts(directory);
    const { blocks, catalog, segments } = store;
    await blocks.recallDamaged({
      nowMs: () => clock.nowMs(),
      onDamaged({ name }) {
        assert.ok(planted.has(name), "a false alarm");
        assert.ok(!found.has(name), "told twice");
        found.set(name, clock.nowMs());
      },
    });
    // It grows by some records, which lie in a segment of their own.
    for (let i = pick(fraction, 12); i >= 0; i--) {
      const bytes = seededBytes(`${run.seed} ${count++}`, 2_000 + pick(fraction, 60_000));
      await blocks.nodeStore(DOMAIN).putNode(bytes);
      firstKnownMs.set(digestOf(bytes), clock.nowMs());
    }
    const records = await catalog.scrubs.recordsFrom({ segment: 0, offset: 0 }, 100_000);
    const rotten = records[pick(fraction, records.length)] as StoredRecord;
    if (!planted.has(rotten.name) && fraction() < 0.3) {
      planted.set(rotten.name, clock.nowMs());
      await flipBit({ dataDirectory: directory }, rotten);
    }
    const watched = {
      busyCount: 0,
      records: {
        async verify(record: StoredRecord) {
          const beforeMs = lastReadMs.get(record.name) ?? firstKnownMs.get(record.name) ?? 0;
          longestMs = Math.max(longestMs, clock.nowMs() - beforeMs);
          lastReadMs.set(record.name, clock.nowMs());
          return blocks.records.verify(record);
        },
      },
    };
    const table = catalog.scrubs;
    const scrubber = new Scrubber({ blocks: watched, table, segments, clock, days: DAYS, onError });
    scrubber.start();
    // Runs for some hours or days, then ends wherever it is.
    const untilMs = clock.nowMs() + (0.2 + 4 * fraction()) * MS_PER_DAY;
    while (clock.nowMs() < untilMs) await new Promise(setImmediate);
    await scrubber.stop();
    restarts += 1;
    await store.close();
    if (fraction() < 0.2) clock.advance(fraction() * 1.5 * MS_PER_DAY);
  }
  const nowMs = clock.nowMs();
  for (const [name, knownMs] of firstKnownMs) {
    longestMs = Math.max(longestMs, nowMs - (lastReadMs.get(name) ?? knownMs));
  }
  assert.ok(longestMs <= DAYS * MS_PER_DAY, `a record went ${longestMs / MS_PER_DAY} d unread`);
  return (
    `${firstKnownMs.size} records over ${days} d with ${restarts} restarts: longest unread ` +
    `${inDays(longestMs)} d; ${checkFinds(planted, found, nowMs)}`
  );
}

/** Each damage that lay for as long as a sweep takes at most was found, and within that time. */
function checkFinds(
  planted: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number>,
  nowMs: number,
): string {
  const sweepMs = DAYS * MS_PER_DAY;
  const tookMs = (name: string) => (found.get(name) ?? nowMs) - (planted.get(name) ?? nowMs);
  const due = [...planted.keys()].filter((name) => nowMs - (planted.get(name) ?? nowMs) > sweepMs);
  const missed = due.filter((name) => !found.has(name) || tookMs(name) > sweepMs);
  assert.deepEqual(missed, [], `missed ${missed.length} of ${due.length} planted damages`);
  const slowestMs = Math.max(0, ...[...found.keys()].map(tookMs));
  return (
    `planted damage found ${due.length - missed.length} of ${due.length} that lay for ${DAYS} d ` +
    `(${found.size} of ${planted.size} in all), the slowest after ${inDays(slowestMs)} d`
  );
}

const inDays = (durationMs: number) => (durationMs / MS_PER_DAY).toFixed(1);

function onError(error: unknown): void {
  throw error;
}

async function openParts(directory: string) {
  const catalog = openSqliteCatalog(join(directory, "catalog.sqlite"));
  const options = { directory: join(directory, "segments"), segmentSizeBytesMax: 256 * 1024 };
  const segments = await FileSegments.open(options);
  const blocks = new BlockStore(segments, catalog, NO_SECRETS);
  const close = async () => {
    await blocks.idle();
    await segments.close();
    await catalog.close();
  };
  return { catalog, segments, blocks, close };
}

/** The 99th hundredth of reads over HTTP, with nothing else going on and beside a scrub. */
async function measureForeground(run: ScorecardRun): Promise<string> {
  const service = await startService(run, { scrubDays: 0 });
  const blockCount = run.count(1_000, 40);
  // The scrub goes through what nobody reads, too.
  const other = new Ledger();
  await fillLargely(service, other, run.count(LARGE_BLOCK_COUNT, 60) - blockCount);
  const blocks = new Map<number, Uint8Array>();
  for (let i = 0; i < blockCount; i++) blocks.set(i, blockContents(8 * i + 7));
  const id = await snapshotOf(service, blocks);
  const { Blocks } = await list(service, id);
  const readAll = async (rounds: number): Promise<number[]> => {
    const tookMs: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const { BlockIndex, BlockToken } = Blocks[(i * 7) % Blocks.length] as (typeof Blocks)[0];
      const start = performance.now();
      const { status } = await send(service, getParts(id, BlockIndex, BlockToken));
      tookMs.push(performance.now() - start);
      assert.equal(status, 200);
    }
    return tookMs.sort((a, b) => a - b);
  };
  const rounds = run.count(400, 40);
  const quiet: number[] = [];
  const beside: number[] = [];
  // In turns, so that what else the machine does meets both.
  for (let turn = 0; turn < run.count(6, 2); turn++) {
    quiet.push(...(await readAll(rounds)));
    let isOver = false;
    const scrubbing = (async () => {
      while (!isOver) await service.core.scrubber.step(undefined, undefined);
    })();
    beside.push(...(await readAll(rounds)));
    isOver = true;
    await scrubbing;
  }
  const p99 = (times: number[]) => {
    return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
  };
  const [before, during] = [p99(quiet), p99(beside)];
  return (
    `foreground p99 ${(during / before).toFixed(2)}× beside a scrub at full speed ` +
    `of ${sizeInWords(blockCount + other.putCount)} (${before.toFixed(1)} ms without, ` +
    `${during.toFixed(1)} ms with, ${beside.length} reads)`
  );
}
