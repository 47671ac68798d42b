import type { Clock } from "../../base/clock.ts";
import {
  BLOCK_BUFFER_BYTES,
  BLOCK_UNDER_WAY_MS,
  BLOCKS_UNDER_WAY_COUNT_MAX,
} from "../../model/limits.ts";
import { type Client, WaitingLines } from "./waiting-lines.ts";

/**
 * Memory of a buffer that is used once: so much the C library gets from the system by itself, and
 * gives back when it is freed ("Memory" in docs/operating.md). What is not touched takes no room.
 */
const MAPPED_BYTES = 1_048_576;

/**
 * Buffers for blocks that are used again and again, so that puts and gets make no garbage. Other
 * threads see them, too, so that work on a block need not copy it.
 *
 * Where more requests come at once than there are buffers, they wait, and are let in one of each
 * key after another: a body that nobody reads stays with the system. But whoever sends or reads
 * slowly keeps nobody waiting for long, so more may be in use. Those are freed at once: memory that
 * threads share could not be, and V8 does not count it when it thinks of collecting garbage.
 */
export class BufferPool {
  readonly #clock: Clock;
  readonly #idle: Uint8Array[] = [];
  /** Those that are used again and again. */
  #madeCount = 0;
  /** Lent, and not for long; since when, the oldest first. */
  readonly #lent = new Map<Uint8Array, number>();
  readonly #waiting = new WaitingLines<Uint8Array>();
  #isWatching = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A buffer of `BLOCK_BUFFER_BYTES`, any contents. Hand it back with `release`, exactly once. The
   * key says who asks, for those who wait. Rejects with a `ClientLeftError` where the client leaves
   * while it waits.
   */
  acquire(key: string, client?: Client): Promise<Uint8Array> {
    if (this.#lent.size < BLOCKS_UNDER_WAY_COUNT_MAX) return Promise.resolve(this.#lend());
    const waiting = this.#waiting.wait(key, client);
    void this.#watch();
    return waiting;
  }

  /** Takes a buffer back; its contents may change at once. */
  release(buffer: Uint8Array): void {
    if (buffer.buffer instanceof SharedArrayBuffer) this.#idle.push(buffer);
    else buffer.buffer.transfer(0);
    this.#uncount(buffer);
  }

  #lend(): Uint8Array {
    const buffer = this.#idle.pop() ?? this.#make();
    this.#lent.set(buffer, this.#clock.monotonicMs());
    return buffer;
  }

  #make(): Uint8Array {
    if (this.#madeCount === BLOCKS_UNDER_WAY_COUNT_MAX) {
      return Buffer.from(new ArrayBuffer(MAPPED_BYTES), 0, BLOCK_BUFFER_BYTES);
    }
    this.#madeCount += 1;
    return Buffer.from(new SharedArrayBuffer(BLOCK_BUFFER_BYTES));
  }

  /** Gives the place of a buffer to whose turn it is. */
  #uncount(buffer: Uint8Array): void {
    if (!this.#lent.delete(buffer)) return;
    const enter = this.#waiting.next();
    if (enter) enter(this.#lend());
  }

  /** As long as anybody waits, what has been lent for too long counts no more. */
  async #watch(): Promise<void> {
    if (this.#isWatching) return;
    this.#isWatching = true;
    while (!this.#waiting.isEmpty) {
      const [[buffer, sinceMs] = []] = this.#lent;
      if (buffer === undefined || sinceMs === undefined) break;
      const restMs = sinceMs + BLOCK_UNDER_WAY_MS - this.#clock.monotonicMs();
      if (restMs > 0) await this.#clock.sleep(restMs);
      else this.#uncount(buffer);
    }
    this.#isWatching = false;
  }
}
