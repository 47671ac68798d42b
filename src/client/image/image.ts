import type { BigIntStats } from "node:fs";
import { constants, type FileHandle, open, stat } from "node:fs/promises";
import type { Extent } from "../../model/extent.ts";
import { blockCountFor, offsetOf } from "../../model/geometry.ts";
import { BLOCK_SIZE_BYTES, GIB_BYTES, VOLUME_SIZE_GIB_MAX } from "../../model/limits.ts";
import { FileError } from "../errors.ts";
import { checkIsRaw, FOOTER_BYTES, HEAD_BYTES } from "./_image-format.ts";
import { readQemuMap } from "./_qemu-map.ts";
import { onFile } from "./file-errors.ts";
import { findDataExtents } from "./sparse-extents.ts";

/** How to tell the holes of an image: see `uploadSnapshot`. */
export type HoleSearch = "auto" | "seek" | "zero";

/** What became of a file since it was opened. */
export interface ImageChange {
  /** By how much it is longer now; none of that belongs to the image. */
  readonly addedBytes: number;
}

/** What an image is read through, wherever it comes from. */
export interface ImageSource {
  readonly path: string;
  /**
   * Tells a file, as it was when it was opened, apart from what it was at another time; undefined
   * for a device or a stream.
   */
  readonly identity: string | undefined;
  /** Bytes; of a stream undefined until it has ended. */
  readonly sizeBytes: number | undefined;
  /** Blocks of the image, the last one perhaps partial; of a stream those it may have. */
  readonly blockCount: number;
  /**
   * The extents of blocks that hold data; undefined where that is not known, so that blocks of
   * zeros have to stand for holes.
   */
  dataExtents(search: HoleSearch): Promise<AsyncGenerator<Extent> | undefined>;
  /** Every block there is, where no more is known; each is read at most once. */
  allExtents(): AsyncGenerator<Extent>;
  /** Fills the buffer with a block's bytes; what lies beyond the image's end is zeros. */
  readBlock(blockIndex: number, buffer: Uint8Array): Promise<void>;
  /** Throws if the image is shorter now than it was; its holes are not read, so nobody noticed. */
  checkLength(): Promise<void>;
  /** Undefined where nothing has changed since the image was opened, or nobody can tell. */
  findChange(): Promise<ImageChange | undefined>;
  close(): Promise<void>;
}

/** How to open an image. */
export interface ImageOptions {
  /** Take the bytes as they are, also where they look like another format. */
  readonly raw?: boolean | undefined;
  /** A map of the image by `qemu-img map --output=json`. */
  readonly mapPath?: string | undefined;
}

/** Bytes that any device can be read by; the step in which a device's end is looked for. */
const SECTOR_SIZE_BYTES = 512;

/** A local file or block device, open for reading, of a size that stays what it was. */
export class Image implements ImageSource {
  readonly path: string;
  readonly identity: string | undefined;
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  readonly #isDevice: boolean;
  #mapped: (() => AsyncGenerator<Extent>) | undefined;

  private constructor(
    path: string,
    handle: FileHandle,
    facts: { readonly sizeBytes: number; readonly identity: string | undefined },
  ) {
    this.path = path;
    this.#handle = handle;
    this.sizeBytes = facts.sizeBytes;
    this.identity = facts.identity;
    // A file always has one, and a device has nothing by which to know it again.
    this.#isDevice = facts.identity === undefined;
  }

  /** Opens an image. Throws a `FileError` for what is none. */
  static async open(path: string, { raw, mapPath }: ImageOptions = {}): Promise<Image> {
    const isDevice = checkKind(path, await onFile("read", path, () => stat(path)));
    const handle = await onFile("read", path, () => open(path, constants.O_RDONLY));
    try {
      // Size and identity are of one moment: whatever is written after it is found to be a change.
      const found = await onFile("read", path, () => handle.stat({ bigint: true }));
      const sizeBytes = isDevice ? await findDeviceSize(path, handle) : Number(found.size);
      checkSize(path, sizeBytes);
      const identity = isDevice ? undefined : identityOf(found);
      const image = new Image(path, handle, { sizeBytes, identity });
      if (!raw) await image.#checkIsRaw();
      if (mapPath !== undefined) image.#mapped = await readQemuMap(mapPath, sizeBytes);
      return image;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Blocks of the image, the last one perhaps partial. */
  get blockCount(): number {
    return blockCountFor(this.sizeBytes);
  }

  /**
   * The extents of blocks that hold data; undefined where that is not known, so that blocks of
   * zeros have to stand for holes.
   */
  async dataExtents(search: HoleSearch): Promise<AsyncGenerator<Extent> | undefined> {
    if (this.#mapped) return this.#mapped();
    if (search === "zero") return undefined;
    const { path, sizeBytes } = this;
    const file = { fd: this.#handle.fd, path, sizeBytes };
    // A device is all data to the system, whatever has been written to it.
    const extents = this.#isDevice ? undefined : await findDataExtents(file);
    if (extents || search === "auto") return extents;
    const message = `Cannot find the holes of ${path}: this system or file system does not tell.`;
    throw new FileError(message, { path, code: "HOLES_UNKNOWN" });
  }

  /** The whole image as one extent. */
  async *allExtents(): AsyncGenerator<Extent> {
    yield { start: 0, count: this.blockCount };
  }

  /** What became of a file since it was opened, as far as its system notes it. */
  async findChange(): Promise<ImageChange | undefined> {
    if (this.#isDevice) return undefined;
    const found = await onFile("read", this.path, () => this.#handle.stat({ bigint: true }));
    if (identityOf(found) === this.identity) return undefined;
    return { addedBytes: Math.max(0, Number(found.size) - this.sizeBytes) };
  }

  /** Fills the buffer with a block's bytes; what lies beyond the image's end is zeros. */
  async readBlock(blockIndex: number, buffer: Uint8Array): Promise<void> {
    const offset = offsetOf(blockIndex);
    const wanted = Math.min(BLOCK_SIZE_BYTES, this.sizeBytes - offset);
    let length = 0;
    while (length < wanted) {
      const { bytesRead } = await onFile("read", this.path, () =>
        this.#handle.read(buffer, length, wanted - length, offset + length),
      );
      if (bytesRead === 0) throw this.#shrank(offset + length);
      length += bytesRead;
    }
    buffer.fill(0, wanted);
  }

  /** Throws if the image is shorter now than it was; its holes are not read, so nobody noticed. */
  async checkLength(): Promise<void> {
    if (this.#isDevice) return;
    const { size } = await onFile("read", this.path, () => this.#handle.stat());
    if (size < this.sizeBytes) throw this.#shrank(size);
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #checkIsRaw(): Promise<void> {
    const head = await this.#readUpTo(HEAD_BYTES, 0);
    const footer = await this.#readUpTo(FOOTER_BYTES, this.sizeBytes - FOOTER_BYTES);
    checkIsRaw(this.path, { head, footer });
  }

  async #readUpTo(length: number, offset: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(length);
    const { bytesRead } = await onFile("read", this.path, () =>
      this.#handle.read(buffer, 0, length, Math.max(0, offset)),
    );
    return buffer.subarray(0, bytesRead);
  }

  #shrank(sizeBytes: number): FileError {
    const { path } = this;
    const message =
      `The image shrank while being read: ${path} had ${this.sizeBytes} bytes and ends at ` +
      `${sizeBytes} now.`;
    return new FileError(message, { path, code: "IMAGE_SHRANK" });
  }
}

/** Changes with every write to a file that its system notes. */
function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}

/** True for a device, false for a file; throws for what is neither. */
function checkKind(
  path: string,
  found: { isFile(): boolean; isBlockDevice(): boolean; isDirectory(): boolean },
): boolean {
  if (found.isFile()) return false;
  if (found.isBlockDevice()) return true;
  const kind = found.isDirectory() ? "it is a directory" : "it is neither a file nor a disk";
  const code = found.isDirectory() ? "EISDIR" : "NOT_AN_IMAGE";
  throw new FileError(`Cannot read ${path}: ${kind}.`, { path, code });
}

function checkSize(path: string, sizeBytes: number): void {
  if (sizeBytes === 0) {
    throw new FileError(`The image ${path} is empty.`, { path, code: "IMAGE_EMPTY" });
  }
  if (sizeBytes > VOLUME_SIZE_GIB_MAX * GIB_BYTES) {
    const message = `The image ${path} is too large for a volume of ${VOLUME_SIZE_GIB_MAX} GiB.`;
    throw new FileError(message, { path, code: "IMAGE_TOO_LARGE" });
  }
}

/** The size of a device, found by reading: the system tells it only by calls Node does not have. */
export async function findDeviceSize(path: string, handle: FileHandle): Promise<number> {
  const buffer = new Uint8Array(SECTOR_SIZE_BYTES);
  const hasSector = async (sector: number) => {
    const offset = sector * SECTOR_SIZE_BYTES;
    const { bytesRead } = await onFile("read", path, () =>
      handle.read(buffer, 0, SECTOR_SIZE_BYTES, offset),
    );
    return bytesRead > 0;
  };
  return (await countSectors(hasSector)) * SECTOR_SIZE_BYTES;
}

/** The number of sectors, when sectors are there exactly up to some last one. */
export async function countSectors(
  hasSector: (sector: number) => Promise<boolean>,
): Promise<number> {
  let [known, beyond] = [0, 1];
  // 2 ** 43 sectors are 4 PiB: far above any volume, far below where numbers lose precision.
  while (beyond < 2 ** 43 && (await hasSector(beyond - 1))) [known, beyond] = [beyond, beyond * 2];
  while (beyond - known > 1) {
    const middle = Math.floor((known + beyond) / 2);
    if (await hasSector(middle - 1)) known = middle;
    else beyond = middle;
  }
  return known;
}
