import type { Clock } from "../../base/clock.ts";
import { BlockLedger } from "../transfer/block-ledger.ts";
import { type LogEntry, TransferLog, type TransferLogOptions } from "../transfer/transfer-log.ts";

/*
 * What a download notes in its transfer log:
 *
 *     {"target": "file 1:2"}          what is written to, before anything happens to it
 *     {"blocks": [[7, "…"], …]}       blocks and their checksums, once they are durable there
 *     {"imageBytes": 12345}           all of it is durable; only the name is missing
 */

/** Blocks after which what was written is made durable and noted: 64 MiB. */
const BATCH_BLOCKS_MAX = 128;
/** Milliseconds after which that is done in any case. */
const BATCH_MS_MAX = 250;

/** The transfer log of a download, and what earlier runs left in it. */
export class DownloadLog {
  readonly kept = new BlockLedger();
  readonly #clock: Clock;
  #log: TransferLog | undefined;
  #target: string | undefined;
  #imageBytes: number | undefined;
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

  /** Length of the image, once all of it is durable. */
  get imageBytes(): number | undefined {
    return this.#imageBytes;
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

  async noteWhole(imageBytes: number): Promise<void> {
    this.#imageBytes = imageBytes;
    await this.#log?.append({ imageBytes });
    await this.#log?.sync();
  }

  /** Begins anew. */
  async restart(): Promise<void> {
    this.#target = undefined;
    this.#imageBytes = undefined;
    this.kept.clear();
    await this.#log?.restart();
  }

  async remove(): Promise<void> {
    await this.#log?.remove();
  }

  async close(): Promise<void> {
    await this.#log?.close();
  }

  #take({ target, blocks, imageBytes }: LogEntry): void {
    if (typeof target === "string") this.#target = target;
    if (typeof imageBytes === "number") this.#imageBytes = imageBytes;
    if (!Array.isArray(blocks)) return;
    for (const [blockIndex, checksum] of blocks as [number, string][]) {
      this.kept.add(blockIndex, checksum);
    }
  }
}
