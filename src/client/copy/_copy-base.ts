import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import type { LineageDescription } from "../../wire/list-lineages.ts";
import { listChangedBlocks } from "../api/ebs-operations.ts";
import { volumeOf } from "../api/snapshot-tags.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { ClientError } from "../errors.ts";
import { type Copy, completedCopy } from "./_copies.ts";

/** Snapshots that may be related, tried one after another where the service tells no lineages. */
const PROBES_MAX = 8;

/** What is known at the source of all its snapshots. */
export interface SourceView {
  readonly client: Client;
  /** The account's own snapshots, by id. */
  readonly snapshots: ReadonlyMap<string, SnapshotDescription>;
  /** Undefined where the service does not tell. */
  readonly lineages: ReadonlyMap<string, LineageDescription> | undefined;
}

/** What a copy starts from. */
export interface CopyBase {
  /** The parent at the destination. */
  readonly parentSnapshotId: string;
  /**
   * The snapshot at the source that it is a copy of; undefined where that is gone, and the parent
   * itself is what has to be compared with.
   */
  readonly baseSnapshotId: string | undefined;
}

/** The snapshot to copy, and the copies that there are. */
export interface CopySearch {
  readonly copies: ReadonlyMap<string, readonly Copy[]>;
  readonly snapshot: SnapshotDescription;
}

/**
 * Finds the nearest relative of a snapshot that has a copy already: an ancestor if there is one,
 * else another one of its lineage or, where lineages are not told, of its volume, that the service
 * finds to be related.
 */
export async function findBase(
  view: SourceView,
  { copies, snapshot }: CopySearch,
  options: CallOptions,
): Promise<CopyBase | undefined> {
  const parentFor = (sourceId: string) => {
    const copy = completedCopy(copies, sourceId);
    // A parent cannot be larger than its child.
    return copy && copy.VolumeSize <= snapshot.VolumeSize ? copy.SnapshotId : undefined;
  };
  const { lineages } = view;
  if (lineages) {
    for (const sourceId of relativesOf(view, lineages, snapshot)) {
      const parentSnapshotId = parentFor(sourceId);
      if (parentSnapshotId === undefined) continue;
      const isThere = view.snapshots.get(sourceId)?.State === "completed";
      return { parentSnapshotId, baseSnapshotId: isThere ? sourceId : undefined };
    }
    return undefined;
  }
  return probe(view, { parentFor, snapshot }, options);
}

/** Ids of a snapshot's ancestors, the nearest first, also of the first one that is gone. */
export function ancestorsOf(
  lineages: ReadonlyMap<string, LineageDescription>,
  snapshotId: string,
): string[] {
  const found = new Set<string>();
  let id = lineages.get(snapshotId)?.ParentSnapshotId ?? undefined;
  for (; id !== undefined && !found.has(id); id = lineages.get(id)?.ParentSnapshotId ?? undefined) {
    found.add(id);
  }
  return [...found];
}

function relativesOf(
  { snapshots }: SourceView,
  lineages: ReadonlyMap<string, LineageDescription>,
  snapshot: SnapshotDescription,
): string[] {
  const { SnapshotId } = snapshot;
  const lineageId = lineages.get(SnapshotId)?.LineageId;
  const others = [...lineages.values()]
    .filter((each) => each.LineageId === lineageId && each.SnapshotId !== SnapshotId)
    .flatMap((each) => snapshots.get(each.SnapshotId) ?? []);
  const nearest = byDistance(snapshot, others).map((each) => each.SnapshotId);
  return [...ancestorsOf(lineages, SnapshotId), ...nearest];
}

function byDistance(
  { StartTime }: SnapshotDescription,
  others: readonly SnapshotDescription[],
): SnapshotDescription[] {
  const distance = (other: SnapshotDescription) =>
    Math.abs(Date.parse(other.StartTime) - Date.parse(StartTime));
  return others.toSorted((a, b) => distance(a) - distance(b));
}

/** Asks the service itself whether a snapshot is related to those before it that have copies. */
async function probe(
  { client, snapshots }: SourceView,
  search: {
    readonly parentFor: (sourceId: string) => string | undefined;
    readonly snapshot: SnapshotDescription;
  },
  options: CallOptions,
): Promise<CopyBase | undefined> {
  const { parentFor, snapshot } = search;
  const earlier = [...snapshots.values()].filter(
    (other) =>
      other.State === "completed" &&
      other.StartTime < snapshot.StartTime &&
      volumeOf(other) === volumeOf(snapshot) &&
      parentFor(other.SnapshotId) !== undefined,
  );
  for (const { SnapshotId } of byDistance(snapshot, earlier).slice(0, PROBES_MAX)) {
    const input = { FirstSnapshotId: SnapshotId, MaxResults: 100 };
    const isRelated = await listChangedBlocks(client, snapshot.SnapshotId, input, options).then(
      () => true,
      (error: unknown) => {
        // Of another lineage; or one that nobody can read now, such as an archived one.
        const { status } = error instanceof ClientError ? error : {};
        if (status === 400 || status === 404) return false;
        throw error;
      },
    );
    const parentSnapshotId = parentFor(SnapshotId);
    if (isRelated && parentSnapshotId) return { parentSnapshotId, baseSnapshotId: SnapshotId };
  }
  return undefined;
}
