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

/** Input of GetSnapshotProgress, an operation that AWS does not have. */
export interface GetSnapshotProgressRequest {
  readonly SnapshotId: string;
  /** Where the answer before said that the count goes on; left out at the beginning. */
  readonly StartingBlockIndex?: number | undefined;
}

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

/** Reads and checks a GetSnapshotProgress request. */
export function readGetSnapshotProgressRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): GetSnapshotProgressRequest {
  const c = new Constraints();
  const start = parseQuery(query).get("startingBlockIndex") ?? undefined;
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    StartingBlockIndex: c.integerText("startingBlockIndex", start, { min: 0 }),
  };
  c.check();
  return input;
}

/** Writes a GetSnapshotProgress request. */
export function writeGetSnapshotProgressRequest(input: GetSnapshotProgressRequest): WireRequest {
  const { SnapshotId: snapshotId, StartingBlockIndex: startingBlockIndex } = input;
  const route = formatRoute("GetSnapshotProgress", { snapshotId });
  return request({ ...route, query: { startingBlockIndex } });
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
