import { forEachConcurrent } from "../base/concurrency.ts";
import { ZERO_BLOCK_CHECKSUM } from "../model/digest.ts";
import type { Extent } from "../model/extent.ts";
import { volumeSizeFor } from "../model/geometry.ts";
import {
  BLOCK_SIZE_BYTES,
  GIB_BYTES,
  TIMEOUT_MINUTES_DEFAULT,
  TIMEOUT_MINUTES_MAX,
} from "../model/limits.ts";
import type { Tag } from "../model/snapshot.ts";
import { type HoleSearch, Image } from "./_image.ts";
import { LinearChecksum } from "./_linear-checksum.ts";
import { openParent, type Parent, type PlannedBlock, planBlocks } from "./_upload-plan.ts";
import type { Client } from "./client.ts";
import { deleteSnapshot } from "./ec2-operations.ts";
import { FileError, isSnapshotNotFound, SnapshotStateError, UploadError } from "./errors.ts";
import { checksumOfBytes } from "./node-crypto.ts";
import { completeSnapshot, putSnapshotBlock, startSnapshot } from "./operations.ts";
import { waitForSnapshot } from "./wait-for-snapshot.ts";

/** Tag that keeps an image's exact length in bytes, where it is not that of the volume. */
export const IMAGE_BYTES_TAG = "varve:image-bytes";

/** How long AWS may say of a snapshot just started that it does not exist: up to two minutes. */
const UNKNOWN_TIME_MS_MAX = 120_000;
const UNKNOWN_DELAY_MS = 1_000;

/** Blocks under way at once unless told otherwise; each takes one buffer of 512 KiB. */
const CONCURRENCY_DEFAULT = 16;

/** What to upload, and how. */
export interface UploadOptions {
  /** A raw image: a file or a block device. */
  readonly path: string;
  /** GiB; default: as small as the image and the parent allow. */
  readonly volumeSizeGib?: number | undefined;
  readonly description?: string | undefined;
  readonly tags?: readonly Tag[] | undefined;
  /** Send only what differs from this completed snapshot. */
  readonly parentSnapshotId?: string | undefined;
  /** Blocks under way at once; default 16. Memory is bounded by it. */
  readonly concurrency?: number | undefined;
  /**
   * How holes are told, which are neither read nor sent. `seek` asks the file system; zeros
   * inside data are then sent as zeros, which cost no storage. `zero` takes each block of zeros
   * for a hole. `auto`, the default, asks where it can, and looks for zeros where it cannot.
   * With a parent, zeros where it has a hole are never sent: they do not differ from it.
   */
  readonly holes?: HoleSearch | undefined;
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
  /** Ends the upload and deletes what it began, unless it is about to be completed already. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to wait for the completed snapshot at the end; default half an hour. */
  readonly completionTimeoutMs?: number | undefined;
}

/** How far an upload is. */
export interface UploadProgress {
  readonly snapshotId: string;
  /** Blocks of the image. */
  readonly blocksTotal: number;
  /** Blocks of the image that are dealt with, holes among them. */
  readonly blocksDone: number;
  readonly blocksRead: number;
  readonly blocksSent: number;
  /** Blocks not sent since the parent has the same. */
  readonly blocksUnchanged: number;
  readonly bytesSent: number;
}

/** What an upload came to. */
export interface UploadResult extends UploadProgress {
  readonly volumeSizeGib: number;
  /** Blocks of the image neither sent nor in the parent: holes, or zeros taken for holes. */
  readonly blocksSkipped: number;
  readonly seconds: number;
}

/**
 * Uploads an image as a new snapshot and waits until it is completed. Memory is bounded by the
 * concurrency, whatever the image's size. Throws a `FileError` when the image cannot be read, a
 * `ClientError` when the snapshot cannot be started, and from then on an `UploadError` that tells
 * what became of the unfinished snapshot.
 *
 *     const { snapshotId } = await uploadSnapshot(client, { path: "disk.raw" });
 */
export async function uploadSnapshot(
  client: Client,
  options: UploadOptions,
): Promise<UploadResult> {
  const startedMs = client.clock.monotonicMs();
  const image = await Image.open(options.path);
  try {
    const counts = await uploadImage(client, image, options);
    const seconds = (client.clock.monotonicMs() - startedMs) / 1000;
    return { ...counts, seconds };
  } finally {
    await image.close();
  }
}

async function uploadImage(
  client: Client,
  image: Image,
  options: UploadOptions,
): Promise<Omit<UploadResult, "seconds">> {
  const { parentSnapshotId, signal, holes = "auto" } = options;
  const parent =
    parentSnapshotId === undefined
      ? undefined
      : await openParent(client, parentSnapshotId, { signal });
  const volumeSizeGib = chooseVolumeSize(image, parent, options);
  const extents = await image.dataExtents(holes);
  const plan = planBlocks(extents ?? wholeImage(image), parent?.blocks);
  try {
    const snapshotId = await start(client, { image, volumeSizeGib, options });
    const upload = new Upload({
      client,
      image,
      snapshotId,
      options,
      // Where a parent has a hole, zeros are what it reads as: no difference to send.
      zerosAreHoles: extents === undefined || parent !== undefined,
    });
    await cleaningUp(client, upload, () => upload.run(plan));
    return { ...upload.progress(), volumeSizeGib, blocksSkipped: upload.blocksSkipped() };
  } finally {
    // Also ends the search for holes, where it is still under way.
    await plan.return(undefined);
    await extents?.return(undefined);
  }
}

async function* wholeImage(image: Image): AsyncGenerator<Extent> {
  yield { start: 0, count: image.blockCount };
}

function chooseVolumeSize(
  { path, sizeBytes }: Image,
  parent: Parent | undefined,
  { volumeSizeGib }: UploadOptions,
): number {
  const least = Math.max(volumeSizeFor(sizeBytes), parent?.volumeSizeGib ?? 0);
  if (volumeSizeGib === undefined || volumeSizeGib >= least) return volumeSizeGib ?? least;
  const message = `A volume of ${volumeSizeGib} GiB is too small: it needs ${least} GiB.`;
  throw new FileError(message, { path, code: "VOLUME_TOO_SMALL" });
}

async function start(
  client: Client,
  {
    image,
    volumeSizeGib,
    options,
  }: {
    readonly image: Image;
    readonly volumeSizeGib: number;
    readonly options: UploadOptions;
  },
): Promise<string> {
  const { description, parentSnapshotId, signal } = options;
  const input = {
    VolumeSize: volumeSizeGib,
    Description: description,
    ParentSnapshotId: parentSnapshotId,
    Tags: tagsFor(image.sizeBytes, volumeSizeGib, options.tags ?? []),
    // A minute for each GiB: an upload that only compares with its parent writes nothing.
    Timeout: Math.min(TIMEOUT_MINUTES_MAX, Math.max(TIMEOUT_MINUTES_DEFAULT, volumeSizeGib)),
  };
  const { SnapshotId } = await startSnapshot(client, input, { signal });
  return SnapshotId;
}

function tagsFor(
  imageSizeBytes: number,
  volumeSizeGib: number,
  tags: readonly Tag[],
): readonly Tag[] | undefined {
  const others = tags.filter(({ Key }) => Key !== IMAGE_BYTES_TAG);
  const isExact = imageSizeBytes === volumeSizeGib * GIB_BYTES;
  const own = isExact ? [] : [{ Key: IMAGE_BYTES_TAG, Value: String(imageSizeBytes) }];
  const all = [...others, ...own];
  return all.length === 0 ? undefined : all;
}

/**
 * Runs the upload; when it fails, deletes the snapshot that nobody would ever complete. One whose
 * completion has been asked for may be completed, whatever went wrong since: it is kept, unless
 * its state is known to be `error`.
 */
async function cleaningUp(
  client: Client,
  upload: Upload,
  work: () => Promise<void>,
): Promise<void> {
  const { snapshotId } = upload;
  try {
    await work();
  } catch (cause) {
    const state = cause instanceof SnapshotStateError ? cause.state : undefined;
    const isUnfinished = !upload.isCompletionAsked || state === "error";
    const aftermath = isUnfinished
      ? await deleteUnfinished(client, snapshotId)
      : aftermathOf(snapshotId, state);
    throw new UploadError(cause, snapshotId, aftermath);
  }
}

function aftermathOf(snapshotId: string, state: string | undefined): string {
  const known =
    state === "pending"
      ? `The service is still completing ${snapshotId}`
      : `All of ${snapshotId} was sent, but its state is not known: it may be completed`;
  return `${known}. Look at it with: varve list`;
}

async function deleteUnfinished(client: Client, snapshotId: string): Promise<string> {
  try {
    await deleteSnapshot(client, snapshotId, { attemptsMax: 2 });
    return `The unfinished snapshot ${snapshotId} was deleted.`;
  } catch {
    return `The unfinished snapshot ${snapshotId} could not be deleted; delete it yourself.`;
  }
}

/** One upload under way: sends what is planned, then completes the snapshot. */
class Upload {
  readonly snapshotId: string;
  readonly #client: Client;
  readonly #image: Image;
  readonly #options: UploadOptions;
  readonly #zerosAreHoles: boolean;
  readonly #checksum = new LinearChecksum();
  readonly #freeBuffers: Uint8Array[] = [];
  readonly #zeros = new Uint8Array(BLOCK_SIZE_BYTES);
  readonly #startedMs: number;
  /** True once a block was taken: from then on an unknown snapshot is a deleted one. */
  #isKnown = false;
  #planned = 0;
  #blocksDone = 0;
  #blocksRead = 0;
  #blocksUnchanged = 0;
  #imageBlocksSent = 0;
  #isCompletionAsked = false;

  constructor(parts: {
    readonly client: Client;
    readonly image: Image;
    readonly snapshotId: string;
    readonly options: UploadOptions;
    readonly zerosAreHoles: boolean;
  }) {
    this.snapshotId = parts.snapshotId;
    this.#client = parts.client;
    this.#startedMs = parts.client.clock.monotonicMs();
    this.#image = parts.image;
    this.#options = parts.options;
    this.#zerosAreHoles = parts.zerosAreHoles;
  }

  async run(plan: AsyncIterable<PlannedBlock>): Promise<void> {
    const { signal, concurrency = CONCURRENCY_DEFAULT, completionTimeoutMs } = this.#options;
    await forEachConcurrent(plan, concurrency, (block) => this.#settle(block, this.#planned++));
    await this.#image.checkLength();
    this.#report(this.#image.blockCount);
    const completion = {
      ChangedBlocksCount: this.#checksum.count,
      Checksum: this.#checksum.finish(),
      ChecksumAlgorithm: "SHA256",
      ChecksumAggregationMethod: "LINEAR",
    };
    signal?.throwIfAborted();
    this.#isCompletionAsked = true;
    await completeSnapshot(this.#client, this.snapshotId, completion, { signal });
    const wait = { signal, timeoutMs: completionTimeoutMs, completion };
    await waitForSnapshot(this.#client, this.snapshotId, wait);
  }

  /** True from the moment on at which the service may have been told to complete the snapshot. */
  get isCompletionAsked(): boolean {
    return this.#isCompletionAsked;
  }

  progress(): UploadProgress {
    const blocksSent = this.#checksum.count;
    return {
      snapshotId: this.snapshotId,
      blocksTotal: this.#image.blockCount,
      blocksDone: this.#blocksDone,
      blocksRead: this.#blocksRead,
      blocksSent,
      blocksUnchanged: this.#blocksUnchanged,
      bytesSent: blocksSent * BLOCK_SIZE_BYTES,
    };
  }

  blocksSkipped(): number {
    return this.#image.blockCount - this.#imageBlocksSent - this.#blocksUnchanged;
  }

  async #settle(block: PlannedBlock, place: number): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const buffer = block.isInImage ? this.#takeBuffer() : this.#zeros;
    try {
      this.#checksum.settle(place, await this.#transfer(block, buffer));
      // Blocks before it may still be under way: all are done only when the last has settled.
      this.#report(Math.min(block.blockIndex + 1, this.#image.blockCount - 1));
    } finally {
      if (block.isInImage) this.#freeBuffers.push(buffer);
    }
  }

  /** Sends the block unless the snapshot has it without that; answers its checksum if sent. */
  async #transfer(block: PlannedBlock, buffer: Uint8Array): Promise<string | undefined> {
    const { blockIndex, isInImage, parent } = block;
    if (isInImage) await this.#read(blockIndex, buffer);
    const checksum = isInImage ? checksumOfBytes(buffer) : ZERO_BLOCK_CHECKSUM;
    const inherited = await parent?.checksum();
    if (inherited === checksum) {
      if (blockIndex < this.#image.blockCount) this.#blocksUnchanged += 1;
      return undefined;
    }
    const isHole = checksum === ZERO_BLOCK_CHECKSUM && (!isInImage || this.#zerosAreHoles);
    if (isHole && inherited === undefined) return undefined;
    const { signal } = this.#options;
    const input = { BlockData: buffer, Checksum: checksum };
    await this.#onceKnown(() =>
      putSnapshotBlock(this.#client, blockIndex, this.snapshotId, input, { signal }),
    );
    if (blockIndex < this.#image.blockCount) this.#imageBlocksSent += 1;
    return checksum;
  }

  /** Puts again while the service does not know of the snapshot that it has just started. */
  async #onceKnown(put: () => Promise<unknown>): Promise<void> {
    const { clock } = this.#client;
    for (;;) {
      try {
        await put();
        this.#isKnown = true;
        return;
      } catch (error) {
        const isEarly = clock.monotonicMs() - this.#startedMs < UNKNOWN_TIME_MS_MAX;
        if (this.#isKnown || !isEarly || !isSnapshotNotFound(error)) throw error;
        await clock.sleep(UNKNOWN_DELAY_MS, this.#options.signal);
      }
    }
  }

  async #read(blockIndex: number, buffer: Uint8Array): Promise<void> {
    await this.#image.readBlock(blockIndex, buffer);
    this.#blocksRead += 1;
  }

  /** At most as many buffers exist as blocks are under way. */
  #takeBuffer(): Uint8Array {
    return this.#freeBuffers.pop() ?? new Uint8Array(BLOCK_SIZE_BYTES);
  }

  #report(blocksDone: number): void {
    const upTo = Math.min(blocksDone, this.#image.blockCount);
    this.#blocksDone = Math.max(this.#blocksDone, upTo);
    this.#options.onProgress?.(this.progress());
  }
}
