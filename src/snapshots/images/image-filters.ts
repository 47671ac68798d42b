import { formatTimeMs } from "../../base/clock.ts";
import type { Image } from "../../model/image.ts";
import {
  type Filter,
  type FilterFields,
  filterMatcher,
  type Matcher,
  unknownNames,
} from "../filters.ts";

/** What each filter of DescribeImages looks at. */
const FIELDS: FilterFields<Image> = {
  architecture: ({ settings }) => [settings["architecture"]],
  "block-device-mapping.delete-on-termination": deviceSetting("deleteOnTermination"),
  "block-device-mapping.device-name": ({ devices }) => devices.map((each) => each.deviceName),
  "block-device-mapping.encrypted": ({ devices }) =>
    devices.map(({ settings }) => settings["encrypted"] ?? "false"),
  "block-device-mapping.snapshot-id": ({ devices }) => devices.map((each) => each.snapshotId),
  "block-device-mapping.volume-size": deviceSetting("volumeSize"),
  "block-device-mapping.volume-type": deviceSetting("volumeType"),
  "boot-mode": ({ settings }) => [settings["bootMode"]],
  "creation-date": ({ creationTimeMs }) => [formatTimeMs(creationTimeMs)],
  description: ({ description }) => [description],
  "ena-support": ({ settings }) => [settings["enaSupport"] ?? "false"],
  hypervisor: () => ["xen"],
  "image-id": ({ id }) => [id],
  "image-type": () => ["machine"],
  "is-public": ({ grantees }) => [String(grantees.includes("all"))],
  "kernel-id": ({ settings }) => [settings["kernelId"]],
  "manifest-location": () => [],
  name: ({ name }) => [name],
  "owner-alias": () => [],
  "owner-id": ({ account }) => [account],
  platform: () => [],
  "product-code": () => [],
  "product-code.type": () => [],
  "ramdisk-id": ({ settings }) => [settings["ramdiskId"]],
  "root-device-name": ({ rootDeviceName }) => [rootDeviceName],
  "root-device-type": () => ["ebs"],
  "source-image-id": ({ source }) => [source?.imageId],
  "sriov-net-support": ({ settings }) => [settings["sriovNetSupport"]],
  state: ({ isDisabled }) => [isDisabled === true ? "disabled" : "available"],
  "tag-key": ({ tags }) => tags.map(({ Key }) => Key),
  "virtualization-type": ({ settings }) => [settings["virtualizationType"]],
};

function deviceSetting(name: string): (image: Image) => readonly (string | undefined)[] {
  return ({ devices }) => devices.map(({ settings }) => settings[name]);
}

/** The filters' names that mean nothing to us; they must be refused, never passed over. */
export function unknownImageFilters(filters: readonly Filter[]): string[] {
  return unknownNames(FIELDS, filters);
}

/** True for images that match every filter. */
export function imageMatcher(filters: readonly Filter[]): Matcher<Image> {
  return filterMatcher(FIELDS, filters, ({ tags }) => tags);
}
