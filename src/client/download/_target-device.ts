import { constants, type FileHandle, open, stat } from "node:fs/promises";
import { FileError } from "../errors.ts";
import { onFile } from "../image/file-errors.ts";
import { findDeviceSize } from "../image/image.ts";
import type { BlockTarget, TargetOptions } from "./_target.ts";
import { readFully, writeFully } from "./_target-io.ts";

/** A block device, written in place: it has no other name to be written under. */
export class TargetDevice implements BlockTarget {
  readonly partPath: string;
  readonly isFresh: boolean;
  readonly isResumed: boolean;
  readonly #handle: FileHandle;
  #hasWritten = false;

  private constructor(
    path: string,
    handle: FileHandle,
    { isFresh, isResumed }: { readonly isFresh: boolean; readonly isResumed: boolean },
  ) {
    this.partPath = path;
    this.#handle = handle;
    this.isFresh = isFresh;
    this.isResumed = isResumed;
  }

  /** Opens a device. Throws a `FileError` for one that is in use, or too small. */
  static async open(
    path: string,
    options: TargetOptions & { readonly targetIsZero: boolean },
  ): Promise<TargetDevice> {
    const { sizeBytes, force, onto, earlier, noteTarget, targetIsZero } = options;
    const { rdev } = await onFile("write", path, () => stat(path));
    const identity = `device ${rdev}`;
    const isResumed = earlier === identity;
    if (!force && !onto && !isResumed) {
      const message = `All that is on the device ${path} would be lost.`;
      throw new FileError(message, { path, code: "TARGET_EXISTS" });
    }
    // With O_EXCL the system refuses a device that is mounted or otherwise in use.
    const flags = constants.O_RDWR | constants.O_EXCL;
    const handle = await onFile("write", path, () => open(path, flags));
    try {
      const deviceBytes = await findDeviceSize(path, handle);
      if (deviceBytes < sizeBytes) throw tooSmall(path, deviceBytes, sizeBytes);
      await noteTarget(identity);
      return new TargetDevice(path, handle, { isFresh: targetIsZero && !onto, isResumed });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get hasWritten(): boolean {
    return this.#hasWritten;
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    this.#hasWritten = true;
    return writeFully({ handle: this.#handle, path: this.partPath }, bytes, offset);
  }

  read(buffer: Uint8Array, offset: number): Promise<void> {
    return readFully({ handle: this.#handle, path: this.partPath }, buffer, offset);
  }

  async dataExtents(): Promise<undefined> {
    return undefined;
  }

  /** Blocks hold something beyond the length that the device was measured by. */
  async resize(sizeBytes: number): Promise<void> {
    const deviceBytes = await findDeviceSize(this.partPath, this.#handle);
    if (deviceBytes < sizeBytes) throw tooSmall(this.partPath, deviceBytes, sizeBytes);
  }

  async sync(): Promise<void> {
    await onFile("write", this.partPath, () => this.#handle.datasync());
  }

  async finish(): Promise<void> {
    await onFile("write", this.partPath, () => this.#handle.sync());
    await this.#handle.close();
  }

  async keep(): Promise<void> {
    await this.#handle.close();
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }
}

function tooSmall(path: string, deviceBytes: number, neededBytes: number): FileError {
  const message = `The device ${path} has ${deviceBytes} bytes; the image has ${neededBytes}.`;
  return new FileError(message, { path, code: "TARGET_TOO_SMALL" });
}
