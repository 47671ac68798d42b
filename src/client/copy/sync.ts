import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import { deleteSnapshot, snapshotsOf } from "../api/ec2-operations.ts";
import { filterMatcher, type SnapshotFilter } from "../api/snapshot-filter.ts";
import { SOURCE_SNAPSHOT_TAG, tagValue } from "../api/snapshot-tags.ts";
import type { Client } from "../call/client.ts";
import { isRetryable } from "../call/retry.ts";
import { ClientError, CopyError, isAccessDenied, isSnapshotNotFound } from "../errors.ts";
import { type Copy, completedCopy, sourceOf } from "./_copies.ts";
import type { CopyOptions, CopyResult } from "./_copy-options.ts";
import { CopyRun } from "./_copy-run.ts";
import { isGone } from "./_snapshot-state.ts";
import { parentsFirst } from "./copy.ts";

/** What to keep up to date, and how. */
export interface SyncOptions extends CopyOptions {
  /** Which of the source's snapshots; by tag, by volume or both. */
  readonly filter: Pick<SnapshotFilter, "tags" | "volumeId">;
  /** Delete copies whose originals are gone. */
  readonly delete?: boolean | undefined;
  /**
   * Delete copies even when no snapshot at the source matches: without it, that is taken for a
   * mistake and refused.
   */
  readonly allowEmptySource?: boolean | undefined;
  /** Say what would be done, and do nothing. */
  readonly dryRun?: boolean | undefined;
  /** Hears of each copy that was deleted. */
  readonly onDeleted?: ((snapshotId: string) => void) | undefined;
}

/** What there was to do. */
export interface SyncPlan {
  /** Snapshots at the source that lack a completed copy, in the order in which to copy them. */
  readonly toCopy: readonly string[];
  /** Copies at the destination whose originals are gone; empty without `delete`. */
  readonly toDelete: readonly {
    readonly snapshotId: string;
    readonly sourceSnapshotId: string;
  }[];
  /** Snapshots at the source that have a copy, or are one of the destination's own. */
  readonly upToDate: number;
}

/** What a synchronization came to. */
export interface SyncResult extends SyncPlan {
  /** Empty in a dry run. */
  readonly copies: readonly CopyResult[];
  /** Snapshots at the source that were deleted before they were copied, and passed over. */
  readonly vanished: readonly string[];
  /** Ids of copies that were deleted; empty in a dry run. */
  readonly deleted: readonly string[];
  /**
   * Copies that were to be deleted and could not be, with the reason; where a service answers
   * nothing or refuses the keys, all that are left have that one, and are not tried.
   */
  readonly failed: readonly { readonly snapshotId: string; readonly error: unknown }[];
}

/** Nothing at the source matches, but the destination has copies of what once did. */
export class EmptySourceError extends Error {
  override readonly name = "EmptySourceError";
  /** False where not even `allowEmptySource` helps. */
  readonly canBeAllowed: boolean;

  constructor(message: string, canBeAllowed: boolean) {
    super(message);
    this.canBeAllowed = canBeAllowed;
  }
}

/**
 * Brings a destination up to date: copies what it lacks, in order, then deletes, if asked to, the
 * copies whose originals are gone. Doing it again does nothing. Snapshots under way at the source
 * are left for the next time, one that is deleted meanwhile is passed over, and a copy that cannot
 * be deleted does not save the others. Throws as `copySnapshots` does, and an `EmptySourceError`.
 *
 *     await syncSnapshots(source, destination, { filter: { tags: [{ Key: "backup" }] } });
 */
export async function syncSnapshots(
  source: Client,
  destination: Client,
  options: SyncOptions,
): Promise<SyncResult> {
  const run = await CopyRun.open(source, destination, options);
  const matches = filterMatcher(options.filter);
  const all = [...run.view.snapshots.values()];
  const wanted = all.filter((each) => each.State === "completed" && matches(each));
  const originals = await originalsAt(destination, wanted, options);
  const isThere = ({ SnapshotId }: SnapshotDescription) =>
    completedCopy(run.copies, SnapshotId) !== undefined || originals.has(SnapshotId);
  const missing = parentsFirst(wanted.filter((each) => !isThere(each)));
  const gone = options.delete ? findGone(run, options) : [];
  checkSource(run, { source, wantedCount: wanted.length, goneCount: gone.length }, options);
  const plan: SyncPlan = {
    toCopy: missing.map(({ SnapshotId }) => SnapshotId),
    toDelete: gone.map(({ sourceSnapshotId, snapshot }) => {
      return { snapshotId: snapshot.SnapshotId, sourceSnapshotId };
    }),
    upToDate: wanted.length - missing.length,
  };
  if (options.dryRun) return { ...plan, copies: [], vanished: [], deleted: [], failed: [] };
  const done = await copyAll(run, missing, options);
  return { ...plan, ...done, ...(await deleteGone({ source, destination }, plan, options)) };
}

/** Copies one after another, but for those that were deleted since the source was asked. */
async function copyAll(
  run: CopyRun,
  missing: readonly SnapshotDescription[],
  { onResult, onNote }: SyncOptions,
): Promise<Pick<SyncResult, "copies" | "vanished">> {
  const copies: CopyResult[] = [];
  const vanished: string[] = [];
  for (const snapshot of missing) {
    try {
      const result = await run.copy(snapshot);
      onResult?.(result);
      copies.push(result);
    } catch (error) {
      if (!(error instanceof CopyError) || !error.isSourceGone) throw error;
      const { SnapshotId } = snapshot;
      vanished.push(SnapshotId);
      onNote?.({ event: "original-gone", message: `${SnapshotId}: ${error.aftermath}` });
    }
  }
  return { copies, vanished };
}

/** Throws where deleting would rather follow from a mistake than from deletions at the source. */
function checkSource(
  { view }: CopyRun,
  found: { readonly source: Client; readonly wantedCount: number; readonly goneCount: number },
  { allowEmptySource = false }: SyncOptions,
): void {
  const { source, wantedCount, goneCount } = found;
  if (goneCount === 0 || wantedCount > 0) return;
  const many = goneCount === 1 ? "1 copy" : `${goneCount} copies`;
  if (view.snapshots.size === 0) {
    const why = "it cannot be told whose copies are to be deleted";
    throw new EmptySourceError(`There is no snapshot at ${source.endpoint}: ${why}`, false);
  }
  if (allowEmptySource) return;
  const message = `No snapshot at ${source.endpoint} matches, and ${many} would be deleted`;
  throw new EmptySourceError(message, true);
}

/**
 * Of the snapshots at the source that are copies themselves, those whose originals the destination
 * has: what came from there need not go back.
 */
async function originalsAt(
  destination: Client,
  wanted: readonly SnapshotDescription[],
  { signal }: SyncOptions,
): Promise<ReadonlySet<string>> {
  const copies = wanted.flatMap((each) => {
    const originalId = tagValue(each, SOURCE_SNAPSHOT_TAG);
    return originalId === undefined ? [] : [{ originalId, id: each.SnapshotId }];
  });
  if (copies.length === 0) return new Set();
  const there = new Set<string>();
  const own = { OwnerIds: ["self"], MaxResults: 1_000 };
  for await (const { SnapshotId } of snapshotsOf(destination, own, { signal })) {
    there.add(SnapshotId);
  }
  return new Set(copies.filter(({ originalId }) => there.has(originalId)).map(({ id }) => id));
}

/** The copies of this source's snapshots that the filter means and whose originals are gone. */
function findGone({ view, copies }: CopyRun, { filter }: SyncOptions): Copy[] {
  const matches = filterMatcher(filter);
  const sources = new Set([...view.snapshots.values()].map((each) => sourceOf(view.client, each)));
  return [...copies.values()].flat().filter(
    ({ source, sourceSnapshotId, snapshot }) =>
      snapshot.State === "completed" &&
      // Without a snapshot left at the source its account is not known, and nothing is deleted.
      (sources.size === 0 || (source !== undefined && sources.has(source))) &&
      !view.snapshots.has(sourceSnapshotId) &&
      matches(snapshot),
  );
}

/** Deletes copies; the source is asked once more for the original of each, right before. */
async function deleteGone(
  { source, destination }: { readonly source: Client; readonly destination: Client },
  { toDelete }: SyncPlan,
  { onDeleted, onNote, signal }: SyncOptions,
): Promise<Pick<SyncResult, "deleted" | "failed">> {
  const deleted: string[] = [];
  const failed: { snapshotId: string; error: unknown }[] = [];
  for (const [i, { snapshotId, sourceSnapshotId }] of toDelete.entries()) {
    try {
      if (!(await isGone(source, sourceSnapshotId, { signal }))) {
        const message = `${snapshotId} is kept: its original ${sourceSnapshotId} is there again.`;
        onNote?.({ event: "original-there", message });
        continue;
      }
      await deleteSnapshot(destination, snapshotId, { signal });
      deleted.push(snapshotId);
      onDeleted?.(snapshotId);
    } catch (error) {
      if (signal?.aborted) throw error;
      // Somebody else has deleted it.
      if (isSnapshotNotFound(error)) continue;
      if (!isOfOne(error)) {
        failed.push(...toDelete.slice(i).map((each) => ({ snapshotId: each.snapshotId, error })));
        break;
      }
      failed.push({ snapshotId, error });
    }
  }
  return { deleted, failed };
}

/** True for a failure that tells of the one copy only, so that the next may fare better. */
function isOfOne(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  const { kind, code } = error;
  if (kind !== "service") return kind === "integrity";
  // A policy may refuse the one; wrong or expired keys are refused for all.
  return !isRetryable(error) && (!isAccessDenied(error) || code === "UnauthorizedOperation");
}
