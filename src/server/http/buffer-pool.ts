import { BLOCK_BUFFER_BYTES } from "../../model/limits.ts";

/** Buffers kept for reuse; more may be in use at once, and go to the garbage collector after. */
const IDLE_BUFFERS_MAX = 64;

/**
 * Buffers for blocks that are used again and again, so that puts and gets make no garbage. Other
 * threads see them, too, so that work on a block need not copy it.
 */
export class BufferPool {
  readonly #idle: Uint8Array[] = [];

  /** A buffer of `BLOCK_BUFFER_BYTES`, any contents. Hand it back with `release`, exactly once. */
  acquire(): Uint8Array {
    return this.#idle.pop() ?? Buffer.from(new SharedArrayBuffer(BLOCK_BUFFER_BYTES));
  }

  /** Takes a buffer back; its contents may change at once. */
  release(buffer: Uint8Array): void {
    if (this.#idle.length < IDLE_BUFFERS_MAX) this.#idle.push(buffer);
  }
}
