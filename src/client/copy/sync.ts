import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import { deleteSnapshot, snapshotsOf } from "../api/ec2-operations.ts";
import { filterMatcher, type SnapshotFilter } from "../api/snapshot-filter.ts";
import { SOURCE_SNAPSHOT_TAG, tagValue } from "../api/snapshot-tags.ts";
import type { Client } from "../call/client.ts";
import { type Copy, completedCopy, sourceOf } from "./_copies.ts";
import type { CopyOptions, CopyResult } from "./_copy-options.ts";
import { CopyRun } from "./_copy-run.ts";
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
  /** Ids of copies that were deleted; empty in a dry run. */
  readonly deleted: readonly string[];
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
 * are left for the next time. Throws as `copySnapshots` does, and an `EmptySourceError`.
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
  if (options.dryRun) return { ...plan, copies: [], deleted: [] };
  const copies: CopyResult[] = [];
  for (const snapshot of missing) {
    const result = await run.copy(snapshot);
    options.onResult?.(result);
    copies.push(result);
  }
  return { ...plan, copies, deleted: await deleteGone(destination, plan, options) };
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

async function deleteGone(
  destination: Client,
  { toDelete }: SyncPlan,
  { onDeleted, signal }: SyncOptions,
): Promise<string[]> {
  const deleted: string[] = [];
  for (const { snapshotId } of toDelete) {
    await deleteSnapshot(destination, snapshotId, { signal });
    deleted.push(snapshotId);
    onDeleted?.(snapshotId);
  }
  return deleted;
}
