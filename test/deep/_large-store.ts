import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { Service } from "../../src/service.ts";
import type { Ledger } from "./_ledger.ts";

/* A store as large as the scorecard asks for, of blocks that do not compress. */

/** 10 GiB, in blocks. */
export const LARGE_BLOCK_COUNT = (10 * 1024 * 1024 * 1024) / BLOCK_SIZE_BYTES;

/** Of one snapshot: all of them are put at once. */
const BLOCKS_AT_ONCE = 128;

/** Writes so many blocks, each with contents of its own, in as many snapshots as that takes. */
export async function fillLargely(
  service: Service,
  ledger: Ledger,
  blockCount: number,
): Promise<void> {
  for (let start = 0; start < blockCount; start += BLOCKS_AT_ONCE) {
    const count = Math.min(BLOCKS_AT_ONCE, blockCount - start);
    // Every eighth of the contents does not compress; these are far from all that others write.
    const contents = (i: number) => FIRST + 8 * (start + i);
    await ledger.write(service, new Map(Array.from({ length: count }, (_, i) => [i, contents(i)])));
  }
}

const FIRST = 80_000_007;

/** How large that is, in words. */
export function sizeInWords(blockCount: number): string {
  const bytes = blockCount * BLOCK_SIZE_BYTES;
  const gib = bytes / 1024 ** 3;
  return gib < 1 ? `${Math.round(bytes / 1024 ** 2)} MiB` : `${Math.round(gib)} GiB`;
}
