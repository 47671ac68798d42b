import { forEachConcurrent } from "../base/concurrency.ts";
import { ZERO_BLOCK_CHECKSUM } from "../model/digest.ts";
import { type Extent, joinExtents } from "../model/extent.ts";
import { offsetOf } from "../model/geometry.ts";
import { BLOCK_SIZE_BYTES, GIB_BYTES } from "../model/limits.ts";
import type { GetSnapshotBlockResponse } from "../wire/get-snapshot-block.ts";
import type { Block } from "../wire/list-snapshot-blocks.ts";
import { isDamage, salvagePagesOf } from "./_salvage.ts";
import { TargetFile } from "./_target-file.ts";
import type { Client } from "./client.ts";
import { describeSnapshots } from "./ec2-operations.ts";
import { ClientError } from "./errors.ts";
import { type BlockPage, blockPagesOf } from "./listings.ts";
import { getSnapshotBlock } from "./operations.ts";
import { IMAGE_BYTES_TAG } from "./upload-options.ts";

/** Blocks under way at once unless told otherwise; each takes 512 KiB. */
const CONCURRENCY_DEFAULT = 16;

/** What to download, and where to. */
export interface DownloadOptions {
  readonly snapshotId: string;
  /** The image to write. */
  readonly path: string;
  /** Replace an image that is there already. */
  readonly force?: boolean | undefined;
  /**
   * Go on past blocks that cannot be read or verified, however often they are asked for, and leave
   * zeros in their place; the result says which they are.
   */
  readonly salvage?: boolean | undefined;
  /** Blocks under way at once; default 16. Memory is bounded by it. */
  readonly concurrency?: number | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Ends the download and removes what it wrote. */
  readonly signal?: AbortSignal | undefined;
}

/** How far a download is. */
export interface DownloadProgress {
  /** Blocks of the image. */
  readonly blocksTotal: number;
  /** Blocks of the image that are dealt with, holes among them. */
  readonly blocksDone: number;
  readonly blocksReceived: number;
  /** Blocks written to the image: those received that are not zeros. */
  readonly blocksWritten: number;
  readonly bytesReceived: number;
}

/** What a download came to. */
export interface DownloadResult extends DownloadProgress {
  readonly snapshotId: string;
  readonly path: string;
  /** Length of the image. */
  readonly imageBytes: number;
  readonly volumeSizeGib: number;
  /** Blocks that are zeros in the image because they could not be read; 0 without salvage. */
  readonly badBlocks: number;
  /** Where they are, ascending. */
  readonly badExtents: readonly Extent[];
  readonly seconds: number;
}

/**
 * Downloads a completed snapshot as a sparse image file. Every block is verified; the image
 * appears under its name only when it is whole and durable. It is as long as the image that
 * `uploadSnapshot` read, if that is known and only zeros follow, else as long as the volume.
 *
 *     await downloadSnapshot(client, { snapshotId, path: "disk.raw" });
 */
export async function downloadSnapshot(
  client: Client,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const { snapshotId, path, force = false, salvage = false, signal } = options;
  const startedMs = client.clock.monotonicMs();
  const listing = salvage ? salvagePagesOf : blockPagesOf;
  const pages: AsyncGenerator<ListedPage> = listing(client, snapshotId, { signal });
  const first = await pages.next();
  if (first.done) throw new Error("A listing has at least one page");
  const { volumeSizeGib } = first.value;
  const volumeBytes = volumeSizeGib * GIB_BYTES;
  const notedBytes = (await findImageBytes(client, options, volumeBytes)) ?? volumeBytes;
  const target = await TargetFile.create(path, notedBytes, { force, random: client.random });
  const download = new Download({ client, options, target, notedBytes, volumeBytes });
  try {
    await download.run(first.value, pages);
    await target.finish();
  } catch (error) {
    await target.discard();
    throw error;
  }
  const seconds = (client.clock.monotonicMs() - startedMs) / 1000;
  const { imageBytes, badExtents } = download;
  const badBlocks = badExtents.reduce((sum, { count }) => sum + count, 0);
  const image = { snapshotId, path, imageBytes, volumeSizeGib };
  return { ...download.progress(), ...image, badBlocks, badExtents, seconds };
}

/** A page of a listing that may know of blocks it has lost. */
type ListedPage = BlockPage<Block> & { readonly lost?: readonly Extent[] };

/**
 * The length that the upload noted, if it did and we may read it. Anybody who may tag the snapshot
 * can have changed it since: it is a claim that the blocks have to bear out.
 */
async function findImageBytes(
  client: Client,
  { snapshotId, signal }: DownloadOptions,
  volumeBytes: number,
): Promise<number | undefined> {
  try {
    const input = { SnapshotIds: [snapshotId] };
    const { Snapshots } = await describeSnapshots(client, input, { signal });
    const tag = Snapshots[0]?.Tags.find(({ Key }) => Key === IMAGE_BYTES_TAG);
    const imageBytes = Number(tag?.Value);
    const isUsable = Number.isInteger(imageBytes) && imageBytes > 0 && imageBytes <= volumeBytes;
    return isUsable ? imageBytes : undefined;
  } catch (error) {
    // Whoever may read blocks need not be allowed to describe snapshots.
    if (error instanceof ClientError && error.kind === "service") return undefined;
    throw error;
  }
}

/** One download under way. */
class Download {
  readonly #client: Client;
  readonly #options: DownloadOptions;
  readonly #target: TargetFile;
  readonly #notedBytes: number;
  readonly #volumeBytes: number;
  #imageBytes: number;
  #blocksDone = 0;
  #blocksReceived = 0;
  #blocksWritten = 0;
  readonly #bad: Extent[] = [];

  constructor(parts: {
    readonly client: Client;
    readonly options: DownloadOptions;
    readonly target: TargetFile;
    readonly notedBytes: number;
    readonly volumeBytes: number;
  }) {
    this.#client = parts.client;
    this.#options = parts.options;
    this.#target = parts.target;
    this.#notedBytes = parts.notedBytes;
    this.#volumeBytes = parts.volumeBytes;
    this.#imageBytes = parts.notedBytes;
  }

  /** Length of the image: the noted one until a block holds something beyond it. */
  get imageBytes(): number {
    return this.#imageBytes;
  }

  /** Where blocks could not be read, ascending. */
  get badExtents(): Extent[] {
    return joinExtents(this.#bad);
  }

  async run(first: ListedPage, rest: AsyncIterable<ListedPage>): Promise<void> {
    const { signal, concurrency = CONCURRENCY_DEFAULT } = this.#options;
    const blocks = this.#blocksOf(first, rest);
    await forEachConcurrent(blocks, concurrency, (block) => this.#transfer(block));
    signal?.throwIfAborted();
    if (this.#imageBytes !== this.#notedBytes) await this.#target.resize(this.#imageBytes);
    this.#report(this.progress().blocksTotal);
  }

  async *#blocksOf(first: ListedPage, rest: AsyncIterable<ListedPage>): AsyncGenerator<Block> {
    this.#bad.push(...(first.lost ?? []));
    yield* first.items;
    for await (const { items, lost = [] } of rest) {
      this.#bad.push(...lost);
      yield* items;
    }
  }

  progress(): DownloadProgress {
    return {
      blocksTotal: Math.ceil(this.#imageBytes / BLOCK_SIZE_BYTES),
      blocksDone: this.#blocksDone,
      blocksReceived: this.#blocksReceived,
      blocksWritten: this.#blocksWritten,
      bytesReceived: offsetOf(this.#blocksReceived),
    };
  }

  async #transfer({ BlockIndex, BlockToken }: Block): Promise<void> {
    const { snapshotId, signal } = this.#options;
    signal?.throwIfAborted();
    const offset = offsetOf(BlockIndex);
    const block = await getSnapshotBlock(this.#client, BlockIndex, snapshotId, BlockToken, {
      signal,
    }).catch((error: unknown) => {
      if (!this.#options.salvage || !isDamage(error)) throw error;
      this.#bad.push({ start: BlockIndex, count: 1 });
    });
    if (block) await this.#take(block, offset);
    // Blocks before it may still be under way: all are done only when the last has settled.
    this.#report(Math.min(BlockIndex + 1, this.progress().blocksTotal - 1));
  }

  async #take({ BlockData, Checksum }: GetSnapshotBlockResponse, offset: number): Promise<void> {
    this.#blocksReceived += 1;
    if (Checksum === ZERO_BLOCK_CHECKSUM) return;
    const length = this.#imageLengthIn(BlockData, offset);
    await this.#target.write(BlockData.subarray(0, length), offset);
    this.#blocksWritten += 1;
  }

  /**
   * How many of a block's bytes belong to the image. Beyond the end of an uploaded image there are
   * only zeros: its last block is filled up with them, and they are written over what a longer
   * parent has. Anything else shows that the noted length is wrong, and nothing may be left out.
   */
  #imageLengthIn(bytes: Uint8Array, offset: number): number {
    const length = Math.max(0, this.#imageBytes - offset);
    if (length >= bytes.length || isZeros(bytes.subarray(length))) return length;
    this.#imageBytes = this.#volumeBytes;
    return bytes.length;
  }

  #report(blocksDone: number): void {
    this.#blocksDone = Math.max(this.#blocksDone, blocksDone);
    this.#options.onProgress?.(this.progress());
  }
}

function isZeros(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
