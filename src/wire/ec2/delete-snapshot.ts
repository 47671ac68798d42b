import type { WireRequest, WireResponse } from "../message.ts";
import { type QueryParameters, queryFault, writeEc2Response, writeQueryRequest } from "./query.ts";

/** Reads the snapshot id of a DeleteSnapshot request. */
export function readDeleteSnapshotRequest(parameters: QueryParameters): string {
  const snapshotId = parameters.get("SnapshotId");
  if (snapshotId) return snapshotId;
  const message = "The request must contain the parameter SnapshotId";
  throw queryFault(400, "MissingParameter", message);
}

/** Writes the answer of an action that only says it was done. */
export function writeDoneResponse(action: string, requestId: string): WireResponse {
  return writeEc2Response(action, requestId, { return: true });
}

/** Writes a DeleteSnapshot request. */
export function writeDeleteSnapshotRequest(snapshotId: string): WireRequest {
  return writeQueryRequest("ec2", "DeleteSnapshot", { SnapshotId: snapshotId });
}
