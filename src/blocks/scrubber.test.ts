import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeBlockTable, FakeSegments, NO_SECRETS } from "../../test/support/fakes.ts";
import { blockContents } from "../../test/support/property.ts";
import { SleptClock } from "../../test/support/slept-clock.ts";
import type { Place, ScrubTable, SegmentScrub, StoredRecord } from "../catalog/integrity.ts";
import type { RecordName } from "../model/digest.ts";
import type { AccountId } from "../model/ids.ts";
import { MS_PER_DAY, SCRUB_BYTES_PER_SECOND_MAX } from "../model/limits.ts";
import { BlockStore } from "./block-store.ts";
import type { RecordState } from "./record-reader.ts";
import { rateOf, Scrubber } from "./scrubber.ts";

const DOMAIN = "111122223333" as AccountId;
const MIB = 1024 * 1024;
const PERIOD = { nowMs: 0, periodMs: 10 * MS_PER_DAY };

test("rateOf reads a store of equal age once in the period", () => {
  const scrubs = [1, 2, 3, 4].map((segment) => scrubOf(segment, 0));
  const sizes = new Map(scrubs.map(({ segment }) => [segment, 256 * MIB]));
  const bytesPerSecond = rateOf(scrubs, sizes, PERIOD);
  assert.equal(Math.round(bytesPerSecond * 10 * 86_400), 4 * 256 * MIB);
});

test("rateOf makes up for time that was lost, but never faster than the foreground bears", () => {
  const late = [scrubOf(1, -9 * MS_PER_DAY), scrubOf(2, 0)];
  const sizes = new Map([
    [1, 256 * MIB],
    [2, 256 * MIB],
  ]);
  assert.equal(Math.round(rateOf(late, sizes, PERIOD) * 86_400), 256 * MIB, "one day is left");
  const overdue = [scrubOf(1, -11 * MS_PER_DAY)];
  assert.equal(rateOf(overdue, sizes, PERIOD), SCRUB_BYTES_PER_SECOND_MAX);
});

test("rateOf counts what is left of a segment under way", () => {
  const scrub = { ...scrubOf(1, -9 * MS_PER_DAY), startedAtMs: 0, nextOffset: 128 * MIB };
  const bytesPerSecond = rateOf([scrub], new Map([[1, 256 * MIB]]), PERIOD);
  assert.equal(Math.round(bytesPerSecond * 86_400), 128 * MIB);
});

test("Scrubber lists a bucket once an hour, however many objects it has", async () => {
  const store = new ManySegments(2_000);
  await store.scrubUntil(() => store.read.length >= 2_000);
  assert.deepEqual(store.read.slice(0, 2_000), store.numbers.toReversed());
  const hours = (store.nowMs() - START_MS) / 3_600_000;
  assert.ok(hours < 27 * 24, `in time: after ${hours} hours`);
  assert.ok(store.listCount <= hours + 2, `${store.listCount} listings in ${hours} hours`);
});

test("Scrubber passes over segments that were removed since the plan was made", async () => {
  const store = new ManySegments(20);
  await store.scrubUntil(() => store.read.length >= 5);
  for (const segment of [14, 13, 1]) store.remove(segment);
  await store.scrubUntil(() => store.read.length >= 17);
  assert.deepEqual(store.read, [20, 19, 18, 17, 16, 15, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
});

test("Scrubber reads first what was verified while the clock ran ahead", async () => {
  const store = new ManySegments(20);
  store.verified.set(7, START_MS + 365 * MS_PER_DAY);
  await store.scrubUntil(() => store.read.length >= 3);
  assert.deepEqual(store.read, [7, 20, 19]);
});

test("Scrubber takes its time over what was verified while the clock ran ahead", async () => {
  const store = new ManySegments(20);
  for (const segment of store.numbers) store.verified.set(segment, START_MS + 365 * MS_PER_DAY);
  // More than are read before it is noted how far it is.
  store.recordsOfOne = 128;
  await store.scrubUntil(() => store.read.length >= 256);
  const days = (store.nowMs() - START_MS) / MS_PER_DAY;
  assert.ok(days > 2, `two of twenty in ${days} of 27 days`);
  assert.ok(store.noted.length > 2);
  for (const { verifiedAtMs } of store.noted) {
    assert.ok(verifiedAtMs >= START_MS && verifiedAtMs <= store.nowMs());
  }
});

test("Scrubber goes on after a restart where it was, and reads none twice", async () => {
  const store = new ManySegments(20);
  for (let restart = 1; restart <= 20; restart++) {
    await store.scrubUntil(() => store.read.length >= restart);
  }
  assert.deepEqual(store.read, store.numbers.toReversed());
});

test("Scrubber makes its plan anew when another process has read in between", async () => {
  const store = new ManySegments(20);
  const scrubbing = store.scrubUntil(() => store.read.length >= 10);
  await store.until(() => store.read.length >= 3);
  store.leads = false;
  for (const segment of [15, 14, 13, 12]) store.verified.set(segment, store.nowMs());
  await store.until(() => store.notLeadingCount > 0);
  store.leads = true;
  await scrubbing;
  assert.deepEqual(
    store.read.filter((segment) => segment >= 12 && segment <= 15),
    [],
  );
});

test("BlockStore.verifyRecord tells whole, damaged and elsewhere apart", async () => {
  const { store, record, segments, catalog, found } = await setUp();
  assert.equal(await store.records.verify(record), "whole");
  const bytes = segments.entries[0] as Buffer;
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  assert.equal(await store.records.verify(record), "damaged");
  assert.equal(await store.records.verify(record), "damaged");
  assert.deepEqual(found, [record], "told once");
  assert.equal(catalog.damagedRecords.size, 1);
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  assert.equal(await store.records.verify(record), "whole");
  assert.equal(catalog.damagedRecords.size, 0);
  catalog.locations.set(DOMAIN + record.name, { segment: 7, offset: 0, length: 1 });
  assert.equal(await store.records.verify({ ...record, name: record.name }), "whole");
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  assert.equal(await store.records.verify(record), "elsewhere", "moved since it was looked up");
  catalog.locations.clear();
  assert.equal(await store.records.verify(record), "elsewhere", "collected since");
  assert.equal(catalog.damagedRecords.size, 0);
});

test("BlockStore.verifyRecord takes a whole record under another name for damage", async () => {
  const { store, record } = await setUp();
  const other = { ...record, name: "ab".repeat(32) as RecordName };
  assert.equal(await store.records.verify(other), "elsewhere", "nothing is known under that name");
});

test("BlockStore.verifyRecord calls a failing disk damage only when it fails twice", async () => {
  const { store, record, segments } = await setUp();
  const read = segments.read.bind(segments);
  let failures = 1;
  segments.read = async (placement) => {
    if (failures-- > 0) throw Object.assign(new Error("i/o error"), { code: "EIO" });
    return read(placement);
  };
  assert.equal(await store.records.verify(record), "whole");
  failures = 2;
  assert.equal(await store.records.verify(record), "damaged");
  segments.read = () => Promise.reject(new Error("too many open files"));
  await assert.rejects(store.records.verify(record), /too many/, "nothing is known of it");
});

async function setUp() {
  const segments = new FakeSegments();
  const catalog = new FakeBlockTable();
  const store = new BlockStore(segments, { blocks: catalog, liveness: catalog }, NO_SECRETS);
  const found: StoredRecord[] = [];
  await store.recallDamaged({ nowMs: () => 1, onDamaged: (record) => found.push(record) });
  const digest = await store.nodeStore(DOMAIN).putNode(blockContents(7));
  const name = digest as string as RecordName;
  const location = catalog.locations.get(DOMAIN + name);
  assert.ok(location);
  const record: StoredRecord = { domain: DOMAIN, name, ...location };
  return { store, record, segments, catalog, found };
}

function scrubOf(segment: number, verifiedAtMs: number): SegmentScrub {
  return { segment, verifiedAtMs, startedAtMs: undefined, nextOffset: 0 };
}

const { START_MS } = SleptClock;

/**
 * A store of segments with one record each, the greatest number verified longest ago, and a clock
 * that stands still but while somebody sleeps on it.
 */
class ManySegments
  extends SleptClock
  implements Pick<ScrubTable, "recordsFrom" | "scrubs" | "noteScrub">
{
  readonly verified = new Map<number, number>();
  /** Segments in the order in which they were read. */
  readonly read: number[] = [];
  readonly numbers: readonly number[];
  readonly noted: SegmentScrub[] = [];
  readonly #underWay = new Map<number, SegmentScrub>();
  /** Of each segment. */
  recordsOfOne = 1;
  listCount = 0;
  leads = true;
  notLeadingCount = 0;

  constructor(count: number) {
    super();
    this.numbers = Array.from({ length: count }, (_, i) => i + 1);
    for (const segment of this.numbers) this.verified.set(segment, START_MS - segment * 1_000);
  }

  remove(segment: number): void {
    this.verified.delete(segment);
  }

  async recordsFrom(place: Place, limit: number): Promise<StoredRecord[]> {
    const record = { domain: DOMAIN, name: "ab".repeat(32) as RecordName };
    const length = (4 * MIB) / this.recordsOfOne;
    const found = [...this.verified.keys()].filter((segment) => segment >= place.segment);
    const records = found.slice(0, limit).flatMap((segment) => {
      const offsets = Array.from({ length: this.recordsOfOne }, (_, i) => i * length);
      return offsets.map((offset) => ({ ...record, segment, offset, length }));
    });
    const isBehind = ({ segment, offset }: Place) =>
      segment > place.segment || offset >= place.offset;
    return records.filter(isBehind).slice(0, limit);
  }

  async scrubs(): Promise<SegmentScrub[]> {
    return [...this.verified].map(([segment, verifiedAtMs]) => {
      return { ...scrubOf(segment, verifiedAtMs), ...this.#underWay.get(segment) };
    });
  }

  async noteScrub(scrub: SegmentScrub): Promise<void> {
    const { segment, verifiedAtMs, startedAtMs } = scrub;
    this.noted.push(scrub);
    if (startedAtMs === undefined) this.#underWay.delete(segment);
    else this.#underWay.set(segment, scrub);
    if (this.verified.has(segment)) this.verified.set(segment, verifiedAtMs);
  }

  /** Has a scrubber of its own read until then; ends between two segments. */
  async scrubUntil(isOver: () => boolean): Promise<void> {
    const verify = async ({ segment }: StoredRecord): Promise<RecordState> => {
      this.read.push(segment);
      return "whole";
    };
    const list = async () => {
      this.listCount += 1;
      const info = { sizeBytes: 4 * MIB, firstOffset: 0, isClosed: true };
      return [...this.verified.keys()].map((segment) => ({ segment, ...info }));
    };
    const leads = () => {
      if (!this.leads) this.notLeadingCount += 1;
      return this.leads;
    };
    const scrubber = new Scrubber({
      blocks: { busyCount: 0, records: { verify } },
      table: this as unknown as ScrubTable,
      ...{ segments: { list }, clock: this, days: 30, leads },
      onError: (error) => assert.fail(error as Error),
    });
    scrubber.start();
    await this.until(isOver);
    await scrubber.stop();
  }

  async until(isOver: () => boolean): Promise<void> {
    while (!isOver()) await new Promise(setImmediate);
  }
}
