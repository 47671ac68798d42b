import { link, mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type Entry,
  type Placement,
  RangeMissingError,
  type SegmentInfo,
  type SegmentStore,
} from "../../src/segments/segment-store.ts";

/**
 * Segments in a folder that several processes share, as they share a bucket: each batch is one file
 * that appears whole or not at all, never takes the place of another, and never changes.
 */
export class SharedSegments implements SegmentStore {
  readonly #folder: string;
  readonly #nextNumber: () => Promise<number>;

  constructor(folder: string, nextNumber: () => Promise<number>) {
    this.#folder = folder;
    this.#nextNumber = nextNumber;
  }

  async append(batch: readonly Entry[]): Promise<Placement[]> {
    await mkdir(this.#folder, { recursive: true });
    const segment = await this.#nextNumber();
    let offset = 0;
    const placements = batch.map((entry) => {
      const length = entry.reduce((sum, piece) => sum + piece.length, 0);
      const placement = { segment, offset, length };
      offset += length;
      return placement;
    });
    const partial = join(this.#folder, `${segment}.${process.pid}.partial`);
    const file = await open(partial, "wx");
    try {
      await file.writeFile(Buffer.concat(batch.flat()));
      await file.datasync();
    } finally {
      await file.close();
    }
    await link(partial, this.#pathOf(segment));
    await rm(partial);
    return placements;
  }

  async read({ segment, offset, length }: Placement): Promise<Uint8Array> {
    const bytes = await readFile(this.#pathOf(segment)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") throw cause;
      throw new RangeMissingError(`Segment ${segment} is missing`, { cause });
    });
    if (bytes.length >= offset + length) return bytes.subarray(offset, offset + length);
    throw new RangeMissingError(`Segment ${segment} ends before offset ${offset + length}`);
  }

  async list(): Promise<SegmentInfo[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const numbers = names.flatMap((name) => /^(\d+)\.segment$/.exec(name)?.[1] ?? []).map(Number);
    const infos: SegmentInfo[] = [];
    for (const segment of numbers.sort((a, b) => a - b)) {
      const found = await stat(this.#pathOf(segment)).catch(() => undefined);
      if (found) infos.push({ segment, sizeBytes: found.size, firstOffset: 0, isClosed: true });
    }
    return infos;
  }

  async remove(segment: number): Promise<void> {
    await rm(this.#pathOf(segment), { force: true });
  }

  async close(): Promise<void> {}

  #pathOf(segment: number): string {
    return join(this.#folder, `${segment}.segment`);
  }
}
