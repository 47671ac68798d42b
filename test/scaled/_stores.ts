import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { digestOf } from "../../src/blocks/hash.ts";
import { checksumOf } from "../../src/model/digest.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { Service } from "../../src/service.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { seededBytes } from "../support/property.ts";

/* What the tests of a store in two engines write, and how they find all of it again. */

/** Contents that no two seeds have in common. */
export function contentsOf(seed: string): Uint8Array {
  return seededBytes(seed, BLOCK_SIZE_BYTES);
}

/** What was acknowledged: of each snapshot, the contents' seed by block index. */
export type Written = Map<SnapshotId, Map<number, string>>;

const START = {
  volumeSizeGib: 1,
  parentSnapshotId: undefined,
  tags: [],
  description: undefined,
  clientToken: undefined,
  timeoutMinutes: undefined,
  kmsKeyArn: undefined,
  encrypted: undefined,
};

/** Starts a snapshot, of a parent or under a key where they are given. */
export async function started(
  { core, firstKey }: Service,
  input: { readonly parentSnapshotId?: string; readonly kmsKeyArn?: string } = {},
): Promise<SnapshotId> {
  const encrypted = input.kmsKeyArn === undefined ? undefined : true;
  const { account } = firstKey.key;
  const { id } = await startSnapshot(core, account, { ...START, ...input, encrypted });
  return id;
}

/** Puts one block; durable when it resolves. */
export async function put(
  { core, firstKey }: Service,
  snapshotId: string,
  block: { readonly blockIndex: number; readonly seed: string },
): Promise<void> {
  const bytes = contentsOf(block.seed);
  const checksum = checksumOf(digestOf(bytes));
  const named = { snapshotId, blockIndex: block.blockIndex, dataLength: bytes.length };
  const input = { ...named, checksum, checksumAlgorithm: "SHA256" };
  await putSnapshotBlock(core, firstKey.key.account, { input, bytes });
}

/** Completes a snapshot and waits until it is. */
export async function complete({ core, firstKey }: Service, snapshotId: string, count: number) {
  const counted = { changedBlocksCount: count, linearDigest: undefined };
  await completeSnapshot(core, firstKey.key.account, { snapshotId, ...counted });
  await core.sealer.idle();
  // What failed is tried again every ten seconds, by whichever process leads then.
  for (let i = 0; ; i++) {
    const found = await core.catalog.snapshots.get(snapshotId as SnapshotId);
    if (found?.state === "completed") return;
    assert.ok(found?.state === "sealing" && i < 600, found?.stateMessage ?? "it is sealed in time");
    await setTimeout(100);
  }
}

/** A completed snapshot of such contents, noted as written. */
export async function completed(
  service: Service,
  written: Written,
  input: Parameters<typeof started>[1] & { readonly seeds: readonly string[] },
): Promise<SnapshotId> {
  const { seeds, ...begun } = input;
  const id = await started(service, begun);
  await Promise.all(seeds.map((seed, blockIndex) => put(service, id, { blockIndex, seed })));
  await complete(service, id, seeds.length);
  written.set(id, new Map(seeds.map((seed, blockIndex) => [blockIndex, seed])));
  return id;
}

/** Every block that was acknowledged is there, as it was. */
export async function checkAll({ core }: Service, written: Written): Promise<void> {
  for (const [id, blocks] of written) {
    const snapshot = await core.catalog.snapshots.get(id);
    assert.equal(snapshot?.state, "completed", id);
    const { root, domain } = snapshot;
    for (const [blockIndex, seed] of blocks) {
      assert.ok(root !== undefined, `${id} has a root`);
      const digest = await core.maps(domain).lookup(root, blockIndex);
      assert.ok(digest !== undefined, `${id} has block ${blockIndex}`);
      const bytes = await core.blocks.getBlock(domain, digest);
      assert.ok(Buffer.compare(bytes, contentsOf(seed)) === 0, `${id}, block ${blockIndex}`);
    }
  }
}
