import type { Extent } from "../../model/extent.ts";
import {
  readListVerificationsResponse,
  type VerificationDescription,
} from "../../wire/list-verifications.ts";
import { writeSnapshotPageRequest } from "../../wire/snapshot-page.ts";
import {
  readVerifySnapshotResponse,
  type VerifySnapshotResponse,
  writeVerifySnapshotRequest,
} from "../../wire/verify-snapshot.ts";
import { inTurn } from "../api/in-turn.ts";
import { onceReadable } from "../api/once-known.ts";
import { itemsOf } from "../api/pages.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { ClientError, integrityError } from "../errors.ts";

/* Verification where the snapshot lies: operations of a Varve's own, which AWS does not know. */

/** How often one is begun that somebody else begins anew before it has come any further. */
const BEGINNINGS_MAX = 3;

/** What to verify. */
export interface VerifyOptions {
  readonly snapshotId: string;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How far a verification is. */
export interface VerifyProgress {
  readonly blocksTotal: number;
  readonly blocksDone: number;
}

/** What a verification came to. */
export interface VerifyResult {
  readonly snapshotId: string;
  readonly outcome: "whole" | "damaged";
  readonly blocksVerified: number;
  readonly bytesVerified: number;
  /** Blocks that cannot be read or, where the block map is damaged, that may have been there. */
  readonly badBlocks: number;
  /** Where they are, ascending; at most 1,000. */
  readonly badExtents: readonly Extent[];
  /** `unknown` for a snapshot completed before this was noted. */
  readonly manifest: "whole" | "damaged" | "unknown";
  readonly seconds: number;
}

/**
 * Has the service read a snapshot again, from its root to its blocks, and hash all of it. No block
 * travels; the service notes when that was and how it ended.
 */
export async function verifySnapshot(
  client: Client,
  { snapshotId, onProgress, signal }: VerifyOptions,
): Promise<VerifyResult> {
  const startedMs = client.clock.monotonicMs();
  let [beginnings, furthest] = [1, 0];
  for (let from: number | undefined; ; ) {
    const step = await verifyStep(client, { snapshotId, from }, { signal }).catch(
      (error: unknown) => {
        const isOther = !(error instanceof ClientError) || from === undefined;
        if (isOther || error.reason !== "INVALID_PARAMETER_VALUE") throw error;
        beginnings += 1;
        if (beginnings > BEGINNINGS_MAX) throw error;
      },
    );
    if (step) onProgress?.(progressOf(step));
    if (step?.NextBlockIndex === null) {
      const seconds = (client.clock.monotonicMs() - startedMs) / 1000;
      return { ...resultOf(step), seconds };
    }
    if (step && from !== undefined && !(step.NextBlockIndex > from)) {
      throw integrityError("VerifySnapshot", "The service does not go on.");
    }
    from = step?.NextBlockIndex;
    if (from !== undefined && from > furthest) [beginnings, furthest] = [1, from];
  }
}

async function verifyStep(
  client: Client,
  {
    snapshotId: SnapshotId,
    from,
  }: { readonly snapshotId: string; readonly from?: number | undefined },
  options: CallOptions,
): Promise<VerifySnapshotResponse> {
  const request = writeVerifySnapshotRequest({ SnapshotId, StartingBlockIndex: from });
  const read = readVerifySnapshotResponse;
  const call = { operation: "VerifySnapshot", service: "ebs", request, read } as const;
  const { signal } = options;
  const send = () => inTurn(client, () => client.send(call, options), signal);
  if (from !== undefined) return send();
  return onceReadable(client, { snapshotIds: [SnapshotId], isOwn: true, signal }, send);
}

function progressOf({ BlockCount, BlocksVerified, Outcome }: VerifySnapshotResponse) {
  // Where the map is damaged, fewer blocks are found than there are.
  const blocksDone = Outcome === "verifying" ? Math.min(BlocksVerified, BlockCount) : BlockCount;
  return { blocksTotal: BlockCount, blocksDone };
}

function resultOf(step: VerifySnapshotResponse): Omit<VerifyResult, "seconds"> {
  return {
    snapshotId: step.SnapshotId,
    outcome: step.Outcome === "whole" ? "whole" : "damaged",
    blocksVerified: step.BlocksVerified,
    bytesVerified: step.BytesVerified,
    badBlocks: step.BadBlockCount,
    badExtents: step.BadExtents.map(({ Start, Count }) => ({ start: Start, count: Count })),
    manifest: step.Manifest,
  };
}

/** How the latest verification of each of the caller's snapshots ended, where there was one. */
export async function* verificationsOf(
  client: Client,
  options?: CallOptions,
): AsyncGenerator<VerificationDescription> {
  const operation = "ListVerifications";
  const read = readListVerificationsResponse;
  const fetchPage = (NextToken: string | undefined) => {
    const request = writeSnapshotPageRequest(operation, { NextToken });
    return client.send({ operation, service: "ebs", request, read }, options);
  };
  yield* itemsOf(operation, fetchPage, ({ Verifications }) => Verifications);
}
