import { jsonResponse, readJson } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/*
 * How the store is and what it does. Times are ISO 8601 in UTC. Where several processes serve one
 * store, `Process`, `Activity` and what says so below are of the one that answered.
 */

/** Output of GetStoreStatus. Cheap enough to be asked for every second or two. */
export interface StoreStatus {
  /** When this was put together. */
  readonly Time: string;
  readonly Process: ProcessStatus;
  readonly Snapshots: SnapshotCounts;
  readonly Sizes: StoreSizes;
  readonly Activity: Activity;
  /** What goes on, oldest first. */
  readonly Tasks: readonly TaskDescription[];
  /** Null before the first. */
  readonly LastCollection: LastCollection | null;
  readonly Scrub: ScrubStatus;
  readonly Engines: readonly EngineStatus[];
}

/** The process that answered. */
export interface ProcessStatus {
  /** Made by chance at its start. */
  readonly Id: string;
  readonly Version: string;
  readonly StartTime: string;
  readonly Region: string;
  /** Resident memory in bytes. */
  readonly MemoryBytes: number;
  /** How late the event loop was in the last minute, in milliseconds: 99 of 100 times no later. */
  readonly EventLoopDelayMs: number;
}

/** Snapshots of all accounts, by state. */
export interface SnapshotCounts {
  readonly Pending: number;
  readonly Sealing: number;
  readonly Copying: number;
  readonly Completed: number;
  readonly Error: number;
  readonly Recycled: number;
}

/** Sizes of the whole store, in bytes. */
export interface StoreSizes {
  /** Blocks of all completed snapshots, each snapshot in full: what could be restored. */
  readonly ProtectedBytes: number;
  /** Records that can be found, as they lie in segments. */
  readonly StoredBytes: number;
  /** All segments, garbage among them; null before they were first measured. */
  readonly SegmentBytes: number | null;
  /** Plain bytes against stored ones, of a sample of what is stored; null while there is none. */
  readonly CompressionFactor: number | null;
  /** Protected bytes against the plain ones of what is stored; null where that is not known. */
  readonly DedupFactor: number | null;
  /** Free on the disk of the data folder; null where segments lie on no disk. */
  readonly FreeBytes: number | null;
  /** When the disk will be full if it goes on like in the last 30 days; null if it will not. */
  readonly FullTime: string | null;
}

/** The last five minutes of the process that answered. */
export interface Activity {
  /** Length of each point's interval. */
  readonly IntervalSeconds: number;
  /** Intervals that are over, oldest first. */
  readonly Points: readonly ActivityPoint[];
  /** Requests being answered now. */
  readonly InFlight: number;
}

/** What was answered in one interval. */
export interface ActivityPoint {
  /** When the interval began. */
  readonly Time: string;
  readonly RequestCount: number;
  /** Of these, those refused with a status of 400 to 499. */
  readonly RefusedCount: number;
  /** Of these, those that failed with a status from 500 on. */
  readonly FailedCount: number;
  /** Bytes of blocks, as they are read and written by clients. */
  readonly ReadBytes: number;
  readonly WrittenBytes: number;
  /** Null where there was none. */
  readonly PutLatency: LatencyQuantiles | null;
  readonly GetLatency: LatencyQuantiles | null;
}

/** Milliseconds from a request's head to the end of its answer; within 20 % of the truth. */
export interface LatencyQuantiles {
  readonly P50: number;
  readonly P99: number;
}

/** Something that takes a while. */
export interface TaskDescription {
  readonly Kind: "Upload" | "Sealing" | "Copy" | "Collection" | "Scrub" | "Verification";
  /** Of a snapshot's task, the snapshot's id; else a name of the task's own. */
  readonly Id: string;
  /** Null where it is not known. */
  readonly StartTime: string | null;
  /** How far it is, in `Unit`; null where that is not known. */
  readonly Done: number | null;
  /** How far it goes; null where that is not known. */
  readonly Total: number | null;
  readonly Unit: "blocks" | "bytes" | "records";
  /** False for what another process of the same store may be at as well. */
  readonly IsOfProcess: boolean;
}

/** The latest collection of garbage. */
export interface LastCollection {
  /** When it began, whichever process ran it. */
  readonly Time: string;
  /** What it removed; null where another process ran it, or one before this. */
  readonly RemovedRecords: number | null;
  readonly RemovedBytes: number | null;
  readonly DurationMs: number | null;
}

/** What reading again has found. */
export interface ScrubStatus {
  /** Every record has been read again since then, or written; null for an empty store. */
  readonly VerifiedSince: string | null;
  /** At most 1,000 are counted. */
  readonly DamagedRecordCount: number;
}

/** A part that the service rests on. */
export interface EngineStatus {
  /** As `catalog`, `segments`, `disk`, `audit`, `webhook`. */
  readonly Name: string;
  /** `Degraded`: it goes on, but not with everything. */
  readonly State: "Ok" | "Degraded" | "Failed";
  /** What is wrong, for people; null where nothing is. */
  readonly Message: string | null;
}

/** How the store was at one time. */
export interface StoreSample {
  readonly Time: string;
  readonly ProtectedBytes: number;
  readonly StoredBytes: number;
  readonly FreeBytes: number | null;
  readonly SnapshotCount: number;
}

/**
 * Output of ListStoreSamples, oldest first: one for each hour of the last two weeks, and one for
 * each day before that, up to five years.
 */
export interface ListStoreSamplesResponse {
  readonly Samples: readonly StoreSample[];
}

/** Writes a GetStoreStatus request. */
export function writeGetStoreStatusRequest(): WireRequest {
  return request(formatAdminRoute("GetStoreStatus"));
}

/** Writes a GetStoreStatus response. */
export function writeGetStoreStatusResponse(status: StoreStatus): WireResponse {
  return jsonResponse(200, JSON.stringify(status));
}

/** Reads a GetStoreStatus response. */
export function readGetStoreStatusResponse(response: ReceivedResponse): StoreStatus {
  return readJson(response) as unknown as StoreStatus;
}

/** Writes a ListStoreSamples request. */
export function writeListStoreSamplesRequest(): WireRequest {
  return request(formatAdminRoute("ListStoreSamples"));
}

/** Writes a ListStoreSamples response. */
export function writeListStoreSamplesResponse(response: ListStoreSamplesResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a ListStoreSamples response. */
export function readListStoreSamplesResponse(response: ReceivedResponse): ListStoreSamplesResponse {
  return readJson(response) as unknown as ListStoreSamplesResponse;
}
