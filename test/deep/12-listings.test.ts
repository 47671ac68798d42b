import assert from "node:assert/strict";
import { systemClock } from "../../src/base/clock.ts";
import { LruCache } from "../../src/base/lru-cache.ts";
import { systemRandom } from "../../src/base/random.ts";
import { digestOf } from "../../src/blocks/hash.ts";
import { type Digest, ZERO_BLOCK_DIGEST } from "../../src/model/digest.ts";
import type { AccountId } from "../../src/model/ids.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { listChangedBlocks } from "../../src/snapshots/list-changed-blocks.ts";
import { listReadableBlocks } from "../../src/snapshots/list-readable-blocks.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { Tokens } from "../../src/snapshots/tokens/tokens.ts";
import { BlockMaps, type MapEntry, type Root } from "../../src/tree/block-map.ts";
import type { Node } from "../../src/tree/node.ts";
import { pick, seededFraction } from "../support/property.ts";
import { oneSecret } from "../support/secrets.ts";
import { scorecard } from "./scorecard.ts";

/*
 * Random lineages against a model that is nothing but a map from block index to contents: what is
 * listed of each snapshot, and of pairs of them in either order, at odd page sizes and from odd
 * block indexes. Contents 0 is a block of zeros, which is a block like any other.
 */

const ACCOUNT = "111122223333" as AccountId;
const GIB_BLOCKS = 2_048;
/** GiB: around powers of two, up to 64 TiB. */
const SIZES = [1, 2, 3, 127, 128, 129, 511, 512, 513, 16_384, 32_767, 65_535, 65_536];
const DEPTH_MAX = 20;

scorecard({
  number: 12,
  name: "listings against brute force",
  goal:
    "5,000 random chains, depth ≤ 20, sizes over powers of two to 64 TiB: missed 0, spurious 0, " +
    "order and paging exact",
  peer: "VMware CBT and Ceph fast-diff both shipped misses",
  async run(run) {
    const fraction = seededFraction(run.seed);
    const chains = run.count(5_000, 25);
    const counts = { snapshots: 0, listings: 0, diffs: 0, blocks: 0 };
    for (let i = 0; i < chains; i++) await checkChain(fraction, counts);
    return describe(chains, counts);
  },
});

interface Counts {
  snapshots: number;
  listings: number;
  diffs: number;
  blocks: number;
}

function describe(chains: number, counts: Counts): string {
  const { snapshots, listings, diffs, blocks } = counts;
  return (
    `${chains} chains of ${snapshots} snapshots, ${listings} listings and ${diffs} diffs page by ` +
    `page, ${blocks} block indexes compared: missed 0, spurious 0, out of order 0`
  );
}

interface Made {
  readonly id: string;
  readonly volumeSizeGib: number;
  readonly root: Root;
  /** Contents by block index: the model. */
  readonly model: ReadonlyMap<number, number>;
}

async function checkChain(fraction: () => number, counts: Counts): Promise<void> {
  const { core, maps, snapshots } = makeCore();
  const chain: Made[] = [];
  const depth = 1 + pick(fraction, DEPTH_MAX);
  let size = pick(fraction, SIZES.length);
  for (let level = 0; level < depth; level++) {
    const parent = chain.at(-1);
    // Now and then the volume grows.
    if (parent && fraction() < 0.2) size = Math.min(SIZES.length - 1, size + 1 + pick(fraction, 3));
    const volumeSizeGib = SIZES[size] as number;
    const writes = randomWrites(fraction, volumeSizeGib * GIB_BLOCKS, parent?.model);
    const entries = [...writes]
      .sort(([a], [b]) => a - b)
      .map(([blockIndex, contents]) => ({ blockIndex, digest: digestFor(contents) }));
    const { root } = await maps.apply(parent?.root, pagesOf(entries, 1 + pick(fraction, 50)));
    const id = `snap-${level.toString(16).padStart(17, "0")}`;
    const model = new Map([...(parent?.model ?? []), ...writes]);
    const made = { id, volumeSizeGib, root, model };
    chain.push(made);
    snapshots.set(id, made);
  }
  counts.snapshots += depth;
  for (let i = 0; i < 3; i++) {
    await checkListing(core, chain[pick(fraction, depth)] as Made, { fraction, counts });
    const pair = [pick(fraction, depth), pick(fraction, depth)].map((at) => chain[at] as Made);
    await checkDiff(core, pair as [Made, Made], { fraction, counts });
  }
}

/** Runs, single blocks, borders of nodes, and rewrites of what is there, some with the same. */
function randomWrites(
  fraction: () => number,
  blockCount: number,
  inherited: ReadonlyMap<number, number> = new Map(),
): Map<number, number> {
  const writes = new Map<number, number>();
  const put = (blockIndex: number) => {
    if (blockIndex >= 0 && blockIndex < blockCount) writes.set(blockIndex, pick(fraction, 5));
  };
  for (let i = pick(fraction, 8); i > 0; i--) {
    const kind = pick(fraction, 4);
    const somewhere = pick(fraction, blockCount);
    if (kind === 0) put(somewhere);
    if (kind === 1)
      for (let j = pick(fraction, fraction() < 0.1 ? 700 : 60); j >= 0; j--) put(somewhere + j);
    if (kind === 2) {
      const span = [512, 262_144, blockCount][pick(fraction, 3)] as number;
      const border = span * pick(fraction, Math.floor(blockCount / span) + 1);
      for (let j = -2; j <= 2; j++) put(border + j);
    }
    const known = [...inherited.keys()];
    if (kind === 3 && known.length > 0) {
      for (let j = 0; j < 5; j++) {
        const at = known[pick(fraction, known.length)] as number;
        if (fraction() < 0.3) writes.set(at, inherited.get(at) as number);
        else put(at);
      }
    }
  }
  return writes;
}

interface Checking {
  readonly fraction: () => number;
  readonly counts: Counts;
}

async function checkListing(core: Core, made: Made, { fraction, counts }: Checking): Promise<void> {
  const from = startOf(fraction, made.model);
  const expected = [...made.model.keys()].filter((at) => at >= from).sort((a, b) => a - b);
  for (const listing of [listSnapshotBlocks, listReadableBlocks]) {
    const found: number[] = [];
    await page(fraction, { count: expected.length, from }, async (paging) => {
      const { id: snapshotId } = made;
      const answer = await listing(core, ACCOUNT, { snapshotId, ...paging });
      found.push(...answer.blocks.map(({ blockIndex }) => blockIndex));
      assert.equal(answer.volumeSizeGib, made.volumeSizeGib);
      return answer.nextToken;
    });
    assert.deepEqual(found, expected);
    counts.listings += 1;
    counts.blocks += expected.length;
  }
}

async function checkDiff(
  core: Core,
  [first, second]: readonly [Made, Made],
  { fraction, counts }: Checking,
): Promise<void> {
  const from = startOf(fraction, second.model);
  const indexes = new Set([...first.model.keys(), ...second.model.keys()]);
  const expected = [...indexes]
    .filter((at) => at >= from && first.model.get(at) !== second.model.get(at))
    .sort((a, b) => a - b)
    .map((at) => [at, first.model.has(at), second.model.has(at)]);
  const found: unknown[] = [];
  await page(fraction, { count: expected.length, from }, async (paging) => {
    const ids = { firstSnapshotId: first.id, secondSnapshotId: second.id };
    const answer = await listChangedBlocks(core, ACCOUNT, { ...ids, ...paging });
    for (const { blockIndex, firstBlockToken, secondBlockToken } of answer.changedBlocks) {
      found.push([blockIndex, firstBlockToken !== undefined, secondBlockToken !== undefined]);
    }
    return answer.nextToken;
  });
  assert.deepEqual(found, expected);
  counts.diffs += 1;
  counts.blocks += expected.length;
}

/** From the beginning, from a block that is there, or from anywhere near one. */
function startOf(fraction: () => number, model: ReadonlyMap<number, number>): number {
  const known = [...model.keys()];
  if (known.length === 0 || fraction() < 0.4) return 0;
  return Math.max(0, (known[pick(fraction, known.length)] as number) + pick(fraction, 3) - 1);
}

/** Follows page tokens, with another odd size for each page. */
async function page(
  fraction: () => number,
  { count, from }: { readonly count: number; readonly from: number },
  fetch: (paging: {
    nextToken: string | undefined;
    maxResults: number;
    startingBlockIndex: number;
  }) => Promise<string | undefined>,
): Promise<void> {
  let nextToken: string | undefined;
  do {
    // No more than some dozen pages, whatever there is.
    const maxResults = 1 + pick(fraction, 97) + Math.floor(count / 20);
    nextToken = await fetch({ nextToken, maxResults, startingBlockIndex: from });
  } while (nextToken !== undefined);
}

const digests = [ZERO_BLOCK_DIGEST, ...[1, 2, 3, 4].map((n) => digestOf(Buffer.of(n)))];

function digestFor(contents: number): Digest {
  return digests[contents] as Digest;
}

async function* pagesOf(entries: readonly MapEntry[], size: number) {
  for (let i = 0; i < entries.length; i += size) yield entries.slice(i, i + size);
}

/** As much of a service as the listings need, in memory. */
function makeCore() {
  const nodes = new Map<Digest, Uint8Array>();
  const store = {
    async getNode(digest: Digest) {
      return nodes.get(digest) as Uint8Array;
    },
    async getNodes(digests: readonly Digest[]) {
      return digests.map((digest) => nodes.get(digest));
    },
    async putNode(bytes: Uint8Array) {
      const digest = digestOf(bytes);
      nodes.set(digest, bytes);
      return digest;
    },
  };
  const maps = new BlockMaps(store, new LruCache<Node>(200_000, (node) => node.sizeBytes));
  const snapshots = new Map<string, Made>();
  const visible = async (_account: string, id: string) => {
    const made = snapshots.get(id);
    const known = { account: ACCOUNT, domain: ACCOUNT, state: "completed", lineage: "snap-00" };
    return made && { ...known, id, root: made.root, volumeSizeGib: made.volumeSizeGib };
  };
  const tokens = new Tokens(oneSecret(), systemClock, systemRandom);
  const catalog = { sharing: { visible } };
  const parts = { catalog, maps: () => maps, tokens, clock: systemClock };
  return { core: parts as unknown as Core, maps, snapshots };
}
