import { formatTimeMs } from "../../base/clock.ts";
import { TAGS_COUNT_MAX } from "../../model/limits.ts";
import type { Tag } from "../../model/snapshot.ts";
import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import { snapshotsOf } from "../api/ec2-operations.ts";
import {
  SOURCE_SNAPSHOT_TAG,
  SOURCE_TAG,
  SOURCE_TIME_TAG,
  SOURCE_VOLUME_TAG,
  tagValue,
  takenAtMs,
  volumeOf,
} from "../api/snapshot-tags.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { CopyError } from "../errors.ts";

/** A snapshot at the destination that says of itself that it is a copy. */
export interface Copy {
  readonly sourceSnapshotId: string;
  readonly source: string | undefined;
  readonly snapshot: SnapshotDescription;
}

/** Where snapshots of an account and region come from, as the tag says it. */
export function sourceOf(client: Client, { OwnerId }: SnapshotDescription): string {
  return `${OwnerId}/${client.region}`;
}

/** The copies among the caller's snapshots, by the snapshot that they are copies of. */
export async function findCopies(
  client: Client,
  options: CallOptions,
): Promise<Map<string, Copy[]>> {
  const copies = new Map<string, Copy[]>();
  const Filters = [{ Name: "tag-key", Values: [SOURCE_SNAPSHOT_TAG] }];
  const input = { OwnerIds: ["self"], MaxResults: 1_000, Filters };
  for await (const snapshot of snapshotsOf(client, input, options)) {
    const sourceSnapshotId = tagValue(snapshot, SOURCE_SNAPSHOT_TAG);
    if (sourceSnapshotId === undefined) continue;
    const copy = { sourceSnapshotId, source: tagValue(snapshot, SOURCE_TAG), snapshot };
    copies.set(sourceSnapshotId, [...(copies.get(sourceSnapshotId) ?? []), copy]);
  }
  return copies;
}

/** The latest completed copy of a snapshot. */
export function completedCopy(
  copies: ReadonlyMap<string, readonly Copy[]>,
  sourceSnapshotId: string,
): SnapshotDescription | undefined {
  const completed = (copies.get(sourceSnapshotId) ?? [])
    .map(({ snapshot }) => snapshot)
    .filter(({ State }) => State === "completed");
  return completed.sort((a, b) => (a.StartTime < b.StartTime ? 1 : -1))[0];
}

/**
 * The tags of a copy: the original's and those that say what it is a copy of. What begins with
 * `aws:` is AWS's own, and nobody else may set it.
 */
export function tagsOfCopy(source: Client, snapshot: SnapshotDescription): readonly Tag[] {
  const volumeId = volumeOf(snapshot);
  const own = [
    { Key: SOURCE_SNAPSHOT_TAG, Value: snapshot.SnapshotId },
    { Key: SOURCE_TAG, Value: sourceOf(source, snapshot) },
    { Key: SOURCE_TIME_TAG, Value: formatTimeMs(takenAtMs(snapshot)) },
    ...(volumeId === undefined ? [] : [{ Key: SOURCE_VOLUME_TAG, Value: volumeId }]),
  ];
  const keys = new Set(own.map(({ Key }) => Key));
  const kept = snapshot.Tags.filter(({ Key }) => !keys.has(Key) && !Key.startsWith("aws:"));
  const tags = [...kept, ...own];
  if (tags.length <= TAGS_COUNT_MAX) return tags;
  const message = `The snapshot ${snapshot.SnapshotId} has ${kept.length} tags.`;
  const aftermath = `A copy needs ${own.length} more; there can be ${TAGS_COUNT_MAX}.`;
  throw new CopyError(message, { sourceSnapshotId: snapshot.SnapshotId, aftermath });
}
