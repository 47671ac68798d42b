import {
  readGetSnapshotProgressResponse,
  type SnapshotStage,
} from "../../wire/get-snapshot-progress.ts";
import { writeSnapshotStepRequest } from "../../wire/snapshot-step.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { stepsOf } from "./pages.ts";

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
  const operation = "GetSnapshotProgress";
  const read = readGetSnapshotProgressResponse;
  const fetchStep = (StartingBlockIndex: number | undefined) => {
    const input = { SnapshotId: snapshotId, StartingBlockIndex };
    const request = writeSnapshotStepRequest(operation, input);
    return client.send({ operation, service: "ebs", request, read }, options);
  };
  let [blocksDone, steps] = [0, 0];
  for await (const step of stepsOf(operation, fetchStep)) {
    blocksDone += step.BlocksDone;
    steps += 1;
    const isCounted = step.NextBlockIndex === null;
    if (isCounted || steps === STEPS_COUNT_MAX) {
      const blocksTotal = step.BlocksTotal ?? undefined;
      return { stage: step.Stage, blocksDone, blocksTotal, isCounted };
    }
  }
  throw new Error("A count ends with a step that says so");
}
