import type { EncryptionKey } from "../../model/encryption-key.ts";
import { KEY_DELETION_DAYS_MAX, KEY_DELETION_DAYS_MIN } from "../../model/limits.ts";
import type { WireRequest } from "../message.ts";
import { KmsMembers } from "./message.ts";

/** The one kind of key there is: it encrypts and decrypts, and never leaves. */
const SPEC = "SYMMETRIC_DEFAULT";
/** Keys on a page (AWS). */
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

/** Reads a CreateKey request: a description, and nothing else that makes a difference. */
export function readCreateKeyRequest(request: WireRequest): { readonly Description: string } {
  const constant = ["CustomerMasterKeySpec", "KeySpec", "KeyUsage", "MultiRegion", "Origin"];
  const members = new KmsMembers(request, ["Description", ...constant]);
  members.only("CustomerMasterKeySpec", [SPEC]);
  members.only("KeySpec", [SPEC]);
  members.only("KeyUsage", ["ENCRYPT_DECRYPT"]);
  members.only("MultiRegion", [false]);
  members.only("Origin", ["AWS_KMS"]);
  return { Description: members.text("Description") ?? "" };
}

/** Reads a request that names a key and says nothing else. */
export function readKeyIdRequest(request: WireRequest): { readonly KeyId: string } {
  return { KeyId: new KmsMembers(request, ["KeyId"]).required("KeyId") };
}

/** Reads an UpdateKeyDescription request. */
export function readUpdateKeyDescriptionRequest(request: WireRequest): {
  readonly KeyId: string;
  readonly Description: string;
} {
  const members = new KmsMembers(request, ["KeyId", "Description"]);
  return { KeyId: members.required("KeyId"), Description: members.text("Description") ?? "" };
}

/** Reads a ScheduleKeyDeletion request. */
export function readScheduleKeyDeletionRequest(request: WireRequest): {
  readonly KeyId: string;
  /** Days. */
  readonly PendingWindowInDays: number;
} {
  const members = new KmsMembers(request, ["KeyId", "PendingWindowInDays"]);
  const [min, max] = [KEY_DELETION_DAYS_MIN, KEY_DELETION_DAYS_MAX];
  const days = members.integer("PendingWindowInDays", min, max);
  return { KeyId: members.required("KeyId"), PendingWindowInDays: days ?? max };
}

/** Reads a ListKeys or ListAliases request. */
export function readListRequest(
  request: WireRequest,
  names: readonly string[],
): {
  readonly Limit: number;
  readonly Marker: string | undefined;
  readonly KeyId: string | undefined;
} {
  const members = new KmsMembers(request, ["Limit", "Marker", ...names]);
  return {
    Limit: members.integer("Limit", 1, LIMIT_MAX) ?? LIMIT_DEFAULT,
    Marker: members.text("Marker"),
    KeyId: names.includes("KeyId") ? members.text("KeyId") : undefined,
  };
}

const STATES = {
  enabled: "Enabled",
  disabled: "Disabled",
  "pending-deletion": "PendingDeletion",
  destroyed: "PendingDeletion",
} as const;

/** A key as KMS describes it. */
export function keyMetadata(key: EncryptionKey, arn: string): object {
  const { deletionAtMs } = key;
  return {
    AWSAccountId: key.account,
    Arn: arn,
    CreationDate: key.createdAtMs / 1000,
    CustomerMasterKeySpec: SPEC,
    ...(deletionAtMs === undefined ? {} : { DeletionDate: deletionAtMs / 1000 }),
    Description: key.description,
    Enabled: key.state === "enabled",
    EncryptionAlgorithms: [SPEC],
    KeyId: key.id,
    KeyManager: key.manager === "service" ? "AWS" : "CUSTOMER",
    KeySpec: SPEC,
    KeyState: STATES[key.state],
    KeyUsage: "ENCRYPT_DECRYPT",
    MultiRegion: false,
    Origin: "AWS_KMS",
  };
}
