import type { StartSnapshotRequest } from "../../wire/start-snapshot.ts";
import { deleteSnapshot, describeSnapshots } from "../api/ec2-operations.ts";
import type { Client } from "../call/client.ts";
import { ClientError, isSnapshotNotFound, SnapshotStateError } from "../errors.ts";
import type { ImageSource } from "../image/image.ts";
import type { UploadLog } from "./_upload-log.ts";
import type { UploadOptions } from "./upload-options.ts";

/*
 * Whether an upload can go on with what an earlier run began, and what becomes of what it cannot.
 * Beginning anew loses nothing: all there is to send is in the image.
 */

/** What decides whether to go on. */
export interface ResumeParts {
  readonly log: UploadLog;
  /** What this run would start a snapshot with, without its client token. */
  readonly wanted: StartSnapshotRequest;
  readonly options: UploadOptions;
  readonly image: Pick<ImageSource, "identity">;
}

/** Readies the log: to go on with what is in it, or emptied; says which. */
export async function prepareLog(client: Client, parts: ResumeParts): Promise<void> {
  const { log, options } = parts;
  const { snapshotId, start } = log;
  if (start === undefined) return log.restart();
  const why = options.restart ? `as was asked for${leftBehind(log)}` : await whyAnew(client, parts);
  if (why === undefined) {
    const what = snapshotId === undefined ? "" : ` of ${snapshotId}`;
    const done = log.completion ? "only its completion is left" : countOf(log.sent.count);
    const message = `Going on with the upload${what}: ${done}.`;
    return options.onNote?.({ event: "resumed", message });
  }
  await beginAnew(client, parts, why);
}

function countOf(blocks: number): string {
  return `${blocks} block${blocks === 1 ? " was" : "s were"} sent before`;
}

/** Gives up what was begun, and says so. */
export async function beginAnew(
  client: Client,
  { log, options }: ResumeParts,
  why: string,
): Promise<void> {
  const { snapshotId } = log;
  // Before the log forgets it, so that nothing is left that nobody would ever complete.
  const isUnfinished = snapshotId !== undefined && !log.completion;
  const failure = isUnfinished ? await failureToDelete(client, snapshotId) : undefined;
  await log.restart();
  const what = snapshotId === undefined ? "" : ` of ${snapshotId}`;
  const isLeft = isUnfinished && failure !== undefined && !isSnapshotNotFound(failure);
  const left = isLeft ? ` ${notDeleted(snapshotId)}` : "";
  const message = `The upload${what} begins anew, ${why}.${left}`;
  options.onNote?.({ event: "begun-anew", message });
}

async function whyAnew(
  client: Client,
  { log, wanted, options, image }: ResumeParts,
): Promise<string | undefined> {
  const { ClientToken: _, ...started } = log.start ?? wanted;
  if (!log.completion && JSON.stringify(started) !== JSON.stringify(wanted)) {
    return "since the image has another size now";
  }
  if (log.snapshotId === undefined) return undefined;
  const state = await findState(client, log.snapshotId, options.signal);
  if (state === "error") return "since the service has given it up: too much time went by";
  // Just started, it may be unknown for some time; and nothing is known where nobody may ask.
  if (state === "gone" && (log.sent.count > 0 || log.completion)) {
    return "since the service does not have it any more";
  }
  if (!log.completion) {
    return state === "completed" ? "since somebody else has completed it" : undefined;
  }
  // What is completed never changes again: it must not pass for a snapshot of what is there now.
  if (image.identity === undefined) {
    return `since nobody can tell whether the image has changed${leftBehind(log)}`;
  }
  return image.identity === log.source
    ? undefined
    : `since the image has changed${leftBehind(log)}`;
}

/** What is to be known of a snapshot that is not deleted, for it may be completed. */
function leftBehind({ snapshotId, completion }: UploadLog): string {
  if (!completion) return "";
  return `: ${snapshotId} may be a completed snapshot of what the image held before`;
}

/** `gone` where it does not exist, undefined where the service does not say. */
async function findState(
  client: Client,
  snapshotId: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    const { Snapshots } = await describeSnapshots(
      client,
      { SnapshotIds: [snapshotId] },
      { signal },
    );
    return Snapshots[0]?.State ?? "gone";
  } catch (error) {
    if (isSnapshotNotFound(error)) return "gone";
    if (error instanceof ClientError && error.kind === "service") return undefined;
    throw error;
  }
}

/** What became of a snapshot whose upload failed. */
export interface Aftermath {
  /** A sentence. */
  readonly text: string;
  /** True where the same upload goes on with it. */
  readonly isResumable: boolean;
}

/**
 * Deletes a snapshot that nobody would ever complete. One that the transfer log knows is kept; so
 * is one whose completion has been asked for, unless its state is known to be `error`: it may be
 * completed, whatever went wrong since.
 */
export async function settleFailed(
  client: Client,
  failed: {
    readonly snapshotId: string;
    readonly cause: unknown;
    readonly log: UploadLog;
    readonly isCompletionAsked: boolean;
  },
): Promise<Aftermath> {
  const { snapshotId, cause, log, isCompletionAsked } = failed;
  const state = cause instanceof SnapshotStateError ? cause.state : undefined;
  const isResumable = log.isOnDisk && state !== "error";
  if (!isResumable && (state === "error" || !isCompletionAsked)) {
    const text = await deleteUnfinished(client, snapshotId);
    if (log.isOnDisk) await log.restart();
    return { text, isResumable };
  }
  return { text: aftermathOf(snapshotId, state, failed), isResumable };
}

function aftermathOf(
  snapshotId: string,
  state: string | undefined,
  { isCompletionAsked, log }: { readonly isCompletionAsked: boolean; readonly log: UploadLog },
): string {
  if (!isCompletionAsked) {
    const minutes = log.start?.Timeout;
    return `What was sent of ${snapshotId} is kept for ${minutes} min.`;
  }
  const known =
    state === "pending"
      ? `The service is still completing ${snapshotId}`
      : `All of ${snapshotId} was sent, but its state is not known: it may be completed`;
  return `${known}. Look at it with: varve list`;
}

async function deleteUnfinished(client: Client, snapshotId: string): Promise<string> {
  const failure = await failureToDelete(client, snapshotId);
  return failure === undefined
    ? `The unfinished snapshot ${snapshotId} was deleted.`
    : notDeleted(snapshotId);
}

/** Why a snapshot could not be deleted; undefined where it was. */
async function failureToDelete(client: Client, snapshotId: string): Promise<unknown> {
  return deleteSnapshot(client, snapshotId, { attemptsMax: 2 }).catch((error: unknown) => error);
}

function notDeleted(snapshotId: string): string {
  return `The unfinished snapshot ${snapshotId} could not be deleted; delete it yourself.`;
}
