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
      bytes.subarray(BITMAP_OFFSET, DIGESTS_OFFSET).reduce(addBits, 0) === count;
    if (!wellFormed) throw new CorruptionError(`Bytes that should be a node of level ${level}`);
    this.level = level;
    this.count = count;
    this.#bytes = bytes;
  }

  /** Bytes this node holds in memory. */
  get sizeBytes(): number {
    return this.#bytes.length;
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
    const own = { bytes: this.#bytes, rank: 0 };
    const others = { bytes: other.#bytes, rank: 0 };
    for (let slot = 0; slot < NODE_FANOUT; slot++) {
      const inOwn = this.has(slot);
      const inOther = other.has(slot);
      const isSame = inOwn === inOther && (!inOwn || equalDigests(own, others));
      if (!isSame && slot >= fromSlot) slots.push(slot);
      if (inOwn) own.rank += 1;
      if (inOther) others.rank += 1;
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

  #digestAt(rank: number): Digest {
    const start = DIGESTS_OFFSET + rank * DIGEST_SIZE_BYTES;
    return digestFromBytes(this.#bytes.subarray(start, start + DIGEST_SIZE_BYTES));
  }
}

/** Compares the digest of one rank in one node's bytes with that of another in another's. */
function equalDigests(
  a: { readonly bytes: Uint8Array; readonly rank: number },
  b: { readonly bytes: Uint8Array; readonly rank: number },
): boolean {
  const startInA = DIGESTS_OFFSET + a.rank * DIGEST_SIZE_BYTES;
  const startInB = DIGESTS_OFFSET + b.rank * DIGEST_SIZE_BYTES;
  for (let i = 0; i < DIGEST_SIZE_BYTES; i++) {
    if (a.bytes[startInA + i] !== b.bytes[startInB + i]) return false;
  }
  return true;
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

function addBits(sum: number, byte: number): number {
  return sum + bitCount(byte);
}

function bitCount(byte: number): number {
  let bits = byte;
  let count = 0;
  for (; bits !== 0; bits &= bits - 1) count += 1;
  return count;
}
