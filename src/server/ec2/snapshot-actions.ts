import type { DeletionOutcome } from "../../catalog/catalog.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import { copySnapshot } from "../../snapshots/copy-snapshot.ts";
import { type Core, findVisible } from "../../snapshots/core.ts";
import { deleteSnapshot } from "../../snapshots/delete-snapshot.ts";
import { describeSnapshots, findSnapshots } from "../../snapshots/describe-snapshots.ts";
import { keyArnsOf } from "../../snapshots/key-arns.ts";
import { isRestorableBy } from "../../snapshots/share-snapshot.ts";
import { snapshotMatcher, unknownFilters } from "../../snapshots/snapshot-filters.ts";
import {
  readCopySnapshotRequest,
  writeCopySnapshotResponse,
} from "../../wire/ec2/copy-snapshot.ts";
import { readDeleteSnapshotRequest, writeDoneResponse } from "../../wire/ec2/delete-snapshot.ts";
import {
  readDescribeSnapshotsRequest,
  writeDescribeSnapshotsResponse,
} from "../../wire/ec2/describe-snapshots.ts";
import { invalidValue } from "../../wire/ec2/members.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import type { WireResponse } from "../../wire/message.ts";
import { findKeyDenial, KEY_USES, unauthorized } from "../access/authorize.ts";
import {
  checkOwners,
  filterFault,
  type QueryActions,
  type QueryCall,
  snapshotFault,
} from "./query-call.ts";
import { rethrowForEc2 } from "./query-errors.ts";
import { openPage, pageAfter } from "./query-paging.ts";
import { checkTagsForEc2 } from "./tag-actions.ts";

/** The actions on snapshots as a whole. */
export const SNAPSHOT_ACTIONS: QueryActions = {
  DescribeSnapshots: describe,
  CopySnapshot: copy,
  async DeleteSnapshot(core, { principal, parameters, requestId }) {
    const snapshotId = readDeleteSnapshotRequest(parameters);
    checkDeleted(snapshotId, await deleteSnapshot(core, principal.account, snapshotId));
    return writeDoneResponse("DeleteSnapshot", requestId);
  },
};

/** Throws unless the deletion went well. */
function checkDeleted(snapshotId: string, outcome: DeletionOutcome): void {
  if (outcome === "deleted") return;
  if (outcome === "unknown") throw snapshotFault(snapshotId);
  const message =
    outcome === "locked"
      ? `The snapshot ${snapshotId} is locked and cannot be deleted until its lock expires`
      : `The snapshot ${snapshotId} is currently in use by an image`;
  throw queryFault(400, "InvalidSnapshot.InUse", message);
}

type DescribeInput = ReturnType<typeof readDescribeSnapshotsRequest>;

async function describe(core: Core, call: QueryCall): Promise<WireResponse> {
  const { principal, parameters, requestId } = call;
  const input = readDescribeSnapshotsRequest(parameters);
  const { account } = principal;
  const matches = matcherFor(core, account, input);
  if (input.SnapshotIds.length > 0) {
    checkNotPaged(input);
    const find = (id: string) => findVisible(core, account, id);
    const found = await findSnapshots(input.SnapshotIds, find);
    if (found.unknownIds[0] !== undefined) throw snapshotFault(found.unknownIds[0]);
    const snapshots: Snapshot[] = [];
    for (const snapshot of found.snapshots) {
      if (await matches(snapshot)) snapshots.push(snapshot);
    }
    return answerWith(core, requestId, { snapshots, nextToken: undefined });
  }
  const withShared = !input.OwnerIds.every((id) => id === "self") || input.OwnerIds.length === 0;
  const page = { matches, withShared, ...openPage(core, call, input) };
  const { snapshots, hasMore } = await describeSnapshots(core, account, page);
  const nextToken = pageAfter(core, call, hasMore ? snapshots.at(-1)?.id : undefined);
  return answerWith(core, requestId, { snapshots, nextToken });
}

async function answerWith(
  core: Core,
  requestId: string,
  page: { readonly snapshots: readonly Snapshot[]; readonly nextToken: string | undefined },
): Promise<WireResponse> {
  const keyArns = await keyArnsOf(
    core,
    page.snapshots.map(({ domain }) => domain),
  );
  const { snapshots, nextToken } = page;
  return writeDescribeSnapshotsResponse(requestId, snapshots, { nextToken, keyArns });
}

/** Snapshots named one by one come all at once. */
function checkNotPaged({ MaxResults, NextToken }: DescribeInput): void {
  const name = MaxResults === undefined ? "nextToken" : "maxResults";
  if (MaxResults === undefined && NextToken === undefined) return;
  const message = `The parameter snapshotSet cannot be used with the parameter ${name}`;
  throw queryFault(400, "InvalidParameterCombination", message);
}

function matcherFor(
  core: Core,
  account: QueryCall["principal"]["account"],
  { Filters, OwnerIds, RestorableByUserIds }: DescribeInput,
): (snapshot: Snapshot) => Promise<boolean> {
  checkOwners(OwnerIds, ["amazon"]);
  const [unknown] = unknownFilters(Filters);
  if (unknown !== undefined) throw filterFault(unknown);
  const matches = snapshotMatcher(Filters);
  const owners: readonly string[] = OwnerIds.map((id) => (id === "self" ? account : id));
  const users = { account, names: RestorableByUserIds };
  return async (snapshot) => {
    if (owners.length > 0 && !owners.includes(snapshot.account)) return false;
    if (!(await matches(snapshot))) return false;
    return users.names.length === 0 || isRestorableBy(core, snapshot, users);
  };
}

/** Or a copy under another key could be read by whoever may not read its source. */
async function authorizeKey(
  core: Core,
  call: QueryCall,
  keyUse: Parameters<typeof findKeyDenial>[2],
): Promise<void> {
  const denial = await findKeyDenial(core, call, keyUse);
  if (denial !== undefined) throw unauthorized(denial);
}

async function copy(core: Core, call: QueryCall): Promise<WireResponse> {
  const { principal, parameters, requestId } = call;
  const input = readCopySnapshotRequest(parameters);
  if (input.SourceRegion !== core.region) {
    throw invalidValue("SourceRegion", input.SourceRegion, `Expecting ${core.region}.`);
  }
  checkTagsForEc2(input.Tags);
  if (input.KmsKeyId !== undefined && input.Encrypted === false) {
    const message = "KmsKeyId can only be given where Encrypted is true";
    throw queryFault(400, "InvalidParameterDependency", message);
  }
  const copied = await copySnapshot(core, principal.account, {
    sourceSnapshotId: input.SourceSnapshotId,
    description: input.Description,
    tags: input.Tags,
    encrypted: input.Encrypted,
    kmsKeyId: input.KmsKeyId,
    checkKeyUse: {
      source: (domain) => authorizeKey(core, call, { domain, uses: KEY_USES.read }),
      target: (domain) => authorizeKey(core, call, { domain, uses: KEY_USES.start }),
    },
  }).catch(rethrowForEc2);
  if (copied === undefined) throw snapshotFault(input.SourceSnapshotId);
  if (typeof copied === "string") {
    const message = `Snapshot is in invalid state - ${copied}`;
    throw queryFault(400, "IncorrectState", message);
  }
  return writeCopySnapshotResponse(requestId, { SnapshotId: copied.id, Tags: copied.tags });
}
