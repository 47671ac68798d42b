import { invalid } from "../model/errors.ts";
import {
  TAG_KEY_CHARACTERS_MAX,
  TAG_VALUE_CHARACTERS_MAX,
  TAGS_COUNT_MAX,
} from "../model/limits.ts";
import type { Tag } from "../model/snapshot.ts";

/** Throws INVALID_TAG for tags no snapshot may carry together. */
export function checkTags(tags: readonly Tag[]): void {
  if (tags.length > TAGS_COUNT_MAX) {
    const message = `These are more than the ${TAGS_COUNT_MAX} tags that a snapshot may carry`;
    throw invalid("INVALID_TAG", message);
  }
  for (const { Key, Value } of tags) checkLengths(Key, Value);
  const reserved = tags.find(({ Key }) => Key.toLowerCase().startsWith("aws:"));
  if (reserved) {
    throw invalid("INVALID_TAG", `Tag key '${reserved.Key}' begins with 'aws:', which is reserved`);
  }
  const keys = tags.map(({ Key }) => Key);
  const repeated = keys.find((key, i) => keys.indexOf(key) !== i);
  if (repeated !== undefined) throw invalid("INVALID_TAG", `Tag key '${repeated}' is given twice`);
}

function checkLengths(key: string, value: string): void {
  if (key.length === 0 || key.length > TAG_KEY_CHARACTERS_MAX) {
    const bounds = `1 to ${TAG_KEY_CHARACTERS_MAX}`;
    throw invalid("INVALID_TAG", `A tag key has ${key.length} characters; it may have ${bounds}`);
  }
  if (value.length > TAG_VALUE_CHARACTERS_MAX) {
    const bound = `at most ${TAG_VALUE_CHARACTERS_MAX}`;
    throw invalid(
      "INVALID_TAG",
      `The value of tag '${key}' has ${value.length} characters; it may have ${bound}`,
    );
  }
}

/** The tags with others laid over them, in order of key. */
export function mergeTags(tags: readonly Tag[], added: readonly Tag[]): Tag[] {
  const values = new Map([...tags, ...added].map(({ Key, Value }) => [Key, Value]));
  return [...values]
    .map(([Key, Value]) => ({ Key, Value }))
    .sort((a, b) => (a.Key < b.Key ? -1 : 1));
}

/** A tag to take away: whatever its value, or only if it has this one. */
export interface TagPattern {
  readonly Key: string;
  readonly Value: string | undefined;
}

/** The tags without those that a pattern names. */
export function withoutTags(tags: readonly Tag[], patterns: readonly TagPattern[]): Tag[] {
  const isNamed = (tag: Tag) =>
    patterns.some(({ Key, Value }) => Key === tag.Key && (Value ?? tag.Value) === tag.Value);
  return tags.filter((tag) => !isNamed(tag));
}
