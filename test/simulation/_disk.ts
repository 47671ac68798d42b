import { pick } from "../support/property.ts";

/*
 * A disk with one folder of files, as in ../faults/disk-model.ts, but in memory, small, and with
 * errors. What was written is read back at once; what of it is there after a power cut is drawn.
 *
 * A sync that fails leaves some of what was to be synced marked as clean, as Linux does: a later
 * sync succeeds without it.
 */

/** What a power cut leaves of what was not synced: nothing, any of it torn, or the first of it. */
const LOSSES = ["all", "torn", "prefix"] as const;
/**
 * Bytes that are written as a whole or not at all. A disk's are 512 or 4,096; here records take
 * about a hundred, so that they would hardly ever be torn by such sectors.
 */
const SECTOR_BYTES = 64;

interface Change {
  readonly offset: number;
  /** Undefined where the file was cut or grown to `offset`. */
  readonly bytes: Buffer | undefined;
  /** The disk failed to take it, and it is not tried again. */
  isLost: boolean;
}

/** A file of such a disk; it lasts while it is open, whatever becomes of its name. */
export class DiskFile {
  durable: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  contents: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  pending: Change[] = [];

  write(offset: number, bytes: Buffer): void {
    this.#change({ offset, bytes, isLost: false });
  }

  truncate(length: number): void {
    this.#change({ offset: length, bytes: undefined, isLost: false });
  }

  #change(change: Change): void {
    this.contents = changed(this.contents, [change]);
    this.pending.push(change);
  }

  sync(): void {
    this.durable = changed(
      this.durable,
      this.pending.filter(({ isLost }) => !isLost),
    );
    this.pending = [];
  }

  failToSync(fraction: () => number): void {
    for (const change of this.pending) change.isLost ||= fraction() < 0.5;
  }

  losePower(fraction: () => number): void {
    const loss = LOSSES[pick(fraction, LOSSES.length)];
    const end = loss === "all" ? 0 : pick(fraction, this.pending.length + 1);
    const left = this.pending
      .filter(({ isLost }, i) => !isLost && (loss === "torn" ? fraction() < 0.5 : i < end))
      .flatMap((change) => torn(change, fraction));
    this.durable = changed(this.durable, left);
    this.contents = this.durable;
    this.pending = [];
  }

  /** Changes one bit of what lies there, for good. */
  rot(fraction: () => number): void {
    const bit = pick(fraction, this.contents.length * 8);
    for (const bytes of new Set([this.durable, this.contents])) flip(bytes, bit);
  }
}

/** Changes one bit, where there is one. */
export function flip(bytes: Uint8Array, bit: number): void {
  const byte = bytes[bit >> 3];
  if (byte !== undefined) bytes[bit >> 3] = byte ^ (1 << (bit & 7));
}

/** Some sectors of a write; or the file as cut, or not. */
function torn(change: Change, fraction: () => number): Change[] {
  const { offset, bytes } = change;
  if (bytes === undefined || fraction() < 0.5) return [change];
  const parts: Change[] = [];
  const end = offset + bytes.length;
  for (let start = offset; start < end; ) {
    const next = Math.min(end, (Math.floor(start / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    const part = bytes.subarray(start - offset, next - offset);
    if (fraction() < 0.5) parts.push({ offset: start, bytes: part, isLost: false });
    start = next;
  }
  return parts;
}

/** The contents after these changes, in a buffer of their own. */
function changed(before: Buffer, changes: readonly Change[]): Buffer {
  let contents = Buffer.from(before);
  for (const { offset, bytes } of changes) {
    const length = bytes ? Math.max(contents.length, offset + bytes.length) : offset;
    if (length < contents.length) contents = contents.subarray(0, length);
    else if (length > contents.length) {
      contents = Buffer.concat([contents, Buffer.alloc(length - contents.length)]);
    }
    bytes?.copy(contents, offset);
  }
  return contents;
}

/** A folder on such a disk. */
export class Disk {
  names = new Map<string, DiskFile>();
  /** What was read last, of each length. */
  readonly lastRead = new Map<number, Buffer>();
  #durable = new Map<string, DiskFile>();
  /** Names made and removed since the folder was synced. */
  #pending: { readonly name: string; readonly file: DiskFile | undefined }[] = [];

  create(name: string): DiskFile {
    const file = new DiskFile();
    this.#rename(name, file);
    return file;
  }

  unlink(name: string): void {
    this.#rename(name, undefined);
  }

  #rename(name: string, file: DiskFile | undefined): void {
    setName(this.names, name, file);
    this.#pending.push({ name, file });
  }

  sync(): void {
    for (const { name, file } of this.#pending) setName(this.#durable, name, file);
    this.#pending = [];
  }

  /** Files and names forget independently of each other what was not synced. */
  losePower(fraction: () => number): void {
    for (const { name, file } of this.#pending) {
      if (fraction() < 0.5) setName(this.#durable, name, file);
    }
    this.#pending = [];
    this.names = new Map(this.#durable);
    for (const file of this.names.values()) file.losePower(fraction);
  }

  /** A disk with the same files, all of them durable, that goes its own way. */
  fork(): Disk {
    const disk = new Disk();
    for (const [name, { contents }] of this.names) {
      disk.create(name).write(0, Buffer.from(contents));
    }
    for (const file of disk.names.values()) file.sync();
    disk.sync();
    return disk;
  }
}

function setName(names: Map<string, DiskFile>, name: string, file: DiskFile | undefined): void {
  if (file) names.set(name, file);
  else names.delete(name);
}
