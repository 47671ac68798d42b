import { COLLECT_GRACE_SECONDS_DEFAULT } from "../../model/limits.ts";
import { Constraints } from "../constraints.ts";
import { jsonResponse, parseJsonObject, readJson } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** Input of StartCollection. */
export interface StartCollectionRequest {
  /** True to find out what would be removed, and remove nothing. */
  readonly DryRun?: boolean | undefined;
  /** Seconds between the first and the second finding that a record is garbage. */
  readonly GraceSeconds?: number | undefined;
}

/** A collection of garbage: one under way, or one that has ended. */
export interface CollectionDescription {
  readonly CollectionId: string;
  readonly State: "Running" | "Done" | "Failed";
  /** Why it failed, or that it was stopped. */
  readonly Message?: string | undefined;
  /** What it found and did, once it is done. */
  readonly Result?: Readonly<Record<string, number>> | undefined;
  readonly DurationMs?: number | undefined;
}

/** Longest grace that can be asked for, 30 days: a bound against a slip of units (ours). */
const GRACE_SECONDS_MAX = 30 * 86_400;

/** Reads and checks a StartCollection request. */
export function readStartCollectionRequest({ body }: Pick<WireRequest, "body">): {
  readonly isDryRun: boolean;
  readonly graceSeconds: number;
} {
  const json = body.length === 0 ? {} : parseJsonObject(body);
  const c = new Constraints();
  const bounds = { min: 0, max: GRACE_SECONDS_MAX };
  const grace = c.integer("graceSeconds", json["GraceSeconds"], bounds);
  c.check();
  const graceSeconds = grace ?? COLLECT_GRACE_SECONDS_DEFAULT;
  return { isDryRun: json["DryRun"] === true, graceSeconds };
}

/** Writes a StartCollection request. */
export function writeStartCollectionRequest(input: StartCollectionRequest): WireRequest {
  return request({
    ...formatAdminRoute("StartCollection"),
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(input)),
  });
}

/** Writes a GetCollection request. */
export function writeGetCollectionRequest(collectionId: string): WireRequest {
  return request(formatAdminRoute("GetCollection", { collectionId }));
}

/** Writes a StopCollection request. */
export function writeStopCollectionRequest(collectionId: string): WireRequest {
  return request(formatAdminRoute("StopCollection", { collectionId }));
}

/** Writes the answer to each of them. */
export function writeCollectionResponse(
  status: 200 | 202,
  description: CollectionDescription,
): WireResponse {
  return jsonResponse(status, JSON.stringify(description));
}

/** Reads the answer to each of them. */
export function readCollectionResponse(response: ReceivedResponse): CollectionDescription {
  return readJson(response) as unknown as CollectionDescription;
}
