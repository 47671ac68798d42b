import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, seededBytes } from "../../test/support/property.ts";
import {
  type Entry,
  type Placement,
  RangeMissingError,
  type SegmentStore,
} from "./segment-store.ts";

/** A store under test, and the way to close it and open it again where it lies. */
export interface SegmentStoreSubject {
  readonly store: SegmentStore;
  readonly reopen: () => Promise<SegmentStore>;
}

type Open = (t: TestContext) => Promise<SegmentStoreSubject>;

/** What every `SegmentStore` must do; `open` gives each test an empty one. */
export function segmentStoreSuite(name: string, open: Open): void {
  appendSuite(name, open);
  lifeSuite(name, open);
  readSuite(name, open);
  removeSuite(name, open);
}

function removeSuite(name: string, open: Open): void {
  test(`${name} lists what it holds, and where the first entry lies`, async (t) => {
    const { store, reopen } = await open(t);
    assert.deepEqual(await store.list(), []);
    const [placement] = (await store.append([entry("a", 100)])) as [Placement];
    const [only] = await store.list();
    assert.deepEqual(
      [only?.segment, only?.firstOffset, only?.sizeBytes],
      [placement.segment, placement.offset, placement.offset + 100],
    );
    const [again] = await (await reopen()).list();
    assert.deepEqual(again, { ...only, isClosed: true });
  });

  test(`${name} removes a closed segment, for good, and leaves the others`, async (t) => {
    const { store, reopen } = await open(t);
    const [old] = (await store.append([entry("a", 100)])) as [Placement];
    const second = await reopen();
    const [kept] = (await second.append([entry("b", 100)])) as [Placement];
    await second.read(old);
    await second.remove(old.segment);
    await second.remove(old.segment);
    await assert.rejects(second.read(old), RangeMissingError);
    const third = await reopen();
    await assert.rejects(third.read(old), RangeMissingError);
    assert.deepEqual(await third.read(kept), Buffer.concat(entry("b", 100)));
    const [next] = (await third.append([entry("c", 1)])) as [Placement];
    assert.ok(next.segment > kept.segment, "a number is never given twice");
  });
}

function appendSuite(name: string, open: Open): void {
  test(`${name} reads back each entry of a batch at its placement`, async (t) => {
    const { store } = await open(t);
    const batch = [entry("a", 5, 7), entry("b", 1), entry("c", 100, 0, 3)];
    const placements = await store.append(batch);
    assert.deepEqual(
      placements.map(({ length }) => length),
      [12, 1, 103],
    );
    for (const [i, placement] of placements.entries()) {
      assert.deepEqual(await store.read(placement), Buffer.concat(batch[i] as Uint8Array[]));
    }
  });

  test(`${name} reads any part of an entry`, async (t) => {
    const { store } = await open(t);
    const bytes = seededBytes("part", 1000);
    const [placement] = (await store.append([[bytes]])) as [Placement];
    const part = { ...placement, offset: placement.offset + 10, length: 20 };
    assert.deepEqual(await store.read(part), bytes.subarray(10, 30));
  });

  test(`${name} takes empty batches and empty entries`, async (t) => {
    const { store } = await open(t);
    assert.deepEqual(await store.append([]), []);
    const [empty, full] = (await store.append([[], entry("x", 9)])) as [Placement, Placement];
    assert.equal(empty.length, 0);
    assert.equal(full.length, 9);
    assert.deepEqual(await store.read(full), Buffer.concat(entry("x", 9)));
  });

  test(`${name} takes more pieces in one batch than a system call does`, async (t) => {
    const { store } = await open(t);
    const batch = Array.from({ length: 3000 }, (_, i) => [seededBytes(i, 1 + (i % 3))]);
    const placements = await store.append(batch);
    for (const i of [0, 1, 1023, 1024, 2047, 2048, 2999]) {
      assert.deepEqual(await store.read(placements[i] as Placement), batch[i]?.[0]);
    }
  });

  test(`${name} leaves the caller its buffers once append has resolved`, async (t) => {
    const { store } = await open(t);
    const buffer = Buffer.from("first");
    const [first] = (await store.append([[buffer]])) as [Placement];
    buffer.write("other");
    assert.equal(Buffer.from(await store.read(first)).toString(), "first");
  });
}

function lifeSuite(name: string, open: Open): void {
  test(`${name} never changes or moves what was appended`, async (t) => {
    const lengths = fc.array(fc.array(fc.nat(3000), { maxLength: 4 }), { maxLength: 5 });
    const step = fc.oneof({ weight: 5, arbitrary: lengths }, fc.constant("reopen" as const));
    const history = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const { store: first, reopen } = await open(t);
      let store = first;
      const known: [Placement, Uint8Array][] = [];
      for (const [n, lengthsOrReopen] of steps.entries()) {
        if (lengthsOrReopen === "reopen") {
          store = await reopen();
          continue;
        }
        const batch = lengthsOrReopen.map((sizes, i) => entry(`${n} ${i}`, ...sizes));
        const placements = await store.append(batch);
        assert.equal(placements.length, batch.length);
        placements.forEach((placement, i) => {
          known.push([placement, Buffer.concat(batch[i] as Uint8Array[])]);
        });
      }
      await checkAll(store, known);
    });
    await fc.assert(history, propertyRuns(t, 25));
  });

  test(`${name} refuses a second append while one is in progress`, async (t) => {
    const { store } = await open(t);
    const running = store.append([entry("slow", 100_000)]);
    await assert.rejects(async () => store.append([entry("early", 1)]), /one append/);
    const [placement] = (await running) as [Placement];
    assert.equal((await store.read(placement)).length, 100_000);
    await store.append([entry("late", 1)]);
  });
}

function readSuite(name: string, open: Open): void {
  test(`${name} reads while an append is in progress`, async (t) => {
    const { store } = await open(t);
    const [known] = (await store.append([entry("known", 5000)])) as [Placement];
    const running = store.append([entry("next", 500_000)]);
    const reads = Array.from({ length: 20 }, () => store.read(known));
    for (const bytes of await Promise.all(reads)) {
      assert.deepEqual(bytes, Buffer.concat(entry("known", 5000)));
    }
    await running;
  });

  test(`${name} rejects a range that is not there, never answering short`, async (t) => {
    const { store } = await open(t);
    const [last] = (await store.append([entry("last", 50)])) as [Placement];
    await assert.rejects(store.read({ ...last, length: 51 }));
    await assert.rejects(store.read({ ...last, offset: last.offset + 50, length: 1 }));
    await assert.rejects(store.read({ ...last, offset: last.offset + 1_000_000 }));
    await assert.rejects(store.read({ ...last, segment: last.segment + 1_000 }));
    assert.deepEqual(await store.read(last), Buffer.concat(entry("last", 50)));
  });

  test(`${name} lists every segment that holds a placement, large enough for it`, async (t) => {
    const { store, reopen } = await open(t);
    const placements = await store.append([entry("one", 10), entry("two", 20)]);
    const again = await reopen();
    placements.push(...(await again.append([entry("three", 30)])));
    const sizes = new Map((await again.list()).map((info) => [info.segment, info.sizeBytes]));
    for (const { segment, offset, length } of placements) {
      assert.ok((sizes.get(segment) ?? 0) >= offset + length, `segment ${segment} is listed`);
    }
  });

  test(`${name} lists nothing when nothing was appended`, async (t) => {
    const { store } = await open(t);
    assert.deepEqual(await store.list(), []);
  });

  test(`${name} closes only when the append in progress has ended`, async (t) => {
    const { store, reopen } = await open(t);
    let placements: Placement[] = [];
    const running = store.append([entry("closing", 200_000)]).then((answer) => {
      placements = answer;
    });
    const again = await reopen();
    assert.equal(placements.length, 1, "the append ended before the close");
    await running;
    assert.equal((await again.read(placements[0] as Placement)).length, 200_000);
  });
}

/** Every placement lies apart from every other and holds what was put there. */
async function checkAll(
  store: SegmentStore,
  known: readonly (readonly [Placement, Uint8Array])[],
): Promise<void> {
  const ends = new Map<number, number>();
  for (const [{ segment, offset, length }] of known) {
    assert.ok(offset >= (ends.get(segment) ?? 0), "placements do not overlap");
    ends.set(segment, offset + length);
  }
  for (const [placement, bytes] of known) {
    assert.deepEqual(await store.read(placement), bytes);
  }
}

function entry(seed: string, ...lengths: number[]): Entry {
  return lengths.map((length, i) => seededBytes(`${seed} ${i}`, length));
}
