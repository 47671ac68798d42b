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
import { findOwnedResource, resourceTypeOf, setTags } from "../../snapshots/tagging.ts";
import { checkTags, mergeTags, withoutTags } from "../../snapshots/tags.ts";
import { cutList } from "../../snapshots/tokens/list-tokens.ts";
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

async function describe(core: Core, call: QueryCall): Promise<WireResponse> {
  const input = readDescribeTagsRequest(call.parameters);
  const [unknown] = unknownTagFilters(input.Filters);
  if (unknown !== undefined) throw filterFault(unknown);
  const all = await describeTags(core, call.principal.account);
  const wanted = all.filter(tagMatcher(input.Filters));
  const page = { idOf: placeOf, ...openPage(core, call, input) };
  const { entries, hasMore } = cutList(wanted, page);
  const last = entries.at(-1);
  const nextToken = pageAfter(core, call, hasMore && last ? placeOf(last) : undefined);
  return writeDescribeTagsResponse(call.requestId, entries, nextToken);
}

/** Computes every resource's new tags and checks them all before the first is changed. */
async function changeTags(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
  change: (tags: readonly Tag[], request: TagsRequest) => Tag[],
): Promise<WireResponse> {
  const request = readTagsRequest(parameters);
  const changed: { readonly resource: Snapshot | Image; readonly tags: Tag[] }[] = [];
  for (const id of new Set(request.Resources)) {
    const resource = await findOwnedResource(core, principal.account, id);
    if (!resource) throw resourceFault(id);
    changed.push({ resource, tags: change(resource.tags, request) });
  }
  for (const { tags } of changed) checkTagsForEc2(tags);
  for (const { resource, tags } of changed) await setTags(core, resource, tags);
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

/** What was thrown, in EC2's words where it is about tags. */
export function tagFault(error: unknown): unknown {
  if (!(error instanceof ServiceError)) return error;
  return queryFault(400, "InvalidParameterValue", error.message);
}
