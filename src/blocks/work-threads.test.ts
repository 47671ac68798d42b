import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptionError } from "../model/errors.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { type BlockWork, ownWork } from "./block-work.ts";
import { CODEC } from "./codec.ts";
import { digestOf } from "./hash.ts";
import { WorkThreads } from "./work-threads.ts";

/* Whoever does the work on a block, it comes to the same. */

const SEALING = { key: new Uint8Array(32).fill(7), covered: new Uint8Array(76).fill(9) };

function shared(fill: (bytes: Uint8Array) => unknown): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(BLOCK_SIZE_BYTES));
  fill(bytes);
  return bytes;
}

/** A generator's bytes: no compressor finds anything in them. */
function scramble(bytes: Uint8Array): void {
  let state = 1;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
}

const BLOCKS = {
  "compressible, shared": shared((bytes) => bytes.fill(65)),
  "incompressible, shared": shared(scramble),
  "compressible, not shared": new Uint8Array(BLOCK_SIZE_BYTES).fill(66),
  short: new Uint8Array(100).fill(67),
};

/** Another one, shared if this one is: what is handed in does not come back. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer
    ? shared((copy) => copy.set(bytes))
    : Uint8Array.from(bytes);
}

/** Everything that can be done with a block, each bytes by their digest. */
async function goThrough(work: BlockWork, plain: Uint8Array) {
  const open = await work.encode(copyOf(plain), false);
  const opened = await work.decode(open, plain.length);
  const toSeal = await work.encode(copyOf(plain), true);
  const payload = digestOf(toSeal.bytes);
  const sealed = await work.encrypt(SEALING, toSeal.bytes);
  // As it is read from the store, into memory that is shared.
  const stored = new Uint8Array(new SharedArrayBuffer(sealed.length));
  stored.set(sealed);
  const { codec } = toSeal;
  const unsealed = await work.decode({ codec, bytes: stored }, plain.length, SEALING);
  return {
    digest: await work.digest(plain),
    codecs: [open.codec, codec],
    opened: [opened.digest, digestOf(opened.plain)],
    // What zstd makes of it differs between a stream and one call; it is told what that hashes to.
    isHashed: codec === CODEC.raw || (open.digest === undefined && toSeal.digest === payload),
    unsealed: [unsealed.digest, digestOf(unsealed.plain)],
  };
}

for (const [name, plain] of Object.entries(BLOCKS)) {
  for (const count of [0, 1, 2]) {
    test(`${name}: ${count} threads come to the same as none`, async (t) => {
      const threads = new WorkThreads(count);
      t.after(() => threads.close());
      const before = digestOf(plain);
      const asked = await goThrough(threads, plain);
      assert.ok(asked.isHashed);
      assert.deepEqual(asked, await goThrough(ownWork, plain));
      assert.deepEqual([asked.digest, ...asked.opened, ...asked.unsealed], Array(5).fill(before));
      assert.equal(digestOf(plain), before, "what is handed in to be hashed stays");
    });
  }
}

test("what is made of shared memory lies in it, while there is room", async (t) => {
  const threads = new WorkThreads(1);
  t.after(() => threads.close());
  const place = shared((bytes) => bytes.fill(65));
  const encoded = await threads.encode(place, true);
  assert.equal(encoded.bytes.buffer, place.buffer);
  const sealed = await threads.encrypt(SEALING, shared(scramble));
  assert.equal(sealed.length, BLOCK_SIZE_BYTES + 16);
  assert.ok(sealed.buffer instanceof ArrayBuffer, "a block's own memory has no room for the tag");
  const stored = new Uint8Array(new SharedArrayBuffer(BLOCK_SIZE_BYTES + 4_096), 100);
  stored.set(sealed);
  const payload = { codec: CODEC.raw, bytes: stored.subarray(0, sealed.length) };
  const { plain, digest } = await threads.decode(payload, BLOCK_SIZE_BYTES, SEALING);
  assert.deepEqual([plain.buffer, plain.byteOffset], [stored.buffer, 100]);
  assert.equal(digest, digestOf(shared(scramble)));
});

test("much at once is all done, each for whoever asked", async (t) => {
  const threads = new WorkThreads(2);
  t.after(() => threads.close());
  const blocks = Array.from({ length: 40 }, (_, i) => shared((bytes) => bytes.fill(i)));
  const digests = await Promise.all(blocks.map((block) => threads.digest(block)));
  assert.deepEqual(digests, await Promise.all(blocks.map((block) => ownWork.digest(block))));
});

test("what is damaged is told as that", async (t) => {
  const threads = new WorkThreads(1);
  t.after(() => threads.close());
  const bytes = shared(scramble);
  const zstd = threads.decode({ codec: CODEC.zstd, bytes }, BLOCK_SIZE_BYTES);
  await assert.rejects(zstd, CorruptionError);
  const sealed = threads.decode({ codec: CODEC.raw, bytes }, BLOCK_SIZE_BYTES - 16, SEALING);
  await assert.rejects(sealed, CorruptionError);
  const raw = threads.decode({ codec: CODEC.raw, bytes }, BLOCK_SIZE_BYTES - 1);
  await assert.rejects(raw, CorruptionError);
});

for (const [name, plain] of Object.entries(BLOCKS)) {
  test(`${name}: where the system gives no thread, it comes to the same`, async (t) => {
    const refused = Object.assign(new Error("EAGAIN"), { code: "ERR_WORKER_INIT_FAILED" });
    const makeWorker = () => {
      throw refused;
    };
    const threads = new WorkThreads(2, makeWorker);
    t.after(() => threads.close());
    assert.deepEqual(await goThrough(threads, plain), await goThrough(ownWork, plain));
  });
}

test("ended threads are done without, also by work under way", async () => {
  const threads = new WorkThreads(1);
  const bytes = shared(scramble);
  const underWay = Array.from({ length: 20 }, () => threads.digest(bytes));
  const settled = Promise.allSettled(underWay);
  await threads.close();
  const expected = await ownWork.digest(bytes);
  for (const outcome of await settled) {
    if (outcome.status === "fulfilled") assert.equal(outcome.value, expected);
    else assert.match(outcome.reason.message, /thread/);
  }
  assert.equal(await threads.digest(bytes), expected);
});
