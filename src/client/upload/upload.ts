import { realpath } from "node:fs/promises";
import { randomUuid } from "../../base/random.ts";
import { volumeSizeFor } from "../../model/geometry.ts";
import { GIB_BYTES, TIMEOUT_MINUTES_DEFAULT, TIMEOUT_MINUTES_MAX } from "../../model/limits.ts";
import type { StartSnapshotRequest } from "../../wire/start-snapshot.ts";
import { startSnapshot } from "../api/ebs-operations.ts";
import { createTags } from "../api/ec2-operations.ts";
import { onceReadable } from "../api/once-known.ts";
import { IMAGE_BYTES_TAG } from "../api/snapshot-tags.ts";
import type { Client } from "../call/client.ts";
import { ClientError, FileError, isSnapshotNotFound, UploadError } from "../errors.ts";
import { Image, type ImageChange, type ImageSource } from "../image/image.ts";
import { StreamImage } from "../image/stream-image.ts";
import { openParent, type Parent } from "../transfer/parent-blocks.ts";
import { planBlocks } from "../transfer/plan-blocks.ts";
import { UploadLog } from "./_upload-log.ts";
import { beginAnew, prepareLog, settleFailed } from "./_upload-resume.ts";
import { UploadRun } from "./_upload-run.ts";
import type { UploadOptions, UploadResult } from "./upload-options.ts";

/** Counts of an upload, before the time it took is known. */
type UploadCounts = Omit<UploadResult, "seconds">;

/**
 * Uploads an image as a new snapshot and waits until it is completed. Memory is bounded by the
 * concurrency, whatever the image's size, and by 40 bytes for each block that an earlier run sent.
 * With a `logPath`, an upload that ended early, however it did, is gone on with by the same call.
 *
 * Throws a `FileError` when the image or the transfer log cannot be used, a `ClientError` when the
 * snapshot cannot be started, and from then on an `UploadError` that tells what became of the
 * unfinished snapshot.
 *
 *     const { snapshotId } = await uploadSnapshot(client, { path: "disk.raw" });
 */
export async function uploadSnapshot(
  client: Client,
  options: UploadOptions,
): Promise<UploadResult> {
  const startedMs = client.clock.monotonicMs();
  const log = await openLog(client, options);
  let isDone = false;
  try {
    const counts = await withImage(client, options, (image) =>
      uploadImage(client, { image, options, log }),
    );
    const result = { ...counts, seconds: (client.clock.monotonicMs() - startedMs) / 1000 };
    options.onCompleted?.(result);
    isDone = true;
    return result;
  } finally {
    if (isDone || log.start === undefined) await log.remove();
    else await log.close();
  }
}

/** What one upload is about, from its start to its end. */
interface Task {
  readonly image: ImageSource;
  readonly options: UploadOptions;
  readonly log: UploadLog;
}

async function openLog(client: Client, options: UploadOptions): Promise<UploadLog> {
  const { logPath, path, stream, restart } = options;
  if (logPath === undefined) return new UploadLog();
  const { volumeSizeGib, description, tags, encrypted, kmsKeyArn, parentSnapshotId } = options;
  const subject = {
    transfer: "upload",
    service: client.endpoint,
    region: client.region,
    image: stream ? path : await realpath(path).catch(() => path),
    parent: parentSnapshotId,
    volumeSizeGib,
    description,
    tags,
    encrypted,
    kmsKeyArn,
  };
  return UploadLog.open({ path: logPath, subject, restart });
}

async function withImage<T>(
  client: Client,
  options: UploadOptions,
  work: (image: ImageSource) => Promise<T>,
): Promise<T> {
  const image = await openImage(client, options);
  try {
    return await work(image);
  } finally {
    await image.close();
  }
}

async function openImage(client: Client, options: UploadOptions): Promise<ImageSource> {
  const { path, stream, volumeSizeGib, raw, mapPath, signal } = options;
  if (!stream) return Image.open(path, { raw, mapPath });
  if (volumeSizeGib !== undefined) {
    return StreamImage.open({ path, stream, volumeSizeGib, raw, clock: client.clock, signal });
  }
  const message = `The size of the volume is needed: what comes from ${path} does not tell it.`;
  throw new FileError(message, { path, code: "VOLUME_SIZE_NEEDED" });
}

async function uploadImage(client: Client, task: Task): Promise<UploadCounts> {
  const { image, options, log } = task;
  const parent = await findParent(client, options);
  const volumeSizeGib = chooseVolumeSize(image, parent, options);
  const wanted = startRequest(image, volumeSizeGib, options);
  const resume = { log, wanted, options, image };
  await prepareLog(client, resume);
  const isResumed = log.snapshotId !== undefined;
  try {
    return await uploadOnce(client, task, { wanted, parent });
  } catch (error) {
    const isGone = error instanceof UploadError && isSnapshotNotFound(error.cause);
    if (!isResumed || !isGone || options.stream) throw error;
    const why = "since the service does not have it any more";
    await beginAnew(client, resume, why);
    return uploadOnce(client, task, { wanted, parent: await findParent(client, options) });
  }
}

async function findParent(
  client: Client,
  { parentSnapshotId, signal }: UploadOptions,
): Promise<Parent | undefined> {
  if (parentSnapshotId === undefined) return undefined;
  return openParent(client, parentSnapshotId, { signal });
}

async function uploadOnce(
  client: Client,
  { image, options, log }: Task,
  {
    wanted,
    parent,
  }: { readonly wanted: StartSnapshotRequest; readonly parent: Parent | undefined },
): Promise<UploadCounts> {
  const { signal, holes = "auto", onNote } = options;
  const isSourceUnchanged = log.source !== undefined && log.source === image.identity;
  if (log.source !== undefined && !isSourceUnchanged) {
    const message = `${image.path} has changed since its upload began: all of it is read again.`;
    onNote?.({ event: "source-changed", message });
  }
  if (log.start === undefined) {
    await log.noteStart({ ...wanted, ClientToken: randomUuid(client.random) }, image.identity);
  }
  const snapshotId = log.snapshotId ?? (await start(client, log, signal));
  const extents = await image.dataExtents(holes);
  const plan = planBlocks({
    image: extents ?? image.allExtents(),
    parent: parent?.blocks,
    sent: log.sent.blockIndexes(),
  });
  // Where a parent has a hole, zeros are what it reads as: no difference to send.
  const zerosAreHoles = extents === undefined || parent !== undefined;
  const parts = { client, image, snapshotId, options, log, zerosAreHoles, isSourceUnchanged };
  const run = new UploadRun(parts);
  try {
    if (!log.completion) {
      await run.run(plan);
      await noteLength(client, { image, options, log }, wanted);
    }
    await run.complete();
  } catch (cause) {
    const { isCompletionAsked } = run;
    const failed = { snapshotId, cause, log, isCompletionAsked };
    throw new UploadError(cause, snapshotId, await settleFailed(client, failed));
  } finally {
    // Also ends the search for holes, where it is still under way.
    await plan.return(undefined);
    await extents?.return(undefined);
  }
  const change = await image.findChange();
  if (change) onNote?.({ event: "source-changed", message: changeNote(image.path, change) });
  return {
    ...run.progress(),
    volumeSizeGib: wanted.VolumeSize,
    blocksSkipped: run.blocksSkipped(),
  };
}

function changeNote(path: string, { addedBytes }: ImageChange): string {
  const message =
    `${path} changed while it was read: the snapshot holds each block as it was at some time of ` +
    "the upload.";
  if (addedBytes === 0) return message;
  return `${message} What was added at its end, ${addedBytes} bytes, is not in the snapshot.`;
}

async function start(
  client: Client,
  log: UploadLog,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    // The client token is in the log already: however this ends, the snapshot is found again.
    const request = log.start as StartSnapshotRequest;
    const { ParentSnapshotId: parent } = request;
    const snapshotIds = parent === undefined ? [] : [parent];
    const { SnapshotId } = await onceReadable(client, { snapshotIds, signal }, () =>
      startSnapshot(client, request, { signal }),
    );
    await log.noteSnapshot(SnapshotId);
    return SnapshotId;
  } catch (error) {
    // A refusal begins nothing that could be gone on with.
    const isRefusal = error instanceof ClientError && (error.status ?? 500) < 500;
    if (isRefusal) await log.restart();
    throw error;
  }
}

function chooseVolumeSize(
  { path, sizeBytes = 0 }: ImageSource,
  parent: Parent | undefined,
  { volumeSizeGib }: UploadOptions,
): number {
  const least = Math.max(volumeSizeFor(sizeBytes), parent?.volumeSizeGib ?? 0);
  if (volumeSizeGib === undefined || volumeSizeGib >= least) return volumeSizeGib ?? least;
  const message = `A volume of ${volumeSizeGib} GiB is too small: it needs ${least} GiB.`;
  throw new FileError(message, { path, code: "VOLUME_TOO_SMALL" });
}

function startRequest(
  { sizeBytes }: ImageSource,
  volumeSizeGib: number,
  options: UploadOptions,
): StartSnapshotRequest {
  const { description, parentSnapshotId, encrypted, kmsKeyArn } = options;
  const tags = (options.tags ?? []).filter(({ Key }) => Key !== IMAGE_BYTES_TAG);
  const isExact = sizeBytes === undefined || sizeBytes === volumeSizeGib * GIB_BYTES;
  const all = isExact ? tags : [...tags, { Key: IMAGE_BYTES_TAG, Value: String(sizeBytes) }];
  return {
    VolumeSize: volumeSizeGib,
    Description: description,
    ParentSnapshotId: parentSnapshotId,
    Tags: all.length === 0 ? undefined : all,
    Encrypted: kmsKeyArn === undefined ? encrypted : true,
    KmsKeyArn: kmsKeyArn,
    // A minute for each GiB: an upload that only compares with its parent writes nothing.
    Timeout: Math.min(TIMEOUT_MINUTES_MAX, Math.max(TIMEOUT_MINUTES_DEFAULT, volumeSizeGib)),
  };
}

/** Tags the snapshot with the length of a stream, which nobody knew at its start. */
async function noteLength(
  client: Client,
  { image, options, log }: Task,
  { VolumeSize }: StartSnapshotRequest,
): Promise<void> {
  const { sizeBytes } = image;
  const { snapshotId } = log;
  if (!options.stream || sizeBytes === undefined || snapshotId === undefined) return;
  if (sizeBytes === VolumeSize * GIB_BYTES) return;
  const Tags = [{ Key: IMAGE_BYTES_TAG, Value: String(sizeBytes) }];
  try {
    await createTags(client, { Resources: [snapshotId], Tags }, { signal: options.signal });
  } catch (error) {
    if (!(error instanceof ClientError) || error.kind !== "service") throw error;
    const message =
      `The length of the image, ${sizeBytes} bytes, could not be noted (${error.code}): a ` +
      `download will have all of the volume's ${VolumeSize} GiB.`;
    options.onNote?.({ event: "partly-told", message });
  }
}
