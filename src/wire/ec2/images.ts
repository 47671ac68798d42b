import { formatTimeMs } from "../../base/clock.ts";
import type { Image, ImageDevice } from "../../model/image.ts";
import type { Tag } from "../../model/snapshot.ts";
import type { ReceivedResponse, WireRequest, WireResponse } from "../message.ts";
import {
  type Filter,
  nextTokenElement,
  readFilters,
  readTagSpecifications,
  required,
  tagSet,
  timeElements,
} from "./members.ts";
import {
  type QueryParameters,
  queryFault,
  readXml,
  writeEc2Response,
  writeQueryRequest,
} from "./query.ts";

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
  VolumeInitializationRate: "Ebs.VolumeInitializationRate",
  EbsCardIndex: "Ebs.EbsCardIndex",
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
  checkImageName(Name);
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

/** Throws EC2's word for a name that no image may have. */
export function checkImageName(name: string): void {
  if (/^[A-Za-z0-9()[\] ./'@_-]{3,128}$/.test(name)) return;
  const message =
    "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, " +
    "spaces, and the characters ()[]./-'@_";
  throw queryFault(400, "InvalidAMIName.Malformed", message);
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
  readonly IncludeDeprecated: boolean;
  readonly IncludeDisabled: boolean;
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
    IncludeDeprecated: parameters.get("IncludeDeprecated") === "true",
    IncludeDisabled: parameters.get("IncludeDisabled") === "true",
    MaxResults: parameters.integer("MaxResults", 1, 1_000),
    NextToken: parameters.get("NextToken"),
  };
}

/** Images to describe, of one region. */
export interface ImagesPage {
  readonly images: readonly Image[];
  readonly region: string;
  readonly nextToken: string | undefined;
}

/** Writes a DescribeImages response. */
export function writeDescribeImagesResponse(
  requestId: string,
  { images, region, nextToken }: ImagesPage,
): WireResponse {
  return writeEc2Response("DescribeImages", requestId, {
    imagesSet: { item: images.map((image) => imageItem(image, region)) },
    ...nextTokenElement(nextToken),
  });
}

function imageItem(image: Image, region: string): object {
  const { source } = image;
  return {
    imageId: image.id,
    imageLocation: `${image.account}/${image.name}`,
    imageState: image.isDisabled === true ? "disabled" : "available",
    imageOwnerId: image.account,
    creationDate: formatTimeMs(image.creationTimeMs),
    isPublic: image.grantees.includes("all"),
    imageType: "machine",
    ...image.settings,
    name: image.name,
    description: image.description,
    rootDeviceType: "ebs",
    rootDeviceName: image.rootDeviceName,
    blockDeviceMapping: deviceItems(image),
    hypervisor: "xen",
    platformDetails: "Linux/UNIX",
    usageOperation: "RunInstances",
    deregistrationProtection: protectionOf(image),
    ...timeElements({ deprecationTime: image.deprecatedAtMs }),
    ...(source ? { sourceImageId: source.imageId, sourceImageRegion: region } : {}),
    ...tagSet(image.tags),
  };
}

/** EC2's word for whether an image can be deregistered. */
export function protectionOf({ isProtected = false }: Image): string {
  return isProtected ? "enabled-without-cooldown" : "disabled";
}

/** The elements of an image's devices. */
export function deviceItems({ devices }: Image): object {
  return { item: devices.map(deviceItem) };
}

function deviceItem({ deviceName, snapshotId, settings }: ImageDevice): object {
  const { virtualName, ...ebs } = settings;
  if (virtualName !== undefined) return { deviceName, virtualName };
  const snapshot = snapshotId === undefined ? {} : { snapshotId };
  return { deviceName, ebs: { ...snapshot, encrypted: false, ...ebs } };
}

/** Writes a DescribeImages request for a page of the caller's own images, in whatever state. */
export function writeDescribeOwnImagesRequest(input: {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}): WireRequest {
  const all = { "Owner.1": "self", IncludeDeprecated: "true", IncludeDisabled: "true" };
  const { MaxResults, NextToken } = input;
  return writeQueryRequest("ec2", "DescribeImages", { ...all, MaxResults, NextToken });
}

/** An image and the snapshots that it is made of, as a client reads of it. */
export interface ImageDescription {
  readonly ImageId: string;
  readonly SnapshotIds: readonly string[];
}

/** Reads a DescribeImages response. */
export function readDescribeImagesResponse(response: ReceivedResponse): {
  readonly Images: readonly ImageDescription[];
  readonly NextToken: string | undefined;
} {
  const root = readXml(response)["DescribeImagesResponse"];
  const items = root?.["imagesSet"]?.["item"] ?? [];
  const Images = items.map((item) => {
    const devices = item["blockDeviceMapping"]?.["item"] ?? [];
    const ids = devices.map((device) => device["ebs"]?.["snapshotId"] ?? "");
    return { ImageId: item["imageId"] ?? "", SnapshotIds: ids.filter((id) => id !== "") };
  });
  return { Images, NextToken: root?.["nextToken"] || undefined };
}
