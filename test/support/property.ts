import { createCipheriv, createHash } from "node:crypto";
import type { TestContext } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";

/** Seed of all chance in this test process; `VARVE_SEED` replays an earlier run. */
export const SEED = Number(process.env["VARVE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** `VARVE_RUNS` multiplies the number of runs of every property. */
const RUNS_FACTOR = Number(process.env["VARVE_RUNS"] ?? 1);

/** Says in the test's output how to replay it. */
export function printSeed(t: TestContext): number {
  t.diagnostic(`seed ${SEED}: replay with VARVE_SEED=${SEED}`);
  return SEED;
}

/** Options of `fc.assert`: the seed, which is printed, and the number of runs, scaled. */
export function propertyRuns(t: TestContext, count: number): { seed: number; numRuns: number } {
  return { seed: printSeed(t), numRuns: Math.max(1, Math.round(count * RUNS_FACTOR)) };
}

export { seededFraction } from "../../src/base/random.ts";

/** A whole number in [0, bound). */
export function pick(fraction: () => number, bound: number): number {
  return Math.floor(fraction() * bound);
}

/** Bytes that do not compress, the same for the same seed. */
export function seededBytes(seed: string | number, length: number): Uint8Array {
  const key = createHash("sha256").update(`bytes ${seed}`).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A block's contents by number: 0 is zeros, every eighth does not compress, the others do. */
export function blockContents(contents: number): Uint8Array {
  if (contents === 0) return Buffer.alloc(BLOCK_SIZE_BYTES);
  if (contents % 8 === 7) return seededBytes(contents, BLOCK_SIZE_BYTES);
  return Buffer.alloc(BLOCK_SIZE_BYTES, seededBytes(contents, 32));
}
