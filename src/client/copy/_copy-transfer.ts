import { forEachConcurrent } from "../../base/concurrency.ts";
import { freeMemory } from "../../base/free-memory.ts";
import { ZERO_BLOCK_CHECKSUM } from "../../model/digest.ts";
import { blockCountOf, offsetOf } from "../../model/geometry.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import {
  type CompleteSnapshotInput,
  completeSnapshot,
  getSnapshotBlock,
  putSnapshotBlock,
} from "../api/ebs-operations.ts";
import { onceKnown, UNKNOWN_MS_MAX } from "../api/once-known.ts";
import { waitForSnapshot } from "../api/wait-for-snapshot.ts";
import type { Client } from "../call/client.ts";
import { LinearChecksum } from "../transfer/linear-checksum.ts";
import type { CopyLog } from "./_copy-log.ts";
import type { CopyProgress } from "./_copy-options.ts";
import type { CopiedBlock } from "./_copy-plan.ts";

/** From where to where, and how. */
export interface TransferParts {
  readonly source: Client;
  readonly destination: Client;
  readonly sourceSnapshotId: string;
  readonly snapshotId: string;
  readonly volumeSizeGib: number;
  readonly log: CopyLog;
  /** Blocks under way at once; memory is bounded by it. */
  readonly concurrency: number;
  readonly completionTimeoutMs: number | undefined;
  readonly onProgress: ((progress: CopyProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** One copy under way: reads and puts what is planned, then completes the snapshot. */
export class CopyTransfer {
  readonly #parts: TransferParts;
  readonly #checksum = new LinearChecksum();
  readonly #zeros = new Uint8Array(BLOCK_SIZE_BYTES);
  readonly #startedMs: number;
  /** True once a block was taken: from then on an unknown snapshot is a deleted one. */
  #isKnown = false;
  #planned = 0;
  #blocksDone = 0;
  #blocksSent = 0;
  #blocksResumed = 0;
  #blocksReceived = 0;

  constructor(parts: TransferParts) {
    this.#parts = parts;
    this.#startedMs = parts.destination.clock.monotonicMs();
  }

  async run(plan: AsyncIterable<CopiedBlock>): Promise<void> {
    const { destination, snapshotId, concurrency, signal, completionTimeoutMs } = this.#parts;
    await forEachConcurrent(plan, concurrency, (block) => this.#settle(block, this.#planned++));
    signal?.throwIfAborted();
    const completion: CompleteSnapshotInput = {
      ChangedBlocksCount: this.#checksum.count,
      Checksum: this.#checksum.finish(),
      ChecksumAlgorithm: "SHA256",
      ChecksumAggregationMethod: "LINEAR",
    };
    await this.#onceKnown(() => completeSnapshot(destination, snapshotId, completion, { signal }));
    const wait = { signal, timeoutMs: completionTimeoutMs, completion };
    await waitForSnapshot(destination, snapshotId, wait);
    this.#report(blockCountOf(this.#parts.volumeSizeGib));
  }

  progress(): CopyProgress {
    const { sourceSnapshotId, snapshotId, volumeSizeGib } = this.#parts;
    return {
      sourceSnapshotId,
      snapshotId,
      blocksTotal: blockCountOf(volumeSizeGib),
      blocksDone: this.#blocksDone,
      blocksSent: this.#blocksSent,
      blocksResumed: this.#blocksResumed,
      blocksReceived: this.#blocksReceived,
      bytesSent: offsetOf(this.#blocksSent),
    };
  }

  async #settle(block: CopiedBlock, place: number): Promise<void> {
    const { log, signal } = this.#parts;
    signal?.throwIfAborted();
    const { blockIndex } = block;
    const earlier = log.putBefore(blockIndex);
    if (earlier !== undefined) {
      this.#isKnown = true;
      this.#blocksResumed += 1;
      this.#checksum.settle(place, earlier);
    } else {
      this.#checksum.settle(place, await this.#transfer(block));
    }
    // Blocks before it may still be under way: all are done only when the copy is completed.
    this.#report(Math.min(blockIndex + 1, blockCountOf(this.#parts.volumeSizeGib) - 1));
  }

  /** Reads a block unless it is known to be zeros, and puts it; answers its checksum. */
  async #transfer({ blockIndex, token, checksum }: CopiedBlock): Promise<string> {
    const { destination, snapshotId, log, signal } = this.#parts;
    const isZero = checksum === ZERO_BLOCK_CHECKSUM || token === undefined;
    const block = isZero
      ? { BlockData: this.#zeros, Checksum: ZERO_BLOCK_CHECKSUM }
      : await this.#read(blockIndex, token);
    // The source's checksum, verified on arrival, goes on to the destination, which verifies it.
    const input = { BlockData: block.BlockData, Checksum: block.Checksum };
    await this.#onceKnown(() =>
      putSnapshotBlock(destination, blockIndex, snapshotId, input, { signal }),
    );
    if (!isZero) freeMemory(block.BlockData);
    this.#isKnown = true;
    this.#blocksSent += 1;
    await log.noteBlock(blockIndex, block.Checksum);
    return block.Checksum;
  }

  async #read(blockIndex: number, token: string) {
    const { source, sourceSnapshotId, signal } = this.#parts;
    const block = await getSnapshotBlock(source, blockIndex, sourceSnapshotId, token, { signal });
    this.#blocksReceived += 1;
    return block;
  }

  /** Tries again while the service does not know of the snapshot that it has just started. */
  #onceKnown<T>(work: () => Promise<T>): Promise<T> {
    const { destination, signal } = this.#parts;
    const endMs = this.#isKnown ? 0 : this.#startedMs + UNKNOWN_MS_MAX;
    const timeoutMs = endMs - destination.clock.monotonicMs();
    return onceKnown(destination, work, { timeoutMs, signal });
  }

  #report(blocksDone: number): void {
    this.#blocksDone = Math.max(this.#blocksDone, blocksDone);
    this.#parts.onProgress?.(this.progress());
  }
}
