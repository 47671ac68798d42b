import { escapableWildcardPattern } from "../base/wildcard.ts";
import type { AccountId } from "../model/ids.ts";
import type { Tag } from "../model/snapshot.ts";
import type { Core } from "./core.ts";
import { describeSnapshots } from "./describe-snapshots.ts";
import { describeImages } from "./images.ts";
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

/** A filter of DescribeTags: the values are alternatives and may hold `*` and `?`. */
export interface TagFilter {
  readonly Name: string;
  readonly Values: readonly string[];
}

const FIELDS: Readonly<Record<string, (tag: TagDescription) => string>> = {
  key: ({ Key }) => Key,
  "resource-id": ({ ResourceId }) => ResourceId,
  "resource-type": ({ ResourceType }) => ResourceType,
  value: ({ Value }) => Value,
};

const TAG_PREFIX = "tag:";

/** The filters' names that mean nothing to us; they must be refused, never passed over. */
export function unknownTagFilters(filters: readonly TagFilter[]): string[] {
  return filters
    .map(({ Name }) => Name)
    .filter((name) => !name.startsWith(TAG_PREFIX) && !Object.hasOwn(FIELDS, name));
}

/** True for tags that match every filter. */
export function tagMatcher(filters: readonly TagFilter[]): (tag: TagDescription) => boolean {
  const tests = filters.map(({ Name, Values }) => {
    const patterns = Values.map(escapableWildcardPattern);
    const key = Name.startsWith(TAG_PREFIX) ? Name.slice(TAG_PREFIX.length) : undefined;
    const textOf = FIELDS[Name] ?? (({ Value }: TagDescription) => Value);
    return (tag: TagDescription) => {
      const isOfKey = key === undefined || key === tag.Key;
      return isOfKey && patterns.some((pattern) => pattern.test(textOf(tag)));
    };
  });
  return (tag) => tests.every((test) => test(tag));
}
