import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeBlockTable, FakeSegments, NO_SECRETS } from "../../test/support/fakes.ts";
import { blockContents } from "../../test/support/property.ts";
import type { SegmentScrub, StoredRecord } from "../catalog/integrity.ts";
import type { RecordName } from "../model/digest.ts";
import type { AccountId } from "../model/ids.ts";
import { MS_PER_DAY, SCRUB_BYTES_PER_SECOND_MAX } from "../model/limits.ts";
import { BlockStore } from "./block-store.ts";
import { rateOf } from "./scrubber.ts";

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
