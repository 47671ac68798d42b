import type { Tag } from "../../model/snapshot.ts";
import { writeDeleteSnapshotRequest } from "../../wire/ec2/delete-snapshot.ts";
import {
  type DescribeSnapshotsRequest,
  type DescribeSnapshotsResponse,
  readDescribeSnapshotsResponse,
  type SnapshotDescription,
  writeDescribeSnapshotsRequest,
} from "../../wire/ec2/describe-snapshots.ts";
import { writeCreateTagsRequest, writeDeleteTagsRequest } from "../../wire/ec2/tags.ts";
import type { CallOptions, Client } from "../call/client.ts";
import type { RetryEvent } from "../call/retry.ts";
import { type ClientError, isSnapshotNotFound } from "../errors.ts";
import { itemsOf } from "./pages.ts";
import type { TagPattern } from "./snapshot-tags.ts";

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
  const fetchPage = (NextToken: string | undefined) =>
    describeSnapshots(client, { ...input, NextToken }, options);
  yield* itemsOf("DescribeSnapshots", fetchPage, ({ Snapshots }) => Snapshots);
}

/**
 * Deletes a snapshot in whatever state it is. Where the answer to an attempt was lost, a repetition
 * that finds no such snapshot means that the attempt has deleted it.
 */
export async function deleteSnapshot(
  client: Client,
  snapshotId: string,
  options?: CallOptions,
): Promise<void> {
  const request = writeDeleteSnapshotRequest(snapshotId);
  const call = { operation: "DeleteSnapshot", service: "ec2", request, read: nothing } as const;
  let mayBeDeleted = false;
  const onRetry = (event: RetryEvent) => {
    mayBeDeleted ||= mayHaveWorked(event.error);
    options?.onRetry?.(event);
  };
  try {
    await client.send(call, { ...options, onRetry });
  } catch (error) {
    if (!mayBeDeleted || !isSnapshotNotFound(error)) throw error;
  }
}

/** True when the service may have done what was asked, whatever became of its answer. */
function mayHaveWorked({ kind, status = 0 }: ClientError): boolean {
  return kind !== "service" || status >= 500;
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

/**
 * Takes tags off snapshots. One given with a value goes only where it has that value; one that is
 * not there is no error. At least one has to be named: EC2 takes none for all of them.
 */
export async function deleteTags(
  client: Client,
  input: {
    readonly Resources: readonly string[];
    readonly Tags: readonly TagPattern[];
  },
  options?: CallOptions,
): Promise<void> {
  if (input.Tags.length === 0) throw new TypeError("Name the tags to delete");
  const Tags = input.Tags.map(({ Key, Value }) => ({ Key, Value }));
  const request = writeDeleteTagsRequest({ Resources: input.Resources, Tags });
  const call = { operation: "DeleteTags", service: "ec2", request, read: nothing } as const;
  await client.send(call, options);
}

/** The status has said it all. */
function nothing(): void {}
