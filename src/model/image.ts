import type { AccountId } from "./ids.ts";
import type { Grantee, Tag } from "./snapshot.ts";

/** A device of a machine image: one snapshot, or none for a device that is left empty. */
export interface ImageDevice {
  readonly deviceName: string;
  readonly snapshotId: string | undefined;
  /** What else was said of the device, by EC2's element names, to be told again as it was. */
  readonly settings: Readonly<Record<string, string>>;
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
}
