import { statSync, truncateSync, unlinkSync } from "node:fs";
import { open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { isNoRoom } from "../base/no-room.ts";
import type { Random } from "../base/random.ts";
import type { WritePurpose } from "../base/write-purpose.ts";
import { DiskFullError } from "../model/errors.ts";
import { CATALOG_ROOM_BYTES, DISK_ROOM_BYTES_MIN, RESERVE_SIZE_BYTES } from "../model/limits.ts";

/** Bytes of the reserve written at once. */
const PIECE_BYTES = 1024 * 1024;
/** Bytes of chance asked for at once: no platform gives more. */
const RANDOM_BYTES = 65_536;
/**
 * Bytes that upkeep leaves on a full disk without a reserve, whatever it was allowed before (ours:
 * the other half is for how much the catalog's log grows by the moves themselves).
 */
const UPKEEP_LEAVES_BYTES = CATALOG_ROOM_BYTES / 2;

/** Options of `DiskSpace`. */
export interface DiskSpaceOptions {
  /** The data folder, whose disk is meant. */
  readonly directory: string;
  readonly random: Random;
  /** Hears when the disk has become full, and when there is room again. */
  readonly onChange: (isFull: boolean) => void;
}

/**
 * Whether the disk of the data folder takes new data. It is called full when a write finds no
 * room; from then on new data is refused before it is begun, so that what little room there is
 * stays for deletions. A file in the data folder, the reserve, holds room for the catalog: it is
 * given up when the catalog cannot do without, and made again before new data is taken.
 */
export class DiskSpace {
  readonly #options: DiskSpaceOptions;
  readonly #path: string;
  #isFull = false;
  /** False until it is found or made. */
  #hasReserve = false;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
    this.#path = join(options.directory, "reserve");
  }

  /** Throws a `DiskFullError` while the disk is full. */
  checkRoom(): void {
    if (this.#isFull) throw new DiskFullError();
  }

  /**
   * Writes so many bytes of data. Rejects with a `DiskFullError` when there is no room for it; new
   * data, without having tried while the disk is known to be full. Upkeep asks `hasRoomToMove`
   * before, and is refused all the same where it would take the catalog's room.
   */
  async write<T>(purpose: WritePurpose, sizeBytes: number, work: () => Promise<T>): Promise<T> {
    if (purpose === "new-data") this.checkRoom();
    else await this.#checkCatalogRoom(sizeBytes);
    try {
      return await work();
    } catch (cause) {
      if (!isNoRoom(cause)) throw cause;
      this.#change(true);
      throw new DiskFullError({ cause });
    }
  }

  /**
   * Told by the catalog that it has found no room; from then on the disk is full. Answers whether
   * it may have some now, for the reserve has been given up: never for new data, which is what
   * the reserve is kept from. Synchronous, because the catalog is.
   */
  makeRoom(purpose: WritePurpose): boolean {
    this.#change(true);
    return purpose === "upkeep" && this.#giveUpReserve();
  }

  /**
   * Whether so many bytes may be written for upkeep. On a full disk, what is still needed of a
   * segment has to be moved before the rest of it is given back: part of the reserve may be spent
   * on that, the other part stays for the catalog.
   */
  async hasRoomToMove(sizeBytes: number): Promise<boolean> {
    if (!this.#isFull) return true;
    this.#hasReserve ||= this.#isReserveThere();
    const freeBytes = await this.freeBytes();
    if (this.#hasReserve && freeBytes >= sizeBytes) return true;
    const reserveBytes = this.#hasReserve ? RESERVE_SIZE_BYTES : 0;
    if (freeBytes + reserveBytes - CATALOG_ROOM_BYTES < sizeBytes) return false;
    return !this.#hasReserve || this.#giveUpReserve();
  }

  /** What was allowed before the disk was full may be more than the reserve that is given up. */
  async #checkCatalogRoom(sizeBytes: number): Promise<void> {
    if (!this.#isFull || this.#isReserveThere()) return;
    if ((await this.freeBytes()) - sizeBytes < UPKEEP_LEAVES_BYTES) throw new DiskFullError();
  }

  /** Answers whether there was one to be given up, and it was. */
  #giveUpReserve(): boolean {
    // A process that starts on a full disk needs it before it has looked.
    if (!this.#hasReserve && !this.#isReserveThere()) return false;
    this.#hasReserve = false;
    try {
      // Whoever still has it open keeps the file when it is unlinked, but not its bytes.
      truncateSync(this.#path);
      unlinkSync(this.#path);
    } catch {
      return false;
    }
    return true;
  }

  /**
   * Looks whether there is room: makes the reserve where it is missing, and takes new data again
   * when the reserve is there and the disk has room beside it. To be called again and again.
   */
  async look(): Promise<void> {
    if (this.#hasReserve && !this.#isFull) return;
    this.#hasReserve ||= this.#isReserveThere();
    const needed = DISK_ROOM_BYTES_MIN + (this.#hasReserve ? 0 : RESERVE_SIZE_BYTES);
    if ((await this.freeBytes()) < needed) return this.#change(true);
    // The catalog may have had it given up already, before it was synced.
    if (!this.#hasReserve) {
      this.#hasReserve = (await this.#makeReserve()) && this.#isReserveThere();
    }
    this.#change(!this.#hasReserve);
  }

  #isReserveThere(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.size === RESERVE_SIZE_BYTES;
  }

  /** Bytes that this user may still write on the disk. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#options.directory);
    return bavail * bsize;
  }

  /** Answers whether there was room for it. */
  async #makeReserve(): Promise<boolean> {
    // Bytes that no file system can leave out or pack.
    const random = () => this.#options.random.bytes(RANDOM_BYTES);
    const piece = Buffer.concat(Array.from({ length: PIECE_BYTES / RANDOM_BYTES }, random));
    const file = await open(this.#path, "w", 0o600);
    try {
      for (let offset = 0; offset < RESERVE_SIZE_BYTES; offset += PIECE_BYTES) {
        const { bytesWritten } = await file.write(piece, 0, PIECE_BYTES, offset);
        if (bytesWritten < PIECE_BYTES) return await this.#removePart();
      }
      await file.sync();
      return true;
    } catch (error) {
      await this.#removePart();
      if (isNoRoom(error)) return false;
      throw error;
    } finally {
      await file.close();
    }
  }

  async #removePart(): Promise<false> {
    await rm(this.#path, { force: true });
    this.#hasReserve = false;
    return false;
  }

  #change(isFull: boolean): void {
    if (this.#isFull === isFull) return;
    this.#isFull = isFull;
    this.#options.onChange(isFull);
  }
}
