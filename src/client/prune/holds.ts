import {
  readDescribeImagesResponse,
  writeDescribeOwnImagesRequest,
} from "../../wire/ec2/images.ts";
import {
  readDescribeLockedSnapshotsResponse,
  writeDescribeLockedSnapshotsRequest,
} from "../../wire/ec2/lock-snapshot.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { ClientError, integrityError } from "../errors.ts";

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
  await followPages("DescribeLockedSnapshots", async (NextToken) => {
    const request = writeDescribeLockedSnapshotsRequest({ MaxResults: PAGE_COUNT, NextToken });
    const read = readDescribeLockedSnapshotsResponse;
    const call = { operation: "DescribeLockedSnapshots", service: "ec2", request, read } as const;
    const page = await client.send(call, options);
    for (const { SnapshotId, LockState, LockExpiresOn } of page.Snapshots) {
      if (LockState === "expired") continue;
      const until = LockExpiresOn === undefined ? "" : ` until ${LockExpiresOn}`;
      add(SnapshotId, { kind: "lock", what: `${LockState}${until}` });
    }
    return page.NextToken;
  });
}

async function findImages(client: Client, add: Add, options?: CallOptions): Promise<void> {
  await followPages("DescribeImages", async (NextToken) => {
    const request = writeDescribeOwnImagesRequest({ MaxResults: PAGE_COUNT, NextToken });
    const read = readDescribeImagesResponse;
    const call = { operation: "DescribeImages", service: "ec2", request, read } as const;
    const page = await client.send(call, options);
    for (const { ImageId, SnapshotIds } of page.Images) {
      for (const id of SnapshotIds) add(id, { kind: "image", what: ImageId });
    }
    return page.NextToken;
  });
}

async function followPages(
  operation: string,
  fetchPage: (nextToken: string | undefined) => Promise<string | undefined>,
): Promise<void> {
  for (let nextToken: string | undefined; ; ) {
    const next = await fetchPage(nextToken);
    if (next === undefined) return;
    if (next === nextToken) {
      throw integrityError(operation, "The service answers the same page again.");
    }
    nextToken = next;
  }
}
