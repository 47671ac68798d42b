import { readCountExclusiveBlocksResponse } from "../../wire/count-exclusive-blocks.ts";
import { type LineageDescription, readListLineagesResponse } from "../../wire/list-lineages.ts";
import { writeSnapshotPageRequest } from "../../wire/snapshot-page.ts";
import { writeSnapshotStepRequest } from "../../wire/snapshot-step.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { inTurn } from "./in-turn.ts";
import { onceReadable } from "./once-known.ts";
import { itemsOf, stepsOf } from "./pages.ts";
import { isOperationUnknown } from "./unknown-operation.ts";

/* Where snapshots come from: operations of a Varve's own, which AWS does not know. */

/** Where each of the caller's own snapshots stands in its lineage, in order of snapshot id. */
export async function* lineagesOf(
  client: Client,
  options?: CallOptions,
): AsyncGenerator<LineageDescription> {
  const operation = "ListLineages";
  const read = readListLineagesResponse;
  const fetchPage = (NextToken: string | undefined) => {
    const request = writeSnapshotPageRequest(operation, { NextToken });
    return client.send({ operation, service: "ebs", request, read }, options);
  };
  yield* itemsOf(operation, fetchPage, ({ Snapshots }) => Snapshots);
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
  const operation = "CountExclusiveBlocks";
  const read = readCountExclusiveBlocksResponse;
  const fetchStep = (StartingBlockIndex: number | undefined) => {
    const input = { SnapshotId: snapshotId, StartingBlockIndex };
    const request = writeSnapshotStepRequest(operation, input);
    const call = { operation, service: "ebs", request, read } as const;
    const send = () => inTurn(client, () => client.send(call, options), options?.signal);
    if (StartingBlockIndex !== undefined) return send();
    const own = { snapshotIds: [snapshotId], isOwn: true, signal: options?.signal };
    return onceReadable(client, own, send);
  };
  let count = 0;
  for await (const step of stepsOf(operation, fetchStep)) count += step.ExclusiveBlockCount;
  return count;
}
