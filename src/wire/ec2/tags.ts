import type { Tag } from "../../model/snapshot.ts";
import type { WireRequest, WireResponse } from "../message.ts";
import { type QueryParameters, queryFault, writeEc2Response, writeQueryRequest } from "./query.ts";

/** Input of CreateTags and DeleteTags; a tag to delete may come without a value. */
export interface TagsRequest {
  readonly Resources: readonly string[];
  readonly Tags: readonly { readonly Key: string; readonly Value: string | undefined }[];
}

/** Reads a CreateTags or DeleteTags request. */
export function readTagsRequest(parameters: QueryParameters): TagsRequest {
  const Resources = parameters.list("ResourceId");
  if (Resources.length === 0) {
    const message = "The request must contain the parameter resourceIdSet";
    throw queryFault(400, "MissingParameter", message);
  }
  const Tags = parameters.items("Tag", (prefix) => {
    const Key = parameters.get(`${prefix}.Key`);
    return Key === undefined ? undefined : { Key, Value: parameters.get(`${prefix}.Value`) };
  });
  return { Resources, Tags };
}

/** Writes a CreateTags request. */
export function writeCreateTagsRequest(
  resources: readonly string[],
  tags: readonly Tag[],
): WireRequest {
  const members: Record<string, string> = {};
  for (const [i, id] of resources.entries()) members[`ResourceId.${i + 1}`] = id;
  for (const [i, { Key, Value }] of tags.entries()) {
    members[`Tag.${i + 1}.Key`] = Key;
    members[`Tag.${i + 1}.Value`] = Value;
  }
  return writeQueryRequest("ec2", "CreateTags", members);
}

/** A tag and the snapshot that carries it. */
export interface TagDescription extends Tag {
  readonly ResourceId: string;
}

/** Writes a DescribeTags response: all tags at once, never in pages. */
export function writeDescribeTagsResponse(
  requestId: string,
  tags: readonly TagDescription[],
): WireResponse {
  const item = tags.map(({ ResourceId, Key, Value }) => ({
    resourceId: ResourceId,
    resourceType: "snapshot",
    key: Key,
    value: Value,
  }));
  return writeEc2Response("DescribeTags", requestId, { tagSet: { item } });
}
