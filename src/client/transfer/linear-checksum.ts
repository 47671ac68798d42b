import { fromBase64 } from "../../base/bytes.ts";
import { runningChecksum } from "../call/node-crypto.ts";

/**
 * The LINEAR aggregate of CompleteSnapshot: SHA-256 over the raw digests of the blocks sent,
 * ascending by block index. Blocks are planned in that order but finish in any, so each has a
 * place in line; only those finished ahead of an earlier one are remembered.
 */
export class LinearChecksum {
  readonly #running = runningChecksum();
  readonly #early = new Map<number, string | undefined>();
  #next = 0;
  #count = 0;

  /** Blocks sent so far. */
  get count(): number {
    return this.#count;
  }

  /** Says what became of the block at that place, counted from 0: its checksum if it was sent. */
  settle(place: number, checksum: string | undefined): void {
    this.#early.set(place, checksum);
    if (checksum !== undefined) this.#count += 1;
    while (this.#early.has(this.#next)) {
      const settled = this.#early.get(this.#next);
      if (settled !== undefined) this.#running.update(fromBase64(settled) ?? new Uint8Array(0));
      this.#early.delete(this.#next);
      this.#next += 1;
    }
  }

  /** The aggregate as base64, once all places are settled. */
  finish(): string {
    return this.#running.finish();
  }
}
