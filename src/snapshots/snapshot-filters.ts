import { formatTimeMs } from "../base/clock.ts";
import { isKeyDomain } from "../model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { type Snapshot, visibleState } from "../model/snapshot.ts";
import {
  type Filter,
  type FilterFields,
  filterMatcher,
  type Matcher,
  unknownNames,
} from "./filters.ts";

/** What each filter of DescribeSnapshots looks at. */
const FIELDS: FilterFields<Snapshot> = {
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

/** The filters' names that mean nothing to us; they must be refused, never passed over. */
export function unknownFilters(filters: readonly Filter[]): string[] {
  return unknownNames(FIELDS, filters);
}

/** True for snapshots that match every filter. */
export function snapshotMatcher(filters: readonly Filter[]): Matcher<Snapshot> {
  return filterMatcher(FIELDS, filters, ({ tags }) => tags);
}
