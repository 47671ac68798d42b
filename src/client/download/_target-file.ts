import type { Stats } from "node:fs";
import {
  type FileHandle,
  link,
  open,
  readlink,
  realpath,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { toHex } from "../../base/bytes.ts";
import { Limiter } from "../../base/concurrency.ts";
import type { Random } from "../../base/random.ts";
import type { Extent } from "../../model/extent.ts";
import { FileError } from "../errors.ts";
import { onFile } from "../image/file-errors.ts";
import { findDataExtents } from "../image/sparse-extents.ts";
import type { BlockTarget, TargetOptions } from "./_target.ts";
import { readFully, writeFully } from "./_target-io.ts";

/** How to open a file. */
export interface TargetFileOptions extends TargetOptions {
  readonly random: Random;
  /** True where an interrupted run is to be found again by the partial file's name. */
  readonly isResumable: boolean;
}

/** What opening found and made. */
interface Opened {
  readonly path: string;
  readonly partPath: string;
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  /** What happens to the name at the end: a file may be there, or may not. */
  readonly replaces: boolean;
  readonly isFresh: boolean;
  readonly isResumed: boolean;
}

/**
 * A file that appears under its name only when it is whole and durable: it is written under
 * another name in the same folder, and renamed at the end. An older restore that is written onto
 * gives up its name for that time.
 */
export class TargetFile implements BlockTarget {
  readonly partPath: string;
  readonly isFresh: boolean;
  readonly isResumed: boolean;
  readonly #opened: Opened;
  /** One at a time: threads that write to one file spin while they wait for its lock. */
  readonly #writes = new Limiter(1);
  #hasWritten = false;

  private constructor(opened: Opened) {
    this.#opened = opened;
    this.partPath = opened.partPath;
    this.isFresh = opened.isFresh;
    this.isResumed = opened.isResumed;
  }

  /**
   * Begins a file, or goes on with one. Throws a `FileError` where there is one already and it may
   * not be replaced.
   */
  static async open(wantedPath: string, options: TargetFileOptions): Promise<TargetFile> {
    const found = await findTarget(wantedPath);
    // Behind a symbolic link it is the file that gets replaced, not the link.
    const path = await resolveTarget(wantedPath);
    const partPath = partPathOf(path, options);
    const target = new TargetFile(await openPart({ path, partPath, found }, options));
    try {
      // At its full length from the start, so that what is never written is a hole.
      if (target.isFresh) await target.resize(options.sizeBytes);
      return target;
    } catch (error) {
      await target.discard();
      throw error;
    }
  }

  get hasWritten(): boolean {
    return this.#hasWritten;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    this.#hasWritten = true;
    await this.#writes.run(() => writeFully(this.#opened, bytes, offset));
  }

  read(buffer: Uint8Array, offset: number): Promise<void> {
    return readFully(this.#opened, buffer, offset);
  }

  async dataExtents(): Promise<AsyncGenerator<Extent> | undefined> {
    const { partPath: path, handle, sizeBytes } = this.#opened;
    return findDataExtents({ fd: handle.fd, path, sizeBytes });
  }

  async resize(sizeBytes: number): Promise<void> {
    await onFile("write", this.#opened.path, () => this.#opened.handle.truncate(sizeBytes));
  }

  async sync(): Promise<void> {
    await onFile("write", this.#opened.path, () => this.#opened.handle.datasync());
  }

  async finish(): Promise<void> {
    const { path, partPath, handle, replaces } = this.#opened;
    await onFile("write", path, async () => {
      await handle.sync();
      await handle.close();
      if (replaces) await rename(partPath, path);
      else await moveToNewName(partPath, path);
      await syncFolder(dirname(path));
    });
  }

  async keep(): Promise<void> {
    await this.#opened.handle.close();
  }

  async discard(): Promise<void> {
    const { path, partPath, handle, isFresh } = this.#opened;
    await handle.close().catch(() => undefined);
    if (isFresh) await unlink(partPath).catch(() => undefined);
    else if (!this.#hasWritten) await moveToNewName(partPath, path).catch(() => undefined);
  }
}

/** The file behind a path, also where a symbolic link leads to one that is not there now. */
export async function resolveTarget(path: string): Promise<string> {
  const linked = await readlink(path).catch(() => undefined);
  const named = linked === undefined ? resolve(path) : resolve(dirname(path), linked);
  return realpath(named).catch(async () => {
    const folder = await realpath(dirname(named)).catch(() => dirname(named));
    return join(folder, basename(named));
  });
}

/** Where a download to a file writes until all of it is there, if it can be gone on with. */
export async function partPathFor(path: string): Promise<string> {
  return fixedPartPath(await resolveTarget(path));
}

/** Identity of the file that `open` opens for a path, or opened in an earlier run. */
export async function identityOfFile(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && identityOf(found);
}

function identityOf({ dev, ino }: Stats): string {
  return `file ${dev}:${ino}`;
}

function partPathOf(path: string, { isResumable, random }: TargetFileOptions): string {
  if (isResumable) return fixedPartPath(path);
  return join(dirname(path), `.${basename(path)}.varve-${toHex(random.bytes(4))}.part`);
}

function fixedPartPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.varve-part`);
}

async function openPart(
  names: { readonly path: string; readonly partPath: string; readonly found: Stats | undefined },
  options: TargetFileOptions,
): Promise<Opened> {
  const { path, partPath, found } = names;
  const { earlier, onto, noteTarget, sizeBytes } = options;
  const isResumed = earlier !== undefined && (await identityOfFile(partPath)) === earlier;
  const isOntoFound = onto && !isResumed;
  if (!isOntoFound) checkTarget(path, found, options.force);
  const opened = { path, partPath, sizeBytes, isResumed, isFresh: !onto };
  const replaces = found !== undefined && !isOntoFound;
  const left = isOntoFound && !found ? await findTarget(partPath) : undefined;
  if (isOntoFound && left?.isFile() && options.adopts) {
    await noteTarget(identityOf(left));
  } else if (isOntoFound) {
    const old = checkOnto(path, found, left && partPath);
    // First noted, then renamed: whenever we are killed, the next run knows it by its identity.
    await noteTarget(identityOf(old));
    await onFile("write", path, () => rename(path, partPath));
  }
  if (isOntoFound || isResumed) {
    const handle = await onFile("write", path, () => open(partPath, "r+"));
    return { ...opened, handle, replaces };
  }
  // Nobody goes on with it: this download's log, which we have locked, does not know it.
  if (options.isResumable) await unlink(partPath).catch(() => undefined);
  const mode = found ? found.mode & 0o777 : 0o666;
  const handle = await onFile("write", path, () => open(partPath, "wx+", mode));
  await noteTarget(identityOf(await handle.stat()));
  return { ...opened, handle, replaces };
}

function checkOnto(path: string, found: Stats | undefined, leftPath: string | undefined): Stats {
  if (found?.isFile()) return found;
  const why =
    leftPath === undefined
      ? "there is no such file"
      : `what an unfinished download wrote is in ${leftPath}: without a base it is compared`;
  const message = `Cannot write onto ${path}: ${why}.`;
  throw new FileError(message, { path, code: "ENOENT" });
}

/** What is there already. */
export async function findTarget(path: string): Promise<Stats | undefined> {
  return onFile("write", path, () => stat(path)).catch((error: unknown) => {
    if (error instanceof FileError && error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** Throws for what is there and cannot, or may not, be replaced. */
function checkTarget(path: string, found: Stats | undefined, force: boolean): void {
  if (!found) return;
  if (found.isDirectory()) {
    throw new FileError(`Cannot write ${path}: it is a directory.`, { path, code: "EISDIR" });
  }
  if (!found.isFile()) {
    const which = "only a new file or a regular one, or a disk, can be written";
    const message = `Cannot write ${path}: ${which}.`;
    throw new FileError(message, { path, code: "NOT_A_FILE" });
  }
  if (force) return;
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
