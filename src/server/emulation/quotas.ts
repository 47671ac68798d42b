import { KeyedLock } from "../../base/concurrency.ts";
import { LruCache } from "../../base/lru-cache.ts";
import { ServiceError } from "../../model/errors.ts";
import type { AccountId } from "../../model/ids.ts";
import {
  BLOCK_REQUESTS_PER_SECOND_MAX,
  LIST_REQUESTS_PER_SECOND_MAX,
  PENDING_SNAPSHOTS_COUNT_MAX,
  STATE_REQUESTS_PER_SECOND_MAX,
} from "../../model/limits.ts";
import type { Core } from "../../snapshots/core.ts";
import { ServiceFault } from "../../wire/errors.ts";
import type { OperationName } from "../../wire/operations.ts";
import { override } from "./_override.ts";
import type { View } from "./emulation.ts";

/** Requests a second of each account. Those not known to AWS are like listings. */
const PER_ACCOUNT: Readonly<Record<OperationName, number>> = {
  StartSnapshot: STATE_REQUESTS_PER_SECOND_MAX,
  PutSnapshotBlock: BLOCK_REQUESTS_PER_SECOND_MAX,
  CompleteSnapshot: STATE_REQUESTS_PER_SECOND_MAX,
  GetSnapshotBlock: BLOCK_REQUESTS_PER_SECOND_MAX,
  ListSnapshotBlocks: LIST_REQUESTS_PER_SECOND_MAX,
  ListChangedBlocks: LIST_REQUESTS_PER_SECOND_MAX,
  ListBlockDigests: LIST_REQUESTS_PER_SECOND_MAX,
  ListReadableBlocks: LIST_REQUESTS_PER_SECOND_MAX,
  VerifySnapshot: LIST_REQUESTS_PER_SECOND_MAX,
  ListVerifications: LIST_REQUESTS_PER_SECOND_MAX,
  ListLineages: LIST_REQUESTS_PER_SECOND_MAX,
  CountExclusiveBlocks: LIST_REQUESTS_PER_SECOND_MAX,
  GetSnapshotProgress: LIST_REQUESTS_PER_SECOND_MAX,
};
/** Requests a second on each snapshot. */
const PER_SNAPSHOT: Readonly<Partial<Record<OperationName, number>>> = {
  PutSnapshotBlock: BLOCK_REQUESTS_PER_SECOND_MAX,
  GetSnapshotBlock: BLOCK_REQUESTS_PER_SECOND_MAX,
};
/** Buckets kept at once: one not used for so long that it is forgotten is full again anyway. */
const BUCKETS_COUNT_MAX = 10_000;

/** Refuses what is above AWS's quotas: requests a second, and snapshots pending at once. */
export function quotas(): View {
  const buckets = new LruCache<TokenBucket>(BUCKETS_COUNT_MAX, () => 1);
  const starting = new KeyedLock();
  const take = (core: Core, key: string, perSecond: number) => {
    const nowMs = core.clock.monotonicMs();
    const bucket = buckets.get(key) ?? new TokenBucket(perSecond, nowMs);
    buckets.set(key, bucket);
    return bucket.take(nowMs);
  };
  return (core, { operation, account, snapshotId }) => {
    // The snapshot first: its bound is the account's, and would else never be met.
    const perSnapshot = PER_SNAPSHOT[operation];
    const isTooMuch = perSnapshot && !take(core, `${operation} ${snapshotId}`, perSnapshot);
    if (isTooMuch) throw snapshotThrottled(snapshotId ?? "");
    if (!take(core, `${operation} ${account}`, PER_ACCOUNT[operation])) throw accountThrottled();
    return operation === "StartSnapshot" ? limitPending(core, account, starting) : core;
  };
}

/** What account-level quotas are refused with: a code of the framework's, not of the model's. */
export function accountThrottled(): ServiceFault {
  return new ServiceFault({ status: 400, code: "ThrottlingException", message: "Rate exceeded" });
}

function snapshotThrottled(snapshotId: string): ServiceError {
  const message = `The rate of requests on the snapshot '${snapshotId}' was exceeded.`;
  return new ServiceError("RequestThrottledException", "RESOURCE_LEVEL_THROTTLE", message);
}

/** Counted where the snapshot is added, so that a repeated request gets its first answer again. */
function limitPending(core: Core, account: AccountId, starting: KeyedLock): Core {
  const { snapshots } = core.catalog;
  const start: typeof snapshots.start = (snapshot, token) =>
    starting.run(account, async () => {
      const lists = await Promise.all([snapshots.inState("pending"), snapshots.inState("sealing")]);
      const own = lists.flat().filter((other) => other.account === account);
      if (own.length >= PENDING_SNAPSHOTS_COUNT_MAX) throw tooManyPending();
      return snapshots.start(snapshot, token);
    });
  const catalog = override(core.catalog, { snapshots: override(snapshots, { start }) });
  return { ...core, catalog };
}

function tooManyPending(): ServiceError {
  const message = `There are ${PENDING_SNAPSHOTS_COUNT_MAX} pending snapshots already.`;
  return new ServiceError("ConcurrentLimitExceededException", undefined, message);
}

/** Lets through what a second's worth of requests saved up and a steady rate allow. */
class TokenBucket {
  readonly #perSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAtMs = nowMs;
  }

  /** False when there is nothing left to take. */
  take(nowMs: number): boolean {
    const gained = ((nowMs - this.#filledAtMs) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
