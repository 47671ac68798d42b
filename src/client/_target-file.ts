import type { Stats } from "node:fs";
import { type FileHandle, link, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { toHex } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { onFile } from "./_file-errors.ts";
import { FileError } from "./errors.ts";

/**
 * A file that appears under its name only when it is whole and durable: it is written under
 * another name in the same folder, and renamed at the end.
 */
export class TargetFile {
  readonly #path: string;
  readonly #partPath: string;
  readonly #handle: FileHandle;
  readonly #replaces: boolean;

  private constructor(parts: { path: string; partPath: string; handle: FileHandle }, old: boolean) {
    this.#path = parts.path;
    this.#partPath = parts.partPath;
    this.#handle = parts.handle;
    this.#replaces = old;
  }

  /** Begins a file. Throws a `FileError` where there is one already and it may not be replaced. */
  static async create(
    wantedPath: string,
    sizeBytes: number,
    options: { readonly force: boolean; readonly random: Random },
  ): Promise<TargetFile> {
    const found = await checkTarget(wantedPath, options.force);
    // Behind a symbolic link it is the file that gets replaced, not the link.
    const path = found ? await onFile("write", wantedPath, () => realpath(wantedPath)) : wantedPath;
    const suffix = toHex(options.random.bytes(4));
    const partPath = join(dirname(path), `.${basename(path)}.varve-${suffix}.part`);
    const mode = found ? found.mode & 0o777 : 0o666;
    const handle = await onFile("write", path, () => open(partPath, "wx", mode));
    const target = new TargetFile({ path, partPath, handle }, found !== undefined);
    try {
      // At its full length from the start, so that what is never written is a hole.
      await onFile("write", path, () => handle.truncate(sizeBytes));
      return target;
    } catch (error) {
      await target.discard();
      throw error;
    }
  }

  /** Writes all of the bytes at that offset. */
  async write(bytes: Uint8Array, offset: number): Promise<void> {
    let length = 0;
    while (length < bytes.length) {
      // On a disk that fills up, the system writes what fits and says so only by the count.
      const { bytesWritten } = await onFile("write", this.#path, () =>
        this.#handle.write(bytes, length, bytes.length - length, offset + length),
      );
      if (bytesWritten === 0) {
        const message = `Cannot write ${this.#path}: the system takes no more bytes.`;
        throw new FileError(message, { path: this.#path, code: "ENOSPC" });
      }
      length += bytesWritten;
    }
  }

  /** Gives the file another length; what is added is a hole. */
  async resize(sizeBytes: number): Promise<void> {
    await onFile("write", this.#path, () => this.#handle.truncate(sizeBytes));
  }

  /** Makes the file durable and gives it its name. */
  async finish(): Promise<void> {
    await onFile("write", this.#path, async () => {
      await this.#handle.sync();
      await this.#handle.close();
      if (this.#replaces) await rename(this.#partPath, this.#path);
      else await moveToNewName(this.#partPath, this.#path);
      await syncFolder(dirname(this.#path));
    });
  }

  /** Removes what was written; quietly, for another error is on its way to the caller. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await unlink(this.#partPath).catch(() => undefined);
  }
}

/** The file that is there already, if it may be replaced. */
async function checkTarget(path: string, force: boolean): Promise<Stats | undefined> {
  const found = await onFile("write", path, () => stat(path)).catch((error: unknown) => {
    if (error instanceof FileError && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!found) return undefined;
  if (found.isDirectory()) {
    throw new FileError(`Cannot write ${path}: it is a directory.`, { path, code: "EISDIR" });
  }
  if (!found.isFile()) {
    const message = `Cannot write ${path}: only a new file or a regular one can be written.`;
    throw new FileError(message, { path, code: "NOT_A_FILE" });
  }
  if (force) return found;
  throw new FileError(`The file ${path} exists already.`, { path, code: "TARGET_EXISTS" });
}

/** Renames without replacing a file that somebody else put there in the meantime. */
async function moveToNewName(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (isExisting(error)) throw error;
    // A file system without hard links: the check at the start has to do.
    await rename(from, to);
    return;
  }
  await unlink(from);
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}

/** Makes the new name durable; where a folder cannot be opened, its system does without. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  try {
    await folder?.sync();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EINVAL")) throw error;
  } finally {
    await folder?.close();
  }
}
