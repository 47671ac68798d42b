import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "../../src/blocks/hash.ts";
import { checksumOf, type Digest } from "../../src/model/digest.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import type { Service } from "../../src/service.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { blockContents, pick } from "../support/property.ts";

/* What was written to a store, as its writers know it: beside the store, not out of it. */

/** A snapshot that somebody wrote. */
export interface Told {
  readonly id: SnapshotId;
  /** The contents at each block index, by number, inherited ones too. */
  readonly blocks: ReadonlyMap<number, number>;
  /** True when the service has said so. */
  isCompleted: boolean;
  /** True from when its deletion is asked for. */
  isDeleted: boolean;
}

/** How a snapshot is to begin. */
export interface Beginning {
  readonly parent?: Told | undefined;
  readonly tags?: readonly { readonly Key: string; readonly Value: string }[];
  readonly kmsKeyArn?: string | undefined;
}

/** All that was written to one store. */
export class Ledger {
  readonly told = new Map<string, Told>();
  putCount = 0;

  /** Those that have to be there: completed, and their deletion not asked for. */
  lasting(): Told[] {
    return [...this.told.values()].filter(
      ({ isCompleted, isDeleted }) => isCompleted && !isDeleted,
    );
  }

  deleted(): Told[] {
    return [...this.told.values()].filter(({ isDeleted }) => isDeleted);
  }

  /** Starts a snapshot, puts blocks, and completes it. */
  async write(
    service: Service,
    writes: ReadonlyMap<number, number>,
    beginning: Beginning = {},
  ): Promise<Told> {
    const { core, firstKey } = service;
    const { account } = firstKey.key;
    const id = await this.begin(service, writes, beginning);
    const completion = { changedBlocksCount: writes.size, linearDigest: undefined };
    const complete = () => completeSnapshot(core, account, { snapshotId: id, ...completion });
    for (let state = await complete(); state !== "completed"; state = await complete()) {
      assert.equal(state, "pending");
      await sleep(2);
    }
    const blocks = new Map([...(beginning.parent?.blocks ?? []), ...writes]);
    const told = { id, blocks, isCompleted: true, isDeleted: false };
    this.told.set(id, told);
    return told;
  }

  /** Starts a snapshot and puts blocks. */
  async begin(
    { core, firstKey }: Service,
    writes: ReadonlyMap<number, number>,
    { parent, tags = [], kmsKeyArn }: Beginning = {},
  ): Promise<SnapshotId> {
    const { account } = firstKey.key;
    const input = { ...START, parentSnapshotId: parent?.id, tags, kmsKeyArn };
    const { id } = await startSnapshot(core, account, input);
    const put = async ([blockIndex, contents]: readonly [number, number]) => {
      const bytes = blockContents(contents);
      const named = { snapshotId: id, blockIndex, dataLength: bytes.length };
      const checksum = checksumOf(digestOf(bytes));
      const input = { ...named, checksum, checksumAlgorithm: "SHA256" };
      await putSnapshotBlock(core, account, { input, bytes });
      this.putCount += 1;
    };
    await Promise.all([...writes].map(put));
    return id;
  }

  async delete({ core, firstKey }: Service, told: Told): Promise<void> {
    told.isDeleted = true;
    assert.equal(await deleteSnapshot(core, firstKey.key.account, told.id), "deleted");
  }
}

const START = {
  volumeSizeGib: 1,
  description: "of a rebuild",
  clientToken: undefined,
  encrypted: undefined,
  timeoutMinutes: undefined,
};

/** Block indexes of a snapshot of one GiB, and what is put there. */
export function someWrites(
  fraction: () => number,
  { count, contents }: { readonly count: number; readonly contents: () => number },
): Map<number, number> {
  return new Map(Array.from({ length: count }, () => [pick(fraction, 1_500), contents()] as const));
}

/** Every block of a snapshot is there, and is what was put; answers how many. */
export async function checkWhole(core: Core, { id, blocks }: Told): Promise<number> {
  const snapshot = await core.catalog.snapshots.get(id);
  assert.equal(snapshot?.state, "completed", `${id} is there`);
  const { root, domain } = snapshot;
  const entries = await core.maps(domain).entries(root, 0, blocks.size + 1);
  assert.deepEqual(
    new Map(entries.map(({ blockIndex, digest }) => [blockIndex, digest])),
    new Map([...blocks].sort(([a], [b]) => a - b).map(([i, contents]) => [i, digestFor(contents)])),
    `the blocks of ${id}`,
  );
  // Each is hashed when it is read.
  for (const { digest } of entries) await core.blocks.getBlock(domain, digest);
  return entries.length;
}

const digests = new Map<number, Digest>();

function digestFor(contents: number): Digest {
  const digest = digests.get(contents) ?? digestOf(blockContents(contents));
  digests.set(contents, digest);
  return digest;
}
