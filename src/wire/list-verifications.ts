import { Constraints } from "./constraints.ts";
import { jsonResponse, readJson } from "./json.ts";
import { SNAPSHOT_ID } from "./members.ts";
import {
  parseQuery,
  type ReceivedResponse,
  request,
  type WireRequest,
  type WireResponse,
} from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of ListVerifications, an operation that AWS does not have. */
export interface ListVerificationsRequest {
  /** Id of the snapshot after which the page begins. */
  readonly NextToken?: string | undefined;
}

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

/** Reads and checks a ListVerifications request. */
export function readListVerificationsRequest({
  query,
}: Pick<WireRequest, "query">): ListVerificationsRequest {
  const c = new Constraints();
  const text = parseQuery(query).get("pageToken") ?? undefined;
  const input = { NextToken: c.text("pageToken", text, SNAPSHOT_ID) };
  c.check();
  return input;
}

/** Writes a ListVerifications request. */
export function writeListVerificationsRequest(input: ListVerificationsRequest): WireRequest {
  return request({ ...formatRoute("ListVerifications"), query: { pageToken: input.NextToken } });
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
