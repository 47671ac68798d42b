import { nextTurn } from "../base/next-turn.ts";
import type { AccountId } from "../model/ids.ts";
import type { Tag } from "../model/snapshot.ts";
import type { Core } from "./core.ts";
import { describeSnapshots } from "./describe-snapshots.ts";
import {
  type Filter,
  type FilterFields,
  filterMatcher,
  type Matcher,
  unknownNames,
} from "./filters.ts";
import { describeImages } from "./images/images.ts";
import { type ResourceType, resourceTypeOf } from "./tagging.ts";

/** A tag and what carries it. */
export interface TagDescription extends Tag {
  readonly ResourceId: string;
  readonly ResourceType: ResourceType;
}

/** Which tags to describe, and from where. */
export interface DescribeTagsInput {
  readonly matches: Matcher<TagDescription>;
  /** Only tags of a greater place; "" for the beginning. */
  readonly afterId: string;
  /** Most tags to answer, at least 1. */
  readonly limit: number;
}

/** Tags that are looked at before others get their turn (ours). */
const TAGS_BETWEEN_TURNS = 1_000;

/** The matching tags of the account's snapshots and images in order of place. */
export async function describeTags(
  core: Core,
  account: AccountId,
  { matches, afterId, limit }: DescribeTagsInput,
): Promise<{ readonly tags: readonly TagDescription[]; readonly hasMore: boolean }> {
  const tags: TagDescription[] = [];
  let lookedAtCount = 0;
  for (const tag of tagsOf(await taggedResources(core, account))) {
    lookedAtCount += 1;
    if (lookedAtCount % TAGS_BETWEEN_TURNS === 0) await nextTurn();
    if (placeOf(tag) <= afterId || !(await matches(tag))) continue;
    if (tags.length === limit) return { tags, hasMore: true };
    tags.push(tag);
  }
  return { tags, hasMore: false };
}

/** What may carry tags. */
interface Tagged {
  readonly id: string;
  readonly tags: readonly Tag[];
}

/** The account's images and snapshots in order of id. */
async function taggedResources(core: Core, account: AccountId): Promise<readonly Tagged[]> {
  const everything = { afterId: "", limit: Number.POSITIVE_INFINITY };
  const isOwn = (resource: { readonly account: string }) => resource.account === account;
  const { images } = await describeImages(core, account, { matches: isOwn, ...everything });
  const all = { matches: isOwn, withShared: false, ...everything };
  const { snapshots } = await describeSnapshots(core, account, all);
  return [...images, ...snapshots];
}

/** The tags of resources, those of each in order of key. */
function* tagsOf(resources: readonly Tagged[]): Generator<TagDescription> {
  for (const { id, tags } of resources) {
    const ResourceType = resourceTypeOf(id);
    if (ResourceType === undefined) continue;
    const inOrder = [...tags].sort((a, b) => (a.Key < b.Key ? -1 : 1));
    for (const tag of inOrder) yield { ResourceId: id, ResourceType, ...tag };
  }
}

/** Where a tag stands among all. */
export function placeOf({ ResourceId, Key }: TagDescription): string {
  return `${ResourceId} ${Key}`;
}

/** What each filter of DescribeTags looks at. */
const FIELDS: FilterFields<TagDescription> = {
  key: ({ Key }) => [Key],
  "resource-id": ({ ResourceId }) => [ResourceId],
  "resource-type": ({ ResourceType }) => [ResourceType],
  value: ({ Value }) => [Value],
};

/** The filters' names that mean nothing to us; they must be refused, never passed over. */
export function unknownTagFilters(filters: readonly Filter[]): string[] {
  return unknownNames(FIELDS, filters);
}

/** True for tags that match every filter. */
export function tagMatcher(filters: readonly Filter[]): Matcher<TagDescription> {
  return filterMatcher(FIELDS, filters, (tag) => [tag]);
}
