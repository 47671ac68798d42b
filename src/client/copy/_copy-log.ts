import { join } from "node:path";
import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import type { Client } from "../call/client.ts";
import { checksumOfBytes } from "../call/node-crypto.ts";
import { BlockLedger } from "../transfer/block-ledger.ts";
import { type LogEntry, TransferLog } from "../transfer/transfer-log.ts";

/*
 * What a copy notes in its transfer log, in this order:
 *
 *     {"begun": {"snapshotId": "snap-…", …}}   once the copy was started at the destination
 *     {"block": 7, "checksum": "…"}            for each block, once it was acknowledged there
 *
 * It is opened before the copy is started: whoever has it is the only one at this copy.
 */

/** Characters of a name made by hashing: enough that no two copies of a snapshot share one. */
const NAME_CHARACTERS = 16;

/** What the copy under way was begun with. */
export interface BegunWith {
  /** The unfinished copy. */
  readonly snapshotId: string;
  /** Its parent at the destination. */
  readonly parentSnapshotId?: string | undefined;
  /** The source's snapshot that the parent is a copy of, where changes are asked for by it. */
  readonly baseSnapshotId?: string | undefined;
  /** How often a copy was begun in vain before. */
  readonly attempt: number;
}

/** The transfer log of one copy, and what earlier runs left in it. */
export class CopyLog {
  readonly #put = new BlockLedger();
  #log: TransferLog | undefined;
  #begun: BegunWith | undefined;

  /**
   * Opens the log of a snapshot's copy at that destination, and makes it where there is none.
   * Without a folder nothing is on disk. Throws a `FileError` with the code `TRANSFER_RUNNING`
   * while another process has it.
   */
  static async open(
    folder: string | undefined,
    { SnapshotId, OwnerId }: SnapshotDescription,
    { endpoint, region }: Client,
  ): Promise<CopyLog> {
    const own = new CopyLog();
    if (folder === undefined) return own;
    const subject = { copy: SnapshotId, owner: OwnerId, endpoint, region };
    const digest = checksumOfBytes(new TextEncoder().encode(JSON.stringify(subject)));
    const suffix = digest.replace(/[^A-Za-z0-9]/g, "").slice(0, NAME_CHARACTERS);
    const path = join(folder, `${SnapshotId}-${suffix}.log`);
    const onEntry = (entry: LogEntry) => own.#take(entry);
    own.#log = await TransferLog.open({ path, subject, onEntry });
    return own;
  }

  /** What an earlier run has begun; undefined where there is nothing to go on with. */
  get begun(): BegunWith | undefined {
    return this.#begun;
  }

  /** The checksum of a block that an earlier run has put. */
  putBefore(blockIndex: number): string | undefined {
    return this.#put.get(blockIndex);
  }

  /** Notes a copy that was just started, in place of an earlier one. Durable when it resolves. */
  async noteBegun(begun: BegunWith): Promise<void> {
    if (this.#begun !== undefined) await this.#log?.restart();
    this.#put.clear();
    this.#begun = begun;
    await this.#log?.append({ begun });
    await this.#log?.sync();
  }

  /** Survives the end of the process; after a power cut a block may be sent once more. */
  async noteBlock(block: number, checksum: string): Promise<void> {
    await this.#log?.append({ block, checksum });
  }

  /** Removes it: the copy is completed, or lost. */
  async remove(): Promise<void> {
    await this.#log?.remove();
  }

  /** Leaves it for a later run, where there is something to go on with. */
  async close(): Promise<void> {
    if (this.#begun === undefined) return this.remove();
    await this.#log?.close();
  }

  #take({ begun, block, checksum }: LogEntry): void {
    if (begun !== undefined) this.#begun = begun as BegunWith;
    if (typeof block === "number") this.#put.add(block, String(checksum));
  }
}
