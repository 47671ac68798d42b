/** Items of a group at most: nodes, or pairs of them, of up to a megabyte together (ours). */
const GROUP_COUNT_MAX = 32;

/**
 * The items in groups to be read together, the first of one. The more were wanted so far, the more
 * are in a group, since most pages end soon.
 */
export async function* growingGroups<T>(
  items: Iterable<T> | AsyncIterable<T>,
): AsyncGenerator<readonly T[]> {
  let group: T[] = [];
  let countMax = 1;
  for await (const item of items) {
    group.push(item);
    if (group.length < countMax) continue;
    yield group;
    group = [];
    countMax = Math.min(GROUP_COUNT_MAX, 2 * countMax);
  }
  if (group.length > 0) yield group;
}
