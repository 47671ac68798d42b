import assert from "node:assert/strict";
import { digestOf } from "../../src/blocks/hash.ts";
import { checksumOf, type RecordName, ZERO_BLOCK_NAME } from "../../src/model/digest.ts";
import { CorruptionError, ServiceError } from "../../src/model/errors.ts";
import type { Domain, SnapshotId } from "../../src/model/ids.ts";
import { forgetSettledWrites } from "../../src/snapshots/chores/expire-snapshots.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import { copySnapshot } from "../../src/snapshots/copy-snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { getSnapshotBlock } from "../../src/snapshots/get-snapshot-block.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { ACCOUNT, NO_OPTIONS } from "../model/drivers.ts";
import { blockContents, pick } from "../support/property.ts";

/** Around the border of two leaves. */
const INDEXES = [0, 1, 511, 512];
/** Few contents, so that what one needs is what another gives up. The first is zeros. */
const CONTENTS = [0, 1, 2, 3, 4].map((contents) => {
  const bytes = blockContents(contents);
  return { bytes, checksum: checksumOf(digestOf(bytes)) };
});

type Blocks = ReadonlyMap<number, number>;

/** A snapshot as the model knows it. */
export interface Known {
  readonly id: string;
  readonly contents: Map<number, number>;
  /** How many of its blocks were written to itself. */
  writtenCount: number;
  state: "pending" | "completing" | "copying" | "completed";
  /** Once somebody asked for its deletion, nobody can count on it. */
  isDeleted: boolean;
}

/** Operations on a core beside each other, and the model that says what must come of them. */
export class ConcurrentHistory {
  readonly #core: Core;
  readonly #fraction: () => number;
  readonly known: Known[] = [];

  constructor(core: Core, fraction: () => number) {
    this.#core = core;
    this.#fraction = fraction;
  }

  /** One operation drawn from the seed. */
  async step(): Promise<void> {
    const drawn = this.#fraction();
    if (drawn < 0.35) await this.write();
    else if (drawn < 0.6) await this.deleteAny();
    else if (drawn < 0.75) await this.readAny();
    else if (drawn < 0.9) await this.copyAny();
    else await forgetSettledWrites(this.#core);
  }

  /** A snapshot from its start to, mostly, its completion; often the same as one that was. */
  async write(): Promise<void> {
    const isTwin = this.#fraction() < 0.4;
    const twin = isTwin ? this.known[pick(this.#fraction, this.known.length)] : undefined;
    const parent = this.#fraction() < 0.5 && !twin ? this.#any(isCompleted) : undefined;
    const input = { volumeSizeGib: 1, parentSnapshotId: parent?.id, tags: [], ...NO_OPTIONS };
    const started = await unless(parent, () => startSnapshot(this.#core, ACCOUNT, input));
    if (!started) return;
    const contents = new Map(parent?.contents);
    const fresh = { writtenCount: 0, state: "pending", isDeleted: false } as const;
    const known: Known = { id: started.id, contents, ...fresh };
    this.known.push(known);
    const writes = new Map(twin ? twin.contents : this.#someWrites());
    const puts = [...writes].map(([index, number]) => this.#put(known, index, number));
    const areDone = (await Promise.all(puts)).every((isDone) => isDone);
    if (!areDone) return;
    for (const [blockIndex, number] of writes) contents.set(blockIndex, number);
    known.writtenCount = writes.size;
    if (this.#fraction() < 0.85) await this.complete(known);
  }

  #someWrites(): Blocks {
    const count = 1 + pick(this.#fraction, 3);
    const indexes = Array.from({ length: count }, () => pick(this.#fraction, INDEXES.length));
    return new Map(
      indexes.map((i) => [INDEXES[i] as number, pick(this.#fraction, CONTENTS.length)]),
    );
  }

  async #put(known: Known, blockIndex: number, number: number): Promise<boolean> {
    const { bytes, checksum } = CONTENTS[number] as (typeof CONTENTS)[number];
    const named = { snapshotId: known.id, blockIndex, dataLength: bytes.length };
    const input = { ...named, checksum, checksumAlgorithm: "SHA256" };
    const put = await unless(known, async () => {
      await putSnapshotBlock(this.#core, ACCOUNT, { input, bytes });
      return true;
    });
    return put ?? false;
  }

  /** Has it completed: the answer waits for the sealing, on a clock on which nothing is late. */
  async complete(known: Known): Promise<void> {
    known.state = "completing";
    const counted = { changedBlocksCount: known.writtenCount, linearDigest: undefined };
    const input = { snapshotId: known.id, ...counted };
    await unless(known, () => completeSnapshot(this.#core, ACCOUNT, input));
    known.state = "completed";
  }

  async deleteAny(): Promise<void> {
    const known = this.#any(() => true);
    if (known) await this.delete(known);
  }

  async delete(known: Known): Promise<void> {
    known.isDeleted = true;
    await deleteSnapshot(this.#core, ACCOUNT, known.id);
  }

  async readAny(): Promise<void> {
    const known = this.#any(isCompleted);
    if (known) await unless(known, () => checkContents(this.#core, known));
  }

  async copyAny(): Promise<void> {
    const source = this.#any(isCompleted);
    if (!source) return;
    const input = {
      sourceSnapshotId: source.id,
      ...{ description: undefined, tags: [], kmsKeyId: undefined },
      encrypted: this.#fraction() < 0.4 ? true : undefined,
    };
    const copied = await unless(source, () => copySnapshot(this.#core, ACCOUNT, input));
    if (typeof copied !== "object") {
      assert.ok(source.isDeleted, "only what is deleted cannot be copied");
      return;
    }
    const contents = new Map(source.contents);
    const state = copied.state === "copying" ? "copying" : "completed";
    this.known.push({ id: copied.id, contents, writtenCount: 0, state, isDeleted: false });
  }

  #any(isWanted: (known: Known) => boolean): Known | undefined {
    const wanted = this.known.filter((known) => !known.isDeleted && isWanted(known));
    return wanted[pick(this.#fraction, wanted.length)];
  }
}

function isCompleted({ state }: Known): boolean {
  return state === "completed";
}

/**
 * What comes of the work; undefined where it was refused or found nothing, as it may once the
 * snapshot is deleted. Wrong bytes, and mistakes of the code, are so whatever was deleted.
 */
async function unless<T>(known: Known | undefined, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const isOfDeletion = error instanceof ServiceError || error instanceof CorruptionError;
    if (isOfDeletion && known?.isDeleted) return undefined;
    throw error;
  }
}

/** The snapshot has its blocks, each with its bytes, and no other. */
export async function checkContents(core: Core, { id, contents }: Known): Promise<true> {
  const page = { nextToken: undefined, maxResults: undefined, startingBlockIndex: undefined };
  const { blocks } = await listSnapshotBlocks(core, ACCOUNT, { snapshotId: id, ...page });
  const indexes = blocks.map(({ blockIndex }) => blockIndex);
  assert.deepEqual(
    indexes,
    [...contents.keys()].sort((a, b) => a - b),
  );
  for (const { blockIndex, blockToken } of blocks) {
    const input = { snapshotId: id, blockIndex, blockToken };
    const { bytes } = await getSnapshotBlock(core, ACCOUNT, input);
    const expected = CONTENTS[contents.get(blockIndex) as number]?.bytes as Uint8Array;
    assert.ok(Buffer.compare(bytes, expected) === 0, `block ${blockIndex} of ${id} is another`);
  }
  return true;
}

/** Everything that the catalog says is needed has a location, at which it can be read. */
export async function checkReferences(core: Core): Promise<number> {
  const { catalog } = core;
  let count = 0;
  const check = async (domain: Domain, name: RecordName) => {
    const location = await catalog.blocks.locate(domain, name);
    assert.ok(location, `the catalog has no place for ${name}, which is needed`);
    count += 1;
  };
  for (const domain of await domainsOf(core)) {
    for (const name of await catalog.liveness.manifests(domain)) await check(domain, name);
    const { names } = await catalog.liveness.pendingNames(domain, undefined, 10_000);
    for (const name of names) if (name !== ZERO_BLOCK_NAME) await check(domain, name);
    for (const { root, isGarbage } of await catalog.liveness.roots(domain)) {
      // A copy whose source had gone before it was noted is removed at once, and reaches nothing.
      if (isGarbage) continue;
      for (const name of await core.blocks.records.namesOf(domain, [root]))
        await check(domain, name);
    }
  }
  return count;
}

async function domainsOf({ catalog }: Core): Promise<Set<Domain>> {
  const keys = await catalog.encryption.page(ACCOUNT, "", 100);
  return new Set<Domain>([ACCOUNT, ...keys.map(({ domain }) => domain)]);
}

/** The state of a snapshot in the catalog. */
export async function stateOf(core: Core, { id }: Known): Promise<string | undefined> {
  return (await core.catalog.snapshots.get(id as SnapshotId))?.state;
}
