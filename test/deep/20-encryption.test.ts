import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { constants, crc32, createZstdDecompress, zstdCompressSync } from "node:zlib";
import * as kms from "@aws-sdk/client-kms";
import { randomUuid, systemRandom } from "../../src/base/random.ts";
import { type BlockWork, type HashedPayload, ownWork } from "../../src/blocks/block-work.ts";
import { CODEC } from "../../src/blocks/codec.ts";
import { DomainCipher } from "../../src/blocks/domain-cipher.ts";
import { openRecord, sealRecord } from "../../src/blocks/encode-record.ts";
import { digestOf } from "../../src/blocks/hash.ts";
import { RECORD_HEADER_BYTES, RECORD_KIND } from "../../src/blocks/record.ts";
import { type Digest, digestFromBytes } from "../../src/model/digest.ts";
import { type Domain, domainOfKey, type EncryptionKeyId } from "../../src/model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { clientsOf, readSnapshot, stateOf, writeSnapshot } from "../support/encryption.ts";
import { pick, seededBytes, seededFraction } from "../support/property.ts";
import { encodeRecord } from "../support/records.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

scorecard({
  number: 20,
  name: "encryption at rest",
  goal:
    "plaintext canary on disk 0 B; (key, nonce) repeats in 10^7 blocks 0; moved or relabelled " +
    "ciphertext opens 0; KEK rotation rewrites 0 data bytes; at most 2^28 blocks a key",
  peer: "NIST 2^32 messages a key; borg 2 TiB a key; Ceph CVE-2020-1759, nonces used again",
  async run(run) {
    await assertSearchFinds(run);
    const found = await canariesOnDisk(run);
    const keys = repeatedKeys(run);
    const payloads = await keysOfOtherPayloads(run);
    const opened = await movedRecordsOpened(run);
    const parts = [
      `canaries on disk 0 B of ${found.searchedBytes} B searched, ${found.frames} frames unpacked`,
      `keys used twice 0 of ${keys}, and 0 of ${payloads} for several payloads of one block`,
      `altered records opened 0 of ${opened}`,
      "segments rewritten by a new KEK 0 B",
      "1 payload a key",
    ];
    return parts.join("; ");
  },
});

/** Compressible and random blocks, each with a mark that is looked for on the disk. */
function canaryBlocks(run: ScorecardRun): Map<number, Uint8Array> {
  // A small share of it still has blocks of both kinds, and some that change.
  const count = Math.max(10, run.count(48, 10));
  return new Map(
    Array.from({ length: count }, (_, i) => {
      const canary = canaryOf(run, i);
      const filler = i % 2 === 0 ? Buffer.alloc(BLOCK_SIZE_BYTES, canary) : undefined;
      const bytes = filler ?? Buffer.from(seededBytes(`${run.seed} ${i}`, BLOCK_SIZE_BYTES));
      canary.copy(bytes, 4_096);
      return [i * 3, bytes];
    }),
  );
}

const canaryOf = ({ seed }: ScorecardRun, i: number) => Buffer.from(`canary ${seed} ${i} canary`);

/** Everything that happens to an encrypted snapshot, then every byte of the folder. */
async function canariesOnDisk(run: ScorecardRun) {
  const dataDirectory = await temporaryDirectory(run);
  const previous = Buffer.alloc(32, 5);
  const first = await startService(run, { dataDirectory, keyEncryptionKey: { secret: previous } });
  const before = clientsOf(run, first);
  const blocks = canaryBlocks(run);
  const [key, second] = [await before.key(), await before.key()];
  const parent = await writeSnapshot(before, blocks, { KmsKeyArn: key });
  await before.keys.send(new kms.RotateKeyOnDemandCommand({ KeyId: key }));
  const changes = new Map([...blocks].slice(0, 5).map(([index, bytes]) => [index + 1, bytes]));
  const child = await writeSnapshot(before, changes, { ParentSnapshotId: parent });
  const copy = await before.copy(child, { KmsKeyId: second });
  assert.equal(await stateOf(before, copy), "completed");
  await before.start({ KmsKeyArn: key });
  const searched = await search(dataDirectory, blocks);
  await first.close();
  await search(dataDirectory, blocks);
  const segments = await filesOf(join(dataDirectory, "segments"));
  const secret = Buffer.alloc(32, 6);
  const again = await startService(run, {
    dataDirectory,
    keyEncryptionKey: { secret },
    previousKeyEncryptionKey: { secret: previous },
  });
  const after = clientsOf(run, again);
  const everything = new Map([...blocks, ...changes].sort(([a], [b]) => a - b));
  for (const id of [child, copy]) {
    const read = await readSnapshot(after, id);
    assert.deepEqual([...read.keys()], [...everything.keys()]);
    for (const [index, bytes] of read) assert.ok(bytes.equals(everything.get(index) ?? bytes));
  }
  const now = await filesOf(join(dataDirectory, "segments"));
  for (const [name, bytes] of segments) {
    assert.ok(now.get(name)?.equals(bytes), `a new key-encryption key leaves ${name} alone`);
  }
  const added = [...now].filter(([name]) => !segments.has(name)).map(([, bytes]) => bytes.length);
  const addedBytes = added.reduce((sum, length) => sum + length, 0);
  assert.ok(addedBytes < JOURNAL_BYTES_MAX, "it adds what the journal says of keys, and no more");
  return searched;
}

/** Entries on the keys of this test, newly wrapped; a block is 30 times as large. */
const JOURNAL_BYTES_MAX = 16 * 1_024;

/** The search finds canaries where nothing is encrypted, raw and compressed, and digests. */
async function assertSearchFinds(run: ScorecardRun): Promise<void> {
  const dataDirectory = await temporaryDirectory(run);
  const clients = clientsOf(run, await startService(run, { dataDirectory }));
  const [even, random] = [...canaryBlocks(run).values()] as [Uint8Array, Uint8Array];
  await writeSnapshot(clients, new Map([[0, even]]));
  const files = await filesOf(join(dataDirectory, "segments"));
  const unpacked = (await Promise.all([...files.values()].map(framesIn))).flat();
  assert.ok(
    unpacked.some((bytes) => bytes.includes("canary")),
    "compressed ones are unpacked",
  );
  await assert.rejects(search(dataDirectory, new Map([[0, even]])), /stands in/);
  await writeSnapshot(clients, new Map([[0, random]]));
  await assert.rejects(search(dataDirectory, new Map([[0, random]])), /stands in/);
}

/** Fails where a canary, its block's digest, or a secret of the test stands in any file. */
async function search(
  folder: string,
  blocks: ReadonlyMap<number, Uint8Array>,
): Promise<{ searchedBytes: number; frames: number }> {
  const digests = [...blocks.values()].map((bytes) => digestOf(bytes));
  const needles = [
    Buffer.from("canary"),
    ...digests.flatMap((digest) => [
      Buffer.from(digest, "hex"),
      Buffer.from(digest.slice(0, 32)),
      Buffer.from(Buffer.from(digest, "hex").toString("base64").slice(0, 32)),
    ]),
    Buffer.alloc(32, 5),
  ];
  let searchedBytes = 0;
  let frames = 0;
  for (const [name, bytes] of await filesOf(folder)) {
    const unpacked = await framesIn(bytes);
    frames += unpacked.length;
    for (const haystack of [bytes, ...unpacked]) {
      searchedBytes += haystack.length;
      for (const needle of needles) {
        assert.ok(!haystack.includes(needle), `${needle.toString("latin1")} stands in ${name}`);
      }
    }
  }
  assert.ok(searchedBytes > BLOCK_SIZE_BYTES, "there was something to search");
  return { searchedBytes, frames };
}

/** What unpacks where a zstd frame may begin; most such places are chance. */
async function framesIn(bytes: Buffer): Promise<Buffer[]> {
  const magic = Buffer.from("28b52ffd", "hex");
  const frames: Buffer[] = [];
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    const frame = await unpack(bytes.subarray(at, at + FRAME_BYTES_MAX));
    if (frame.length > 0) frames.push(frame);
  }
  return frames;
}

/** Longer than any record. */
const FRAME_BYTES_MAX = 2 ** 20;

/** As much as can be unpacked: behind the frame comes something else, or it is none. */
function unpack(bytes: Buffer): Promise<Buffer> {
  const stream = createZstdDecompress();
  const pieces: Buffer[] = [];
  return new Promise((resolve) => {
    const end = () => resolve(Buffer.concat(pieces));
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("error", end);
    stream.on("close", end);
    stream.end(bytes);
  });
}

async function filesOf(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name));
  return new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(path)] as const)),
  );
}

/**
 * The nonce is constant, so a pair is repeated when a key is. A record's key is a function of kind,
 * codec, name, salt and version alone, all of which stand in its header, and not of where or when
 * it was written; so deriving the keys of so many blocks, by their digests, is the same as writing
 * them. An equal key is seen in the first 16 bytes that it makes of the same zeros.
 */
function repeatedKeys(run: ScorecardRun): number {
  const perVersion = run.count(5_000_000, 5_000);
  const cipher = new DomainCipher([1, 2].map((byte) => Buffer.alloc(32, byte)));
  const old = new DomainCipher([Buffer.alloc(32, 1)]);
  const covered = new Uint8Array(0);
  const payload = new Uint8Array(16);
  const starts = new Uint32Array(perVersion * 4 * 2);
  let count = 0;
  for (let i = 0; i < perVersion; i++) {
    const digest = digestOfNumber(i);
    const name = cipher.nameOf(digest);
    const identity = { kind: RECORD_KIND.block, codec: 0, name } as const;
    for (const sealer of [cipher, old]) {
      const seal = sealer.sealFor(digest);
      const bytes = Buffer.from(sealer.encrypt(identity, seal, { covered, payload }));
      for (let word = 0; word < 4; word++) starts[count * 4 + word] = bytes.readUInt32LE(word * 4);
      count += 1;
    }
  }
  assert.equal(countEqual(starts, count), 0, "no key was used twice");
  return count;
}

/**
 * One block has one name, and yet other payloads where another zstd packed it: then name and codec
 * are the same, and only the salt keeps a key from two payloads. So several payloads of each block
 * are sealed as the store does it, and the very keys are compared that it encrypts with. What the
 * store packs itself is among them.
 */
async function keysOfOtherPayloads(run: ScorecardRun): Promise<number> {
  const blockCount = run.count(2_000, 20);
  const domain = domainOfKey(randomUuid(systemRandom) as EncryptionKeyId);
  const secrets = [systemRandom.bytes(32), systemRandom.bytes(32)];
  const ciphers = [new DomainCipher(secrets), new DomainCipher(secrets.slice(0, 1))];
  const payloadOf = new Map<string, string>();
  for (let i = 0; i < blockCount; i++) {
    const plain = Buffer.alloc(3_000, seededBytes(`${run.seed} ${i}`, 40));
    for (const cipher of ciphers) {
      for (const payload of await payloadsOf(plain)) {
        const { key, record } = await sealWatched({ domain, plain, cipher }, payload);
        const bytes = Buffer.from(payload.bytes).toString("base64");
        const before = payloadOf.get(key);
        assert.ok(before === undefined, `block ${i}: one key for ${before} and ${bytes}`);
        payloadOf.set(key, bytes);
        const opened = await openRecord(record, cipher);
        assert.ok(plain.equals(opened.plain), `block ${i}: a payload is opened`);
      }
    }
  }
  return payloadOf.size;
}

/** What the store makes of it, what other settings of zstd do, and itself; all different. */
async function payloadsOf(plain: Uint8Array): Promise<readonly HashedPayload[]> {
  const own = await ownWork.encode(plain, true);
  assert.equal(own.codec, CODEC.zstd);
  assert.equal(own.digest, digestOf(own.bytes), "the payload is hashed, not what is in it");
  const others = [
    { [constants.ZSTD_c_checksumFlag]: 1 },
    { [constants.ZSTD_c_contentSizeFlag]: 0 },
  ].map((params) => {
    const bytes = zstdCompressSync(plain, { params });
    return { codec: CODEC.zstd, bytes, digest: digestOf(bytes) };
  });
  const payloads = [own, ...others, { codec: CODEC.raw, bytes: plain }];
  const texts = new Set(payloads.map(({ bytes }) => Buffer.from(bytes).toString("base64")));
  assert.equal(texts.size, payloads.length, "payloads of one block differ");
  return payloads;
}

/** Seals a payload of a block; answers the record, and the key that encrypted it. */
async function sealWatched(
  of: { readonly domain: Domain; readonly plain: Uint8Array; readonly cipher: DomainCipher },
  payload: HashedPayload,
): Promise<{ readonly key: string; readonly record: Buffer }> {
  const { domain, plain, cipher } = of;
  const digest = digestOf(plain);
  const keys: string[] = [];
  const work: BlockWork = {
    ...ownWork,
    encrypt(sealing, bytes) {
      keys.push(Buffer.from(sealing.key).toString("hex"));
      return ownWork.encrypt(sealing, bytes);
    },
  };
  const named = { kind: RECORD_KIND.block, domain, digest, name: cipher.nameOf(digest) };
  const whole = { ...named, plainLength: plain.length };
  const record = Buffer.concat(await sealRecord(whole, payload, { cipher, work }));
  assert.equal(keys.length, 1, "a record is encrypted once");
  return { key: keys[0] as string, record };
}

function digestOfNumber(i: number): Digest {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32LE(i, 0);
  bytes.writeUInt32LE(i ^ 0x5bd1e995, 16);
  return digestFromBytes(bytes);
}

/** How many of the 16-byte values are there before; sorted by their halves, so in little memory. */
function countEqual(words: Uint32Array, count: number): number {
  const values = new BigUint64Array(words.buffer, 0, count * 2);
  const firsts = new BigUint64Array(count);
  for (let i = 0; i < count; i++) firsts[i] = values[i * 2] as bigint;
  firsts.sort();
  let equal = 0;
  // Of 10^7 random values of 64 bits none is equal but with a chance of 3 in a million.
  for (let i = 1; i < count; i++) if (firsts[i] === firsts[i - 1]) equal += 1;
  return equal;
}

/** Records exchanged, relabelled with right checksums, cut, and taken to another key. */
async function movedRecordsOpened(run: ScorecardRun): Promise<number> {
  const fraction = seededFraction(run.seed);
  const makeDomain = () => {
    const domain = domainOfKey(randomUuid(systemRandom) as EncryptionKeyId);
    return { domain, cipher: new DomainCipher([systemRandom.bytes(32), systemRandom.bytes(32)]) };
  };
  const domains = [makeDomain(), makeDomain()];
  const records: { readonly record: Buffer; readonly of: number }[] = [];
  for (let i = 0; i < 40; i++) {
    const { domain, cipher } = domains[i % 2] ?? makeDomain();
    const plain = i % 4 < 2 ? Buffer.alloc(3_000, i + 1) : seededBytes(`${run.seed} ${i}`, 900);
    const digest = digestOf(plain);
    const identity = { kind: RECORD_KIND.block, domain, digest, name: cipher.nameOf(digest) };
    records.push({ record: Buffer.concat(await encodeRecord(identity, plain, cipher)), of: i % 2 });
  }
  const wanted = run.count(200_000, 500);
  let tries = 0;
  for (let i = 0; tries < wanted; i++) {
    const [one, two] = [pick(fraction, records.length), pick(fraction, records.length)];
    const { record, of } = records[one] as (typeof records)[number];
    const other = (records[two] as (typeof records)[number]).record;
    const how = pick(fraction, 4);
    const reader = how === 3 ? 1 - of : of;
    const altered = how === 3 ? record : alter(record, other, { how, at: fraction() });
    if (how !== 3 && altered.equals(record)) continue;
    tries += 1;
    const opening = openRecord(altered, domains[reader]?.cipher);
    await assert.rejects(opening, { name: "CorruptionError" }, `case ${i}, way ${how}`);
  }
  return tries;
}

/** Another's payload, another's header fields, or an end cut off, each under a right checksum. */
function alter(record: Buffer, other: Buffer, { how, at }: { how: number; at: number }): Buffer {
  if (how === 0) {
    const payload = other.subarray(RECORD_HEADER_BYTES);
    return checked(Buffer.concat([record.subarray(0, RECORD_HEADER_BYTES), payload]));
  }
  if (how === 1) {
    const altered = Buffer.from(record);
    const offset = 5 + Math.floor(at * 71);
    altered.writeUInt8(altered.readUInt8(offset) ^ (1 + (Math.floor(at * 7_919) % 255)), offset);
    return withChecksum(altered);
  }
  const length = RECORD_HEADER_BYTES + Math.floor(at * (record.length - RECORD_HEADER_BYTES));
  return checked(Buffer.from(record.subarray(0, length)));
}

/** The record with the right length and checksum in its header: nobody's accident. */
function checked(record: Buffer): Buffer {
  record.writeUInt32LE(record.length - RECORD_HEADER_BYTES, 60);
  return withChecksum(record);
}

function withChecksum(record: Buffer): Buffer {
  record.writeUInt32LE(crc32(record.subarray(0, 76)), 76);
  return record;
}
