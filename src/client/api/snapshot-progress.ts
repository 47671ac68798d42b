import {
  type GetSnapshotProgressResponse,
  readGetSnapshotProgressResponse,
  type SnapshotStage,
  writeGetSnapshotProgressRequest,
} from "../../wire/get-snapshot-progress.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { integrityError } from "../errors.ts";

/** Answers that are added up for one look: of more blocks than 200,000 it is said that so many. */
const STEPS_COUNT_MAX = 20;

/** How far a snapshot is. */
export interface SnapshotProgress {
  readonly stage: SnapshotStage;
  readonly blocksDone: number;
  /** Undefined while nobody has said how many there will be. */
  readonly blocksTotal: number | undefined;
  /** False where there are more than were counted. */
  readonly isCounted: boolean;
}

/** How far a snapshot of the caller's own is; an operation of a Varve's own. */
export async function getSnapshotProgress(
  client: Client,
  snapshotId: string,
  options?: CallOptions,
): Promise<SnapshotProgress> {
  let blocksDone = 0;
  for (let [from, steps]: [number | undefined, number] = [undefined, 1]; ; steps++) {
    const input = { SnapshotId: snapshotId, StartingBlockIndex: from };
    const request = writeGetSnapshotProgressRequest(input);
    const read = readGetSnapshotProgressResponse;
    const call = { operation: "GetSnapshotProgress", service: "ebs", request, read } as const;
    const step: GetSnapshotProgressResponse = await client.send(call, options);
    blocksDone += step.BlocksDone;
    const isCounted = step.NextBlockIndex === null;
    if (isCounted || steps === STEPS_COUNT_MAX) {
      const blocksTotal = step.BlocksTotal ?? undefined;
      return { stage: step.Stage, blocksDone, blocksTotal, isCounted };
    }
    if (from !== undefined && !((step.NextBlockIndex ?? 0) > from)) {
      throw integrityError("GetSnapshotProgress", "The service does not go on.");
    }
    from = step.NextBlockIndex ?? undefined;
  }
}
