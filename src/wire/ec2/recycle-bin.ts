import { isKeyDomain } from "../../model/ids.ts";
import { type RecycledSnapshot, type Snapshot, visibleState } from "../../model/snapshot.ts";
import type { WireResponse } from "../message.ts";
import { nextTokenElement, required, timeElements } from "./members.ts";
import { type QueryParameters, writeEc2Response } from "./query.ts";

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
