import type { RequestParts } from "../../../src/wire/message.ts";
import { withNewKey } from "../keys.ts";
import {
  actionParts,
  changedParts,
  completeParts,
  getParts,
  kmsParts,
  listParts,
  putParts,
  startParts,
} from "../operations.ts";
import {
  type Caller,
  completed,
  ec2,
  encryptionKey,
  endingKey,
  image,
  pending,
  sharedImage,
  type World,
} from "./world.ts";

/* The rows of the authorization matrix: every operation, once for each place an id travels in. */

/** The service that a row is a request to; `admin` is signed for `ebs`. */
export type RowService = "ebs" | "ec2" | "sts" | "kms" | "s3" | "admin";

/** A status, and the error's code where it is one. */
export type Outcome = readonly [status: number, code?: string];

/** One row. */
export interface Row {
  readonly name: string;
  readonly service: RowService;
  /** Where the id of what it is about travels; `-` where there is none. */
  readonly place: "path" | "query" | "body" | "-";
  /** The permission it needs; undefined where it needs none, or none can give it. */
  readonly permission: string | undefined;
  /** Last part of the ARN that a denial names: of what is denied first. */
  readonly resource: (id: string) => string;
  /** The id of something of the first account; some have to be made anew each time. */
  readonly subject: (world: World) => Promise<string>;
  /** The request about it. */
  readonly about: (world: World, id: string, caller: Caller) => RequestParts;
  /** An id of the same form that was never given out. */
  readonly unknown: string;
  readonly owner: Outcome;
  readonly stranger: Outcome;
  readonly recipient: Outcome;
  /** The action of EC2 that puts an account back to how the other rows need it. */
  readonly undo?: string;
}

const UNKNOWN_SNAPSHOT = "snap-0ffffffffffffffff";
const UNKNOWN_IMAGE = "ami-0ffffffffffffffff";
const UNKNOWN_KEY = "ffffffff-ffff-4fff-8fff-ffffffffffff";
const NOT_FOUND: Outcome = [404, "ResourceNotFoundException"];
const NO_SNAPSHOT: Outcome = [400, "InvalidSnapshot.NotFound"];
const NO_IMAGE: Outcome = [400, "InvalidAMIID.NotFound"];
const NO_KEY: Outcome = [400, "NotFoundException"];
const NO_ENTITY: Outcome = [404, "NoSuchEntityException"];
const ADMIN_DENIED: Outcome = [403, "AccessDeniedException"];
const OK: Outcome = [200];

type Rest = Partial<Omit<Row, "name" | "about">>;

function ebs(name: string, about: Row["about"], rest: Rest = {}): Row {
  return {
    ...{ name, service: "ebs", place: "path", permission: `ebs:${name}`, about },
    ...{ unknown: UNKNOWN_SNAPSHOT, subject: async ({ parent }) => parent },
    ...{ resource: (id) => id, owner: OK, stranger: NOT_FOUND, recipient: OK },
    ...rest,
  };
}

/** An action of EC2; where the members name `ID`, the subject's id takes its place. */
function onSnapshot(name: string, members: Record<string, string>, rest: Rest = {}): Row {
  const about: Row["about"] = (_world, id) => actionParts(name, filled(members, id));
  return {
    ...{ name, service: "ec2", place: "body", permission: `ec2:${name}`, about },
    ...{ unknown: UNKNOWN_SNAPSHOT, subject: async ({ parent }) => parent },
    ...{ resource: (id) => id, owner: OK, stranger: NO_SNAPSHOT, recipient: NO_SNAPSHOT },
    ...rest,
  };
}

function onImage(name: string, members: Record<string, string>, rest: Rest = {}): Row {
  const outcomes = { stranger: NO_IMAGE, recipient: NO_IMAGE };
  return onSnapshot(name, members, {
    unknown: UNKNOWN_IMAGE,
    subject: image,
    ...outcomes,
    ...rest,
  });
}

/** Names nothing, or describes: allowed or not as a whole, and empty for whoever owns nothing. */
function listing(name: string, members: Record<string, string> = {}, rest: Rest = {}): Row {
  const place = Object.keys(members).length > 0 ? "body" : "-";
  const outcomes = { place, resource: () => "*", stranger: OK, recipient: OK } as const;
  return onSnapshot(name, members, { ...outcomes, ...rest });
}

/** Changes or shows how the caller's own account is set; it names nothing of anybody's. */
function setting(name: string, members: Record<string, string> = {}, undo?: string): Row {
  return listing(name, members, { place: "-", ...(undo === undefined ? {} : { undo }) });
}

/** An operation on an encryption key, which no other account ever sees. */
function kms(name: string, members: Record<string, unknown>, rest: Rest = {}): Row {
  const about: Row["about"] = (_world, id) => kmsParts(name, { KeyId: id, ...members });
  return {
    ...{ name, service: "kms", place: "body", permission: `kms:${name}`, about },
    ...{ unknown: UNKNOWN_KEY, subject: encryptionKey, resource: (id) => `key/${id}` },
    ...{ owner: OK, stranger: NO_KEY, recipient: NO_KEY },
    ...rest,
  };
}

/** The same on all keys of the caller's account. */
function kmsListing(name: string, members: object = {}): Row {
  const about: Row["about"] = (_world, id) => kmsParts(name, filled({ ...members }, id));
  const place = Object.keys(members).length > 0 ? "body" : "-";
  return { ...kms(name, {}), place, about, resource: () => "*", stranger: OK, recipient: OK };
}

function filled(members: Record<string, string>, id: string): Record<string, string> {
  const unique = String(++uniqueCount);
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => {
      return [name, value.replace("ID", id).replace("UNIQUE", unique)];
    }),
  );
}

let uniqueCount = 0;

function sts(name: string, members: Record<string, string>, rest: Rest = {}): Row {
  const about: Row["about"] = (_world, id) => actionParts(name, filled(members, id));
  return {
    ...{ name, service: "sts", place: "-", permission: undefined, about, unknown: "" },
    ...{ subject: async ({ account }) => account, resource: (id) => id },
    ...{ owner: OK, stranger: OK, recipient: OK },
    ...rest,
  };
}

function admin(name: string, [method, path]: readonly [string, string], rest: Rest = {}): Row {
  const about: Row["about"] = (_world, id) => ({
    method,
    path: `/varve${path.replace("ID", id)}`,
    ...(method === "POST" ? { body: Buffer.from(bodyOf(name, id)) } : {}),
  });
  return {
    ...{ name, service: "admin", place: path.includes("ID") ? "path" : "-", about },
    ...{ permission: undefined, resource: (id) => id, subject: async ({ account }) => account },
    ...{ unknown: "999999999999", owner: OK, stranger: ADMIN_DENIED, recipient: ADMIN_DENIED },
    ...rest,
  };
}

function bodyOf(name: string, id: string): string {
  if (name === "SimulatePolicy") return JSON.stringify({ AccessKeyId: id });
  return name === "UpdateAccessKey" ? '{"Status":"Active"}' : "{}";
}

/** An access key of the first account that nobody else uses. */
async function ownersKey({ service }: World): Promise<string> {
  return (await withNewKey(service)).firstKey.key.accessKeyId;
}

/** A snapshot in the first account's recycle bin. */
async function recycled(world: World): Promise<string> {
  const id = await completed(world);
  await ec2(world, "DeleteSnapshot", { SnapshotId: id });
  return id;
}

async function locked(world: World): Promise<string> {
  const id = await completed(world);
  await ec2(world, "LockSnapshot", { SnapshotId: id, LockMode: "governance", LockDuration: "1" });
  return id;
}

const ATTRIBUTE = { SnapshotId: "ID", Attribute: "createVolumePermission" };
const ADD = { ...ATTRIBUTE, OperationType: "add", "UserId.1": "999999999999" };
const TAGGED = { "ResourceId.1": "ID", "Tag.1.Key": "a" };
const DEVICE = {
  "BlockDeviceMapping.1.DeviceName": "/dev/xvda",
  "BlockDeviceMapping.1.Ebs.SnapshotId": "ID",
};
const filter = (name: string) => ({ "Filter.1.Name": name, "Filter.1.Value.1": "ID" });
const keyRest = { subject: ownersKey, unknown: "AKIAUNKNOWNUNKNOWN22", stranger: NO_ENTITY };
const UNRELATED: Outcome = [400, "ValidationException"];
const IMAGE_COPY = { Name: "copy UNIQUE", SourceImageId: "ID", SourceRegion: "us-east-1" };
const NEXT_YEAR = new Date(Date.now() + 365 * 86_400_000).toISOString();
const NO_USABLE_KEY: Outcome = [400, "InvalidParameterValue"];

/** Operations of the EBS direct APIs. */
const EBS_ROWS: readonly Row[] = [
  ebs("StartSnapshot", () => startParts({ VolumeSize: 1 }), {
    ...{ place: "-", owner: [201], stranger: [201], recipient: [201], resource: () => "null" },
  }),
  ebs(
    "StartSnapshot",
    (_world, id) => startParts({ VolumeSize: 1, ParentSnapshotId: id }),
    // A shared snapshot is no parent.
    { place: "body", owner: [201], recipient: NOT_FOUND },
  ),
  ebs(
    "PutSnapshotBlock",
    ({ block }, snapshotId) => putParts({ snapshotId, blockIndex: 0 }, block),
    { subject: pending, owner: [201], recipient: NOT_FOUND },
  ),
  ebs("CompleteSnapshot", (_world, id) => completeParts(id, 0), {
    ...{ subject: pending, owner: [202], recipient: NOT_FOUND },
  }),
  ebs("GetSnapshotBlock", ({ token }, id) => getParts(id, 0, token)),
  ebs("ListSnapshotBlocks", (_world, id) => listParts(id)),
  ebs("ListChangedBlocks", (_world, id, { own }) => changedParts(own, id), {
    // The caller's own snapshot comes first, and one of another account is of another lineage.
    ...{ recipient: UNRELATED, resource: () => "OWN" },
  }),
  ebs("ListChangedBlocks", (_world, id, { own }) => changedParts(id, own), {
    ...{ place: "query", recipient: UNRELATED },
  }),
  ebs("ListChangedBlocks", (_world, id) => changedParts(id, id)),
  ebs("ListBlockDigests", (_world, id) => ({ method: "GET", path: `/snapshots/${id}/digests` }), {
    permission: "ebs:ListSnapshotBlocks",
  }),
  ebs("ListReadableBlocks", (_world, id) => integrityParts("GET", `/snapshots/${id}/blocks`), {
    permission: "ebs:ListSnapshotBlocks",
  }),
  ebs(
    "VerifySnapshot",
    (_world, id) => integrityParts("POST", `/snapshots/${id}/verification`),
    // Of one's own only: its outcome is noted with the snapshot.
    { permission: "ebs:GetSnapshotBlock", recipient: NOT_FOUND },
  ),
  ebs("ListVerifications", () => integrityParts("GET", "/verifications"), {
    ...{ permission: "ec2:DescribeSnapshots", place: "-", resource: () => "*" },
    ...{ subject: async () => "*", stranger: OK },
  }),
  ebs("ListLineages", () => integrityParts("GET", "/lineages"), {
    ...{ permission: "ec2:DescribeSnapshots", place: "-", resource: () => "*" },
    ...{ subject: async () => "*", stranger: OK },
  }),
  ebs(
    "CountExclusiveBlocks",
    (_world, id) => integrityParts("GET", `/snapshots/${id}/exclusive`),
    // Of one's own only: it tells of all the snapshots around it.
    { permission: "ebs:ListSnapshotBlocks", recipient: NOT_FOUND },
  ),
  ebs("GetSnapshotProgress", (_world, id) => integrityParts("GET", `/snapshots/${id}/progress`), {
    ...{ permission: "ec2:DescribeSnapshots", resource: () => "*", recipient: NOT_FOUND },
  }),
];

function integrityParts(method: string, path: string): RequestParts {
  const body = method === "POST" ? { body: Buffer.from("{}") } : {};
  return { method, path: `/varve${path}`, ...body };
}

/** Actions of EC2. */
const EC2_ROWS: readonly Row[] = [
  listing("DescribeSnapshots"),
  listing("DescribeSnapshots", filter("snapshot-id")),
  listing("DescribeSnapshots", { "SnapshotId.1": "ID" }, { stranger: NO_SNAPSHOT }),
  listing("DescribeTags"),
  listing("DescribeTags", filter("resource-id")),
  listing("DescribeRegions"),
  listing("DescribeTags", filter("resource-id"), { subject: image, unknown: UNKNOWN_IMAGE }),
  listing("DescribeSnapshotTierStatus"),
  listing("DescribeSnapshotTierStatus", filter("snapshot-id")),
  listing("DescribeFastSnapshotRestores"),
  listing("DescribeVolumes"),
  listing("DescribeInstances"),
  listing("DescribeLockedSnapshots"),
  listing("DescribeLockedSnapshots", { "SnapshotId.1": "ID" }, { subject: locked }),
  listing("ListSnapshotsInRecycleBin"),
  listing("ListSnapshotsInRecycleBin", { "SnapshotId.1": "ID" }, { subject: recycled }),
  listing("DescribeImages", {}, { subject: image, unknown: UNKNOWN_IMAGE }),
  listing("DescribeImages", filter("image-id"), { subject: image, unknown: UNKNOWN_IMAGE }),
  listing(
    "DescribeImages",
    { "ImageId.1": "ID" },
    { subject: image, unknown: UNKNOWN_IMAGE, stranger: NO_IMAGE, recipient: NO_IMAGE },
  ),
  onSnapshot(
    "CopySnapshot",
    { SourceRegion: "us-east-1", SourceSnapshotId: "ID" },
    { recipient: OK },
  ),
  onSnapshot("DeleteSnapshot", { SnapshotId: "ID" }, { subject: completed }),
  onSnapshot("CreateTags", TAGGED, { subject: completed }),
  onSnapshot("DeleteTags", TAGGED, { subject: completed }),
  onSnapshot("ModifySnapshotAttribute", ADD, { subject: completed }),
  onSnapshot("DescribeSnapshotAttribute", ATTRIBUTE),
  onSnapshot("ResetSnapshotAttribute", ATTRIBUTE, { subject: completed }),
  onSnapshot(
    "LockSnapshot",
    { SnapshotId: "ID", LockMode: "governance", LockDuration: "1" },
    { subject: completed },
  ),
  onSnapshot("UnlockSnapshot", { SnapshotId: "ID" }, { subject: locked }),
  onSnapshot("RestoreSnapshotFromRecycleBin", { SnapshotId: "ID" }, { subject: recycled }),
  onSnapshot("RegisterImage", { Name: "row UNIQUE", ...DEVICE }),
  onImage("DeregisterImage", { ImageId: "ID" }),
  onImage("ModifyImageAttribute", { ImageId: "ID", "Description.Value": "new" }),
  onImage("DescribeImageAttribute", { ImageId: "ID", Attribute: "description" }),
  onImage("ResetImageAttribute", { ImageId: "ID", Attribute: "launchPermission" }),
  onImage("CopyImage", IMAGE_COPY),
  onImage("CopyImage", IMAGE_COPY, { subject: sharedImage, recipient: OK }),
  onImage("EnableImageDeprecation", { ImageId: "ID", DeprecateAt: NEXT_YEAR }),
  ...[
    "DisableImageDeprecation",
    "DisableImage",
    "EnableImage",
    "EnableImageDeregistrationProtection",
    "DisableImageDeregistrationProtection",
  ].map((name) => onImage(name, { ImageId: "ID" })),
  onImage("CreateTags", TAGGED),
  onImage("DeleteTags", TAGGED),
  setting("GetSnapshotBlockPublicAccessState"),
  setting(
    "EnableSnapshotBlockPublicAccess",
    { State: "block-all-sharing" },
    "DisableSnapshotBlockPublicAccess",
  ),
  setting("DisableSnapshotBlockPublicAccess"),
  setting("GetEbsEncryptionByDefault"),
  setting("EnableEbsEncryptionByDefault", {}, "DisableEbsEncryptionByDefault"),
  setting("DisableEbsEncryptionByDefault"),
  setting("GetEbsDefaultKmsKeyId"),
  setting("ResetEbsDefaultKmsKeyId"),
  listing(
    "ModifyEbsDefaultKmsKeyId",
    { KmsKeyId: "ID" },
    {
      ...{ subject: encryptionKey, unknown: UNKNOWN_KEY, undo: "ResetEbsDefaultKmsKeyId" },
      ...{ stranger: NO_USABLE_KEY, recipient: NO_USABLE_KEY },
    },
  ),
];

/** Operations on encryption keys. */
const KMS_ROWS: readonly Row[] = [
  kmsListing("CreateKey"),
  kmsListing("ListKeys"),
  kmsListing("ListAliases"),
  kmsListing("ListAliases", { KeyId: "ID" }),
  kms("DescribeKey", {}),
  kms("EnableKey", {}),
  kms("DisableKey", {}),
  kms("UpdateKeyDescription", { Description: "new" }),
  kms("RotateKeyOnDemand", {}),
  kms("ScheduleKeyDeletion", { PendingWindowInDays: 7 }),
  kms("CancelKeyDeletion", {}, { subject: endingKey }),
];

const ROLE_ARN = "arn:aws:iam::ID:role/backup";

/** Actions of STS, and the one of S3. */
const STS_AND_S3_ROWS: readonly Row[] = [
  sts("GetCallerIdentity", {}),
  sts("GetSessionToken", {}),
  sts(
    "AssumeRole",
    { RoleArn: ROLE_ARN, RoleSessionName: "row" },
    {
      ...{ place: "body", permission: "sts:AssumeRole", unknown: "999999999999" },
      ...{ resource: (id) => ROLE_ARN.replace("ID", id) },
      ...{ stranger: [403, "AccessDenied"], recipient: [403, "AccessDenied"] },
    },
  ),
  sts(
    "GetFederationToken",
    { Name: "row" },
    {
      ...{ permission: "sts:GetFederationToken" },
      ...{ resource: (id) => `arn:aws:sts::${id}:federated-user/row` },
    },
  ),
  {
    ...sts("ListBuckets", {}),
    ...{ service: "s3", about: () => ({ method: "GET", path: "/" }) },
  },
];

/** Management of accounts and access keys. */
const ADMIN_ROWS: readonly Row[] = [
  admin("CreateAccount", ["POST", "/accounts"], { owner: [201] }),
  admin("ListAccounts", ["GET", "/accounts"]),
  admin("CreateAccessKey", ["POST", "/accounts/ID/keys"], { owner: [201] }),
  admin("ListAccessKeys", ["GET", "/accounts/ID/keys"]),
  ...(["GET", "POST", "DELETE"] as const).map((method) => {
    const name = { GET: "GetAccessKey", POST: "UpdateAccessKey", DELETE: "DeleteAccessKey" }[
      method
    ];
    return admin(name, [method, "/keys/ID"], { ...keyRest, recipient: NO_ENTITY });
  }),
  // Harmless, and so open to every account's own keys; of another's keys nothing is told.
  admin("SimulatePolicy", ["POST", "/policy-simulations"], {
    ...{ ...keyRest, place: "body", recipient: NO_ENTITY },
  }),
  admin("StartCollection", ["POST", "/collections"], { owner: [202] }),
  // One that was never begun: what matters is who is let as far as to hear that.
  admin("GetCollection", ["GET", "/collections/ID"], {
    ...{ subject: async () => "999", owner: NO_ENTITY },
  }),
  admin("StopCollection", ["DELETE", "/collections/ID"], {
    ...{ subject: async () => "999", owner: NO_ENTITY },
  }),
  admin("DescribeStore", ["GET", "/store"]),
  admin("LocateBlock", ["GET", "/snapshots/ID/blocks/0/location"], {
    ...{ subject: async ({ parent }) => parent, unknown: UNKNOWN_SNAPSHOT },
  }),
  admin("DescribeService", ["GET", "/service"]),
  admin("GetStoreStatus", ["GET", "/status"]),
  admin("ListStoreSamples", ["GET", "/samples"]),
  admin("ListAuditEntries", ["GET", "/audit"]),
  admin("ScrubStore", ["POST", "/scrub"]),
  admin("RotateTokenSecrets", ["POST", "/token-secrets"]),
];

/** All rows. */
export const ROWS: readonly Row[] = [
  ...[...EBS_ROWS, ...EC2_ROWS, ...STS_AND_S3_ROWS],
  ...[...KMS_ROWS, ...ADMIN_ROWS],
];
