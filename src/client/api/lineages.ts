import {
  type CountExclusiveBlocksResponse,
  readCountExclusiveBlocksResponse,
  writeCountExclusiveBlocksRequest,
} from "../../wire/count-exclusive-blocks.ts";
import {
  type LineageDescription,
  type ListLineagesResponse,
  readListLineagesResponse,
} from "../../wire/list-lineages.ts";
import { writeSnapshotPageRequest } from "../../wire/snapshot-page.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { integrityError } from "../errors.ts";
import { isOperationUnknown } from "./unknown-operation.ts";

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
