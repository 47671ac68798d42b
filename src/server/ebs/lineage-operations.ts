import type { Core } from "../../snapshots/core.ts";
import { countExclusiveBlocks } from "../../snapshots/count-exclusive-blocks.ts";
import { listLineages } from "../../snapshots/list-lineages.ts";
import { snapshotProgress } from "../../snapshots/snapshot-progress.ts";
import { writeCountExclusiveBlocksResponse } from "../../wire/count-exclusive-blocks.ts";
import { writeGetSnapshotProgressResponse } from "../../wire/get-snapshot-progress.ts";
import { writeListLineagesResponse } from "../../wire/list-lineages.ts";
import type { WireRequest, WireResponse } from "../../wire/message.ts";
import { readSnapshotPageRequest } from "../../wire/snapshot-page.ts";
import { readSnapshotStepRequest } from "../../wire/snapshot-step.ts";
import { authorize, authorizeKey, type Caller, KEY_USES } from "../access/authorize.ts";

/** An authenticated call of one of these operations. */
interface LineageCall extends Caller {
  readonly request: WireRequest;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * The operations of ours on where snapshots come from, how much of them is their own, and how far
 * they are.
 */
export const LINEAGE_OPERATIONS = {
  async ListLineages(core: Core, call: LineageCall): Promise<WireResponse> {
    const { NextToken = "" } = readSnapshotPageRequest(call.request);
    await authorize(core, call, { action: "ec2:DescribeSnapshots", resourceId: undefined });
    const page = await listLineages(core, call.principal.account, NextToken);
    return writeListLineagesResponse({
      Snapshots: page.snapshots.map((snapshot) => ({
        SnapshotId: snapshot.id,
        ParentSnapshotId: snapshot.parent ?? null,
        LineageId: snapshot.lineage,
        BlockCount: snapshot.blockCount,
        WrittenBlockCount: snapshot.writtenBlockCount,
      })),
      NextToken: page.nextToken ?? null,
    });
  },

  async CountExclusiveBlocks(core: Core, call: LineageCall): Promise<WireResponse> {
    const { request, parameters, principal } = call;
    const input = readSnapshotStepRequest(request, parameters);
    const { SnapshotId: snapshotId, StartingBlockIndex: fromIndex = 0 } = input;
    // Whoever may list all blocks may have them counted.
    await authorize(core, call, { action: "ebs:ListSnapshotBlocks", resourceId: snapshotId });
    await authorizeKey(core, call, { snapshotIds: [snapshotId], uses: KEY_USES.list });
    const counted = await countExclusiveBlocks(core, principal.account, { snapshotId, fromIndex });
    return writeCountExclusiveBlocksResponse({
      SnapshotId: snapshotId,
      ExclusiveBlockCount: counted.count,
      NextBlockIndex: counted.nextIndex ?? null,
    });
  },

  async GetSnapshotProgress(core: Core, call: LineageCall): Promise<WireResponse> {
    const input = readSnapshotStepRequest(call.request, call.parameters);
    const { SnapshotId: snapshotId, StartingBlockIndex: fromIndex = 0 } = input;
    await authorize(core, call, { action: "ec2:DescribeSnapshots", resourceId: undefined });
    const { account } = call.principal;
    const progress = await snapshotProgress(core, account, { snapshotId, fromIndex });
    return writeGetSnapshotProgressResponse({
      SnapshotId: snapshotId,
      Stage: progress.stage,
      BlocksDone: progress.blocksDone,
      BlocksTotal: progress.blocksTotal ?? null,
      NextBlockIndex: progress.nextIndex ?? null,
    });
  },
} as const;
