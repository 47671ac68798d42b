import {
  type CountExclusiveBlocksResponse,
  readCountExclusiveBlocksResponse,
  writeCountExclusiveBlocksRequest,
} from "../wire/count-exclusive-blocks.ts";
import {
  type LineageDescription,
  type ListLineagesResponse,
  readListLineagesResponse,
} from "../wire/list-lineages.ts";
import { writeSnapshotPageRequest } from "../wire/snapshot-page.ts";
import type { CallOptions, Client } from "./client.ts";
import { ClientError, integrityError } from "./errors.ts";
import { isRetryable } from "./retry.ts";

/* Where snapshots come from: operations of a Varve's own, which AWS does not know. */

/** Where each of the caller's own snapshots stands in its lineage, in order of snapshot id. */
export async function* lineagesOf(
  client: Client,
  options?: CallOptions,
): AsyncGenerator<LineageDescription> {
  for (let NextToken: string | undefined; ; ) {
    const request = writeSnapshotPageRequest("ListLineages", { NextToken });
    const read = readListLineagesResponse;
    const call = { operation: "ListLineages", service: "ebs", request, read } as const;
    const page: ListLineagesResponse = await client.send(call, options);
    yield* page.Snapshots;
    if (page.NextToken === null) return;
    if (page.NextToken === NextToken) {
      throw integrityError("ListLineages", "The service answers the same page again.");
    }
    NextToken = page.NextToken;
  }
}

/** All of them by snapshot id; undefined where the service does not know such a thing. */
export async function findLineages(
  client: Client,
  options?: CallOptions,
): Promise<ReadonlyMap<string, LineageDescription> | undefined> {
  const found = new Map<string, LineageDescription>();
  try {
    for await (const each of lineagesOf(client, options)) found.set(each.SnapshotId, each);
  } catch (error) {
    if (!isOperationUnknown(error)) throw error;
    return undefined;
  }
  return found;
}

/**
 * Counts the blocks that no other snapshot of the lineage has at the same block index, written
 * zeros aside: what deleting the snapshot frees, but for equal contents elsewhere in the store.
 */
export async function countExclusiveBlocks(
  client: Client,
  snapshotId: string,
  options?: CallOptions,
): Promise<number> {
  let count = 0;
  for (let from: number | undefined; ; ) {
    const input = { SnapshotId: snapshotId, StartingBlockIndex: from };
    const request = writeCountExclusiveBlocksRequest(input);
    const read = readCountExclusiveBlocksResponse;
    const call = { operation: "CountExclusiveBlocks", service: "ebs", request, read } as const;
    const step: CountExclusiveBlocksResponse = await client.send(call, options);
    count += step.ExclusiveBlockCount;
    if (step.NextBlockIndex === null) return count;
    if (from !== undefined && !(step.NextBlockIndex > from)) {
      throw integrityError("CountExclusiveBlocks", "The service does not go on.");
    }
    from = step.NextBlockIndex;
  }
}

/** True when a service answers that it does not know what was asked for, as AWS answers ours. */
export function isOperationUnknown(error: unknown): boolean {
  if (!(error instanceof ClientError) || error.kind !== "service") return false;
  // A service that is busy has not said what it knows.
  if (isRetryable(error)) return false;
  const { status = 0, reason } = error;
  // AWS answers an unknown path as it answers wrong parameters or callers; the next call tells.
  return ((status >= 400 && status < 500) || status === 501) && reason !== "SNAPSHOT_NOT_FOUND";
}
