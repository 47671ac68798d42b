import { isKeyDomain } from "../../model/ids.ts";
import { type RecycledSnapshot, type Snapshot, visibleState } from "../../model/snapshot.ts";
import type { ReceivedResponse, WireRequest, WireResponse } from "../message.ts";
import { nextTokenElement, required, timeElements } from "./members.ts";
import { type QueryParameters, readXml, writeEc2Response, writeQueryRequest } from "./query.ts";

/** Input of ListSnapshotsInRecycleBin. */
export interface ListSnapshotsInRecycleBinRequest {
  readonly SnapshotIds: readonly string[];
  readonly MaxResults: number | undefined;
  readonly NextToken: string | undefined;
}

/** Reads a ListSnapshotsInRecycleBin request. */
export function readListSnapshotsInRecycleBinRequest(
  parameters: QueryParameters,
): ListSnapshotsInRecycleBinRequest {
  return {
    SnapshotIds: parameters.list("SnapshotId"),
    MaxResults: parameters.integer("MaxResults", 5, 1_000),
    NextToken: parameters.get("NextToken"),
  };
}

/** Writes a ListSnapshotsInRecycleBin response. */
export function writeListSnapshotsInRecycleBinResponse(
  requestId: string,
  recycled: readonly RecycledSnapshot[],
  nextToken: string | undefined,
): WireResponse {
  const item = recycled.map(({ snapshot, enteredAtMs, exitsAtMs }) => ({
    snapshotId: snapshot.id,
    ...timeElements({ recycleBinEnterTime: enteredAtMs, recycleBinExitTime: exitsAtMs }),
    description: snapshot.description ?? "",
    volumeId: "vol-ffffffff",
  }));
  return writeEc2Response("ListSnapshotsInRecycleBin", requestId, {
    snapshotSet: { item },
    ...nextTokenElement(nextToken),
  });
}

/** Reads a RestoreSnapshotFromRecycleBin request. */
export function readRestoreSnapshotRequest(parameters: QueryParameters): string {
  return required(parameters, "SnapshotId");
}

/** Writes a RestoreSnapshotFromRecycleBin response. */
export function writeRestoreSnapshotResponse(requestId: string, snapshot: Snapshot): WireResponse {
  return writeEc2Response("RestoreSnapshotFromRecycleBin", requestId, {
    snapshotId: snapshot.id,
    description: snapshot.description ?? "",
    encrypted: isKeyDomain(snapshot.domain),
    ownerId: snapshot.account,
    progress: "100%",
    ...timeElements({ startTime: snapshot.startTimeMs }),
    status: visibleState(snapshot.state),
    volumeId: "vol-ffffffff",
    volumeSize: snapshot.volumeSizeGib,
  });
}

/** Writes a ListSnapshotsInRecycleBin request. */
export function writeListSnapshotsInRecycleBinRequest(input: {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}): WireRequest {
  return writeQueryRequest("ec2", "ListSnapshotsInRecycleBin", { ...input });
}

/** A snapshot in the recycle bin as a client reads of it; times in ISO 8601. */
export interface RecycledSnapshotDescription {
  readonly SnapshotId: string;
  readonly Description: string;
  readonly RecycleBinEnterTime: string;
  readonly RecycleBinExitTime: string;
}

/** Reads a ListSnapshotsInRecycleBin response. */
export function readListSnapshotsInRecycleBinResponse(response: ReceivedResponse): {
  readonly Snapshots: readonly RecycledSnapshotDescription[];
  readonly NextToken: string | undefined;
} {
  const root = readXml(response)["ListSnapshotsInRecycleBinResponse"];
  const items = root?.["snapshotSet"]?.["item"] ?? [];
  const Snapshots = items.map((item) => ({
    SnapshotId: item["snapshotId"] ?? "",
    Description: item["description"] ?? "",
    RecycleBinEnterTime: item["recycleBinEnterTime"] ?? "",
    RecycleBinExitTime: item["recycleBinExitTime"] ?? "",
  }));
  return { Snapshots, NextToken: root?.["nextToken"] || undefined };
}

/** Writes a RestoreSnapshotFromRecycleBin request. */
export function writeRestoreSnapshotRequest(SnapshotId: string): WireRequest {
  return writeQueryRequest("ec2", "RestoreSnapshotFromRecycleBin", { SnapshotId });
}
