import { forEachConcurrent } from "../../base/concurrency.ts";
import { freeMemory } from "../../base/free-memory.ts";
import { CONCURRENCY_DEFAULT } from "../../model/defaults.ts";
import { ZERO_BLOCK_CHECKSUM } from "../../model/digest.ts";
import { type Extent, joinExtents } from "../../model/extent.ts";
import { blockCountFor, offsetOf } from "../../model/geometry.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import type { GetSnapshotBlockResponse } from "../../wire/get-snapshot-block.ts";
import { getSnapshotBlock } from "../api/ebs-operations.ts";
import type { Client } from "../call/client.ts";
import { checksumOfBytes } from "../call/node-crypto.ts";
import { FileError } from "../errors.ts";
import type { DownloadLog } from "./_download-log.ts";
import type { PlannedDownload } from "./_download-plan.ts";
import { isDamage } from "./_salvage.ts";
import type { BlockTarget } from "./_target.ts";
import type { DownloadOptions, DownloadProgress } from "./download-options.ts";

/** What a download under way works with. */
export interface DownloadParts {
  readonly client: Client;
  readonly options: DownloadOptions;
  readonly target: BlockTarget;
  readonly log: DownloadLog;
  /** Length of the image as it was noted, or the volume's. */
  readonly notedBytes: number;
  readonly volumeBytes: number;
  /** Where blocks are lost that the listing has no name for; grows as it is read. */
  readonly lost: Extent[];
}

/** One download under way. */
export class DownloadRun {
  readonly #parts: DownloadParts;
  readonly #freeBuffers: Uint8Array[] = [];
  readonly #zeros = new Uint8Array(BLOCK_SIZE_BYTES);
  readonly #bad: Extent[] = [];
  #imageBytes: number;
  #blocksDone = 0;
  #blocksReceived = 0;
  #blocksWritten = 0;
  #blocksKept = 0;
  #blocksInFlight = 0;
  #retries = 0;

  constructor(parts: DownloadParts) {
    this.#parts = parts;
    this.#imageBytes = parts.notedBytes;
  }

  /** Length of the image: the noted one until a block holds something beyond it. */
  get imageBytes(): number {
    return this.#imageBytes;
  }

  /** Where blocks could not be read, ascending. */
  get badExtents(): Extent[] {
    return joinExtents([...this.#bad, ...this.#parts.lost]);
  }

  async run(plan: AsyncIterable<PlannedDownload>): Promise<void> {
    const { options, target, notedBytes } = this.#parts;
    const { signal, concurrency = CONCURRENCY_DEFAULT } = options;
    await forEachConcurrent(plan, concurrency, (block) => this.#settle(block));
    signal?.throwIfAborted();
    // An older restore has its own length until then.
    if (this.#imageBytes !== notedBytes || !target.isFresh) await target.resize(this.#imageBytes);
    this.#report(this.progress().blocksTotal);
  }

  progress(): DownloadProgress {
    return {
      blocksTotal: blockCountFor(this.#imageBytes),
      blocksDone: this.#blocksDone,
      blocksReceived: this.#blocksReceived,
      blocksWritten: this.#blocksWritten,
      blocksKept: this.#blocksKept,
      bytesReceived: offsetOf(this.#blocksReceived),
      blocksInFlight: this.#blocksInFlight,
      retries: this.#retries,
    };
  }

  async #settle(block: PlannedDownload): Promise<void> {
    this.#parts.options.signal?.throwIfAborted();
    this.#blocksInFlight += 1;
    try {
      if (block.token === undefined) await this.#clear(block.blockIndex);
      else await this.#transfer(block, block.token);
    } finally {
      this.#blocksInFlight -= 1;
    }
    // Blocks before it may still be under way: all are done only when the last has settled.
    this.#report(Math.min(block.blockIndex + 1, this.progress().blocksTotal - 1));
  }

  /** Makes zeros of what the image has where the snapshot has a hole. */
  async #clear(blockIndex: number): Promise<void> {
    if ((await this.#localChecksum(blockIndex)) === ZERO_BLOCK_CHECKSUM) return;
    await this.#write(this.#zeros, offsetOf(blockIndex));
  }

  async #transfer(block: PlannedDownload, token: string): Promise<void> {
    const { blockIndex, trust } = block;
    const { log } = this.#parts;
    const known = log.kept.get(blockIndex) ?? block.checksum;
    // Noted or not: what counts is what is there.
    const isThere =
      trust === "believed" ||
      (known !== undefined && (await this.#localChecksum(blockIndex)) === known);
    if (isThere) {
      this.#blocksKept += 1;
      return;
    }
    const received = await this.#receive(blockIndex, token);
    if (!received) return;
    this.#blocksReceived += 1;
    await this.#take(block, received, known !== undefined);
    freeMemory(received.BlockData);
    const sync = () => this.#parts.target.sync();
    await log.noteBlock([blockIndex, received.Checksum], sync);
  }

  async #receive(blockIndex: number, token: string): Promise<GetSnapshotBlockResponse | undefined> {
    const { client, options } = this.#parts;
    const { snapshotId, signal, salvage } = options;
    const onRetry = () => {
      this.#retries += 1;
      this.#report(0);
    };
    try {
      return await getSnapshotBlock(client, blockIndex, snapshotId, token, { signal, onRetry });
    } catch (error) {
      if (!salvage || !isDamage(error)) throw error;
      this.#bad.push({ start: blockIndex, count: 1 });
      const { isFresh, isResumed } = this.#parts.target;
      if (!isFresh || isResumed) await this.#clear(blockIndex);
      return undefined;
    }
  }

  async #take(
    { blockIndex, trust }: PlannedDownload,
    { BlockData, Checksum }: GetSnapshotBlockResponse,
    isKnownToDiffer: boolean,
  ): Promise<void> {
    const { target } = this.#parts;
    const offset = offsetOf(blockIndex);
    const length = this.#imageLengthIn(BlockData, offset);
    if (target.isFresh) {
      if (Checksum === ZERO_BLOCK_CHECKSUM && !isKnownToDiffer) return;
    } else if (!isKnownToDiffer && (await this.#localChecksum(blockIndex)) === Checksum) return;
    if (trust === "sampled") throw this.#notARestore(blockIndex);
    await this.#write(BlockData.subarray(0, length), offset);
  }

  #notARestore(blockIndex: number): FileError {
    const { path, baseSnapshotId } = this.#parts.options;
    const message =
      `${path} is no restore of ${baseSnapshotId}: its block ${blockIndex} is another. ` +
      "Without --base, each block is received and compared.";
    return new FileError(message, { path, code: "BASE_DIFFERS" });
  }

  async #write(bytes: Uint8Array, offset: number): Promise<void> {
    const length = Math.max(0, Math.min(bytes.length, this.#imageBytes - offset));
    if (length === 0) return;
    await this.#parts.target.write(bytes.subarray(0, length), offset);
    this.#blocksWritten += 1;
  }

  /** Checksum of what the image has there, filled up with zeros to a block. */
  async #localChecksum(blockIndex: number): Promise<string> {
    const buffer = this.#freeBuffers.pop() ?? new Uint8Array(BLOCK_SIZE_BYTES);
    try {
      const offset = offsetOf(blockIndex);
      const length = Math.max(0, Math.min(BLOCK_SIZE_BYTES, this.#imageBytes - offset));
      await this.#parts.target.read(buffer.subarray(0, length), offset);
      buffer.fill(0, length);
      return checksumOfBytes(buffer);
    } finally {
      this.#freeBuffers.push(buffer);
    }
  }

  /**
   * How many of a block's bytes belong to the image. Beyond the end of an uploaded image there are
   * only zeros: its last block is filled up with them, and they are written over what a longer
   * parent has. Anything else shows that the noted length is wrong, and nothing may be left out.
   */
  #imageLengthIn(bytes: Uint8Array, offset: number): number {
    const length = Math.max(0, this.#imageBytes - offset);
    if (length >= bytes.length || isZeros(bytes.subarray(length))) return length;
    this.#imageBytes = this.#parts.volumeBytes;
    return bytes.length;
  }

  #report(blocksDone: number): void {
    this.#blocksDone = Math.max(this.#blocksDone, blocksDone);
    this.#parts.options.onProgress?.(this.progress());
  }
}

/** True where all bytes are zeros. */
export function isZeros(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
