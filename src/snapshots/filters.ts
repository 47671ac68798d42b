import { nextTurn } from "../base/next-turn.ts";
import { escapableWildcardPattern, onlyMatchOf, type WildcardPattern } from "../base/wildcard.ts";
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

/**
 * True for what matches. Answers at once, but for every so often: then others get their turn
 * first, so whoever goes through many has to await each answer.
 */
export type Matcher<T> = (described: T) => boolean | Promise<boolean>;

/** What a filter's name starts with that looks at the tag of one key. */
const TAG_PREFIX = "tag:";

/** Comparisons of characters after which others get their turn: some milliseconds (ours). */
const WORK_BETWEEN_TURNS = 4_000_000;
/** What looking at one text costs, whatever it is compared with, in such comparisons (ours). */
const WORK_OF_TEXT = 100;

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
): Matcher<T> {
  let work = 0;
  const tests = filters.map(({ Name, Values }) => {
    const wanted = readValues(Values);
    const key = Name.slice(TAG_PREFIX.length);
    const valuesOfKey = (described: T) =>
      tagsOf(described)
        .filter((tag) => tag.Key === key)
        .map(({ Value }) => Value);
    const textsOf = fields[Name] ?? valuesOfKey;
    const isWanted = (text: string | undefined) => {
      if (text === undefined) return false;
      work += WORK_OF_TEXT + wanted.patternLength * text.length;
      return wanted.texts.has(text) || wanted.patterns.some((pattern) => pattern.test(text));
    };
    return (described: T) => textsOf(described).some(isWanted);
  });
  return (described) => {
    work += WORK_OF_TEXT;
    const isMatch = tests.every((test) => test(described));
    if (work < WORK_BETWEEN_TURNS) return isMatch;
    work = 0;
    return nextTurn().then(() => isMatch);
  };
}

/** The values of a filter: most are plain texts, which are found without comparing each. */
function readValues(values: readonly string[]) {
  const texts = new Set<string>();
  const patterns: WildcardPattern[] = [];
  let patternLength = 0;
  for (const value of values) {
    const text = onlyMatchOf(value);
    if (text !== undefined) {
      texts.add(text);
      continue;
    }
    patterns.push(escapableWildcardPattern(value));
    patternLength += value.length;
  }
  return { texts, patterns, patternLength };
}
