import type { Tag } from "../../model/snapshot.ts";
import type { WireRequest, WireResponse } from "../message.ts";
import {
  type Filter,
  nextTokenElement,
  readFilters,
  readTagPatterns,
  type TagPattern,
} from "./members.ts";
import { type QueryParameters, queryFault, writeEc2Response, writeQueryRequest } from "./query.ts";

/** Input of CreateTags and DeleteTags; a tag to delete may come without a value. */
export interface TagsRequest {
  readonly Resources: readonly string[];
  readonly Tags: readonly TagPattern[];
}

/** Reads a CreateTags or DeleteTags request. */
export function readTagsRequest(parameters: QueryParameters): TagsRequest {
  const Resources = parameters.list("ResourceId");
  if (Resources.length === 0) {
    const message = "The request must contain the parameter resourceIdSet";
    throw queryFault(400, "MissingParameter", message);
  }
  return { Resources, Tags: readTagPatterns(parameters, "Tag") };
}

/** Writes a CreateTags request. */
export function writeCreateTagsRequest(
  resources: readonly string[],
  tags: readonly Tag[],
): WireRequest {
  return writeTagsRequest("CreateTags", { Resources: resources, Tags: tags });
}

/** Writes a DeleteTags request. */
export function writeDeleteTagsRequest(input: TagsRequest): WireRequest {
  return writeTagsRequest("DeleteTags", input);
}

function writeTagsRequest(
  action: "CreateTags" | "DeleteTags",
  { Resources, Tags }: TagsRequest,
): WireRequest {
  const members: Record<string, string | undefined> = {};
  for (const [i, id] of Resources.entries()) members[`ResourceId.${i + 1}`] = id;
  for (const [i, { Key, Value }] of Tags.entries()) {
    members[`Tag.${i + 1}.Key`] = Key;
    members[`Tag.${i + 1}.Value`] = Value;
  }
  return writeQueryRequest("ec2", action, members);
}

/** Input of DescribeTags. */
export interface DescribeTagsRequest {
  readonly Filters: readonly Filter[];
  readonly MaxResults: number | undefined;
  readonly NextToken: string | undefined;
}

/** Reads a DescribeTags request. */
export function readDescribeTagsRequest(parameters: QueryParameters): DescribeTagsRequest {
  return {
    Filters: readFilters(parameters),
    MaxResults: parameters.integer("MaxResults", 5, 1_000),
    NextToken: parameters.get("NextToken"),
  };
}

/** A tag and what carries it. */
export interface TagDescription extends Tag {
  readonly ResourceId: string;
  readonly ResourceType: string;
}

/** Writes a DescribeTags response. */
export function writeDescribeTagsResponse(
  requestId: string,
  tags: readonly TagDescription[],
  nextToken: string | undefined,
): WireResponse {
  const item = tags.map(({ ResourceId, ResourceType, Key, Value }) => ({
    resourceId: ResourceId,
    resourceType: ResourceType,
    key: Key,
    value: Value,
  }));
  const members = { tagSet: { item }, ...nextTokenElement(nextToken) };
  return writeEc2Response("DescribeTags", requestId, members);
}
