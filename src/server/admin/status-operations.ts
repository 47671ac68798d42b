import {
  readListAuditEntriesRequest,
  writeListAuditEntriesResponse,
} from "../../wire/admin/audit.ts";
import {
  writeGetStoreStatusResponse,
  writeListStoreSamplesResponse,
} from "../../wire/admin/status.ts";
import { type AdminOperation, checkManagesStore } from "./admin-call.ts";

/** How the store is and what it does. */
export const getStoreStatus: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "GetStoreStatus");
  return writeGetStoreStatusResponse(await call.signals.board.status());
};

/** How the store was. */
export const listStoreSamples: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "ListStoreSamples");
  return writeListStoreSamplesResponse({ Samples: await call.signals.board.samples() });
};

/** Who did what, latest first. */
export const listAuditEntries: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "ListAuditEntries");
  const { NextToken, MaxResults } = readListAuditEntriesRequest(call.request);
  const { audit } = call.signals;
  if (!audit) return writeListAuditEntriesResponse({ IsKept: false, Entries: [], NextToken: null });
  return writeListAuditEntriesResponse(await audit.page(NextToken, MaxResults));
};
