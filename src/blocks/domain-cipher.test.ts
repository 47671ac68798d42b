import assert from "node:assert/strict";
import { createCipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { blockContents, seededBytes } from "../../test/support/property.ts";
import { encodeRecord } from "../../test/support/records.ts";
import { type Digest, ZERO_BLOCK_DIGEST, ZERO_BLOCK_NAME } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId, KeyDomain } from "../model/ids.ts";
import { CODEC } from "./codec.ts";
import { DomainCipher } from "./domain-cipher.ts";
import { openRecord } from "./encode-record.ts";
import { digestOf } from "./hash.ts";
import { RECORD_HEADER_BYTES, RECORD_KIND } from "./record.ts";
import { TAG_BYTES } from "./sealed-bytes.ts";

const DOMAIN = "k0123456789abcde" as KeyDomain;
const SECRETS = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
const [FIRST = Buffer.alloc(0)] = SECRETS;
const HELLO = Buffer.from("hello");

/** "hello" as a block under version 2 of a key, byte for byte. What is on disk must not drift. */
const GOLDEN_RECORD =
  "56524543" + // VREC
  "01" + // version
  "01" + // block
  "00" + // raw
  "01" + // AES-256-GCM
  "6b303132333435363738396162636465" + // domain
  "bb5ca714d55a23f62832523edb91a9f90abea28073b1a065ffb74e84b5bfc54b" + // name
  "05000000" + // plain length
  "15000000" + // stored length
  "02" + // key version
  "c3012461ee6253c1a5ad65" + // salt
  "c9bba81e" + // header CRC-32
  "7b8da62513" + // payload
  "81d421cd05da2391cd1f644d263d5d4b"; // tag

test("a sealed record has the bytes that are on disk, and opens", async () => {
  const cipher = new DomainCipher(SECRETS.slice(0, 2));
  const record = await sealed(cipher, HELLO);
  assert.equal(record.toString("hex"), GOLDEN_RECORD);
  const { header, plain } = await openRecord(record, cipher);
  assert.equal(Buffer.from(plain).toString(), "hello");
  assert.deepEqual([header.seal?.keyVersion, header.codec], [2, CODEC.raw]);
});

test("a sealed record can be opened with nothing but docs/format.md", () => {
  const record = Buffer.from(GOLDEN_RECORD, "hex");
  const derive = (secret: Uint8Array, purpose: string) =>
    Buffer.from(hkdfSync("sha256", secret, "", `varve 1 ${purpose}`, 32));
  const digest = createHash("sha256").update(HELLO).digest();
  const names = createCipheriv("aes-256-ecb", derive(FIRST, "names"), null).setAutoPadding(false);
  assert.deepEqual(names.update(digest), record.subarray(24, 56));
  const second = SECRETS[1] ?? FIRST;
  const salt = createHmac("sha256", derive(second, "salts")).update(digest).digest();
  assert.deepEqual(salt.subarray(0, 11), record.subarray(65, 76));
  const identity = Buffer.concat([record.subarray(5, 7), record.subarray(24, 56)]);
  const key = createHmac("sha256", derive(second, "records"))
    .update(identity)
    .update(record.subarray(65, 76))
    .digest();
  const gcm = createCipheriv("aes-256-gcm", key, Buffer.alloc(12)).setAAD(record.subarray(0, 76));
  const bytes = [gcm.update(HELLO), gcm.final(), gcm.getAuthTag()];
  assert.deepEqual(Buffer.concat(bytes), record.subarray(80));
});

test("the version that encrypted a record opens it, and the last one encrypts", async () => {
  const records: Buffer[] = [];
  for (let count = 1; count <= SECRETS.length; count++) {
    records.push(await sealed(new DomainCipher(SECRETS.slice(0, count)), HELLO));
  }
  const cipher = new DomainCipher(SECRETS);
  for (const [i, record] of records.entries()) {
    const { header, plain } = await openRecord(record, cipher);
    assert.deepEqual([header.seal?.keyVersion, Buffer.from(plain)], [i + 1, HELLO]);
  }
  const names = records.map((record) => record.toString("hex", 24, 56));
  assert.equal(new Set(names).size, 1, "a name stays, however often the key is rotated");
  assert.equal(new Set(records.map((record) => record.toString("hex", 80))).size, SECRETS.length);
  const older = new DomainCipher(SECRETS.slice(0, 2));
  await assert.rejects(openRecord(records[2] ?? HELLO, older), /key version 3; .* 1 to 2/);
  for (const keyVersion of [0, 4, 255]) {
    const relabelled = withByte(records[0] ?? HELLO, 64, keyVersion);
    await assert.rejects(openRecord(relabelled, cipher), CorruptionError);
  }
});

test("names are masked, turn back into their digests, and differ from key to key", () => {
  const digests = [1, 2, 3].map((contents) => digestOf(blockContents(contents)));
  digests.splice(1, 0, ZERO_BLOCK_DIGEST);
  const cipher = new DomainCipher([FIRST]);
  const names = digests.map((digest) => cipher.nameOf(digest));
  assert.deepEqual(cipher.digestsOf(names), digests);
  assert.deepEqual(cipher.digestsOf([]), []);
  assert.equal(names[1], ZERO_BLOCK_NAME, "zeros are not stored, so there is nothing to hide");
  const other = new DomainCipher([Buffer.alloc(32, 9)]);
  for (const [i, digest] of digests.entries()) {
    if (digest === ZERO_BLOCK_DIGEST) continue;
    assert.notEqual(names[i], digest as string);
    assert.notEqual(other.nameOf(digest), names[i]);
  }
});

test("every flipped bit of a sealed record is refused, also under a right checksum", async () => {
  const cipher = new DomainCipher(SECRETS);
  for (const plain of [HELLO, Buffer.alloc(5_000, 1)]) {
    const record = await sealed(cipher, plain);
    for (let bit = 0; bit < record.length * 8; bit++) {
      const flipped = Buffer.from(record);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      await assert.rejects(openRecord(flipped, cipher), CorruptionError, `bit ${bit}`);
      if (bit >= 76 * 8) continue;
      await assert.rejects(openRecord(checked(flipped), cipher), CorruptionError, `bit ${bit}`);
    }
  }
});

test("a shortened, lengthened, exchanged or foreign record is refused", async () => {
  const cipher = new DomainCipher(SECRETS);
  const [one, two] = [await sealed(cipher, HELLO), await sealed(cipher, Buffer.from("world"))];
  for (let length = 0; length < one.length; length++) {
    const short = one.subarray(0, length);
    await assert.rejects(openRecord(short, cipher), CorruptionError);
    if (length >= RECORD_HEADER_BYTES) {
      await assert.rejects(openRecord(withStoredLength(short), cipher), CorruptionError);
    }
  }
  const longer = withStoredLength(Buffer.concat([one, Buffer.of(0)]));
  await assert.rejects(openRecord(longer, cipher), CorruptionError);
  const head = one.subarray(0, RECORD_HEADER_BYTES);
  const exchanged = Buffer.concat([head, two.subarray(RECORD_HEADER_BYTES)]);
  await assert.rejects(openRecord(exchanged, cipher), CorruptionError);
  const stranger = new DomainCipher([Buffer.alloc(32, 9), ...SECRETS.slice(1)]);
  await assert.rejects(openRecord(await sealed(stranger, HELLO), new DomainCipher([FIRST])));
});

test("what is not encrypted is not taken for what is, nor the other way round", async () => {
  const cipher = new DomainCipher([FIRST]);
  const plain = await encoded("111122223333" as AccountId, HELLO, undefined);
  const posing = await encoded(DOMAIN, HELLO, undefined);
  await assert.rejects(openRecord(posing, cipher), /k0123456789abcde is not encrypted/);
  await assert.rejects(openRecord(plain, cipher), /is not encrypted/);
  await assert.rejects(openRecord(await sealed(cipher, HELLO), undefined), /is encrypted/);
});

test("a key encrypts one string of bytes only", async () => {
  const cipher = new DomainCipher([FIRST]);
  const name = cipher.nameOf(digestOf(HELLO));
  const covered = new Uint8Array(76);
  const payload = Buffer.alloc(64);
  const encrypt = (kind: 1 | 2 | 3, codec: 0 | 1, salted: string) =>
    Buffer.from(
      cipher.encrypt({ kind, codec, name }, cipher.sealFor(digestOf(Buffer.from(salted))), {
        covered,
        payload,
      }),
    ).toString("hex");
  const outputs = [1, 2, 3].flatMap((kind) =>
    [0, 1].flatMap((codec) =>
      ["a", "b"].map((salted) => encrypt(kind as 1, codec as 0, salted).slice(0, 128)),
    ),
  );
  assert.equal(new Set(outputs).size, 12, "kind, codec and payload each change the key");
  assert.equal(encrypt(1, 0, "a"), encrypt(1, 0, "a"), "nothing depends on chance");
});

test("what is encrypted grows by its tag and is compressed before", async () => {
  const cipher = new DomainCipher([FIRST]);
  const random = seededBytes("record", 4_096);
  const record = await sealed(cipher, random);
  assert.equal(record.length, RECORD_HEADER_BYTES + random.length + TAG_BYTES);
  const even = await sealed(cipher, blockContents(1));
  assert.ok(even.length < 1_000, `${even.length} bytes`);
  assert.deepEqual(Buffer.from((await openRecord(even, cipher)).plain), blockContents(1));
});

function sealed(cipher: DomainCipher, plain: Uint8Array): Promise<Buffer> {
  return encoded(DOMAIN, plain, cipher);
}

async function encoded(
  domain: KeyDomain | AccountId,
  plain: Uint8Array,
  cipher: DomainCipher | undefined,
): Promise<Buffer> {
  const digest = digestOf(plain);
  const name = cipher?.nameOf(digest) ?? (digest as Digest & string as never);
  const identity = { kind: RECORD_KIND.block, domain, digest, name };
  return Buffer.concat(await encodeRecord(identity, plain, cipher));
}

/** The record under a right checksum, as somebody would leave it who means it. */
function checked(record: Buffer): Buffer {
  const copy = Buffer.from(record);
  copy.writeUInt32LE(crc32(copy.subarray(0, 76)), 76);
  return copy;
}

function withByte(record: Buffer, offset: number, value: number): Buffer {
  const copy = Buffer.from(record);
  copy.writeUInt8(value, offset);
  return checked(copy);
}

function withStoredLength(record: Buffer): Buffer {
  const copy = Buffer.from(record);
  copy.writeUInt32LE(copy.length - RECORD_HEADER_BYTES, 60);
  return checked(copy);
}
