import { assert } from "../base/assert.ts";
import { type Digest, digestFromBytes, digestToBytes } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import { DIGEST_SIZE_BYTES, NODE_FANOUT, NODE_LEVELS } from "../model/limits.ts";

/*
 * One node of the block map. A leaf (level 0) maps slots to block digests, a branch (level 1) and
 * the root (level 2) map slots to the digests of nodes one level below. Only slots in use are
 * written, in order, so equal contents have equal bytes:
 *
 *   offset  0        1      2                 4             68
 *           version  level  slots in use u16  bitmap 64 B   digests, 32 B each, in slot order
 */

/** Version of the node encoding. */
export const NODE_FORMAT_VERSION = 1;
const BITMAP_OFFSET = 4;
const BITMAP_BYTES = NODE_FANOUT / 8;
const DIGESTS_OFFSET = BITMAP_OFFSET + BITMAP_BYTES;
/** What the objects of a cached node take, by heap snapshots: its own, key, buffer (ours). */
const OBJECTS_BYTES = 512;
/** Words of four bytes in a digest. */
const DIGEST_WORDS = DIGEST_SIZE_BYTES / Uint32Array.BYTES_PER_ELEMENT;

/** A node as read: its encoded bytes, with the slots looked up in place. */
export class Node {
  readonly level: number;
  /** Number of slots in use; at least 1. */
  readonly count: number;
  readonly #bytes: Uint8Array;

  /** Throws a `CorruptionError` when the bytes are not a node of that level. */
  constructor(bytes: Uint8Array, level: number) {
    const count = bytes.length > DIGESTS_OFFSET ? (bytes[2] ?? 0) + 256 * (bytes[3] ?? 0) : 0;
    const wellFormed =
      bytes[0] === NODE_FORMAT_VERSION &&
      bytes[1] === level &&
      count > 0 &&
      bytes.length === DIGESTS_OFFSET + count * DIGEST_SIZE_BYTES &&
      bitCountOf(bytes) === count;
    if (!wellFormed) throw new CorruptionError(`Bytes that should be a node of level ${level}`);
    this.level = level;
    this.count = count;
    this.#bytes = bytes;
  }

  /** Bytes this node takes in memory: most are short, and their objects take more than they do. */
  get sizeBytes(): number {
    return OBJECTS_BYTES + this.#bytes.length;
  }

  /** The digest in a slot, or undefined when the slot is not in use. */
  get(slot: number): Digest | undefined {
    if (!this.has(slot)) return undefined;
    let rank = 0;
    for (let before = 0; before < slot >> 3; before++) rank += bitCount(this.#bitmap(before));
    rank += bitCount(this.#bitmap(slot >> 3) & ((1 << (slot & 7)) - 1));
    return this.#digestAt(rank);
  }

  /** The slots in use from `fromSlot` on, ascending. */
  slots(fromSlot = 0): number[] {
    const slots: number[] = [];
    for (let slot = fromSlot; slot < NODE_FANOUT; slot++) if (this.has(slot)) slots.push(slot);
    return slots;
  }

  /** All digests in slot order; with `slots()` these are the node's whole contents. */
  digests(): Digest[] {
    return Array.from({ length: this.count }, (_, rank) => this.#digestAt(rank));
  }

  /**
   * The slots from `fromSlot` on at which this node and another of its level hold different
   * digests, ascending. Compares the bytes in place.
   */
  differingSlots(other: Node, fromSlot: number): number[] {
    const slots: number[] = [];
    const own: Words = { words: this.#words(), start: 0 };
    const others: Words = { words: other.#words(), start: 0 };
    for (let byte = fromSlot >> 3, skipped = 0; skipped < byte; skipped++) {
      own.start += bitCount(this.#bitmap(skipped)) * DIGEST_WORDS;
      others.start += bitCount(other.#bitmap(skipped)) * DIGEST_WORDS;
    }
    for (let byte = fromSlot >> 3; byte < BITMAP_BYTES; byte++) {
      const [inOwn, inOther] = [this.#bitmap(byte), other.#bitmap(byte)];
      const wordCount = bitCount(inOwn) * DIGEST_WORDS;
      // Eight slots at once: nearly always nothing differs in them.
      if (inOwn === inOther && equalWords(own, others, wordCount)) {
        own.start += wordCount;
        others.start += wordCount;
        continue;
      }
      for (let slot = 8 * byte; slot < 8 * byte + 8; slot++) {
        const differs = passSlot(own, others, { inOwn: this.has(slot), inOther: other.has(slot) });
        if (differs && slot >= fromSlot) slots.push(slot);
      }
    }
    return slots;
  }

  /** True when the slot is in use. */
  has(slot: number): boolean {
    return (this.#bitmap(slot >> 3) & (1 << (slot & 7))) !== 0;
  }

  #bitmap(byte: number): number {
    return this.#bytes[BITMAP_OFFSET + byte] as number;
  }

  /** The digests, four bytes to a word. */
  #words(): Uint32Array {
    const { buffer, byteOffset, length } = this.#bytes;
    const start = byteOffset + DIGESTS_OFFSET;
    const isAligned = start % Uint32Array.BYTES_PER_ELEMENT === 0;
    if (!isAligned)
      return new Uint32Array(new Uint8Array(this.#bytes.subarray(DIGESTS_OFFSET)).buffer);
    const count = (length - DIGESTS_OFFSET) / Uint32Array.BYTES_PER_ELEMENT;
    return new Uint32Array(buffer, start, count);
  }

  #digestAt(rank: number): Digest {
    const start = DIGESTS_OFFSET + rank * DIGEST_SIZE_BYTES;
    return digestFromBytes(this.#bytes.subarray(start, start + DIGEST_SIZE_BYTES));
  }
}

/** Digests as words, and where in them a comparison has come to. */
interface Words {
  readonly words: Uint32Array;
  start: number;
}

/** Compares one slot of two nodes and goes on behind it; true where they differ. */
function passSlot(
  own: Words,
  others: Words,
  { inOwn, inOther }: { readonly inOwn: boolean; readonly inOther: boolean },
): boolean {
  const differs = inOwn !== inOther || (inOwn && !equalWords(own, others, DIGEST_WORDS));
  if (inOwn) own.start += DIGEST_WORDS;
  if (inOther) others.start += DIGEST_WORDS;
  return differs;
}

/** Encodes a node from its slots. `entries` must be in slot order and not empty. */
export function encodeNode(
  level: number,
  entries: readonly (readonly [slot: number, digest: Digest])[],
): Uint8Array {
  assert(level >= 0 && level < NODE_LEVELS, `a node's level is 0 to ${NODE_LEVELS - 1}: ${level}`);
  assert(entries.length > 0 && entries.length <= NODE_FANOUT, "a node has 1 to 512 slots in use");
  const bytes = new Uint8Array(DIGESTS_OFFSET + entries.length * DIGEST_SIZE_BYTES);
  bytes[0] = NODE_FORMAT_VERSION;
  bytes[1] = level;
  bytes[2] = entries.length & 255;
  bytes[3] = entries.length >> 8;
  let previous = -1;
  entries.forEach(([slot, digest], rank) => {
    assert(slot > previous && slot < NODE_FANOUT, "slots ascend within the node");
    previous = slot;
    const bitmapByte = BITMAP_OFFSET + (slot >> 3);
    bytes[bitmapByte] = (bytes[bitmapByte] as number) | (1 << (slot & 7));
    bytes.set(digestToBytes(digest), DIGESTS_OFFSET + rank * DIGEST_SIZE_BYTES);
  });
  return bytes;
}

function equalWords(a: Words, b: Words, count: number): boolean {
  for (let i = 0; i < count; i++) {
    if (a.words[a.start + i] !== b.words[b.start + i]) return false;
  }
  return true;
}

function bitCountOf(node: Uint8Array): number {
  let count = 0;
  for (let i = BITMAP_OFFSET; i < DIGESTS_OFFSET; i++) count += bitCount(node[i] as number);
  return count;
}

/** Bits set in each byte there is. */
const BIT_COUNTS = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let bits = byte; bits !== 0; bits &= bits - 1) count += 1;
  return count;
});

function bitCount(byte: number): number {
  return BIT_COUNTS[byte] as number;
}
