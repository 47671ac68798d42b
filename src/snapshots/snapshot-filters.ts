import { formatTimeMs } from "../base/clock.ts";
import { escapableWildcardPattern } from "../base/wildcard.ts";
import { isKeyDomain } from "../model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { type Snapshot, visibleState } from "../model/snapshot.ts";

/** A filter of DescribeSnapshots: the values are alternatives and may hold `*` and `?`. */
export interface SnapshotFilter {
  readonly Name: string;
  readonly Values: readonly string[];
}

/** What each filter looks at; a snapshot matches when any of the texts does. */
const FIELDS: Readonly<Record<string, (snapshot: Snapshot) => readonly string[]>> = {
  "snapshot-id": ({ id }) => [id],
  status: ({ state }) => [visibleState(state)],
  description: ({ description }) => [description ?? ""],
  // Amazon gives aliases, and gave none to anybody here.
  "owner-alias": () => [],
  "owner-id": ({ account }) => [account],
  progress: ({ state }) => [state === "completed" ? "100%" : "0%"],
  "start-time": ({ startTimeMs }) => [formatTimeMs(startTimeMs)],
  "volume-size": ({ volumeSizeGib }) => [String(volumeSizeGib)],
  "volume-id": () => ["vol-ffffffff"],
  encrypted: ({ domain }) => [String(isKeyDomain(domain))],
  "storage-tier": () => ["standard"],
  "transfer-type": () => ["standard"],
  "full-snapshot-size-in-bytes": ({ blockCount }) => [String(blockCount * BLOCK_SIZE_BYTES)],
  "tag-key": ({ tags }) => tags.map(({ Key }) => Key),
  "tag-value": ({ tags }) => tags.map(({ Value }) => Value),
};

const TAG_PREFIX = "tag:";

/** The filters' names that mean nothing to us; they must be refused, never passed over. */
export function unknownFilters(filters: readonly SnapshotFilter[]): string[] {
  return filters
    .map(({ Name }) => Name)
    .filter((name) => !name.startsWith(TAG_PREFIX) && !Object.hasOwn(FIELDS, name));
}

/** True for snapshots that match every filter. */
export function snapshotMatcher(
  filters: readonly SnapshotFilter[],
): (snapshot: Snapshot) => boolean {
  const tests = filters.map(({ Name, Values }) => {
    const patterns = Values.map(escapableWildcardPattern);
    const textsOf = FIELDS[Name] ?? ((snapshot: Snapshot) => tagValues(snapshot, Name));
    return (snapshot: Snapshot) =>
      textsOf(snapshot).some((text) => patterns.some((pattern) => pattern.test(text)));
  });
  return (snapshot) => tests.every((test) => test(snapshot));
}

function tagValues({ tags }: Snapshot, filterName: string): string[] {
  const key = filterName.slice(TAG_PREFIX.length);
  return tags.filter((tag) => tag.Key === key).map(({ Value }) => Value);
}
