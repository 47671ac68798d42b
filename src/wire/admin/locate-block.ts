import { BLOCKS_PER_GIB, VOLUME_SIZE_GIB_MAX } from "../../model/limits.ts";
import { Constraints } from "../constraints.ts";
import { jsonResponse, readJson } from "../json.ts";
import { SNAPSHOT_ID } from "../members.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** Output of LocateBlock: the way of a block from its index to where its bytes lie. */
export interface BlockLocation {
  readonly SnapshotId: string;
  readonly BlockIndex: number;
  /** SHA-256 of the block's bytes in hexadecimal; null for a hole. */
  readonly Digest: string | null;
  /** Name of the record in its domain: the digest or, encrypted, the digest masked. */
  readonly RecordName: string | null;
  /** Where the record lies, in bytes; null for holes and for zeros, which take no room. */
  readonly Segment: number | null;
  readonly Offset: number | null;
  readonly Length: number | null;
}

/** Reads and checks the parameters of a LocateBlock request. */
export function readLocateBlockRequest(parameters: Readonly<Record<string, string>>): {
  readonly SnapshotId: string;
  readonly BlockIndex: number;
} {
  const c = new Constraints();
  const bounds = { min: 0, max: VOLUME_SIZE_GIB_MAX * BLOCKS_PER_GIB - 1 };
  const SnapshotId = c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "";
  const BlockIndex = c.integerText("blockIndex", parameters["blockIndex"], bounds) ?? 0;
  c.check();
  return { SnapshotId, BlockIndex };
}

/** Writes a LocateBlock request. */
export function writeLocateBlockRequest(snapshotId: string, blockIndex: number): WireRequest {
  const parameters = { snapshotId, blockIndex: String(blockIndex) };
  return request(formatAdminRoute("LocateBlock", parameters));
}

/** Writes a LocateBlock response. */
export function writeLocateBlockResponse(location: BlockLocation): WireResponse {
  return jsonResponse(200, JSON.stringify(location));
}

/** Reads a LocateBlock response. */
export function readLocateBlockResponse(response: ReceivedResponse): BlockLocation {
  return readJson(response) as unknown as BlockLocation;
}
