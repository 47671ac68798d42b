import {
  LOCK_COOL_OFF_HOURS_MAX,
  LOCK_DURATION_DAYS_MAX,
  MS_PER_DAY,
  MS_PER_HOUR,
} from "../../model/limits.ts";
import type { LockMode, SnapshotLock } from "../../model/snapshot.ts";
import type { ReceivedResponse, WireRequest, WireResponse } from "../message.ts";
import {
  type Filter,
  invalidValue,
  nextTokenElement,
  readFilters,
  readTime,
  required,
  timeElements,
} from "./members.ts";
import {
  type QueryParameters,
  queryFault,
  readXml,
  writeEc2Response,
  writeQueryRequest,
} from "./query.ts";

/** Input of LockSnapshot. */
export interface LockSnapshotRequest {
  readonly SnapshotId: string;
  readonly LockMode: LockMode;
  /** Hours. */
  readonly CoolOffPeriod: number | undefined;
  /** Days; exactly one of this and the next is there. */
  readonly LockDuration: number | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number | undefined;
}

/** Reads a LockSnapshot request. */
export function readLockSnapshotRequest(parameters: QueryParameters): LockSnapshotRequest {
  const LockMode = required(parameters, "LockMode");
  if (LockMode !== "governance" && LockMode !== "compliance") {
    throw invalidValue("LockMode", LockMode, "Expecting governance or compliance.");
  }
  const CoolOffPeriod = parameters.integer("CoolOffPeriod", 1, LOCK_COOL_OFF_HOURS_MAX);
  if (LockMode === "governance" && CoolOffPeriod !== undefined) {
    throw combinationFault("CoolOffPeriod can only be specified with the LockMode compliance");
  }
  const LockDuration = parameters.integer("LockDuration", 1, LOCK_DURATION_DAYS_MAX);
  const expiresAtMs = readTime(parameters, "ExpirationDate");
  if ((LockDuration === undefined) === (expiresAtMs === undefined)) {
    throw combinationFault("Specify either LockDuration or ExpirationDate, but not both");
  }
  const SnapshotId = required(parameters, "SnapshotId");
  return { SnapshotId, LockMode, CoolOffPeriod, LockDuration, expiresAtMs };
}

function combinationFault(message: string) {
  return queryFault(400, "InvalidParameterCombination", message);
}

/** A lock as EC2 describes it. */
export interface LockDescription {
  readonly SnapshotId: string;
  readonly OwnerId: string;
  readonly LockState: string;
  readonly lock: SnapshotLock;
}

/** Writes a LockSnapshot response. */
export function writeLockSnapshotResponse(
  requestId: string,
  description: LockDescription,
): WireResponse {
  return writeEc2Response("LockSnapshot", requestId, lockElements(description));
}

function lockElements({ SnapshotId, LockState, lock }: LockDescription): object {
  const { createdAtMs, expiresAtMs, coolOffHours } = lock;
  const coolOff = {
    coolOffPeriod: coolOffHours,
    ...timeElements({ coolOffPeriodExpiresOn: createdAtMs + coolOffHours * MS_PER_HOUR }),
  };
  return {
    snapshotId: SnapshotId,
    lockState: LockState,
    lockDuration: Math.ceil((expiresAtMs - createdAtMs) / MS_PER_DAY),
    ...(coolOffHours === 0 ? {} : coolOff),
    ...timeElements({
      lockCreatedOn: createdAtMs,
      lockExpiresOn: expiresAtMs,
      lockDurationStartTime: createdAtMs,
    }),
  };
}

/** Reads an UnlockSnapshot request. */
export function readUnlockSnapshotRequest(parameters: QueryParameters): string {
  return required(parameters, "SnapshotId");
}

/** Writes an UnlockSnapshot response. */
export function writeUnlockSnapshotResponse(requestId: string, snapshotId: string): WireResponse {
  return writeEc2Response("UnlockSnapshot", requestId, { snapshotId });
}

/** Input of DescribeLockedSnapshots. */
export interface DescribeLockedSnapshotsRequest {
  readonly SnapshotIds: readonly string[];
  readonly Filters: readonly Filter[];
  readonly MaxResults: number | undefined;
  readonly NextToken: string | undefined;
}

/** Reads a DescribeLockedSnapshots request. */
export function readDescribeLockedSnapshotsRequest(
  parameters: QueryParameters,
): DescribeLockedSnapshotsRequest {
  return {
    SnapshotIds: parameters.list("SnapshotId"),
    Filters: readFilters(parameters),
    MaxResults: parameters.integer("MaxResults", 5, 1_000),
    NextToken: parameters.get("NextToken"),
  };
}

/** Writes a DescribeLockedSnapshots response. */
export function writeDescribeLockedSnapshotsResponse(
  requestId: string,
  locks: readonly LockDescription[],
  nextToken: string | undefined,
): WireResponse {
  const item = locks.map((each) => ({ ownerId: each.OwnerId, ...lockElements(each) }));
  return writeEc2Response("DescribeLockedSnapshots", requestId, {
    snapshotSet: { item },
    ...nextTokenElement(nextToken),
  });
}

/** Writes a LockSnapshot request. */
export function writeLockSnapshotRequest(input: {
  readonly SnapshotId: string;
  readonly LockMode: LockMode;
  /** Days. */
  readonly LockDuration: number;
  /** Hours, of the mode compliance only. */
  readonly CoolOffPeriod?: number | undefined;
}): WireRequest {
  return writeQueryRequest("ec2", "LockSnapshot", { ...input });
}

/** Writes an UnlockSnapshot request. */
export function writeUnlockSnapshotRequest(SnapshotId: string): WireRequest {
  return writeQueryRequest("ec2", "UnlockSnapshot", { SnapshotId });
}

/** Writes a DescribeLockedSnapshots request for a page of all locked snapshots, or for one. */
export function writeDescribeLockedSnapshotsRequest(input: {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
  readonly SnapshotId?: string | undefined;
}): WireRequest {
  const { MaxResults, NextToken, SnapshotId } = input;
  const members = { MaxResults, NextToken, "SnapshotId.1": SnapshotId };
  return writeQueryRequest("ec2", "DescribeLockedSnapshots", members);
}

/** A locked snapshot as a client reads of it. */
export interface LockedSnapshotDescription {
  readonly SnapshotId: string;
  /** `expired` for a lock that holds no more. */
  readonly LockState: string;
  /** ISO 8601; likewise the others. */
  readonly LockExpiresOn: string | undefined;
  readonly LockCreatedOn: string | undefined;
  /** Until when a compliance lock can be taken off. */
  readonly CoolOffPeriodExpiresOn: string | undefined;
}

/** Reads a DescribeLockedSnapshots response. */
export function readDescribeLockedSnapshotsResponse(response: ReceivedResponse): {
  readonly Snapshots: readonly LockedSnapshotDescription[];
  readonly NextToken: string | undefined;
} {
  const root = readXml(response)["DescribeLockedSnapshotsResponse"];
  const items = root?.["snapshotSet"]?.["item"] ?? [];
  const Snapshots = items.map((item) => ({
    SnapshotId: item["snapshotId"] ?? "",
    LockState: item["lockState"] ?? "",
    LockExpiresOn: item["lockExpiresOn"],
    LockCreatedOn: item["lockCreatedOn"],
    CoolOffPeriodExpiresOn: item["coolOffPeriodExpiresOn"],
  }));
  return { Snapshots, NextToken: root?.["nextToken"] || undefined };
}
