/** A cache bounded by the summed size of its values; what was used longest ago goes first. */
export class LruCache<V> {
  readonly #sizeMax: number;
  readonly #sizeOf: (value: V) => number;
  readonly #values = new Map<string, V>();
  #size = 0;

  constructor(sizeMax: number, sizeOf: (value: V) => number) {
    this.#sizeMax = sizeMax;
    this.#sizeOf = sizeOf;
  }

  /** The summed size of all values now held; never more than the bound. */
  get size(): number {
    return this.#size;
  }

  /** The value kept under that key, which thereby becomes the most recently used. */
  get(key: string): V | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    // A Map iterates in order of insertion: inserting again moves the entry to the young end.
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  /** Keeps a value; a value larger than the whole bound is not kept. */
  set(key: string, value: V): void {
    this.delete(key);
    const size = this.#sizeOf(value);
    if (size > this.#sizeMax) return;
    this.#values.set(key, value);
    this.#size += size;
    for (const oldest of this.#values.keys()) {
      if (this.#size <= this.#sizeMax) break;
      this.delete(oldest);
    }
  }

  /** Forgets the value under that key, if there is one. */
  delete(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.#size -= this.#sizeOf(value);
  }
}
