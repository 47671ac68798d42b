import { listRecycleBin, restoreSnapshot } from "../../snapshots/recycle-bin.ts";
import { cutList } from "../../snapshots/tokens/list-tokens.ts";
import {
  readListSnapshotsInRecycleBinRequest,
  readRestoreSnapshotRequest,
  writeListSnapshotsInRecycleBinResponse,
  writeRestoreSnapshotResponse,
} from "../../wire/ec2/recycle-bin.ts";
import { type QueryActions, snapshotFault } from "./query-call.ts";
import { openPage, pageAfter } from "./query-paging.ts";

/** The actions on deleted snapshots that are kept for a while. */
export const RECYCLE_BIN_ACTIONS: QueryActions = {
  async ListSnapshotsInRecycleBin(core, call) {
    const input = readListSnapshotsInRecycleBinRequest(call.parameters);
    const all = await listRecycleBin(core, call.principal.account, input.SnapshotIds);
    const page = { idOf: ({ snapshot }: (typeof all)[number]) => snapshot.id };
    const { entries, hasMore } = cutList(all, { ...page, ...openPage(core, call, input) });
    const nextToken = pageAfter(core, call, hasMore ? entries.at(-1)?.snapshot.id : undefined);
    return writeListSnapshotsInRecycleBinResponse(call.requestId, entries, nextToken);
  },

  async RestoreSnapshotFromRecycleBin(core, { principal, parameters, requestId }) {
    const snapshotId = readRestoreSnapshotRequest(parameters);
    const restored = await restoreSnapshot(core, principal.account, snapshotId);
    if (!restored) throw snapshotFault(snapshotId);
    return writeRestoreSnapshotResponse(requestId, restored);
  },
};
