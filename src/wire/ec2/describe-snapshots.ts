import { formatTimeMs } from "../../base/clock.ts";
import { type Domain, isKeyDomain } from "../../model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import { type Snapshot, type Tag, visibleState } from "../../model/snapshot.ts";
import type { ReceivedResponse, WireRequest, WireResponse } from "../message.ts";
import { type Filter, nextTokenElement, readFilters, tagSet } from "./members.ts";
import {
  type QueryParameters,
  readXml,
  writeEc2Response,
  writeQueryRequest,
  type XmlElement,
} from "./query.ts";

/** Input of DescribeSnapshots. */
export interface DescribeSnapshotsRequest {
  readonly SnapshotIds?: readonly string[];
  readonly OwnerIds?: readonly string[];
  /** Accounts that may read the snapshot; "all" for public ones. */
  readonly RestorableByUserIds?: readonly string[];
  readonly Filters?: readonly Filter[];
  /** 5 to 1,000. */
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/** A snapshot as EC2 describes it. */
export interface SnapshotDescription {
  readonly SnapshotId: string;
  readonly State: string;
  readonly StateMessage?: string | undefined;
  /** ISO 8601. */
  readonly StartTime: string;
  readonly CompletionTime?: string | undefined;
  readonly Progress: string;
  readonly OwnerId: string;
  /** `vol-ffffffff` where no volume stands behind the snapshot. */
  readonly VolumeId: string;
  /** GiB. */
  readonly VolumeSize: number;
  readonly Description: string;
  /** Bytes of all blocks visible in the snapshot. */
  readonly FullSnapshotSizeInBytes?: number | undefined;
  readonly Encrypted: boolean;
  /** ARN of the key that encrypts it. */
  readonly KmsKeyId?: string | undefined;
  readonly Tags: readonly Tag[];
}

/** Output of DescribeSnapshots. */
export interface DescribeSnapshotsResponse {
  readonly Snapshots: readonly SnapshotDescription[];
  readonly NextToken?: string | undefined;
}

/** What EC2 says of snapshots written through the EBS direct APIs: no volume stands behind them. */
export const NO_VOLUME_ID = "vol-ffffffff";

/** Snapshots on a page of DescribeSnapshots (AWS). */
const MAX_RESULTS_MIN = 5;
const MAX_RESULTS_MAX = 1_000;

/** Reads a DescribeSnapshots request. */
export function readDescribeSnapshotsRequest(
  parameters: QueryParameters,
): Required<DescribeSnapshotsRequest> {
  return {
    SnapshotIds: parameters.list("SnapshotId"),
    OwnerIds: parameters.list("Owner"),
    RestorableByUserIds: parameters.list("RestorableBy"),
    Filters: readFilters(parameters),
    MaxResults: parameters.integer("MaxResults", MAX_RESULTS_MIN, MAX_RESULTS_MAX),
    NextToken: parameters.get("NextToken"),
  };
}

/** Writes a DescribeSnapshots response. */
export function writeDescribeSnapshotsResponse(
  requestId: string,
  snapshots: readonly Snapshot[],
  { nextToken, keyArns }: { nextToken: string | undefined; keyArns: ReadonlyMap<Domain, string> },
): WireResponse {
  return writeEc2Response("DescribeSnapshots", requestId, {
    snapshotSet: { item: snapshots.map((each) => snapshotItem(each, keyArns.get(each.domain))) },
    ...nextTokenElement(nextToken),
  });
}

/** The elements of one snapshot; elements without a value are left out, as EC2 leaves them out. */
function snapshotItem(snapshot: Snapshot, kmsKeyId: string | undefined): object {
  const isCompleted = snapshot.state === "completed";
  const { completionTimeMs, tags } = snapshot;
  return {
    snapshotId: snapshot.id,
    volumeId: NO_VOLUME_ID,
    status: visibleState(snapshot.state),
    ...(snapshot.stateMessage === undefined ? {} : { statusMessage: snapshot.stateMessage }),
    startTime: formatTimeMs(snapshot.startTimeMs),
    progress: isCompleted ? "100%" : "0%",
    ownerId: snapshot.account,
    volumeSize: snapshot.volumeSizeGib,
    description: snapshot.description ?? "",
    encrypted: isKeyDomain(snapshot.domain),
    ...(kmsKeyId === undefined ? {} : { kmsKeyId }),
    storageTier: "standard",
    transferType: "standard",
    ...(completionTimeMs === undefined ? {} : { completionTime: formatTimeMs(completionTimeMs) }),
    ...(isCompleted ? { fullSnapshotSizeInBytes: snapshot.blockCount * BLOCK_SIZE_BYTES } : {}),
    ...tagSet(tags),
  };
}

/** Writes a DescribeSnapshots request. */
export function writeDescribeSnapshotsRequest(input: DescribeSnapshotsRequest): WireRequest {
  const members: Record<string, string | number | undefined> = {
    MaxResults: input.MaxResults,
    NextToken: input.NextToken,
  };
  for (const [i, id] of (input.SnapshotIds ?? []).entries()) members[`SnapshotId.${i + 1}`] = id;
  for (const [i, owner] of (input.OwnerIds ?? []).entries()) members[`Owner.${i + 1}`] = owner;
  for (const [i, user] of (input.RestorableByUserIds ?? []).entries()) {
    members[`RestorableBy.${i + 1}`] = user;
  }
  for (const [i, { Name, Values }] of (input.Filters ?? []).entries()) {
    members[`Filter.${i + 1}.Name`] = Name;
    for (const [j, value] of Values.entries()) members[`Filter.${i + 1}.Value.${j + 1}`] = value;
  }
  return writeQueryRequest("ec2", "DescribeSnapshots", members);
}

/** Reads a DescribeSnapshots response. */
export function readDescribeSnapshotsResponse(
  response: ReceivedResponse,
): DescribeSnapshotsResponse {
  const root = readXml(response)["DescribeSnapshotsResponse"];
  const items = root?.["snapshotSet"]?.["item"] ?? [];
  return { Snapshots: items.map(descriptionFrom), NextToken: root?.["nextToken"] || undefined };
}

function descriptionFrom(item: XmlElement): SnapshotDescription {
  const size = item["fullSnapshotSizeInBytes"];
  return {
    SnapshotId: item["snapshotId"] ?? "",
    State: item["status"] ?? "",
    StateMessage: item["statusMessage"],
    StartTime: item["startTime"] ?? "",
    CompletionTime: item["completionTime"],
    Progress: item["progress"] ?? "",
    OwnerId: item["ownerId"] ?? "",
    VolumeId: item["volumeId"] ?? "",
    VolumeSize: Number(item["volumeSize"]),
    Description: item["description"] ?? "",
    FullSnapshotSizeInBytes: size === undefined ? undefined : Number(size),
    Encrypted: item["encrypted"] === "true",
    KmsKeyId: item["kmsKeyId"],
    Tags: (item["tagSet"]?.["item"] ?? []).map((tag) => ({
      Key: tag["key"] ?? "",
      Value: tag["value"] ?? "",
    })),
  };
}
