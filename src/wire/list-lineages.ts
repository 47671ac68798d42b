import { jsonResponse, readJson } from "./json.ts";
import type { ReceivedResponse, WireResponse } from "./message.ts";

/** Where a snapshot stands among those connected with it by parent links. */
export interface LineageDescription {
  readonly SnapshotId: string;
  /** Null for one without a parent; the parent may have been deleted since. */
  readonly ParentSnapshotId: string | null;
  /** Id of the lineage's first snapshot, which may have been deleted since. */
  readonly LineageId: string;
  /** Blocks visible in the snapshot; 0 before it is completed. */
  readonly BlockCount: number;
  /** Of these, blocks written in the snapshot itself. */
  readonly WrittenBlockCount: number;
}

/** Output of ListLineages, in order of snapshot id. */
export interface ListLineagesResponse {
  readonly Snapshots: readonly LineageDescription[];
  /** Null on the last page. */
  readonly NextToken: string | null;
}

/** Writes a ListLineages response. */
export function writeListLineagesResponse(response: ListLineagesResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a ListLineages response. */
export function readListLineagesResponse(response: ReceivedResponse): ListLineagesResponse {
  return readJson(response) as unknown as ListLineagesResponse;
}
