import type { Clock } from "../base/clock.ts";
import type { PendingWrite } from "../catalog/catalog.ts";
import type { SnapshotId } from "../model/ids.ts";
import type { CommittedBatch } from "./store-watch.ts";

/** Snapshots written to at once that are followed (ours); the ones quiet longest are forgotten. */
const UPLOADS_COUNT_MAX = 1_000;
/** An upload that has been quiet for so long is not told of. */
const UPLOAD_QUIET_MS_MAX = 60_000;
/** A verification goes on as long as its steps, of 5 s at most, come no further apart. */
const VERIFICATION_QUIET_MS_MAX = 15_000;

/** A snapshot that is being written through this process. */
export interface Upload {
  readonly id: SnapshotId;
  readonly startedAtMs: number;
  /** Blocks written since this process saw the first; one written twice counts twice. */
  readonly blockCount: number;
}

/** What this process has stored since it was started, and which snapshots it is busy with. */
export class StoreTally {
  readonly #clock: Clock;
  readonly #uploads = new Map<SnapshotId, { startedAtMs: number; count: number; lastMs: number }>();
  readonly #verifications = new Map<string, number>();
  #totals: CommittedBatch = {
    ...{ writeCount: 0, zeroCount: 0, duplicateCount: 0 },
    ...{ recordCount: 0, recordBytes: 0 },
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sums over all commits. */
  get totals(): CommittedBatch {
    return this.#totals;
  }

  /** Counts a commit. */
  committed(batch: CommittedBatch, writes: readonly PendingWrite[]): void {
    const before = this.#totals;
    this.#totals = {
      writeCount: before.writeCount + batch.writeCount,
      zeroCount: before.zeroCount + batch.zeroCount,
      duplicateCount: before.duplicateCount + batch.duplicateCount,
      recordCount: before.recordCount + batch.recordCount,
      recordBytes: before.recordBytes + batch.recordBytes,
    };
    const nowMs = this.#clock.monotonicMs();
    for (const { snapshotId } of writes) this.#noteWrite(snapshotId, nowMs);
  }

  /** Forgets an upload: its snapshot was completed. */
  uploadEnded(id: string): void {
    this.#uploads.delete(id as SnapshotId);
  }

  /** Notes that a step of a snapshot's verification was asked for. */
  verified(id: string): void {
    this.#verifications.delete(id);
    this.#verifications.set(id, this.#clock.monotonicMs());
    forgetOldest(this.#verifications);
  }

  /** Snapshots that were written to in the last minute. */
  uploads(): Upload[] {
    const sinceMs = this.#clock.monotonicMs() - UPLOAD_QUIET_MS_MAX;
    return [...this.#uploads]
      .filter(([, { lastMs }]) => lastMs >= sinceMs)
      .map(([id, { startedAtMs, count: blockCount }]) => ({ id, startedAtMs, blockCount }));
  }

  /** True while somebody has the snapshot verified through this process. */
  isVerifying(id: string): boolean {
    const lastMs = this.#verifications.get(id) ?? Number.NEGATIVE_INFINITY;
    return lastMs >= this.#clock.monotonicMs() - VERIFICATION_QUIET_MS_MAX;
  }

  #noteWrite(id: SnapshotId, nowMs: number): void {
    const known = this.#uploads.get(id);
    if (known) {
      known.count += 1;
      known.lastMs = nowMs;
      return;
    }
    this.#uploads.set(id, { startedAtMs: this.#clock.nowMs(), count: 1, lastMs: nowMs });
    forgetOldest(this.#uploads);
  }
}

function forgetOldest(map: Map<unknown, unknown>): void {
  const [oldest] = map.keys();
  if (map.size > UPLOADS_COUNT_MAX) map.delete(oldest);
}
