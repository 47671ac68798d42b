import { toHex } from "./bytes.ts";

/** Where all chance comes from, so that a test can replay a run from its seed. */
export interface Random {
  /** That many bytes, unpredictable to others. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1), for jitter; need not be unpredictable. */
  fraction(): number;
}

/** Bytes asked of the generator at once: a call costs far more than its bytes. */
const POOL_BYTES = 4_096;

/** The platform's generator, asked for many bytes at once. Each is given once, and forgotten. */
function pooledBytes(): Random["bytes"] {
  const pool = new Uint8Array(POOL_BYTES);
  let next = POOL_BYTES;
  return (length) => {
    if (length > POOL_BYTES / 8) return crypto.getRandomValues(new Uint8Array(length));
    if (next + length > POOL_BYTES) {
      crypto.getRandomValues(pool);
      next = 0;
    }
    const taken = pool.slice(next, next + length);
    pool.fill(0, next, next + length);
    next += length;
    return taken;
  };
}

/** The platform's cryptographic generator. */
export const systemRandom: Random = {
  bytes: pooledBytes(),
  fraction: () => Math.random(),
};

/** Numbers from a seed, in [0, 1): small, fast, and the same everywhere (mulberry32). */
export function seededFraction(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A version 4 UUID in its usual form, for request ids and client tokens. */
export function randomUuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = toHex(bytes);
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts
    .slice(1)
    .map((end, i) => hex.slice(cuts[i], end))
    .join("-");
}
