import { byteLengthOf } from "../base/bytes.ts";
import { nextTurn } from "../base/next-turn.ts";
import { UnavailableError } from "../base/unavailable.ts";
import type { WritePurpose } from "../base/write-purpose.ts";
import type { BlockTable, Location, PendingWrite, WriteRefusal } from "../catalog/catalog.ts";
import type { RecordName } from "../model/digest.ts";
import type { Domain } from "../model/ids.ts";
import type { Entry, Placement, SegmentStore } from "../segments/segment-store.ts";

/** A record on its way into the store. */
export interface NewRecord {
  readonly domain: Domain;
  readonly name: RecordName;
  readonly entry: Entry;
  /** True when the record known under this name is damaged and this one takes its place. */
  readonly replaces: boolean;
  /** Where the same record lay so far, when it is only moved. */
  readonly movedFrom?: Location | undefined;
}

/** What is to become durable together: a record, a reference to a block, or both. */
export interface Change {
  readonly record: NewRecord | undefined;
  readonly write: PendingWrite | undefined;
}

interface Waiting extends Change {
  readonly sizeBytes: number;
  readonly resolve: (refusal: WriteRefusal | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes many changes durable with one sync: everything that arrives while a commit runs goes into
 * the next one, and when nothing runs a change is committed at once, without waiting.
 *
 * Order inside a commit: records are appended and synced, then their locations and the writes
 * that refer to them enter the catalog in one synced transaction, then every caller hears of it.
 * A crash between the two leaves records that nothing refers to, never a reference to nothing.
 */
export class GroupCommit {
  readonly #segments: SegmentStore;
  readonly #catalog: BlockTable;
  readonly #batchSizeBytesMax: number;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #appending: Promise<unknown> | undefined;

  constructor(segments: SegmentStore, catalog: BlockTable, batchSizeBytesMax: number) {
    this.#segments = segments;
    this.#catalog = catalog;
    this.#batchSizeBytesMax = batchSizeBytesMax;
  }

  /**
   * Resolves when the change is durable, with the reason if its write was refused. Rejects when
   * the change may not have become durable; the caller must not acknowledge it.
   */
  commit(change: Change): Promise<WriteRefusal | undefined> {
    return new Promise((resolve, reject) => {
      const sizeBytes = byteLengthOf(change.record?.entry ?? []);
      this.#waiting.push({ ...change, sizeBytes, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Waits until everything handed in so far has been settled. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /**
   * Resolves when no batch is on its way into the segments: at once, or when the one that is has
   * arrived or failed, and the catalog is about to be asked for its commit.
   */
  async appended(): Promise<void> {
    await this.#appending?.catch(() => undefined);
  }

  async #run(): Promise<void> {
    // One turn of the event loop, so that requests which arrived together commit together.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      try {
        await this.#commitBatch(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
        // Who waited behind a batch that an engine did not answer has waited as long: they hear of
        // it now, not one batch after another.
        if (error instanceof UnavailableError) {
          for (const { reject } of this.#waiting.splice(0)) reject(error);
        }
      }
    }
    this.#running = undefined;
  }

  /**
   * The oldest change and those behind it that are for the same purpose, together at most the batch
   * size. They may pass those of another, for a move counts only where its record still lies as it
   * was found; and these come next.
   */
  #takeBatch(): Waiting[] {
    let sizeBytes = 0;
    const fits = (change: Waiting, i: number) => {
      sizeBytes += change.sizeBytes;
      return i === 0 || sizeBytes <= this.#batchSizeBytesMax;
    };
    const first = purposeOf(this.#waiting[0]);
    const alike = this.#waiting.filter((change) => purposeOf(change) === first);
    const end = alike.findIndex((change, i) => !fits(change, i));
    const batch = end === -1 ? alike : alike.slice(0, end);
    const taken = new Set(batch);
    this.#waiting = this.#waiting.filter((change) => !taken.has(change));
    return batch;
  }

  async #commitBatch(batch: readonly Waiting[]): Promise<void> {
    const records = batch.flatMap(({ record }) => record ?? []);
    const placements = await this.#append(records);
    const locations = placements.map((placement, i) => {
      const { domain, name, replaces, movedFrom } = records[i] as NewRecord;
      return { domain, name, replaces, ...(movedFrom ? { movedFrom } : {}), ...placement };
    });
    const writes = batch.flatMap(({ write }) => write ?? []);
    const refusals = await this.#catalog.commit(locations, writes);
    let next = 0;
    for (const { write, resolve } of batch) resolve(write ? refusals[next++] : undefined);
  }

  async #append(records: readonly NewRecord[]): Promise<readonly Placement[]> {
    if (records.length === 0) return [];
    const entries = records.map(({ entry }) => entry);
    const appending = this.#segments.append(entries, purposeOf({ record: records[0] }));
    this.#appending = appending;
    try {
      return await appending;
    } finally {
      this.#appending = undefined;
    }
  }
}

/** What is only moved goes on a full disk too, and so never in one batch with new data. */
function purposeOf(change: Pick<Change, "record"> | undefined): WritePurpose {
  return change?.record?.movedFrom ? "upkeep" : "new-data";
}
