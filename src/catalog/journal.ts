import type { RecordName } from "../model/digest.ts";
import type { Domain } from "../model/ids.ts";

/*
 * The journal: a record in a segment for each thing that the catalog knows and that could not be
 * found out from blocks, nodes and manifests. Its keys say what kind of thing it is:
 *
 *   account/ID  access-key/ID  encryption-key/ID  encryption-defaults/ACCOUNT
 *   account-setting/ACCOUNT/NAME  secret/NAME  image/ID
 *   snapshot/ID     a completed one with its tags, permissions, lock and time in the recycle bin
 *
 * The entry with the greatest sequence counts; one without a value says that the thing is gone.
 */

/** What a journal says of one key. */
export interface JournalEntry {
  readonly key: string;
  readonly sequence: number;
  /** The thing as JSON; undefined when it is gone. */
  readonly value: string | undefined;
}

/** A change that is not in a segment yet. */
export interface JournalChange {
  readonly entry: JournalEntry;
  /** Grows with each change of the same thing. */
  readonly stamp: number;
}

/** What is to be journaled, and what has been. */
export interface JournalTable {
  /** The things that changed, as they are now, each with a sequence of its own; up to `limit`. */
  changes(limit: number): Promise<JournalChange[]>;
  /**
   * Notes where a change lies now; what lay there before for its key may be collected. False, and
   * nothing noted, when there is no such record (any more): the check and the reference are one.
   */
  settle(
    change: JournalChange,
    record: { readonly domain: Domain; readonly name: RecordName },
  ): Promise<boolean>;
  /** Brings things back as they were, in an order that fits; known ones are replaced. */
  restore(entries: readonly JournalEntry[]): Promise<void>;
  /** The greatest sequence that was given, to whatever entry; 0 when there was none. */
  sequence(): Promise<number>;
  /** All things as they are now, by key: to compare two catalogs. */
  all(): Promise<ReadonlyMap<string, string>>;
}
