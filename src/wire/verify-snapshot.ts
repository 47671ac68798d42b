import { Constraints } from "./constraints.ts";
import { jsonResponse, parseJsonObject, readJson } from "./json.ts";
import { SNAPSHOT_ID } from "./members.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "./message.ts";
import { formatRoute } from "./operations.ts";

/** A run of consecutive block indexes. */
export interface BlockExtent {
  readonly Start: number;
  readonly Count: number;
}

/** Input of VerifySnapshot, an operation that AWS does not have. */
export interface VerifySnapshotRequest {
  readonly SnapshotId: string;
  /** Where the step before said that it goes on; left out to begin anew. */
  readonly StartingBlockIndex?: number | undefined;
}

/** Output of VerifySnapshot: one step's, with the counts of all steps so far. */
export interface VerifySnapshotResponse {
  readonly SnapshotId: string;
  /** Blocks there are to verify. */
  readonly BlockCount: number;
  readonly BlocksVerified: number;
  readonly BytesVerified: number;
  readonly BadBlockCount: number;
  /** Where they are, ascending; the first 1,000. */
  readonly BadExtents: readonly BlockExtent[];
  /** Known after the last step. */
  readonly Manifest: "whole" | "damaged" | "unknown";
  /** Null after the last step. */
  readonly NextBlockIndex: number | null;
  /** `verifying` before the last step. */
  readonly Outcome: "verifying" | "whole" | "damaged";
}

/** Reads and checks a VerifySnapshot request. */
export function readVerifySnapshotRequest(
  { body }: Pick<WireRequest, "body">,
  parameters: Readonly<Record<string, string>>,
): VerifySnapshotRequest {
  const json = body.length === 0 ? {} : parseJsonObject(body);
  const c = new Constraints();
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    StartingBlockIndex: c.integer("startingBlockIndex", json["StartingBlockIndex"], { min: 0 }),
  };
  c.check();
  return input;
}

/** Writes a VerifySnapshot request. */
export function writeVerifySnapshotRequest(input: VerifySnapshotRequest): WireRequest {
  const { SnapshotId: snapshotId, StartingBlockIndex } = input;
  const body = new TextEncoder().encode(JSON.stringify({ StartingBlockIndex }));
  const headers = { "content-type": "application/json" };
  return request({ ...formatRoute("VerifySnapshot", { snapshotId }), headers, body });
}

/** Writes a VerifySnapshot response. */
export function writeVerifySnapshotResponse(response: VerifySnapshotResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a VerifySnapshot response. */
export function readVerifySnapshotResponse(response: ReceivedResponse): VerifySnapshotResponse {
  return readJson(response) as unknown as VerifySnapshotResponse;
}
