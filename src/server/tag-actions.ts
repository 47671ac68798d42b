import { ServiceError } from "../model/errors.ts";
import type { Tag } from "../model/snapshot.ts";
import { type Core, findOwned } from "../snapshots/core.ts";
import { describeSnapshots, findSnapshots } from "../snapshots/describe-snapshots.ts";
import { checkTags, mergeTags, withoutTags } from "../snapshots/tags.ts";
import { writeDoneResponse } from "../wire/ec2/delete-snapshot.ts";
import { readDescribeSnapshotsRequest } from "../wire/ec2/describe-snapshots.ts";
import { queryFault } from "../wire/ec2/query.ts";
import { readTagsRequest, type TagsRequest, writeDescribeTagsResponse } from "../wire/ec2/tags.ts";
import type { WireResponse } from "../wire/message.ts";
import { filterFault, type QueryActions, type QueryCall, snapshotFault } from "./query-call.ts";

/** The actions that attach words to snapshots. */
export const TAG_ACTIONS: QueryActions = {
  DescribeTags: describeTags,
  CreateTags: (core, call) =>
    changeTags(core, call, (tags, { Tags }) =>
      mergeTags(
        tags,
        Tags.map(({ Key, Value = "" }) => ({ Key, Value })),
      ),
    ),
  // Without tags named, all tags of the resource go, as in EC2.
  DeleteTags: (core, call) =>
    changeTags(core, call, (tags, { Tags }) => (Tags.length === 0 ? [] : withoutTags(tags, Tags))),
};

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
  if (unknown) throw filterFault(unknown.Name);
  const isSnapshot = wanted("resource-type")?.includes("snapshot") ?? true;
  const all = { matches: () => isSnapshot, withShared: false, afterId: "", limit: Infinity };
  const { snapshots } = await describeSnapshots(core, principal.account, all);
  const tags = snapshots
    .filter(({ id }) => ids?.includes(id) ?? true)
    .flatMap(({ id, tags }) => tags.map((tag) => ({ ResourceId: id, ...tag })))
    .filter(({ Key, Value }) => (keys?.includes(Key) ?? true) && (values?.includes(Value) ?? true));
  return writeDescribeTagsResponse(requestId, tags);
}

/** Computes every resource's new tags and checks them all before the first is changed. */
async function changeTags(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
  change: (tags: readonly Tag[], request: TagsRequest) => Tag[],
): Promise<WireResponse> {
  const request = readTagsRequest(parameters);
  const find = (id: string) => findOwned(core, principal.account, id);
  const found = await findSnapshots(request.Resources, find);
  if (found.unknownIds[0] !== undefined) throw snapshotFault(found.unknownIds[0]);
  const changed = found.snapshots.map(({ id, tags }) => ({ id, tags: change(tags, request) }));
  for (const { tags } of changed) checkTagsForEc2(tags);
  for (const { id, tags } of changed) await core.catalog.snapshots.setTags(id, tags);
  return writeDoneResponse(parameters.action, requestId);
}

/** Throws EC2's word for tags that no resource may carry together. */
export function checkTagsForEc2(tags: readonly Tag[]): void {
  try {
    checkTags(tags);
  } catch (error) {
    if (error instanceof ServiceError)
      throw queryFault(400, "InvalidParameterValue", error.message);
    throw error;
  }
}
