import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { Constraints } from "./constraints.ts";
import { formatEpochSeconds, jsonOrNull, jsonResponse, readJson } from "./json.ts";
import { type PagingMembers, readPaging, SNAPSHOT_ID, writePaging } from "./members.ts";
import {
  parseQuery,
  type ReceivedResponse,
  request,
  type WireRequest,
  type WireResponse,
} from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of ListSnapshotBlocks. */
export interface ListSnapshotBlocksRequest extends PagingMembers {
  readonly SnapshotId: string;
}

/** A block of a snapshot, with the token that reads it. */
export interface Block {
  readonly BlockIndex: number;
  readonly BlockToken: string;
}

/** Output of ListSnapshotBlocks. */
export interface ListSnapshotBlocksResponse {
  readonly Blocks: readonly Block[];
  /** Seconds since 1970. */
  readonly ExpiryTime: number;
  /** GiB. */
  readonly VolumeSize: number;
  readonly BlockSize: number;
  /** Null or absent on the last page. */
  readonly NextToken?: string | null | undefined;
}

/** Reads and checks a ListSnapshotBlocks request. */
export function readListSnapshotBlocksRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): ListSnapshotBlocksRequest {
  const c = new Constraints();
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    ...readPaging(c, parseQuery(query)),
  };
  c.check();
  return input;
}

/** Writes a ListSnapshotBlocks response. */
export function writeListSnapshotBlocksResponse(
  response: Pick<ListSnapshotBlocksResponse, "Blocks" | "VolumeSize" | "NextToken"> & {
    readonly expiryTimeMs: number;
  },
): WireResponse {
  // A token's alphabet needs no escaping, and a page has up to 10,000 of them.
  const blocks = response.Blocks.map(
    ({ BlockIndex, BlockToken }) => `{"BlockIndex":${BlockIndex},"BlockToken":"${BlockToken}"}`,
  );
  const json = `{"BlockSize":${BLOCK_SIZE_BYTES},"Blocks":[${blocks.join(",")}],\
"ExpiryTime":${formatEpochSeconds(response.expiryTimeMs)},\
"NextToken":${jsonOrNull(response.NextToken)},"VolumeSize":${response.VolumeSize}}`;
  return jsonResponse(200, json);
}

/** Writes a ListSnapshotBlocks request. */
export function writeListSnapshotBlocksRequest(input: ListSnapshotBlocksRequest): WireRequest {
  return request({
    ...formatRoute("ListSnapshotBlocks", { snapshotId: input.SnapshotId }),
    query: writePaging(input),
  });
}

/** Reads a ListSnapshotBlocks response. */
export function readListSnapshotBlocksResponse(
  response: ReceivedResponse,
): ListSnapshotBlocksResponse {
  return readJson(response) as unknown as ListSnapshotBlocksResponse;
}
