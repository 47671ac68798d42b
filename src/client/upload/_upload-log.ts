import type { StartSnapshotRequest } from "../../wire/start-snapshot.ts";
import type { CompleteSnapshotInput } from "../api/ebs-operations.ts";
import { FileError } from "../errors.ts";
import { BlockLedger } from "../transfer/block-ledger.ts";
import { type LogEntry, TransferLog, type TransferLogOptions } from "../transfer/transfer-log.ts";

/*
 * What an upload notes in its transfer log, in this order:
 *
 *     {"start": {…}, "source": "…"}        before StartSnapshot is asked for, client token included
 *     {"snapshotId": "snap-…"}             once it was answered
 *     {"block": 7, "checksum": "…"}        for each block, once it was acknowledged
 *     {"completion": {…}, "source": "…"}   before CompleteSnapshot is asked for
 */

/** The transfer log of an upload, and what earlier runs left in it. */
export class UploadLog {
  readonly sent = new BlockLedger();
  #log: TransferLog | undefined;
  #start: StartSnapshotRequest | undefined;
  #source: string | undefined;
  #snapshotId: string | undefined;
  #completion: CompleteSnapshotInput | undefined;

  /** Opens a log; with `restart`, also one of another upload. */
  static async open(options: Omit<TransferLogOptions, "onEntry">): Promise<UploadLog> {
    const own = new UploadLog();
    const onEntry = (entry: LogEntry) => own.#take(entry);
    try {
      // What it says is wanted in any case: a restart deletes the snapshot that was begun.
      own.#log = await TransferLog.open({ ...options, restart: false, onEntry });
    } catch (error) {
      const isOther = error instanceof FileError && error.code === "TRANSFER_DIFFERS";
      if (!isOther || !options.restart) throw error;
      own.#log = await TransferLog.open({ ...options, onEntry });
    }
    return own;
  }

  /** False where the upload has no transfer log, and cannot be gone on with. */
  get isOnDisk(): boolean {
    return this.#log !== undefined;
  }

  /** What the snapshot was, or is to be, started with. */
  get start(): StartSnapshotRequest | undefined {
    return this.#start;
  }

  /** What the image was when its upload began or, once all was sent, when that run began. */
  get source(): string | undefined {
    return this.#source;
  }

  get snapshotId(): string | undefined {
    return this.#snapshotId;
  }

  /** What the snapshot was asked to be completed with. */
  get completion(): CompleteSnapshotInput | undefined {
    return this.#completion;
  }

  /** Durable before it resolves: the client token makes the start repeatable. */
  async noteStart(start: StartSnapshotRequest, source: string | undefined): Promise<void> {
    this.#start = start;
    this.#source = source;
    await this.#log?.append({ start, source });
    await this.#log?.sync();
  }

  async noteSnapshot(snapshotId: string): Promise<void> {
    this.#snapshotId = snapshotId;
    await this.#log?.append({ snapshotId });
    await this.#log?.sync();
  }

  /** Survives the end of the process; after a power cut a block may be sent once more. */
  async noteBlock(block: number, checksum: string): Promise<void> {
    await this.#log?.append({ block, checksum });
  }

  async noteCompletion(
    completion: CompleteSnapshotInput,
    source: string | undefined,
  ): Promise<void> {
    this.#completion = completion;
    this.#source = source;
    await this.#log?.append({ completion, source });
    await this.#log?.sync();
  }

  /** Begins anew. */
  async restart(): Promise<void> {
    this.#start = undefined;
    this.#source = undefined;
    this.#snapshotId = undefined;
    this.#completion = undefined;
    this.sent.clear();
    await this.#log?.restart();
  }

  async remove(): Promise<void> {
    await this.#log?.remove();
  }

  async close(): Promise<void> {
    await this.#log?.close();
  }

  #take(entry: LogEntry): void {
    const { start, source, snapshotId, block, checksum, completion } = entry;
    if (start !== undefined) {
      this.#start = start as StartSnapshotRequest;
      this.#source = source as string | undefined;
    }
    if (typeof snapshotId === "string") this.#snapshotId = snapshotId;
    if (typeof block === "number") this.sent.add(block, String(checksum));
    if (completion !== undefined) {
      this.#completion = completion as CompleteSnapshotInput;
      // Logs of earlier versions say it at the start only.
      if (typeof source === "string") this.#source = source;
    }
  }
}
