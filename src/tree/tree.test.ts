import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, seededBytes } from "../../test/support/property.ts";
import { LruCache } from "../base/lru-cache.ts";
import { type Digest, digestFromBytes } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import { BlockMaps, type MapEntry, type Root } from "./block-map.ts";
import { diffMaps } from "./diff.ts";
import { encodeNode, Node } from "./node.ts";
import type { NodeStore } from "./node-store.ts";

const BLOCK_COUNT_MAX = 2 ** 27;
/** Around the borders of leaves, branches and the whole map. */
const BORDERS = [
  0,
  1,
  510,
  511,
  512,
  513,
  1023,
  1024,
  262_142,
  262_143,
  262_144,
  262_145,
  524_287,
  524_288,
  2 ** 26,
  BLOCK_COUNT_MAX - 513,
  BLOCK_COUNT_MAX - 512,
  BLOCK_COUNT_MAX - 1,
];

/** A leaf with digests 11… in slot 0, 22… in slot 9 and 33… in slot 511, byte for byte. */
const GOLDEN_LEAF =
  `01000300${"01"}${"02"}${"00".repeat(61)}80` +
  "11".repeat(32) +
  "22".repeat(32) +
  "33".repeat(32);

test("encodeNode writes the bytes that are on disk", () => {
  const entries = [0, 9, 511].map((slot, i) => [slot, golden(i + 1)] as const);
  assert.equal(Buffer.from(encodeNode(0, entries)).toString("hex"), GOLDEN_LEAF);
});

test("Node reads the bytes that are on disk", () => {
  const node = new Node(Buffer.from(GOLDEN_LEAF, "hex"), 0);
  assert.deepEqual([node.level, node.count, node.sizeBytes], [0, 3, 512 + 164]);
  assert.deepEqual(node.slots(), [0, 9, 511]);
  assert.deepEqual(node.digests(), [golden(1), golden(2), golden(3)]);
});

test("BlockMaps makes the root that is on disk", async () => {
  const { maps } = setUp();
  const entries = [0, 262_144].map((blockIndex, i) => ({ blockIndex, digest: golden(i + 1) }));
  const root = await apply(maps, undefined, entries);
  assert.equal(root, "0b851dc17a2ecc4b1bfd3d7cc3fac4bf9e8251b2ea2546985a356757f5a4171c");
});

test("Node has exactly the slots it was encoded from", async (t) => {
  const slots = fc.uniqueArray(fc.nat(511), { minLength: 1, maxLength: 512 });
  const property = fc.property(slots, fc.nat(2), fc.nat(512), (chosen, level, fromSlot) => {
    const entries = chosen.sort((a, b) => a - b).map((slot) => [slot, digest(slot)] as const);
    const node = new Node(encodeNode(level, entries), level);
    assert.deepEqual(node.slots(), chosen);
    assert.deepEqual(
      node.slots(fromSlot),
      chosen.filter((slot) => slot >= fromSlot),
    );
    assert.deepEqual(node.digests(), chosen.map(digest));
    const has = new Set(chosen);
    for (let slot = 0; slot < 512; slot++) {
      assert.equal(node.get(slot), has.has(slot) ? digest(slot) : undefined);
    }
  });
  fc.assert(property, propertyRuns(t, 60));
});

test("Node refuses bytes that are not a node of its level", () => {
  const bytes = encodeNode(1, [[3, digest(3)]]);
  assert.doesNotThrow(() => new Node(bytes, 1));
  assert.throws(() => new Node(bytes, 0), CorruptionError);
  for (const wrong of [
    bytes.subarray(1),
    bytes.subarray(0, -1),
    Buffer.concat([bytes, Buffer.of(0)]),
    new Uint8Array(0),
    new Uint8Array(68),
    changed(bytes, 0, 2),
    changed(bytes, 2, 0),
    changed(bytes, 2, 2),
    changed(bytes, 3, 1),
  ]) {
    assert.throws(() => new Node(wrong, 1), CorruptionError);
  }
});

test("Node refuses a bitmap that disagrees with its count", () => {
  const bytes = encodeNode(1, [[3, digest(3)]]);
  for (const bitmap of [0, 0b11000]) {
    assert.throws(() => new Node(changed(bytes, 4, bitmap), 1), CorruptionError);
  }
});

test("encodeNode refuses entries that are empty, out of order or out of bounds", () => {
  const at = (...slots: number[]) => slots.map((slot) => [slot, digest(1)] as const);
  for (const slots of [[], [1, 1], [2, 1], [512], [-1]]) {
    assert.throws(() => encodeNode(0, at(...slots)), /Assertion failed/);
  }
  for (const level of [-1, 3]) assert.throws(() => encodeNode(level, at(1)), /Assertion failed/);
});

/** Writes of one snapshot: block index to contents. */
const layer = fc
  .array(fc.tuple(fc.constantFrom(...BORDERS), fc.nat(3)), { maxLength: 12 })
  .map((writes) => new Map(writes));

test("BlockMaps gives equal contents equal roots, however they were reached", async (t) => {
  const property = fc.asyncProperty(
    fc.array(layer, { maxLength: 4 }),
    fc.integer({ min: 1, max: 5 }),
    async (layers, pageCount) => {
      const { maps } = setUp();
      let root: Root;
      const model = new Map<number, number>();
      for (const writes of layers) {
        root = await apply(maps, root, entriesOf(writes), pageCount);
        for (const [blockIndex, contents] of writes) model.set(blockIndex, contents);
      }
      const fresh = setUp();
      assert.equal(root, await apply(fresh.maps, undefined, entriesOf(model)));
      assert.deepEqual(await maps.entries(root, 0, 1_000), entriesOf(model));
      for (const blockIndex of BORDERS) {
        const contents = model.get(blockIndex);
        const expected = contents === undefined ? undefined : digest(contents);
        assert.equal(await maps.lookup(root, blockIndex), expected);
      }
    },
  );
  await fc.assert(property, propertyRuns(t, 60));
});

test("BlockMaps.apply counts the block indexes that the base did not have", async () => {
  const { maps } = setUp();
  const first = await maps.apply(undefined, pages([entry(1, 1), entry(600, 1)], 9));
  assert.equal(first.addedCount, 2);
  const second = await maps.apply(first.root, pages([entry(1, 2), entry(2, 1), entry(600, 1)], 1));
  assert.equal(second.addedCount, 1);
});

test("BlockMaps.apply answers the base when writes change nothing", async () => {
  const { maps, store } = setUp();
  assert.equal(await apply(maps, undefined, []), undefined);
  const entries = BORDERS.map((blockIndex) => entry(blockIndex, 1));
  const root = await apply(maps, undefined, entries);
  store.puts = 0;
  assert.equal(await apply(maps, root, []), root);
  assert.equal(store.puts, 0);
  assert.equal(await apply(maps, root, entries), root);
});

test("BlockMaps.apply refuses writes out of order", async () => {
  const { maps } = setUp();
  for (const [a, b] of [
    [2, 1],
    [1, 1],
    [262_144, 5],
  ] as const) {
    await assert.rejects(apply(maps, undefined, [entry(a, 1), entry(b, 1)]), /ascending/);
  }
});

test("BlockMaps.apply puts no more nodes than the writes touch", async (t) => {
  const { maps, store } = setUp();
  const base = await apply(maps, undefined, spread(5_000, 0));
  const indexes = fc.uniqueArray(fc.nat(BLOCK_COUNT_MAX - 1), { minLength: 1, maxLength: 10 });
  const property = fc.asyncProperty(indexes, async (chosen) => {
    store.puts = 0;
    const writes = chosen.sort((a, b) => a - b).map((blockIndex) => entry(blockIndex, 99));
    await apply(maps, base, writes);
    const leaves = new Set(chosen.map((blockIndex) => Math.floor(blockIndex / 512)));
    const branches = new Set(chosen.map((blockIndex) => Math.floor(blockIndex / 262_144)));
    assert.ok(store.puts <= leaves.size + branches.size + 1, `${store.puts} nodes were put`);
  });
  await fc.assert(property, propertyRuns(t, 40));
});

test("BlockMaps.apply rejects when a node cannot be stored", async () => {
  for (const failing of [1, 2, 3, 700]) {
    const { maps, store } = setUp();
    store.failAt = failing;
    await assert.rejects(apply(maps, undefined, spread(2_000, 1)), /no room/);
    await new Promise(setImmediate);
  }
});

test("BlockMaps pages over every border without loss or repetition", async (t) => {
  const { maps } = setUp();
  const root = await apply(
    maps,
    undefined,
    BORDERS.map((blockIndex) => entry(blockIndex, blockIndex)),
  );
  const from = fc.constantFrom(...BORDERS.flatMap((index) => [index, index + 1]));
  const property = fc.asyncProperty(from, fc.integer({ min: 1, max: 7 }), async (start, limit) => {
    const expected = BORDERS.filter((blockIndex) => blockIndex >= start);
    assert.deepEqual(await maps.indexes(root, start, limit), expected.slice(0, limit));
    const entries = await maps.entries(root, start, limit);
    assert.deepEqual(
      entries,
      expected.slice(0, limit).map((blockIndex) => entry(blockIndex, blockIndex)),
    );
    const found: number[] = [];
    for (let next = start; ; ) {
      const page = await maps.indexes(root, next, limit);
      found.push(...page);
      if (page.length < limit) break;
      next = (page.at(-1) as number) + 1;
    }
    assert.deepEqual(found, expected);
  });
  await fc.assert(property, propertyRuns(t, 100));
  assert.deepEqual(await maps.indexes(root, BLOCK_COUNT_MAX, 5), []);
  assert.deepEqual(await maps.indexes(undefined, 0, 5), []);
  assert.deepEqual(await maps.entries(undefined, 0, 5), []);
});

test("BlockMaps reads one node a level in a sparse map of 64 TiB", async () => {
  const { maps, store } = setUp();
  const root = await apply(maps, undefined, [entry(0, 1), entry(BLOCK_COUNT_MAX - 1, 2)]);
  assert.equal(store.nodes.size, 5);
  store.gets = 0;
  assert.equal(await maps.lookup(root, BLOCK_COUNT_MAX - 1), digest(2));
  assert.equal(store.gets, 3);
  store.gets = 0;
  assert.deepEqual(await maps.indexes(root, 1, 10), [BLOCK_COUNT_MAX - 1]);
  // The root, both branches, and the leaves of both: nothing else is there to read.
  assert.ok(store.gets <= 5, `${store.gets} nodes were read`);
});

test("BlockMaps reads leaves together, the more the more are wanted", async () => {
  const { store, maps } = setUp();
  const leaves = Array.from({ length: 100 }, (_, i) => entry(512 * i, i));
  const root = await apply(maps, undefined, leaves);
  const asked = () => {
    const counts = [store.gets, store.asks];
    [store.gets, store.asks] = [0, 0];
    return counts;
  };
  asked();
  assert.deepEqual(await maps.indexes(root, 512, 1), [512]);
  assert.deepEqual(asked(), [3, 3], "a node a level");
  const all = await maps.indexes(root, 0, 1_000);
  assert.deepEqual(
    all,
    leaves.map(({ blockIndex }) => blockIndex),
  );
  // The root, the branch, then 1, 2, 4, 8, 16, 32, 32 leaves, and the rest.
  assert.deepEqual(asked(), [102, 10]);
});

test("BlockMaps.pieces tells which part is lost where a leaf among others is damaged", async () => {
  const { store, maps } = setUp();
  const whole = Array.from({ length: 6 }, (_, i) => entry(512 * i, i));
  const root = await apply(maps, undefined, whole);
  const damaged = await apply(maps, undefined, whole.slice(3, 4));
  const leafOf = async (of: Root) => {
    const branch = (await maps.node(of as Digest, 2)).get(0) as Digest;
    return (await maps.node(branch, 1)).get(3) as Digest;
  };
  assert.equal(await leafOf(damaged), await leafOf(root));
  store.nodes.set(await leafOf(root), new Uint8Array(3));
  const found: unknown[] = [];
  for await (const { entries, lost } of maps.pieces(root, 512)) {
    found.push(lost ?? entries.map(({ blockIndex }) => blockIndex));
  }
  assert.deepEqual(found, [[512], [1_024], { start: 1_536, count: 512 }, [2_048], [2_560]]);
  await assert.rejects(maps.indexes(root, 0, 10), { name: "CorruptionError" });
});

test("BlockMaps refuses a node that lies at another level than it should", async () => {
  const { maps } = setUp(1_000_000);
  const root = (await apply(maps, undefined, [entry(0, 1)])) as Digest;
  await maps.node(root, 2);
  await assert.rejects(maps.node(root, 1));
  await assert.rejects(setUp().maps.lookup(root, 0), /no node/);
});

test("diffMaps finds exactly the block indexes whose contents differ, from anywhere", async (t) => {
  const from = fc.constantFrom(0, ...BORDERS.flatMap((index) => [index, index + 1]));
  const property = fc.asyncProperty(
    fc.tuple(layer, layer),
    from,
    fc.integer({ min: 1, max: 20 }),
    async ([before, after], fromIndex, limit) => {
      const { maps } = setUp();
      const first = await apply(maps, undefined, entriesOf(before));
      const second = await apply(maps, undefined, entriesOf(after));
      const expected = BORDERS.filter((index) => before.get(index) !== after.get(index))
        .filter((index) => index >= fromIndex)
        .map((blockIndex) => {
          return { blockIndex, inFirst: before.has(blockIndex), inSecond: after.has(blockIndex) };
        });
      const page = { fromIndex, limit, leavesMax: BORDERS.length };
      const { found, nextIndex } = await diffMaps(maps, { first, second }, page);
      assert.deepEqual(found, expected.slice(0, limit));
      assert.equal(nextIndex, expected[limit]?.blockIndex);
    },
  );
  await fc.assert(property, propertyRuns(t, 150));
});

test("diffMaps finds the same in several parts, none of them empty", async (t) => {
  const bound = fc.integer({ min: 1, max: 4 });
  const property = fc.asyncProperty(layer, layer, bound, async (before, after, leavesMax) => {
    const { maps } = setUp();
    const first = await apply(maps, undefined, entriesOf(before));
    const second = await apply(maps, first, entriesOf(after));
    const whole = { fromIndex: 0, limit: 1_000, leavesMax: BORDERS.length };
    const { found: expected } = await diffMaps(maps, { first, second }, whole);
    const found: unknown[] = [];
    for (let fromIndex: number | undefined = 0; fromIndex !== undefined; ) {
      const page = { fromIndex, limit: 1_000, leavesMax };
      const part = await diffMaps(maps, { first, second }, page);
      const leaves = new Set(part.found.map(({ blockIndex }) => Math.floor(blockIndex / 512)));
      assert.ok(leaves.size <= leavesMax, `${leaves.size} leaves`);
      assert.ok(part.found.length > 0 || part.nextIndex === undefined, "an empty part goes on");
      found.push(...part.found);
      fromIndex = part.nextIndex;
    }
    assert.deepEqual(found, expected);
  });
  await fc.assert(property, propertyRuns(t, 60));
});

test("diffMaps tells of a node that is missing only where it is looked at", async () => {
  const { maps, store } = setUp();
  const first = await apply(maps, undefined, spread(300, 0));
  // Each leaf has contents of its own, so that no other place has the same node.
  const changes = spread(300, 0).map(({ blockIndex }, i) => entry(blockIndex, i + 1));
  const second = await apply(maps, first, changes);
  const roots = { first, second };
  const all = { fromIndex: 0, limit: 300, leavesMax: 300 };
  const { found } = await diffMaps(maps, roots, all);
  const { blockIndex: lastIndex } = found.at(-1) as { blockIndex: number };
  const root = await maps.node(second as Digest, 2);
  const branch = await maps.node(root.digests().at(-1) as Digest, 1);
  store.nodes.delete(branch.digests().at(-1) as Digest);
  const most = await diffMaps(maps, roots, { ...all, limit: found.length - 1 }).catch(String);
  assert.match(String(most), /no node/, "the surplus difference is looked at");
  const fewer = await diffMaps(maps, roots, { ...all, limit: found.length - 2 });
  assert.deepEqual(fewer.found, found.slice(0, -2));
  await assert.rejects(diffMaps(maps, roots, { ...all, fromIndex: lastIndex }), /no node/);
});

test("diffMaps reads only the nodes on the way to what differs", async () => {
  const { maps, store } = setUp();
  const first = await apply(maps, undefined, spread(20_000, 0));
  const second = await apply(maps, first, [entry(7, 1), entry(BLOCK_COUNT_MAX - 1, 1)]);
  store.gets = 0;
  const page = { fromIndex: 0, limit: 10, leavesMax: 10 };
  const { found } = await diffMaps(maps, { first, second }, page);
  assert.deepEqual(
    found.map(({ blockIndex }) => blockIndex),
    [7, BLOCK_COUNT_MAX - 1],
  );
  // Of each map the root, two branches and two leaves, however much lies between them.
  assert.ok(store.gets <= 10, `${store.gets} nodes were read`);
  store.gets = 0;
  const equal = await diffMaps(maps, { first, second: first }, page);
  assert.deepEqual(equal, { found: [], nextIndex: undefined });
  assert.equal(store.gets, 0, "equal maps are not read at all");
});

test("diffMaps never enters a subtree before the block index it starts from", async () => {
  const { maps, store } = setUp();
  const first = await apply(maps, undefined, spread(2_000, 0));
  const second = await apply(maps, undefined, spread(2_000, 1));
  store.gets = 0;
  const page = { fromIndex: BLOCK_COUNT_MAX - 512, limit: 10, leavesMax: 10 };
  await diffMaps(maps, { first, second }, page);
  assert.ok(store.gets <= 6, `${store.gets} nodes were read`);
});

/** Nodes in memory, counted, and failing when told to. */
class MemoryNodes implements NodeStore {
  readonly nodes = new Map<string, Uint8Array>();
  gets = 0;
  /** How often any were asked for. */
  asks = 0;
  puts = 0;
  failAt = Number.POSITIVE_INFINITY;

  async getNode(digestOfNode: Digest): Promise<Uint8Array> {
    this.gets += 1;
    this.asks += 1;
    const bytes = this.nodes.get(digestOfNode);
    if (!bytes) throw new Error("There is no node of that digest");
    return bytes;
  }

  async getNodes(digests: readonly Digest[]): Promise<(Uint8Array | undefined)[]> {
    this.gets += digests.length;
    this.asks += 1;
    return digests.map((digestOfNode) => this.nodes.get(digestOfNode));
  }

  async putNode(bytes: Uint8Array): Promise<Digest> {
    this.puts += 1;
    if (this.puts >= this.failAt) throw new Error("There is no room for a node");
    const digestOfNode = digestFromBytes(createHash("sha256").update(bytes).digest());
    this.nodes.set(digestOfNode, bytes);
    return digestOfNode;
  }
}

function setUp(cacheBytesMax = 0) {
  const store = new MemoryNodes();
  const cache = new LruCache<Node>(cacheBytesMax, (node) => node.sizeBytes);
  return { store, maps: new BlockMaps(store, cache) };
}

async function apply(
  maps: BlockMaps,
  base: Root,
  ...[entries, pageCount = 3]: [entries: readonly MapEntry[], pageCount?: number]
): Promise<Root> {
  return (await maps.apply(base, pages(entries, pageCount))).root;
}

async function* pages(entries: readonly MapEntry[], count: number): AsyncGenerator<MapEntry[]> {
  for (let i = 0; i < entries.length; i += count) yield entries.slice(i, i + count);
}

/** So many entries, evenly over 64 TiB. */
function spread(count: number, contents: number): MapEntry[] {
  const step = Math.floor(BLOCK_COUNT_MAX / count);
  return Array.from({ length: count }, (_, i) => entry(i * step + 3, contents));
}

function entriesOf(contents: ReadonlyMap<number, number>): MapEntry[] {
  const ascending = [...contents].sort(([a], [b]) => a - b);
  return ascending.map(([blockIndex, number]) => entry(blockIndex, number));
}

function entry(blockIndex: number, contents: number): MapEntry {
  return { blockIndex, digest: digest(contents) };
}

function digest(contents: number): Digest {
  return digestFromBytes(seededBytes(`contents ${contents}`, 32));
}

function golden(n: number): Digest {
  return String(n).repeat(64) as Digest;
}

function changed(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[offset] = value;
  return copy;
}
