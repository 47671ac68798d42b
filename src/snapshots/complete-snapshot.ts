import { waitAtMost } from "../base/clock.ts";
import type { Digest } from "../model/digest.ts";
import { snapshotNotFound } from "../model/errors.ts";
import type { AccountId } from "../model/ids.ts";
import { type VisibleState, visibleState } from "../model/snapshot.ts";
import { type Core, findOwned, seenKey } from "./core.ts";

/** Parameters of CompleteSnapshot. */
export interface CompleteSnapshotInput {
  readonly snapshotId: string;
  readonly changedBlocksCount: number;
  /** Aggregate over the written blocks' digests; undefined when the caller gave none. */
  readonly linearDigest: Digest | undefined;
}

/**
 * How long the first answer waits for the sealing, so that a caller who reads right afterwards
 * finds the snapshot. AWS takes 1 to 2 s; nothing depends on the number.
 */
const SEAL_WAIT_MS = 1_000;

/**
 * Asks for a snapshot to be completed. The request is durable when this resolves; the sealing
 * that it starts goes on by itself, across restarts. The first call answers `pending`, as on AWS;
 * a repetition answers how the snapshot stands, whatever count and checksum it carries.
 */
export async function completeSnapshot(
  core: Core,
  account: AccountId,
  input: CompleteSnapshotInput,
): Promise<VisibleState> {
  const snapshot = await findOwned(core, account, input.snapshotId);
  if (!snapshot) throw snapshotNotFound(input.snapshotId);
  if (snapshot.state !== "pending") return visibleState(snapshot.state);
  const { changedBlocksCount, linearDigest } = input;
  const completion = { changedBlocksCount, linearDigest };
  const change = { state: "sealing", completion } as const;
  const isFirst = await core.catalog.snapshots.changeState(snapshot.id, "pending", change);
  core.seenPending?.delete(seenKey(account, snapshot.id));
  // Somebody else completed, expired or deleted it in between: answer as to a repetition.
  if (!isFirst) return completeSnapshot(core, account, input);
  await waitAtMost(core.clock, SEAL_WAIT_MS, core.sealer.seal(snapshot.id));
  return "pending";
}
