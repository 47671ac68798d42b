import { formatTimeMs } from "../base/clock.ts";
import { TAGS_COUNT_MAX } from "../model/limits.ts";
import type { Tag } from "../model/snapshot.ts";
import { NO_VOLUME_ID, type SnapshotDescription } from "../wire/ec2/describe-snapshots.ts";
import type { CallOptions, Client } from "./client.ts";
import { snapshotsOf } from "./ec2-operations.ts";
import { CopyError } from "./errors.ts";

/** Tag of a copy: id of the snapshot that it is a copy of. */
export const SOURCE_SNAPSHOT_TAG = "varve:source-snapshot";
/** Tag of a copy: account and region that the original belongs to, as `123456789012/us-east-1`. */
export const SOURCE_TAG = "varve:source";
/** Tag of a copy: the original's volume, where it has one. */
export const SOURCE_VOLUME_TAG = "varve:source-volume";

/** Tag of a copy: when the original was started, ISO 8601; a copy's own time is that of copying. */
export const SOURCE_TIME_TAG = "varve:source-time";

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

/** The value of a tag, if the snapshot has it. */
export function tagValue(snapshot: SnapshotDescription, key: string): string | undefined {
  return snapshot.Tags.find(({ Key }) => Key === key)?.Value;
}

/** The volume that a snapshot was made of, or that the original of a copy was made of. */
export function volumeOf(snapshot: SnapshotDescription): string | undefined {
  const { VolumeId } = snapshot;
  const isKnown = VolumeId !== "" && VolumeId !== NO_VOLUME_ID;
  return isKnown ? VolumeId : tagValue(snapshot, SOURCE_VOLUME_TAG);
}

/** When the state was taken that a snapshot holds: for a copy, when its original was started. */
export function takenAtMs(snapshot: SnapshotDescription): number {
  const originalMs = Date.parse(tagValue(snapshot, SOURCE_TIME_TAG) ?? "");
  return Number.isNaN(originalMs) ? Date.parse(snapshot.StartTime) : originalMs;
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
