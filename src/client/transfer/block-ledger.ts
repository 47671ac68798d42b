import { fromBase64, toBase64 } from "../../base/bytes.ts";
import { DIGEST_SIZE_BYTES } from "../../model/limits.ts";

const CAPACITY_FIRST = 1024;

/**
 * Checksums by block index, 40 bytes for each block: 80 MiB for a TiB of them. Filled first, in
 * any order, then asked.
 */
export class BlockLedger {
  #indexes = new Uint32Array(CAPACITY_FIRST);
  #digests = new Uint8Array(CAPACITY_FIRST * DIGEST_SIZE_BYTES);
  #length = 0;
  /** Places in the order of their block indexes, once somebody has asked. */
  #order: Uint32Array | undefined;

  /** Notes a block; the last word on a block index counts. Passes over what is no checksum. */
  add(blockIndex: number, checksum: string): void {
    const digest = fromBase64(checksum);
    if (digest?.length !== DIGEST_SIZE_BYTES || !Number.isInteger(blockIndex)) return;
    if (this.#length === this.#indexes.length) this.#grow();
    this.#indexes[this.#length] = blockIndex;
    this.#digests.set(digest, this.#length * DIGEST_SIZE_BYTES);
    this.#length += 1;
    this.#order = undefined;
  }

  /** Blocks noted, each once. */
  get count(): number {
    return this.#sorted().length;
  }

  /** The checksum noted for a block. */
  get(blockIndex: number): string | undefined {
    const order = this.#sorted();
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#indexAt(order[middle]) < blockIndex) low = middle + 1;
      else high = middle;
    }
    const place = order[low];
    if (place === undefined || this.#indexAt(place) !== blockIndex) return undefined;
    const offset = place * DIGEST_SIZE_BYTES;
    return toBase64(this.#digests.subarray(offset, offset + DIGEST_SIZE_BYTES));
  }

  /** The block indexes noted, ascending. */
  *blockIndexes(): Generator<number> {
    for (const place of this.#sorted()) yield this.#indexAt(place);
  }

  /** Forgets everything. */
  clear(): void {
    this.#length = 0;
    this.#order = undefined;
  }

  #indexAt(place: number | undefined): number {
    return this.#indexes[place ?? 0] as number;
  }

  #grow(): void {
    const [indexes, digests] = [this.#indexes, this.#digests];
    this.#indexes = new Uint32Array(indexes.length * 2);
    this.#digests = new Uint8Array(digests.length * 2);
    this.#indexes.set(indexes);
    this.#digests.set(digests);
  }

  #sorted(): Uint32Array {
    if (this.#order) return this.#order;
    const order = Uint32Array.from({ length: this.#length }, (_, place) => place);
    order.sort((a, b) => this.#indexAt(a) - this.#indexAt(b) || a - b);
    // Of several places of one block index, the last stays.
    let kept = 0;
    for (let i = 0; i < order.length; i++) {
      const isLast =
        i + 1 === order.length || this.#indexAt(order[i]) !== this.#indexAt(order[i + 1]);
      if (isLast) order[kept++] = order[i] as number;
    }
    this.#order = order.subarray(0, kept);
    return this.#order;
  }
}
