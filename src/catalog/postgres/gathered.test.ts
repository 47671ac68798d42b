import assert from "node:assert/strict";
import { test } from "node:test";
import { Gathered } from "./_gathered.ts";
import type { Queries } from "./_postgres-database.ts";

test("who asks together is answered together, who asks later by a later statement", async () => {
  const asked: (readonly number[])[] = [];
  const gates: (() => void)[] = [];
  const gathered = new Gathered(async (keys: readonly number[]) => {
    asked.push(keys);
    await new Promise<void>((resolve) => gates.push(resolve));
    return keys.map((key) => (key === 3 ? undefined : key * 10));
  });
  const first = [1, 2, 3].map((key) => gathered.get(key));
  await new Promise(setImmediate);
  assert.deepEqual(asked, [[1, 2, 3]]);
  const second = gathered.get(1);
  await new Promise(setImmediate);
  // It may not be answered with what the first statement saw.
  assert.deepEqual(asked, [[1, 2, 3], [1]]);
  const third = [4, 5].map((key) => gathered.get(key));
  await new Promise(setImmediate);
  assert.equal(asked.length, 2, "two are under way, the others wait");
  gates[0]?.();
  assert.deepEqual(await Promise.all(first), [10, 20, undefined]);
  await new Promise(setImmediate);
  assert.deepEqual(asked[2], [4, 5]);
  for (const gate of gates) gate();
  assert.deepEqual(await Promise.all([second, ...third]), [10, 40, 50]);
});

test("a statement that fails fails those it was for, and nobody else", async () => {
  let isBroken = true;
  const gathered = new Gathered(async (keys: readonly string[]) => {
    if (isBroken) throw new Error("away");
    return keys;
  });
  await assert.rejects(Promise.all([gathered.get("a"), gathered.get("b")]), /away/);
  isBroken = false;
  assert.equal(await gathered.get("c"), "c");
});

/** Stands for the connection of a transaction; nothing is asked of it here. */
const QUERIES = {} as Queries;

test("who asks before a transaction begins is answered by its first statement", async () => {
  const asked: (readonly [keys: readonly number[], queries: Queries | undefined])[] = [];
  const gathered = new Gathered(async (keys: readonly number[], queries?: Queries) => {
    asked.push([keys, queries]);
    return keys;
  });
  const ride = gathered.ride();
  const first = [1, 2].map((key) => gathered.get(key));
  await new Promise(setImmediate);
  assert.deepEqual(asked, [], "they wait");
  await ride.answer(QUERIES);
  assert.deepEqual(await Promise.all(first), [1, 2]);
  assert.deepEqual(asked, [[[1, 2], QUERIES]]);
  assert.equal(await gathered.get(3), 3, "who asks later does not wait for it to end");
  await ride.answer(QUERIES);
  ride.end();
  assert.deepEqual(asked.slice(1), [[[3], undefined]], "and a second attempt asks for nobody");
});

test("who waits for a transaction that fails is answered without it", async () => {
  const gathered = new Gathered(async (keys: readonly number[], queries?: Queries) => {
    if (queries) throw new Error("away");
    return keys;
  });
  const [never, broken] = [gathered.ride(), gathered.ride()];
  const waiting = [1, 2].map((key) => gathered.get(key));
  await assert.rejects(broken.answer(QUERIES), /away/);
  broken.end();
  never.end();
  assert.deepEqual(await Promise.all(waiting), [1, 2]);
});
