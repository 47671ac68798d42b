import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { formatEpochSeconds, jsonListResponse, jsonOrNull, readJson } from "./json.ts";
import { type ListingRequest, readListingRequest, writeListingRequest } from "./members.ts";
import type { ReceivedResponse, WireRequest, WireResponse } from "./message.ts";

/** Input of ListSnapshotBlocks. */
export type ListSnapshotBlocksRequest = ListingRequest;

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
export const readListSnapshotBlocksRequest = readListingRequest;

/** Writes a ListSnapshotBlocks response. A token's alphabet needs no escaping. */
export function writeListSnapshotBlocksResponse(
  response: Pick<ListSnapshotBlocksResponse, "VolumeSize" | "NextToken"> & {
    readonly blocks: readonly { readonly blockIndex: number; readonly blockToken: string }[];
    readonly expiryTimeMs: number;
  },
): WireResponse {
  return jsonListResponse({
    before: `{"BlockSize":${BLOCK_SIZE_BYTES},"Blocks":[`,
    entries: response.blocks,
    textOf: ({ blockIndex, blockToken }) =>
      `{"BlockIndex":${blockIndex},"BlockToken":"${blockToken}"}`,
    after: `],"ExpiryTime":${formatEpochSeconds(response.expiryTimeMs)},\
"NextToken":${jsonOrNull(response.NextToken)},"VolumeSize":${response.VolumeSize}}`,
  });
}

/** Writes a ListSnapshotBlocks request. */
export function writeListSnapshotBlocksRequest(input: ListSnapshotBlocksRequest): WireRequest {
  return writeListingRequest("ListSnapshotBlocks", input);
}

/** Reads a ListSnapshotBlocks response. */
export function readListSnapshotBlocksResponse(
  response: ReceivedResponse,
): ListSnapshotBlocksResponse {
  return readJson(response) as unknown as ListSnapshotBlocksResponse;
}
