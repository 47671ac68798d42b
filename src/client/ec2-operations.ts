import type { Tag } from "../model/snapshot.ts";
import { writeDeleteSnapshotRequest } from "../wire/ec2/delete-snapshot.ts";
import {
  type DescribeSnapshotsRequest,
  type DescribeSnapshotsResponse,
  readDescribeSnapshotsResponse,
  type SnapshotDescription,
  writeDescribeSnapshotsRequest,
} from "../wire/ec2/describe-snapshots.ts";
import { writeCreateTagsRequest } from "../wire/ec2/tags.ts";
import type { CallOptions, Client } from "./client.ts";
import { integrityError } from "./errors.ts";

/* The operations of EC2 that belong to snapshots; the service answers them at the same address. */

/** One page of snapshots as EC2 describes them; `snapshotsOf` gives them all. */
export function describeSnapshots(
  client: Client,
  input: DescribeSnapshotsRequest = {},
  options?: CallOptions,
): Promise<DescribeSnapshotsResponse> {
  const request = writeDescribeSnapshotsRequest(input);
  const operation = "DescribeSnapshots";
  const read = readDescribeSnapshotsResponse;
  return client.send({ operation, service: "ec2", request, read }, options);
}

/** All snapshots that match, page by page. */
export async function* snapshotsOf(
  client: Client,
  input: Omit<DescribeSnapshotsRequest, "NextToken"> = {},
  options?: CallOptions,
): AsyncGenerator<SnapshotDescription> {
  for (let NextToken: string | undefined; ; ) {
    const page = await describeSnapshots(client, { ...input, NextToken }, options);
    yield* page.Snapshots;
    if (!page.NextToken) return;
    if (page.NextToken === NextToken) {
      throw integrityError("DescribeSnapshots", "The service answers the same page again.");
    }
    NextToken = page.NextToken;
  }
}

/** Deletes a snapshot in whatever state it is. */
export function deleteSnapshot(
  client: Client,
  snapshotId: string,
  options?: CallOptions,
): Promise<void> {
  const request = writeDeleteSnapshotRequest(snapshotId);
  const call = { operation: "DeleteSnapshot", service: "ec2", request, read: nothing } as const;
  return client.send(call, options);
}

/** Lays tags over those that snapshots carry. */
export function createTags(
  client: Client,
  input: { readonly Resources: readonly string[]; readonly Tags: readonly Tag[] },
  options?: CallOptions,
): Promise<void> {
  const request = writeCreateTagsRequest(input.Resources, input.Tags);
  const call = { operation: "CreateTags", service: "ec2", request, read: nothing } as const;
  return client.send(call, options);
}

/** The status has said it all. */
function nothing(): void {}
