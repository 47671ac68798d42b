import { escapableWildcardPattern } from "../base/wildcard.ts";
import type { Tag } from "../model/snapshot.ts";

/** A filter of a listing: the values are alternatives and may hold `*` and `?`. */
export interface Filter {
  readonly Name: string;
  readonly Values: readonly string[];
}

/** What each filter looks at, by its name; something matches when any of the texts does. */
export type FilterFields<T> = Readonly<
  Record<string, (described: T) => readonly (string | undefined)[]>
>;

/** What a filter's name starts with that looks at the tag of one key. */
const TAG_PREFIX = "tag:";

/** The filters' names that mean nothing to us; they must be refused, never passed over. */
export function unknownNames<T>(fields: FilterFields<T>, filters: readonly Filter[]): string[] {
  return filters
    .map(({ Name }) => Name)
    .filter((name) => !name.startsWith(TAG_PREFIX) && !Object.hasOwn(fields, name));
}

/** True for what matches every filter; `tagsOf` answers the tags that `tag:` looks among. */
export function filterMatcher<T>(
  fields: FilterFields<T>,
  filters: readonly Filter[],
  tagsOf: (described: T) => readonly Tag[],
): (described: T) => boolean {
  const tests = filters.map(({ Name, Values }) => {
    const patterns = Values.map(escapableWildcardPattern);
    const key = Name.slice(TAG_PREFIX.length);
    const valuesOfKey = (described: T) =>
      tagsOf(described)
        .filter((tag) => tag.Key === key)
        .map(({ Value }) => Value);
    const textsOf = fields[Name] ?? valuesOfKey;
    const isWanted = (text: string | undefined) =>
      text !== undefined && patterns.some((pattern) => pattern.test(text));
    return (described: T) => textsOf(described).some(isWanted);
  });
  return (described) => tests.every((test) => test(described));
}
