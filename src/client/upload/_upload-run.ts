import { forEachConcurrent } from "../../base/concurrency.ts";
import { CONCURRENCY_DEFAULT } from "../../model/defaults.ts";
import { ZERO_BLOCK_CHECKSUM } from "../../model/digest.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import { completeSnapshot, putSnapshotBlock } from "../api/ebs-operations.ts";
import { onceKnown, UNKNOWN_MS_MAX } from "../api/once-known.ts";
import { waitForSnapshot } from "../api/wait-for-snapshot.ts";
import type { Client } from "../call/client.ts";
import { checksumOfBytes } from "../call/node-crypto.ts";
import type { ImageSource } from "../image/image.ts";
import { LinearChecksum } from "../transfer/linear-checksum.ts";
import type { PlannedBlock } from "../transfer/plan-blocks.ts";
import type { UploadLog } from "./_upload-log.ts";
import type { UploadOptions, UploadProgress } from "./upload-options.ts";

/** What an upload under way works with. */
export interface UploadParts {
  readonly client: Client;
  readonly image: ImageSource;
  readonly snapshotId: string;
  readonly options: UploadOptions;
  readonly log: UploadLog;
  /** True where blocks of zeros stand for holes. */
  readonly zerosAreHoles: boolean;
  /** True where what was sent before is what the image still holds, unread. */
  readonly isSourceUnchanged: boolean;
}

/** One upload under way: sends what is planned, then completes the snapshot. */
export class UploadRun {
  readonly #parts: UploadParts;
  readonly #checksum = new LinearChecksum();
  readonly #freeBuffers: Uint8Array[] = [];
  readonly #zeros = new Uint8Array(BLOCK_SIZE_BYTES);
  readonly #startedMs: number;
  /** True once a block was taken: from then on an unknown snapshot is a deleted one. */
  #isKnown: boolean;
  #planned = 0;
  #blocksDone = 0;
  #blocksRead = 0;
  #blocksSent = 0;
  #blocksKept = 0;
  #blocksUnchanged = 0;
  #imageBlocksInSnapshot = 0;
  #blocksInFlight = 0;
  #retries = 0;
  #isCompletionAsked = false;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    this.#startedMs = parts.client.clock.monotonicMs();
    this.#isKnown = parts.log.sent.count > 0;
  }

  get snapshotId(): string {
    return this.#parts.snapshotId;
  }

  /** True from the moment on at which the service may have been told to complete the snapshot. */
  get isCompletionAsked(): boolean {
    return this.#isCompletionAsked;
  }

  async run(plan: AsyncIterable<PlannedBlock>): Promise<void> {
    const { options, image } = this.#parts;
    const { concurrency = CONCURRENCY_DEFAULT } = options;
    await forEachConcurrent(plan, concurrency, (block) => this.#settle(block, this.#planned++));
    await image.checkLength();
    this.#report(image.blockCount);
  }

  /** Asks for the completion, and waits until it is done. */
  async complete(): Promise<void> {
    const { client, image, log, options } = this.#parts;
    const { signal, completionTimeoutMs } = options;
    const completion = log.completion ?? {
      ChangedBlocksCount: this.#checksum.count,
      Checksum: this.#checksum.finish(),
      ChecksumAlgorithm: "SHA256",
      ChecksumAggregationMethod: "LINEAR",
    };
    signal?.throwIfAborted();
    if (log.completion) this.#skipToEnd();
    else await log.noteCompletion(completion, image.identity);
    this.#isCompletionAsked = true;
    const { snapshotId } = this;
    await completeSnapshot(client, snapshotId, completion, this.#callOptions());
    await waitForSnapshot(client, snapshotId, {
      ...this.#callOptions(),
      timeoutMs: completionTimeoutMs,
      completion,
    });
  }

  /** All was sent by earlier runs. */
  #skipToEnd(): void {
    this.#blocksKept = this.#parts.log.sent.count;
    this.#imageBlocksInSnapshot = this.#blocksKept;
    this.#report(this.#parts.image.blockCount);
  }

  progress(): UploadProgress {
    return {
      snapshotId: this.snapshotId,
      blocksTotal: this.#parts.image.blockCount,
      blocksDone: this.#blocksDone,
      blocksRead: this.#blocksRead,
      blocksSent: this.#blocksSent,
      blocksKept: this.#blocksKept,
      blocksUnchanged: this.#blocksUnchanged,
      bytesSent: this.#blocksSent * BLOCK_SIZE_BYTES,
      blocksInFlight: this.#blocksInFlight,
      retries: this.#retries,
    };
  }

  blocksSkipped(): number {
    return this.#parts.image.blockCount - this.#imageBlocksInSnapshot - this.#blocksUnchanged;
  }

  async #settle(block: PlannedBlock, place: number): Promise<void> {
    const { options, image } = this.#parts;
    options.signal?.throwIfAborted();
    const { blockIndex, isInImage } = block;
    const buffer = isInImage ? this.#takeBuffer() : this.#zeros;
    this.#blocksInFlight += 1;
    try {
      const checksum = await this.#transfer(block, buffer);
      this.#checksum.settle(place, checksum);
      const isOfImage = blockIndex < image.blockCount;
      if (checksum !== undefined && isOfImage) this.#imageBlocksInSnapshot += 1;
    } finally {
      this.#blocksInFlight -= 1;
      if (isInImage) this.#freeBuffers.push(buffer);
    }
    // Blocks before it may still be under way: all are done only when the last has settled.
    this.#report(Math.min(blockIndex + 1, image.blockCount - 1));
  }

  /**
   * Sends the block unless the snapshot has it without that; answers its checksum if this run or
   * an earlier one has sent it.
   */
  async #transfer(block: PlannedBlock, buffer: Uint8Array): Promise<string | undefined> {
    const { blockIndex, isInImage } = block;
    const { log, isSourceUnchanged } = this.#parts;
    const sent = log.sent.get(blockIndex);
    const isTrusted = sent !== undefined && isSourceUnchanged;
    if (isInImage && !isTrusted) await this.#read(blockIndex, buffer);
    const checksum = isTrusted ? sent : isInImage ? checksumOfBytes(buffer) : ZERO_BLOCK_CHECKSUM;
    if (sent === checksum) {
      this.#blocksKept += 1;
      return sent;
    }
    // What was sent before and is not there any more has to be written over, whatever it is now.
    if (sent === undefined && !(await this.#isDifferent(block, checksum))) return undefined;
    await this.#put(blockIndex, { BlockData: buffer, Checksum: checksum });
    return checksum;
  }

  /** False where the snapshot reads like the block as it is. */
  async #isDifferent({ blockIndex, isInImage, parent }: PlannedBlock, checksum: string) {
    const inherited = await parent?.checksum();
    if (inherited === checksum) {
      if (blockIndex < this.#parts.image.blockCount) this.#blocksUnchanged += 1;
      return false;
    }
    const isHole = checksum === ZERO_BLOCK_CHECKSUM && (!isInImage || this.#parts.zerosAreHoles);
    return !isHole || inherited !== undefined;
  }

  async #put(
    blockIndex: number,
    input: { readonly BlockData: Uint8Array; readonly Checksum: string },
  ): Promise<void> {
    const { client, log, snapshotId } = this.#parts;
    await this.#onceKnown(() =>
      putSnapshotBlock(client, blockIndex, snapshotId, input, this.#callOptions()),
    );
    this.#blocksSent += 1;
    await log.noteBlock(blockIndex, input.Checksum);
  }

  #callOptions() {
    const { signal } = this.#parts.options;
    return { signal, onRetry: this.#noteRetry };
  }

  readonly #noteRetry = () => {
    this.#retries += 1;
    this.#report(0);
  };

  /** Puts again while the service does not know of the snapshot that it has just started. */
  async #onceKnown(put: () => Promise<unknown>): Promise<void> {
    const { client, options } = this.#parts;
    const endMs = this.#isKnown ? 0 : this.#startedMs + UNKNOWN_MS_MAX;
    const timeoutMs = endMs - client.clock.monotonicMs();
    const { signal } = options;
    await onceKnown(client, put, { timeoutMs, signal, onUnknown: this.#noteRetry });
    this.#isKnown = true;
  }

  async #read(blockIndex: number, buffer: Uint8Array): Promise<void> {
    await this.#parts.image.readBlock(blockIndex, buffer);
    this.#blocksRead += 1;
  }

  /** At most as many buffers exist as blocks are under way. */
  #takeBuffer(): Uint8Array {
    return this.#freeBuffers.pop() ?? new Uint8Array(BLOCK_SIZE_BYTES);
  }

  #report(blocksDone: number): void {
    const { image, options } = this.#parts;
    const upTo = Math.min(blocksDone, image.blockCount);
    this.#blocksDone = Math.max(this.#blocksDone, upTo);
    options.onProgress?.(this.progress());
  }
}
