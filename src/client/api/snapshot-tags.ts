import { NO_VOLUME_ID, type SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";

/** Tag of a copy: id of the snapshot that it is a copy of. */
export const SOURCE_SNAPSHOT_TAG = "varve:source-snapshot";
/** Tag of a copy: account and region that the original belongs to, as `123456789012/us-east-1`. */
export const SOURCE_TAG = "varve:source";
/** Tag of a copy: the original's volume, where it has one. */
export const SOURCE_VOLUME_TAG = "varve:source-volume";
/** Tag of a copy: when the original was started, ISO 8601; a copy's own time is that of copying. */
export const SOURCE_TIME_TAG = "varve:source-time";

/** Tag that keeps an image's exact length in bytes, where it is not that of the volume. */
export const IMAGE_BYTES_TAG = "varve:image-bytes";

/** Which tags are meant: those with the key and, where it is given, the value. */
export interface TagPattern {
  readonly Key: string;
  readonly Value?: string | undefined;
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
