import { SCRUB_SAMPLES_COUNT_MAX } from "../../model/limits.ts";
import { Constraints, type TextBounds } from "../constraints.ts";
import { jsonResponse, parseJsonObject, readJson } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** Input of ScrubStore. */
export interface ScrubStoreRequest {
  /** Where the step before said that it goes on; left out to begin. */
  readonly NextToken?: string | undefined;
  /** The `SamplePart`-th of `SampleParts` equal samples of all records; left out for all. */
  readonly SamplePart?: number | undefined;
  readonly SampleParts?: number | undefined;
}

/** A record found damaged: where it lies and what it is called, never what it holds. */
export interface DamagedRecordDescription {
  readonly Domain: string;
  readonly Name: string;
  readonly Segment: number;
  readonly Offset: number;
  readonly Length: number;
}

/** Output of ScrubStore, of one step. */
export interface ScrubStoreResponse {
  readonly RecordsVerified: number;
  readonly BytesVerified: number;
  readonly DamagedRecords: readonly DamagedRecordDescription[];
  /** Records whose encryption key cannot be had: read, but not hashed. */
  readonly LockedRecordCount: number;
  /** What the catalog has wrong; looked for in the last step, unless samples were asked for. */
  readonly CatalogFaults: readonly string[];
  /** Bytes of all segments, and of those parts of them that lie behind. */
  readonly BytesTotal: number;
  readonly BytesDone: number;
  /** Null after the last step. */
  readonly NextToken: string | null;
}

const NEXT_TOKEN: TextBounds = { maxLength: 32, pattern: /^[0-9]{1,12}\.[0-9]{1,15}$/ };

/** Reads and checks a ScrubStore request. */
export function readScrubStoreRequest({ body }: Pick<WireRequest, "body">): ScrubStoreRequest {
  const json = body.length === 0 ? {} : parseJsonObject(body);
  const c = new Constraints();
  const parts = { min: 1, max: SCRUB_SAMPLES_COUNT_MAX };
  const SampleParts = c.integer("sampleParts", json["SampleParts"], parts);
  const SamplePart = c.integer("samplePart", json["SamplePart"], {
    min: 1,
    max: SampleParts ?? 1,
  });
  const input = { NextToken: c.text("nextToken", json["NextToken"], NEXT_TOKEN), SampleParts };
  c.check();
  return { ...input, SamplePart };
}

/** Writes a ScrubStore request. */
export function writeScrubStoreRequest(input: ScrubStoreRequest): WireRequest {
  const body = new TextEncoder().encode(JSON.stringify(input));
  const headers = { "content-type": "application/json" };
  return request({ ...formatAdminRoute("ScrubStore"), headers, body });
}

/** Writes a ScrubStore response. */
export function writeScrubStoreResponse(response: ScrubStoreResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a ScrubStore response. */
export function readScrubStoreResponse(response: ReceivedResponse): ScrubStoreResponse {
  return readJson(response) as unknown as ScrubStoreResponse;
}
