import { readable } from "../../snapshots/core.ts";
import { readLocateBlockRequest, writeLocateBlockResponse } from "../../wire/admin/locate-block.ts";
import { type AdminOperation, checkManagesStore } from "./admin-call.ts";

/**
 * Where a block of a snapshot that the caller may read lies in the store. Told to those who manage
 * it only: the numbers of segments say how much everybody writes.
 */
export const locateBlock: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "LocateBlock");
  const { SnapshotId, BlockIndex } = readLocateBlockRequest(call.parameters);
  const { domain, root } = await readable(core, call.principal.account, SnapshotId);
  const digest = await core.maps(domain).lookup(root, BlockIndex);
  const found = digest && (await core.blocks.records.locate(domain, digest));
  return writeLocateBlockResponse({
    SnapshotId,
    BlockIndex,
    Digest: digest ?? null,
    RecordName: found?.name ?? null,
    Segment: found?.location.segment ?? null,
    Offset: found?.location.offset ?? null,
    Length: found?.location.length ?? null,
  });
};
