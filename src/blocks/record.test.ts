import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import {
  blockContents,
  pick,
  printSeed,
  propertyRuns,
  seededBytes,
  seededFraction,
} from "../../test/support/property.ts";
import type { RecordName } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId } from "../model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import {
  CODEC,
  decodePayload,
  decodePayloadSync,
  encodePayload,
  encodePayloadSync,
} from "./codec.ts";
import { digestOf } from "./hash.ts";
import {
  decodeRecord,
  encodeRecordHeader,
  RECORD_HEADER_BYTES,
  RECORD_KIND,
  type RecordKind,
} from "./record.ts";

const DOMAIN = "111122223333" as AccountId;

/** The record of "hello" as a block, byte for byte. What is on disk must not drift. */
const GOLDEN_RECORD =
  "56524543" + // VREC
  "01" + // version
  "01" + // block
  "00" + // raw
  "00" + // no cipher
  "31313131323232323333333300000000" + // domain, padded
  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" +
  "05000000" + // plain length
  "05000000" + // stored length
  "000000000000000000000000" + // reserved
  "7b14162b" + // header CRC-32
  "68656c6c6f";

test("encodeRecordHeader writes the bytes that are on disk", async () => {
  const record = await encodeRecord(RECORD_KIND.block, Buffer.from("hello"));
  assert.equal(record.toString("hex"), GOLDEN_RECORD);
});

test("decodeRecord reads the bytes that are on disk", async () => {
  const { header, payload } = decodeRecord(Buffer.from(GOLDEN_RECORD, "hex"));
  assert.deepEqual(header, {
    kind: RECORD_KIND.block,
    codec: CODEC.raw,
    domain: DOMAIN,
    name: nameOf(Buffer.from("hello")),
    plainLength: 5,
    storedLength: 5,
    seal: undefined,
  });
  assert.equal(Buffer.from(await decodePayload(payload, 5)).toString(), "hello");
});

test("RECORD_KIND and CODEC keep their numbers", () => {
  assert.deepEqual(RECORD_KIND, { block: 1, node: 2, manifest: 3, entry: 4 });
  assert.deepEqual(CODEC, { raw: 0, zstd: 1 });
});

test("records go in and out unchanged, compressed or not", async (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 5000 }),
    fc.tuple(fc.nat(255), fc.nat(50_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
  );
  const kind = fc.constantFrom(...Object.values(RECORD_KIND));
  const property = fc.asyncProperty(bytes, kind, async (plain, kindOf) => {
    const record = await encodeRecord(kindOf, plain);
    const { header, payload } = decodeRecord(record);
    assert.equal(header.kind, kindOf);
    assert.equal(header.domain, DOMAIN);
    assert.equal(header.name, nameOf(plain));
    const decoded = await decodePayload(payload, header.plainLength);
    assert.ok(Buffer.from(plain).equals(decoded));
  });
  await fc.assert(property, propertyRuns(t, 100));
});

test("encodePayload leaves what is short as it is", async () => {
  for (const [length, codec] of [
    [0, CODEC.raw],
    [1_023, CODEC.raw],
    [1_024, CODEC.zstd],
  ] as const) {
    const zeros = new Uint8Array(length);
    for (const encoded of [await encodePayload(zeros), encodePayloadSync(zeros)]) {
      assert.equal(encoded.codec, codec, `${length} bytes`);
    }
  }
});

test("encodePayload compresses where that helps and else leaves the very bytes", async () => {
  const repeating = await encodePayload(blockContents(1));
  assert.equal(repeating.codec, CODEC.zstd);
  assert.ok(repeating.bytes.length < 1000);
  const random = blockContents(7);
  assert.deepEqual(await encodePayload(random), { codec: CODEC.raw, bytes: random });
  assert.equal((await encodePayload(random)).bytes, random, "not a copy");
  const empty = new Uint8Array(0);
  assert.deepEqual(await encodePayload(empty), { codec: CODEC.raw, bytes: empty });
});

test("decodePayload undoes encodePayload for every short length", async () => {
  for (let length = 0; length <= 130; length++) {
    const plain = Buffer.alloc(length, 7);
    const decoded = await decodePayload(await encodePayload(plain), length);
    assert.ok(plain.equals(decoded), `${length} bytes`);
    // Stores from before hold short payloads that are compressed; never an empty one.
    if (length === 0) continue;
    const zstd = { codec: CODEC.zstd, bytes: zstdCompressSync(plain) };
    for (const unpacked of [await decodePayload(zstd, length), decodePayloadSync(zstd, length)]) {
      assert.ok(plain.equals(unpacked), `${length} bytes of zstd`);
    }
  }
});

test("decodePayload refuses whatever does not decode to exactly the length asked for", async () => {
  const { bytes } = await encodePayload(Buffer.alloc(10_000, 1));
  const zstd = { codec: CODEC.zstd, bytes };
  for (const length of [0, 1, 9_999, 10_001]) {
    await assert.rejects(decodePayload(zstd, length), CorruptionError, `zstd of ${length}`);
  }
  const raw = { codec: CODEC.raw, bytes: Buffer.from("abc") };
  for (const length of [0, 2, 4]) await assert.rejects(decodePayload(raw, length), CorruptionError);
  for (const broken of [bytes.subarray(0, -1), bytes.subarray(1), Buffer.alloc(20)]) {
    const payload = { codec: CODEC.zstd, bytes: broken };
    await assert.rejects(decodePayload(payload, 10_000), CorruptionError);
  }
});

test("decodeRecord detects every flipped bit of a header", async () => {
  for (const plain of [Buffer.from("hello"), Buffer.alloc(5000, 1)]) {
    const record = await encodeRecord(RECORD_KIND.node, plain);
    for (let bit = 0; bit < RECORD_HEADER_BYTES * 8; bit++) {
      assert.throws(() => decodeRecord(flipped(record, bit)), CorruptionError, `bit ${bit}`);
    }
  }
});

test("a flipped bit of a payload never decodes to other bytes of the same digest", async (t) => {
  const fraction = seededFraction(printSeed(t));
  const contents = [Buffer.from("hello"), blockContents(1), blockContents(7), nodeLike()];
  for (const plain of contents) {
    const record = await encodeRecord(RECORD_KIND.block, plain);
    const bits = (record.length - RECORD_HEADER_BYTES) * 8;
    const step = bits <= 512 ? () => 1 : () => 1 + pick(fraction, (2 * bits) / 200);
    let caught = 0;
    let tried = 0;
    for (let bit = 0; bit < bits; bit += step()) {
      tried += 1;
      if (await isCaught(flipped(record, RECORD_HEADER_BYTES * 8 + bit), plain)) caught += 1;
    }
    // A frame of zstd has a few bits that mean nothing to its decoder; the bytes stay right then.
    assert.ok(caught >= tried * 0.8, `${caught} of ${tried} flips were caught`);
  }
});

/** True when the record is refused; throws when it decodes to wrong bytes that pass for right. */
async function isCaught(record: Uint8Array, plain: Uint8Array): Promise<boolean> {
  try {
    const { header, payload } = decodeRecord(record);
    const decoded = await decodePayload(payload, header.plainLength);
    if (nameOf(decoded) !== header.name) return true;
    assert.ok(Buffer.from(decoded).equals(plain), "the bytes are right");
    return false;
  } catch (error) {
    if (error instanceof CorruptionError) return true;
    throw error;
  }
}

test("decodeRecord refuses a record of the wrong length", async () => {
  const record = await encodeRecord(RECORD_KIND.block, Buffer.from("hello"));
  for (const length of [0, 3, 79, 80, record.length - 1]) {
    assert.throws(() => decodeRecord(record.subarray(0, length)), CorruptionError, `${length}`);
  }
  const longer = Buffer.concat([record, Buffer.of(0)]);
  assert.throws(() => decodeRecord(longer), CorruptionError);
});

test("decodeRecord reads a record that lies anywhere in a larger buffer", async () => {
  const record = await encodeRecord(RECORD_KIND.block, Buffer.from("hello"));
  const larger = Buffer.concat([Buffer.from("before"), record, Buffer.from("after")]);
  const { header } = decodeRecord(new Uint8Array(larger.buffer, larger.byteOffset + 6, 85));
  assert.equal(header.plainLength, 5);
});

for (const { name, offset, value } of [
  { name: "version", offset: 4, value: 2 },
  { name: "codec", offset: 6, value: 2 },
  { name: "cipher", offset: 7, value: 2 },
  { name: "kind", offset: 5, value: 9 },
]) {
  test(`decodeRecord refuses a whole record whose ${name} it does not know`, () => {
    const record = Buffer.from(GOLDEN_RECORD, "hex");
    record.writeUInt8(value, offset);
    record.writeUInt32LE(crc32(record.subarray(0, 76)), 76);
    assert.throws(() => decodeRecord(record), CorruptionError);
  });
}

test("decodeRecord refuses a record that says it holds more than a block", () => {
  const record = Buffer.from(GOLDEN_RECORD, "hex");
  record.writeUInt32LE(BLOCK_SIZE_BYTES + 1, 56);
  record.writeUInt32LE(crc32(record.subarray(0, 76)), 76);
  assert.throws(() => decodeRecord(record), /says that it holds 524289 bytes/);
});

async function encodeRecord(kind: RecordKind, plain: Uint8Array): Promise<Buffer> {
  const { codec, bytes } = await encodePayload(plain);
  const lengths = { plainLength: plain.length, storedLength: bytes.length };
  const named = { kind, codec, domain: DOMAIN, name: nameOf(plain), seal: undefined };
  return Buffer.concat([encodeRecordHeader({ ...named, ...lengths }), bytes]);
}

function nameOf(plain: Uint8Array): RecordName {
  return digestOf(plain) as string as RecordName;
}

function flipped(record: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(record);
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return copy;
}

/** Bytes as a block map's node has them: some structure, many digests. */
function nodeLike(): Uint8Array {
  return Buffer.concat([Buffer.alloc(100, 3), seededBytes("node", 2000), Buffer.alloc(400, 9)]);
}
