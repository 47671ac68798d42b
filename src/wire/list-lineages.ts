import { Constraints } from "./constraints.ts";
import { jsonResponse, readJson } from "./json.ts";
import { SNAPSHOT_ID } from "./members.ts";
import {
  parseQuery,
  type ReceivedResponse,
  request,
  type WireRequest,
  type WireResponse,
} from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of ListLineages, an operation that AWS does not have. */
export interface ListLineagesRequest {
  /** Id of the snapshot after which the page begins. */
  readonly NextToken?: string | undefined;
}

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

/** Reads and checks a ListLineages request. */
export function readListLineagesRequest({
  query,
}: Pick<WireRequest, "query">): ListLineagesRequest {
  const c = new Constraints();
  const text = parseQuery(query).get("pageToken") ?? undefined;
  const input = { NextToken: c.text("pageToken", text, SNAPSHOT_ID) };
  c.check();
  return input;
}

/** Writes a ListLineages request. */
export function writeListLineagesRequest(input: ListLineagesRequest): WireRequest {
  return request({ ...formatRoute("ListLineages"), query: { pageToken: input.NextToken } });
}

/** Writes a ListLineages response. */
export function writeListLineagesResponse(response: ListLineagesResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a ListLineages response. */
export function readListLineagesResponse(response: ReceivedResponse): ListLineagesResponse {
  return readJson(response) as unknown as ListLineagesResponse;
}
