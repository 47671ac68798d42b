import { snapshotNotFound } from "../model/errors.ts";
import { blockCountOf } from "../model/geometry.ts";
import type { AccountId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Core, findOwned } from "./core.ts";

/** Writes counted for one answer: as many as blocks on a page of a listing. */
const WRITES_COUNT_MAX = 10_000;

/** How far a snapshot is. */
export interface SnapshotProgress {
  readonly stage: "writing" | "sealing" | "copying" | "completed" | "error";
  readonly blocksDone: number;
  /** Undefined while nobody knows. */
  readonly blocksTotal: number | undefined;
  /** Where counting goes on; undefined when all are counted. */
  readonly nextIndex: number | undefined;
}

/**
 * How far a snapshot of the account's own is: counts a bounded number of the blocks written to it,
 * from a block index on, and answers where to go on. Throws where there is no such snapshot.
 */
export async function snapshotProgress(
  core: Core,
  account: AccountId,
  { snapshotId, fromIndex }: { readonly snapshotId: string; readonly fromIndex: number },
): Promise<SnapshotProgress> {
  const snapshot = await findOwned(core, account, snapshotId);
  if (!snapshot) throw snapshotNotFound(snapshotId);
  if (snapshot.state === "copying") return copyProgress(core, snapshot);
  if (snapshot.state !== "pending" && snapshot.state !== "sealing") {
    const stage = snapshot.state === "error" ? "error" : "completed";
    const { blockCount } = snapshot;
    return { stage, blocksDone: blockCount, blocksTotal: blockCount, nextIndex: undefined };
  }
  const { id, state, completion } = snapshot;
  const writes = await core.catalog.blocks.pendingWrites(id, fromIndex, WRITES_COUNT_MAX);
  const last = writes.length === WRITES_COUNT_MAX ? writes.at(-1) : undefined;
  return {
    stage: state === "pending" ? "writing" : "sealing",
    blocksDone: writes.length,
    blocksTotal: completion?.changedBlocksCount,
    nextIndex: last && last.blockIndex + 1,
  };
}

async function copyProgress(core: Core, snapshot: Snapshot): Promise<SnapshotProgress> {
  const copies = await core.catalog.copies.all();
  const copy = copies.find(({ id }) => id === snapshot.id);
  return {
    stage: "copying",
    blocksDone: copy?.nextIndex ?? 0,
    blocksTotal: blockCountOf(snapshot.volumeSizeGib),
    nextIndex: undefined,
  };
}
