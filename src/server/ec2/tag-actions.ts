import { nextTurn } from "../../base/next-turn.ts";
import { ServiceError } from "../../model/errors.ts";
import type { Image } from "../../model/image.ts";
import type { Snapshot, Tag } from "../../model/snapshot.ts";
import type { Core } from "../../snapshots/core.ts";
import {
  describeTags,
  placeOf,
  tagMatcher,
  unknownTagFilters,
} from "../../snapshots/describe-tags.ts";
import { changeTags, findOwnedResource, resourceTypeOf } from "../../snapshots/tagging.ts";
import { checkTags, mergeTags, withoutTags } from "../../snapshots/tags.ts";
import { writeDoneResponse } from "../../wire/ec2/delete-snapshot.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import {
  readDescribeTagsRequest,
  readTagsRequest,
  type TagsRequest,
  writeDescribeTagsResponse,
} from "../../wire/ec2/tags.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import {
  filterFault,
  imageFault,
  type QueryActions,
  type QueryCall,
  snapshotFault,
} from "./query-call.ts";
import { openPage, pageAfter } from "./query-paging.ts";

/** The actions that attach words to snapshots and images. */
export const TAG_ACTIONS: QueryActions = {
  DescribeTags: describe,
  CreateTags: (core, call) =>
    changeAll(core, call, (tags, { Tags }) =>
      mergeTags(
        tags,
        Tags.map(({ Key, Value = "" }) => ({ Key, Value })),
      ),
    ),
  // Without tags named, all tags of the resource go, as in EC2.
  DeleteTags: (core, call) =>
    changeAll(core, call, (tags, { Tags }) => (Tags.length === 0 ? [] : withoutTags(tags, Tags))),
};

async function describe(core: Core, call: QueryCall): Promise<WireResponse> {
  const input = readDescribeTagsRequest(call.parameters);
  const [unknown] = unknownTagFilters(input.Filters);
  if (unknown !== undefined) throw filterFault(unknown);
  const page = { matches: tagMatcher(input.Filters), ...openPage(core, call, input) };
  const { tags, hasMore } = await describeTags(core, call.principal.account, page);
  const last = tags.at(-1);
  const nextToken = pageAfter(core, call, hasMore && last ? placeOf(last) : undefined);
  return writeDescribeTagsResponse(call.requestId, tags, nextToken);
}

/** Resources that are looked at or changed before others get their turn (ours). */
const RESOURCES_BETWEEN_TURNS = 8;

/** Computes every resource's new tags and checks them all before the first is changed. */
async function changeAll(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
  change: (tags: readonly Tag[], request: TagsRequest) => Tag[],
): Promise<WireResponse> {
  const request = readTagsRequest(parameters);
  const changed = (tags: readonly Tag[]) => {
    const after = change(tags, request);
    checkTagsForEc2(after);
    return after;
  };
  const found: (Snapshot | Image)[] = [];
  for (const id of new Set(request.Resources)) {
    const resource = await findOwnedResource(core, principal.account, id);
    if (!resource) throw resourceFault(id);
    found.push(resource);
    if (found.length % RESOURCES_BETWEEN_TURNS === 0) await nextTurn();
  }
  for (const { tags } of found) changed(tags);
  for (const [at, resource] of found.entries()) {
    // Of the tags that it has by then: they may have been changed since they were looked at.
    await changeTags(core, resource, changed);
    if (at % RESOURCES_BETWEEN_TURNS === 0) await nextTurn();
  }
  return writeDoneResponse(parameters.action, requestId);
}

/** What EC2 says of a resource that is not the caller's, in the words of its type. */
function resourceFault(id: string): ServiceFault {
  const type = resourceTypeOf(id);
  if (type === "image") return imageFault(id);
  if (type === "snapshot") return snapshotFault(id);
  return queryFault(400, "InvalidID", `The ID '${id.slice(0, 64)}' is not valid`);
}

/** Throws EC2's word for tags that no resource may carry together. */
export function checkTagsForEc2(tags: readonly Tag[]): void {
  try {
    checkTags(tags);
  } catch (error) {
    throw tagFault(error);
  }
}

/** What was thrown, in EC2's words where it is about what the caller sent. */
export function tagFault(error: unknown): unknown {
  if (!(error instanceof ServiceError) || error.code !== "ValidationException") return error;
  return queryFault(400, "InvalidParameterValue", error.message);
}
