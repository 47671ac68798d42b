import { type QueryParameters, queryFault } from "./query.ts";

/*
 * The parameters of every EC2 action that is supported, all that AWS's model has of it. What is
 * not there is refused: a misspelled filter that is passed over would widen what an action does.
 */

/** Names of parameters, with N for every number in a list. */
interface ActionParameters {
  readonly reads: readonly string[];
  /** Passed over, since what they ask for is so anyway. */
  readonly ignores?: readonly string[];
  /** Refused by name, since what they ask for is not to be had. */
  readonly refuses?: readonly string[];
}

const FILTERS = ["Filter.N.Name", "Filter.N.Value.N"];
const PAGE = ["MaxResults", "NextToken"];
const TAGS = ["Tag.N.Key", "Tag.N.Value"];
const TAG_SPECIFICATIONS = [
  "TagSpecification.N.ResourceType",
  "TagSpecification.N.Tag.N.Key",
  "TagSpecification.N.Tag.N.Value",
];
const OF_IMAGE: ActionParameters = { reads: ["ImageId"] };
const OF_SNAPSHOT: ActionParameters = { reads: ["SnapshotId"] };
const GRANTEES = ["OperationType", "UserId.N", "UserGroup.N"];

/** `member.Add.N.…` and `member.Remove.N.…`. */
function changes(member: string, ...names: string[]): string[] {
  return names.flatMap((name) => [`${member}.Add.N.${name}`, `${member}.Remove.N.${name}`]);
}

function ofDevice(...names: string[]): string[] {
  return names.map((name) => `BlockDeviceMapping.N.${name}`);
}

const ENCRYPTION: Readonly<Record<string, ActionParameters>> = {
  GetEbsEncryptionByDefault: { reads: [] },
  EnableEbsEncryptionByDefault: { reads: [] },
  DisableEbsEncryptionByDefault: { reads: [] },
  GetEbsDefaultKmsKeyId: { reads: [] },
  ModifyEbsDefaultKmsKeyId: { reads: ["KmsKeyId"] },
  ResetEbsDefaultKmsKeyId: { reads: [] },
};

const SNAPSHOTS: Readonly<Record<string, ActionParameters>> = {
  DescribeSnapshots: { reads: ["SnapshotId.N", "Owner.N", "RestorableBy.N", ...FILTERS, ...PAGE] },
  CopySnapshot: {
    reads: [
      ...["SourceRegion", "SourceSnapshotId", "Description", "Encrypted", "KmsKeyId"],
      ...TAG_SPECIFICATIONS,
    ],
    // The source is read in place, with the caller's own rights, and at once.
    ignores: ["DestinationRegion", "PresignedUrl", "CompletionDurationMinutes"],
    refuses: ["DestinationOutpostArn", "DestinationAvailabilityZone"],
  },
  DeleteSnapshot: OF_SNAPSHOT,
  DescribeTags: { reads: [...FILTERS, ...PAGE] },
  CreateTags: { reads: ["ResourceId.N", ...TAGS] },
  DeleteTags: { reads: ["ResourceId.N", ...TAGS] },
  ModifySnapshotAttribute: {
    reads: [
      ...["SnapshotId", "Attribute", ...GRANTEES],
      ...changes("CreateVolumePermission", "UserId", "Group"),
    ],
  },
  DescribeSnapshotAttribute: { reads: ["SnapshotId", "Attribute"] },
  ResetSnapshotAttribute: { reads: ["SnapshotId", "Attribute"] },
  GetSnapshotBlockPublicAccessState: { reads: [] },
  EnableSnapshotBlockPublicAccess: { reads: ["State"] },
  DisableSnapshotBlockPublicAccess: { reads: [] },
  LockSnapshot: {
    reads: ["SnapshotId", "LockMode", "CoolOffPeriod", "LockDuration", "ExpirationDate"],
  },
  UnlockSnapshot: OF_SNAPSHOT,
  DescribeLockedSnapshots: { reads: ["SnapshotId.N", ...FILTERS, ...PAGE] },
  ListSnapshotsInRecycleBin: { reads: ["SnapshotId.N", ...PAGE] },
  RestoreSnapshotFromRecycleBin: OF_SNAPSHOT,
  DescribeSnapshotTierStatus: { reads: [...FILTERS, ...PAGE] },
  // There are none of these, whatever is asked for and on whatever page.
  DescribeFastSnapshotRestores: { reads: [], ignores: [...FILTERS, ...PAGE] },
  DescribeVolumes: {
    reads: ["VolumeId.N"],
    ignores: [...FILTERS, ...PAGE, "IncludeManagedResources"],
  },
  DescribeInstances: {
    reads: ["InstanceId.N"],
    ignores: [...FILTERS, ...PAGE, "IncludeManagedResources"],
  },
  // There is one region, and it needs no opting in.
  DescribeRegions: { reads: ["RegionName.N", ...FILTERS], ignores: ["AllRegions"] },
};

const IMAGES: Readonly<Record<string, ActionParameters>> = {
  RegisterImage: {
    reads: [
      ...["Name", "Description", "RootDeviceName", "Architecture", "VirtualizationType"],
      ...["BootMode", "TpmSupport", "ImdsSupport", "EnaSupport", "SriovNetSupport", "KernelId"],
      ...["RamdiskId", ...TAG_SPECIFICATIONS],
      ...ofDevice("DeviceName", "VirtualName", "Ebs.SnapshotId", "Ebs.VolumeSize"),
      ...ofDevice("Ebs.VolumeType", "Ebs.DeleteOnTermination", "Ebs.Iops", "Ebs.Throughput"),
      ...ofDevice("Ebs.VolumeInitializationRate", "Ebs.EbsCardIndex", "Ebs.Encrypted"),
    ],
    refuses: [
      ...["ImageLocation", "UefiData", "BillingProduct.N"],
      ...ofDevice("NoDevice", "Ebs.KmsKeyId", "Ebs.OutpostArn", "Ebs.AvailabilityZone"),
      ...ofDevice("Ebs.AvailabilityZoneId"),
    ],
  },
  CopyImage: {
    reads: [
      ...["Name", "SourceImageId", "SourceRegion", "Description", "ClientToken"],
      ...["CopyImageTags", "Encrypted", "KmsKeyId", ...TAG_SPECIFICATIONS],
    ],
    ignores: ["SnapshotCopyCompletionDurationMinutes"],
    refuses: [
      ...["DestinationOutpostArn", "DestinationAvailabilityZone", "DestinationAvailabilityZoneId"],
    ],
  },
  DescribeImages: {
    reads: [
      ...["ImageId.N", "Owner.N", "ExecutableBy.N", "IncludeDeprecated", "IncludeDisabled"],
      ...[...FILTERS, ...PAGE],
    ],
  },
  DeregisterImage: { reads: ["ImageId", "DeleteAssociatedSnapshots"] },
  ModifyImageAttribute: {
    reads: [
      ...["ImageId", "Attribute", "Value", "Description.Value", "ImdsSupport.Value", ...GRANTEES],
      ...changes("LaunchPermission", "UserId", "Group"),
    ],
    refuses: [
      ...["ProductCode.N", "OrganizationArn.N", "OrganizationalUnitArn.N"],
      ...changes("LaunchPermission", "OrganizationArn", "OrganizationalUnitArn"),
    ],
  },
  DescribeImageAttribute: { reads: ["ImageId", "Attribute"] },
  ResetImageAttribute: { reads: ["ImageId", "Attribute"] },
  EnableImageDeprecation: { reads: ["ImageId", "DeprecateAt"] },
  DisableImageDeprecation: OF_IMAGE,
  EnableImage: OF_IMAGE,
  DisableImage: OF_IMAGE,
  EnableImageDeregistrationProtection: { reads: ["ImageId", "WithCooldown"] },
  DisableImageDeregistrationProtection: OF_IMAGE,
};

/** The parameters of each action, besides those that every action takes. */
export const ACTION_PARAMETERS: Readonly<Record<string, ActionParameters>> = {
  ...SNAPSHOTS,
  ...IMAGES,
  ...ENCRYPTION,
};

/** Of every action: what it is, whether to do it, and what signed it. None of them is a list. */
const COMMON = new RegExp(
  "^(Action|Version|DryRun|AWSAccessKeyId|Timestamp|Expires|SecurityToken|" +
    "(Signature|X-Amz-)[A-Za-z0-9-]*)$",
);

/** Throws for the first parameter that the action does not have, or that is not supported. */
export function checkParameters(parameters: QueryParameters): void {
  const { action } = parameters;
  const known = Object.hasOwn(ACTION_PARAMETERS, action) ? ACTION_PARAMETERS[action] : undefined;
  if (!known) return;
  const { reads, ignores = [], refuses = [] } = known;
  for (const name of parameters.names()) {
    const form = formOf(name);
    if (reads.includes(form) || ignores.includes(form) || COMMON.test(name)) continue;
    const shown = name.slice(0, 128);
    if (refuses.includes(form)) {
      const message = `Varve does not support the parameter ${shown} of ${action}: leave it out`;
      throw queryFault(400, "UnsupportedOperation", message);
    }
    throw queryFault(400, "UnknownParameter", `The parameter ${shown} is not recognized`);
  }
}

/** True for a parameter that the action reads; of an action that is not there, for every one. */
export function isRead(action: string, name: string): boolean {
  const isKnown = Object.hasOwn(ACTION_PARAMETERS, action);
  return !isKnown || ACTION_PARAMETERS[action]?.reads.includes(formOf(name)) === true;
}

/** The name with N for each number that a list may have: 1 and up, without zeros before it. */
function formOf(name: string): string {
  const parts = name.split(".");
  return parts.map((part) => (/^[1-9][0-9]{0,8}$/.test(part) ? "N" : part)).join(".");
}
