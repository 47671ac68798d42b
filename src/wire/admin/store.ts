import { jsonResponse, readJson } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** Output of DescribeStore: how the whole store is, over all accounts. */
export interface StoreDescription {
  /** Bytes of the records that can be found, as they lie in segments: encoded, each once. */
  readonly StoredBytes: number;
  /** Segments that hold records. */
  readonly SegmentCount: number;
  /** Records known to be damaged; at most 1,000 are counted. */
  readonly DamagedRecordCount: number;
  /** ISO 8601: every record has been read again since then, or written; null for an empty store. */
  readonly VerifiedSince: string | null;
  /** ISO 8601: when the latest collection of garbage began; null before the first. */
  readonly LastCollectionTime: string | null;
}

/** Writes a DescribeStore request. */
export function writeDescribeStoreRequest(): WireRequest {
  return request(formatAdminRoute("DescribeStore"));
}

/** Writes a DescribeStore response. */
export function writeDescribeStoreResponse(store: StoreDescription): WireResponse {
  return jsonResponse(200, JSON.stringify(store));
}

/** Reads a DescribeStore response. */
export function readDescribeStoreResponse(response: ReceivedResponse): StoreDescription {
  return readJson(response) as unknown as StoreDescription;
}
