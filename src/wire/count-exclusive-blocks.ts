import { Constraints } from "./constraints.ts";
import { jsonResponse, readJson } from "./json.ts";
import { SNAPSHOT_ID } from "./members.ts";
import {
  parseQuery,
  type ReceivedResponse,
  request,
  type WireRequest,
  type WireResponse,
} from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of CountExclusiveBlocks, an operation that AWS does not have. */
export interface CountExclusiveBlocksRequest {
  readonly SnapshotId: string;
  /** Where the answer before said that the count goes on; left out at the beginning. */
  readonly StartingBlockIndex?: number | undefined;
}

/** Output of CountExclusiveBlocks: of one step, to be added up. */
export interface CountExclusiveBlocksResponse {
  readonly SnapshotId: string;
  /** Blocks that no other snapshot of the lineage has at their block index, but for zeros. */
  readonly ExclusiveBlockCount: number;
  /** Null after the last step. */
  readonly NextBlockIndex: number | null;
}

/** Reads and checks a CountExclusiveBlocks request. */
export function readCountExclusiveBlocksRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): CountExclusiveBlocksRequest {
  const c = new Constraints();
  const start = parseQuery(query).get("startingBlockIndex") ?? undefined;
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    StartingBlockIndex: c.integerText("startingBlockIndex", start, { min: 0 }),
  };
  c.check();
  return input;
}

/** Writes a CountExclusiveBlocks request. */
export function writeCountExclusiveBlocksRequest(input: CountExclusiveBlocksRequest): WireRequest {
  const { SnapshotId: snapshotId, StartingBlockIndex: startingBlockIndex } = input;
  const route = formatRoute("CountExclusiveBlocks", { snapshotId });
  return request({ ...route, query: { startingBlockIndex } });
}

/** Writes a CountExclusiveBlocks response. */
export function writeCountExclusiveBlocksResponse(
  response: CountExclusiveBlocksResponse,
): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a CountExclusiveBlocks response. */
export function readCountExclusiveBlocksResponse(
  response: ReceivedResponse,
): CountExclusiveBlocksResponse {
  return readJson(response) as unknown as CountExclusiveBlocksResponse;
}
