import { invalid } from "../model/errors.ts";
import { Constraints } from "./constraints.ts";
import { jsonResponse, readJson } from "./json.ts";
import { CHECKSUM, SNAPSHOT_ID } from "./members.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of CompleteSnapshot. */
export interface CompleteSnapshotRequest {
  readonly SnapshotId: string;
  /** Distinct block indexes written in this snapshot, not counting what it inherited. */
  readonly ChangedBlocksCount: number;
  /** base64 of SHA-256 over the raw digests of the blocks written, ascending by block index. */
  readonly Checksum?: string | undefined;
  readonly ChecksumAlgorithm?: string | undefined;
  readonly ChecksumAggregationMethod?: string | undefined;
}

/** Output of CompleteSnapshot. */
export interface CompleteSnapshotResponse {
  readonly Status: string;
}

/** Reads and checks a CompleteSnapshot request. */
export function readCompleteSnapshotRequest(
  { headers }: Pick<WireRequest, "headers">,
  parameters: Readonly<Record<string, string>>,
): CompleteSnapshotRequest {
  const c = new Constraints();
  const count = c.integerText("changedBlocksCount", headers.get("x-amz-changedblockscount"), {
    min: 0,
  });
  const algorithm = headers.get("x-amz-checksum-algorithm");
  const method = headers.get("x-amz-checksum-aggregation-method");
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    ChangedBlocksCount: c.required("changedBlocksCount", count, 0),
    Checksum: c.text("checksum", headers.get("x-amz-checksum"), CHECKSUM),
    ChecksumAlgorithm: c.oneOf("checksumAlgorithm", algorithm, ["SHA256"]),
    ChecksumAggregationMethod: c.oneOf("checksumAggregationMethod", method, ["LINEAR"]),
  };
  c.check();
  return input;
}

/** Throws unless the three checksum members came together or not at all. */
export function checkChecksumMembers(input: CompleteSnapshotRequest): void {
  const { Checksum, ChecksumAlgorithm, ChecksumAggregationMethod } = input;
  if (!Checksum && !ChecksumAlgorithm && !ChecksumAggregationMethod) return;
  const missing = (what: string) =>
    invalid("INVALID_PARAMETER_VALUE", `Invalid parameter combination. ${what} is missing.`);
  if (!Checksum) throw missing("Snapshot checksum");
  if (!ChecksumAlgorithm) throw missing("Checksum algorithm");
  if (!ChecksumAggregationMethod) throw missing("Checksum aggregation method");
}

/** Writes a CompleteSnapshot response. */
export function writeCompleteSnapshotResponse(response: CompleteSnapshotResponse): WireResponse {
  return jsonResponse(202, `{"Status":${JSON.stringify(response.Status)}}`);
}

/** Writes a CompleteSnapshot request. */
export function writeCompleteSnapshotRequest(input: CompleteSnapshotRequest): WireRequest {
  return request({
    ...formatRoute("CompleteSnapshot", { snapshotId: input.SnapshotId }),
    headers: {
      "x-amz-changedblockscount": input.ChangedBlocksCount,
      "x-amz-checksum": input.Checksum,
      "x-amz-checksum-algorithm": input.ChecksumAlgorithm,
      "x-amz-checksum-aggregation-method": input.ChecksumAggregationMethod,
    },
  });
}

/** Reads a CompleteSnapshot response. */
export function readCompleteSnapshotResponse(response: ReceivedResponse): CompleteSnapshotResponse {
  return readJson(response) as unknown as CompleteSnapshotResponse;
}
