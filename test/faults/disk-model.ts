import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pick } from "../support/property.ts";
import type { LoggedCall } from "./shim.ts";

/*
 * A disk that loses power, worked out from the calls that reached it.
 *
 * What a file held when it was last synced is on the disk. Each write and truncation since then
 * is there, is not there, or is there in part, in sectors of 512 or 4,096 bytes; a file that grew
 * without its bytes reads as zeros there. What names a folder held when it was last synced is on
 * the disk; each name made, removed or changed since then is there or not. Files and folders
 * forget independently of each other, and of the order in which things were done, unless they
 * are told to forget in order.
 *
 * A sync that fails loses what it was to make durable, as on Linux, which takes those pages for
 * clean from then on: a later sync of the same file succeeds, and brings none of it back. The file
 * keeps its length, and has zeros or what it held before. Names are not lost so: file systems keep
 * them in a journal, and give up altogether where that fails. They wait for a sync that succeeds.
 *
 * This is harder than ext4 or XFS are, which keep more order than they promise. Disks that lie
 * about a flush are not in it.
 */

/** What a power cut leaves of what was not synced. */
export type Loss =
  /** All that a failed sync has not lost already: there is no power cut. */
  | "none"
  /** Nothing. */
  | "all"
  /** Any of it, in any order, torn. */
  | "torn-op"
  /** What came first, the last of it torn. */
  | "torn-seq"
  /** All bytes, but any of the names. */
  | "names";

interface Change {
  readonly offset: number;
  /** Undefined where the file was cut or grown to `offset`. */
  readonly bytes: Buffer | undefined;
}

interface File {
  durable: Buffer;
  pending: Change[];
}

interface Naming {
  readonly name: string;
  /** Undefined where the name was removed. */
  readonly node: File | Folder | undefined;
}

class Folder {
  readonly names = new Map<string, File | Folder>();
  readonly durable = new Map<string, File | Folder>();
  pending: Naming[][] = [];

  change(namings: Naming[]): void {
    for (const { name, node } of namings) setName(this.names, name, node);
    this.pending.push(namings);
  }

  sync(): void {
    for (const { name, node } of this.pending.flat()) setName(this.durable, name, node);
    this.pending = [];
  }
}

function setName(
  names: Map<string, File | Folder>,
  name: string,
  node: File | Folder | undefined,
): void {
  if (node) names.set(name, node);
  else names.delete(name);
}

const SECTOR_BYTES = [512, 4_096] as const;

/** A folder on such a disk; durable at first, and empty unless it is given what it holds. */
export class DiskModel {
  readonly #root: Folder;
  readonly #open = new Map<number, File | Folder>();

  constructor(root = new Folder()) {
    this.#root = root;
  }

  /** One that holds what this folder does. */
  static async of(directory: string): Promise<DiskModel> {
    return new DiskModel(await folderOf(directory));
  }

  /** Carries out one call as it was written down. */
  apply({ letter, fd, offset, length, result, path, bytes }: LoggedCall): void {
    if (result < 0 && letter === "s") this.#failSync(fd);
    if (result < 0) return;
    if (letter === "c" || letter === "o") this.#opened({ letter, fd, offset, length, path });
    else if (letter === "x") this.#open.delete(fd);
    else if (letter === "w") this.#file(fd).pending.push({ offset, bytes });
    else if (letter === "t") this.#file(fd).pending.push({ offset, bytes: undefined });
    else if (letter === "s") this.#sync(fd);
    else if (letter === "u") this.#parentOf(path).change([{ name: base(path), node: undefined }]);
    else if (letter === "n") this.#rename(path);
  }

  #opened(call: Pick<LoggedCall, "letter" | "fd" | "offset" | "length" | "path">): void {
    const { letter, fd, offset, length, path } = call;
    if (letter === "c") {
      // An open notes a length of 1, a new folder of 0.
      const node = length === 1 ? { durable: Buffer.alloc(0), pending: [] } : new Folder();
      this.#parentOf(path).change([{ name: base(path), node }]);
      if (length === 0) return;
    }
    const node = this.#find(path);
    if (!node) return;
    this.#open.set(fd, node);
    if (letter === "o" && offset === 1)
      (node as File).pending.push({ offset: 0, bytes: undefined });
  }

  #rename(paths: string): void {
    const [from = "", to = ""] = paths.split("\t");
    const node = this.#find(from);
    if (this.#parentOf(from) !== this.#parentOf(to)) throw new Error(`${from} changes its folder`);
    this.#parentOf(to).change([
      { name: base(to), node },
      { name: base(from), node: undefined },
    ]);
  }

  #sync(fd: number): void {
    const node = this.#open.get(fd);
    if (node instanceof Folder) {
      node.sync();
      return;
    }
    const file = this.#file(fd);
    file.durable = written(file.durable, file.pending);
    file.pending = [];
  }

  #failSync(fd: number): void {
    if (this.#open.get(fd) instanceof Folder) return;
    const file = this.#file(fd);
    file.pending = file.pending.map(withoutBytes);
  }

  #file(fd: number): File {
    const file = this.#open.get(fd);
    if (!file || file instanceof Folder) throw new Error(`descriptor ${fd} is not of a file`);
    return file;
  }

  #parentOf(path: string): Folder {
    const slash = path.lastIndexOf("/");
    const folder = slash < 0 ? this.#root : this.#find(path.slice(0, slash));
    if (folder instanceof Folder) return folder;
    throw new Error(`${path} lies in no folder`);
  }

  #find(path: string): File | Folder | undefined {
    let node: File | Folder | undefined = this.#root;
    for (const name of path.split("/").filter(Boolean)) {
      node = node instanceof Folder ? node.names.get(name) : undefined;
    }
    return node;
  }

  /** Lays down in an empty folder what is there after a power cut at this moment. */
  async cut(directory: string, loss: Loss, fraction: () => number): Promise<void> {
    await this.#layDown(directory, this.#root, { loss, fraction });
  }

  async #layDown(
    directory: string,
    folder: Folder,
    chance: { readonly loss: Loss; readonly fraction: () => number },
  ): Promise<void> {
    const names = new Map(folder.durable);
    for (const { name, node } of kept(folder.pending, chance).flat()) setName(names, name, node);
    for (const [name, node] of names) {
      const path = join(directory, name);
      if (node instanceof Folder) {
        await mkdir(path);
        await this.#layDown(path, node, chance);
      } else {
        await writeFile(path, written(node.durable, changesLeft(node.pending, chance)));
      }
    }
  }
}

async function folderOf(directory: string): Promise<Folder> {
  const folder = new Folder();
  for (const found of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, found.name);
    const node = found.isDirectory()
      ? await folderOf(path)
      : { durable: await readFile(path), pending: [] };
    folder.change([{ name: found.name, node }]);
  }
  folder.sync();
  return folder;
}

/** What is left of a change whose bytes are lost: the length that it gave the file. */
function withoutBytes({ offset, bytes }: Change): Change {
  const isCut = bytes === undefined;
  return isCut ? { offset, bytes } : { offset: offset + bytes.length, bytes: Buffer.alloc(0) };
}

function base(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

type Chance = { readonly loss: Loss; readonly fraction: () => number };

/** Which changes of names a power cut leaves. */
function kept<T>(pending: readonly T[], { loss, fraction }: Chance): readonly T[] {
  if (loss === "none") return pending;
  if (loss === "all") return [];
  if (loss === "torn-seq") return pending.slice(0, pick(fraction, pending.length + 1));
  return pending.filter(() => fraction() < 0.5);
}

function changesLeft(pending: readonly Change[], chance: Chance): readonly Change[] {
  const { loss, fraction } = chance;
  if (loss === "none" || loss === "names") return pending;
  const left = kept(pending, chance);
  if (loss === "torn-seq")
    return left.flatMap((change, i) => {
      return i === left.length - 1 ? torn(change, fraction) : change;
    });
  return left.flatMap((change) => (fraction() < 0.5 ? torn(change, fraction) : change));
}

/** Some sectors of a write; the file has grown to its end all the same. */
function torn(change: Change, fraction: () => number): Change[] {
  const { offset, bytes } = change;
  if (bytes === undefined) return [change];
  const sector = SECTOR_BYTES[pick(fraction, SECTOR_BYTES.length)] as number;
  const parts: Change[] = [];
  const end = offset + bytes.length;
  for (let start = offset; start < end; ) {
    const next = Math.min(end, (Math.floor(start / sector) + 1) * sector);
    const part = bytes.subarray(start - offset, next - offset);
    if (fraction() < 0.5) parts.push({ offset: start, bytes: part });
    start = next;
  }
  if (fraction() < 0.5) parts.push({ offset: end, bytes: Buffer.alloc(0) });
  return parts;
}

/** The contents after these changes. */
function written(before: Buffer, changes: readonly Change[]): Buffer {
  let size = before.length;
  for (const { offset, bytes } of changes) size = Math.max(size, offset + (bytes?.length ?? 0));
  const contents = Buffer.alloc(size);
  before.copy(contents);
  let length = before.length;
  for (const { offset, bytes } of changes) {
    if (bytes === undefined) {
      // What is cut off reads as zeros where the file grows again.
      if (offset < length) contents.fill(0, offset, length);
      length = offset;
    } else {
      bytes.copy(contents, offset);
      length = Math.max(length, offset + bytes.length);
    }
  }
  return contents.subarray(0, length);
}
