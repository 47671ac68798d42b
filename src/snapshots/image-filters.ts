import { formatTimeMs } from "../base/clock.ts";
import { escapableWildcardPattern } from "../base/wildcard.ts";
import type { Image } from "../model/image.ts";

/** A filter of DescribeImages: the values are alternatives and may hold `*` and `?`. */
export interface ImageFilter {
  readonly Name: string;
  readonly Values: readonly string[];
}

/** What each filter looks at; an image matches when any of the texts does. */
const FIELDS: Readonly<Record<string, (image: Image) => readonly (string | undefined)[]>> = {
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

const TAG_PREFIX = "tag:";

function deviceSetting(name: string): (image: Image) => readonly (string | undefined)[] {
  return ({ devices }) => devices.map(({ settings }) => settings[name]);
}

/** The filters' names that mean nothing to us; they must be refused, never passed over. */
export function unknownImageFilters(filters: readonly ImageFilter[]): string[] {
  return filters
    .map(({ Name }) => Name)
    .filter((name) => !name.startsWith(TAG_PREFIX) && !Object.hasOwn(FIELDS, name));
}

/** True for images that match every filter. */
export function imageMatcher(filters: readonly ImageFilter[]): (image: Image) => boolean {
  const tests = filters.map(({ Name, Values }) => {
    const patterns = Values.map(escapableWildcardPattern);
    const textsOf = FIELDS[Name] ?? ((image: Image) => tagValues(image, Name));
    const isWanted = (text: string | undefined) =>
      text !== undefined && patterns.some((pattern) => pattern.test(text));
    return (image: Image) => textsOf(image).some(isWanted);
  });
  return (image) => tests.every((test) => test(image));
}

function tagValues({ tags }: Image, filterName: string): string[] {
  const key = filterName.slice(TAG_PREFIX.length);
  return tags.filter((tag) => tag.Key === key).map(({ Value }) => Value);
}
