import type { LockMode } from "../../model/snapshot.ts";
import {
  type DefaultKmsKeyIdAction,
  type EncryptionByDefaultAction,
  readDefaultKmsKeyIdResponse,
  readEncryptionByDefaultResponse,
  writeEncryptionRequest,
} from "../../wire/ec2/encryption.ts";
import {
  type LockedSnapshotDescription,
  readDescribeLockedSnapshotsResponse,
  writeDescribeLockedSnapshotsRequest,
  writeLockSnapshotRequest,
  writeUnlockSnapshotRequest,
} from "../../wire/ec2/lock-snapshot.ts";
import {
  type RecycledSnapshotDescription,
  readListSnapshotsInRecycleBinResponse,
  writeListSnapshotsInRecycleBinRequest,
  writeRestoreSnapshotRequest,
} from "../../wire/ec2/recycle-bin.ts";
import type { ReceivedResponse, WireRequest } from "../../wire/message.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { itemsOf } from "./pages.ts";

/* What EC2 has to keep snapshots safe: locks, the recycle bin, and encryption by default. */

/** The lock of a snapshot; undefined where it has none, also one that has expired is told. */
export async function findLock(
  client: Client,
  snapshotId: string,
  options?: CallOptions,
): Promise<LockedSnapshotDescription | undefined> {
  const request = writeDescribeLockedSnapshotsRequest({ SnapshotId: snapshotId });
  const call = ec2("DescribeLockedSnapshots", request, readDescribeLockedSnapshotsResponse);
  return (await client.send(call, options)).Snapshots[0];
}

/** Keeps a snapshot from being deleted for that many days, or changes the lock that it has. */
export function lockSnapshot(
  client: Client,
  input: {
    readonly snapshotId: string;
    readonly mode: LockMode;
    readonly days: number;
    /** In which a compliance lock can still be taken off. */
    readonly coolOffHours?: number | undefined;
  },
  options?: CallOptions,
): Promise<void> {
  const request = writeLockSnapshotRequest({
    SnapshotId: input.snapshotId,
    LockMode: input.mode,
    LockDuration: input.days,
    CoolOffPeriod: input.coolOffHours,
  });
  return client.send(ec2("LockSnapshot", request, nothing), options);
}

/** Takes a lock off. Throws where its mode forbids that. */
export function unlockSnapshot(
  client: Client,
  snapshotId: string,
  options?: CallOptions,
): Promise<void> {
  const request = writeUnlockSnapshotRequest(snapshotId);
  return client.send(ec2("UnlockSnapshot", request, nothing), options);
}

/** The account's snapshots that were deleted and can still be restored. */
export async function* recycledSnapshotsOf(
  client: Client,
  options?: CallOptions,
): AsyncGenerator<RecycledSnapshotDescription> {
  const operation = "ListSnapshotsInRecycleBin";
  const fetchPage = (NextToken: string | undefined) => {
    const request = writeListSnapshotsInRecycleBinRequest({ MaxResults: 1_000, NextToken });
    return client.send(ec2(operation, request, readListSnapshotsInRecycleBinResponse), options);
  };
  yield* itemsOf(operation, fetchPage, ({ Snapshots }) => Snapshots);
}

/** Takes a deleted snapshot out of the recycle bin. */
export function restoreSnapshot(
  client: Client,
  snapshotId: string,
  options?: CallOptions,
): Promise<void> {
  const request = writeRestoreSnapshotRequest(snapshotId);
  return client.send(ec2("RestoreSnapshotFromRecycleBin", request, nothing), options);
}

/** How an account encrypts when a request does not say. */
export interface EncryptionDefaults {
  readonly isByDefault: boolean;
  /** ARN of the default key, or `alias/aws/ebs` for the one that the service makes. */
  readonly keyId: string;
}

/** Asks for them. */
export async function getEncryptionDefaults(
  client: Client,
  options?: CallOptions,
): Promise<EncryptionDefaults> {
  const [isByDefault, keyId] = await Promise.all([
    sendByDefault(client, "GetEbsEncryptionByDefault", options),
    sendDefaultKey(client, { action: "GetEbsDefaultKmsKeyId" }, options),
  ]);
  return { isByDefault, keyId };
}

/** Changes whether new snapshots are encrypted where the request does not say. */
export async function setEncryptionByDefault(
  client: Client,
  isByDefault: boolean,
  options?: CallOptions,
): Promise<void> {
  const action = isByDefault ? "EnableEbsEncryptionByDefault" : "DisableEbsEncryptionByDefault";
  await sendByDefault(client, action, options);
}

/** Changes the account's default key; undefined for the one that the service makes. */
export async function setDefaultKey(
  client: Client,
  keyId: string | undefined,
  options?: CallOptions,
): Promise<void> {
  const action = keyId === undefined ? "ResetEbsDefaultKmsKeyId" : "ModifyEbsDefaultKmsKeyId";
  await sendDefaultKey(client, { action, keyId }, options);
}

function sendByDefault(client: Client, action: EncryptionByDefaultAction, options?: CallOptions) {
  const read = (response: ReceivedResponse) => readEncryptionByDefaultResponse(action, response);
  return client.send(ec2(action, writeEncryptionRequest(action), read), options);
}

function sendDefaultKey(
  client: Client,
  { action, keyId }: { action: DefaultKmsKeyIdAction; keyId?: string | undefined },
  options?: CallOptions,
) {
  const read = (response: ReceivedResponse) => readDefaultKmsKeyIdResponse(action, response);
  return client.send(ec2(action, writeEncryptionRequest(action, keyId), read), options);
}

function ec2<T>(operation: string, request: WireRequest, read: (response: ReceivedResponse) => T) {
  return { operation, service: "ec2", request, read } as const;
}

/** The status has said it all. */
function nothing(): void {}
