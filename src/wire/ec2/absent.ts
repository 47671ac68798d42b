import { type Snapshot, visibleState } from "../../model/snapshot.ts";
import type { WireResponse } from "../message.ts";
import { type Filter, nextTokenElement, readFilters, tagSet } from "./members.ts";
import { type QueryParameters, writeEc2Response } from "./query.ts";

/* Listings of what there never is here: volumes, machines, tiers, fast restores. */

/** Writes a DescribeVolumes response: none. */
export function writeNoVolumesResponse(requestId: string): WireResponse {
  return writeEc2Response("DescribeVolumes", requestId, { volumeSet: "" });
}

/** Writes a DescribeInstances response: none. */
export function writeNoInstancesResponse(requestId: string): WireResponse {
  return writeEc2Response("DescribeInstances", requestId, { reservationSet: "" });
}

/** Writes a DescribeFastSnapshotRestores response: none. */
export function writeNoFastSnapshotRestoresResponse(requestId: string): WireResponse {
  const members = { fastSnapshotRestoreSet: "" };
  return writeEc2Response("DescribeFastSnapshotRestores", requestId, members);
}

/** Input of DescribeSnapshotTierStatus. */
export interface DescribeTierStatusRequest {
  readonly Filters: readonly Filter[];
  readonly MaxResults: number | undefined;
  readonly NextToken: string | undefined;
}

/** Reads a DescribeSnapshotTierStatus request. */
export function readDescribeTierStatusRequest(
  parameters: QueryParameters,
): DescribeTierStatusRequest {
  return {
    Filters: readFilters(parameters),
    MaxResults: parameters.integer("MaxResults", 5, 1_000),
    NextToken: parameters.get("NextToken"),
  };
}

/** Writes a DescribeSnapshotTierStatus response: all in the standard tier, never moved. */
export function writeDescribeTierStatusResponse(
  requestId: string,
  snapshots: readonly Snapshot[],
  nextToken: string | undefined,
): WireResponse {
  const item = snapshots.map(({ id, account, state, tags }) => ({
    snapshotId: id,
    volumeId: "vol-ffffffff",
    status: visibleState(state),
    ownerId: account,
    ...tagSet(tags),
    storageTier: "standard",
  }));
  return writeEc2Response("DescribeSnapshotTierStatus", requestId, {
    snapshotTierStatusSet: { item },
    ...nextTokenElement(nextToken),
  });
}
