import { Constraints } from "./constraints.ts";
import { jsonOrNull, jsonResponse, readJson } from "./json.ts";
import { type PagingMembers, readPaging, SNAPSHOT_ID, writePaging } from "./members.ts";
import {
  parseQuery,
  type ReceivedResponse,
  request,
  type WireRequest,
  type WireResponse,
} from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of ListBlockDigests, an operation that AWS does not have. */
export interface ListBlockDigestsRequest extends PagingMembers {
  readonly SnapshotId: string;
}

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
export function readListBlockDigestsRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): ListBlockDigestsRequest {
  const c = new Constraints();
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    ...readPaging(c, parseQuery(query)),
  };
  c.check();
  return input;
}

/** Writes a ListBlockDigests response. */
export function writeListBlockDigestsResponse(response: ListBlockDigestsResponse): WireResponse {
  const json = `{"Blocks":${JSON.stringify(response.Blocks)},\
"NextToken":${jsonOrNull(response.NextToken)},"VolumeSize":${response.VolumeSize}}`;
  return jsonResponse(200, json);
}

/** Writes a ListBlockDigests request. */
export function writeListBlockDigestsRequest(input: ListBlockDigestsRequest): WireRequest {
  return request({
    ...formatRoute("ListBlockDigests", { snapshotId: input.SnapshotId }),
    query: writePaging(input),
  });
}

/** Reads a ListBlockDigests response. */
export function readListBlockDigestsResponse(response: ReceivedResponse): ListBlockDigestsResponse {
  return readJson(response) as unknown as ListBlockDigestsResponse;
}
