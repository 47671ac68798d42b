import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { propertyRuns } from "../../test/support/property.ts";
import { assert as check } from "./assert.ts";
import { fromBase64, fromHex, toBase64, toHex } from "./bytes.ts";
import { type Clock, formatTimeMs, repeat, systemClock } from "./clock.ts";
import { forEachConcurrent, Limiter, mapAhead } from "./concurrency.ts";
import { LruCache } from "./lru-cache.ts";
import { randomUuid, systemRandom } from "./random.ts";
import { escapableWildcardPattern, onlyMatchOf, wildcardPattern } from "./wildcard.ts";

test("assert throws its message when the condition is false", () => {
  check(1, "never thrown");
  assert.throws(() => check(0, "the sky is up"), /Assertion failed: the sky is up/);
});

test("toHex and toBase64 agree with Buffer and are undone by their inverses", async (t) => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.equal(toHex(bytes), Buffer.from(bytes).toString("hex"));
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
    assert.deepEqual(fromHex(toHex(bytes).toUpperCase()), bytes);
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  });
  fc.assert(property, propertyRuns(t, 300));
});

test("fromHex throws a RangeError for anything but pairs of hexadecimal digits", () => {
  for (const text of ["0", "0g", "00 ", "0x00", "é0", "00\n"]) {
    assert.throws(() => fromHex(text), RangeError, JSON.stringify(text));
  }
});

test("fromBase64 answers undefined for every text but the canonical one", async (t) => {
  for (const text of ["AA", "AA=", "A===", "AB==", "AAB=", "AA==\n", " AA==", "A-_=", "AA==AA=="]) {
    assert.equal(fromBase64(text), undefined, JSON.stringify(text));
  }
  const alphabet = fc.string({ unit: fc.constantFrom(..."AB+/9z=_- \n"), maxLength: 12 });
  const property = fc.property(alphabet, (text) => {
    const bytes = fromBase64(text);
    if (bytes !== undefined) assert.equal(Buffer.from(bytes).toString("base64"), text);
    else assert.notEqual(Buffer.from(text, "base64").toString("base64"), text);
  });
  fc.assert(property, propertyRuns(t, 500));
});

test("Limiter runs at most so many at once, in order of arrival", async () => {
  const limiter = new Limiter(3);
  const started: number[] = [];
  let running = 0;
  let most = 0;
  const works = Array.from({ length: 20 }, (_, i) =>
    limiter.run(async () => {
      started.push(i);
      most = Math.max(most, ++running);
      await sleep(i % 3);
      running -= 1;
      return i;
    }),
  );
  assert.deepEqual(await Promise.all(works), [...Array(20).keys()]);
  assert.deepEqual(started, [...Array(20).keys()]);
  assert.equal(most, 3);
});

test("Limiter gives places back when work fails, by rejecting or by throwing at once", async () => {
  const limiter = new Limiter(2);
  const failing = Array.from({ length: 10 }, (_, i) =>
    limiter.run(() => {
      if (i % 2 === 0) throw new Error(`thrown ${i}`);
      return Promise.reject(new Error(`rejected ${i}`));
    }),
  );
  const results = await Promise.allSettled(failing);
  assert.ok(results.every(({ status }) => status === "rejected"));
  let running = 0;
  const after = Array.from({ length: 6 }, () =>
    limiter.run(async () => {
      running += 1;
      assert.ok(running <= 2, "no place was gained");
      await sleep(1);
      running -= 1;
    }),
  );
  await Promise.all(after);
});

test("Limiter lets an abort leave the line, and the others move up", async () => {
  const limiter = new Limiter(1);
  const abort = new AbortController();
  const order: string[] = [];
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const first = limiter.run(() => held, abort.signal);
  const aborted = limiter.run(async () => void order.push("aborted"), abort.signal);
  const last = limiter.run(async () => void order.push("last"));
  abort.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  await assert.rejects(
    limiter.run(async () => void order.push("too late"), abort.signal),
    /enough/,
  );
  release();
  await Promise.all([first, last]);
  await limiter.run(async () => void order.push("free again"));
  assert.deepEqual(order, ["last", "free again"]);
});

test("Limiter refuses a limit without a place", () => {
  for (const limit of [0, -1, 1.5, Number.NaN]) assert.throws(() => new Limiter(limit));
});

test("forEachConcurrent calls work for each item, at most so many at once", async () => {
  let pulled = 0;
  let ended = 0;
  function* items() {
    for (; pulled < 50; pulled++) {
      assert.ok(pulled - ended <= 4, "the next item is pulled only when there is room");
      yield pulled;
    }
  }
  const seen: number[] = [];
  await forEachConcurrent(items(), 4, async (item) => {
    seen.push(item);
    await sleep(item % 2);
    ended += 1;
  });
  assert.deepEqual(seen, [...Array(50).keys()]);
  assert.equal(ended, 50);
});

test("mapAhead answers in order, with at most so many calls ahead", async () => {
  const [started, ended]: [number[], number[]] = [[], []];
  const work = async (item: number) => {
    started.push(item);
    await sleep(item % 3 === 0 ? 5 : 0);
    ended.push(item);
    return item * 10;
  };
  const seen: number[] = [];
  for await (const answer of mapAhead(Array(20).keys(), 4, work)) {
    seen.push(answer);
    assert.ok(started.length <= seen.length + 3, `${started.length} calls, ${seen.length} taken`);
  }
  assert.deepEqual(
    seen,
    [...Array(20).keys()].map((item) => item * 10),
  );
  assert.notDeepEqual(ended, started, "they were in flight together");
});

test("mapAhead fails where its turn is, and leaves no call behind", async () => {
  let [started, ended] = [0, 0];
  const work = async (item: number) => {
    started += 1;
    await sleep(item);
    ended += 1;
    if (item === 2) throw new Error(`failure of ${item}`);
    return item;
  };
  const seen: number[] = [];
  const taking = async () => {
    for await (const answer of mapAhead(Array(20).keys(), 4, work)) seen.push(answer);
  };
  await assert.rejects(taking(), /failure of 2/);
  assert.deepEqual(seen, [0, 1]);
  assert.equal(ended, started);
  for await (const _ of mapAhead(Array(20).keys(), 4, work)) break;
  assert.equal(ended, started, "also where nobody wants the rest");
});

test("forEachConcurrent stops at the first failure and waits for calls in flight", async () => {
  let started = 0;
  let ended = 0;
  let isClosed = false;
  async function* items() {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      isClosed = true;
    }
  }
  const work = async (item: number) => {
    started += 1;
    await sleep(item === 3 ? 1 : 20);
    ended += 1;
    if (item >= 3) throw new Error(`failure of ${item}`);
  };
  await assert.rejects(forEachConcurrent(items(), 4, work), /failure of 3/);
  assert.ok(started <= 5, `${started} calls were started`);
  assert.equal(ended, started, "no call is left running");
  assert.ok(isClosed, "the items were told that no more are wanted");
});

test("forEachConcurrent waits for calls in flight when the items themselves fail", async () => {
  let ended = 0;
  async function* items() {
    yield 1;
    yield 2;
    throw new Error("no more items");
  }
  const work = async () => {
    await sleep(10);
    ended += 1;
  };
  await assert.rejects(forEachConcurrent(items(), 4, work), /no more items/);
  assert.equal(ended, 2, "no call is left running");
});

test("LruCache keeps its bound, and forgets what was used longest ago", async (t) => {
  const key = fc.constantFrom(..."abcdefgh");
  const action = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), key, size: fc.nat(12) }),
    fc.record({ kind: fc.constant("get" as const), key }),
    fc.record({ kind: fc.constant("delete" as const), key }),
  );
  const property = fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
    const cache = new LruCache<{ size: number }>(10, ({ size }) => size);
    // The model: youngest last.
    let model: [string, { size: number }][] = [];
    for (const action of actions) {
      const known = model.find(([name]) => name === action.key);
      if (action.kind === "get") {
        assert.equal(cache.get(action.key), known?.[1]);
        if (known) model = [...model.filter((entry) => entry !== known), known];
        continue;
      }
      model = model.filter((entry) => entry !== known);
      if (action.kind === "delete") {
        cache.delete(action.key);
        continue;
      }
      const value = { size: action.size };
      cache.set(action.key, value);
      if (action.size <= 10) model.push([action.key, value]);
      const sum = () => model.reduce((total, [, { size }]) => total + size, 0);
      while (sum() > 10) model.shift();
      assert.equal(cache.size, sum());
    }
  });
  fc.assert(property, propertyRuns(t, 500));
});

test("repeat runs work again and again, never two at once, and goes on after errors", async () => {
  const errors: unknown[] = [];
  let running = 0;
  let count = 0;
  const work = async () => {
    running += 1;
    assert.equal(running, 1);
    await sleep(2);
    running -= 1;
    count += 1;
    if (count === 1) throw new Error("first");
  };
  const repeating = repeat(systemClock, 1, { work, onError: (error) => errors.push(error) });
  while (count < 3) await sleep(1);
  await repeating.stop();
  assert.deepEqual(errors.map(String), ["Error: first"]);
  const before = count;
  await sleep(10);
  assert.equal(count, before, "nothing runs after stop");
});

test("repeat stops at once while it sleeps, and only after the work under way", async () => {
  const never = repeat(systemClock, 60_000, { work: async () => {}, onError: () => {} });
  await never.stop();
  let isDone = false;
  let begun = () => {};
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const work = async () => {
    begun();
    await sleep(20);
    isDone = true;
  };
  const slow = repeat(systemClock, 1, { work, onError: () => {} });
  await hasBegun;
  await slow.stop();
  assert.ok(isDone);
});

test("systemClock.sleep rejects with the signal's reason, before or during the sleep", async () => {
  const reason = new Error("enough");
  await assert.rejects(systemClock.sleep(60_000, AbortSignal.abort(reason)), reason);
  const controller = new AbortController();
  const sleeping = systemClock.sleep(60_000, controller.signal);
  controller.abort(reason);
  await assert.rejects(sleeping, reason);
  const clock: Clock = systemClock;
  const before = clock.monotonicMs();
  await clock.sleep(5);
  assert.ok(clock.monotonicMs() - before >= 4);
});

test("formatTimeMs writes UTC with milliseconds", () => {
  assert.equal(formatTimeMs(0), "1970-01-01T00:00:00.000Z");
  assert.equal(formatTimeMs(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
});

test("randomUuid has the form of version 4, from the chance it is given", () => {
  assert.match(randomUuid(systemRandom), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/);
  const zeros = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0 };
  assert.equal(randomUuid(zeros), "00000000-0000-4000-8000-000000000000");
  const ones = { bytes: (length: number) => new Uint8Array(length).fill(255), fraction: () => 0 };
  assert.equal(randomUuid(ones), "ffffffff-ffff-4fff-bfff-ffffffffffff");
});

test("escapableWildcardPattern takes what follows a backslash for itself", () => {
  for (const [pattern, fits, fitsNot] of [
    ["a*", ["a", "abc", "a\n"], ["ba"]],
    ["a?", ["ab", "a?"], ["a", "abc"]],
    ["\\*a\\?\\\\*", ["*a?\\", "*a?\\b"], ["xa?\\", "*ab\\", "*a?"]],
    ["\\a.\\", ["a.\\"], ["ab\\", "\\a.\\"]],
    ["", [""], ["a"]],
  ] as const) {
    const escapable = escapableWildcardPattern(pattern);
    for (const text of fits) assert.equal(escapable.test(text), true, `${pattern} ${text}`);
    for (const text of fitsNot) assert.equal(escapable.test(text), false, `${pattern} ${text}`);
  }
});

test("wildcardPattern takes as many stars and question marks as fit in a policy", () => {
  for (const [pattern, fits, fitsNot] of [
    ["*a".repeat(3_000), "a".repeat(3_000), "a".repeat(2_999)],
    [`${"a*?".repeat(2_000)}b`, `${"ax".repeat(2_000)}b`, `${"ax".repeat(2_000)}c`],
    [`*${"?".repeat(6_000)}*`, "x".repeat(6_000), "x".repeat(5_999)],
  ] as const) {
    assert.equal(wildcardPattern(pattern).test(fits), true);
    assert.equal(wildcardPattern(pattern).test(fitsNot), false);
  }
});

test("onlyMatchOf is the one text that fits a pattern without wildcards", () => {
  assert.equal(onlyMatchOf("a\\*b\\\\c\\"), "a*b\\c\\");
  assert.equal(onlyMatchOf(""), "");
  for (const pattern of ["a*", "?", "\\\\*"]) assert.equal(onlyMatchOf(pattern), undefined);
});

test("wildcardPattern knows no backslash, so that a policy says what it seems to", () => {
  assert.equal(wildcardPattern("a\\*").test("a\\bc"), true);
  assert.equal(wildcardPattern("a\\*").test("a*"), false);
});
