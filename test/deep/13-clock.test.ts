import assert from "node:assert/strict";
import type { Clock } from "../../src/base/clock.ts";
import { digestOf } from "../../src/blocks/hash.ts";
import { checksumOf } from "../../src/model/digest.ts";
import {
  BLOCK_TOKEN_LIFETIME_SECONDS,
  COLLECT_SKEW_SECONDS_MAX,
  MS_PER_DAY,
  PAGE_TOKEN_LIFETIME_SECONDS,
} from "../../src/model/limits.ts";
import {
  expireSnapshots,
  forgetSettledWrites,
} from "../../src/snapshots/chores/expire-snapshots.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { getSnapshotBlock } from "../../src/snapshots/get-snapshot-block.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { ACCOUNT, composeCore, NO_OPTIONS } from "../model/drivers.ts";
import { blockContents, pick, seededFraction } from "../support/property.ts";
import { withMemoryStore } from "./_memory-store.ts";
import { scorecard } from "./scorecard.ts";

const TEN_YEARS_MS = 3_652 * MS_PER_DAY;
const GRACE_SECONDS = 3_600;

scorecard({
  number: 13,
  name: "clocks that are wrong",
  goal:
    "clock ±10 years, backwards, stopped for 48 h: deleted early 0, late writes accepted 0, " +
    "tokens valid past their expiry 0; the collector refuses at a skew above 5 min in 100 %",
  peer: "kopia refuses above 5 min; its documentation warns that it may delete its own data",
  async run(run) {
    const fraction = seededFraction(run.seed);
    const tally = { refused: 0, taken: 0, tokens: 0, late: 0, restarts: 0, forward: 0, early: 0 };
    const count = run.count(2_000, 30);
    for (let i = 0; i < count; i++) {
      await withStore((store) => collectAcross(store, fraction, tally));
      await withStore(async (store) => {
        await collectAround(store, fraction, tally);
        await useTokens(store, fraction, tally);
        await writeLate(store, fraction, tally);
      });
    }
    return (
      `${count} rounds: deleted early 0 while the process ran; over ${tally.restarts} restarts ` +
      `with the clock set meanwhile, needed records removed 0, garbage before its grace in ` +
      `${tally.early} of ${tally.forward} with the clock set forward past it; ` +
      `${tally.late} writes after the time was up, accepted 0; ` +
      `${tally.tokens} uses of tokens, past their expiry 0; collector refused ` +
      `${tally.refused} of ${tally.refused} skews above 5 min, took ${tally.taken} below`
    );
  },
});

interface Tally {
  refused: number;
  taken: number;
  tokens: number;
  late: number;
  /** Restarts, those over which the clock was set forward beyond a grace, and what came of it. */
  restarts: number;
  forward: number;
  early: number;
}

interface Store {
  readonly clock: HandClock;
  /** The same store, as a process would find it that was started now. */
  reopen(): Promise<Core>;
}

async function withStore(work: (store: Store) => Promise<void>): Promise<void> {
  await withMemoryStore(10_000, async (parts) => {
    const clock = new HandClock();
    const reopen = async () => (await composeCore(parts, { clock })).core;
    await work({ clock, reopen });
  });
}

/** Wall time and the time that never jumps, both moved by hand. */
class HandClock implements Clock {
  wallMs = 1_800_000_000_000;
  #monotonicMs = 0;

  nowMs(): number {
    return this.wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Time passes, also for a process that is stopped meanwhile. */
  pass(durationMs: number): void {
    this.wallMs += durationMs;
    this.#monotonicMs += durationMs;
  }

  sleep(_: number, signal?: AbortSignal): Promise<void> {
    return new Promise((_resolve, reject) => {
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }
}

/** From nearly nothing to ten years, in either direction; small and large ones as often. */
function someJumpMs(fraction: () => number): number {
  const size = 1_000 * (TEN_YEARS_MS / 1_000) ** fraction();
  return Math.round(fraction() < 0.5 ? size : -size);
}

/** Garbage found before the clock is set is not removed before its grace has truly passed. */
async function collectAround({ clock, reopen }: Store, fraction: () => number, tally: Tally) {
  const core = await reopen();
  const collect = () => collectOnce(core);
  const kept = await snapshot(core, 1 + pick(fraction, 5));
  const deleted = await snapshot(core, 10 + pick(fraction, 5));
  await deleteSnapshot(core, ACCOUNT, deleted);
  assert.equal((await collect()).removedCount, 0, "found once");
  const before = clock.wallMs;
  const jumpMs = someJumpMs(fraction);
  clock.wallMs += jumpMs;
  if (Math.abs(jumpMs) > COLLECT_SKEW_SECONDS_MAX * 1_000) {
    await assert.rejects(collect(), { name: "ClockSkewError" });
    tally.refused += 1;
    if (jumpMs > 0) {
      assert.equal((await collect()).removedCount, 0, "taken for right, and yet too early");
      clock.pass(GRACE_SECONDS * 1_000 - 1);
      assert.equal((await collect()).removedCount, 0, "a millisecond too early");
    }
  } else {
    clock.pass((GRACE_SECONDS - COLLECT_SKEW_SECONDS_MAX) * 1_000 - 1);
    assert.equal((await collect()).removedCount, 0, "too early by more than the skew allowed");
    tally.taken += 1;
  }
  clock.wallMs = Math.max(clock.wallMs, before + 1);
  clock.pass(GRACE_SECONDS * 2_000);
  await collect().catch(() => clock.pass(GRACE_SECONDS * 1_000));
  assert.deepEqual(await readAll(core, kept), [0]);
  await deleteSnapshot(core, ACCOUNT, kept);
}

/**
 * The clock is set while no process runs: the next one cannot know. Then a grace may end too early,
 * which is told; but what anything needs stays, for that goes by generations and not by time: what
 * is completed, what is under way, and what was garbage and is written again.
 */
async function collectAcross({ clock, reopen }: Store, fraction: () => number, tally: Tally) {
  // What is deleted has a block of each, so that all of these are looked at as possible garbage.
  const [ofKept, ofPending, revived, garbage] = [1, 2, 3, 4].map((i) => {
    return 100 * i + pick(fraction, 5);
  }) as [number, number, number, number];
  let core = await reopen();
  const kept = await snapshot(core, ofKept);
  const pending = await start(core);
  await put(core, pending, [0, ofPending]);
  await deleteSnapshot(core, ACCOUNT, await snapshot(core, ofKept, ofPending, revived, garbage));
  assert.equal((await collectOnce(core)).removedCount, 0, "found once");
  const before = clock.wallMs;
  // Mostly shorter than the grace, so that only the clock can have ended it.
  clock.pass(pick(fraction, (fraction() < 0.8 ? 1 : 2) * GRACE_SECONDS * 1_000));
  const downMs = clock.wallMs - before;
  const jumpMs = someJumpMs(fraction);
  clock.wallMs += jumpMs;

  core = await reopen();
  tally.restarts += 1;
  const again: string[] = [];
  const revive = async () => {
    if (again.length === 0) again.push(await snapshot(core, revived));
  };
  const restore = fraction() < 0.5 ? beforeSweep(core, revive) : await revive();
  const isBack = downMs + jumpMs < -COLLECT_SKEW_SECONDS_MAX * 1_000;
  if (isBack) {
    await assert.rejects(collectOnce(core), { name: "ClockSkewError" });
    tally.refused += 1;
  } else {
    const { removedCount } = await collectOnce(core);
    const isDue = downMs >= GRACE_SECONDS * 1_000;
    const isPushed = !isDue && downMs + jumpMs >= GRACE_SECONDS * 1_000;
    assert.ok(removedCount === 0 || isDue || isPushed, "nothing but the clock can end a grace");
    if (isPushed) tally.forward += 1;
    if (isPushed && removedCount > 0) tally.early += 1;
  }
  restore?.();
  const needed = [kept, ...again];
  for (const id of needed) assert.deepEqual(await readAll(core, id), [0]);

  // Back to the right time, in a process of its own, which collects as often as it likes.
  clock.wallMs = before + downMs;
  core = await reopen();
  for (let i = 0; i < 4; i++) {
    await collectOnce(core).catch((error: Error) => assert.equal(error.name, "ClockSkewError"));
    clock.pass(GRACE_SECONDS * 1_000);
  }
  const completion = { snapshotId: pending, changedBlocksCount: 1, linearDigest: undefined };
  await completeSnapshot(core, ACCOUNT, completion);
  for (const id of [...needed, pending]) assert.deepEqual(await readAll(core, id), [0]);
}

/** Has something done when a run has looked what is needed, and is about to remove the rest. */
function beforeSweep({ catalog: { garbage } }: Core, work: () => Promise<void>): () => void {
  const sweep = garbage.sweep.bind(garbage);
  garbage.sweep = async (...args) => {
    await work();
    return sweep(...args);
  };
  return () => Reflect.deleteProperty(garbage, "sweep");
}

async function collectOnce(core: Core) {
  await forgetSettledWrites(core);
  return core.collector.collect({ graceSeconds: GRACE_SECONDS, isDryRun: false });
}

/** A token opens until it expires and never after, wherever the clock has been in between. */
async function useTokens({ clock, reopen }: Store, fraction: () => number, tally: Tally) {
  const core = await reopen();
  const mintedMs = clock.wallMs;
  for (const [kind, seconds] of [
    ["block", BLOCK_TOKEN_LIFETIME_SECONDS],
    ["listPage", PAGE_TOKEN_LIFETIME_SECONDS],
  ] as const) {
    const scope = { kind, snapshotIds: ["snap-1"] };
    const token = core.tokens.mint(scope, [5])[0] as string;
    const expiryTimeMs = (Math.ceil(mintedMs / 1_000) + seconds) * 1_000;
    const times = [expiryTimeMs - 1_000, expiryTimeMs, expiryTimeMs + 1, mintedMs + TEN_YEARS_MS];
    for (const timeMs of [...times, mintedMs + someJumpMs(fraction)]) {
      clock.wallMs = timeMs;
      const isOpen = core.tokens.open(scope, token) === 5;
      assert.equal(isOpen, timeMs < expiryTimeMs, `${kind}, ${timeMs - expiryTimeMs} ms after`);
      tally.tokens += 1;
    }
    clock.wallMs = mintedMs;
  }
}

/** A process stopped for two days, or a clock set forward, ends what was pending; for good. */
async function writeLate({ clock, reopen }: Store, fraction: () => number, tally: Tally) {
  const core = await reopen();
  const id = await start(core);
  await put(core, id, [0, 1]);
  if (fraction() < 0.5) clock.pass(2 * MS_PER_DAY);
  else clock.wallMs += Math.abs(someJumpMs(fraction)) + MS_PER_DAY;
  // One write on its way while the time is found to be up: it comes before or is refused.
  const racing = put(core, id, [1, 1]).then(
    () => true,
    () => false,
  );
  await expireSnapshots(core);
  const isTaken = await racing;
  const state = (await core.catalog.snapshots.get(id))?.state;
  assert.equal(state, isTaken ? "pending" : "error", "one of the two was first");
  if (isTaken) {
    clock.pass(2 * MS_PER_DAY);
    await expireSnapshots(core);
  }
  // Set back again, the clock does not bring it back.
  clock.wallMs -= fraction() < 0.5 ? 0 : 3 * MS_PER_DAY;
  for (const late of [core, await reopen()]) {
    await assert.rejects(put(late, id, [2, 1]), /does not exist/);
    tally.late += 1;
  }
  await deleteSnapshot(core, ACCOUNT, id);
}

async function start(core: Core) {
  const input = { volumeSizeGib: 1, parentSnapshotId: undefined, tags: [], ...NO_OPTIONS };
  return (await startSnapshot(core, ACCOUNT, input)).id;
}

async function put(core: Core, snapshotId: string, [blockIndex, contents]: [number, number]) {
  const bytes = blockContents(contents);
  const named = { snapshotId, blockIndex, dataLength: bytes.length };
  const input = { ...named, checksum: checksumOf(digestOf(bytes)), checksumAlgorithm: "SHA256" };
  await putSnapshotBlock(core, ACCOUNT, { input, bytes });
}

async function snapshot(core: Core, ...contents: readonly number[]) {
  const id = await start(core);
  for (const [index, each] of contents.entries()) await put(core, id, [index, each]);
  const input = { snapshotId: id, changedBlocksCount: contents.length, linearDigest: undefined };
  await completeSnapshot(core, ACCOUNT, input);
  return id;
}

/** Indexes of the blocks, each of which was read. */
async function readAll(core: Core, snapshotId: string): Promise<number[]> {
  const page = { nextToken: undefined, maxResults: undefined, startingBlockIndex: undefined };
  const { blocks } = await listSnapshotBlocks(core, ACCOUNT, { snapshotId, ...page });
  for (const { blockIndex, blockToken } of blocks) {
    await getSnapshotBlock(core, ACCOUNT, { snapshotId, blockIndex, blockToken });
  }
  return blocks.map(({ blockIndex }) => blockIndex);
}
