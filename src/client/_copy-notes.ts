import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DIGEST_SIZE_BYTES } from "../model/limits.ts";
import { onFile } from "./_file-errors.ts";

/*
 * What of a copy is done, so that it can go on after a crash. One file for each copy under way:
 *
 *   offset  0                                  4096 + 32 i
 *           head: JSON, filled up with spaces  digest of block i, zeros while it is not put
 *
 * The head goes first and whole, under its name only when it is durable. A digest is written when
 * the destination has acknowledged its block, in its own place, so there is no order that a crash
 * could disturb; 32 aligned bytes never lie in two sectors, so none is ever torn. Places never
 * written take no room on disk and need no memory.
 */

const HEAD_BYTES = 4_096;
const FORMAT = 1;
/** Digests read at once. */
const PAGE_COUNT = 2_048;

/** What the copy under way was begun with. */
export interface CopyHead {
  /** The unfinished copy. */
  readonly snapshotId: string;
  /** Its parent at the destination. */
  readonly parentSnapshotId: string | undefined;
  /** The source's snapshot that the parent is a copy of, where changes are asked for by it. */
  readonly baseSnapshotId: string | undefined;
  /** How often a copy was begun in vain before. */
  readonly attempt: number;
}

/** The file of one copy under way. */
export class CopyNotes {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #page = Buffer.alloc(PAGE_COUNT * DIGEST_SIZE_BYTES);
  #pageNumber = -1;
  #loading: Promise<void> = Promise.resolve();
  readonly head: CopyHead;

  private constructor(path: string, file: FileHandle, head: CopyHead) {
    this.#path = path;
    this.#file = file;
    this.head = head;
  }

  /** The notes of that name, if there are some that can be read. */
  static async find(folder: string, name: string): Promise<CopyNotes | undefined> {
    const path = join(folder, `${name}.copy`);
    return onFile("read", path, async () => {
      const file = await openExisting(path);
      const head = file && (await readHead(file));
      if (head) return new CopyNotes(path, file, head);
      await file?.close();
      return undefined;
    });
  }

  /** Begins notes, in place of earlier ones. */
  static async create(folder: string, name: string, head: CopyHead): Promise<CopyNotes> {
    const path = join(folder, `${name}.copy`);
    const unfinished = `${path}.new`;
    return onFile("write", path, async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = await open(unfinished, "w+", 0o600);
      const json = JSON.stringify({ format: FORMAT, ...head });
      await file.write(Buffer.from(json.padEnd(HEAD_BYTES)), 0, HEAD_BYTES, 0);
      await file.sync();
      await rename(unfinished, path);
      return new CopyNotes(path, file, head);
    });
  }

  /**
   * The digest of a block that an earlier run has put; undefined for one that it has not. Asked
   * for in ascending order, it reads each part of the file once.
   */
  async put(blockIndex: number): Promise<Uint8Array | undefined> {
    const number = Math.floor(blockIndex / PAGE_COUNT);
    // One after another: a page must not change under somebody who waits for another one.
    const found = this.#loading.then(() => this.#lookUp(number, blockIndex % PAGE_COUNT));
    this.#loading = found.then(nothing, nothing);
    return found;
  }

  /** Notes that the destination has acknowledged a block. */
  async note(blockIndex: number, digest: Uint8Array): Promise<void> {
    const position = HEAD_BYTES + blockIndex * DIGEST_SIZE_BYTES;
    await onFile("write", this.#path, () =>
      this.#file.write(digest, 0, DIGEST_SIZE_BYTES, position),
    );
  }

  /** Leaves the file for a later run. */
  async close(): Promise<void> {
    await this.#loading;
    await this.#file.close();
  }

  /** Removes the file: the copy is completed, or lost. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.#path, { force: true });
  }

  async #lookUp(number: number, place: number): Promise<Uint8Array | undefined> {
    if (number !== this.#pageNumber) await this.#load(number);
    const start = place * DIGEST_SIZE_BYTES;
    const digest = this.#page.subarray(start, start + DIGEST_SIZE_BYTES);
    return digest.every((byte) => byte === 0) ? undefined : Uint8Array.from(digest);
  }

  async #load(number: number): Promise<void> {
    const position = HEAD_BYTES + number * this.#page.length;
    const { bytesRead } = await onFile("read", this.#path, () =>
      this.#file.read(this.#page, 0, this.#page.length, position),
    );
    // A digest that the file ends in was cut off, and counts for nothing.
    this.#page.fill(0, bytesRead - (bytesRead % DIGEST_SIZE_BYTES));
    this.#pageNumber = number;
  }
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  return open(path, "r+").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });
}

async function readHead(file: FileHandle): Promise<CopyHead | undefined> {
  const bytes = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await file.read(bytes, 0, HEAD_BYTES, 0);
  try {
    const { format, ...head } = JSON.parse(bytes.toString("utf8", 0, bytesRead));
    const isUsable = format === FORMAT && /^snap-/.test(head.snapshotId);
    return isUsable && Number.isInteger(head.attempt) ? head : undefined;
  } catch {
    // Written by somebody else, or damaged: a copy that begins anew loses time and nothing else.
    return undefined;
  }
}

function nothing(): void {}
