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

/* Two operations of ours on where a snapshot comes from and how much of it is its own. */

/** Input of ListLineages. */
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

/** Input of CountExclusiveBlocks. */
export interface CountExclusiveBlocksRequest {
  readonly SnapshotId: string;
  /** Where the answer before said that the count goes on; left out at the beginning. */
  readonly StartingBlockIndex?: number | undefined;
}

/** Output of CountExclusiveBlocks: of one step, to be added up. */
export interface CountExclusiveBlocksResponse {
  readonly SnapshotId: string;
  /** Blocks that no other snapshot of the lineage has at their block index, but for zeros. */
  readonly ExclusiveBlockCount: number;
  /** Null after the last step. */
  readonly NextBlockIndex: number | null;
}

/** Reads and checks a CountExclusiveBlocks request. */
export function readCountExclusiveBlocksRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): CountExclusiveBlocksRequest {
  const c = new Constraints();
  const start = parseQuery(query).get("startingBlockIndex") ?? undefined;
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    StartingBlockIndex: c.integerText("startingBlockIndex", start, { min: 0 }),
  };
  c.check();
  return input;
}

/** Writes a CountExclusiveBlocks request. */
export function writeCountExclusiveBlocksRequest(input: CountExclusiveBlocksRequest): WireRequest {
  const { SnapshotId: snapshotId, StartingBlockIndex: startingBlockIndex } = input;
  const route = formatRoute("CountExclusiveBlocks", { snapshotId });
  return request({ ...route, query: { startingBlockIndex } });
}

/** Writes a CountExclusiveBlocks response. */
export function writeCountExclusiveBlocksResponse(
  response: CountExclusiveBlocksResponse,
): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a CountExclusiveBlocks response. */
export function readCountExclusiveBlocksResponse(
  response: ReceivedResponse,
): CountExclusiveBlocksResponse {
  return readJson(response) as unknown as CountExclusiveBlocksResponse;
}
