import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { type Clock, systemClock } from "../../base/clock.ts";
import { BLOCK_BUFFER_BYTES } from "../../model/limits.ts";
import { BufferPool } from "./buffer-pool.ts";
import { ClientLeftError } from "./waiting-lines.ts";

test("a BufferPool lends 64 at once; who comes then waits in line for one given back", async () => {
  const { pool } = setUp();
  const lent = await Promise.all(Array.from({ length: 64 }, () => pool.acquire("key")));
  assert.equal(new Set(lent).size, 64);
  assert.ok(lent.every(({ length }) => length === BLOCK_BUFFER_BYTES));
  const served: [name: string, buffer: Uint8Array][] = [];
  const waiting = ["first", "second"].map(async (name) => {
    served.push([name, await pool.acquire("key")]);
  });
  await systemClock.sleep(0);
  assert.deepEqual(served, []);
  pool.release(lent[5] as Uint8Array);
  await waiting[0];
  pool.release(lent[9] as Uint8Array);
  await waiting[1];
  assert.deepEqual(served, [
    ["first", lent[5]],
    ["second", lent[9]],
  ]);
});

test("a BufferPool lets a newcomer in before the many that another key has waiting", async () => {
  const { pool } = setUp();
  const lent = await Promise.all(Array.from({ length: 64 }, () => pool.acquire("greedy")));
  const order: string[] = [];
  const acquire = async (key: string) => {
    await pool.acquire(key);
    order.push(key);
  };
  const greedy = Array.from({ length: 3 }, () => acquire("greedy"));
  const modest = acquire("modest");
  for (const buffer of lent.slice(0, 4)) pool.release(buffer);
  await Promise.all([...greedy, modest]);
  assert.deepEqual(order, ["greedy", "modest", "greedy", "greedy"]);
});

test("a BufferPool has nobody wait for those who keep theirs for long", async () => {
  const { pool, pass } = setUp();
  const slow = await Promise.all(Array.from({ length: 64 }, () => pool.acquire("key")));
  let served = 0;
  const waiting = Array.from({ length: 65 }, async () => {
    await pool.acquire("key");
    served += 1;
  });
  await systemClock.sleep(0);
  assert.equal(served, 0);
  await pass(100);
  assert.equal(served, 64);
  // Given back after all, one of those makes no room again.
  pool.release(slow[0] as Uint8Array);
  await systemClock.sleep(0);
  assert.equal(served, 64);
  await pass(100);
  await Promise.all(waiting);
});

test("a BufferPool keeps no more than 64 of those given back", async () => {
  const { pool, pass } = setUp();
  const first = await Promise.all(Array.from({ length: 64 }, () => pool.acquire("key")));
  const more = Promise.all(Array.from({ length: 64 }, () => pool.acquire("key")));
  await pass(100);
  const all = [...first, ...(await more)];
  await pass(100);
  for (const buffer of all) pool.release(buffer);
  assert.ok(
    all.slice(64).every(({ buffer }) => buffer.byteLength === 0),
    "the others are freed",
  );
  const again = await Promise.all(Array.from({ length: 64 }, () => pool.acquire("key")));
  assert.ok(again.every((buffer) => first.includes(buffer)));
});

test("a BufferPool lends nothing to a client that left while it waited", async () => {
  const { pool } = setUp();
  const lent = await Promise.all(Array.from({ length: 64 }, () => pool.acquire("key")));
  const client = Object.assign(new EventEmitter(), { closed: false });
  const left = pool.acquire("key", client);
  const stays = pool.acquire("key");
  client.emit("close");
  await assert.rejects(left, ClientLeftError);
  pool.release(lent[0] as Uint8Array);
  assert.equal(await stays, lent[0]);
});

/** A pool whose time passes when it is told to. */
function setUp() {
  let nowMs = 0;
  const sleeping: { readonly atMs: number; readonly wake: () => void }[] = [];
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    sleep: (durationMs) =>
      new Promise((wake) => {
        sleeping.push({ atMs: nowMs + durationMs, wake });
      }),
  };
  const pass = async (durationMs: number) => {
    nowMs += durationMs;
    for (const { atMs, wake } of sleeping) if (atMs <= nowMs) wake();
    await systemClock.sleep(0);
  };
  return { pool: new BufferPool(clock), pass };
}
