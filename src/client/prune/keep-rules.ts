import type { TagPattern } from "../api/snapshot-tags.ts";
import { type Calendar, calendarOf } from "./_calendar.ts";
import type { SnapshotHold } from "./holds.ts";

/** How many snapshots to keep, by rules that each count for themselves. */
export interface KeepRules {
  /** The latest so many. */
  readonly last?: number | undefined;
  /** The latest of each of the last so many hours that have a snapshot; likewise the others. */
  readonly hourly?: number | undefined;
  readonly daily?: number | undefined;
  readonly weekly?: number | undefined;
  readonly monthly?: number | undefined;
  readonly yearly?: number | undefined;
  /** Tags that keep a snapshot; one without a value keeps whatever its value. */
  readonly tags?: readonly TagPattern[] | undefined;
}

/** What a decision is made by. */
export interface PrunableSnapshot {
  readonly snapshotId: string;
  /** Milliseconds since 1970: when the state was taken that it holds. */
  readonly startTimeMs: number;
  readonly state: string;
  readonly tags: readonly { readonly Key: string; readonly Value: string }[];
  /** What keeps it from being deleted. */
  readonly holds: readonly SnapshotHold[];
}

/** What becomes of a snapshot, and why. */
export interface PruneDecision<T extends PrunableSnapshot = PrunableSnapshot> {
  readonly snapshot: T;
  /** `held`: no rule keeps it, but it cannot be deleted or is not finished. */
  readonly action: "keep" | "delete" | "held";
  /** As `last 3`, `daily 2026-11-25`, `oldest weekly`, `tag keep`, `pending`, `lock …`. */
  readonly reasons: readonly string[];
}

const PERIODS = [
  ["hourly", "hour"],
  ["daily", "day"],
  ["weekly", "week"],
  ["monthly", "month"],
  ["yearly", "year"],
] as const;

/** True when no rule keeps anything: then all would be deleted. */
export function isEmptyRules({ tags = [], ...counts }: KeepRules): boolean {
  return tags.length === 0 && Object.values(counts).every((count) => (count ?? 0) === 0);
}

/**
 * Decides what of one group of snapshots to keep, by the rules that restic's `forget` has: each
 * rule goes through the snapshots from the latest to the earliest and keeps the latest of each
 * period until it has kept so many. A rule that has kept too few when it comes to the earliest
 * snapshot keeps that, too, so that a rule for years has something to begin with. What any rule
 * keeps is kept. Snapshots that are not completed are neither counted nor deleted. Answers in
 * order of time, the earliest first. Throws a `RangeError` for rules that keep nothing.
 */
export function decidePrune<T extends PrunableSnapshot>(
  snapshots: readonly T[],
  rules: KeepRules,
  timeZone = "UTC",
): PruneDecision<T>[] {
  if (isEmptyRules(rules)) throw new RangeError("No rule keeps anything");
  const calendar = calendarOf(timeZone);
  const latestFirst = snapshots.toSorted(
    (a, b) => b.startTimeMs - a.startTimeMs || (a.snapshotId < b.snapshotId ? 1 : -1),
  );
  const counted = latestFirst.filter(({ state }) => state === "completed");
  const reasons = new Map<T, string[]>(latestFirst.map((snapshot) => [snapshot, []]));
  keepLast(counted, rules.last ?? 0, reasons);
  for (const [rule, period] of PERIODS) {
    const count = rules[rule] ?? 0;
    keepPeriods(counted, { rule, count, nameOf: calendar[period] }, reasons);
  }
  for (const snapshot of counted) keepTagged(snapshot, rules.tags ?? [], reasons);
  return latestFirst.reverse().map((snapshot) => decide(snapshot, reasons.get(snapshot) ?? []));
}

type Reasons<T> = Map<T, string[]>;

function keepLast<T>(latestFirst: readonly T[], count: number, reasons: Reasons<T>): void {
  for (const [i, snapshot] of latestFirst.slice(0, count).entries()) {
    reasons.get(snapshot)?.push(`last ${i + 1}`);
  }
}

function keepPeriods<T extends PrunableSnapshot>(
  latestFirst: readonly T[],
  by: { rule: string; count: number; nameOf: Calendar["day"] },
  reasons: Reasons<T>,
): void {
  let left = by.count;
  let latest: string | undefined;
  for (const [i, snapshot] of latestFirst.entries()) {
    if (left === 0) return;
    const period = by.nameOf(snapshot.startTimeMs);
    const isOldest = i === latestFirst.length - 1;
    if (period === latest && !isOldest) continue;
    reasons.get(snapshot)?.push(period === latest ? `oldest ${by.rule}` : `${by.rule} ${period}`);
    latest = period;
    left -= 1;
  }
}

function keepTagged<T extends PrunableSnapshot>(
  snapshot: T,
  tags: readonly TagPattern[],
  reasons: Reasons<T>,
): void {
  for (const { Key, Value } of tags) {
    const found = snapshot.tags.find((tag) => tag.Key === Key);
    if (!found || (Value !== undefined && found.Value !== Value)) continue;
    reasons.get(snapshot)?.push(Value === undefined ? `tag ${Key}` : `tag ${Key}=${Value}`);
  }
}

function decide<T extends PrunableSnapshot>(
  snapshot: T,
  reasons: readonly string[],
): PruneDecision<T> {
  if (snapshot.state !== "completed")
    return { snapshot, action: "held", reasons: [snapshot.state] };
  if (reasons.length > 0) return { snapshot, action: "keep", reasons };
  const holds = snapshot.holds.map(({ kind, what }) => `${kind} ${what}`);
  if (holds.length > 0) return { snapshot, action: "held", reasons: holds };
  return { snapshot, action: "delete", reasons: ["no rule keeps it"] };
}
