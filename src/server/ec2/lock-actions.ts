import { escapableWildcardPattern } from "../../base/wildcard.ts";
import type { Core } from "../../snapshots/core.ts";
import {
  type LockedSnapshot,
  type LockRefusal,
  type LockSnapshotInput,
  lockedSnapshots,
  lockSnapshot,
  unlockSnapshot,
} from "../../snapshots/lock-snapshot.ts";
import { cutList } from "../../snapshots/tokens/list-tokens.ts";
import {
  type LockDescription,
  type LockSnapshotRequest,
  readDescribeLockedSnapshotsRequest,
  readLockSnapshotRequest,
  readUnlockSnapshotRequest,
  writeDescribeLockedSnapshotsResponse,
  writeLockSnapshotResponse,
  writeUnlockSnapshotResponse,
} from "../../wire/ec2/lock-snapshot.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import { filterFault, type QueryActions, type QueryCall, snapshotFault } from "./query-call.ts";
import { openPage, pageAfter } from "./query-paging.ts";

/** The actions that keep snapshots from being deleted. */
export const LOCK_ACTIONS: QueryActions = {
  DescribeLockedSnapshots: describe,

  async LockSnapshot(core, { principal, parameters, requestId }) {
    const input = readLockSnapshotRequest(parameters);
    const locked = await lockSnapshot(core, principal.account, lockInput(input));
    if (typeof locked === "string") throw refusalFault(locked, input.SnapshotId);
    return writeLockSnapshotResponse(requestId, descriptionOf(locked));
  },

  async UnlockSnapshot(core, { principal, parameters, requestId }) {
    const snapshotId = readUnlockSnapshotRequest(parameters);
    const refusal = await unlockSnapshot(core, principal.account, snapshotId);
    if (refusal !== undefined) throw refusalFault(refusal, snapshotId);
    return writeUnlockSnapshotResponse(requestId, snapshotId);
  },
};

function lockInput(input: LockSnapshotRequest): LockSnapshotInput {
  const { SnapshotId, LockMode, CoolOffPeriod, LockDuration, expiresAtMs = 0 } = input;
  const until = LockDuration === undefined ? { expiresAtMs } : { days: LockDuration };
  return { snapshotId: SnapshotId, mode: LockMode, coolOffHours: CoolOffPeriod, until };
}

function refusalFault(refusal: LockRefusal, snapshotId: string): ServiceFault {
  switch (refusal) {
    case "unknown":
      return snapshotFault(snapshotId);
    case "not-locked":
      return queryFault(400, "IncorrectState", `The snapshot ${snapshotId} is not locked`);
    case "bad-expiry": {
      const message = "The expiration date must be in the future and at most 100 years ahead";
      return queryFault(400, "InvalidParameterValue", message);
    }
    case "fixed": {
      const message =
        `The snapshot ${snapshotId} is locked in compliance mode and its cooling-off period has ` +
        "expired: its lock can only be extended";
      return queryFault(400, "OperationNotPermitted", message);
    }
  }
}

function descriptionOf({ snapshot, lock, state }: LockedSnapshot): LockDescription {
  return { SnapshotId: snapshot.id, OwnerId: snapshot.account, LockState: state, lock };
}

async function describe(core: Core, call: QueryCall): Promise<WireResponse> {
  const input = readDescribeLockedSnapshotsRequest(call.parameters);
  const unknown = input.Filters.find(({ Name }) => Name !== "lock-state");
  if (unknown) throw filterFault(unknown.Name);
  const patterns = input.Filters.map(({ Values }) => Values.map(escapableWildcardPattern));
  const all = await lockedSnapshots(core, call.principal.account);
  const wanted = all.filter(({ snapshot, state }) => {
    const isNamed = input.SnapshotIds.length === 0 || input.SnapshotIds.includes(snapshot.id);
    return isNamed && patterns.every((values) => values.some((pattern) => pattern.test(state)));
  });
  const idOf = ({ snapshot }: LockedSnapshot) => snapshot.id;
  const { entries, hasMore } = cutList(wanted, { idOf, ...openPage(core, call, input) });
  const nextToken = pageAfter(core, call, hasMore ? entries.at(-1)?.snapshot.id : undefined);
  return writeDescribeLockedSnapshotsResponse(
    call.requestId,
    entries.map(descriptionOf),
    nextToken,
  );
}
