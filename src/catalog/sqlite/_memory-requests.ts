import { REQUESTS_KEPT_COUNT, type RequestedCollection, type RequestTable } from "../collection.ts";

/** `RequestTable` in the memory of the one process that has the file: both end together. */
export class MemoryRequestTable implements RequestTable {
  readonly #all = new Map<string, RequestedCollection>();
  #addedCount = 0;

  async add(asked: Pick<RequestedCollection, "request" | "status">): Promise<string> {
    this.#addedCount += 1;
    const id = String(this.#addedCount);
    this.#all.set(id, { ...asked, id, isStopAsked: false, isDone: false });
    const [oldest] = this.#all.keys();
    if (oldest !== undefined && this.#all.size > REQUESTS_KEPT_COUNT) this.#all.delete(oldest);
    return id;
  }

  async get(id: string): Promise<RequestedCollection | undefined> {
    return this.#all.get(id);
  }

  async take(known: readonly string[]): Promise<RequestedCollection[]> {
    // There is no other process that could have the rest.
    return [...this.#all.values()].filter(({ id, isDone }) => !isDone && !known.includes(id));
  }

  async put(id: string, now: Pick<RequestedCollection, "status" | "isDone">): Promise<void> {
    this.#change(id, now);
  }

  async askToStop(id: string): Promise<void> {
    this.#change(id, { isStopAsked: true });
  }

  #change(id: string, change: Partial<RequestedCollection>): void {
    const known = this.#all.get(id);
    if (known) this.#all.set(id, { ...known, ...change });
  }
}
