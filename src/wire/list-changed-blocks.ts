import { invalid } from "../model/errors.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { Constraints } from "./constraints.ts";
import { formatEpochSeconds, jsonListResponse, jsonOrNull, readJson } from "./json.ts";
import { type PagingMembers, readPaging, SNAPSHOT_ID, writePaging } from "./members.ts";
import {
  parseQuery,
  type ReceivedResponse,
  request,
  type WireRequest,
  type WireResponse,
} from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of ListChangedBlocks. */
export interface ListChangedBlocksRequest extends PagingMembers {
  readonly FirstSnapshotId: string;
  readonly SecondSnapshotId: string;
}

/** A block that differs; a snapshot that lacks it has a null token. */
export interface ChangedBlock {
  readonly BlockIndex: number;
  readonly FirstBlockToken?: string | null | undefined;
  readonly SecondBlockToken?: string | null | undefined;
}

/** Output of ListChangedBlocks. */
export interface ListChangedBlocksResponse {
  readonly ChangedBlocks: readonly ChangedBlock[];
  /** Seconds since 1970. AWS's is null, like the next two, on a last page without changes. */
  readonly ExpiryTime: number | null;
  /** GiB, of the second snapshot. */
  readonly VolumeSize: number | null;
  readonly BlockSize: number | null;
  /** Null or absent on the last page. */
  readonly NextToken?: string | null | undefined;
}

/** Reads and checks a ListChangedBlocks request. */
export function readListChangedBlocksRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): ListChangedBlocksRequest {
  const members = parseQuery(query);
  const c = new Constraints();
  const first = members.get("firstSnapshotId") || undefined;
  const input = {
    FirstSnapshotId: c.text("firstSnapshotId", first, SNAPSHOT_ID) ?? "",
    SecondSnapshotId: c.text("secondSnapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    ...readPaging(c, members),
  };
  c.check();
  // Optional in the published model, required by the service.
  if (first === undefined) {
    throw invalid("INVALID_SNAPSHOT_ID", "First snapshot should not be empty or null");
  }
  return input;
}

/**
 * Writes a ListChangedBlocks response. `LastEvaluatedBlockIndex` is not in the published model;
 * the service writes it all the same, always null. AWS's writes every member null, but for the
 * empty list, when there is nothing at all to tell: no VolumeSize says that.
 */
export function writeListChangedBlocksResponse(
  response: Pick<ListChangedBlocksResponse, "NextToken"> & {
    readonly changedBlocks: readonly {
      readonly blockIndex: number;
      readonly firstBlockToken: string | undefined;
      readonly secondBlockToken: string | undefined;
    }[];
    readonly expiryTimeMs: number | undefined;
    readonly VolumeSize: number | undefined;
  },
): WireResponse {
  const { VolumeSize, expiryTimeMs } = response;
  const quoted = (token: string | undefined) => (token ? `"${token}"` : "null");
  const blockSize = VolumeSize === undefined ? null : BLOCK_SIZE_BYTES;
  const expiryTime = expiryTimeMs === undefined ? null : formatEpochSeconds(expiryTimeMs);
  return jsonListResponse({
    before: `{"BlockSize":${blockSize},"ChangedBlocks":[`,
    entries: response.changedBlocks,
    textOf: ({ blockIndex, firstBlockToken, secondBlockToken }) =>
      `{"BlockIndex":${blockIndex},"FirstBlockToken":${quoted(firstBlockToken)},` +
      `"SecondBlockToken":${quoted(secondBlockToken)}}`,
    after: `],"ExpiryTime":${expiryTime},"LastEvaluatedBlockIndex":null,\
"NextToken":${jsonOrNull(response.NextToken)},"VolumeSize":${VolumeSize ?? null}}`,
  });
}

/** Writes a ListChangedBlocks request. */
export function writeListChangedBlocksRequest(
  input: Omit<ListChangedBlocksRequest, "FirstSnapshotId"> & {
    readonly FirstSnapshotId?: string | undefined;
  },
): WireRequest {
  return request({
    ...formatRoute("ListChangedBlocks", { snapshotId: input.SecondSnapshotId }),
    query: { firstSnapshotId: input.FirstSnapshotId, ...writePaging(input) },
  });
}

/** Reads a ListChangedBlocks response. */
export function readListChangedBlocksResponse(
  response: ReceivedResponse,
): ListChangedBlocksResponse {
  return readJson(response) as unknown as ListChangedBlocksResponse;
}
