import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { seededBytes } from "../../test/support/property.ts";
import { type RecordName, recordNameFromBytes } from "../model/digest.ts";
import type { AccountId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Catalog, NewLocation } from "./catalog.ts";

type Open = (t: TestContext) => Promise<{
  readonly catalog: Catalog;
  readonly reopen: () => Promise<Catalog>;
}>;

interface Subject {
  readonly open: Open;
  readonly account: AccountId;
  readonly snapshot: (id: string) => Snapshot;
}

/** What every `Catalog` must know of what was read again. */
export function integritySuite(name: string, subject: Subject): void {
  recordsSuite(name, subject);
  verificationsSuite(name, subject);
}

function recordsSuite(name: string, { open, account }: Subject): void {
  const add = (catalog: Catalog, ...places: [segment: number, offset: number, seed: number][]) =>
    catalog.blocks.commit(places.map(locationOf), []);
  const locationOf = ([segment, offset, seed]: readonly [number, number, number]): NewLocation => {
    return { domain: account, name: nameOf(seed), segment, offset, length: 10, replaces: false };
  };

  test(`${name}.blocks remembers damaged records until they are replaced`, async (t) => {
    const { catalog, reopen } = await open(t);
    await add(catalog, [1, 16, 1], [1, 26, 2]);
    const { replaces: _, ...record } = locationOf([1, 16, 1]);
    const damaged = { ...record, foundAtMs: 5 };
    assert.equal(await catalog.blocks.addDamaged(damaged), true);
    assert.equal(await catalog.blocks.addDamaged({ ...damaged, foundAtMs: 6 }), false, "known");
    assert.equal(await catalog.blocks.addDamaged({ ...damaged, name: nameOf(2) }), false, "moved");
    assert.equal(await catalog.blocks.addDamaged({ ...damaged, name: nameOf(3) }), false, "gone");
    const again = await reopen();
    assert.deepEqual(await again.blocks.damaged(10), [damaged]);
    assert.equal(await again.blocks.isDamaged(account, nameOf(1)), true);
    assert.equal(await again.blocks.isDamaged(account, nameOf(2)), false);
    await again.blocks.commit([{ ...locationOf([2, 16, 1]), replaces: true }], []);
    assert.deepEqual(await again.blocks.damaged(10), []);
    assert.equal(await again.blocks.addDamaged({ ...damaged, segment: 2 }), true);
    assert.equal(await again.blocks.removeDamaged(account, nameOf(1)), true);
    assert.equal(await again.blocks.removeDamaged(account, nameOf(1)), false);
  });

  test(`${name}.scrubs goes through all records by their places`, async (t) => {
    const { catalog } = await open(t);
    await add(catalog, [2, 16, 1], [1, 300, 2], [1, 16, 3], [10, 16, 4]);
    const all = await catalog.scrubs.recordsFrom({ segment: 0, offset: 0 }, 10);
    assert.deepEqual(
      all.map(({ segment, offset }) => [segment, offset]),
      [
        [1, 16],
        [1, 300],
        [2, 16],
        [10, 16],
      ],
    );
    const some = await catalog.scrubs.recordsFrom({ segment: 1, offset: 17 }, 2);
    assert.deepEqual(some, all.slice(1, 3));
    assert.deepEqual(await catalog.scrubs.recordsFrom({ segment: 10, offset: 17 }, 2), []);
  });

  test(`${name}.scrubs knows segments from when they come, and how far each is`, async (t) => {
    const { catalog, reopen } = await open(t);
    assert.deepEqual(await catalog.scrubs.scrubs(100), []);
    await add(catalog, [1, 16, 1], [3, 16, 2]);
    const fresh = { verifiedAtMs: 100, startedAtMs: undefined, nextOffset: 0 };
    const first = [1, 3].map((segment) => ({ segment, ...fresh }));
    assert.deepEqual(await catalog.scrubs.scrubs(100), first);
    assert.deepEqual(await catalog.scrubs.scrubs(200), first);
    const under = { segment: 3, verifiedAtMs: 100, startedAtMs: 300, nextOffset: 17 };
    await catalog.scrubs.noteScrub(under);
    const again = await reopen();
    assert.deepEqual(await again.scrubs.scrubs(400), [first[0], under]);
    await again.blocks.commit([{ ...locationOf([4, 16, 2]), replaces: true }], []);
    await again.scrubs.noteScrub({ ...under, segment: 9 });
    assert.deepEqual(
      (await again.scrubs.scrubs(500)).map(({ segment, verifiedAtMs }) => [segment, verifiedAtMs]),
      [
        [1, 100],
        [4, 500],
      ],
    );
    assert.deepEqual(await again.scrubs.findFaults(), { faults: [], isSound: true });
  });
}

function verificationsSuite(name: string, { open, account, snapshot }: Subject): void {
  test(`${name}.verifications keeps one under way and the latest outcome`, async (t) => {
    const { catalog, reopen } = await open(t);
    for (const id of ["snap-01", "snap-02"]) await catalog.snapshots.start(snapshot(id), undefined);
    const { id } = snapshot("snap-02");
    const counts = { blocksVerified: 1, bytesVerified: 2, badBlockCount: 3 };
    const progress = {
      startedAtMs: 1,
      nextIndex: 9,
      ...counts,
      badExtents: [{ start: 1, count: 3 }],
    };
    await catalog.verifications.advance(id, progress);
    assert.deepEqual(await catalog.verifications.page(account, "", 10), [], "none has ended");
    const again = await reopen();
    assert.deepEqual(await again.verifications.progress(id), progress);
    await again.verifications.end(id, { endedAtMs: 7, isWhole: false });
    assert.equal(await again.verifications.progress(id), undefined);
    await again.verifications.advance(id, progress);
    const ended = [{ id, endedAtMs: 7, isWhole: false }];
    assert.deepEqual(await again.verifications.page(account, "", 10), ended);
    assert.deepEqual(await again.verifications.page(account, id, 10), []);
    await again.snapshots.delete(id, { nowMs: 0, binnedUntilMs: undefined });
    assert.deepEqual(await again.verifications.page(account, "", 10), []);
    await again.verifications.end(id, { endedAtMs: 8, isWhole: true });
  });
}

function nameOf(seed: number): RecordName {
  return recordNameFromBytes(seededBytes(`name ${seed}`, 32));
}
