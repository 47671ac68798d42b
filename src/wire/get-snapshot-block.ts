import { Constraints } from "./constraints.ts";
import { SNAPSHOT_ID, TOKEN } from "./members.ts";
import {
  parseQuery,
  type ReceivedResponse,
  request,
  type WireRequest,
  type WireResponse,
} from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of GetSnapshotBlock. */
export interface GetSnapshotBlockRequest {
  readonly SnapshotId: string;
  readonly BlockIndex: number;
  readonly BlockToken: string;
}

/** Output of GetSnapshotBlock. */
export interface GetSnapshotBlockResponse {
  /** Bytes of the block: 524,288. */
  readonly DataLength: number;
  readonly BlockData: Uint8Array;
  readonly Checksum: string;
  readonly ChecksumAlgorithm: string;
}

/** Reads and checks a GetSnapshotBlock request. */
export function readGetSnapshotBlockRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): GetSnapshotBlockRequest {
  const c = new Constraints();
  const blockIndex = c.integerText("blockIndex", parameters["blockIndex"], { min: 0 });
  const token = parseQuery(query).get("blockToken") ?? undefined;
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    BlockIndex: c.required("blockIndex", blockIndex, 0),
    BlockToken: c.required("blockToken", c.text("blockToken", token, TOKEN), ""),
  };
  c.check();
  return input;
}

/** Writes a GetSnapshotBlock response. */
export function writeGetSnapshotBlockResponse(
  response: Pick<GetSnapshotBlockResponse, "BlockData" | "Checksum">,
): WireResponse {
  return {
    status: 200,
    headers: {
      "Content-Type": "application/octet-stream",
      "x-amz-Data-Length": String(response.BlockData.length),
      "x-amz-Checksum": response.Checksum,
      "x-amz-Checksum-Algorithm": "SHA256",
    },
    body: response.BlockData,
  };
}

/** Writes a GetSnapshotBlock request. */
export function writeGetSnapshotBlockRequest(input: GetSnapshotBlockRequest): WireRequest {
  const parameters = { snapshotId: input.SnapshotId, blockIndex: input.BlockIndex };
  return request({
    ...formatRoute("GetSnapshotBlock", parameters),
    query: { blockToken: input.BlockToken },
  });
}

/** Reads a GetSnapshotBlock response; the caller compares the checksum with the bytes. */
export function readGetSnapshotBlockResponse({
  headers,
  body,
}: ReceivedResponse): GetSnapshotBlockResponse {
  return {
    DataLength: Number(headers.get("x-amz-data-length")),
    BlockData: body,
    Checksum: headers.get("x-amz-checksum") ?? "",
    ChecksumAlgorithm: headers.get("x-amz-checksum-algorithm") ?? "",
  };
}
