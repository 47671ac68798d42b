import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { LruCache } from "../base/lru-cache.ts";
import { type Digest, digestFromBytes } from "../model/digest.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { BlockMaps, type MapEntry, type Root } from "../tree/block-map.ts";
import type { Node } from "../tree/node.ts";
import { byWriter, candidatesOf, writerDigest } from "./writer-map.ts";

/* test/model/changes-by-writer.test.ts compares what is found with a naive model. */

const BLOCK_COUNT_MAX = 2 ** 27;

test("writerDigest is what lies in stored maps", () => {
  const known = createHash("sha256").update("writer snap-0123456789abcdef0").digest("hex");
  assert.equal(writerDigest("snap-0123456789abcdef0"), known);
});

test("candidatesOf reads no more of 64 TiB than its page", async () => {
  const { maps, store } = setUp();
  const parent = await layer(maps, "snap-1", {}, spread(20_000));
  const child = await layer(maps, "snap-2", parent, spread(20_000).slice(-1));
  const pair = { first: parent, second: child };
  for (const limit of [1, 10, 101]) {
    store.reads = 0;
    const found = await candidatesOf(maps, pair, { fromIndex: BLOCK_COUNT_MAX / 2, limit });
    assert.equal(found.length, limit);
    assert.ok(found.every(({ isChanged }) => !isChanged));
    // Four maps; each leaf here holds one index, below one branch of many, below the root.
    assert.ok(store.reads <= 4 * (2 * limit + 2), `${store.reads} nodes for ${limit}`);
  }
  const last = await candidatesOf(maps, pair, { fromIndex: BLOCK_COUNT_MAX - 30_000, limit: 9 });
  assert.deepEqual(
    last.map(({ isChanged }) => isChanged),
    [true],
  );
});

test("candidatesOf ends where both maps do", async () => {
  const { maps } = setUp();
  const first = await layer(maps, "snap-1", {}, [1, 5]);
  const second = await layer(maps, "snap-2", {}, [5, 9]);
  const all = await candidatesOf(maps, { first, second }, { fromIndex: 0, limit: 100 });
  const text = all.map(({ blockIndex, inFirst, inSecond, isChanged }) => {
    return `${blockIndex}${inFirst ? " first" : ""}${inSecond ? " second" : ""} ${isChanged}`;
  });
  assert.deepEqual(text, ["1 first true", "5 first second true", "9 second true"]);
  for (const limit of [1, 2, 3]) {
    const page = await candidatesOf(maps, { first, second }, { fromIndex: 0, limit });
    assert.deepEqual(page, all.slice(0, limit));
  }
  assert.deepEqual(await candidatesOf(maps, { first, second }, { fromIndex: 10, limit: 5 }), []);
});

type Roots = { readonly root?: Root; readonly writersRoot?: Root };

/** The base with these indexes written by a snapshot, always with the same bytes. */
async function layer(
  maps: BlockMaps,
  id: string,
  ...[base, indexes]: [Roots, readonly number[]]
): Promise<Snapshot> {
  const digest = "1".repeat(64) as Digest;
  const writes = indexes.map((blockIndex) => ({ blockIndex, digest }));
  const { root } = await maps.apply(base.root, pageOf(writes));
  const named = byWriter(pageOf(writes), writerDigest(id));
  const writersRoot = (await maps.apply(base.writersRoot, named)).root;
  return { id, root, writersRoot } as unknown as Snapshot;
}

async function* pageOf(writes: readonly MapEntry[]): AsyncGenerator<readonly MapEntry[]> {
  yield writes;
}

/** So many indexes, evenly over 64 TiB, each in a leaf of its own. */
function spread(count: number): number[] {
  const step = Math.floor(BLOCK_COUNT_MAX / count);
  return Array.from({ length: count }, (_, i) => i * step);
}

function setUp() {
  const nodes = new Map<Digest, Uint8Array>();
  const store = {
    reads: 0,
    async putNode(bytes: Uint8Array) {
      const digest = digestFromBytes(createHash("sha256").update(bytes).digest());
      nodes.set(digest, bytes);
      return digest;
    },
    async getNode(digest: Digest) {
      store.reads += 1;
      return nodes.get(digest) as Uint8Array;
    },
    async getNodes(digests: readonly Digest[]) {
      store.reads += digests.length;
      return digests.map((digest) => nodes.get(digest));
    },
  };
  const cache = new LruCache<Node>(0, (node) => node.sizeBytes);
  return { store, maps: new BlockMaps(store, cache) };
}
