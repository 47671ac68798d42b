/** Items one after another, of which the next can be looked at before it is taken. */
export class Peekable<T> {
  readonly #items: AsyncIterator<T> | Iterator<T> | undefined;
  #next: IteratorResult<T> | undefined;

  constructor(items: AsyncIterator<T> | Iterator<T> | undefined) {
    this.#items = items;
  }

  /** The next item, or undefined where all are taken. */
  async peek(): Promise<T | undefined> {
    this.#next ??= await this.#items?.next();
    return this.#next === undefined || this.#next.done ? undefined : this.#next.value;
  }

  /** Goes on to the next item, unless all are taken. */
  take(): void {
    if (!this.#next?.done) this.#next = undefined;
  }

  /** Says that no more is wanted. */
  async end(): Promise<void> {
    await this.#items?.return?.(undefined);
  }
}
