import { forEachConcurrent } from "../base/concurrency.ts";
import { LruCache } from "../base/lru-cache.ts";
import type { VerificationProgress } from "../catalog/integrity.ts";
import { ZERO_BLOCK_DIGEST } from "../model/digest.ts";
import { CorruptionError, invalid, snapshotNotFound } from "../model/errors.ts";
import { type Extent, joinExtents } from "../model/extent.ts";
import { blockCountOf } from "../model/geometry.ts";
import type { AccountId } from "../model/ids.ts";
import { BAD_EXTENTS_COUNT_MAX, BLOCK_SIZE_BYTES } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { BlockMaps, type MapPiece } from "../tree/block-map.ts";
import type { Node } from "../tree/node.ts";
import { type Core, checkKeyUsable, findOwned } from "./core.ts";
import { agreesWithManifest } from "./manifest.ts";

/** How long one step takes, but for one leaf's blocks: well within a client's patience. */
const STEP_MS = 5_000;
/** Blocks read at once: a bound on memory, and on what a verification takes from others. */
const BLOCKS_AT_ONCE = 4;
/** A walk needs the path to one leaf, and has to read from the disk what it has not just read. */
const NODES_BYTES_MAX = 128 * 1024;

/** What is known of a snapshot's manifest; of a snapshot completed long ago it is not known. */
export type ManifestState = "whole" | "damaged" | "unknown";

/** What a step of a verification came to. */
export interface VerificationStep extends VerificationProgress {
  /** Blocks that the snapshot has, by the catalog. */
  readonly blockCount: number;
  /** Block index at which the next step begins; undefined after the last. */
  readonly continuesAt: number | undefined;
  readonly manifest: ManifestState;
  /** True after the last step when nothing is bad. */
  readonly isWhole: boolean;
}

/**
 * Reads a snapshot again from its root to its blocks, and hashes all of it, for some seconds: from
 * the beginning, or from where the step before ended. After the last step the outcome is noted.
 */
export async function verifySnapshot(
  core: Core,
  account: AccountId,
  input: { readonly snapshotId: string; readonly fromIndex: number | undefined },
): Promise<VerificationStep> {
  const snapshot = await findOwned(core, account, input.snapshotId);
  if (snapshot?.state !== "completed") throw snapshotNotFound(input.snapshotId);
  await checkKeyUsable(core, snapshot);
  const { blockCount } = snapshot;
  const begun = await beginStep(core, snapshot, input.fromIndex);
  const { progress, isLast } = await verifyPieces(core, snapshot, begun);
  if (!isLast) {
    await core.catalog.verifications.advance(snapshot.id, progress);
    const { nextIndex: continuesAt } = progress;
    return { ...progress, blockCount, continuesAt, manifest: "unknown", isWhole: false };
  }
  const manifest = await verifyManifest(core, snapshot);
  const isEveryBlockGood = progress.badBlockCount === 0 && progress.blocksVerified === blockCount;
  const isWhole = isEveryBlockGood && manifest !== "damaged";
  await core.catalog.verifications.end(snapshot.id, { endedAtMs: core.clock.nowMs(), isWhole });
  return { ...progress, blockCount, continuesAt: undefined, manifest, isWhole };
}

async function beginStep(
  core: Core,
  { id }: Snapshot,
  fromIndex: number | undefined,
): Promise<VerificationProgress> {
  if (fromIndex !== undefined) {
    const progress = await core.catalog.verifications.progress(id);
    // One that begins before is repeated, for its answer was lost, or is another client's: all
    // before `nextIndex` has been verified, whoever asked for it.
    if (progress && fromIndex > 0 && fromIndex <= progress.nextIndex) return progress;
    const message = `No verification of ${id} goes on at block index ${fromIndex}; begin anew`;
    throw invalid("INVALID_PARAMETER_VALUE", message);
  }
  const counts = { nextIndex: 0, blocksVerified: 0, bytesVerified: 0, badBlockCount: 0 };
  return { startedAtMs: core.clock.nowMs(), ...counts, badExtents: [] };
}

async function verifyPieces(core: Core, snapshot: Snapshot, begun: VerificationProgress) {
  const { domain, root, volumeSizeGib } = snapshot;
  const nodes = new LruCache<Node>(NODES_BYTES_MAX, (node) => node.sizeBytes);
  const maps = new BlockMaps(core.blocks.nodeStore(domain), nodes);
  const endMs = core.clock.monotonicMs() + STEP_MS;
  let progress = begun;
  for await (const piece of maps.pieces(root, begun.nextIndex)) {
    const first = piece.lost?.start ?? piece.entries[0]?.blockIndex ?? 0;
    if (core.clock.monotonicMs() >= endMs && progress !== begun) {
      return { progress: { ...progress, nextIndex: first }, isLast: false };
    }
    const bad = await findBad(core, snapshot, piece);
    progress = add(progress, piece, clipAll(bad, blockCountOf(volumeSizeGib)));
  }
  return { progress, isLast: true };
}

/** The extents of a piece that cannot be read, ascending. */
async function findBad(core: Core, { domain }: Snapshot, piece: MapPiece): Promise<Extent[]> {
  if (piece.lost) return [piece.lost];
  const bad: number[] = [];
  await forEachConcurrent(piece.entries, BLOCKS_AT_ONCE, async ({ blockIndex, digest }) => {
    await core.blocks.getBlock(domain, digest).catch((error: unknown) => {
      if (!(error instanceof CorruptionError)) throw error;
      bad.push(blockIndex);
    });
  });
  return bad.sort((a, b) => a - b).map((start) => ({ start, count: 1 }));
}

function add(
  progress: VerificationProgress,
  { entries }: MapPiece,
  bad: readonly Extent[],
): VerificationProgress {
  const stored = entries.filter(({ digest }) => digest !== ZERO_BLOCK_DIGEST).length;
  return {
    ...progress,
    blocksVerified: progress.blocksVerified + entries.length,
    bytesVerified: progress.bytesVerified + stored * BLOCK_SIZE_BYTES,
    badBlockCount: progress.badBlockCount + bad.reduce((sum, { count }) => sum + count, 0),
    badExtents: joinExtents([...progress.badExtents, ...bad]).slice(0, BAD_EXTENTS_COUNT_MAX),
  };
}

function clipAll(extents: readonly Extent[], end: number): Extent[] {
  return extents
    .filter(({ start }) => start < end)
    .map(({ start, count }) => ({ start, count: Math.min(count, end - start) }));
}

/** The manifest has to be there, and to say what the catalog says, but for tags, which change. */
async function verifyManifest(core: Core, snapshot: Snapshot): Promise<ManifestState> {
  const { domain, manifest } = snapshot;
  if (manifest === undefined) return "unknown";
  try {
    const bytes = await core.blocks.records.getManifest(domain, manifest);
    return agreesWithManifest(snapshot, bytes) ? "whole" : "damaged";
  } catch (error) {
    if (error instanceof CorruptionError) return "damaged";
    throw error;
  }
}
