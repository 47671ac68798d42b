import { formatTimeMs } from "../../base/clock.ts";
import type { Image, ImageDevice } from "../../model/image.ts";
import type { Tag } from "../../model/snapshot.ts";
import type { WireResponse } from "../message.ts";
import {
  type Filter,
  type GranteesChange,
  invalidValue,
  nextTokenElement,
  readFilters,
  readGranteesChange,
  readTagSpecifications,
  required,
  tagSet,
} from "./members.ts";
import { type QueryParameters, queryFault, writeEc2Response } from "./query.ts";

/** What RegisterImage may say of an image and DescribeImages tells again, by element name. */
const SETTINGS: Readonly<Record<string, string>> = {
  architecture: "Architecture",
  virtualizationType: "VirtualizationType",
  bootMode: "BootMode",
  tpmSupport: "TpmSupport",
  imdsSupport: "ImdsSupport",
  enaSupport: "EnaSupport",
  sriovNetSupport: "SriovNetSupport",
  kernelId: "KernelId",
  ramdiskId: "RamdiskId",
};

/** The same of a device that is a snapshot. */
const DEVICE_SETTINGS: Readonly<Record<string, string>> = {
  volumeSize: "Ebs.VolumeSize",
  volumeType: "Ebs.VolumeType",
  deleteOnTermination: "Ebs.DeleteOnTermination",
  iops: "Ebs.Iops",
  throughput: "Ebs.Throughput",
};

/** Input of RegisterImage. */
export interface RegisterImageRequest {
  readonly Name: string;
  readonly Description: string;
  readonly RootDeviceName: string;
  readonly devices: readonly ImageDevice[];
  readonly settings: Readonly<Record<string, string>>;
  readonly Tags: readonly Tag[];
}

/** Reads a RegisterImage request. */
export function readRegisterImageRequest(parameters: QueryParameters): RegisterImageRequest {
  const Name = required(parameters, "Name");
  if (!/^[A-Za-z0-9()[\] ./'@_-]{3,128}$/.test(Name)) {
    const message =
      "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, " +
      "spaces, and the characters ()[]./-'@_";
    throw queryFault(400, "InvalidAMIName.Malformed", message);
  }
  const absent = ["ImageLocation", "UefiData"].find((name) => parameters.get(name));
  if (absent !== undefined) {
    const message = `Varve registers images of snapshots only: leave out ${absent}`;
    throw queryFault(400, "UnsupportedOperation", message);
  }
  const devices = parameters.items("BlockDeviceMapping", (prefix) =>
    readDevice(parameters, prefix),
  );
  if (!devices.some(({ snapshotId }) => snapshotId !== undefined)) {
    const message = "The request must contain the parameter snapshotId";
    throw queryFault(400, "MissingParameter", message);
  }
  return {
    Name,
    Description: parameters.get("Description") ?? "",
    RootDeviceName: parameters.get("RootDeviceName") ?? devices[0]?.deviceName ?? "",
    devices,
    settings: {
      architecture: "i386",
      virtualizationType: "paravirtual",
      ...readSettings(parameters, "", SETTINGS),
    },
    Tags: readTagSpecifications(parameters, "image"),
  };
}

function readDevice(parameters: QueryParameters, prefix: string): ImageDevice | undefined {
  const deviceName = parameters.get(`${prefix}.DeviceName`);
  if (deviceName === undefined) return undefined;
  if (parameters.get(`${prefix}.Ebs.Encrypted`) === "true") {
    const message = "Encryption is not supported by this service yet";
    throw queryFault(400, "UnsupportedOperation", message);
  }
  const virtualName = parameters.get(`${prefix}.VirtualName`);
  const snapshotId = parameters.get(`${prefix}.Ebs.SnapshotId`);
  const settings = readSettings(parameters, `${prefix}.`, DEVICE_SETTINGS);
  if (snapshotId !== undefined || virtualName === undefined) {
    return { deviceName, snapshotId, settings };
  }
  return { deviceName, snapshotId, settings: { virtualName } };
}

function readSettings(
  parameters: QueryParameters,
  prefix: string,
  names: Readonly<Record<string, string>>,
): Record<string, string> {
  const given = Object.entries(names).flatMap(([element, name]) => {
    const value = parameters.get(prefix + name);
    return value === undefined ? [] : [[element, value]];
  });
  return Object.fromEntries(given);
}

/** Writes a RegisterImage response. */
export function writeRegisterImageResponse(requestId: string, imageId: string): WireResponse {
  return writeEc2Response("RegisterImage", requestId, { imageId });
}

/** Input of DescribeImages. */
export interface DescribeImagesRequest {
  readonly ImageIds: readonly string[];
  readonly Owners: readonly string[];
  readonly ExecutableUsers: readonly string[];
  readonly Filters: readonly Filter[];
  readonly MaxResults: number | undefined;
  readonly NextToken: string | undefined;
}

/** Reads a DescribeImages request. */
export function readDescribeImagesRequest(parameters: QueryParameters): DescribeImagesRequest {
  return {
    ImageIds: parameters.list("ImageId"),
    Owners: parameters.list("Owner"),
    ExecutableUsers: parameters.list("ExecutableBy"),
    Filters: readFilters(parameters),
    MaxResults: parameters.integer("MaxResults", 1, 1_000),
    NextToken: parameters.get("NextToken"),
  };
}

/** Writes a DescribeImages response. */
export function writeDescribeImagesResponse(
  requestId: string,
  images: readonly Image[],
  nextToken: string | undefined,
): WireResponse {
  return writeEc2Response("DescribeImages", requestId, {
    imagesSet: { item: images.map(imageItem) },
    ...nextTokenElement(nextToken),
  });
}

function imageItem(image: Image): object {
  return {
    imageId: image.id,
    imageLocation: `${image.account}/${image.name}`,
    imageState: "available",
    imageOwnerId: image.account,
    creationDate: formatTimeMs(image.creationTimeMs),
    isPublic: image.grantees.includes("all"),
    imageType: "machine",
    ...image.settings,
    name: image.name,
    description: image.description,
    rootDeviceType: "ebs",
    rootDeviceName: image.rootDeviceName,
    blockDeviceMapping: { item: image.devices.map(deviceItem) },
    hypervisor: "xen",
    platformDetails: "Linux/UNIX",
    usageOperation: "RunInstances",
    ...tagSet(image.tags),
  };
}

function deviceItem({ deviceName, snapshotId, settings }: ImageDevice): object {
  const { virtualName, ...ebs } = settings;
  if (virtualName !== undefined) return { deviceName, virtualName };
  const snapshot = snapshotId === undefined ? {} : { snapshotId };
  return { deviceName, ebs: { ...snapshot, encrypted: false, ...ebs } };
}

/** Reads a DeregisterImage request. */
export function readDeregisterImageRequest(parameters: QueryParameters): string {
  if (parameters.get("DeleteAssociatedSnapshots") === "true") {
    const message = "Leave out DeleteAssociatedSnapshots and delete them with DeleteSnapshot";
    throw queryFault(400, "UnsupportedOperation", message);
  }
  return required(parameters, "ImageId");
}

/** Input of ModifyImageAttribute. */
export interface ModifyImageAttributeRequest {
  readonly ImageId: string;
  readonly description: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly grantees: GranteesChange;
}

const ATTRIBUTES = ["description", "imdsSupport", "launchPermission"];

/** Reads a ModifyImageAttribute request, in both spellings of EC2. */
export function readModifyImageAttributeRequest(
  parameters: QueryParameters,
): ModifyImageAttributeRequest {
  const ImageId = required(parameters, "ImageId");
  const attribute = parameters.get("Attribute");
  if (attribute !== undefined && !ATTRIBUTES.includes(attribute)) {
    throw invalidValue("attribute", attribute, `Expecting one of ${ATTRIBUTES.join(", ")}.`);
  }
  const value = (name: string) => (attribute === name ? parameters.get("Value") : undefined);
  const description = parameters.get("Description.Value") ?? value("description");
  const imdsSupport = parameters.get("ImdsSupport.Value") ?? value("imdsSupport");
  const grantees = readGranteesChange(parameters, "LaunchPermission");
  const settings: Record<string, string> = imdsSupport === undefined ? {} : { imdsSupport };
  const isGranting = grantees.add.length + grantees.remove.length > 0;
  if (description === undefined && imdsSupport === undefined && !isGranting) {
    throw queryFault(400, "MissingParameter", "The request must contain an attribute to modify");
  }
  return { ImageId, description, settings, grantees };
}
