import {
  type Client,
  describeSnapshots,
  filterMatcher,
  findLineages,
  isSnapshotNotFound,
  type LineageDescription,
  type SnapshotDescription,
  snapshotsOf,
  type VerificationDescription,
  verificationsOf,
  volumeOf,
} from "../client/browser.ts";
import { ifAllowed } from "./if-allowed.ts";

/** A snapshot with what the service tells of it in three places. */
export interface SnapshotRow {
  readonly id: string;
  readonly snapshot: SnapshotDescription;
  /** Undefined where the caller may not know. */
  readonly lineage: LineageDescription | undefined;
  /** The latest; undefined where there was none. */
  readonly verification: VerificationDescription | undefined;
}

/** Snapshots on one page of DescribeSnapshots: the most there may be. */
const PAGE_COUNT = 1_000;

/** All snapshots of the caller's account, the latest first. */
export async function loadRows(client: Client, signal: AbortSignal): Promise<SnapshotRow[]> {
  const own = { OwnerIds: ["self"], MaxResults: PAGE_COUNT };
  const [snapshots, rowOf] = await Promise.all([
    listOf(snapshotsOf(client, own, { signal })),
    rowMaker(client, signal),
  ]);
  return snapshots.sort((a, b) => b.StartTime.localeCompare(a.StartTime)).map(rowOf);
}

/** One snapshot, of whatever account shares it; undefined where there is none. */
export async function loadRow(
  client: Client,
  id: string,
  signal: AbortSignal,
): Promise<SnapshotRow | undefined> {
  const [rowOf, { Snapshots }] = await Promise.all([
    rowMaker(client, signal),
    describeSnapshots(client, { SnapshotIds: [id] }, { signal }).catch((error: unknown) => {
      if (isSnapshotNotFound(error)) return { Snapshots: [] };
      throw error;
    }),
  ]);
  return Snapshots.map(rowOf)[0];
}

/** What adds lineage and verification to a snapshot. */
async function rowMaker(client: Client, signal: AbortSignal) {
  const [lineages, verifications] = await Promise.all([
    findLineages(client, { signal }),
    ifAllowed(listOf(verificationsOf(client, { signal })), []),
  ]);
  const latest = new Map(verifications.map((each) => [each.SnapshotId, each]));
  return (snapshot: SnapshotDescription): SnapshotRow => {
    const { SnapshotId: id } = snapshot;
    return { id, snapshot, lineage: lineages?.get(id), verification: latest.get(id) };
  };
}

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** What to show of the list. */
export interface RowFilter {
  /** "" for all. */
  readonly state: string;
  /** `Key` or `Key=Value`; "" for all. */
  readonly tag: string;
  /** Part of the id, the description, or a tag. */
  readonly text: string;
}

/** The rows that a filter leaves. */
export function filterRows(rows: readonly SnapshotRow[], filter: RowFilter): SnapshotRow[] {
  const matches = filterMatcher({ state: filter.state || undefined, tags: tagsOf(filter.tag) });
  const text = filter.text.trim().toLowerCase();
  return rows.filter(({ snapshot }) => {
    return matches(snapshot) && (text === "" || wordsOf(snapshot).includes(text));
  });
}

function tagsOf(text: string): { Key: string; Value: string | undefined }[] {
  const trimmed = text.trim();
  if (trimmed === "") return [];
  const mark = trimmed.indexOf("=");
  if (mark < 0) return [{ Key: trimmed, Value: undefined }];
  return [{ Key: trimmed.slice(0, mark), Value: trimmed.slice(mark + 1) }];
}

function wordsOf({ SnapshotId, Description, Tags }: SnapshotDescription): string {
  const tags = Tags.map(({ Key, Value }) => `${Key}=${Value}`);
  return [SnapshotId, Description, ...tags].join("\n").toLowerCase();
}

/** A row of the lineages: a line of descent keeps its depth, and only branches are set in. */
export interface TreeRow {
  readonly row: SnapshotRow;
  readonly depth: number;
  /** How it stands to the one it descends from. */
  readonly descent: "first" | "next" | "branch" | "orphan";
}

/**
 * The lineages as lines to draw, parents before children, the newest lineage first. Where the
 * parent is not among the rows, being deleted or filtered out, a line begins anew.
 */
export function lineageRows(rows: readonly SnapshotRow[]): TreeRow[] {
  const oldestFirst = rows.toSorted((a, b) =>
    a.snapshot.StartTime.localeCompare(b.snapshot.StartTime),
  );
  const shown = new Set(rows.map(({ id }) => id));
  const parentOf = ({ lineage }: SnapshotRow) => lineage?.ParentSnapshotId ?? "";
  const children = Map.groupBy(oldestFirst, (row) =>
    shown.has(parentOf(row)) ? parentOf(row) : "",
  );
  const drawn: TreeRow[] = [];
  const waiting: TreeRow[] = (children.get("") ?? []).map((row) => {
    return { row, depth: 0, descent: parentOf(row) === "" ? "first" : "orphan" };
  });
  // A stack rather than recursion: a lineage may be as deep as there are snapshots.
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    drawn.push(next);
    const { depth } = next;
    const [heir, ...others] = children.get(next.row.id) ?? [];
    if (heir) waiting.push({ row: heir, depth, descent: "next" });
    for (const row of others) waiting.push({ row, depth: depth + 1, descent: "branch" });
  }
  return drawn;
}

/** A volume, by the snapshots that were made of it. */
export interface VolumeRow {
  /** Id of the volume or, where none is known, of the lineage. */
  readonly volume: string;
  /** The latest that is completed. */
  readonly latest: SnapshotRow;
  /** Completed snapshots of it. */
  readonly count: number;
}

/** The latest completed snapshot of each volume, the volume that waits longest first. */
export function latestOfVolumes(rows: readonly SnapshotRow[]): VolumeRow[] {
  const completed = rows.filter(({ snapshot }) => snapshot.State === "completed");
  const groups = Map.groupBy(completed, ({ id, snapshot, lineage }) => {
    return volumeOf(snapshot) ?? lineage?.LineageId ?? id;
  });
  const startOf = ({ snapshot }: SnapshotRow) => snapshot.StartTime;
  const volumes = [...groups].flatMap(([volume, group]) => {
    const [latest] = group.toSorted((a, b) => startOf(b).localeCompare(startOf(a)));
    return latest ? [{ volume, latest, count: group.length }] : [];
  });
  return volumes.sort((a, b) => startOf(a.latest).localeCompare(startOf(b.latest)));
}

/** What a snapshot descends from, its parent first, as far as it is among the rows. */
export function ancestorsOf(rows: readonly SnapshotRow[], row: SnapshotRow): SnapshotRow[] {
  const byId = new Map(rows.map((each) => [each.id, each]));
  const found: SnapshotRow[] = [];
  const parentOf = ({ lineage }: SnapshotRow) => byId.get(lineage?.ParentSnapshotId ?? "");
  for (let next = parentOf(row); next !== undefined; next = parentOf(next)) {
    // A list that was put together while it changed must not lead round in circles.
    if (found.length === rows.length) break;
    found.push(next);
  }
  return found;
}

/** What descends from a snapshot directly, the latest first. */
export function childrenOf(rows: readonly SnapshotRow[], { id }: SnapshotRow): SnapshotRow[] {
  return rows.filter(({ lineage }) => lineage?.ParentSnapshotId === id);
}
