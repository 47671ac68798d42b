import type { Tag } from "../../model/snapshot.ts";
import type { WireResponse } from "../message.ts";
import { readTagSpecifications, required, tagSet } from "./members.ts";
import { type QueryParameters, writeEc2Response } from "./query.ts";

/** Input of CopySnapshot. */
export interface CopySnapshotRequest {
  readonly SourceRegion: string;
  readonly SourceSnapshotId: string;
  readonly Description: string | undefined;
  readonly Encrypted: boolean | undefined;
  readonly KmsKeyId: string | undefined;
  readonly Tags: readonly Tag[];
}

/** Reads a CopySnapshot request. */
export function readCopySnapshotRequest(parameters: QueryParameters): CopySnapshotRequest {
  return {
    SourceRegion: required(parameters, "SourceRegion"),
    SourceSnapshotId: required(parameters, "SourceSnapshotId"),
    Description: parameters.get("Description"),
    Encrypted: booleanOf(parameters.get("Encrypted")),
    KmsKeyId: parameters.get("KmsKeyId"),
    Tags: readTagSpecifications(parameters, "snapshot"),
  };
}

function booleanOf(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text === "true";
}

/** Writes a CopySnapshot response. */
export function writeCopySnapshotResponse(
  requestId: string,
  { SnapshotId, Tags }: { readonly SnapshotId: string; readonly Tags: readonly Tag[] },
): WireResponse {
  const members = { snapshotId: SnapshotId, ...tagSet(Tags) };
  return writeEc2Response("CopySnapshot", requestId, members);
}
