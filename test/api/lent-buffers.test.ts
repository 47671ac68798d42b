import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BLOCK_SIZE_BYTES, BLOCKS_UNDER_WAY_COUNT_MAX } from "../../src/model/limits.ts";
import { complete, getParts, list, putParts, start } from "../support/operations.ts";
import { pick, printSeed, seededBytes, seededFraction } from "../support/property.ts";
import { encode, RawConnection, sign, type Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/*
 * Blocks on their way in and out lie in buffers that are used again and again. Here that happens as
 * soon as it can: the buffer given back last is lent next, while other blocks arrive in pieces, are
 * hashed, encoded and synced, or sent to somebody who does not read. No block compresses, so that
 * a record is the very bytes of its buffer. Each block is read back and compared: a buffer given
 * back one step too early has the bytes of another block in it.
 */

const WRITERS = 16;
const BLOCKS_OF_ONE = 3;
/** Puts at once, more than there are buffers: those that are freed after one use take part, too. */
const CROWD = BLOCKS_UNDER_WAY_COUNT_MAX + 16;
/** How long the crowd keeps its buffers: until they count no more. */
const CROWD_MS = 250;
const READERS = 12;
/** Blocks that a reader asks for before it reads: more than the system keeps for a connection. */
const AHEAD = 12;

interface Stored {
  readonly snapshotId: string;
  readonly blockIndex: number;
  readonly blockToken: string | undefined;
}

test("a lent buffer is used again only when its block has been stored, or sent", async (t) => {
  const fraction = seededFraction(printSeed(t));
  const service = await startService(t);
  const first = await writeMany(service);
  const readers = Array.from({ length: READERS }, () =>
    askAhead(
      service,
      Array.from({ length: AHEAD }, () => first[pick(fraction, first.length)] as Stored),
    ),
  );
  const reading = await Promise.all(readers);
  // While their answers wait, every buffer that is free is used again.
  const later = await crowd(service);
  await Promise.all(reading.map((read) => read()));
  for (let from = 0; from < later.length; from += AHEAD) {
    const read = await askAhead(service, later.slice(from, from + AHEAD));
    await read();
  }
});

/** Many writers at once, each with a snapshot of its own, whose blocks arrive in pieces. */
async function writeMany(target: Target): Promise<Stored[]> {
  const all = Array.from({ length: WRITERS }, async () => {
    const snapshotId = await start(target);
    const connection = await RawConnection.open(target);
    for (let blockIndex = 0; blockIndex < BLOCKS_OF_ONE; blockIndex++) {
      await put(connection, target, { snapshotId, blockIndex, pauseMs: 1 });
    }
    connection.destroy();
    return finish(target, snapshotId, BLOCKS_OF_ONE);
  });
  return (await Promise.all(all)).flat();
}

/** Puts that are all in the middle of their bodies at the same time. */
async function crowd(target: Target): Promise<Stored[]> {
  const snapshotId = await start(target);
  const all = Array.from({ length: CROWD }, async (_, blockIndex) => {
    const connection = await RawConnection.open(target);
    await put(connection, target, { snapshotId, blockIndex, pauseMs: CROWD_MS });
    connection.destroy();
  });
  await Promise.all(all);
  return finish(target, snapshotId, CROWD);
}

async function put(
  connection: RawConnection,
  target: Target,
  to: { readonly snapshotId: string; readonly blockIndex: number; readonly pauseMs: number },
): Promise<void> {
  const bytes = encode(sign(target, putParts(to, contentsOf(to))));
  const half = bytes.length - BLOCK_SIZE_BYTES / 2;
  connection.write(bytes.subarray(0, half));
  await sleep(to.pauseMs);
  connection.write(bytes.subarray(half));
  const { status, text } = await connection.response();
  assert.equal(status, 201, text);
}

/** The same for the same place, and for no other. */
function contentsOf(to: Pick<Stored, "snapshotId" | "blockIndex">): Uint8Array {
  return seededBytes(`${to.snapshotId} ${to.blockIndex}`, BLOCK_SIZE_BYTES);
}

async function finish(target: Target, snapshotId: string, count: number): Promise<Stored[]> {
  assert.equal(await complete(target, snapshotId, count), "completed");
  const { Blocks } = await list(target, snapshotId);
  assert.equal(Blocks.length, count);
  return Blocks.map(({ BlockIndex: blockIndex, BlockToken: blockToken }) => {
    return { snapshotId, blockIndex, blockToken };
  });
}

/** Asks for all of these blocks on one connection; what it answers reads and compares them. */
async function askAhead(target: Target, blocks: readonly Stored[]): Promise<() => Promise<void>> {
  const connection = await RawConnection.open(target);
  for (const { snapshotId, blockIndex, blockToken } of blocks) {
    connection.write(encode(sign(target, getParts(snapshotId, blockIndex, blockToken))));
  }
  return async () => {
    for (const block of blocks) {
      const { status, body } = await connection.response();
      assert.equal(status, 200);
      const isRight = Buffer.compare(body, contentsOf(block)) === 0;
      assert.ok(isRight, `block ${block.blockIndex} of ${block.snapshotId} is what was put`);
    }
    connection.destroy();
  };
}
