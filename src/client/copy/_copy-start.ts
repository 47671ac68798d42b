import { TIMEOUT_MINUTES_DEFAULT, TIMEOUT_MINUTES_MAX } from "../../model/limits.ts";
import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import type { StartSnapshotRequest } from "../../wire/start-snapshot.ts";
import { startSnapshot } from "../api/ebs-operations.ts";
import { onceReadable, UNKNOWN_MS_MAX } from "../api/once-known.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { checksumOfBytes } from "../call/node-crypto.ts";
import { CopyError } from "../errors.ts";
import { tagsOfCopy } from "./_copies.ts";
import type { CopyBase } from "./_copy-base.ts";
import { stateOf } from "./_snapshot-state.ts";

/** Copies that may have been begun in vain, one after another, before one gives up. */
const ATTEMPTS_MAX = 32;

/**
 * How a copy is to be encrypted, where it has no parent to go by. Unless told, a copy of an
 * encrypted snapshot is encrypted under the destination's default key, and another one as the
 * destination does by default.
 */
export interface CopyEncryption {
  readonly encrypted?: boolean | undefined;
  readonly kmsKeyArn?: string | undefined;
}

/** What to start. */
export interface CopyStart {
  readonly source: Client;
  readonly destination: Client;
  readonly snapshot: SnapshotDescription;
  readonly base: CopyBase | undefined;
  readonly encryption: CopyEncryption;
  /** How many of this copy are known to have been begun in vain. */
  readonly attempt: number;
  /** True when the parent was completed just now, and may not be known everywhere. */
  readonly isParentNew: boolean;
}

/** A copy that was started, by this run or by an earlier one. */
export interface StartedCopy {
  readonly snapshotId: string;
  readonly attempt: number;
  readonly state: "pending" | "completed";
}

/**
 * Starts a copy, or finds the one that an earlier run has started: the client token follows from
 * what is copied, whereto and how, and from how often that came to nothing.
 */
export async function startCopy(start: CopyStart, options: CallOptions): Promise<StartedCopy> {
  const input = inputOf(start);
  const { destination, snapshot, base, isParentNew: isNew } = start;
  const snapshotIds = base === undefined ? [] : [base.parentSnapshotId];
  const parent = { snapshotIds, isNew, signal: options.signal };
  for (let { attempt } = start; attempt < start.attempt + ATTEMPTS_MAX; attempt++) {
    const ClientToken = tokenFor(start, input, attempt);
    const answer = await onceReadable(destination, parent, () =>
      startSnapshot(destination, { ...input, ClientToken }, options),
    );
    const { SnapshotId: snapshotId, StartTime } = answer;
    const isYoung = destination.clock.nowMs() - StartTime * 1_000 < UNKNOWN_MS_MAX;
    const state = await stateOf(destination, snapshotId, options);
    if (state === "pending" || state === "completed") return { snapshotId, attempt, state };
    // AWS does not know at once what it has just started.
    if (state === undefined && isYoung) return { snapshotId, attempt, state: "pending" };
  }
  const { SnapshotId: sourceSnapshotId } = snapshot;
  const message = `${ATTEMPTS_MAX} copies of ${sourceSnapshotId} ended before they were done.`;
  throw new CopyError(message, { sourceSnapshotId, aftermath: "Look at them with: varve list" });
}

function inputOf({ source, snapshot, base, encryption }: CopyStart): StartSnapshotRequest {
  const { VolumeSize, Description } = snapshot;
  const { kmsKeyArn: KmsKeyArn } = encryption;
  // As with AWS's own copies, what is encrypted does not lose that on its way.
  const Encrypted = encryption.encrypted ?? (snapshot.Encrypted ? true : undefined);
  return {
    VolumeSize,
    Description: Description === "" ? undefined : Description,
    ParentSnapshotId: base?.parentSnapshotId,
    Tags: tagsOfCopy(source, snapshot),
    // A minute for each GiB: comparing two sides may go on for long without a block to write.
    Timeout: Math.min(TIMEOUT_MINUTES_MAX, Math.max(TIMEOUT_MINUTES_DEFAULT, VolumeSize)),
    // A child is encrypted as its parent, and EBS takes nothing else.
    ...(base ? {} : { Encrypted, KmsKeyArn }),
  };
}

function tokenFor(
  { source, snapshot }: CopyStart,
  input: StartSnapshotRequest,
  attempt: number,
): string {
  const parts = ["varve copy", source.region, snapshot.SnapshotId, input, attempt];
  return checksumOfBytes(new TextEncoder().encode(JSON.stringify(parts)));
}
