import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns } from "../../test/support/property.ts";
import { systemRandom } from "../base/random.ts";
import {
  checksumOf,
  digestFromBytes,
  digestFromChecksum,
  digestToBytes,
  ZERO_BLOCK_CHECKSUM,
  ZERO_BLOCK_DIGEST,
} from "./digest.ts";
import { invalid, ServiceError, snapshotNotFound } from "./errors.ts";
import { extentsOf } from "./extent.ts";
import { blockCountFor, blockCountOf, blockIndexAt, offsetOf, volumeSizeFor } from "./geometry.ts";
import {
  newAccessKeyId,
  newAccountId,
  newSnapshotId,
  parseAccountId,
  parseSnapshotId,
} from "./ids.ts";
import { BLOCK_SIZE_BYTES, GIB_BYTES, VOLUME_SIZE_GIB_MAX } from "./limits.ts";

const ZEROS = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0 };
const ONES = { bytes: (length: number) => new Uint8Array(length).fill(255), fraction: () => 0 };

test("blockCountOf and offsetOf cover exactly the volume", () => {
  assert.equal(blockCountOf(1), 2048);
  assert.equal(blockCountOf(VOLUME_SIZE_GIB_MAX), 2 ** 27);
  for (const sizeGib of [1, 2, 16_384, VOLUME_SIZE_GIB_MAX]) {
    assert.equal(offsetOf(blockCountOf(sizeGib)), sizeGib * GIB_BYTES);
  }
});

test("blockIndexAt is the block of a byte, blockCountFor what so many bytes take", async (t) => {
  const property = fc.property(fc.nat(2 ** 27 - 1), fc.nat(BLOCK_SIZE_BYTES - 1), (index, byte) => {
    assert.equal(blockIndexAt(offsetOf(index) + byte), index);
    assert.equal(blockCountFor(offsetOf(index) + byte), byte === 0 ? index : index + 1);
  });
  fc.assert(property, propertyRuns(t, 200));
});

test("volumeSizeFor is the smallest whole number of GiB, at least 1", () => {
  assert.equal(volumeSizeFor(0), 1);
  assert.equal(volumeSizeFor(GIB_BYTES), 1);
  assert.equal(volumeSizeFor(GIB_BYTES + 1), 2);
  assert.equal(volumeSizeFor(GIB_BYTES * VOLUME_SIZE_GIB_MAX), VOLUME_SIZE_GIB_MAX);
});

test("ZERO_BLOCK_DIGEST is the SHA-256 of a block of zeros", () => {
  const hash = createHash("sha256").update(Buffer.alloc(BLOCK_SIZE_BYTES)).digest();
  assert.equal(ZERO_BLOCK_DIGEST, hash.toString("hex"));
  assert.equal(ZERO_BLOCK_CHECKSUM, hash.toString("base64"));
});

test("digests go to bytes and checksums and back", async (t) => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const property = fc.property(bytes, (raw) => {
    const digest = digestFromBytes(raw);
    assert.match(digest, /^[0-9a-f]{64}$/);
    assert.deepEqual(digestToBytes(digest), raw);
    assert.equal(digestFromChecksum(checksumOf(digest)), digest);
  });
  fc.assert(property, propertyRuns(t, 100));
});

test("digestFromBytes and digestFromChecksum refuse any other length", () => {
  for (const length of [0, 31, 33]) {
    const bytes = Buffer.alloc(length);
    assert.throws(() => digestFromBytes(bytes), RangeError);
    assert.equal(digestFromChecksum(bytes.toString("base64")), undefined);
  }
  assert.equal(digestFromChecksum(ZERO_BLOCK_CHECKSUM.slice(0, -1)), undefined);
});

test("newSnapshotId has the form of AWS's and is different each time", () => {
  const ids = Array.from({ length: 100 }, () => newSnapshotId(systemRandom));
  for (const id of ids) assert.match(id, /^snap-0[0-9a-f]{16}$/);
  assert.equal(new Set(ids).size, 100);
  for (const id of ids) assert.equal(parseSnapshotId(id), id);
});

test("parseSnapshotId takes what the API allows and nothing else", () => {
  assert.equal(parseSnapshotId("snap-1"), "snap-1");
  assert.equal(parseSnapshotId(`snap-${"a".repeat(59)}`), `snap-${"a".repeat(59)}`);
  for (const text of ["", "snap-", "snap-G", "snap-A", " snap-1", "snap-1\n", "vol-1"]) {
    assert.equal(parseSnapshotId(text), undefined, JSON.stringify(text));
  }
  assert.equal(parseSnapshotId(`snap-${"a".repeat(60)}`), undefined);
});

test("newAccountId has twelve digits, the first of them never 0", () => {
  for (const random of [ZEROS, ONES, systemRandom]) {
    const account = newAccountId(random);
    assert.match(account, /^[1-9][0-9]{11}$/);
    assert.equal(parseAccountId(account), account);
  }
});

test("parseAccountId takes twelve digits and nothing else", () => {
  for (const text of ["", "11112222333", "1111222233334", "11112222333a", "111122223333\n"]) {
    assert.equal(parseAccountId(text), undefined, JSON.stringify(text));
  }
});

test("newAccessKeyId has the form of AWS's", () => {
  for (const random of [ZEROS, ONES, systemRandom]) {
    assert.match(newAccessKeyId(random), /^AKIA[A-Z2-7]{16}$/);
  }
});

test("extentsOf joins ascending block indexes into the fewest extents", async (t) => {
  assert.deepEqual(extentsOf([]), []);
  assert.deepEqual(extentsOf([5]), [{ start: 5, count: 1 }]);
  const property = fc.property(fc.uniqueArray(fc.nat(60)), (indexes) => {
    const ascending = indexes.sort((a, b) => a - b);
    const extents = extentsOf(ascending);
    const spread = extents.flatMap(({ start, count }) =>
      Array.from({ length: count }, (_, i) => start + i),
    );
    assert.deepEqual(spread, ascending);
    for (const [i, { start }] of extents.entries()) {
      const before = extents[i - 1];
      if (before) assert.ok(before.start + before.count < start, "neighbours are joined");
    }
  });
  fc.assert(property, propertyRuns(t, 200));
});

test("invalid and snapshotNotFound carry AWS's codes, reasons and words", () => {
  const error = invalid("INVALID_BLOCK", "No such block");
  assert.ok(error instanceof ServiceError);
  assert.deepEqual(
    [error.code, error.name, error.reason],
    ["ValidationException", "ValidationException", "INVALID_BLOCK"],
  );
  const missing = snapshotNotFound("snap-1", "snap-2");
  assert.equal(missing.reason, "SNAPSHOT_NOT_FOUND");
  assert.equal(missing.message, "The snapshot 'snap-1' or 'snap-2' does not exist.");
});
