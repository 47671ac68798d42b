import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { blockContents, seededBytes } from "../../test/support/property.ts";
import { encodeRecord } from "../../test/support/records.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { diskError, unreadable } from "../../test/support/unreadable.ts";
import type { RecordName } from "../model/digest.ts";
import type { AccountId } from "../model/ids.ts";
import { FileSegments } from "../segments/file-segments.ts";
import type { Placement } from "../segments/segment-store.ts";
import { digestOf } from "./hash.ts";
import { RECORD_HEADER_BYTES, RECORD_KIND } from "./record.ts";
import { type Scanned, scanSegment } from "./scan-segment.ts";

const DOMAIN = "111122223333" as AccountId;

test("scanSegment finds every record, in order, with its header", async (t) => {
  const { scan, placements, names } = await setUp(t);
  const found = await scan();
  assert.deepEqual(
    found.map(({ placement }) => placement),
    placements,
  );
  assert.deepEqual(
    found.map(({ header }) => header?.name as string),
    names,
  );
});

test("scanSegment passes over a damaged header and finds all that follows", async (t) => {
  const { scan, placements, damage } = await setUp(t);
  const [, second] = placements as [Placement, Placement];
  await damage((bytes) =>
    bytes.writeUInt8(bytes.readUInt8(second.offset + 30) ^ 1, second.offset + 30),
  );
  const found = await scan();
  assert.deepEqual(
    found.map(({ placement }) => placement),
    placements,
  );
  assert.deepEqual(
    found.map(({ header }) => header !== undefined),
    [true, false, true, true],
  );
});

test("scanSegment ends at a torn tail, wherever it was torn", async (t) => {
  const { scan, placements, damage } = await setUp(t);
  const last = placements.at(-1) as Placement;
  for (const left of [last.length - 1, RECORD_HEADER_BYTES, RECORD_HEADER_BYTES - 1, 3, 1]) {
    const end = last.offset + left;
    await damage((bytes) => bytes.subarray(0, end));
    const found = await scan();
    const torn = { placement: { ...last, length: left }, header: undefined, unread: undefined };
    assert.deepEqual(found.slice(3), [torn], `${left} bytes are left of the last record`);
  }
});

test("scanSegment takes no payload for a record that is none, and finds far ones", async (t) => {
  const { scan, placements, damage } = await setUp(t);
  const [first, second] = placements as [Placement, Placement];
  await damage((bytes) => {
    bytes.fill("VREC", first.offset, second.offset);
  });
  const found = await scan();
  assert.deepEqual(
    found.map(({ placement }) => placement),
    placements,
  );
  assert.equal(found[0]?.header, undefined);
});

test("scanSegment passes over a header that the disk cannot read, and says so", async (t) => {
  const { scan, placements } = await setUp(t);
  const [, second] = placements as [Placement, Placement];
  // In the search for the next one these sectors are met again.
  const { undo } = unreadable(t, [{ ...second, offset: second.offset + 20, length: 8_192 }]);
  const found = await scan();
  assert.deepEqual(
    found.map(({ placement }) => placement),
    placements,
  );
  const told = found.map((each) => each.header === undefined && each.unread?.message);
  assert.deepEqual(told, [false, told[1], false, false]);
  assert.match(String(told[1]), /The disk cannot read segment 1 at offset \d+: EIO/);
  undo();
});

test("scanSegment reads once more what a disk fails to read once", async (t) => {
  const { scan, placements } = await setUp(t);
  const { read } = FileSegments.prototype;
  let count = 0;
  t.mock.method(
    FileSegments.prototype,
    "read",
    function (this: FileSegments, place: Placement, buffer?: Uint8Array) {
      count += 1;
      return count % 2 === 1 ? Promise.reject(diskError()) : read.call(this, place, buffer);
    },
  );
  const found = await scan();
  assert.ok(found.length === placements.length && found.every(({ header }) => header));
  t.mock.restoreAll();
});

/** A closed segment of four records, two of them larger than what is searched at once. */
async function setUp(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const options = { directory: join(directory, "segments"), segmentSizeBytesMax: 2 ** 30 };
  const writer = await FileSegments.open(options);
  const plains = [seededBytes("large", 500_000), blockContents(7), blockContents(1)];
  const entries = [];
  const names: string[] = [];
  for (const plain of [...plains, Buffer.from("hello")]) {
    const digest = digestOf(plain);
    const name = digest as string as RecordName;
    const identity = { kind: RECORD_KIND.block, domain: DOMAIN, digest, name };
    entries.push(await encodeRecord(identity, plain, undefined));
    names.push(name);
  }
  const placements = await writer.append(entries);
  await writer.close();
  const path = join(options.directory, "0000000001.segment");
  const whole = await readFile(path);
  return {
    placements,
    names,
    /** Rewrites the file from its first state. */
    async damage(change: (bytes: Buffer) => Buffer | unknown) {
      const bytes = Buffer.from(whole);
      const changed = change(bytes);
      await writeFile(path, Buffer.isBuffer(changed) ? changed : bytes);
    },
    async scan() {
      const segments = await FileSegments.open(options);
      const [info] = await segments.list();
      assert.ok(info);
      const found: Scanned[] = [];
      for await (const scanned of scanSegment(segments, info)) found.push(scanned);
      await segments.close();
      return found;
    },
  };
}
