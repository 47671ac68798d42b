import type {
  DescribeSnapshotsRequest,
  SnapshotDescription,
} from "../../wire/ec2/describe-snapshots.ts";
import type { TagPattern } from "./snapshot-tags.ts";
import { volumeOf } from "./snapshot-tags.ts";

/** Which snapshots are meant; all that is given has to hold. */
export interface SnapshotFilter {
  /** `pending`, `completed` or `error`. */
  readonly state?: string | undefined;
  /** All of them; one without a value is met by whatever value. */
  readonly tags?: readonly TagPattern[] | undefined;
  /** Id of the volume that a snapshot or, for a copy, its original was made of. */
  readonly volumeId?: string | undefined;
  /** A part of the description, in whatever case. */
  readonly text?: string | undefined;
  /** Milliseconds since 1970: started at that time or after. */
  readonly sinceMs?: number | undefined;
  /** Milliseconds since 1970: started before. */
  readonly untilMs?: number | undefined;
}

/** The part of a filter that EC2 applies itself; the rest is left to `filterMatcher`. */
export function filterRequest({
  state,
}: SnapshotFilter): Pick<DescribeSnapshotsRequest, "Filters"> {
  return { Filters: state === undefined ? [] : [{ Name: "status", Values: [state] }] };
}

/** True for the snapshots that are meant. */
export function filterMatcher(filter: SnapshotFilter): (snapshot: SnapshotDescription) => boolean {
  const { state, tags = [], volumeId, text, sinceMs, untilMs } = filter;
  const wanted = text?.toLowerCase();
  return (snapshot) => {
    const startMs = Date.parse(snapshot.StartTime);
    return (
      (state === undefined || snapshot.State === state) &&
      tags.every((tag) => hasTag(snapshot, tag)) &&
      (volumeId === undefined || volumeOf(snapshot) === volumeId) &&
      (wanted === undefined || snapshot.Description.toLowerCase().includes(wanted)) &&
      (sinceMs === undefined || startMs >= sinceMs) &&
      (untilMs === undefined || startMs < untilMs)
    );
  };
}

function hasTag({ Tags }: SnapshotDescription, { Key, Value }: TagPattern): boolean {
  return Tags.some((tag) => tag.Key === Key && (Value === undefined || tag.Value === Value));
}
