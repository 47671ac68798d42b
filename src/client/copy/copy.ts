import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import { describeSnapshots } from "../api/ec2-operations.ts";
import { volumeOf } from "../api/snapshot-tags.ts";
import type { Client } from "../call/client.ts";
import { CopyError } from "../errors.ts";
import { ancestorsOf, type SourceView } from "./_copy-base.ts";
import type { CopyOptions, CopyResult } from "./_copy-options.ts";
import { CopyRun } from "./_copy-run.ts";

export type { CopyOptions, CopyProgress, CopyResult } from "./_copy-options.ts";

/** Which snapshots to copy, and how. */
export interface CopySnapshotsOptions extends CopyOptions {
  readonly snapshotIds: readonly string[];
  /** Copy all their ancestors, too. */
  readonly lineage?: boolean | undefined;
}

/**
 * Copies snapshots to another service, another region or another account, those started first
 * before the others. Where a relative of a snapshot has a copy already, only what differs is
 * copied and the copy becomes a child of that one. Tags and description are kept; a few tags say
 * what a copy is a copy of. A snapshot that has a completed copy is not copied again. Throws a
 * `CopyError` that says what to do next; after any failure, the same call goes on.
 *
 *     await copySnapshots(source, destination, { snapshotIds: ["snap-0123456789abcdef0"] });
 */
export async function copySnapshots(
  source: Client,
  destination: Client,
  options: CopySnapshotsOptions,
): Promise<CopyResult[]> {
  const run = await CopyRun.open(source, destination, options);
  const wanted = await findWanted(run.view, options);
  const results: CopyResult[] = [];
  for (const snapshot of parentsFirst(wanted)) {
    const result = await run.copy(snapshot);
    options.onResult?.(result);
    results.push(result);
  }
  return results;
}

/** In order of their start: a child is started after its parent is completed. */
export function parentsFirst(snapshots: Iterable<SnapshotDescription>): SnapshotDescription[] {
  return [...snapshots].sort((a, b) => Date.parse(a.StartTime) - Date.parse(b.StartTime));
}

async function findWanted(
  view: SourceView,
  { snapshotIds, lineage = false, signal }: CopySnapshotsOptions,
): Promise<readonly SnapshotDescription[]> {
  const wanted = new Map<string, SnapshotDescription>();
  for (const id of snapshotIds) {
    // One that is shared with the caller is not among its own.
    const own = view.snapshots.get(id);
    const { Snapshots } = own
      ? { Snapshots: [own] }
      : await describeSnapshots(view.client, { SnapshotIds: [id] }, { signal });
    for (const each of Snapshots) wanted.set(each.SnapshotId, each);
  }
  if (!lineage) return [...wanted.values()];
  for (const snapshot of [...wanted.values()]) {
    for (const each of findAncestors(view, snapshot)) wanted.set(each.SnapshotId, each);
  }
  return [...wanted.values()];
}

function findAncestors(view: SourceView, snapshot: SnapshotDescription): SnapshotDescription[] {
  const { lineages, snapshots } = view;
  const isUsable = (each: SnapshotDescription | undefined) => each?.State === "completed";
  if (lineages) {
    const ids = ancestorsOf(lineages, snapshot.SnapshotId);
    return ids.flatMap((id) => snapshots.get(id) ?? []).filter(isUsable);
  }
  const volume = volumeOf(snapshot);
  if (volume === undefined) {
    const { SnapshotId: sourceSnapshotId } = snapshot;
    const message = `The source does not tell which snapshots ${sourceSnapshotId} was made from.`;
    const aftermath = "Name them all, without --lineage; related ones are found by comparing them.";
    throw new CopyError(message, { sourceSnapshotId, aftermath });
  }
  const earlier = [...snapshots.values()].filter((each) => each.StartTime < snapshot.StartTime);
  return earlier.filter((each) => volumeOf(each) === volume && isUsable(each));
}
