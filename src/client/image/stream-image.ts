import type { Clock } from "../../base/clock.ts";
import type { Extent } from "../../model/extent.ts";
import { blockCountFor, blockCountOf } from "../../model/geometry.ts";
import { BLOCK_SIZE_BYTES, GIB_BYTES } from "../../model/limits.ts";
import { FileError } from "../errors.ts";
import { checkIsRaw, HEAD_BYTES } from "./_image-format.ts";
import type { ImageSource } from "./image.ts";
import { inTime } from "./in-time.ts";

/** Milliseconds in which nothing at all comes of a stream before it is given up: ten minutes. */
const IDLE_MS_MAX = 10 * 60_000;

/** What an image is read from, piece by piece, as from standard input. */
export type ByteStream = AsyncIterable<Uint8Array> & { readonly destroy?: () => unknown };

/** How to read a stream as an image. */
export interface StreamImageOptions {
  /** What errors call it. */
  readonly path: string;
  readonly stream: ByteStream;
  /** GiB; the stream may end earlier, but not later. */
  readonly volumeSizeGib: number;
  readonly raw?: boolean | undefined;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * An image that comes as a stream: its blocks are read once, in their order, and its size is known
 * at its end. Blocks read and not yet taken are kept, so whoever plans them bounds the memory.
 */
export class StreamImage implements ImageSource {
  readonly path: string;
  readonly identity = undefined;
  readonly #options: StreamImageOptions;
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #waiting = new Map<number, Uint8Array>();
  #rest: Uint8Array = new Uint8Array(0);
  #receivedBytes = 0;
  #hasEnded = false;

  private constructor(options: StreamImageOptions) {
    this.path = options.path;
    this.#options = options;
    this.#pieces = options.stream[Symbol.asyncIterator]();
  }

  /** Waits for the first block. Throws a `FileError` where none comes, or no raw image. */
  static async open(options: StreamImageOptions): Promise<StreamImage> {
    const image = new StreamImage(options);
    const first = await image.#nextBlock();
    if (first === undefined) {
      const { path } = image;
      throw new FileError(`The image ${path} is empty.`, { path, code: "IMAGE_EMPTY" });
    }
    const head = first.subarray(0, HEAD_BYTES);
    if (!options.raw) checkIsRaw(image.path, { head, footer: undefined });
    image.#waiting.set(0, first);
    return image;
  }

  get sizeBytes(): number | undefined {
    return this.#hasEnded ? this.#receivedBytes : undefined;
  }

  get blockCount(): number {
    if (this.#hasEnded) return blockCountFor(this.#receivedBytes);
    return blockCountOf(this.#options.volumeSizeGib);
  }

  async dataExtents(): Promise<undefined> {
    return undefined;
  }

  /** Reads on with each block that is asked for. */
  async *allExtents(): AsyncGenerator<Extent> {
    yield { start: 0, count: 1 };
    for (let start = 1; ; start++) {
      const block = await this.#nextBlock();
      if (block === undefined) return;
      this.#waiting.set(start, block);
      yield { start, count: 1 };
    }
  }

  async readBlock(blockIndex: number, buffer: Uint8Array): Promise<void> {
    const block = this.#waiting.get(blockIndex);
    if (!block) throw new Error(`Block ${blockIndex} of a stream is read once, in its order`);
    this.#waiting.delete(blockIndex);
    buffer.set(block);
    buffer.fill(0, block.length);
  }

  async checkLength(): Promise<void> {}

  async findChange(): Promise<undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    this.#waiting.clear();
    // A producer that hangs must not keep us: neither it nor the process that reads it.
    this.#options.stream.destroy?.();
    this.#pieces.return?.().catch(() => undefined);
  }

  async #nextBlock(): Promise<Uint8Array | undefined> {
    const block = new Uint8Array(BLOCK_SIZE_BYTES);
    let length = 0;
    while (length < BLOCK_SIZE_BYTES) {
      if (this.#rest.length === 0 && !(await this.#receive())) break;
      const part = this.#rest.subarray(0, BLOCK_SIZE_BYTES - length);
      block.set(part, length);
      length += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return length === 0 ? undefined : block.subarray(0, length);
  }

  /** Takes the next piece; false at the end. */
  async #receive(): Promise<boolean> {
    const { path, clock, volumeSizeGib, signal } = this.#options;
    if (this.#hasEnded) return false;
    const { done, value } = await inTime(this.#pieces.next(), {
      clock,
      limitMs: IDLE_MS_MAX,
      signal,
      late: () => {
        const message = `Nothing has come from ${path} for ${IDLE_MS_MAX / 60_000} min.`;
        return new FileError(message, { path, code: "STREAM_IDLE" });
      },
    });
    if (done) {
      this.#hasEnded = true;
      return false;
    }
    this.#rest = value;
    this.#receivedBytes += value.length;
    if (this.#receivedBytes <= volumeSizeGib * GIB_BYTES) return true;
    const message = `What comes from ${path} is longer than the volume of ${volumeSizeGib} GiB.`;
    throw new FileError(message, { path, code: "STREAM_TOO_LONG" });
  }
}
