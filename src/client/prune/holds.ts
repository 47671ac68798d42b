import {
  readDescribeImagesResponse,
  writeDescribeOwnImagesRequest,
} from "../../wire/ec2/images.ts";
import {
  readDescribeLockedSnapshotsResponse,
  writeDescribeLockedSnapshotsRequest,
} from "../../wire/ec2/lock-snapshot.ts";
import { itemsOf } from "../api/pages.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { ClientError } from "../errors.ts";

/** Asked for at once: the most that EC2 gives. */
const PAGE_COUNT = 1_000;

/** What keeps a snapshot from being deleted. */
export interface SnapshotHold {
  readonly kind: "lock" | "image";
  /** A few words: the lock's mode and end, or the image's id. */
  readonly what: string;
}

/** What keeps which of the caller's snapshots from being deleted. */
export interface SnapshotHolds {
  /** By snapshot id. */
  readonly holds: ReadonlyMap<string, readonly SnapshotHold[]>;
  /** Operations that the service does not know or does not permit: their holds are not known. */
  readonly unknown: readonly string[];
}

/**
 * Finds the locks and the images of the caller's own that hold snapshots. Where the service does
 * not tell, that is said, not thrown: the service itself refuses to delete what is held.
 */
export async function findHolds(client: Client, options?: CallOptions): Promise<SnapshotHolds> {
  const holds = new Map<string, SnapshotHold[]>();
  const add = (id: string, hold: SnapshotHold) => {
    holds.set(id, [...(holds.get(id) ?? []), hold]);
  };
  const unknown: string[] = [];
  for (const find of [findLocks, findImages]) {
    try {
      await find(client, add, options);
    } catch (error) {
      if (!(error instanceof ClientError) || error.kind !== "service") throw error;
      unknown.push(error.operation);
    }
  }
  return { holds, unknown };
}

type Add = (snapshotId: string, hold: SnapshotHold) => void;

async function findLocks(client: Client, add: Add, options?: CallOptions): Promise<void> {
  const operation = "DescribeLockedSnapshots";
  const read = readDescribeLockedSnapshotsResponse;
  const fetchPage = (NextToken: string | undefined) => {
    const request = writeDescribeLockedSnapshotsRequest({ MaxResults: PAGE_COUNT, NextToken });
    return client.send({ operation, service: "ec2", request, read }, options);
  };
  const locks = itemsOf(operation, fetchPage, ({ Snapshots }) => Snapshots);
  for await (const { SnapshotId, LockState, LockExpiresOn } of locks) {
    if (LockState === "expired") continue;
    const until = LockExpiresOn === undefined ? "" : ` until ${LockExpiresOn}`;
    add(SnapshotId, { kind: "lock", what: `${LockState}${until}` });
  }
}

async function findImages(client: Client, add: Add, options?: CallOptions): Promise<void> {
  const operation = "DescribeImages";
  const read = readDescribeImagesResponse;
  const fetchPage = (NextToken: string | undefined) => {
    const request = writeDescribeOwnImagesRequest({ MaxResults: PAGE_COUNT, NextToken });
    return client.send({ operation, service: "ec2", request, read }, options);
  };
  const images = itemsOf(operation, fetchPage, ({ Images }) => Images);
  for await (const { ImageId, SnapshotIds } of images) {
    for (const id of SnapshotIds) add(id, { kind: "image", what: ImageId });
  }
}
