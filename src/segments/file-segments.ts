import { type FileHandle, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import { byteLengthOf } from "../base/bytes.ts";
import { OpenFiles } from "./_open-files.ts";
import {
  newerVersionOf,
  SEGMENT_FORMAT_VERSION,
  SEGMENT_HEADER_BYTES,
  segmentHeader,
  segmentName,
  segmentNumber,
} from "./_segment-header.ts";
import { writeAll } from "./_write-all.ts";
import {
  type Entry,
  type Placement,
  RangeMissingError,
  type SegmentInfo,
  type SegmentStore,
} from "./segment-store.ts";

/*
 * One file per segment, named by its number: segments/0000000001.segment. A process never appends
 * to a file that an earlier process wrote: it begins a new one with its first append. So a torn
 * tail is never written over, and whatever follows the last whole record of a file is garbage.
 */

export { SEGMENT_FORMAT_VERSION, SEGMENT_HEADER_BYTES };

const OPEN_FILES_MAX = 64;
/**
 * Segments whose headers are looked at when a folder is opened, the newest (ours): a newer Varve
 * that was there wrote one of them, unless it died as it began each of so many.
 */
const SEGMENTS_LOOKED_AT = 4;

/** Options of `FileSegments.open`. */
export interface FileSegmentsOptions {
  /** Folder for the segment files; made if missing, in a folder that must be there. */
  readonly directory: string;
  /** Size in bytes above which the next append begins a new segment. */
  readonly segmentSizeBytesMax: number;
}

interface ActiveSegment {
  readonly segment: number;
  readonly file: FileHandle;
  sizeBytes: number;
}

/** Segments as files of one folder, synced with fdatasync before an append resolves. */
export class FileSegments implements SegmentStore {
  readonly #directory: string;
  readonly #segmentSizeBytesMax: number;
  readonly #openFiles: OpenFiles;
  #active: ActiveSegment | undefined;
  #nextSegment: number;
  #appending: Promise<unknown> | undefined;

  private constructor(options: FileSegmentsOptions, nextSegment: number) {
    this.#directory = options.directory;
    this.#segmentSizeBytesMax = options.segmentSizeBytesMax;
    this.#nextSegment = nextSegment;
    this.#openFiles = new OpenFiles(OPEN_FILES_MAX, (segment) => this.#pathOf(segment));
  }

  /** Opens the folder, making it if needed. Throws when a newer Varve wrote there. */
  static async open(options: FileSegmentsOptions): Promise<FileSegments> {
    await mkdir(options.directory, { mode: 0o700 }).catch(toleratingExisting);
    await syncDirectory(join(options.directory, ".."));
    const numbers = await segmentNumbers(options.directory);
    for (const segment of numbers.slice(-SEGMENTS_LOOKED_AT)) {
      await refuseNewer(join(options.directory, segmentName(segment)), segment);
    }
    return new FileSegments(options, (numbers.at(-1) ?? 0) + 1);
  }

  async append(batch: readonly Entry[]): Promise<Placement[]> {
    assert(this.#appending === undefined, "only one append is in progress at a time");
    const appending = this.#append(batch);
    this.#appending = appending.catch(() => undefined);
    try {
      return await appending;
    } finally {
      this.#appending = undefined;
    }
  }

  async #append(batch: readonly Entry[]): Promise<Placement[]> {
    const active = await this.#writableSegment();
    const placements: Placement[] = [];
    let offset = active.sizeBytes;
    for (const entry of batch) {
      const length = byteLengthOf(entry);
      placements.push({ segment: active.segment, offset, length });
      offset += length;
    }
    try {
      await writeAll(active.file, batch.flat(), active.sizeBytes);
      await active.file.datasync();
    } catch (error) {
      // After a failed write or sync nobody knows what the disk holds. The segment is never
      // appended to again; what it already holds stays readable.
      await this.#abandonActive();
      throw error;
    }
    active.sizeBytes = offset;
    return placements;
  }

  /** The segment to append to: the active one while it has room, else a new one. */
  async #writableSegment(): Promise<ActiveSegment> {
    if (this.#active && this.#active.sizeBytes < this.#segmentSizeBytesMax) return this.#active;
    await this.#retireActive();
    const segment = this.#nextSegment++;
    const file = await open(this.#pathOf(segment), "wx+", 0o600);
    try {
      await writeAll(file, [segmentHeader(segment)], 0);
      await file.datasync();
      await syncDirectory(this.#directory);
    } catch (error) {
      await file.close();
      await unlink(this.#pathOf(segment)).catch(() => undefined);
      throw error;
    }
    this.#active = { segment, file, sizeBytes: SEGMENT_HEADER_BYTES };
    return this.#active;
  }

  /**
   * Gives back the room that a failed batch took, as far as the disk lets us: on a full one, every
   * attempt would else leave its torn tail. What was acknowledged is before that and stays.
   */
  async #abandonActive(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    if (!active) return;
    await active.file.truncate(active.sizeBytes).catch(() => undefined);
    await active.file.close();
    if (active.sizeBytes > SEGMENT_HEADER_BYTES) return;
    await unlink(this.#pathOf(active.segment)).catch(() => undefined);
  }

  async #retireActive(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    await active?.file.close();
  }

  async read(placement: Placement, buffer?: Uint8Array): Promise<Uint8Array> {
    const { segment, length } = placement;
    const isRoomy = buffer !== undefined && buffer.length >= length;
    const bytes = isRoomy ? buffer.subarray(0, length) : Buffer.allocUnsafeSlow(length);
    try {
      await this.#openFiles.with(segment, (file) => fill(bytes, file, placement));
      return bytes;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
      throw new RangeMissingError(`Segment ${segment} is missing`, { cause });
    }
  }

  async list(): Promise<SegmentInfo[]> {
    const numbers = await segmentNumbers(this.#directory);
    const found = await Promise.all(numbers.map((segment) => this.#infoOf(segment)));
    return found.filter((info) => info !== undefined);
  }

  async #infoOf(segment: number): Promise<SegmentInfo | undefined> {
    const active = this.#active?.segment === segment ? this.#active : undefined;
    const sizeBytes = active?.sizeBytes ?? (await this.#sizeOf(segment));
    if (sizeBytes === undefined) return undefined;
    return { segment, sizeBytes, firstOffset: SEGMENT_HEADER_BYTES, isClosed: !active };
  }

  /** Undefined when it was removed since its folder was read. */
  async #sizeOf(segment: number): Promise<number | undefined> {
    const found = await stat(this.#pathOf(segment)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    return found?.size;
  }

  async remove(segment: number): Promise<void> {
    assert(this.#active?.segment !== segment, `segment ${segment} is still appended to`);
    await unlink(this.#pathOf(segment)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    // Not before: a reader who comes late would open it again, and its room would stay taken.
    await this.#openFiles.forget(segment);
    await syncDirectory(this.#directory);
  }

  async close(): Promise<void> {
    await this.#appending;
    await this.#retireActive();
    await this.#openFiles.close();
  }

  #pathOf(segment: number): string {
    return join(this.#directory, segmentName(segment));
  }
}

/**
 * Throws when that segment is of a later format. Asked when the folder is opened, and never before
 * a record is read: records are verified by their hashes, and damage to a header must not cost what
 * lies behind it.
 */
async function refuseNewer(path: string, segment: number): Promise<void> {
  const version = await newerVersionAt(path, segment);
  // A disk that read at a wrong place once is not to keep a whole store from being opened.
  if (version === undefined || version !== (await newerVersionAt(path, segment))) return;
  const known = `this Varve reads up to ${SEGMENT_FORMAT_VERSION}`;
  throw new Error(
    `Segment ${segment} has version ${version}; ${known}. Start the newer Varve that wrote it.`,
  );
}

async function newerVersionAt(path: string, segment: number): Promise<number | undefined> {
  // A file that cannot be read, or is too short, is left to whoever wants a record in it.
  const header = await readHeader(path, segment).catch(() => undefined);
  return header && newerVersionOf(header, segment);
}

async function readHeader(path: string, segment: number): Promise<Uint8Array> {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const file = await open(path, "r");
  try {
    await fill(header, file, { segment, offset: 0, length: header.length });
    return header;
  } finally {
    await file.close();
  }
}

function toleratingExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

/** Reads the whole range; the kernel may answer a read in parts. */
async function fill(bytes: Uint8Array, file: FileHandle, placement: Placement): Promise<void> {
  let filled = 0;
  while (filled < placement.length) {
    const left = placement.length - filled;
    const { bytesRead } = await file.read(bytes, filled, left, placement.offset + filled);
    if (bytesRead === 0) {
      const end = placement.offset + placement.length;
      throw new RangeMissingError(`Segment ${placement.segment} ends before offset ${end}`);
    }
    filled += bytesRead;
  }
}

/** Ascending numbers of the segment files in a folder; other files are left alone. */
async function segmentNumbers(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names
    .map(segmentNumber)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}

/** Makes the names in a folder durable: a synced file without its name is lost all the same. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
