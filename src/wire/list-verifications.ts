import { jsonResponse, readJson } from "./json.ts";
import type { ReceivedResponse, WireResponse } from "./message.ts";

/** How a snapshot's latest verification ended. */
export interface VerificationDescription {
  readonly SnapshotId: string;
  /** ISO 8601. */
  readonly VerificationTime: string;
  readonly Outcome: "whole" | "damaged";
}

/** Output of ListVerifications, in order of snapshot id. */
export interface ListVerificationsResponse {
  readonly Verifications: readonly VerificationDescription[];
  /** Null on the last page. */
  readonly NextToken: string | null;
}

/** Writes a ListVerifications response. */
export function writeListVerificationsResponse(response: ListVerificationsResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a ListVerifications response. */
export function readListVerificationsResponse(
  response: ReceivedResponse,
): ListVerificationsResponse {
  return readJson(response) as unknown as ListVerificationsResponse;
}
