import type { CollectionStatus } from "../../snapshots/chores/collections.ts";
import {
  type CollectionDescription,
  readStartCollectionRequest,
  writeCollectionResponse,
} from "../../wire/admin/collections.ts";
import { ServiceFault } from "../../wire/errors.ts";
import { type AdminOperation, checkManagesStore } from "./admin-call.ts";

/** Begins a collection of garbage; the answer names it, and GetCollection tells how it goes. */
export const startCollection: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "StartCollection");
  const status = await core.collections.start(readStartCollectionRequest(call.request));
  return writeCollectionResponse(202, describe(status));
};

/** How a collection stands. */
export const getCollection: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "GetCollection");
  const id = call.parameters["collectionId"] ?? "";
  const status = await core.collections.get(id);
  if (status) return writeCollectionResponse(200, describe(status));
  throw noSuchCollection(id);
};

/** Ends a collection at its next page; it says so of itself once it has. */
export const stopCollection: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "StopCollection");
  const id = call.parameters["collectionId"] ?? "";
  const status = await core.collections.stop(id);
  if (status) return writeCollectionResponse(200, describe(status));
  throw noSuchCollection(id);
};

function noSuchCollection(id: string): ServiceFault {
  const message = `There is no collection ${id.slice(0, 64)}`;
  return new ServiceFault({ status: 404, code: "NoSuchEntityException", message });
}

const STATES = { running: "Running", done: "Done", failed: "Failed" } as const;

function describe({ id, state, message, result, durationMs }: CollectionStatus) {
  const description: CollectionDescription = {
    CollectionId: id,
    State: STATES[state],
    Message: message,
    DurationMs: durationMs,
    Result: result && {
      Candidates: result.candidateCount,
      Reachable: result.reachableCount,
      Doomed: result.doomedCount,
      Removed: result.removedCount,
      RemovedBytes: result.removedBytes,
      Segments: result.segmentCount,
      SegmentBytes: result.segmentBytes,
      MovedBytes: result.movedBytes,
    },
  };
  return description;
}
