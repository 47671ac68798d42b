import { type FileHandle, mkdir, open, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { FileError } from "../errors.ts";
import { onFile } from "../image/file-errors.ts";
import { lockFile } from "./_file-lock.ts";

/*
 * A transfer log: the file from which a transfer goes on after its process died at any moment.
 * Each line is one entry, appended as things become true:
 *
 *     <crc32 of the JSON, 8 hexadecimal digits> <JSON object>\n
 *
 * The first line says what is transferred (the *subject*). A last line that is torn, or anything
 * else whose sum is wrong, ends the log: what stood there counts as not done. One process at a
 * time has a log; the system takes its lock back however the process ends.
 */

const FORMAT = "varve-transfer-log";
const VERSION = 1;
/** Bytes read at once when a log is gone through. */
const READ_BYTES = 256 * 1024;
/** A longer line is no entry of ours. */
const LINE_BYTES_MAX = 1024 * 1024;
/** How often a log is opened again that its last holder removed in that moment. */
const OPENINGS_MAX = 10;
const NEWLINE = 0x0a;
const SUM_DIGITS = 8;

/** What an entry is: any JSON object. */
export type LogEntry = Readonly<Record<string, unknown>>;

/** Which log to open, and for what. */
export interface TransferLogOptions {
  readonly path: string;
  /** What is transferred; a log that says otherwise belongs to another transfer. */
  readonly subject: LogEntry;
  /** Forget what the log says, whatever it belongs to. */
  readonly restart?: boolean | undefined;
  /** Hears each entry that an earlier run left, in their order, before `open` resolves. */
  readonly onEntry: (entry: LogEntry) => void;
}

/**
 * The log of one transfer, open and locked.
 *
 *     const log = await TransferLog.open({ path, subject: { from, to }, onEntry });
 *     await log.append({ block: 7, checksum });   // 7 is done, also after kill -9
 *     await log.remove();                         // all is done
 */
export class TransferLog {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #subject: LogEntry;
  #pending: { text: string; readonly written: Promise<void> } | undefined;
  #writing: Promise<void> = Promise.resolve();
  #entryCount = 0;

  private constructor(path: string, handle: FileHandle, subject: LogEntry) {
    this.path = path;
    this.#handle = handle;
    this.#subject = subject;
  }

  /**
   * Opens a log, and makes it and its folder where there is none. Throws a `FileError` with the
   * code `TRANSFER_RUNNING` while another process has it, and with `TRANSFER_DIFFERS` where it
   * belongs to another transfer; then nothing has been changed.
   */
  static async open({ path, subject, restart, onEntry }: TransferLogOptions): Promise<TransferLog> {
    const handle = await onFile("write", path, () => openLocked(path));
    try {
      const log = new TransferLog(path, handle, subject);
      if (restart) await log.restart();
      else await log.#replay(onEntry);
      return log;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Entries that are in the log, the subject not counted. */
  get entryCount(): number {
    return this.#entryCount;
  }

  /**
   * Adds an entry. When it resolves the entry survives the end of the process; to survive a power
   * cut, it needs `sync`. Entries that come while others are written travel together.
   */
  append(entry: LogEntry): Promise<void> {
    this.#entryCount += 1;
    const line = lineOf(entry);
    if (this.#pending) {
      this.#pending.text += line;
      return this.#pending.written;
    }
    const written = this.#writing.then(async () => {
      const text = this.#pending?.text ?? "";
      this.#pending = undefined;
      await this.#write(text);
    });
    this.#pending = { text: line, written };
    this.#writing = written;
    // Whoever appended hears of a failure, and so does whoever appends next.
    written.catch(() => undefined);
    return written;
  }

  /** Makes all that was appended durable. */
  async sync(): Promise<void> {
    await this.#writing;
    await onFile("write", this.path, () => this.#handle.sync());
  }

  /** Forgets all entries: the transfer begins anew. Durable when it resolves. */
  async restart(): Promise<void> {
    await this.#writing.catch(() => undefined);
    this.#writing = Promise.resolve();
    this.#entryCount = 0;
    await onFile("write", this.path, () => this.#handle.truncate(0));
    await this.#write(lineOf({ format: FORMAT, version: VERSION, subject: this.#subject }));
    await this.sync();
  }

  /** Removes the log: the transfer is done, or there is nothing to go on with. */
  async remove(): Promise<void> {
    await this.#writing.catch(() => undefined);
    // While it is locked, so that nobody else finds it in between.
    await onFile("remove", this.path, () => unlink(this.path)).catch((error: unknown) => {
      if (!(error instanceof FileError && error.code === "ENOENT")) throw error;
    });
    await this.#handle.close();
  }

  /** Lets go of the log, and leaves it for the next run. */
  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#handle.close();
  }

  async #write(text: string): Promise<void> {
    await onFile("write", this.path, () => this.#handle.appendFile(text));
  }

  async #replay(onEntry: (entry: LogEntry) => void): Promise<void> {
    let isFirst = true;
    const end = await eachLine(this.#handle, (entry) => {
      if (isFirst) this.#checkFirst(entry);
      else {
        this.#entryCount += 1;
        onEntry(entry);
      }
      isFirst = false;
    });
    if (isFirst) return this.restart();
    await onFile("write", this.path, () => this.#handle.truncate(end));
  }

  #checkFirst(entry: LogEntry): void {
    const { path } = this;
    if (entry["format"] !== FORMAT || entry["version"] !== VERSION) {
      const message = `The file ${path} is no transfer log of this version of varve.`;
      throw new FileError(message, { path, code: "TRANSFER_DIFFERS" });
    }
    const difference = differenceOf(entry["subject"] as LogEntry, this.#subject);
    if (difference === undefined) return;
    const message = `The transfer log ${path} belongs to another transfer: ${difference}.`;
    throw new FileError(message, { path, code: "TRANSFER_DIFFERS" });
  }
}

/** Opens and locks the file that has the name, and not one that lost it in the meantime. */
async function openLocked(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  for (let openings = 0; openings < OPENINGS_MAX; openings++) {
    const handle = await open(path, "a+", 0o600);
    const outcome = await lockFile(handle.fd);
    if (outcome === "held") {
      await handle.close();
      break;
    }
    const [mine, named] = [await handle.stat(), await stat(path).catch(() => undefined)];
    if (named && named.ino === mine.ino && named.dev === mine.dev) return handle;
    await handle.close();
  }
  const message = `Another process is at this transfer: it holds the transfer log ${path}.`;
  throw new FileError(message, { path, code: "TRANSFER_RUNNING" });
}

function lineOf(entry: LogEntry): string {
  const json = JSON.stringify(entry);
  return `${sumOf(json)} ${json}\n`;
}

function sumOf(json: string | Uint8Array): string {
  return crc32(json).toString(16).padStart(SUM_DIGITS, "0");
}

/** The entry of a line without its end, or undefined where it is none. */
function entryOf(line: Buffer): LogEntry | undefined {
  const json = line.subarray(SUM_DIGITS + 1);
  if (line.toString("latin1", 0, SUM_DIGITS + 1) !== `${sumOf(json)} `) return undefined;
  try {
    return JSON.parse(json.toString()) as LogEntry;
  } catch {
    return undefined;
  }
}

/** Calls `onEntry` for each whole line; answers where the last one ended, in bytes. */
async function eachLine(handle: FileHandle, onEntry: (entry: LogEntry) => void): Promise<number> {
  const piece = Buffer.alloc(READ_BYTES);
  let [rest, end, position]: [Buffer, number, number] = [Buffer.alloc(0), 0, 0];
  for (;;) {
    const { bytesRead } = await handle.read(piece, 0, READ_BYTES, position);
    if (bytesRead === 0 || rest.length > LINE_BYTES_MAX) return end;
    position += bytesRead;
    rest = Buffer.concat([rest, piece.subarray(0, bytesRead)]);
    for (let at = rest.indexOf(NEWLINE); at >= 0; at = rest.indexOf(NEWLINE)) {
      const entry = entryOf(rest.subarray(0, at));
      if (entry === undefined) return end;
      onEntry(entry);
      end += at + 1;
      rest = rest.subarray(at + 1);
    }
  }
}

/** In words, the first member at which two subjects differ. */
function differenceOf(there: LogEntry, here: LogEntry): string | undefined {
  const names = new Set([...Object.keys(there), ...Object.keys(here)]);
  for (const name of names) {
    const [theirs, ours] = [JSON.stringify(there[name]), JSON.stringify(here[name])];
    if (theirs !== ours) return `its ${name} is ${theirs ?? "not given"}, not ${ours ?? "none"}`;
  }
  return undefined;
}
