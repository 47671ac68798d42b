import { stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Extent } from "../../model/extent.ts";
import { blockCountFor } from "../../model/geometry.ts";
import { GIB_BYTES } from "../../model/limits.ts";
import type { Block } from "../../wire/list-snapshot-blocks.ts";
import { describeSnapshots } from "../api/ec2-operations.ts";
import { type BlockPage, blockPagesOf } from "../api/listings.ts";
import { IMAGE_BYTES_TAG } from "../api/snapshot-tags.ts";
import type { Client } from "../call/client.ts";
import { ClientError, DownloadError } from "../errors.ts";
import { onFile } from "../image/file-errors.ts";
import { DownloadLog } from "./_download-log.ts";
import { type Foreknowledge, foreknowledgeOf, planDownload } from "./_download-plan.ts";
import { DownloadRun } from "./_download-run.ts";
import { StreamDownload } from "./_download-stream.ts";
import { salvagePagesOf } from "./_salvage.ts";
import type { BlockTarget } from "./_target.ts";
import { TargetDevice } from "./_target-device.ts";
import {
  findTarget,
  identityOfFile,
  partPathFor,
  resolveTarget,
  TargetFile,
} from "./_target-file.ts";
import type { ByteSink, DownloadOptions, DownloadResult } from "./download-options.ts";

/** A page of a listing that may know of blocks it has lost. */
type ListedPage = BlockPage<Block> & { readonly lost?: readonly Extent[] };

/** A snapshot that is there to be downloaded. */
interface Source {
  readonly volumeSizeGib: number;
  readonly volumeBytes: number;
  /** Length of the image that was uploaded, as far as is known. */
  readonly notedBytes: number;
  readonly blocks: AsyncGenerator<Block>;
  /** Where blocks are lost without a name; grows as blocks are asked for. */
  readonly lost: Extent[];
}

/** Counts of a download, before the time it took is known. */
type DownloadCounts = Omit<DownloadResult, "seconds">;

/** Where a download to a file has its transfer log, unless told otherwise: beside the file. */
export function downloadLogPath(path: string): string {
  const whole = resolve(path);
  return join(dirname(whole), `.${basename(whole)}.varve-log`);
}

/**
 * Downloads a completed snapshot as a sparse image. Every block is verified; a file appears under
 * its name only when it is whole and durable. It is as long as the image that `uploadSnapshot`
 * read, if that is known and only zeros follow, else as long as the volume. With a `logPath`, a
 * download that ended early, however it did, is gone on with by the same call; what was written
 * is hashed again first.
 *
 * Throws a `FileError` for a target that cannot be used, a `ClientError` for a snapshot that
 * cannot be read, and a `DownloadError` around either where something is kept to go on with.
 *
 *     await downloadSnapshot(client, { snapshotId, path: "disk.raw" });
 */
export async function downloadSnapshot(
  client: Client,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const startedMs = client.clock.monotonicMs();
  const log = await openLog(client, options);
  let isDone = false;
  try {
    const { sink } = options;
    const counts = sink
      ? await downloadToSink(client, { ...options, sink })
      : await downloadToTarget(client, options, log);
    const result = { ...counts, seconds: (client.clock.monotonicMs() - startedMs) / 1000 };
    options.onCompleted?.(result);
    isDone = true;
    return result;
  } finally {
    if (isDone || log.target === undefined) await log.remove();
    else await log.close();
  }
}

async function openLog(client: Client, options: DownloadOptions): Promise<DownloadLog> {
  const { snapshotId, path, sink, onto, baseSnapshotId, salvage, restart } = options;
  const logPath = options.logPath ?? (onto ? downloadLogPath(path) : undefined);
  if (sink || logPath === undefined) return new DownloadLog(client.clock);
  // A log makes its folder; that of an image has to be there, for it may be misspelled.
  await onFile("write", path, () => stat(dirname(resolve(path))));
  const subject = {
    transfer: "download",
    service: client.endpoint,
    region: client.region,
    snapshot: snapshotId,
    image: await resolveTarget(path),
    onto,
    base: baseSnapshotId,
    salvage,
  };
  return DownloadLog.open(client.clock, { path: logPath, subject, restart });
}

async function openSource(client: Client, options: DownloadOptions): Promise<Source> {
  const { snapshotId, salvage = false, signal } = options;
  const listing = salvage ? salvagePagesOf : blockPagesOf;
  const pages: AsyncGenerator<ListedPage> = listing(client, snapshotId, { signal });
  const first = await pages.next();
  if (first.done) throw new Error("A listing has at least one page");
  const { volumeSizeGib } = first.value;
  const volumeBytes = volumeSizeGib * GIB_BYTES;
  const notedBytes = (await findImageBytes(client, options, volumeBytes)) ?? volumeBytes;
  const lost: Extent[] = [];
  const blocks = blocksIn(first.value, pages, lost);
  return { volumeSizeGib, volumeBytes, notedBytes, blocks, lost };
}

async function* blocksIn(
  first: ListedPage,
  rest: AsyncIterable<ListedPage>,
  lost: Extent[],
): AsyncGenerator<Block> {
  lost.push(...(first.lost ?? []));
  yield* first.items;
  for await (const page of rest) {
    lost.push(...(page.lost ?? []));
    yield* page.items;
  }
}

async function downloadToSink(
  client: Client,
  options: DownloadOptions & { readonly sink: ByteSink },
): Promise<DownloadCounts> {
  const { snapshotId, path, sink } = options;
  const { blocks, volumeSizeGib, volumeBytes, notedBytes } = await openSource(client, {
    ...options,
    // What is written cannot be taken back: it is right, or it ends.
    salvage: false,
  });
  const download = new StreamDownload({ client, options, sink, notedBytes, volumeBytes });
  await download.run(blocks);
  const { imageBytes } = download;
  const facts = { snapshotId, path, imageBytes, volumeSizeGib, badBlocks: 0, badExtents: [] };
  return { ...download.progress(), ...facts };
}

async function downloadToTarget(
  client: Client,
  options: DownloadOptions,
  log: DownloadLog,
): Promise<DownloadCounts> {
  const done = await findDone(options, log);
  if (done) return done;
  const { signal, onto = false, snapshotId, baseSnapshotId, onNote } = options;
  const source = await openSource(client, options).catch(async (cause: unknown) => {
    if (!log.hasBlocks) throw cause;
    throw new DownloadError(cause, { snapshotId, partPath: await partPathFor(options.path) });
  });
  const { lost } = source;
  const ids = { snapshotId, baseSnapshotId };
  const foreknowledge: Foreknowledge = onto
    ? await foreknowledgeOf(client, ids, { signal })
    : { about: async () => ({}) };
  const target = await openTarget(client, { options, log, source });
  if (target.isResumed && log.hasBlocks) {
    const message = `Going on with the download of ${snapshotId} in ${target.partPath}.`;
    onNote?.({ event: "resumed", message });
  }
  const { notedBytes, volumeBytes } = source;
  const run = new DownloadRun({ client, options, target, log, notedBytes, volumeBytes, lost });
  const local = (await localExtents(target, notedBytes)) ?? nowhere();
  try {
    await run.run(planDownload({ blocks: source.blocks, local, foreknowledge }));
    await log.flush(() => target.sync());
    await target.sync();
    await log.noteWhole(run);
    await target.finish();
  } catch (cause) {
    await local.return(undefined);
    if (!(await isKept(target, log))) throw cause;
    throw new DownloadError(cause, { snapshotId, partPath: target.partPath });
  }
  const { imageBytes, badExtents } = run;
  const { volumeSizeGib } = source;
  const image = { snapshotId, path: options.path, imageBytes, volumeSizeGib };
  return { ...run.progress(), ...image, badBlocks: countBlocks(badExtents), badExtents };
}

/** The result of an earlier run that died after all was done but for saying so. */
async function findDone(
  { path, snapshotId }: DownloadOptions,
  log: DownloadLog,
): Promise<DownloadCounts | undefined> {
  const { whole, target } = log;
  if (whole === undefined || target === undefined) return undefined;
  if ((await identityOfFile(path)) !== target) return undefined;
  await unlink(await partPathFor(path)).catch(() => undefined);
  const { imageBytes, badExtents } = whole;
  const blocksTotal = blockCountFor(imageBytes);
  return {
    snapshotId,
    path,
    imageBytes,
    volumeSizeGib: Math.ceil(imageBytes / GIB_BYTES),
    blocksTotal,
    blocksDone: blocksTotal,
    blocksReceived: 0,
    blocksWritten: 0,
    blocksKept: log.kept.count,
    bytesReceived: 0,
    blocksInFlight: 0,
    retries: 0,
    badBlocks: countBlocks(badExtents),
    badExtents,
  };
}

function countBlocks(extents: readonly Extent[]): number {
  return extents.reduce((sum, { count }) => sum + count, 0);
}

async function openTarget(
  client: Client,
  parts: {
    readonly options: DownloadOptions;
    readonly log: DownloadLog;
    readonly source: Source;
  },
): Promise<BlockTarget> {
  const { options, log, source } = parts;
  const { path, force = false, onto = false, targetIsZero = false } = options;
  const open = {
    sizeBytes: source.notedBytes,
    force,
    onto,
    // Its blocks are compared one by one; what is only believed of a base is not true of it.
    adopts: onto && options.baseSnapshotId === undefined,
    earlier: log.target,
    noteTarget: (identity: string) => log.noteTarget(identity),
  };
  const found = await findTarget(path);
  if (found?.isBlockDevice()) return TargetDevice.open(path, { ...open, targetIsZero });
  const isResumable = log.isOnDisk;
  return TargetFile.open(path, { ...open, isResumable, random: client.random });
}

/** Where the image may have anything but zeros; undefined where nowhere. */
async function localExtents(
  target: BlockTarget,
  imageBytes: number,
): Promise<AsyncGenerator<Extent> | undefined> {
  if (target.isFresh) return undefined;
  const found = await target.dataExtents();
  return found ?? everywhere(blockCountFor(imageBytes));
}

async function* everywhere(count: number): AsyncGenerator<Extent> {
  yield { start: 0, count };
}

async function* nowhere(): AsyncGenerator<Extent> {}

/** Keeps what can be gone on with, with all of it noted that can be, or removes it; says which. */
async function isKept(target: BlockTarget, log: DownloadLog): Promise<boolean> {
  await log.flush(() => target.sync()).catch(() => undefined);
  // A disk or an older restore that was written to is neither the old nor the new one any more.
  const isTouched = target.hasWritten && !target.isFresh;
  const keeps = log.isOnDisk && (log.hasBlocks || isTouched);
  if (keeps) {
    await target.keep().catch(() => undefined);
    return true;
  }
  await target.discard();
  await log.restart();
  return false;
}

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
