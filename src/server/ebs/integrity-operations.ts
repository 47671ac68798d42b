import { formatTimeMs } from "../../base/clock.ts";
import type { Core } from "../../snapshots/core.ts";
import { listReadableBlocks } from "../../snapshots/list-readable-blocks.ts";
import { type VerificationStep, verifySnapshot } from "../../snapshots/verify-snapshot.ts";
import {
  readListReadableBlocksRequest,
  writeListReadableBlocksResponse,
} from "../../wire/list-readable-blocks.ts";
import { writeListVerificationsResponse } from "../../wire/list-verifications.ts";
import type { WireRequest, WireResponse } from "../../wire/message.ts";
import { readSnapshotPageRequest } from "../../wire/snapshot-page.ts";
import {
  readVerifySnapshotRequest,
  type VerifySnapshotResponse,
  writeVerifySnapshotResponse,
} from "../../wire/verify-snapshot.ts";
import { authorize, authorizeKey, type Caller, KEY_USES } from "../access/authorize.ts";

/** An authenticated call of one of these operations. */
interface IntegrityCall extends Caller {
  readonly request: WireRequest;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Snapshots told of on one page. */
const VERIFICATIONS_COUNT_MAX = 1_000;

/** The operations of ours on whether snapshots are whole, and what is left of one that is not. */
export const INTEGRITY_OPERATIONS = {
  async ListReadableBlocks(core: Core, call: IntegrityCall): Promise<WireResponse> {
    const input = readListReadableBlocksRequest(call.request, call.parameters);
    const { SnapshotId: snapshotId } = input;
    // Allowed to whom the listing is allowed that it stands in for.
    await authorize(core, call, { action: "ebs:ListSnapshotBlocks", resourceId: snapshotId });
    await authorizeKey(core, call, { snapshotIds: [snapshotId], uses: KEY_USES.list });
    const page = await listReadableBlocks(core, call.principal.account, {
      snapshotId,
      nextToken: input.NextToken,
      maxResults: input.MaxResults,
      startingBlockIndex: input.StartingBlockIndex,
    });
    return writeListReadableBlocksResponse({
      Blocks: page.blocks.map(({ blockIndex, blockToken }) => ({
        BlockIndex: blockIndex,
        BlockToken: blockToken,
      })),
      LostExtents: page.lostExtents.map(({ start, count }) => ({ Start: start, Count: count })),
      NextToken: page.nextToken,
      VolumeSize: page.volumeSizeGib,
    });
  },

  async VerifySnapshot(core: Core, call: IntegrityCall): Promise<WireResponse> {
    const { SnapshotId, StartingBlockIndex } = readVerifySnapshotRequest(
      call.request,
      call.parameters,
    );
    // Whoever may read every block may have them read.
    await authorize(core, call, { action: "ebs:GetSnapshotBlock", resourceId: SnapshotId });
    await authorizeKey(core, call, { snapshotIds: [SnapshotId], uses: KEY_USES.read });
    const step = await verifySnapshot(core, call.principal.account, {
      snapshotId: SnapshotId,
      fromIndex: StartingBlockIndex,
    });
    return writeVerifySnapshotResponse(describe(SnapshotId, step));
  },

  async ListVerifications(core: Core, call: IntegrityCall): Promise<WireResponse> {
    const { NextToken = "" } = readSnapshotPageRequest(call.request);
    await authorize(core, call, { action: "ec2:DescribeSnapshots", resourceId: undefined });
    const { account } = call.principal;
    const limit = VERIFICATIONS_COUNT_MAX;
    const found = await core.catalog.verifications.page(account, NextToken, limit);
    return writeListVerificationsResponse({
      Verifications: found.map(({ id, endedAtMs, isWhole }) => ({
        SnapshotId: id,
        VerificationTime: formatTimeMs(endedAtMs),
        Outcome: isWhole ? "whole" : "damaged",
      })),
      NextToken: found.length === limit ? (found.at(-1)?.id ?? null) : null,
    });
  },
} as const;

function describe(SnapshotId: string, step: VerificationStep): VerifySnapshotResponse {
  const ended = step.isWhole ? "whole" : "damaged";
  return {
    SnapshotId,
    BlockCount: step.blockCount,
    BlocksVerified: step.blocksVerified,
    BytesVerified: step.bytesVerified,
    BadBlockCount: step.badBlockCount,
    BadExtents: step.badExtents.map(({ start, count }) => ({ Start: start, Count: count })),
    Manifest: step.manifest,
    NextBlockIndex: step.continuesAt ?? null,
    Outcome: step.continuesAt === undefined ? ended : "verifying",
  };
}
