import { forEachConcurrent } from "../../base/concurrency.ts";
import { CONCURRENCY_DEFAULT } from "../../model/defaults.ts";
import { ZERO_BLOCK_CHECKSUM } from "../../model/digest.ts";
import { extentsOf } from "../../model/extent.ts";
import { offsetOf } from "../../model/geometry.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import type { Client } from "../call/client.ts";
import { checksumOfBytes } from "../call/node-crypto.ts";
import { type HoleSearch, Image } from "../image/image.ts";
import { openParent } from "../transfer/parent-blocks.ts";
import { type PlannedBlock, planBlocks } from "../transfer/plan-blocks.ts";
import type { SnapshotDiff } from "./diff.ts";

/** A snapshot and a local image to compare. */
export interface ImageDiffOptions {
  readonly snapshotId: string;
  /** A raw image: a file or a block device. */
  readonly path: string;
  readonly holes?: HoleSearch | undefined;
  /** A map of the image by `qemu-img map --output=json`, to take holes from instead. */
  readonly mapPath?: string | undefined;
  /** Compare the bytes as they are, also where they look like qcow2, VMDK, VHD and so on. */
  readonly raw?: boolean | undefined;
  /** Blocks under way at once; default 16. */
  readonly concurrency?: number | undefined;
  readonly onProgress?: ((progress: ImageDiffProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How far a comparison is. */
export interface ImageDiffProgress {
  /** Blocks of the image. */
  readonly blocksTotal: number;
  readonly blocksDone: number;
  readonly blocksRead: number;
  readonly blocksInFlight: number;
  /** Attempts that failed and were repeated. */
  readonly retries: number;
}

/**
 * Compares a snapshot with a local image, block by block, by what they hold: a hole is the same as
 * zeros. The snapshot is the first of the two, the image the second. No block of the snapshot is
 * received where the service tells digests; elsewhere all of them are.
 *
 *     const { extents } = await diffSnapshotWithImage(client, { snapshotId, path: "disk.raw" });
 */
export async function diffSnapshotWithImage(
  client: Client,
  options: ImageDiffOptions,
): Promise<SnapshotDiff> {
  const { snapshotId, path, raw, mapPath, holes = "auto" } = options;
  const image = await Image.open(path, { raw, mapPath });
  const comparison = new Comparison(image, options);
  try {
    const snapshot = await openParent(client, snapshotId, comparison.callOptions);
    const extents = (await image.dataExtents(holes)) ?? image.allExtents();
    try {
      const plan = planBlocks({ image: extents, parent: snapshot.blocks });
      await comparison.run(plan);
    } finally {
      await extents.return(undefined);
    }
    await image.checkLength();
    return comparison.result(snapshot.volumeSizeGib);
  } finally {
    await image.close();
  }
}

/** One comparison under way. */
class Comparison {
  readonly callOptions: { readonly signal: AbortSignal | undefined; readonly onRetry: () => void };
  readonly #image: Image;
  readonly #options: ImageDiffOptions;
  readonly #freeBuffers: Uint8Array[] = [];
  readonly #changed: number[] = [];
  #onlyInFirst = 0;
  #onlyInSecond = 0;
  #blocksDone = 0;
  #blocksRead = 0;
  #blocksInFlight = 0;
  #retries = 0;

  constructor(image: Image, options: ImageDiffOptions) {
    this.#image = image;
    this.#options = options;
    const onRetry = () => {
      this.#retries += 1;
      this.#report(0);
    };
    this.callOptions = { signal: options.signal, onRetry };
  }

  async run(plan: AsyncIterable<PlannedBlock>): Promise<void> {
    const { concurrency = CONCURRENCY_DEFAULT, signal } = this.#options;
    await forEachConcurrent(plan, concurrency, async (block) => {
      signal?.throwIfAborted();
      this.#blocksInFlight += 1;
      try {
        await this.#compare(block);
      } finally {
        this.#blocksInFlight -= 1;
      }
      this.#report(block.blockIndex + 1);
    });
    this.#report(this.#image.blockCount);
  }

  result(volumeSizeGib: number): SnapshotDiff {
    const changedBlocks = this.#changed.length;
    return {
      volumeSizeGib,
      changedBlocks,
      changedBytes: offsetOf(changedBlocks),
      onlyInFirst: this.#onlyInFirst,
      onlyInSecond: this.#onlyInSecond,
      extents: extentsOf(this.#changed.sort((a, b) => a - b)),
    };
  }

  async #compare({ blockIndex, isInImage, parent }: PlannedBlock): Promise<void> {
    const [first, second] = await Promise.all([
      parent?.checksum() ?? ZERO_BLOCK_CHECKSUM,
      isInImage ? this.#checksumOf(blockIndex) : ZERO_BLOCK_CHECKSUM,
    ]);
    if (first === second) return;
    this.#changed.push(blockIndex);
    if (!isInImage) this.#onlyInFirst += 1;
    if (parent === undefined) this.#onlyInSecond += 1;
  }

  async #checksumOf(blockIndex: number): Promise<string> {
    const buffer = this.#freeBuffers.pop() ?? new Uint8Array(BLOCK_SIZE_BYTES);
    try {
      await this.#image.readBlock(blockIndex, buffer);
      this.#blocksRead += 1;
      return checksumOfBytes(buffer);
    } finally {
      this.#freeBuffers.push(buffer);
    }
  }

  #report(blocksDone: number): void {
    const upTo = Math.min(blocksDone, this.#image.blockCount);
    this.#blocksDone = Math.max(this.#blocksDone, upTo);
    this.#options.onProgress?.({
      blocksTotal: this.#image.blockCount,
      blocksDone: this.#blocksDone,
      blocksRead: this.#blocksRead,
      blocksInFlight: this.#blocksInFlight,
      retries: this.#retries,
    });
  }
}
