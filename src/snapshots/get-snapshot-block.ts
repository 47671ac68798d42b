import { checksumOf } from "../model/digest.ts";
import { invalid } from "../model/errors.ts";
import type { AccountId } from "../model/ids.ts";
import { type Core, readable } from "./core.ts";

/** Parameters of GetSnapshotBlock. */
export interface GetSnapshotBlockInput {
  readonly snapshotId: string;
  readonly blockIndex: number;
  readonly blockToken: string;
  /** Room of `BLOCK_BUFFER_BYTES` for the answer, which may lie in it. */
  readonly buffer?: Uint8Array;
}

/** A block's 524,288 bytes, hashed again just now, and their checksum. */
export interface SnapshotBlock {
  readonly bytes: Uint8Array;
  readonly checksum: string;
}

/** Reads one block of a completed snapshot. */
export async function getSnapshotBlock(
  core: Core,
  account: AccountId,
  { snapshotId, blockIndex, blockToken, buffer }: GetSnapshotBlockInput,
): Promise<SnapshotBlock> {
  const snapshot = await readable(core, account, snapshotId);
  const scope = { kind: "block", snapshotIds: [snapshotId] } as const;
  if (core.tokens.open(scope, blockToken) !== blockIndex) {
    throw invalid("INVALID_BLOCK_TOKEN", `The block token ${blockToken} is invalid.`);
  }
  const domain = snapshot.domain;
  const digest = await core.maps(domain).lookup(snapshot.root, blockIndex);
  if (digest === undefined) throw new Error(`Block ${blockIndex} of ${snapshotId} has no digest`);
  const bytes = await core.blocks.getBlock(domain, digest, buffer);
  return { bytes, checksum: checksumOf(digest) };
}
