import type { Principal } from "../identity/principal.ts";
import { ServiceError } from "../model/errors.ts";
import type { Snapshot, Tag } from "../model/snapshot.ts";
import type { Core } from "../snapshots/core.ts";
import { deleteSnapshot } from "../snapshots/delete-snapshot.ts";
import { describeSnapshots, findSnapshots } from "../snapshots/describe-snapshots.ts";
import { snapshotMatcher, unknownFilters } from "../snapshots/snapshot-filters.ts";
import { checkTags, mergeTags, withoutTags } from "../snapshots/tags.ts";
import { readDeleteSnapshotRequest, writeDoneResponse } from "../wire/ec2/delete-snapshot.ts";
import {
  readDescribeSnapshotsRequest,
  writeDescribeSnapshotsResponse,
} from "../wire/ec2/describe-snapshots.ts";
import { writeGetCallerIdentityResponse } from "../wire/ec2/get-caller-identity.ts";
import { type QueryParameters, type QueryService, queryFault } from "../wire/ec2/query.ts";
import { readTagsRequest, type TagsRequest, writeDescribeTagsResponse } from "../wire/ec2/tags.ts";
import type { WireResponse } from "../wire/message.ts";

/** An authenticated call of one EC2 or STS action. */
export interface QueryCall {
  readonly principal: Principal;
  readonly parameters: QueryParameters;
  readonly requestId: string;
}

type QueryAction = (core: Core, call: QueryCall) => Promise<WireResponse>;

/** The actions of each service that tools need next to the EBS direct APIs. */
const ACTIONS: Readonly<Record<QueryService, Readonly<Record<string, QueryAction>>>> = {
  ec2: {
    DescribeSnapshots: describe,
    DescribeTags: describeTags,
    async DeleteSnapshot(core, { principal, parameters, requestId }) {
      const snapshotId = readDeleteSnapshotRequest(parameters);
      if (!(await deleteSnapshot(core, principal.account, snapshotId))) throw notFound(snapshotId);
      return writeDoneResponse("DeleteSnapshot", requestId);
    },
    CreateTags: (core, call) =>
      changeTags(core, call, (tags, { Tags }) =>
        mergeTags(
          tags,
          Tags.map(({ Key, Value = "" }) => ({ Key, Value })),
        ),
      ),
    // Without tags named, all tags of the resource go, as in EC2.
    DeleteTags: (core, call) =>
      changeTags(core, call, (tags, { Tags }) =>
        Tags.length === 0 ? [] : withoutTags(tags, Tags),
      ),
  },
  sts: {
    async GetCallerIdentity(_core, { principal, requestId }) {
      return writeGetCallerIdentityResponse(requestId, principal);
    },
  },
};

/** Carries out one action; an action that is not there is a clear UnsupportedOperation. */
export function callQueryAction(
  core: Core,
  service: QueryService,
  call: QueryCall,
): Promise<WireResponse> {
  const { action } = call.parameters;
  const actions = ACTIONS[service];
  const handler = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (handler) return handler(core, call);
  const known = Object.keys(actions).join(", ");
  throw queryFault(
    400,
    "UnsupportedOperation",
    `Varve does not support the ${service.toUpperCase()} action '${action.slice(0, 64)}'. ` +
      `It supports: ${known}.`,
  );
}

async function describe(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
): Promise<WireResponse> {
  const input = readDescribeSnapshotsRequest(parameters);
  const { account } = principal;
  const matches = matcherFor(account, input);
  if (input.SnapshotIds.length > 0) {
    const found = await findSnapshots(core, account, input.SnapshotIds);
    if (found.unknownIds[0] !== undefined) throw notFound(found.unknownIds[0]);
    const snapshots = found.snapshots.filter(matches);
    return writeDescribeSnapshotsResponse(requestId, snapshots, undefined);
  }
  const page = { matches, afterId: input.NextToken ?? "", limit: input.MaxResults ?? Infinity };
  const { snapshots, hasMore } = await describeSnapshots(core, account, page);
  const nextToken = hasMore ? snapshots.at(-1)?.id : undefined;
  return writeDescribeSnapshotsResponse(requestId, snapshots, nextToken);
}

function matcherFor(
  account: string,
  { Filters, OwnerIds }: ReturnType<typeof readDescribeSnapshotsRequest>,
): (snapshot: Snapshot) => boolean {
  const [unknown] = unknownFilters(Filters);
  if (unknown !== undefined) {
    const message = `The filter '${unknown.slice(0, 64)}' is invalid`;
    throw queryFault(400, "InvalidParameterValue", message);
  }
  const matches = snapshotMatcher(Filters);
  const isOwned = OwnerIds.length === 0 || OwnerIds.some((id) => id === "self" || id === account);
  return (snapshot) => isOwned && matches(snapshot);
}

async function describeTags(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
): Promise<WireResponse> {
  const { Filters } = readDescribeSnapshotsRequest(parameters);
  const wanted = (name: string) => Filters.find(({ Name }) => Name === name)?.Values;
  const [ids, keys, values] = ["resource-id", "key", "value"].map(wanted);
  const unknown = Filters.find(
    ({ Name }) => !["resource-id", "resource-type", "key", "value"].includes(Name),
  );
  if (unknown) {
    const message = `The filter '${unknown.Name.slice(0, 64)}' is invalid`;
    throw queryFault(400, "InvalidParameterValue", message);
  }
  const isSnapshot = wanted("resource-type")?.includes("snapshot") ?? true;
  const all = { matches: () => isSnapshot, afterId: "", limit: Infinity };
  const { snapshots } = await describeSnapshots(core, principal.account, all);
  const tags = snapshots
    .filter(({ id }) => ids?.includes(id) ?? true)
    .flatMap(({ id, tags }) => tags.map((tag) => ({ ResourceId: id, ...tag })))
    .filter(({ Key, Value }) => (keys?.includes(Key) ?? true) && (values?.includes(Value) ?? true));
  return writeDescribeTagsResponse(requestId, tags, undefined);
}

/** Computes every resource's new tags and checks them all before the first is changed. */
async function changeTags(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
  change: (tags: readonly Tag[], request: TagsRequest) => Tag[],
): Promise<WireResponse> {
  const request = readTagsRequest(parameters);
  const found = await findSnapshots(core, principal.account, request.Resources);
  if (found.unknownIds[0] !== undefined) throw notFound(found.unknownIds[0]);
  const changed = found.snapshots.map(({ id, tags }) => ({ id, tags: change(tags, request) }));
  for (const { tags } of changed) checkTagsForEc2(tags);
  for (const { id, tags } of changed) await core.catalog.snapshots.setTags(id, tags);
  return writeDoneResponse(parameters.action, requestId);
}

function checkTagsForEc2(tags: readonly Tag[]): void {
  try {
    checkTags(tags);
  } catch (error) {
    if (error instanceof ServiceError)
      throw queryFault(400, "InvalidParameterValue", error.message);
    throw error;
  }
}

function notFound(snapshotId: string) {
  const id = snapshotId.slice(0, 64);
  if (!/^snap-[0-9a-f]+$/.test(snapshotId)) {
    return queryFault(400, "InvalidSnapshotID.Malformed", `Invalid id: "${id}"`);
  }
  const message = `The snapshot '${id}' does not exist.`;
  return queryFault(400, "InvalidSnapshot.NotFound", message);
}
