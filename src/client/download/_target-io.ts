import type { FileHandle } from "node:fs/promises";
import { FileError } from "../errors.ts";
import { onFile } from "../image/file-errors.ts";

/** Writes all of the bytes at that offset. `path` is what errors call the file. */
export async function writeFully(
  { handle, path }: { readonly handle: FileHandle; readonly path: string },
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  let length = 0;
  while (length < bytes.length) {
    // On a disk that fills up, the system writes what fits and says so only by the count.
    const { bytesWritten } = await onFile("write", path, () =>
      handle.write(bytes, length, bytes.length - length, offset + length),
    );
    if (bytesWritten === 0) {
      const message = `Cannot write ${path}: the system takes no more bytes.`;
      throw new FileError(message, { path, code: "ENOSPC" });
    }
    length += bytesWritten;
  }
}

/** Fills the buffer with what is at that offset, and with zeros from the end on. */
export async function readFully(
  { handle, path }: { readonly handle: FileHandle; readonly path: string },
  buffer: Uint8Array,
  offset: number,
): Promise<void> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await onFile("read", path, () =>
      handle.read(buffer, length, buffer.length - length, offset + length),
    );
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  buffer.fill(0, length);
}
