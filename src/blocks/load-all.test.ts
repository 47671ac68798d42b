import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { FakeBlockTable } from "../../test/support/fakes.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import type { Digest } from "../model/digest.ts";
import type { AccountId, Domain, KeyDomain } from "../model/ids.ts";
import { DOMAIN_SECRET_BYTES } from "../model/limits.ts";
import { FileSegments } from "../segments/file-segments.ts";
import type { Placement } from "../segments/segment-store.ts";
import { readTogether } from "./_read-together.ts";
import { BlockStore } from "./block-store.ts";
import { digestOf } from "./hash.ts";
import { WorkThreads } from "./work-threads.ts";

/* Many nodes read at once come to the same as one after another, but for what is not whole. */

const DOMAIN = "111122223333" as AccountId;
const KEY_DOMAIN = "k0123456789abcde" as KeyDomain;
const SECRETS = [Buffer.alloc(DOMAIN_SECRET_BYTES, 1)];
const NODE_COUNT = 40;

for (const domain of [DOMAIN, KEY_DOMAIN]) {
  for (const threadCount of [0, 1]) {
    test(`many of ${domain} are read at once with ${threadCount} threads`, async (t) => {
      const { nodes, digests, contents } = await setUp(t, { domain, threadCount });
      const asked = [...digests].reverse();
      const read = await nodes.getNodes(asked);
      assert.deepEqual(
        read.map((bytes) => bytes && Buffer.from(bytes)),
        [...contents].reverse(),
      );
      for (const bytes of read) {
        assert.equal(bytes?.buffer.byteLength, bytes?.length, "nothing else is kept in memory");
      }
    });
  }
}

test("what is damaged, missing or cut off is left out, and nothing besides", async (t) => {
  const { nodes, digests, catalog } = await setUp(t, { domain: DOMAIN, threadCount: 0 });
  const [damaged, missing, cut] = [3, 20, NODE_COUNT - 1] as const;
  const at = (i: number) => DOMAIN + digests[i];
  // It lies where another record does.
  catalog.locations.set(at(damaged), catalog.locations.get(at(damaged + 1)) as Placement);
  catalog.locations.delete(at(missing));
  const last = catalog.locations.get(at(cut)) as Placement;
  catalog.locations.set(at(cut), { ...last, segment: 999 });
  const read = await nodes.getNodes(digests);
  const left = read.flatMap((bytes, i) => (bytes === undefined ? [i] : []));
  assert.deepEqual(left, [damaged, missing, cut]);
  for (const i of left) await assert.rejects(nodes.getNode(digests[i] as Digest));
});

test("a key that a record was not encrypted under leaves it out", async (t) => {
  const { segments, tables, digests } = await setUp(t, { domain: KEY_DOMAIN, threadCount: 0 });
  const secretsOf = async () => [Buffer.alloc(DOMAIN_SECRET_BYTES, 2)];
  const other = new BlockStore(segments, tables, { secretsOf }).nodeStore(KEY_DOMAIN);
  const read = await other.getNodes(digests);
  assert.deepEqual(new Set(read), new Set([undefined]));
});

test("readTogether reads neighbours at once, and never too much", async () => {
  const reads: Placement[] = [];
  const segments = {
    async read(placement: Placement, buffer?: Uint8Array) {
      reads.push({ ...placement });
      const bytes = (buffer ?? new Uint8Array(placement.length)).subarray(0, placement.length);
      return bytes.fill(placement.segment);
    },
  };
  const places = [
    { segment: 2, offset: 500_000, length: 10 },
    { segment: 1, offset: 0, length: 10 },
    undefined,
    { segment: 1, offset: 100, length: 20 },
    { segment: 1, offset: 100, length: 20 },
    { segment: 1, offset: 400_000, length: 700_000 },
    { segment: 1, offset: 1_100_000, length: 400_000 },
  ];
  const found = await readTogether(segments as never, places);
  assert.deepEqual(
    found.map((bytes) => bytes?.length),
    places.map((place) => place?.length),
  );
  assert.deepEqual(
    reads.map(({ segment, offset, length }) => [segment, offset, length]),
    [
      [1, 0, 120],
      [1, 400_000, 700_000],
      [1, 1_100_000, 400_000],
      [2, 500_000, 10],
    ],
  );
});

async function setUp(
  t: TestContext,
  { domain, threadCount }: { readonly domain: Domain; readonly threadCount: number },
) {
  const directory = await temporaryDirectory(t);
  const segments = await FileSegments.open({ directory, segmentSizeBytesMax: 1_000_000 });
  t.after(() => segments.close());
  const work = new WorkThreads(threadCount);
  t.after(() => work.close());
  const catalog = new FakeBlockTable();
  const tables = { blocks: catalog, liveness: catalog, work };
  const store = new BlockStore(segments, tables, { secretsOf: async () => SECRETS });
  const nodes = store.nodeStore(domain);
  // Half of them such that zstd makes them shorter.
  const contents = Array.from({ length: NODE_COUNT }, (_, i) => {
    return i % 2 === 0 ? randomBytes(300 * i + 1) : Buffer.alloc(100 * i, i);
  });
  const digests: Digest[] = [];
  for (const bytes of contents) digests.push(await nodes.putNode(bytes));
  assert.deepEqual(digests, contents.map(digestOf));
  // A thread that is not there yet is not waited for.
  await work.digest(new Uint8Array(new SharedArrayBuffer(524_288)));
  return { segments, catalog, tables, nodes, digests, contents };
}
