import { Constraints } from "./constraints.ts";
import { jsonResponse } from "./json.ts";
import { CHECKSUM, SNAPSHOT_ID } from "./members.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of PutSnapshotBlock without the block itself. */
export interface PutSnapshotBlockRequest {
  readonly SnapshotId: string;
  readonly BlockIndex: number;
  /** Bytes of the block: 524,288. */
  readonly DataLength: number;
  /** Per cent of the upload; the service accepts it and makes no use of it. */
  readonly Progress?: number | undefined;
  /** base64 of the block's SHA-256. */
  readonly Checksum: string;
  readonly ChecksumAlgorithm: string;
}

/** Output of PutSnapshotBlock. */
export interface PutSnapshotBlockResponse {
  readonly Checksum: string;
  readonly ChecksumAlgorithm: string;
}

/** Reads and checks a PutSnapshotBlock request. */
export function readPutSnapshotBlockRequest(
  { headers }: Pick<WireRequest, "headers">,
  parameters: Readonly<Record<string, string>>,
): PutSnapshotBlockRequest {
  const c = new Constraints();
  const blockIndex = c.integerText("blockIndex", parameters["blockIndex"], { min: 0 });
  const dataLength = c.integerText("dataLength", headers.get("x-amz-data-length"), {
    min: Number.MIN_SAFE_INTEGER,
  });
  const checksum = c.text("checksum", headers.get("x-amz-checksum"), CHECKSUM);
  const algorithm = headers.get("x-amz-checksum-algorithm");
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    BlockIndex: c.required("blockIndex", blockIndex, 0),
    DataLength: c.required("dataLength", dataLength, 0),
    Progress: c.integerText("progress", headers.get("x-amz-progress"), { min: 0, max: 100 }),
    Checksum: c.required("checksum", checksum, ""),
    ChecksumAlgorithm: c.required("checksumAlgorithm", algorithm, ""),
  };
  c.check();
  return input;
}

/** Writes a PutSnapshotBlock response. */
export function writePutSnapshotBlockResponse(response: PutSnapshotBlockResponse): WireResponse {
  return jsonResponse(201, "{}", {
    "x-amz-Checksum": response.Checksum,
    "x-amz-Checksum-Algorithm": response.ChecksumAlgorithm,
  });
}

/** Writes a PutSnapshotBlock request. */
export function writePutSnapshotBlockRequest(
  input: PutSnapshotBlockRequest,
  block: Uint8Array,
): WireRequest {
  const parameters = { snapshotId: input.SnapshotId, blockIndex: input.BlockIndex };
  return request({
    ...formatRoute("PutSnapshotBlock", parameters),
    headers: {
      "content-type": "application/octet-stream",
      "x-amz-data-length": input.DataLength,
      "x-amz-progress": input.Progress,
      "x-amz-checksum": input.Checksum,
      "x-amz-checksum-algorithm": input.ChecksumAlgorithm,
    },
    body: block,
  });
}

/** Reads a PutSnapshotBlock response. */
export function readPutSnapshotBlockResponse({
  headers,
}: ReceivedResponse): PutSnapshotBlockResponse {
  return {
    Checksum: headers.get("x-amz-checksum") ?? "",
    ChecksumAlgorithm: headers.get("x-amz-checksum-algorithm") ?? "",
  };
}
