import type { AccountId } from "../model/ids.ts";
import type { Tag } from "../model/snapshot.ts";
import type { Core } from "./core.ts";
import { describeSnapshots } from "./describe-snapshots.ts";
import { type Filter, type FilterFields, filterMatcher, unknownNames } from "./filters.ts";
import { describeImages } from "./images/images.ts";
import type { ResourceType } from "./tagging.ts";

/** A tag and what carries it. */
export interface TagDescription extends Tag {
  readonly ResourceId: string;
  readonly ResourceType: ResourceType;
}

/** Every tag of the account's snapshots and images, in order of resource and key. */
export async function describeTags(core: Core, account: AccountId): Promise<TagDescription[]> {
  const everything = { afterId: "", limit: Number.POSITIVE_INFINITY };
  const isOwn = (resource: { readonly account: string }) => resource.account === account;
  const { images } = await describeImages(core, account, { matches: isOwn, ...everything });
  const all = { matches: isOwn, withShared: false, ...everything };
  const { snapshots } = await describeSnapshots(core, account, all);
  const tagsOf = (
    resources: readonly { readonly id: string; readonly tags: readonly Tag[] }[],
    ResourceType: ResourceType,
  ) =>
    resources.flatMap(({ id, tags }) =>
      tags.map((tag) => ({ ResourceId: id, ResourceType, ...tag })),
    );
  return [...tagsOf(images, "image"), ...tagsOf(snapshots, "snapshot")].sort((a, b) =>
    placeOf(a) < placeOf(b) ? -1 : 1,
  );
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
export function tagMatcher(filters: readonly Filter[]): (tag: TagDescription) => boolean {
  return filterMatcher(FIELDS, filters, (tag) => [tag]);
}
