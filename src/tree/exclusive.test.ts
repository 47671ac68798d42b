import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns } from "../../test/support/property.ts";
import { LruCache } from "../base/lru-cache.ts";
import { type Digest, digestFromBytes, ZERO_BLOCK_DIGEST } from "../model/digest.ts";
import { BlockMaps, type Root } from "./block-map.ts";
import { countExclusive } from "./exclusive.ts";
import type { Node } from "./node.ts";

/** Block indexes in several leaves and branches, few enough that maps often share them. */
const INDEXES = [0, 1, 2, 511, 512, 513, 1_024, 262_143, 262_144, 262_145, 524_288];

function openMaps() {
  const records = new Map<Digest, Uint8Array>();
  let readCount = 0;
  const store = {
    async getNode(digest: Digest) {
      readCount += 1;
      return records.get(digest) as Uint8Array;
    },
    async getNodes(digests: readonly Digest[]) {
      readCount += digests.length;
      return digests.map((digest) => records.get(digest));
    },
    async putNode(bytes: Uint8Array) {
      const digest = digestFromBytes(createHash("sha256").update(bytes).digest());
      records.set(digest, bytes);
      return digest;
    },
  };
  const cache = new LruCache<Node>(0, (node) => node.sizeBytes);
  return { maps: new BlockMaps(store, cache), reads: () => readCount };
}

/** A digest by number; 0 is that of zeros. */
function digest(contents: number): Digest {
  if (contents === 0) return ZERO_BLOCK_DIGEST;
  return digestFromBytes(createHash("sha256").update(`block ${contents}`).digest());
}

type Contents = ReadonlyMap<number, number>;

async function mapOf(maps: BlockMaps, contents: Contents): Promise<Root> {
  const entries = [...contents]
    .sort(([a], [b]) => a - b)
    .map(([blockIndex, number]) => ({ blockIndex, digest: digest(number) }));
  async function* pages() {
    if (entries.length > 0) yield entries;
  }
  return (await maps.apply(undefined, pages())).root;
}

const contents = fc
  .array(fc.tuple(fc.constantFrom(...INDEXES), fc.nat(3)), { maxLength: 14 })
  .map((entries) => new Map(entries));

test("countExclusive counts as a list of all blocks does, in steps of any size", async (t) => {
  const property = fc.asyncProperty(
    contents,
    fc.array(contents, { maxLength: 4 }),
    fc.nat(6),
    async (own, others, nodesMax) => {
      const { maps } = openMaps();
      const root = await mapOf(maps, own);
      const otherRoots = [];
      for (const other of others) otherRoots.push(await mapOf(maps, other));
      const expected = [...own].filter(
        ([index, number]) => number !== 0 && others.every((other) => other.get(index) !== number),
      ).length;
      let total = 0;
      let steps = 0;
      for (let from: number | undefined = 0; from !== undefined; steps++) {
        assert.ok(steps <= INDEXES.length, "every step gets on");
        const input = { root, others: otherRoots, fromIndex: from, nodesMax };
        const { count, nextIndex }: Awaited<ReturnType<typeof countExclusive>> =
          await countExclusive(maps, input);
        total += count;
        from = nextIndex;
      }
      assert.equal(total, expected);
    },
  );
  await fc.assert(property, propertyRuns(t, 150));
});

test("countExclusive never enters what another map has", async () => {
  const { maps, reads } = openMaps();
  const base = new Map(Array.from({ length: 50 }, (_, i) => [i * 512, i + 1]));
  const parent = await mapOf(maps, base);
  const root = await mapOf(maps, new Map([...base, [512 * 7, 99]]));
  const before = reads();
  const input = { root, others: [parent], fromIndex: 0, nodesMax: 1_000 };
  assert.deepEqual(await countExclusive(maps, input), { count: 1, nextIndex: undefined });
  // One node a level of each of the two.
  assert.equal(reads() - before, 6);
});
