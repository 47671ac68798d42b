import { jsonOrNull, jsonResponse, readJson } from "./json.ts";
import type { Block } from "./list-snapshot-blocks.ts";
import { type ListingRequest, readListingRequest, writeListingRequest } from "./members.ts";
import type { ReceivedResponse, WireRequest, WireResponse } from "./message.ts";
import type { BlockExtent } from "./verify-snapshot.ts";

/** Input of ListReadableBlocks, an operation that AWS does not have. */
export type ListReadableBlocksRequest = ListingRequest;

/** Output of ListReadableBlocks. */
export interface ListReadableBlocksResponse {
  readonly Blocks: readonly Block[];
  /** Where the block map is damaged: what was there is not known. */
  readonly LostExtents: readonly BlockExtent[];
  /** Null on the last page. */
  readonly NextToken?: string | null | undefined;
  /** GiB. */
  readonly VolumeSize: number;
}

/** Reads and checks a ListReadableBlocks request. */
export const readListReadableBlocksRequest = readListingRequest;

/** Writes a ListReadableBlocks response. */
export function writeListReadableBlocksResponse(
  response: ListReadableBlocksResponse,
): WireResponse {
  const json = `{"Blocks":${JSON.stringify(response.Blocks)},\
"LostExtents":${JSON.stringify(response.LostExtents)},\
"NextToken":${jsonOrNull(response.NextToken)},"VolumeSize":${response.VolumeSize}}`;
  return jsonResponse(200, json);
}

/** Writes a ListReadableBlocks request. */
export function writeListReadableBlocksRequest(input: ListReadableBlocksRequest): WireRequest {
  return writeListingRequest("ListReadableBlocks", input);
}

/** Reads a ListReadableBlocks response. */
export function readListReadableBlocksResponse(
  response: ReceivedResponse,
): ListReadableBlocksResponse {
  return readJson(response) as unknown as ListReadableBlocksResponse;
}
