import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { nextTurn } from "../base/next-turn.ts";
import { UnavailableError } from "../base/unavailable.ts";
import { AUDIT_PAGE_COUNT_DEFAULT } from "../model/limits.ts";
import type { AuditEntry, ListAuditEntriesResponse } from "../wire/admin/audit.ts";

/** Bytes of the file read at once, backwards, for a page of it (ours). */
const READ_BYTES = 64 * 1024;
/** Bytes of one line that a page shows; our own are far shorter (ours). */
const LINE_BYTES_MAX = 1024 * 1024;

/** Options of `AuditLog.open`. */
export interface AuditLogOptions {
  readonly path: string;
  /** True to note calls that read, write or list blocks, too. */
  readonly withData: boolean;
  /** Hears when the file cannot be written any more, and when it can again. */
  readonly onChange: (failure: Error | undefined) => void;
}

interface Waiting {
  readonly line: string;
  readonly isSynced: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Who did what: a file of JSON lines that is only ever appended to. An entry is in the file, and
 * the file is synced, before its call is answered; entries of calls that arrive together share one
 * write and one sync.
 *
 * When the file cannot be written, the calls that were being carried out are answered with an
 * error although they took effect; their lines are held back and written first when it goes again.
 * Until then nothing that would have to be noted is carried out.
 */
export class AuditLog {
  readonly #options: AuditLogOptions;
  #file: FileHandle;
  #waiting: Waiting[] = [];
  /** Lines that could not be written yet, of calls that were under way then: so they are few. */
  readonly #held: string[] = [];
  /** New files to go on in; none of them rejects. */
  readonly #renewals: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;
  #failure: Error | undefined;
  /** Where a line may have been written in part, the next begins on one of its own. */
  #isTorn = false;
  /** False while the file has lines, of calls that carry data, that nothing has synced since. */
  #isSynced = true;

  private constructor(options: AuditLogOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
  }

  /** Opens the file, making it, readable to its owner, where it is missing. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const file = await openFile(options.path);
    const log = new AuditLog(options, file);
    log.#isTorn = await endsInLine(file);
    return log;
  }

  get withData(): boolean {
    return this.#options.withData;
  }

  /** Why the file cannot be written at the moment. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * To be asked before anything is carried out that has to be noted. Rejects with an
   * `UnavailableError` while the file cannot be written; it is tried again each time.
   */
  async checkWritable(): Promise<void> {
    if (this.#failure === undefined) return;
    this.#running ??= this.#run();
    await this.#running;
    if (this.#failure !== undefined) throw unwritable(this.#failure);
  }

  /**
   * Notes an entry; it is in the file when this resolves, and survives a power cut unless it is of
   * a data call. Rejects with an `UnavailableError` where the file cannot be written.
   */
  note(entry: AuditEntry): Promise<void> {
    return new Promise((resolve, reject) => {
      const line = `${JSON.stringify(entry)}\n`;
      this.#waiting.push({ line, isSynced: !entry.IsData, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /**
   * Goes on in a new file of that name, for whoever has renamed the one before, from between two
   * writes on, however many wait. Rejects where it cannot be opened, and goes on in the one so far.
   */
  async reopen(): Promise<void> {
    const file = await openFile(this.#options.path);
    const isTorn = await endsInLine(file);
    await new Promise<void>((resolve, reject) => {
      this.#renewals.push(async () => {
        const closed = this.#closeSynced();
        this.#file = file;
        this.#isTorn = isTorn;
        await closed.then(resolve, reject);
      });
      this.#running ??= this.#run();
    });
  }

  /**
   * A page of entries, latest first, of those that the file of now holds. `pageToken` is where the
   * page before said that it goes on.
   */
  async page(
    pageToken: string | undefined,
    countMax = AUDIT_PAGE_COUNT_DEFAULT,
  ): Promise<ListAuditEntriesResponse> {
    const file = await open(this.#options.path, "r").catch(ignoringMissing);
    if (!file) return { IsKept: true, Entries: [], NextToken: null };
    try {
      const { size } = await file.stat();
      const end = Math.min(size, pageToken === undefined ? size : Number(pageToken));
      return { IsKept: true, ...(await readPage(file, end, countMax)) };
    } finally {
      await file.close();
    }
  }

  /** Writes what waits, then closes the file. */
  async close(): Promise<void> {
    await this.#running;
    await this.#closeSynced();
  }

  async #closeSynced(): Promise<void> {
    const file = this.#file;
    try {
      if (!this.#isSynced) await file.datasync();
      this.#isSynced = true;
    } finally {
      await file.close();
    }
  }

  async #run(): Promise<void> {
    // One turn of the event loop, so that entries which arrived together are written together.
    await nextTurn();
    do {
      for (const renew of this.#renewals.splice(0)) await renew();
      const batch = this.#waiting.splice(0);
      await this.#append(batch);
    } while (this.#waiting.length > 0 || this.#renewals.length > 0);
    this.#running = undefined;
  }

  async #append(batch: readonly Waiting[]): Promise<void> {
    const lines = [...this.#held, ...batch.map(({ line }) => line)];
    try {
      if (lines.length > 0) {
        await this.#write(lines.join(""));
        this.#isSynced = false;
      }
      if (this.#held.length > 0 || batch.some(({ isSynced }) => isSynced)) {
        await this.#file.datasync();
        this.#isSynced = true;
      }
      this.#held.length = 0;
      this.#change(undefined);
      for (const { resolve } of batch) resolve();
    } catch (cause) {
      this.#held.push(...batch.map(({ line }) => line));
      this.#change(cause as Error);
      for (const { reject } of batch) reject(unwritable(cause as Error));
    }
  }

  async #write(text: string): Promise<void> {
    // What a failed write left of a line is ended, so that it spoils none but itself.
    const bytes = Buffer.from(this.#isTorn ? `\n${text}` : text);
    this.#isTorn = true;
    for (let offset = 0; offset < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, offset);
      if (bytesWritten === 0) throw new Error("The file takes no more bytes");
      offset += bytesWritten;
    }
    this.#isTorn = false;
  }

  #change(failure: Error | undefined): void {
    const isNews = (this.#failure === undefined) !== (failure === undefined);
    this.#failure = failure;
    if (isNews) this.#options.onChange(failure);
  }
}

/** It was renamed, and nobody has said so yet. */
function ignoringMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

function openFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600);
}

/** True where the file ends in the middle of a line. */
async function endsInLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 0x0a;
}

function unwritable(cause: Error): UnavailableError {
  return new UnavailableError(`The audit log cannot be written: ${cause.message}`, { cause });
}

/** Entries before an offset, latest first; lines that are no entry are passed over. */
async function readPage(
  file: FileHandle,
  end: number,
  countMax: number,
): Promise<Omit<ListAuditEntriesResponse, "IsKept">> {
  const Entries: AuditEntry[] = [];
  let tail = Buffer.alloc(0);
  let start = end;
  while (start > 0) {
    const length = Math.min(READ_BYTES, start);
    start -= length;
    const piece = Buffer.alloc(length);
    await file.read(piece, 0, length, start);
    let bytes = Buffer.concat([piece, tail]);
    for (let at = lineStart(bytes, start); at !== -1; at = lineStart(bytes, start)) {
      const entry = parseEntry(bytes.subarray(at));
      bytes = bytes.subarray(0, at);
      if (entry) Entries.push(entry);
      const place = start + at;
      if (Entries.length === countMax) return { Entries, NextToken: place > 0 ? `${place}` : null };
    }
    tail = bytes.length > LINE_BYTES_MAX ? Buffer.alloc(0) : bytes;
  }
  return { Entries, NextToken: null };
}

/** Where the last line begins; -1 when that may lie before these bytes. */
function lineStart(bytes: Buffer, start: number): number {
  if (bytes.length === 0) return -1;
  const newline = bytes.lastIndexOf(0x0a, bytes.length - 2);
  if (newline !== -1 && bytes.length > 1) return newline + 1;
  return start === 0 ? 0 : -1;
}

function parseEntry(line: Buffer): AuditEntry | undefined {
  try {
    const value: unknown = JSON.parse(line.toString());
    return typeof value === "object" && value !== null ? (value as AuditEntry) : undefined;
  } catch {
    return undefined;
  }
}
