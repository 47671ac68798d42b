import { jsonResponse, readJson } from "./json.ts";
import type { ReceivedResponse, WireResponse } from "./message.ts";

/** What is done with a snapshot. */
export type SnapshotStage = "writing" | "sealing" | "copying" | "completed" | "error";

/** Output of GetSnapshotProgress: of one step, to be added up. */
export interface GetSnapshotProgressResponse {
  readonly SnapshotId: string;
  readonly Stage: SnapshotStage;
  /** Blocks written or copied so far, or that the completed snapshot has. */
  readonly BlocksDone: number;
  /**
   * Of how many: blocks announced at completion, or block indexes of the volume that is copied.
   * Null while blocks are written, for nobody has said how many there will be.
   */
  readonly BlocksTotal: number | null;
  /** Null after the last step. */
  readonly NextBlockIndex: number | null;
}

/** Writes a GetSnapshotProgress response. */
export function writeGetSnapshotProgressResponse(
  response: GetSnapshotProgressResponse,
): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a GetSnapshotProgress response. */
export function readGetSnapshotProgressResponse(
  response: ReceivedResponse,
): GetSnapshotProgressResponse {
  return readJson(response) as unknown as GetSnapshotProgressResponse;
}
