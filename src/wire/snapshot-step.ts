import { Constraints } from "./constraints.ts";
import { SNAPSHOT_ID } from "./members.ts";
import { parseQuery, request, type WireRequest } from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of operations that AWS does not have and that count a snapshot's blocks in steps. */
export interface SnapshotStepRequest {
  readonly SnapshotId: string;
  /** Where the answer before said that the count goes on; left out at the beginning. */
  readonly StartingBlockIndex?: number | undefined;
}

/** Reads and checks such a request. */
export function readSnapshotStepRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): SnapshotStepRequest {
  const c = new Constraints();
  const start = parseQuery(query).get("startingBlockIndex") ?? undefined;
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    StartingBlockIndex: c.integerText("startingBlockIndex", start, { min: 0 }),
  };
  c.check();
  return input;
}

/** Writes a request of CountExclusiveBlocks or GetSnapshotProgress. */
export function writeSnapshotStepRequest(
  operation: "CountExclusiveBlocks" | "GetSnapshotProgress",
  { SnapshotId: snapshotId, StartingBlockIndex: startingBlockIndex }: SnapshotStepRequest,
): WireRequest {
  return request({ ...formatRoute(operation, { snapshotId }), query: { startingBlockIndex } });
}
