/**
 * Those who wait, in a line of their own for each key. The lines take turns, so whoever has many
 * waiting waits for himself.
 */
export class Lines<T> {
  /** The line whose turn is next comes first. */
  readonly #lines = new Map<string, T[]>();

  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  /** Goes to the end of the key's line. */
  join(key: string, one: T): void {
    const line = this.#lines.get(key);
    if (line) line.push(one);
    else this.#lines.set(key, [one]);
  }

  /** Leaves the key's line, wherever it stands in it. */
  leave(key: string, one: T): void {
    const line = this.#lines.get(key);
    const place = line?.indexOf(one) ?? -1;
    if (!line || place < 0) return;
    line.splice(place, 1);
    if (line.length === 0) this.#lines.delete(key);
  }

  /** The first in the line whose turn it is; that line goes behind the others. */
  next(): T | undefined {
    for (const [key, line] of this.#lines) {
      this.#lines.delete(key);
      const first = line.shift();
      if (line.length > 0) this.#lines.set(key, line);
      return first;
    }
    return undefined;
  }
}
