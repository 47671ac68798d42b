import { jsonResponse, readJson } from "./json.ts";
import type { ReceivedResponse, WireResponse } from "./message.ts";

/** Output of CountExclusiveBlocks: of one step, to be added up. */
export interface CountExclusiveBlocksResponse {
  readonly SnapshotId: string;
  /** Blocks that no other snapshot of the lineage has at their block index, but for zeros. */
  readonly ExclusiveBlockCount: number;
  /** Null after the last step. */
  readonly NextBlockIndex: number | null;
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
