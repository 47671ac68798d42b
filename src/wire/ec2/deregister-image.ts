import type { WireResponse } from "../message.ts";
import { required } from "./members.ts";
import { type QueryParameters, writeEc2Response } from "./query.ts";

/** Input of DeregisterImage. */
export interface DeregisterImageRequest {
  readonly ImageId: string;
  readonly DeleteAssociatedSnapshots: boolean;
}

/** Reads a DeregisterImage request. */
export function readDeregisterImageRequest(parameters: QueryParameters): DeregisterImageRequest {
  return {
    ImageId: required(parameters, "ImageId"),
    DeleteAssociatedSnapshots: parameters.get("DeleteAssociatedSnapshots") === "true",
  };
}

/** What became of one of the image's snapshots. */
export interface DeleteSnapshotResult {
  readonly SnapshotId: string;
  /** `skipped`: another image uses it; `client-error`: for example, it is locked. */
  readonly ReturnCode: "success" | "skipped" | "missing-permissions" | "client-error";
}

/** Writes a DeregisterImage response; results are undefined where no deletion was asked for. */
export function writeDeregisterImageResponse(
  requestId: string,
  results: readonly DeleteSnapshotResult[] | undefined,
): WireResponse {
  const item = results?.map(({ SnapshotId, ReturnCode }) => ({
    snapshotId: SnapshotId,
    returnCode: ReturnCode,
  }));
  const set = item === undefined ? {} : { deleteSnapshotResultSet: { item } };
  return writeEc2Response("DeregisterImage", requestId, { return: true, ...set });
}
