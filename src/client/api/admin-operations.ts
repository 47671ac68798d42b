import {
  type AccessKeyDescription,
  type CreateAccessKeyResponse,
  type GetAccessKeyResponse,
  readCreateAccessKeyResponse,
  readGetAccessKeyResponse,
  readListAccessKeysResponse,
  type UpdateAccessKeyRequest,
  writeCreateAccessKeyRequest,
  writeDeleteAccessKeyRequest,
  writeGetAccessKeyRequest,
  writeListAccessKeysRequest,
  writeUpdateAccessKeyRequest,
} from "../../wire/admin/access-keys.ts";
import {
  type AccountDescription,
  readCreateAccountResponse,
  readListAccountsResponse,
  writeCreateAccountRequest,
  writeListAccountsRequest,
} from "../../wire/admin/accounts.ts";
import {
  type ListAuditEntriesRequest,
  type ListAuditEntriesResponse,
  readListAuditEntriesResponse,
  writeListAuditEntriesRequest,
} from "../../wire/admin/audit.ts";
import {
  type CollectionDescription,
  readCollectionResponse,
  type StartCollectionRequest,
  writeGetCollectionRequest,
  writeStartCollectionRequest,
  writeStopCollectionRequest,
} from "../../wire/admin/collections.ts";
import {
  type BlockLocation,
  readLocateBlockResponse,
  writeLocateBlockRequest,
} from "../../wire/admin/locate-block.ts";
import type { AdminOperationName } from "../../wire/admin/routes.ts";
import {
  readDescribeServiceResponse,
  type ServiceDescription,
  writeDescribeServiceRequest,
} from "../../wire/admin/service.ts";
import {
  readSimulatePolicyResponse,
  type SimulatePolicyRequest,
  type SimulatePolicyResponse,
  writeSimulatePolicyRequest,
} from "../../wire/admin/simulate-policy.ts";
import {
  readGetStoreStatusResponse,
  readListStoreSamplesResponse,
  type StoreSample,
  type StoreStatus,
  writeGetStoreStatusRequest,
  writeListStoreSamplesRequest,
} from "../../wire/admin/status.ts";
import {
  readDescribeStoreResponse,
  type StoreDescription,
  writeDescribeStoreRequest,
} from "../../wire/admin/store.ts";
import {
  type RotateTokenSecretsRequest,
  type RotateTokenSecretsResponse,
  readRotateTokenSecretsResponse,
  writeRotateTokenSecretsRequest,
} from "../../wire/admin/token-secrets.ts";
import type { ReceivedResponse, WireRequest } from "../../wire/message.ts";
import type { CallOptions, Client } from "../call/client.ts";

/*
 * Management of a Varve's accounts, access keys and store; AWS does not know these operations. They
 * are
 * answered to access keys without a policy. An account named `self` is the caller's own.
 */

/** Adds an account: the one of that id, or a new one. Not repeated when its answer is lost. */
export function createAccount(
  client: Client,
  accountId?: string,
  options?: CallOptions,
): Promise<AccountDescription> {
  const request = writeCreateAccountRequest({ AccountId: accountId });
  const call = callOf("CreateAccount", request, readCreateAccountResponse);
  return client.send(call, { ...options, attemptsMax: 1 });
}

/** All accounts, the first of which manages the others. */
export async function listAccounts(
  client: Client,
  options?: CallOptions,
): Promise<readonly AccountDescription[]> {
  const call = callOf("ListAccounts", writeListAccountsRequest(), readListAccountsResponse);
  return (await client.send(call, options)).Accounts;
}

/**
 * Makes an access key, with a policy or with every right of its account. Its secret is told here
 * and never again. Not repeated when its answer is lost, or there would be keys nobody knows of.
 */
export function createAccessKey(
  client: Client,
  input: { readonly accountId?: string | undefined; readonly policy?: string | undefined } = {},
  options?: CallOptions,
): Promise<CreateAccessKeyResponse> {
  const { accountId = "self", policy } = input;
  const request = writeCreateAccessKeyRequest(accountId, { PolicyDocument: policy });
  const call = callOf("CreateAccessKey", request, readCreateAccessKeyResponse);
  return client.send(call, { ...options, attemptsMax: 1 });
}

/** An account's access keys, oldest first, without their secrets. */
export async function listAccessKeys(
  client: Client,
  accountId = "self",
  options?: CallOptions,
): Promise<readonly AccessKeyDescription[]> {
  const request = writeListAccessKeysRequest(accountId);
  const call = callOf("ListAccessKeys", request, readListAccessKeysResponse);
  return (await client.send(call, options)).AccessKeys;
}

/** An access key and its policy, without its secret. */
export function getAccessKey(
  client: Client,
  accessKeyId: string,
  options?: CallOptions,
): Promise<GetAccessKeyResponse> {
  const request = writeGetAccessKeyRequest(accessKeyId);
  return client.send(callOf("GetAccessKey", request, readGetAccessKeyResponse), options);
}

/** Activates or deactivates an access key, or changes its policy; counts from the next request. */
export function updateAccessKey(
  client: Client,
  input: UpdateAccessKeyRequest & { readonly AccessKeyId: string },
  options?: CallOptions,
): Promise<void> {
  const { AccessKeyId, ...change } = input;
  const request = writeUpdateAccessKeyRequest(AccessKeyId, change);
  return client.send(callOf("UpdateAccessKey", request, nothing), options);
}

/** Deletes an access key for good. */
export function deleteAccessKey(
  client: Client,
  accessKeyId: string,
  options?: CallOptions,
): Promise<void> {
  const request = writeDeleteAccessKeyRequest(accessKeyId);
  return client.send(callOf("DeleteAccessKey", request, nothing), options);
}

/**
 * What a policy, or that of an access key, would answer to actions on resources. Nothing is done.
 * Throws a `ClientError` of the code MalformedPolicyDocumentException for a policy that is none.
 */
export function simulatePolicy(
  client: Client,
  input: SimulatePolicyRequest,
  options?: CallOptions,
): Promise<SimulatePolicyResponse> {
  const request = writeSimulatePolicyRequest(input);
  return client.send(callOf("SimulatePolicy", request, readSimulatePolicyResponse), options);
}

/**
 * Begins a collection of garbage in the store; it goes on by itself, and `getCollection` tells how.
 * Answered to the account that manages the store.
 */
export function startCollection(
  client: Client,
  input: StartCollectionRequest = {},
  options?: CallOptions,
): Promise<CollectionDescription> {
  const request = writeStartCollectionRequest(input);
  return client.send(callOf("StartCollection", request, readCollectionResponse), options);
}

/** How a collection stands. */
export function getCollection(
  client: Client,
  collectionId: string,
  options?: CallOptions,
): Promise<CollectionDescription> {
  const request = writeGetCollectionRequest(collectionId);
  return client.send(callOf("GetCollection", request, readCollectionResponse), options);
}

/** Ends a collection at its next page; the next one goes on. */
export function stopCollection(
  client: Client,
  collectionId: string,
  options?: CallOptions,
): Promise<CollectionDescription> {
  const request = writeStopCollectionRequest(collectionId);
  return client.send(callOf("StopCollection", request, readCollectionResponse), options);
}

/** How the whole store is. Answered to the account that manages it. */
export function describeStore(client: Client, options?: CallOptions): Promise<StoreDescription> {
  const request = writeDescribeStoreRequest();
  return client.send(callOf("DescribeStore", request, readDescribeStoreResponse), options);
}

/** Where a block lies in the store. Answered to the account that manages the store. */
export function locateBlock(
  client: Client,
  block: { readonly snapshotId: string; readonly blockIndex: number },
  options?: CallOptions,
): Promise<BlockLocation> {
  const request = writeLocateBlockRequest(block.snapshotId, block.blockIndex);
  return client.send(callOf("LocateBlock", request, readLocateBlockResponse), options);
}

/** How the service was started. Answered to the account that manages the store. */
export function describeService(
  client: Client,
  options?: CallOptions,
): Promise<ServiceDescription> {
  const request = writeDescribeServiceRequest();
  return client.send(callOf("DescribeService", request, readDescribeServiceResponse), options);
}

/**
 * How the whole store is and what it does; may be asked every second or two. Answered to the
 * account that manages the store.
 */
export function getStoreStatus(client: Client, options?: CallOptions): Promise<StoreStatus> {
  const request = writeGetStoreStatusRequest();
  return client.send(callOf("GetStoreStatus", request, readGetStoreStatusResponse), options);
}

/** How the store has grown, oldest first. Answered to the account that manages the store. */
export async function listStoreSamples(
  client: Client,
  options?: CallOptions,
): Promise<readonly StoreSample[]> {
  const request = writeListStoreSamplesRequest();
  const call = callOf("ListStoreSamples", request, readListStoreSamplesResponse);
  return (await client.send(call, options)).Samples;
}

/**
 * A page of the audit log, latest entries first. Answered to the account that manages the store;
 * where several processes serve it, by the one that is asked, of its own file.
 */
export function listAuditEntries(
  client: Client,
  input: ListAuditEntriesRequest = {},
  options?: CallOptions,
): Promise<ListAuditEntriesResponse> {
  const request = writeListAuditEntriesRequest(input);
  return client.send(callOf("ListAuditEntries", request, readListAuditEntriesResponse), options);
}

/**
 * Has tokens minted with new secrets from now on. Those minted before stay good until they expire;
 * with `Revoke`, none does. Answered to the account that manages the store. Not repeated when its
 * answer is lost, for there may be few secrets only that open tokens.
 */
export function rotateTokenSecrets(
  client: Client,
  input: RotateTokenSecretsRequest = {},
  options?: CallOptions,
): Promise<RotateTokenSecretsResponse> {
  const request = writeRotateTokenSecretsRequest(input);
  const call = callOf("RotateTokenSecrets", request, readRotateTokenSecretsResponse);
  return client.send(call, { ...options, attemptsMax: 1 });
}

function callOf<T>(
  operation: AdminOperationName,
  request: WireRequest,
  read: (response: ReceivedResponse) => T,
) {
  return { operation, service: "ebs", request, read } as const;
}

/** The status has said it all. */
function nothing(): void {}
