import type { Image } from "../../model/image.ts";
import type { WireResponse } from "../message.ts";
import { deviceItems, protectionOf } from "./images.ts";
import {
  type GranteesChange,
  granteeItems,
  invalidValue,
  readGranteesChange,
  required,
} from "./members.ts";
import { type QueryParameters, queryFault, writeEc2Response } from "./query.ts";

/** Input of ModifyImageAttribute. */
export interface ModifyImageAttributeRequest {
  readonly ImageId: string;
  readonly description: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly grantees: GranteesChange;
}

const MODIFIABLE = ["description", "imdsSupport", "launchPermission"];

/** Reads a ModifyImageAttribute request, in both spellings of EC2. */
export function readModifyImageAttributeRequest(
  parameters: QueryParameters,
): ModifyImageAttributeRequest {
  const ImageId = required(parameters, "ImageId");
  const attribute = parameters.get("Attribute");
  if (attribute !== undefined) checkAttribute(attribute, MODIFIABLE);
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

function checkAttribute(attribute: string, known: readonly string[]): void {
  if (known.includes(attribute)) return;
  throw invalidValue("attribute", attribute, `Expecting one of ${known.join(", ")}.`);
}

/** Reads a ResetImageAttribute request; its one attribute is launchPermission. */
export function readResetImageAttributeRequest(parameters: QueryParameters): string {
  checkAttribute(required(parameters, "Attribute"), ["launchPermission"]);
  return required(parameters, "ImageId");
}

/** What an attribute without a list of its own is of an image; undefined for nothing. */
const VALUES: Readonly<Record<string, (image: Image) => string | undefined>> = {
  description: ({ description }) => description,
  kernel: ({ settings }) => settings["kernelId"],
  ramdisk: ({ settings }) => settings["ramdiskId"],
  sriovNetSupport: ({ settings }) => settings["sriovNetSupport"],
  bootMode: ({ settings }) => settings["bootMode"],
  tpmSupport: ({ settings }) => settings["tpmSupport"],
  imdsSupport: ({ settings }) => settings["imdsSupport"],
  deregistrationProtection: protectionOf,
  // No image here ever has UEFI data, and none is ever launched.
  uefiData: () => undefined,
  lastLaunchedTime: () => undefined,
};

/** The attributes that are lists. */
const LISTS: Readonly<Record<string, (image: Image) => object>> = {
  launchPermission: ({ grantees }) => granteeItems(grantees),
  blockDeviceMapping: deviceItems,
  productCodes: () => ({}),
};

/** Input of DescribeImageAttribute. */
export interface DescribeImageAttributeRequest {
  readonly ImageId: string;
  readonly Attribute: string;
}

/** Reads a DescribeImageAttribute request. */
export function readDescribeImageAttributeRequest(
  parameters: QueryParameters,
): DescribeImageAttributeRequest {
  const Attribute = required(parameters, "Attribute");
  checkAttribute(Attribute, [...Object.keys(VALUES), ...Object.keys(LISTS)]);
  return { ImageId: required(parameters, "ImageId"), Attribute };
}

/** Writes a DescribeImageAttribute response; an attribute that is not set is an empty element. */
export function writeDescribeImageAttributeResponse(
  requestId: string,
  attribute: string,
  image: Image,
): WireResponse {
  const value = VALUES[attribute]?.(image);
  const contents = LISTS[attribute]?.(image) ?? (value === undefined ? {} : { value });
  const members = { imageId: image.id, [attribute]: contents };
  return writeEc2Response("DescribeImageAttribute", requestId, members);
}
