/* What a map draws from: block indexes and their kinds, in arrays of plain numbers. */

/** Kinds that one map tells apart; each is a small number. */
export const KINDS_COUNT = 4;

const CAPACITY_START = 16_384;

/** Ascending block indexes with a kind each, to which pages are added as they come. */
export class BlockSet {
  #indexes = new Uint32Array(CAPACITY_START);
  #kinds = new Uint8Array(CAPACITY_START);
  #count = 0;
  /** Blocks of each kind. */
  readonly counts = new Float64Array(KINDS_COUNT);

  /** Blocks in it. */
  get count(): number {
    return this.#count;
  }

  /** Adds a block; its index must be above all before it. */
  add(blockIndex: number, kind: number): void {
    if (this.#count === this.#indexes.length) this.#grow();
    this.#indexes[this.#count] = blockIndex;
    this.#kinds[this.#count] = kind;
    this.#count += 1;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  /** Gives a block another kind; does nothing where there is no such block. */
  mark(blockIndex: number, kind: number): void {
    const at = this.#find(blockIndex);
    if (at >= this.#count || this.#indexes[at] !== blockIndex) return;
    this.#remark(at, kind);
  }

  /** Gives all blocks of one kind another one. */
  markAll(from: number, to: number): void {
    for (let at = 0; at < this.#count; at++) if (this.#kinds[at] === from) this.#remark(at, to);
  }

  /** A block's kind; undefined where it is a hole. */
  kindAt(blockIndex: number): number | undefined {
    const at = this.#find(blockIndex);
    return at < this.#count && this.#indexes[at] === blockIndex ? this.#kinds[at] : undefined;
  }

  /** The first block index in it from that one on; undefined where there is none. */
  next(blockIndex: number): number | undefined {
    const at = this.#find(blockIndex);
    return at < this.#count ? this.#indexes[at] : undefined;
  }

  /**
   * Counts the blocks from `first` on in cells of `perCell` block indexes each: four counts a cell,
   * one of each kind, as many cells as the answer has room for.
   */
  countCells(first: number, perCell: number, cells: Uint32Array): Uint32Array {
    const end = first + (cells.length / KINDS_COUNT) * perCell;
    const [indexes, kinds, count] = [this.#indexes, this.#kinds, this.#count];
    for (let at = this.#find(first); at < count; at++) {
      const blockIndex = indexes[at] as number;
      if (blockIndex >= end) break;
      const cell = Math.floor((blockIndex - first) / perCell);
      const place = cell * KINDS_COUNT + (kinds[at] as number);
      cells[place] = (cells[place] as number) + 1;
    }
    return cells;
  }

  /** Where a block is, or would be. */
  #find(blockIndex: number): number {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#indexes[middle] as number) < blockIndex) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remark(at: number, kind: number): void {
    const before = this.#kinds[at] as number;
    this.counts[before] = (this.counts[before] ?? 0) - 1;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.#kinds[at] = kind;
  }

  #grow(): void {
    const indexes = new Uint32Array(this.#indexes.length * 2);
    const kinds = new Uint8Array(indexes.length);
    indexes.set(this.#indexes);
    kinds.set(this.#kinds);
    this.#indexes = indexes;
    this.#kinds = kinds;
  }
}
