import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import { deleteSnapshot, snapshotsOf } from "../api/ec2-operations.ts";
import { findLineages } from "../api/lineages.ts";
import { tagValue, takenAtMs, volumeOf } from "../api/snapshot-tags.ts";
import type { Client } from "../call/client.ts";
import { findHolds } from "./holds.ts";
import {
  decidePrune,
  isEmptyRules,
  type KeepRules,
  type PrunableSnapshot,
  type PruneDecision,
} from "./keep-rules.ts";

/** What snapshots have in common that the rules are applied to together. */
export type PruneGrouping =
  | { readonly by: "volume" | "none" }
  | { readonly by: "tag"; readonly key: string };

/** Which snapshots to prune, and by which rules. */
export interface PruneOptions {
  readonly rules: KeepRules;
  /**
   * Default `volume`: the volume that snapshots were made of or, where there is none, their
   * lineage as the service tells it. With a tag, its value; snapshots without it are left alone.
   */
  readonly grouping?: PruneGrouping | undefined;
  /** Only these; default: all of the caller's own. */
  readonly matches?: ((snapshot: SnapshotDescription) => boolean) | undefined;
  /** Name of the time zone whose hours, days, weeks, months and years count; default UTC. */
  readonly timeZone?: string | undefined;
  /** Decide, and delete nothing. */
  readonly dryRun?: boolean | undefined;
  /** Hears of each snapshot that was deleted. */
  readonly onDeleted?: ((snapshotId: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A snapshot that was decided about; a copy by the time at which its original was started. */
export interface PrunedSnapshot extends PrunableSnapshot {
  readonly group: string;
  readonly description: SnapshotDescription;
}

/** What pruning came to. */
export interface PruneResult {
  /** By group, in order of time within each. */
  readonly decisions: readonly PruneDecision<PrunedSnapshot>[];
  readonly deleted: readonly string[];
  /** Those that were to be deleted and could not be, with the reason. */
  readonly failed: readonly { readonly snapshotId: string; readonly error: unknown }[];
  /** Snapshots that belong to no group and were left alone. */
  readonly ungrouped: readonly string[];
  /** Operations by which locks or images could not be asked for. */
  readonly holdsUnknown: readonly string[];
}

/**
 * Deletes the snapshots that no rule keeps, group by group, the earliest first. One that cannot
 * be deleted does not save the others. Throws a `RangeError` for rules that keep nothing, and
 * for a time zone that is none.
 *
 *     await pruneSnapshots(client, { rules: { last: 3, daily: 14 }, dryRun: true });
 */
export async function pruneSnapshots(client: Client, options: PruneOptions): Promise<PruneResult> {
  const { rules, timeZone = "UTC", dryRun = false, signal } = options;
  if (isEmptyRules(rules)) throw new RangeError("No rule keeps anything");
  const { groups, ungrouped } = await findGroups(client, options);
  const { holds, unknown: holdsUnknown } = await findHolds(client, { signal });
  const decisions = [...groups].sort(byName).flatMap(([group, descriptions]) => {
    const snapshots = descriptions.map((description) => ({
      snapshotId: description.SnapshotId,
      startTimeMs: takenAtMs(description),
      state: description.State,
      tags: description.Tags,
      holds: holds.get(description.SnapshotId) ?? [],
      group,
      description,
    }));
    return decidePrune(snapshots, rules, timeZone);
  });
  const outcome = dryRun
    ? { deleted: [], failed: [] }
    : await deleteAll(client, decisions, options);
  return { decisions, ...outcome, ungrouped, holdsUnknown };
}

async function findGroups(
  client: Client,
  { grouping = { by: "volume" }, matches = () => true, signal }: PruneOptions,
) {
  const lineages = grouping.by === "volume" ? await findLineages(client, { signal }) : undefined;
  const groups = new Map<string, SnapshotDescription[]>();
  const ungrouped: string[] = [];
  const input = { OwnerIds: ["self"], MaxResults: 1_000 };
  for await (const snapshot of snapshotsOf(client, input, { signal })) {
    if (!matches(snapshot)) continue;
    const lineageId = lineages?.get(snapshot.SnapshotId)?.LineageId;
    const group = groupOf(snapshot, grouping, lineageId);
    if (group === undefined) ungrouped.push(snapshot.SnapshotId);
    else groups.set(group, [...(groups.get(group) ?? []), snapshot]);
  }
  return { groups, ungrouped };
}

function groupOf(
  snapshot: SnapshotDescription,
  grouping: PruneGrouping,
  lineageId: string | undefined,
): string | undefined {
  if (grouping.by === "none") return "all";
  if (grouping.by === "tag") return tagValue(snapshot, grouping.key);
  return volumeOf(snapshot) ?? lineageId;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

async function deleteAll(
  client: Client,
  decisions: readonly PruneDecision<PrunedSnapshot>[],
  { onDeleted, signal }: PruneOptions,
): Promise<Pick<PruneResult, "deleted" | "failed">> {
  const deleted: string[] = [];
  const failed: { snapshotId: string; error: unknown }[] = [];
  for (const { action, snapshot } of decisions) {
    if (action !== "delete") continue;
    const { snapshotId } = snapshot;
    try {
      await deleteSnapshot(client, snapshotId, { signal });
      deleted.push(snapshotId);
      onDeleted?.(snapshotId);
    } catch (error) {
      if (signal?.aborted) throw error;
      failed.push({ snapshotId, error });
    }
  }
  return { deleted, failed };
}
