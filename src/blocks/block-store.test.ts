import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeBlockTable, FakeSegments, gate, NO_SECRETS } from "../../test/support/fakes.ts";
import { blockContents, pick, printSeed, seededFraction } from "../../test/support/property.ts";
import { diskError } from "../../test/support/unreadable.ts";
import { UnavailableError } from "../base/unavailable.ts";
import { type Digest, ZERO_BLOCK_DIGEST, ZERO_BLOCK_NAME } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId, Domain, KeyDomain, SnapshotId } from "../model/ids.ts";
import { BLOCK_SIZE_BYTES, DOMAIN_SECRET_BYTES } from "../model/limits.ts";
import { BlockStore } from "./block-store.ts";
import { digestOf } from "./hash.ts";
import { decodeRecord, RECORD_HEADER_BYTES, RECORD_KIND } from "./record.ts";

const DOMAIN = "111122223333" as AccountId;
const OTHER = "444455556666" as AccountId;

test("BlockStore gets back the bytes of each block put, compressed or not", async () => {
  const { store } = setUp();
  for (const contents of [1, 7]) {
    const digest = await put(store, { contents });
    assert.deepEqual(Buffer.from(await store.getBlock(DOMAIN, digest)), blockContents(contents));
  }
});

test("BlockStore stores the same contents once when they come one after another", async () => {
  const { store, segments, catalog } = setUp();
  for (let blockIndex = 0; blockIndex < 5; blockIndex++) await put(store, { blockIndex });
  assert.equal(segments.entries.length, 1);
  assert.equal(catalog.commits.flatMap(({ writes }) => writes).length, 5);
});

test("BlockStore stores the same contents once when they come all at once", async () => {
  const { store, segments, catalog } = setUp();
  const puts = Array.from({ length: 8 }, (_, blockIndex) => put(store, { blockIndex }));
  await Promise.all(puts);
  assert.equal(segments.entries.length, 1);
  assert.equal(catalog.commits.flatMap(({ writes }) => writes).length, 8);
});

test("BlockStore stores the same contents once while the first are under way", async () => {
  const { store, segments } = setUp();
  const { wait, open } = gate();
  segments.beforeAppend = wait;
  const puts = [put(store, { blockIndex: 0 })];
  for (let blockIndex = 1; blockIndex < 4; blockIndex++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    puts.push(put(store, { blockIndex }));
  }
  open();
  await Promise.all(puts);
  assert.equal(segments.entries.length, 1);
});

test("BlockStore looks up together what arrives during an append, where that is far", async () => {
  const { segments, catalog } = setUp();
  const tables = { blocks: catalog, liveness: catalog, looksUpTogether: true };
  const store = new BlockStore(segments, tables, NO_SECRETS);
  const looked: number[] = [];
  const { locate } = catalog;
  catalog.locate = (domain, name) => {
    looked.push(segments.entries.length);
    return locate.call(catalog, domain, name);
  };
  const [begun, { wait, open }] = [gate(), gate()];
  segments.beforeAppend = () => {
    begun.open();
    return wait();
  };
  const puts = [put(store, { blockIndex: 0, contents: 1 })];
  await begun.wait();
  for (let blockIndex = 1; blockIndex < 4; blockIndex++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    puts.push(put(store, { blockIndex, contents: 1 + blockIndex }));
  }
  assert.deepEqual(looked, [0], "the others wait");
  // Reading is not putting: it never waits.
  await assert.rejects(store.getBlock(OTHER, digestOf(blockContents(9))), CorruptionError);
  open();
  await Promise.all(puts);
  assert.deepEqual(looked, [0, 0, 1, 1, 1]);
  assert.equal(segments.entries.length, 4);
});

test("BlockStore keeps domains apart", async () => {
  const { store, segments } = setUp();
  const digest = await put(store, {});
  await assert.rejects(store.getBlock(OTHER, digest), CorruptionError);
  await put(store, { domain: OTHER });
  assert.equal(segments.entries.length, 2);
  assert.deepEqual(Buffer.from(await store.getBlock(OTHER, digest)), blockContents(1));
});

test("BlockStore stores zeros nowhere and reads them all the same", async () => {
  const { store, segments, catalog } = setUp();
  assert.equal(await put(store, { contents: 0 }), ZERO_BLOCK_DIGEST);
  assert.equal(segments.entries.length, 0);
  assert.equal(catalog.locations.size, 0);
  assert.equal(catalog.commits[0]?.writes[0]?.name, ZERO_BLOCK_NAME);
  const bytes = await store.getBlock(DOMAIN, ZERO_BLOCK_DIGEST);
  assert.ok(bytes.length === BLOCK_SIZE_BYTES && bytes.every((byte) => byte === 0));
});

test("BlockStore acknowledges no block whose append fails; a repetition works", async () => {
  const { store, segments, catalog } = setUp();
  segments.beforeAppend = () => Promise.reject(new Error("the disk is full"));
  const waiting = [put(store, { blockIndex: 0 }), put(store, { blockIndex: 1 })];
  for (const result of await Promise.allSettled(waiting)) assert.equal(result.status, "rejected");
  assert.equal(catalog.locations.size, 0);
  assert.equal(catalog.commits.flatMap(({ writes }) => writes).length, 0);
  segments.beforeAppend = async () => {};
  const digest = await put(store, { blockIndex: 0 });
  assert.deepEqual(Buffer.from(await store.getBlock(DOMAIN, digest)), blockContents(1));
});

test("BlockStore stores a block anew that was collected between look-up and commit", async () => {
  const { store, segments, catalog } = setUp();
  const digest = await put(store, {});
  let isFirst = true;
  catalog.beforeCommit = async () => {
    if (isFirst) catalog.locations.clear();
    isFirst = false;
  };
  await put(store, { blockIndex: 1 });
  assert.equal(segments.entries.length, 2);
  assert.deepEqual(Buffer.from(await store.getBlock(DOMAIN, digest)), blockContents(1));
});

test("BlockStore answers not-pending when the snapshot takes no writes", async () => {
  const { store, catalog } = setUp();
  await put(store, {});
  catalog.closed.add("snap-closed");
  for (const contents of [0, 1, 2]) {
    const target = { ...TARGET, snapshotId: "snap-closed" as SnapshotId };
    const bytes = blockContents(contents);
    assert.equal(await store.putBlock(target, digestOf(bytes), bytes), "not-pending");
  }
});

test("BlockStore never answers wrong bytes, whichever bit is damaged", async (t) => {
  const fraction = seededFraction(printSeed(t));
  for (const contents of [1, 7]) {
    const { store, segments } = setUp();
    const digest = await put(store, { contents });
    const record = segments.entries[0] as Buffer;
    for (let i = 0; i < 300; i++) {
      const range = i < 150 ? Math.min(record.length, 2 * RECORD_HEADER_BYTES) : record.length;
      const at = pick(fraction, range);
      const before = record.readUInt8(at);
      record.writeUInt8(before ^ (1 << pick(fraction, 8)), at);
      await checkRightOrCorrupt(store, digest, contents);
      record.writeUInt8(before, at);
    }
    assert.deepEqual(Buffer.from(await store.getBlock(DOMAIN, digest)), blockContents(contents));
  }
});

async function checkRightOrCorrupt(store: BlockStore, digest: Digest, contents: number) {
  const answer = await store.getBlock(DOMAIN, digest).catch((error: unknown) => error);
  if (answer instanceof CorruptionError) return;
  assert.ok(answer instanceof Uint8Array, String(answer));
  assert.ok(Buffer.from(answer).equals(blockContents(contents)), "wrong bytes were answered");
}

test("BlockStore stores damaged contents anew when they are put again", async () => {
  const { store, segments } = setUp();
  const digest = await put(store, { contents: 7 });
  const record = segments.entries[0] as Buffer;
  record.writeUInt8(record.readUInt8(record.length - 1) ^ 1, record.length - 1);
  await assert.rejects(store.getBlock(DOMAIN, digest), CorruptionError);
  await put(store, { contents: 7, blockIndex: 1 });
  assert.deepEqual(Buffer.from(await store.getBlock(DOMAIN, digest)), blockContents(7));
  await put(store, { contents: 7, blockIndex: 2 });
  assert.equal(segments.entries.length, 2, "healed once, then known again");
});

test("BlockStore reads once more where the disk fails, and then takes it for damage", async () => {
  const { store, segments, catalog } = setUp();
  const digest = await put(store, { contents: 7 });
  const read = segments.read.bind(segments);
  let [failures, readCount] = [1, 0];
  segments.read = async (placement) => {
    readCount += 1;
    if (placement.segment === 0 && failures-- > 0) throw diskError();
    return read(placement);
  };
  assert.deepEqual(Buffer.from(await store.getBlock(DOMAIN, digest)), blockContents(7));
  assert.equal(catalog.damagedRecords.size, 0, "it may have passed");
  [failures, readCount] = [Number.POSITIVE_INFINITY, 0];
  await assert.rejects(store.getBlock(DOMAIN, digest), { name: "CorruptionError" });
  assert.equal(readCount, 2, "a bad sector takes a disk long");
  assert.equal(catalog.damagedRecords.size, 1);
  await put(store, { contents: 7, blockIndex: 1 });
  assert.deepEqual(Buffer.from(await store.getBlock(DOMAIN, digest)), blockContents(7));
  assert.equal(segments.entries.length, 2);
});

test("BlockStore reads what the disk failed to where it lies by now", async () => {
  const { store, segments, catalog } = setUp();
  const digest = await put(store, { contents: 7 });
  await segments.append([[segments.entries[0] as Buffer]]);
  const read = segments.read.bind(segments);
  segments.read = async (placement) => {
    if (placement.segment !== 0) return read(placement);
    catalog.locations.set(DOMAIN + digest, { ...placement, segment: 1 });
    throw diskError();
  };
  assert.deepEqual(Buffer.from(await store.getBlock(DOMAIN, digest)), blockContents(7));
  assert.equal(catalog.damagedRecords.size, 0);
});

test("BlockStore knows nothing of a record while an engine is away", async () => {
  const { store, segments, catalog } = setUp();
  const digest = await put(store, { contents: 7 });
  segments.read = () => Promise.reject(new UnavailableError("S3 is away"));
  await assert.rejects(store.getBlock(DOMAIN, digest), UnavailableError);
  assert.equal(catalog.damagedRecords.size, 0);
});

test("BlockStore lets the later of two puts to one block index count", async () => {
  const { store, catalog } = setUp();
  // The first has to be compressed; the second, of zeros, is ready at once.
  const abandoned = put(store, { contents: 7 });
  await Promise.all([abandoned, put(store, { contents: 0 })]);
  const writes = catalog.commits.flatMap(({ writes }) => writes.map(({ name }) => name));
  assert.deepEqual(writes, [await abandoned, ZERO_BLOCK_DIGEST]);
});

test("BlockStore never answers a whole record of other contents", async () => {
  const { store, catalog } = setUp();
  const first = await put(store, { contents: 1 });
  const second = await put(store, { contents: 2 });
  const location = catalog.locations.get(DOMAIN + second);
  assert.ok(location);
  catalog.locations.set(DOMAIN + first, location);
  await assert.rejects(store.getBlock(DOMAIN, first), /does not hash to/);
});

test("BlockStore calls a record that is not known a corruption, never not found", async () => {
  const { store } = setUp();
  await assert.rejects(store.getBlock(DOMAIN, digestOf(Buffer.from("x"))), CorruptionError);
});

test("BlockStore.nodeStore stores a node once under its digest, as a node", async () => {
  const { store, segments } = setUp();
  const nodes = store.nodeStore(DOMAIN);
  const bytes = Buffer.from("any bytes");
  const digests = await Promise.all([nodes.putNode(bytes), nodes.putNode(bytes)]);
  digests.push(await nodes.putNode(bytes));
  assert.deepEqual(new Set(digests), new Set([digestOf(bytes)]));
  assert.equal(segments.entries.length, 1);
  assert.equal(decodeRecord(segments.entries[0] as Buffer).header.kind, RECORD_KIND.node);
  assert.deepEqual(Buffer.from(await nodes.getNode(digestOf(bytes))), bytes);
  await assert.rejects(nodes.getNode(digestOf(Buffer.from("x"))), CorruptionError);
});

test("BlockStore.putManifest stores the bytes as a manifest", async () => {
  const { store, segments } = setUp();
  const bytes = Buffer.from('{"version":1}');
  assert.equal(await store.putManifest(DOMAIN, bytes), digestOf(bytes));
  assert.equal(decodeRecord(segments.entries[0] as Buffer).header.kind, RECORD_KIND.manifest);
});

test("BlockStore reads what another process wrote under a key that was just rotated", async () => {
  const [segments, catalog] = [new FakeSegments(), new FakeBlockTable()];
  const tables = { blocks: catalog, liveness: catalog };
  const secrets = [1, 2].map((byte) => Buffer.alloc(DOMAIN_SECRET_BYTES, byte));
  const both = { secretsOf: async () => secrets };
  const old = secrets.slice(0, 1);
  const secretsOf = async (_: KeyDomain, isFresh = false) => (isFresh ? secrets : old);
  const late = { secretsOf };
  const domain = "k0123456789abcde" as KeyDomain;
  const digest = await put(new BlockStore(segments, tables, both), { domain });
  const reader = new BlockStore(segments, tables, late);
  assert.deepEqual(Buffer.from(await reader.getBlock(domain, digest)), blockContents(1));
  assert.equal(catalog.damagedRecords.size, 0, "it was never taken for damaged");
  const never = new BlockStore(segments, tables, { secretsOf: async () => old });
  await assert.rejects(never.getBlock(domain, digest), /key version 2; this key has versions 1/);
});

test("BlockStore refuses a put that arrived before its process was presumed dead", async () => {
  const { store, catalog } = setUp();
  catalog.beforeCommit = async () => {
    catalog.isLate = true;
  };
  const bytes = blockContents(1);
  await assert.rejects(store.putBlock(TARGET, digestOf(bytes), bytes), UnavailableError);
});

const TARGET = {
  domain: DOMAIN as Domain,
  snapshotId: "snap-1" as SnapshotId,
  blockIndex: 0,
  expiresAtMs: 0,
};

function setUp() {
  const segments = new FakeSegments();
  const catalog = new FakeBlockTable();
  return {
    segments,
    catalog,
    store: new BlockStore(segments, { blocks: catalog, liveness: catalog }, NO_SECRETS),
  };
}

/** Puts a block and answers its digest. */
async function put(
  store: BlockStore,
  { contents = 1, ...target }: Partial<typeof TARGET> & { contents?: number },
): Promise<Digest> {
  const bytes = blockContents(contents);
  const digest = digestOf(bytes);
  assert.equal(await store.putBlock({ ...TARGET, ...target }, digest, bytes), undefined);
  return digest;
}
