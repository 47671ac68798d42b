import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { seededBytes } from "../../test/support/property.ts";
import { type Digest, recordNameFromBytes } from "../model/digest.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import { MS_PER_DAY, MS_PER_HOUR } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";
import { settle } from "./rules.suite.ts";
import type { Notice, StoreMeasure } from "./statistics.ts";

interface Subject {
  readonly open: (t: TestContext) => Promise<{
    readonly catalog: Catalog;
    readonly reopen: () => Promise<Catalog>;
  }>;
  readonly account: AccountId;
  readonly snapshot: (id: string, fields?: Partial<Snapshot>) => Snapshot;
}

const ROOT = "ab".repeat(32) as Digest;

/** What every `Catalog` must be able to tell those who operate the store. */
export function statisticsSuite(name: string, subject: Subject): void {
  countsSuite(`${name}.statistics`, subject);
  measuresSuite(`${name}.statistics`, subject);
  noticesSuite(`${name}.notices`, subject);
  takingSuite(`${name}.notices`, subject);
}

function countsSuite(name: string, { open, snapshot }: Subject): void {
  test(`${name} counts snapshots and blocks by state`, async (t) => {
    const { catalog } = await open(t);
    assert.deepEqual(await catalog.statistics.snapshots(), []);
    const completed = { state: "completed", root: ROOT, completionTimeMs: 5 } as const;
    for (const [id, fields] of [
      ["snap-01", { ...completed, blockCount: 7 }],
      ["snap-02", { ...completed, blockCount: 5 }],
      ["snap-03", {}],
    ] as const) {
      assert.equal(await catalog.snapshots.start(snapshot(id, fields), undefined), undefined);
    }
    const counted = await catalog.statistics.snapshots();
    assert.deepEqual(
      counted.filter(({ state }) => state === "completed"),
      [{ state: "completed", count: 2, blockCount: 12 }],
    );
    assert.equal(counted.find(({ state }) => state === "pending")?.count, 1);
    await catalog.snapshots.delete("snap-01" as SnapshotId, { nowMs: 9, binnedUntilMs: 99 });
    const states = (await catalog.statistics.snapshots()).map(({ state, count }) => [state, count]);
    assert.deepEqual(states.toSorted(), [
      ["completed", 1],
      ["pending", 1],
      ["recycled", 1],
    ]);
  });

  test(`${name} knows the verifications that are under way`, async (t) => {
    const { catalog } = await open(t);
    const fields = { state: "completed", root: ROOT, completionTimeMs: 5, blockCount: 7 } as const;
    for (const id of ["snap-01", "snap-02", "snap-03"]) {
      await catalog.snapshots.start(snapshot(id, fields), undefined);
    }
    const counts = { blocksVerified: 3, bytesVerified: 4, badBlockCount: 1 };
    const progress = { startedAtMs: 1, nextIndex: 9, ...counts, badExtents: [] };
    for (const id of ["snap-03", "snap-01", "snap-02"] as SnapshotId[]) {
      await catalog.verifications.advance(id, progress);
    }
    await catalog.verifications.end("snap-02" as SnapshotId, { endedAtMs: 2, isWhole: true });
    const first = { id: "snap-01", blockCount: 7, ...progress };
    assert.deepEqual(await catalog.statistics.verifications(1), [first]);
    assert.deepEqual(await catalog.statistics.verifications(9), [
      first,
      { ...first, id: "snap-03" },
    ]);
  });
}

function measuresSuite(name: string, { open }: Subject): void {
  const measureOf = (timeMs: number, storedBytes = 1): StoreMeasure => ({
    ...{ timeMs, storedBytes, protectedBytes: 2 ** 50, freeBytes: undefined, snapshotCount: 3 },
  });

  test(`${name} keeps measures, the latest of each time, also over a restart`, async (t) => {
    const { catalog, reopen } = await open(t);
    const bounds = { fullFromMs: 0, keptFromMs: 0 };
    await catalog.statistics.keepMeasure(measureOf(2_000), bounds);
    await catalog.statistics.keepMeasure({ ...measureOf(1_000), freeBytes: 0 }, bounds);
    await catalog.statistics.keepMeasure(measureOf(2_000, 5), bounds);
    const kept = [{ ...measureOf(1_000), freeBytes: 0 }, measureOf(2_000, 5)];
    assert.deepEqual(await catalog.statistics.measures(), kept);
    assert.deepEqual(await (await reopen()).statistics.measures(), kept);
  });

  test(`${name} keeps one measure of each day of long ago, none before that`, async (t) => {
    const { catalog } = await open(t);
    for (let hour = 0; hour < 5 * 24; hour += 8) {
      const bounds = { fullFromMs: 0, keptFromMs: 0 };
      await catalog.statistics.keepMeasure(measureOf(hour * MS_PER_HOUR), bounds);
    }
    const bounds = { fullFromMs: 4 * MS_PER_DAY, keptFromMs: MS_PER_DAY };
    await catalog.statistics.keepMeasure(measureOf(5 * MS_PER_DAY), bounds);
    const hours = (await catalog.statistics.measures()).map(({ timeMs }) => timeMs / MS_PER_HOUR);
    assert.deepEqual(hours, [40, 64, 88, 96, 104, 112, 120]);
  });
}

function noticesSuite(name: string, { open, account, snapshot }: Subject): void {
  const completed = { state: "completed", root: ROOT, completionTimeMs: 5 } as const;

  test(`${name} has one for each snapshot completed or failed, once turned on`, async (t) => {
    const { catalog, reopen } = await open(t);
    const end = async (id: string, to: "completed" | "error") => {
      await catalog.snapshots.start(snapshot(id), undefined);
      await settle(catalog, id as SnapshotId, to);
    };
    await end("snap-01", "completed");
    assert.equal(await catalog.notices.count(), 0, "they are off at first");
    await catalog.notices.turn(true);
    await end("snap-02", "completed");
    await end("snap-03", "error");
    await catalog.snapshots.start(snapshot("snap-04", { expiresAtMs: 10 }), undefined);
    await catalog.snapshots.expire(20, "Too late");
    await catalog.snapshots.start(snapshot("snap-05", completed), undefined);
    // What comes back from the bin was completed before.
    await catalog.snapshots.delete("snap-02" as SnapshotId, { nowMs: 0, binnedUntilMs: 99 });
    await catalog.retention.restore("snap-02" as SnapshotId);
    const again = await reopen();
    const notices = await again.notices.take({ nowMs: 1, untilMs: 2 }, 10);
    assert.deepEqual(
      notices.map((notice) => [notice.kind, "id" in notice && notice.id]),
      [
        ["completed", "snap-02"],
        ["failed", "snap-03"],
        ["failed", "snap-04"],
        ["completed", "snap-05"],
      ],
    );
    assert.ok(notices.every((notice) => "account" in notice && notice.account === account));
    await again.notices.turn(false);
    assert.equal(await again.notices.count(), 0, "turned off, they are forgotten");
  });

  test(`${name} has one for each damaged record that is found`, async (t) => {
    const { catalog } = await open(t);
    await catalog.notices.turn(true);
    const recordName = recordNameFromBytes(seededBytes("damaged", 32));
    const record = { domain: account, name: recordName, segment: 4, offset: 16, length: 10 };
    await catalog.blocks.commit([{ ...record, replaces: false }], []);
    await catalog.blocks.addDamaged({ ...record, foundAtMs: 5 });
    await catalog.blocks.addDamaged({ ...record, foundAtMs: 6 });
    const notices = await catalog.notices.take({ nowMs: 1, untilMs: 2 }, 10);
    const { length: _, ...place } = record;
    const [{ number, ...notice }, ...more] = notices as [Notice];
    assert.deepEqual(more, []);
    assert.deepEqual(notice, { kind: "damaged", ...place });
    assert.ok(number > 0);
  });
}

function takingSuite(name: string, { open, snapshot }: Subject): void {
  test(`${name} gives each to one who takes it, for as long as was said`, async (t) => {
    const { catalog } = await open(t);
    await catalog.notices.turn(true);
    for (const id of ["snap-01", "snap-02", "snap-03"]) {
      const fields = { state: "completed", root: ROOT, completionTimeMs: 5 } as const;
      await catalog.snapshots.start(snapshot(id, fields), undefined);
    }
    const take = async (nowMs: number, untilMs: number, limit: number) =>
      (await catalog.notices.take({ nowMs, untilMs }, limit)).map(({ number }) => number);
    const first = await take(10, 20, 2);
    const rest = await take(10, 30, 9);
    assert.deepEqual([first.length, rest.length], [2, 1]);
    assert.deepEqual(await take(19, 40, 9), []);
    assert.deepEqual(await take(20, 40, 9), first, "the time of the first is up");
    await catalog.notices.remove(first.slice(0, 1));
    assert.deepEqual(await take(40, 50, 9), [...first.slice(1), ...rest]);
    assert.equal(await catalog.notices.trim(5), 0);
    assert.equal(await catalog.notices.trim(1), 1);
    assert.deepEqual(await take(50, 60, 9), rest);
  });
}
