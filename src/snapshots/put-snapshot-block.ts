import { checksumOf, type Digest } from "../model/digest.ts";
import { invalid, ServiceError, snapshotNotFound } from "../model/errors.ts";
import { blockCountOf } from "../model/geometry.ts";
import type { AccountId } from "../model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Core, checkKeyUsable, findOwned, seenKey } from "./core.ts";

/** Parameters of PutSnapshotBlock without the block's bytes. */
export interface PutSnapshotBlockInput {
  readonly snapshotId: string;
  readonly blockIndex: number;
  readonly dataLength: number;
  /** base64 of the block's SHA-256, as the caller computed it. */
  readonly checksum: string;
  readonly checksumAlgorithm: string;
}

/** A block to write. */
export interface BlockPut {
  readonly input: PutSnapshotBlockInput;
  readonly bytes: Uint8Array;
  /** What has to resolve before anything is made durable. */
  readonly isConfirmed?: Promise<void> | undefined;
}

/**
 * Writes one block to a pending snapshot; durable when it resolves. `bytes` may be reused after
 * that. The last write to a block index counts. Answers the block's checksum.
 */
export async function putSnapshotBlock(
  core: Core,
  account: AccountId,
  { input, bytes, isConfirmed }: BlockPut,
): Promise<{ checksum: string }> {
  const key = seenKey(account, input.snapshotId);
  const seen = core.seenPending?.get(key);
  const snapshot = seen ?? (await findPending(core, account, input.snapshotId));
  if (seen) await checkKeyUsable(core, seen);
  else core.seenPending?.set(key, snapshot);
  const checked = checkBlock(core, { input, bytes, snapshot });
  const digest = await checked.catch(async (error: unknown) => {
    // Of a snapshot that takes no writes any more, that is said first.
    if (seen) await findPending(core, account, input.snapshotId);
    throw error;
  });
  core.checkRoom();
  const target = {
    domain: snapshot.domain,
    snapshotId: snapshot.id,
    blockIndex: input.blockIndex,
    expiresAtMs: core.clock.nowMs() + snapshot.timeoutMinutes * 60_000,
    isConfirmed,
  };
  const refusal = await core.blocks.putBlock(target, digest, bytes);
  if (refusal) {
    core.seenPending?.delete(key);
    // Completed, timed out or deleted while the block was under way: say which.
    await findPending(core, account, input.snapshotId);
    throw new Error(`A write to pending snapshot ${snapshot.id} was refused: ${refusal}`);
  }
  return { checksum: input.checksum };
}

/** The snapshot if it takes writes; throws what AWS says of one that does not. */
async function findPending(core: Core, account: AccountId, snapshotId: string): Promise<Snapshot> {
  const snapshot = await findOwned(core, account, snapshotId);
  if (!snapshot || snapshot.state === "error") throw snapshotNotFound(snapshotId);
  if (snapshot.state !== "pending") {
    throw invalid("INVALID_SNAPSHOT_ID", "Snapshot is already completed");
  }
  await checkKeyUsable(core, snapshot);
  return snapshot;
}

/** Checks a block against its parameters and its snapshot; answers its digest. */
async function checkBlock(
  core: Core,
  block: {
    readonly input: PutSnapshotBlockInput;
    readonly bytes: Uint8Array;
    readonly snapshot: Snapshot;
  },
): Promise<Digest> {
  checkLengths(block.input, block.bytes);
  checkExtent(block.input, block.snapshot);
  return checkDigest(core, block.input, block.bytes);
}

function checkLengths({ dataLength }: PutSnapshotBlockInput, bytes: Uint8Array): void {
  if (bytes.length !== BLOCK_SIZE_BYTES) {
    throw invalid("INVALID_PARAMETER_VALUE", "Failed to read block data");
  }
  if (dataLength !== BLOCK_SIZE_BYTES) {
    const message = `Block data length ${dataLength} is not valid, expected ${BLOCK_SIZE_BYTES}`;
    throw invalid("INVALID_BLOCK", message);
  }
}

function checkExtent({ blockIndex }: PutSnapshotBlockInput, snapshot: Snapshot): void {
  if (blockIndex >= blockCountOf(snapshot.volumeSizeGib)) {
    const message = `Block index ${blockIndex} is beyond the volume size extent`;
    throw invalid("INVALID_BLOCK", message);
  }
}

async function checkDigest(
  core: Core,
  input: PutSnapshotBlockInput,
  bytes: Uint8Array,
): Promise<Digest> {
  if (input.checksumAlgorithm !== "SHA256") {
    const message =
      `Unsupported Checksum Algorithm '${input.checksumAlgorithm}', ` +
      "supported algorithms are SHA256";
    throw invalid("INVALID_PARAMETER_VALUE", message);
  }
  const digest = await core.blocks.digestOf(bytes);
  const computed = checksumOf(digest);
  if (computed !== input.checksum) {
    const message =
      "The value passed in as x-amz-Checksum does not match the computed checksum. " +
      `Computed checksum: ${computed} expected checksum: ${input.checksum}`;
    throw new ServiceError("InvalidSignatureException", undefined, message);
  }
  return digest;
}
