import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import { digestOf } from "../../src/blocks/hash.ts";
import { checksumOf } from "../../src/model/digest.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import { copySnapshot } from "../../src/snapshots/copy-snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { listBlocksByWriter } from "../../src/snapshots/list-blocks-by-writer.ts";
import type { ChangedBlocksPage } from "../../src/snapshots/list-changed-blocks.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { blockContents, propertyRuns } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { ACCOUNT, NO_OPTIONS, openCore } from "./drivers.ts";

/*
 * ListChangedBlocks as AWS does it against a naive model: random lineages of children, siblings,
 * grown volumes and copies, with snapshots deleted and the service restarted in between, emulating
 * or not. Then every pair, in either order, page by page.
 */

/** Around the borders of leaves, of 1 GiB and of 3 GiB. */
const INDEXES = [0, 1, 2, 510, 511, 512, 513, 2_047, 2_048, 2_559, 2_560, 4_096, 6_143];

interface Birth {
  readonly kind: "child";
  /** Which of the snapshots there are; the n-th modulo their number. */
  readonly parent: number;
  readonly volumeSizeGib: number;
  readonly writes: readonly (readonly [blockIndex: number, contents: number])[];
}

type Step =
  | Birth
  | { readonly kind: "copy" | "delete"; readonly which: number }
  | { readonly kind: "restart"; readonly emulates: boolean };

const birth: fc.Arbitrary<Birth> = fc.record({
  kind: fc.constant("child" as const),
  parent: fc.nat(100),
  volumeSizeGib: fc.constantFrom(1, 3),
  writes: fc.array(fc.tuple(fc.constantFrom(...INDEXES), fc.nat(2)), { maxLength: 6 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: birth },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("copy" as const, "delete" as const),
      which: fc.nat(100),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("restart" as const), emulates: fc.boolean() }),
  },
);

/** A snapshot as the model knows it. */
interface Known {
  readonly id: SnapshotId;
  readonly volumeSizeGib: number;
  readonly contents: ReadonlyMap<number, number>;
  /** Who wrote, where that is known. */
  readonly writers: ReadonlyMap<number, string>;
}

class Lineage {
  readonly #directory: string;
  #opened: Awaited<ReturnType<typeof openCore>> | undefined;
  #emulates = true;
  known: Known[] = [];
  /** So that a lineage in which all was deleted can go on: its first snapshot stays. */
  readonly #keptCount = 1;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get core(): Core {
    assert.ok(this.#opened);
    return this.#opened.core;
  }

  async restart(emulates: boolean): Promise<void> {
    await this.close();
    this.#emulates = emulates;
    const sealing = { durationMs: () => 0 };
    this.#opened = await openCore(this.#directory, systemClock, emulates ? sealing : undefined);
  }

  async close(): Promise<void> {
    await this.#opened?.close();
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "restart") await this.restart(step.emulates);
    else if (step.kind === "child") await this.#bear(step);
    else if (step.kind === "copy") await this.#copy(this.#pick(step.which));
    else await this.#delete(this.#pick(step.which));
  }

  #pick(which: number): Known {
    return this.known[which % this.known.length] as Known;
  }

  async #bear({ parent: which, volumeSizeGib: wanted, writes }: Birth): Promise<void> {
    const parent = this.known.length === 0 ? undefined : this.#pick(which);
    const volumeSizeGib = Math.max(wanted, parent?.volumeSizeGib ?? 1);
    const own = new Map(writes.filter(([blockIndex]) => blockIndex < volumeSizeGib * 2_048));
    const options = { parentSnapshotId: parent?.id, tags: [], ...NO_OPTIONS };
    const { id } = await startSnapshot(this.core, ACCOUNT, { volumeSizeGib, ...options });
    for (const [blockIndex, contents] of own) await this.#put(id, blockIndex, contents);
    const counted = { changedBlocksCount: own.size, linearDigest: undefined };
    await completeSnapshot(this.core, ACCOUNT, { snapshotId: id, ...counted });
    await this.core.sealer.idle();
    const writers = this.#emulates
      ? new Map([...(parent?.writers ?? []), ...[...own.keys()].map((i) => [i, id] as const)])
      : new Map<number, string>();
    const contents = new Map([...(parent?.contents ?? []), ...own]);
    this.known.push({ id, volumeSizeGib, contents, writers });
  }

  async #put(snapshotId: string, blockIndex: number, contents: number): Promise<void> {
    const bytes = blockContents(contents);
    const checksum = checksumOf(digestOf(bytes));
    const named = { snapshotId, blockIndex, dataLength: bytes.length };
    const input = { ...named, checksum, checksumAlgorithm: "SHA256" };
    await putSnapshotBlock(this.core, ACCOUNT, { input, bytes });
  }

  async #copy(source: Known): Promise<void> {
    const input = {
      sourceSnapshotId: source.id,
      description: undefined,
      tags: [],
      encrypted: undefined,
      kmsKeyId: undefined,
    };
    const copy = await copySnapshot(this.core, ACCOUNT, input);
    assert.ok(typeof copy === "object");
    this.known.push({ ...source, id: copy.id });
  }

  async #delete(known: Known): Promise<void> {
    if (this.known.length <= this.#keptCount) return;
    await deleteSnapshot(this.core, ACCOUNT, known.id);
    this.known = this.known.filter((other) => other !== known);
  }
}

/** The candidates of a pair, each as text: the index, which have it, and whether it changed. */
function expectedOf(first: Known, second: Known): { blockIndex: number; text: string }[] {
  const union = new Set([...first.contents.keys(), ...second.contents.keys()]);
  return [...union]
    .sort((a, b) => a - b)
    .map((blockIndex) => {
      const [a, b] = [first.contents.get(blockIndex), second.contents.get(blockIndex)];
      const [x, y] = [first.writers.get(blockIndex), second.writers.get(blockIndex)];
      const isKnown = x !== undefined && y !== undefined;
      const isChanged = a === undefined || b === undefined || (isKnown ? x !== y : a !== b);
      const have = (a === undefined ? "" : "1") + (b === undefined ? "" : "2");
      return { blockIndex, text: isChanged ? `${blockIndex}:${have}` : "" };
    });
}

async function comparePair(core: Core, [first, second]: [Known, Known], limit: number) {
  const ids = { firstSnapshotId: first.id, secondSnapshotId: second.id };
  const ask = (nextToken?: string) => {
    const paging = { nextToken, maxResults: limit, startingBlockIndex: undefined };
    return listBlocksByWriter(core, ACCOUNT, { ...ids, ...paging });
  };
  if (first.contents.size === 0 || second.contents.size === 0) {
    await assert.rejects(ask(), { name: "ValidationException", message: / is empty\.$/ });
    return;
  }
  const expected = expectedOf(first, second);
  let nextToken: string | undefined;
  for (let from = 0; from < expected.length; from += limit) {
    const page = await ask(nextToken);
    const wanted = expected.slice(from, from + limit).map(({ text }) => text);
    assert.deepEqual(textsOf(page), wanted.filter(Boolean), `${first.id} ${second.id} ${from}`);
    assert.equal(page.nextToken !== undefined, from + limit < expected.length, "a next page");
    const isNothing = page.changedBlocks.length === 0 && page.nextToken === undefined;
    assert.equal(page.volumeSizeGib, isNothing ? undefined : second.volumeSizeGib);
    assert.equal(page.expiryTimeMs === undefined, isNothing);
    nextToken = page.nextToken;
  }
}

function textsOf({ changedBlocks }: ChangedBlocksPage): string[] {
  return changedBlocks.map(({ blockIndex, firstBlockToken, secondBlockToken }) => {
    return `${blockIndex}:${firstBlockToken ? "1" : ""}${secondBlockToken ? "2" : ""}`;
  });
}

/** The writer map stands beside the block map and changes nothing about it. */
async function sameContentsSameRoot(core: Core, known: readonly Known[]): Promise<void> {
  const roots = new Map<string, unknown>();
  for (const { id, contents } of known) {
    const key = JSON.stringify([...contents].sort(([a], [b]) => a - b));
    const root = (await core.catalog.snapshots.get(id))?.root;
    assert.equal(root, roots.has(key) ? roots.get(key) : root);
    roots.set(key, root);
  }
}

test("changes by writer agree with a naive model in any lineage, page by page", async (t) => {
  let pairs = 0;
  let rewrites = 0;
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 2, maxLength: 8 }),
    fc.constantFrom(1, 2, 3, 5, 100),
    async (steps, limit) => {
      const clean: (() => unknown)[] = [];
      const directory = await temporaryDirectory({ after: (work) => void clean.push(work) });
      const lineage = new Lineage(directory);
      await lineage.restart(true);
      try {
        const first = { kind: "child", parent: 0, volumeSizeGib: 1, writes: [[0, 1]] } as const;
        for (const each of [first, ...steps]) await lineage.take(each);
        await lineage.restart(true);
        await sameContentsSameRoot(lineage.core, lineage.known);
        for (const one of lineage.known) {
          for (const other of lineage.known) {
            await comparePair(lineage.core, [one, other], limit);
            pairs += 1;
            const bySame = expectedOf(one, other).filter(({ blockIndex, text }) => {
              return text && one.contents.get(blockIndex) === other.contents.get(blockIndex);
            });
            rewrites += bySame.length;
          }
        }
      } finally {
        await lineage.close();
        for (const work of clean) await work();
      }
    },
  );
  await fc.assert(property, { ...propertyRuns(t, 40), interruptAfterTimeLimit: 600_000 });
  t.diagnostic(`${pairs} pairs; ${rewrites} times, the same bytes written by another`);
  assert.ok(rewrites > 0, "the writers, not the contents, decided somewhere");
});
