import type { JournalChange, JournalEntry, JournalTable } from "../catalog/journal.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId, KeyDomain } from "../model/ids.ts";
import { NAMING_ATTEMPTS_MAX } from "../model/limits.ts";
import type { BlockStore } from "./block-store.ts";

/** Where entries lie that are not encrypted; no account has this id. */
export const OPEN_DOMAIN = "000000000000" as AccountId;

/** Version of an entry's contents. */
export const ENTRY_FORMAT_VERSION = 1;

/** An entry from the contents of its record. */
export function decodeEntry(contents: Uint8Array): JournalEntry {
  return JSON.parse(Buffer.from(contents).toString()) as JournalEntry;
}

/** Changes that are written together (ours: a sync for each, but shared with what else is put). */
const CHANGES_AT_ONCE = 100;

/** What the journaler works with. */
export interface JournalerParts {
  readonly table: JournalTable;
  readonly blocks: BlockStore;
  /** The domain whose key encrypts entries; made when it is first needed. */
  readonly domain: () => Promise<KeyDomain>;
}

/**
 * Puts what changed in the catalog into segments, so that these alone bring it back. An entry is
 * encrypted under the store's own key, for it may hold a secret; but entries on encryption keys lie
 * in the open, since their secrets are wrapped, and without them nothing could be opened.
 */
export class Journaler {
  readonly #parts: JournalerParts;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(parts: JournalerParts) {
    this.#parts = parts;
  }

  /** Journals everything that has changed so far; durable when it resolves. */
  flush(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#begin();
    // The one under way may have looked before the latest change: another follows it.
    this.#next = this.#running.catch(() => undefined).then(() => this.#begin());
    return this.#next;
  }

  #begin(): Promise<void> {
    this.#next = undefined;
    this.#running = this.#flush().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #flush(): Promise<void> {
    for (;;) {
      // First, for it is a change itself.
      const domain = await this.#parts.domain();
      const changes = await this.#parts.table.changes(CHANGES_AT_ONCE);
      await Promise.all(changes.map((change) => this.#write(change, domain)));
      if (changes.length < CHANGES_AT_ONCE) return;
    }
  }

  async #write(change: JournalChange, domain: KeyDomain): Promise<void> {
    const { entry } = change;
    const contents = { version: ENTRY_FORMAT_VERSION, ...entry };
    const bytes = Buffer.from(JSON.stringify(contents));
    const isOpen = entry.key.startsWith("encryption-key/");
    const where = isOpen ? OPEN_DOMAIN : domain;
    for (let attempt = 0; attempt < NAMING_ATTEMPTS_MAX; attempt++) {
      const name = await this.#parts.blocks.putEntry(where, bytes);
      // Collected before it was named, it is put again.
      if (await this.#parts.table.settle(change, { domain: where, name })) return;
    }
    throw new CorruptionError(`The journal's entry ${entry.key} is stored, and cannot be found`);
  }
}
