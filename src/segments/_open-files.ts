import { type FileHandle, open } from "node:fs/promises";

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  users: number;
  retired: boolean;
}

/** Files kept open for reading, at most so many; one in use is closed only when its users end. */
export class OpenFiles {
  readonly #pathOf: (segment: number) => string;
  readonly #countMax: number;
  /** Least recently used first. */
  readonly #files = new Map<number, OpenFile>();

  constructor(countMax: number, pathOf: (segment: number) => string) {
    this.#countMax = countMax;
    this.#pathOf = pathOf;
  }

  /** Lends the segment's open file to `use` and answers what that answers. */
  async with<T>(segment: number, use: (handle: FileHandle) => Promise<T>): Promise<T> {
    const file = this.#take(segment);
    file.users += 1;
    try {
      return await use(await file.handle);
    } finally {
      file.users -= 1;
      if (file.retired && file.users === 0) await closeOpened(file);
    }
  }

  /** Closes every file, each as soon as its last user has ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#files.keys()].map((segment) => this.#retire(segment)));
  }

  /** Closes a file that was removed, as soon as its last user has ended. */
  forget(segment: number): Promise<void> {
    return this.#retire(segment);
  }

  #take(segment: number): OpenFile {
    const known = this.#files.get(segment);
    if (known) {
      this.#files.delete(segment);
      this.#files.set(segment, known);
      return known;
    }
    const file = { handle: open(this.#pathOf(segment), "r"), users: 0, retired: false };
    this.#files.set(segment, file);
    file.handle.catch(() => this.#files.delete(segment));
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= this.#countMax) break;
      // A file that cannot be closed has been read from; nobody's bytes depend on it.
      this.#retire(oldest).catch(() => undefined);
    }
    return file;
  }

  async #retire(segment: number): Promise<void> {
    const file = this.#files.get(segment);
    this.#files.delete(segment);
    if (!file) return;
    file.retired = true;
    if (file.users === 0) await closeOpened(file);
  }
}

/** A file that could not be opened has told its users so; there is nothing to close. */
async function closeOpened(file: OpenFile): Promise<void> {
  const handle = await file.handle.catch(() => undefined);
  await handle?.close();
}
