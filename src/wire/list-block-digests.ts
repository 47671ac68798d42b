import { checksumOf, type Digest } from "../model/digest.ts";
import { jsonListResponse, jsonOrNull, readJson } from "./json.ts";
import { type ListingRequest, readListingRequest, writeListingRequest } from "./members.ts";
import type { ReceivedResponse, WireRequest, WireResponse } from "./message.ts";

/** Input of ListBlockDigests, an operation that AWS does not have. */
export type ListBlockDigestsRequest = ListingRequest;

/** A block of a snapshot and the base64 SHA-256 of its contents. */
export interface BlockChecksum {
  readonly BlockIndex: number;
  readonly Checksum: string;
}

/** Output of ListBlockDigests. */
export interface ListBlockDigestsResponse {
  readonly Blocks: readonly BlockChecksum[];
  /** Null on the last page. */
  readonly NextToken?: string | null | undefined;
  /** GiB. */
  readonly VolumeSize: number;
}

/** Reads and checks a ListBlockDigests request. */
export const readListBlockDigestsRequest = readListingRequest;

/** Writes a ListBlockDigests response. */
export function writeListBlockDigestsResponse(
  response: Pick<ListBlockDigestsResponse, "VolumeSize" | "NextToken"> & {
    readonly blocks: readonly { readonly blockIndex: number; readonly digest: Digest }[];
  },
): WireResponse {
  return jsonListResponse({
    before: '{"Blocks":[',
    entries: response.blocks,
    textOf: ({ blockIndex, digest }) =>
      `{"BlockIndex":${blockIndex},"Checksum":"${checksumOf(digest)}"}`,
    after: `],"NextToken":${jsonOrNull(response.NextToken)},"VolumeSize":${response.VolumeSize}}`,
  });
}

/** Writes a ListBlockDigests request. */
export function writeListBlockDigestsRequest(input: ListBlockDigestsRequest): WireRequest {
  return writeListingRequest("ListBlockDigests", input);
}

/** Reads a ListBlockDigests response. */
export function readListBlockDigestsResponse(response: ReceivedResponse): ListBlockDigestsResponse {
  return readJson(response) as unknown as ListBlockDigestsResponse;
}
