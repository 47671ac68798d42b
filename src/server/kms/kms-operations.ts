import type { EncryptionKey } from "../../model/encryption-key.ts";
import { MS_PER_DAY } from "../../model/limits.ts";
import { journaled } from "../../snapshots/choose-domain.ts";
import type { Core } from "../../snapshots/core.ts";
import {
  DEFAULT_KEY_ALIAS,
  defaultAliasArn,
  isDefaultAlias,
  isNameOf,
  keyArn,
  keyIdIn,
} from "../../snapshots/key-arns.ts";
import { mintListToken, openListToken } from "../../snapshots/tokens/list-tokens.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import {
  keyMetadata,
  readCreateKeyRequest,
  readKeyIdRequest,
  readListRequest,
  readScheduleKeyDeletionRequest,
  readUpdateKeyDescriptionRequest,
} from "../../wire/kms/keys.ts";
import { kmsFault, writeKmsResponse } from "../../wire/kms/message.ts";
import type { WireRequest, WireResponse } from "../../wire/message.ts";
import { accessOfKey, authorize, type Caller } from "../access/authorize.ts";

/** An authenticated call of one operation on encryption keys. */
export interface KmsCall extends Caller {
  /** Name of the operation, one of `KMS_OPERATION_NAMES`. */
  readonly operation: string;
  readonly request: WireRequest;
}

type KmsOperation = (core: Core, call: KmsCall) => Promise<WireResponse>;

/** The operations of AWS KMS that make keys, show them, and take them out of use. */
const OPERATIONS: Readonly<Record<string, KmsOperation>> = {
  async CreateKey(core, call) {
    const { Description } = readCreateKeyRequest(call.request);
    await authorizeAccount(core, call);
    const key = await core.keys.create(call.principal.account, Description);
    await journaled(core);
    return writeKmsResponse({ KeyMetadata: keyMetadata(key, keyArn(core, key)) });
  },

  async DescribeKey(core, call) {
    const key = await findKey(core, call, readKeyIdRequest(call.request).KeyId);
    return writeKmsResponse({ KeyMetadata: keyMetadata(key, keyArn(core, key)) });
  },

  ListKeys: listKeys,
  ListAliases: listAliases,

  async EnableKey(core, call) {
    const key = await findOwnedKey(core, call, readKeyIdRequest(call.request).KeyId);
    await change(core, checkNotDeleted(core, key), { state: "enabled" });
    return writeKmsResponse({});
  },

  async DisableKey(core, call) {
    const key = await findOwnedKey(core, call, readKeyIdRequest(call.request).KeyId);
    await change(core, checkNotDeleted(core, key), { state: "disabled" });
    return writeKmsResponse({});
  },

  async UpdateKeyDescription(core, call) {
    const { KeyId, Description } = readUpdateKeyDescriptionRequest(call.request);
    const key = await findOwnedKey(core, call, KeyId);
    await change(core, checkNotDeleted(core, key), { description: Description });
    return writeKmsResponse({});
  },

  async RotateKeyOnDemand(core, call) {
    const key = await findOwnedKey(core, call, readKeyIdRequest(call.request).KeyId);
    if (key.state !== "enabled") throw invalidState(core, key);
    const { length } = key.secrets;
    if (length >= KEY_VERSIONS_MAX) {
      const message = `A key has at most ${KEY_VERSIONS_MAX} versions`;
      throw kmsFault("LimitExceededException", message);
    }
    if (!(await core.keys.rotate(key))) throw changedMeanwhile(key);
    await journaled(core);
    return writeKmsResponse({ KeyId: key.id });
  },

  async ScheduleKeyDeletion(core, call) {
    const { KeyId, PendingWindowInDays } = readScheduleKeyDeletionRequest(call.request);
    const key = checkNotDeleted(core, await findOwnedKey(core, call, KeyId));
    const deletionAtMs = core.clock.nowMs() + PendingWindowInDays * MS_PER_DAY;
    await change(core, key, { state: "pending-deletion", deletionAtMs });
    return writeKmsResponse({
      DeletionDate: deletionAtMs / 1000,
      KeyId: keyArn(core, key),
      KeyState: "PendingDeletion",
      PendingWindowInDays,
    });
  },

  async CancelKeyDeletion(core, call) {
    const key = await findOwnedKey(core, call, readKeyIdRequest(call.request).KeyId);
    if (key.state !== "pending-deletion") throw invalidState(core, key);
    await change(core, key, { state: "disabled", deletionAtMs: undefined });
    return writeKmsResponse({ KeyId: keyArn(core, key) });
  },
};

/** Secrets that a key may have; a record says in one byte which one it was encrypted with. */
const KEY_VERSIONS_MAX = 255;

/** The operations there are, in the order of the table above. */
export const KMS_OPERATION_NAMES: readonly string[] = Object.keys(OPERATIONS);

/** True for the name of one of them. */
export function isKmsOperation(name: string): boolean {
  return Object.hasOwn(OPERATIONS, name);
}

/** Carries out one operation; one that is not there is a clear refusal. */
export async function callKmsOperation(core: Core, call: KmsCall): Promise<WireResponse> {
  const { operation } = call;
  const handler = Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation] : undefined;
  if (handler) return handler(core, call);
  const known = `It supports: ${KMS_OPERATION_NAMES.join(", ")}.`;
  const message = `Varve does not support the KMS operation '${operation.slice(0, 64)}'. ${known}`;
  throw kmsFault("UnsupportedOperationException", message);
}

async function listKeys(core: Core, call: KmsCall): Promise<WireResponse> {
  const { account } = call.principal;
  const { Limit, Marker } = readListRequest(call.request, []);
  await authorizeAccount(core, call);
  const listing = ["kms", account];
  const afterId = Marker === undefined ? "" : openListToken(core.tokens, listing, Marker);
  if (afterId === undefined) throw kmsFault("InvalidMarkerException", "The Marker is not valid");
  const page = await core.catalog.encryption.page(account, afterId, Limit + 1);
  const keys = page.slice(0, Limit);
  const last = page.length > Limit ? keys.at(-1) : undefined;
  return writeKmsResponse({
    Keys: keys
      .filter(({ state, manager }) => state !== "destroyed" && manager !== "store")
      .map((key) => ({ KeyArn: keyArn(core, key), KeyId: key.id })),
    ...(last ? { NextMarker: mintListToken(core.tokens, listing, last.id) } : {}),
    Truncated: last !== undefined,
  });
}

/** There is one alias at most: that of the key which the service made. */
async function listAliases(core: Core, call: KmsCall): Promise<WireResponse> {
  const { account } = call.principal;
  const { KeyId } = readListRequest(call.request, ["KeyId"]);
  await authorizeAccount(core, call);
  const made = await core.catalog.encryption.madeFor(account);
  const isWanted = made && (KeyId === undefined || keyIdIn(core, KeyId) === made.id);
  const Aliases = isWanted
    ? [
        {
          AliasArn: defaultAliasArn(core, account),
          AliasName: DEFAULT_KEY_ALIAS,
          CreationDate: made.createdAtMs / 1000,
          LastUpdatedDate: made.createdAtMs / 1000,
          TargetKeyId: made.id,
        },
      ]
    : [];
  return writeKmsResponse({ Aliases, Truncated: false });
}

/** Throws unless the caller may do this, which is about no one key, in the account. */
async function authorizeAccount(core: Core, call: KmsCall): Promise<void> {
  const keys = { "kms:CallerAccount": call.principal.account };
  await authorize(core, call, { action: `kms:${call.operation}`, resourceId: undefined, keys });
}

/** The key of that id, ARN or alias, if this account owns it and the caller may do this to it. */
async function findKey(core: Core, call: KmsCall, name: string): Promise<EncryptionKey> {
  const { account } = call.principal;
  const isAlias = isDefaultAlias(core, account, name);
  const alias = defaultAliasArn(core, account);
  const made = isAlias ? await core.catalog.encryption.madeFor(account) : undefined;
  const id = made?.id ?? keyIdIn(core, name);
  const askedFor = isAlias ? alias : undefined;
  const access = { ...accessOfKey(core, call, { account, id }), askedFor };
  await authorize(core, call, { action: `kms:${call.operation}`, ...access });
  const key = await core.catalog.encryption.get(id);
  const isOwn = key?.account === account && key.state !== "destroyed";
  const isNamed = isOwn && (made?.id === key.id || isNameOf(core, key, name));
  if (isNamed && key.manager !== "store") return key;
  const what = isAlias ? `Alias ${alias}` : `Key '${access.arn?.slice(0, 256)}'`;
  throw kmsFault("NotFoundException", `${what} does not exist`);
}

/** The same for what may be done to keys that the account made itself only, as on AWS. */
async function findOwnedKey(core: Core, call: KmsCall, name: string): Promise<EncryptionKey> {
  const key = await findKey(core, call, name);
  if (key.manager === "customer") return key;
  const message = `The key ${keyArn(core, key)} is managed by the service`;
  throw kmsFault("AccessDeniedException", message);
}

function checkNotDeleted(core: Core, key: EncryptionKey): EncryptionKey {
  if (key.state === "pending-deletion") throw invalidState(core, key);
  return key;
}

function invalidState(core: Core, key: EncryptionKey): ServiceFault {
  const state = key.state === "pending-deletion" ? "pending deletion" : key.state;
  return kmsFault("KMSInvalidStateException", `${keyArn(core, key)} is ${state}.`);
}

async function change(
  core: Core,
  key: EncryptionKey,
  changes: Partial<Pick<EncryptionKey, "state" | "description" | "deletionAtMs">>,
): Promise<void> {
  const isDone = await core.catalog.encryption.replace(key, { ...key, ...changes });
  if (!isDone) throw changedMeanwhile(key);
}

function changedMeanwhile({ id }: EncryptionKey): ServiceFault {
  const message = `Key ${id} was changed by another request at the same time: try again`;
  return kmsFault("ConflictException", message);
}
