import type { AccountId } from "./ids.ts";
import type { Grantee, Tag } from "./snapshot.ts";

/** A device of a machine image: one snapshot, or none for a device that is left empty. */
export interface ImageDevice {
  readonly deviceName: string;
  readonly snapshotId: string | undefined;
  /** What else was said of the device, by EC2's element names, to be told again as it was. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Where an image was copied from. */
export interface ImageSource {
  readonly imageId: string;
  /** The client token of the request, so that repeating it makes no second copy. */
  readonly clientToken: string | undefined;
}

/** A machine image: a name for snapshots and how a machine starts from them. */
export interface Image {
  readonly id: string;
  readonly account: AccountId;
  /** Unique within the account. */
  readonly name: string;
  readonly description: string;
  readonly creationTimeMs: number;
  readonly rootDeviceName: string;
  readonly devices: readonly ImageDevice[];
  /** Architecture, boot mode and the like, by EC2's element names, to be told again as given. */
  readonly settings: Readonly<Record<string, string>>;
  readonly tags: readonly Tag[];
  /** Who may see the image besides its owner. */
  readonly grantees: readonly Grantee[];
  /** From when on listings leave it out for all but its owner; undefined for never. */
  readonly deprecatedAtMs?: number | undefined;
  /** True while it is out of use: its owner's alone, and left out of listings. */
  readonly isDisabled?: boolean;
  /** True while it cannot be deregistered. */
  readonly isProtected?: boolean;
  /** Undefined for an image that was registered. */
  readonly source?: ImageSource;
}

/** Ids of the snapshots that an image is made of, each once. */
export function snapshotsOf({ devices }: Image): Set<string> {
  return new Set(devices.flatMap(({ snapshotId }) => snapshotId ?? []));
}
