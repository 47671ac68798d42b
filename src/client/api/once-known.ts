import type {
  DescribeSnapshotsRequest,
  SnapshotDescription,
} from "../../wire/ec2/describe-snapshots.ts";
import type { Client } from "../call/client.ts";
import { ClientError, isSnapshotNotFound } from "../errors.ts";
import { describeSnapshots } from "./ec2-operations.ts";

/*
 * AWS takes a while to know everywhere of a snapshot that was just started or completed, and
 * answers meanwhile as if there were none. EC2 knows at once: it tells which "not found" to bear.
 */

/** How long AWS may say of a snapshot just started or completed that it does not exist. */
export const UNKNOWN_MS_MAX = 120_000;
const POLL_MS = 1_000;
/** For the question whether a snapshot was completed just now, with all its attempts. */
const QUESTION_MS_MAX = 10_000;

/** How long to try. */
export interface OnceKnownOptions {
  /** Milliseconds after which "it does not exist" is believed; default two minutes. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears that it is tried again. */
  readonly onUnknown?: (() => void) | undefined;
}

/**
 * Does something with a snapshot that the caller knows to exist, once a second while the service
 * says that it does not: for what was started or completed just now.
 *
 *     await onceKnown(client, () => putSnapshotBlock(client, 0, SnapshotId, { BlockData }));
 */
export function onceKnown<T>(
  client: Client,
  work: () => Promise<T>,
  options: OnceKnownOptions = {},
): Promise<T> {
  return whileEarly(client, options, { work, isEarly: async (error) => isSnapshotNotFound(error) });
}

/** What is read, and how long to try. */
export interface OnceReadableOptions extends OnceKnownOptions {
  readonly snapshotIds: readonly string[];
  /** True where the caller has seen that one of them was completed just now. */
  readonly isNew?: boolean | undefined;
  /** True where only the caller's own can be read: of others it is known that it never will be. */
  readonly isOwn?: boolean | undefined;
}

/**
 * Reads snapshots, or starts a child of one, again and again while the service does not know of
 * their completion. That there is none is believed at once, unless EC2 says that one of them was
 * completed within the last two minutes.
 */
export function onceReadable<T>(
  client: Client,
  { snapshotIds, isNew = false, isOwn = false, ...options }: OnceReadableOptions,
  work: () => Promise<T>,
): Promise<T> {
  const question = { SnapshotIds: [...new Set(snapshotIds)], OwnerIds: isOwn ? ["self"] : [] };
  const isEarly = async (error: unknown) =>
    isUnreadable(error) && (isNew || (await isAnyNew(client, question, options.signal)));
  return whileEarly(client, options, { work, isEarly });
}

/** True where a snapshot was completed so short a time ago that readers may not know of it. */
export function isJustCompleted(
  { clock }: Client,
  { State, StartTime, CompletionTime }: SnapshotDescription,
): boolean {
  const ageMs = clock.nowMs() - Date.parse(CompletionTime ?? StartTime);
  return State === "completed" && ageMs < UNKNOWN_MS_MAX;
}

async function whileEarly<T>(
  { clock }: Client,
  { timeoutMs = UNKNOWN_MS_MAX, signal, onUnknown }: OnceKnownOptions,
  {
    work,
    isEarly,
  }: {
    readonly work: () => Promise<T>;
    readonly isEarly: (error: unknown) => Promise<boolean>;
  },
): Promise<T> {
  const endMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (clock.monotonicMs() >= endMs || !(await isEarly(error))) throw error;
      onUnknown?.();
      await clock.sleep(POLL_MS, signal);
    }
  }
}

/** What is not known to be completed is not there for readers, and "not complete" as a parent. */
function isUnreadable(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  // What is not found is the snapshot's key: nobody has ever read it without.
  if (error.reason === "DEPENDENCY_RESOURCE_NOT_FOUND") return false;
  return isSnapshotNotFound(error) || /not complete/i.test(error.message);
}

async function isAnyNew(
  client: Client,
  question: DescribeSnapshotsRequest,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (question.SnapshotIds?.length === 0) return false;
  const call = { signal, timeoutMs: QUESTION_MS_MAX };
  try {
    const { Snapshots } = await describeSnapshots(client, question, call);
    return Snapshots.some((each) => isJustCompleted(client, each));
  } catch (error) {
    // One of them is not there for EC2 either, or nobody tells: what was said first counts.
    if (error instanceof ClientError) return false;
    throw error;
  }
}
