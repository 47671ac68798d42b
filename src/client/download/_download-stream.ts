import { CONCURRENCY_DEFAULT } from "../../model/defaults.ts";
import { blockCountFor, offsetOf } from "../../model/geometry.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import type { Block } from "../../wire/list-snapshot-blocks.ts";
import { getSnapshotBlock } from "../api/ebs-operations.ts";
import type { Client } from "../call/client.ts";
import { FileError } from "../errors.ts";
import { inTime } from "../image/in-time.ts";
import { isZeros } from "./_download-run.ts";
import type { ByteSink, DownloadOptions, DownloadProgress } from "./download-options.ts";

/** Milliseconds in which nobody takes what is written before it is given up: ten minutes. */
const IDLE_MS_MAX = 10 * 60_000;

/** What a download to a stream works with. */
export interface StreamParts {
  readonly client: Client;
  readonly options: DownloadOptions;
  readonly sink: ByteSink;
  readonly notedBytes: number;
  readonly volumeBytes: number;
}

/**
 * A download that is written in order, holes as zeros, as a pipe needs it. Blocks are received
 * ahead of the one that is written, as many as are under way at once.
 */
export class StreamDownload {
  readonly #parts: StreamParts;
  readonly #zeros = new Uint8Array(BLOCK_SIZE_BYTES);
  #imageBytes: number;
  #position = 0;
  #blocksReceived = 0;
  #blocksInFlight = 0;
  #retries = 0;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#imageBytes = parts.notedBytes;
  }

  get imageBytes(): number {
    return this.#imageBytes;
  }

  async run(blocks: AsyncIterable<Block>): Promise<void> {
    const { concurrency = CONCURRENCY_DEFAULT } = this.#parts.options;
    const line: { readonly index: number; readonly data: Promise<Uint8Array> }[] = [];
    const writeFirst = async () => {
      const first = line.shift();
      if (first) await this.#writeBlock(first.index, await first.data);
    };
    try {
      for await (const block of blocks) {
        const data = this.#receive(block);
        // Heard when its turn comes.
        data.catch(() => undefined);
        line.push({ index: block.BlockIndex, data });
        if (line.length >= concurrency) await writeFirst();
      }
      while (line.length > 0) await writeFirst();
    } finally {
      await Promise.allSettled(line.map(({ data }) => data));
    }
    await this.#writeZeros(this.#imageBytes);
  }

  progress(): DownloadProgress {
    return {
      blocksTotal: blockCountFor(this.#imageBytes),
      blocksDone: blockCountFor(this.#position),
      blocksReceived: this.#blocksReceived,
      blocksWritten: blockCountFor(this.#position),
      blocksKept: 0,
      bytesReceived: offsetOf(this.#blocksReceived),
      blocksInFlight: this.#blocksInFlight,
      retries: this.#retries,
    };
  }

  async #receive({ BlockIndex, BlockToken }: Block): Promise<Uint8Array> {
    const { client, options } = this.#parts;
    const { snapshotId, signal } = options;
    const onRetry = () => {
      this.#retries += 1;
      this.#report();
    };
    this.#blocksInFlight += 1;
    try {
      const call = { signal, onRetry };
      const { BlockData } = await getSnapshotBlock(
        client,
        BlockIndex,
        snapshotId,
        BlockToken,
        call,
      );
      this.#blocksReceived += 1;
      // Also while nobody takes what is written.
      this.#report();
      return BlockData;
    } finally {
      this.#blocksInFlight -= 1;
    }
  }

  async #writeBlock(blockIndex: number, bytes: Uint8Array): Promise<void> {
    const offset = offsetOf(blockIndex);
    const length = Math.max(0, this.#imageBytes - offset);
    // Something beyond the noted length shows that it is wrong, and nothing may be left out.
    if (!isZeros(bytes.subarray(length))) this.#imageBytes = this.#parts.volumeBytes;
    await this.#writeZeros(Math.min(offset, this.#imageBytes));
    const own = bytes.subarray(0, Math.max(0, this.#imageBytes - offset));
    if (own.length > 0) await this.#write(own);
  }

  async #writeZeros(upTo: number): Promise<void> {
    while (this.#position < upTo) {
      await this.#write(this.#zeros.subarray(0, Math.min(upTo - this.#position, BLOCK_SIZE_BYTES)));
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { sink, client, options } = this.#parts;
    const { path, signal } = options;
    const taken = new Promise<void>((resolve, reject) => {
      sink.write(bytes, (error) => (error ? reject(cannotWrite(path, error)) : resolve()));
    });
    await inTime(taken, {
      clock: client.clock,
      limitMs: IDLE_MS_MAX,
      signal,
      late: () => {
        const message = `Nobody has taken what is written to ${path} for ten minutes.`;
        return new FileError(message, { path, code: "STREAM_IDLE" });
      },
    });
    this.#position += bytes.length;
    this.#report();
  }

  #report(): void {
    this.#parts.options.onProgress?.(this.progress());
  }
}

function cannotWrite(path: string, cause: Error): FileError {
  const code = "code" in cause ? String(cause.code) : "EIO";
  return new FileError(`Cannot write to ${path}: ${cause.message}.`, { path, code, cause });
}
