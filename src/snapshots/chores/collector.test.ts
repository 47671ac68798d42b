import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  NOW,
  openCollectedStore,
  START,
  type Writes,
} from "../../../test/support/collected-store.ts";
import { MovingClock } from "../../../test/support/moving-clock.ts";
import { UnavailableError } from "../../base/unavailable.ts";
import type { Digest } from "../../model/digest.ts";
import { CorruptionError, DiskFullError } from "../../model/errors.ts";
import type { SnapshotId } from "../../model/ids.ts";
import { reachable } from "../../tree/reachable.ts";
import { copySnapshot } from "../copy-snapshot.ts";
import type { Core } from "../core.ts";
import { startSnapshot } from "../start-snapshot.ts";
import { Collector } from "./collector.ts";

test("what nothing needs any more is removed by the second run, with its bytes", async (t) => {
  const store = await openCollectedStore(t);
  const kept = await store.snapshot(undefined, [
    [0, 1],
    [1, 2],
  ]);
  const deleted = await store.snapshot(undefined, [
    [0, 2],
    [5, 3],
    [600, 7],
  ]);
  await store.delete(deleted);
  await store.core.journaler.flush();
  const before = await store.stored();
  const first = await store.collect();
  assert.deepEqual([first.removedCount, first.removedBytes], [0, 0]);
  assert.equal(await store.stored(), before, "the first run only takes note");
  const second = await store.collect();
  // Two blocks of its own, two leaves, a branch, a root, a manifest, and its entry in the journal.
  assert.equal(second.removedCount, 8);
  await store.check(kept, [
    [0, 1],
    [1, 2],
  ]);
  await store.checkNothingElse();
});

test("a child keeps what it inherited when its parents are gone", async (t) => {
  const store = await openCollectedStore(t);
  const parent = await store.snapshot(undefined, [
    [0, 1],
    [1, 2],
    [700, 3],
  ]);
  const child = await store.snapshot(parent, [[1, 4]]);
  const grandchild = await store.snapshot(child, [[2_000, 5]]);
  await store.delete(parent);
  await store.delete(child);
  for (let run = 0; run < 3; run++) await store.collect();
  await store.check(grandchild, [
    [0, 1],
    [1, 4],
    [700, 3],
    [2_000, 5],
  ]);
  await store.checkNothingElse();
});

test("a pending snapshot holds its writes and its deleted parent's blocks", async (t) => {
  const store = await openCollectedStore(t);
  const parent = await store.snapshot(undefined, [
    [0, 1],
    [1, 2],
  ]);
  const child = await store.start(parent);
  await store.put(child, [
    [1, 3],
    [1, 4],
  ]);
  await store.delete(parent);
  for (let run = 0; run < 3; run++) await store.collect();
  await store.complete(child, 1);
  await store.check(child, [
    [0, 1],
    [1, 4],
  ]);
  for (let run = 0; run < 3; run++) await store.collect();
  await store.check(child, [
    [0, 1],
    [1, 4],
  ]);
  await store.checkNothingElse();
});

test("what timed out or was refused leaves nothing behind", async (t) => {
  const store = await openCollectedStore(t);
  const parent = await store.snapshot(undefined, [[0, 1]]);
  const refused = await store.start(parent);
  await store.put(refused, [
    [3, 2],
    [4, 3],
  ]);
  await store.complete(refused, 7);
  const deleted = await store.start(parent);
  await store.put(deleted, [[3, 4]]);
  await store.delete(deleted);
  await store.delete(parent);
  await store.delete(refused);
  for (let run = 0; run < 3; run++) await store.collect();
  await store.checkNothingElse();
  assert.equal(await store.stored(), 0);
});

test("what is written again between the runs stays", async (t) => {
  const store = await openCollectedStore(t);
  const first = await store.snapshot(undefined, [
    [0, 1],
    [1, 2],
  ]);
  await store.delete(first);
  await store.collect();
  const second = await store.snapshot(undefined, [[9, 1]]);
  for (let run = 0; run < 3; run++) await store.collect();
  await store.check(second, [[9, 1]]);
  await store.checkNothingElse();
});

test("the same tree sealed again between mark and sweep stays", async (t) => {
  const store = await openCollectedStore(t);
  const blocks: Writes = [
    [0, 1],
    [1, 2],
  ];
  await store.delete(await store.snapshot(undefined, blocks));
  await store.collect();
  // The second run has begun when the same nodes are stored, and finds them by name only.
  const { garbage } = store.core.catalog;
  const begin = garbage.begin.bind(garbage);
  let again: string | undefined;
  garbage.begin = async (nowMs) => {
    const run = await begin(nowMs);
    again ??= await store.snapshot(undefined, blocks);
    return run;
  };
  await store.collect();
  garbage.begin = begin;
  await store.check(again as string, blocks);
  for (let run = 0; run < 3; run++) await store.collect();
  await store.check(again as string, blocks);
});

test("what loses its last reference while a run still reaches it is found later", async (t) => {
  const store = await openCollectedStore(t);
  const deleted = await store.snapshot(undefined, [[0, 1]]);
  // The manifest is a candidate since it was stored; deleting the snapshot notes it once more.
  const { liveness } = store.core.catalog;
  const manifests = liveness.manifests.bind(liveness);
  liveness.manifests = async (domain) => {
    const names = await manifests(domain);
    liveness.manifests = manifests;
    await store.delete(deleted);
    return names;
  };
  for (let run = 0; run < 3; run++) await store.collect();
  assert.equal(await store.stored(), 0);
  await store.checkNothingElse();
});

test("a copy into another domain is refused when its source went meanwhile", async (t) => {
  const store = await openCollectedStore(t);
  const source = await store.snapshot(undefined, [[0, 1]]);
  // Between the look at the source and the first note of the copy, all of it is collected.
  const { copies } = store.core.catalog;
  const start = copies.start.bind(copies);
  copies.start = async (...given) => {
    await store.delete(source);
    for (let run = 0; run < 2; run++) await store.collect();
    return start(...given);
  };
  const texts = { description: undefined, tags: [], kmsKeyId: undefined };
  const input = { sourceSnapshotId: source, encrypted: true, ...texts };
  assert.equal(await copySnapshot(store.core, store.account, input), undefined);
  assert.deepEqual(await copies.all(), []);
  assert.deepEqual(await store.core.catalog.snapshots.inState("copying"), []);
});

test("a run that was overtaken by another changes nothing", async (t) => {
  const store = await openCollectedStore(t);
  const deleted = await store.snapshot(undefined, [[0, 1]]);
  await store.delete(deleted);
  await store.collect();
  const { garbage } = store.core.catalog;
  const early = await garbage.begin(store.core.clock.nowMs());
  await garbage.begin(store.core.clock.nowMs());
  const [domain] = await garbage.domains();
  assert.ok(domain);
  const names = (await garbage.candidates(domain, undefined, 10)).map(({ name }) => name);
  assert.ok(names.length > 0);
  const sweep = { names, doomedByMs: store.core.clock.nowMs() };
  await assert.rejects(garbage.sweep(early, domain, sweep), { name: "FencedError" });
});

test("a grace holds what the second run would remove", async (t) => {
  const clock = new MovingClock();
  const store = await openCollectedStore(t, clock);
  await store.delete(await store.snapshot(undefined, [[0, 1]]));
  const options = { graceSeconds: 120, isDryRun: false };
  await store.core.collector.collect(options);
  assert.equal((await store.core.collector.collect(options)).removedCount, 0);
  clock.advance(121_000);
  assert.ok((await store.core.collector.collect(options)).removedCount > 0);
});

test("nothing is collected by a clock that was set, in either direction", async (t) => {
  const clock = new MovingClock();
  const store = await openCollectedStore(t, clock);
  await store.delete(await store.snapshot(undefined, [[0, 1]]));
  await store.collect();
  for (const tenYears of [3_650 * 86_400_000, -3_650 * 86_400_000]) {
    clock.advance(tenYears);
    await assert.rejects(store.collect(), { name: "ClockSkewError" });
  }
  assert.ok((await store.stored()) > 0);
});

test("a grace begins anew when the clock was set", async (t) => {
  const clock = new MovingClock();
  const store = await openCollectedStore(t, clock);
  await store.delete(await store.snapshot(undefined, [[0, 1]]));
  const options = { graceSeconds: 3_600, isDryRun: false };
  await store.core.collector.collect(options);
  clock.advance(3_650 * 86_400_000);
  await assert.rejects(store.collect(), { name: "ClockSkewError" });
  // The time of now is believed; by it, the garbage was found ten years ago.
  assert.equal((await store.core.collector.collect(options)).removedCount, 0);
  assert.ok((await store.collect()).removedCount > 0);
});

test("what was noted while the clock ran ahead is forgotten in the end", async (t) => {
  const clock = new MovingClock();
  const store = await openCollectedStore(t, clock);
  await store.delete(await store.snapshot(undefined, [[0, 1]]));
  const options = { graceSeconds: 3_600, isDryRun: false };
  const collect = () => store.core.collector.collect(options);
  const year = 365 * 86_400_000;
  clock.advance(year);
  await assert.rejects(collect(), { name: "ClockSkewError" });
  clock.pass(3_600_000);
  assert.ok((await collect()).doomedCount > 0, "the time of then is believed");
  clock.advance(-year);
  await assert.rejects(collect(), { name: "ClockSkewError" });
  for (let hour = 0; hour < 23; hour++) {
    clock.pass(3_600_000);
    await assert.rejects(collect(), { name: "ClockSkewError" }, `after ${hour} hours`);
  }
  clock.pass(2 * 3_600_000);
  assert.equal((await collect()).removedCount, 0, "its grace begins anew");
  clock.pass(3_600_000);
  assert.ok((await collect()).removedCount > 0);
});

test("a dry run finds out and changes nothing", async (t) => {
  const store = await openCollectedStore(t);
  await store.delete(await store.snapshot(undefined, [[0, 1]]));
  const before = await store.stored();
  for (let run = 0; run < 3; run++) {
    const found = await store.core.collector.collect({ graceSeconds: 0, isDryRun: true });
    assert.deepEqual([found.doomedCount, found.removedCount, found.segmentCount], [5, 0, 0]);
  }
  assert.equal(await store.stored(), before);
});

test("segments are given back, and what is needed in them is moved first", async (t) => {
  const store = await openCollectedStore(t);
  const kept = await store.snapshot(undefined, [[0, 1]]);
  const deleted = await store.snapshot(undefined, [
    [0, 7],
    [1, 15],
    [2, 23],
  ]);
  await store.restart();
  await store.snapshot(undefined, [[0, 2]]);
  await store.delete(deleted);
  await store.collect();
  const collected = await store.collect();
  assert.ok(collected.removedBytes > 3 * 524_288);
  assert.equal(collected.segmentCount, 1);
  assert.ok(collected.segmentBytes > 3 * 524_288 && collected.movedBytes > 0);
  assert.ok(collected.movedBytes < 524_288);
  await store.check(kept, [[0, 1]]);
  await store.restart();
  await store.check(kept, [[0, 1]]);
  const files = await readdir(join(store.service.dataDirectory, "segments"));
  assert.ok(!files.includes("0000000001.segment"));
});

test("a domain whose needed nodes cannot all be read is left alone", async (t) => {
  const store = await openCollectedStore(t);
  const kept = await store.snapshot(undefined, [[0, 1]]);
  await store.delete(await store.snapshot(undefined, [[0, 2]]));
  await store.collect();
  const errors: unknown[] = [];
  const { core } = store;
  const damaged = (await core.catalog.snapshots.get(kept as SnapshotId))?.root;
  const collector = collectorBeside(core, { damaged, onError: (error) => errors.push(error) });
  const { garbage, blocks } = core.catalog;
  const candidates = await garbage.candidates(store.account, undefined, 100);
  assert.ok(candidates.length > 0);
  await collector.collect(NOW);
  assert.match(String(errors[0]), /damaged/);
  for (const { name } of candidates) assert.ok(await blocks.locate(store.account, name));
  assert.ok((await store.collect()).removedCount > 0, "readable again, it is collected");
  await store.check(kept, [[0, 1]]);
});

test("a tree deleted while a run begins is noted before any of it is removed", async (t) => {
  const store = await openCollectedStore(t);
  const { account } = store;
  const deleted = await store.snapshot(undefined, [[0, 1]]);
  const { catalog, clock, maps, blocks } = store.core;
  const root = (await catalog.snapshots.get(deleted as SnapshotId))?.root;
  const nodes: Digest[] = [];
  for await (const { node } of reachable(maps(account), root, { others: [] })) nodes.push(node);
  // As where an attempt to seal it failed, and a run was through before the next one ended.
  const { garbage } = catalog;
  const names = await blocks.records.namesOf(account, nodes.slice(1));
  await garbage.addCandidates(account, names);
  const earlier = await garbage.begin(clock.nowMs());
  await garbage.doom(earlier, account, { names, nowMs: clock.nowMs() });
  // This run has gone through what was deleted before.
  const begin = garbage.begin.bind(garbage);
  garbage.begin = async (nowMs) => {
    garbage.begin = begin;
    await store.delete(deleted);
    return begin(nowMs);
  };
  await store.collect();
  for (const name of names) assert.ok(await catalog.blocks.locate(account, name));
  // What was read before is forgotten with the process.
  await store.restart();
  for (let run = 0; run < 3; run++) await store.collect();
  assert.equal(await store.stored(), 0);
  await store.checkNothingElse();
});

test("a tree of which nothing is there any more stops no run", async (t) => {
  const store = await openCollectedStore(t);
  const gone = await store.snapshot(undefined, [[0, 1]]);
  const source = await store.core.catalog.snapshots.get(gone as SnapshotId);
  assert.ok(source);
  await store.delete(gone);
  for (let run = 0; run < 3; run++) await store.collect();
  const doomed = await store.snapshot(undefined, [[0, 2]]);
  const root = (await store.core.catalog.snapshots.get(doomed as SnapshotId))?.root as Digest;
  await store.delete(doomed);
  await store.collect();
  // What was read before is forgotten with the process.
  await store.restart();
  const { catalog, blocks } = store.core;
  const [name] = await blocks.records.namesOf(store.account, [root]);
  assert.ok(name && (await catalog.blocks.locate(store.account, name)), "it is doomed only");
  // As a copy does that took its time, and finds that its source is no more.
  const { garbage } = catalog;
  const begin = garbage.begin.bind(garbage);
  garbage.begin = async (nowMs) => {
    garbage.begin = begin;
    const copy = { ...source, id: "snap-0c0" as SnapshotId, manifest: undefined };
    assert.equal(await catalog.snapshots.start(copy, undefined), undefined);
    await catalog.snapshots.delete(copy.id, { nowMs: 0, binnedUntilMs: undefined });
    return begin(nowMs);
  };
  await store.collect();
  assert.equal(await catalog.blocks.locate(store.account, name), undefined);
  for (let run = 0; run < 2; run++) await store.collect();
  await store.checkNothingElse();
});

test("a child is deleted at the cost of itself, long after its parent", async (t) => {
  const store = await openCollectedStore(t);
  const kept = await store.snapshot(undefined, [
    [0, 3],
    [600, 4],
  ]);
  const parent = await store.snapshot(undefined, [[0, 1]]);
  const child = await store.snapshot(parent, [[0, 2]]);
  await store.delete(parent);
  for (let run = 0; run < 3; run++) await store.collect();
  await store.restart();
  await store.delete(child);
  const first = await store.collect();
  // A block, a leaf, a branch, a root, a manifest, and its entry in the journal; the new one stays.
  assert.deepEqual([first.doomedCount, first.reachableCount], [6, 1]);
  assert.equal((await store.collect()).removedCount, 6);
  await store.check(kept, [
    [0, 3],
    [600, 4],
  ]);
  await store.checkNothingElse();
});

test("what only a damaged tree would tell of is found among all that is stored", async (t) => {
  const store = await openCollectedStore(t);
  const kept = await store.snapshot(undefined, [[0, 1]]);
  const deleted = await store.snapshot(undefined, [
    [0, 2],
    [600, 3],
  ]);
  const { core } = store;
  const damaged = (await core.catalog.snapshots.get(deleted as SnapshotId))?.root;
  const onError = (error: unknown) => {
    throw error;
  };
  const collector = collectorBeside(core, { damaged, onError });
  await store.delete(deleted);
  await core.journaler.flush();
  const removedCount = (await collector.collect(NOW)).removedCount;
  assert.equal(removedCount, 0, "the first run only takes note");
  // Two blocks, two leaves, a branch, a root, a manifest, and its entry in the journal.
  assert.equal((await collector.collect(NOW)).removedCount, 8);
  await store.check(kept, [[0, 1]]);
  await store.checkNothingElse();
});

test("a key destroyed keeps nothing else from being collected, and its records go", async (t) => {
  const store = await openCollectedStore(t);
  const { account } = store;
  const key = await store.core.keys.create(account, "soon gone");
  const kmsKeyArn = `arn:aws:kms:us-east-1:${account}:key/${key.id}`;
  const encrypted = async (writes: Writes) => {
    const input = { ...START, parentSnapshotId: undefined, encrypted: true, kmsKeyArn };
    const { id } = await startSnapshot(store.core, account, input);
    await store.put(id, writes);
    await store.complete(id, writes.length);
    return id;
  };
  const [first, last] = [await encrypted([[0, 1]]), await encrypted([[0, 2]])];
  const open = await store.snapshot(undefined, [[0, 3]]);
  const gone = { state: "destroyed", secrets: [], deletionAtMs: undefined } as const;
  assert.ok(await store.core.catalog.encryption.replace(key, { ...key, ...gone }));
  // What was read under the key is forgotten with the process.
  await store.restart();
  const { garbage } = store.core.catalog;
  await store.delete(first);
  await store.delete(open);
  await store.collect();
  assert.ok((await store.collect()).removedCount >= 5, "a block, three nodes, and a manifest");
  const left = await garbage.stored(account, undefined, 100);
  assert.deepEqual(left, [], "nothing else is left of the open one");
  assert.ok((await garbage.stored(key.domain, undefined, 100)).length > 0, "one is not deleted");
  await store.delete(last);
  for (let i = 0; i < 2; i++) await store.collect();
  assert.deepEqual(await garbage.stored(key.domain, undefined, 100), []);
  await store.checkNothingElse();
});

test("what a destroyed key leaves unreadable keeps no segment from being given back", async (t) => {
  const store = await openCollectedStore(t);
  const { account } = store;
  const key = await store.core.keys.create(account, "soon gone");
  const kmsKeyArn = `arn:aws:kms:us-east-1:${account}:key/${key.id}`;
  const open = await store.snapshot(undefined, [
    [0, 7],
    [1, 15],
    [2, 23],
  ]);
  const input = { ...START, parentSnapshotId: undefined, encrypted: true, kmsKeyArn };
  const { id: locked } = await startSnapshot(store.core, account, input);
  await store.put(locked, [[0, 1]]);
  await store.complete(locked, 1);
  const gone = { state: "destroyed", secrets: [], deletionAtMs: undefined } as const;
  assert.ok(await store.core.catalog.encryption.replace(key, { ...key, ...gone }));
  await store.delete(open);
  // The next segment begins with the next process.
  await store.restart();
  await store.snapshot(undefined, [[0, 2]]);
  const { garbage } = store.core.catalog;
  const names = await garbage.stored(key.domain, undefined, 100);
  await store.collect();
  const { segmentCount, movedBytes } = await store.collect();
  assert.equal(segmentCount, 1);
  assert.ok(movedBytes > 0);
  assert.deepEqual(await garbage.stored(key.domain, undefined, 100), names, "it is still there");
  await store.delete(locked);
  for (let i = 0; i < 2; i++) await store.collect();
  assert.deepEqual(await garbage.stored(key.domain, undefined, 100), []);
});

for (const [what, failure] of [
  ["is journaled before a run", undefined],
  ["is collected where a full disk takes no journal", new DiskFullError()],
  ["is collected where a full bucket takes none", new UnavailableError("no room")],
  ["is collected where there is no key for one", new Error("the key is away")],
] as const) {
  test(`what was deleted ${what}`, async (t) => {
    const store = await openCollectedStore(t);
    await store.delete(await store.snapshot(undefined, [[0, 1]]));
    await store.collect();
    const told: unknown[] = [];
    const before = await store.stored();
    const { catalog, blocks, maps, clock } = store.core;
    const nothing = { segmentCount: 0, segmentBytes: 0, movedBytes: 0 };
    const collector = new Collector({
      ...{ catalog, blocks, maps, clock, compactor: { compact: async () => nothing } },
      journal: {
        async flush() {
          assert.equal(await store.stored(), before);
          if (failure) throw failure;
        },
        onError: (error) => told.push(error),
      },
      onError: (_, error) => assert.fail(String(error)),
    });
    const { removedCount } = await collector.collect({ graceSeconds: 0, isDryRun: false });
    assert.ok(removedCount > 0);
    assert.deepEqual(told, failure ? [failure] : []);
  });
}

/** Another collector on the same store, which finds one node damaged. */
function collectorBeside(
  core: Core,
  {
    damaged,
    onError,
  }: {
    readonly damaged: Digest | undefined;
    readonly onError: (error: unknown) => void;
  },
): Collector {
  return new Collector({
    ...core,
    compactor: { compact: async () => ({ segmentCount: 0, segmentBytes: 0, movedBytes: 0 }) },
    maps: (domain) => {
      const maps = core.maps(domain);
      const node = maps.node.bind(maps);
      maps.node = (digest, level) =>
        digest === damaged ? Promise.reject(new CorruptionError("damaged")) : node(digest, level);
      return maps;
    },
    onError: (_, error) => onError(error),
  });
}
