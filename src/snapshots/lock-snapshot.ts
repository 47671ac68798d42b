import type { AccountId } from "../model/ids.ts";
import { LOCK_DURATION_DAYS_MAX, MS_PER_DAY, MS_PER_HOUR } from "../model/limits.ts";
import type { LockMode, Snapshot, SnapshotLock } from "../model/snapshot.ts";
import { type Core, findOwned } from "./core.ts";

/** Parameters of LockSnapshot. */
export interface LockSnapshotInput {
  readonly snapshotId: string;
  readonly mode: LockMode;
  /** Only with `compliance`; undefined for none. */
  readonly coolOffHours: number | undefined;
  /** How long from now, in days, or until when. */
  readonly until: { readonly days: number } | { readonly expiresAtMs: number };
}

/** How a lock stands. */
export type LockState = "compliance-cooloff" | "compliance" | "governance" | "expired";

/** A lock with the snapshot it is on. */
export interface LockedSnapshot {
  readonly snapshot: Snapshot;
  readonly lock: SnapshotLock;
  readonly state: LockState;
}

/** Why a lock could not be changed: it was, too, in between, or it must stay as it is. */
export type LockRefusal = "unknown" | "not-locked" | "bad-expiry" | "fixed";

/**
 * Locks a snapshot, so that it is not deleted before a time, or changes its lock. A `compliance`
 * lock past its cooling-off period can only be made longer, and keeps its mode.
 */
export async function lockSnapshot(
  core: Core,
  account: AccountId,
  input: LockSnapshotInput,
): Promise<LockedSnapshot | LockRefusal> {
  const snapshot = await findOwned(core, account, input.snapshotId);
  if (!snapshot) return "unknown";
  const nowMs = core.clock.nowMs();
  const to = newLock(nowMs, input);
  const isInBounds =
    to.expiresAtMs > nowMs && to.expiresAtMs <= nowMs + LOCK_DURATION_DAYS_MAX * MS_PER_DAY;
  if (!isInBounds) return "bad-expiry";
  const from = await core.catalog.retention.lock(snapshot.id);
  const isFixed = from !== undefined && lockState(from, nowMs) === "compliance";
  if (isFixed && !isLonger(from, to, input)) return "fixed";
  const lock = isFixed ? { ...from, expiresAtMs: to.expiresAtMs } : to;
  const isChanged = await core.catalog.retention.changeLock(snapshot.id, { from, to: lock });
  // Somebody else locked, unlocked or deleted it in between: look again.
  if (!isChanged) return lockSnapshot(core, account, input);
  return { snapshot, lock, state: lockState(lock, nowMs) };
}

function newLock(nowMs: number, { mode, coolOffHours = 0, until }: LockSnapshotInput) {
  const expiresAtMs = "days" in until ? nowMs + until.days * MS_PER_DAY : until.expiresAtMs;
  return { mode, createdAtMs: nowMs, expiresAtMs, coolOffHours };
}

function isLonger(from: SnapshotLock, to: SnapshotLock, input: LockSnapshotInput): boolean {
  const isSameKind = input.mode === "compliance" && input.coolOffHours === undefined;
  return isSameKind && to.expiresAtMs >= from.expiresAtMs;
}

/** Takes a lock off, unless it is a `compliance` lock past its cooling-off period. */
export async function unlockSnapshot(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<LockRefusal | undefined> {
  const snapshot = await findOwned(core, account, snapshotId);
  if (!snapshot) return "unknown";
  const from = await core.catalog.retention.lock(snapshot.id);
  const state = from && lockState(from, core.clock.nowMs());
  if (state === undefined || state === "expired") return "not-locked";
  if (state === "compliance") return "fixed";
  const isChanged = await core.catalog.retention.changeLock(snapshot.id, { from, to: undefined });
  return isChanged ? undefined : unlockSnapshot(core, account, snapshotId);
}

/** All locks of an account's snapshots, also expired ones, in order of snapshot id. */
export async function lockedSnapshots(core: Core, account: AccountId): Promise<LockedSnapshot[]> {
  const nowMs = core.clock.nowMs();
  const found: LockedSnapshot[] = [];
  for (const snapshot of await core.catalog.retention.lockedSnapshots(account)) {
    const lock = await core.catalog.retention.lock(snapshot.id);
    if (lock) found.push({ snapshot, lock, state: lockState(lock, nowMs) });
  }
  return found;
}

/** How a lock stands at a time. */
export function lockState(lock: SnapshotLock, nowMs: number): LockState {
  if (lock.expiresAtMs <= nowMs) return "expired";
  if (lock.mode === "governance") return "governance";
  const isCooling = nowMs < lock.createdAtMs + lock.coolOffHours * MS_PER_HOUR;
  return isCooling ? "compliance-cooloff" : "compliance";
}
