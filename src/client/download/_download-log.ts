import type { Clock } from "../../base/clock.ts";
import type { Extent } from "../../model/extent.ts";
import { BlockLedger } from "../transfer/block-ledger.ts";
import { type LogEntry, TransferLog, type TransferLogOptions } from "../transfer/transfer-log.ts";

/*
 * What a download notes in its transfer log:
 *
 *     {"target": "file 1:2"}          what is written to, before anything happens to it
 *     {"blocks": [[7, "…"], …]}       blocks and their checksums, once they are durable there
 *     {"bad": [[8, 2], …], "from": 0} where blocks could not be read: the extents from number 0
 *                                     on, in place of those that an earlier run noted
 *     {"imageBytes": 12345}           all of it is durable; only the name is missing
 */

/** Blocks after which what was written is made durable and noted: 64 MiB. */
const BATCH_BLOCKS_MAX = 128;
/** Milliseconds after which that is done in any case. */
const BATCH_MS_MAX = 250;
/** Bad extents in one entry, which is then far below what a line of a transfer log may have. */
const BAD_EXTENTS_MAX = 10_000;

/** What a download has come to, once all of it is durable. */
export interface WholeImage {
  readonly imageBytes: number;
  /** Where blocks could not be read, ascending. */
  readonly badExtents: readonly Extent[];
}

/** The transfer log of a download, and what earlier runs left in it. */
export class DownloadLog {
  readonly kept = new BlockLedger();
  readonly #clock: Clock;
  #log: TransferLog | undefined;
  #target: string | undefined;
  #imageBytes: number | undefined;
  #badExtents: Extent[] = [];
  #batch: [blockIndex: number, checksum: string][] = [];
  #batchMs = 0;
  #flushing: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Opens a log. */
  static async open(
    clock: Clock,
    options: Omit<TransferLogOptions, "onEntry">,
  ): Promise<DownloadLog> {
    const own = new DownloadLog(clock);
    const onEntry = (entry: LogEntry) => own.#take(entry);
    own.#log = await TransferLog.open({ ...options, onEntry });
    return own;
  }

  /** False where the download has no transfer log, and cannot be gone on with. */
  get isOnDisk(): boolean {
    return this.#log !== undefined;
  }

  /** What earlier runs wrote to. */
  get target(): string | undefined {
    return this.#target;
  }

  /** What an earlier run came to; undefined where none got that far. */
  get whole(): WholeImage | undefined {
    const [imageBytes, badExtents] = [this.#imageBytes, this.#badExtents];
    return imageBytes === undefined ? undefined : { imageBytes, badExtents };
  }

  /** True where there is something to go on with. */
  get hasBlocks(): boolean {
    return (this.#log?.entryCount ?? 0) > 1;
  }

  async noteTarget(target: string): Promise<void> {
    if (target === this.#target) return;
    // Another target: what was written to the one before is of no use.
    if (this.#target !== undefined) await this.restart();
    this.#target = target;
    await this.#log?.append({ target });
    await this.#log?.sync();
  }

  /** Notes a block that was written, as soon as `sync` has made it durable with others. */
  async noteBlock(block: readonly [number, string], sync: () => Promise<void>): Promise<void> {
    if (!this.#log) return;
    const nowMs = this.#clock.monotonicMs();
    if (this.#batch.length === 0) this.#batchMs = nowMs;
    this.#batch.push([...block]);
    const isDue = this.#batch.length >= BATCH_BLOCKS_MAX || nowMs - this.#batchMs >= BATCH_MS_MAX;
    if (isDue) await this.flush(sync);
  }

  /** Makes durable and notes what was written so far. */
  flush(sync: () => Promise<void>): Promise<void> {
    const blocks = this.#batch;
    this.#batch = [];
    const flushed = this.#flushing.then(async () => {
      if (blocks.length === 0 || !this.#log) return;
      await sync();
      await this.#log.append({ blocks });
    });
    this.#flushing = flushed;
    flushed.catch(() => undefined);
    return flushed;
  }

  async noteWhole({ imageBytes, badExtents }: WholeImage): Promise<void> {
    this.#imageBytes = imageBytes;
    this.#badExtents = [...badExtents];
    // One entry at least: an earlier run may have noted some, and died before its image was whole.
    for (let from = 0; from === 0 || from < badExtents.length; from += BAD_EXTENTS_MAX) {
      const part = badExtents.slice(from, from + BAD_EXTENTS_MAX);
      await this.#log?.append({ bad: part.map(({ start, count }) => [start, count]), from });
    }
    await this.#log?.append({ imageBytes });
    await this.#log?.sync();
  }

  /** Begins anew. */
  async restart(): Promise<void> {
    this.#target = undefined;
    this.#imageBytes = undefined;
    this.#badExtents = [];
    this.kept.clear();
    await this.#log?.restart();
  }

  async remove(): Promise<void> {
    await this.#log?.remove();
  }

  async close(): Promise<void> {
    await this.#log?.close();
  }

  #take({ target, blocks, bad, from, imageBytes }: LogEntry): void {
    if (typeof target === "string") this.#target = target;
    if (typeof imageBytes === "number") this.#imageBytes = imageBytes;
    if (Array.isArray(bad)) {
      this.#badExtents.length = Number(from);
      for (const [start, count] of bad as [number, number][]) {
        this.#badExtents.push({ start, count });
      }
    }
    if (!Array.isArray(blocks)) return;
    for (const [blockIndex, checksum] of blocks as [number, string][]) {
      this.kept.add(blockIndex, checksum);
    }
  }
}
