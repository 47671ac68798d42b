import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { seededBytes } from "../../test/support/property.ts";
import { type Digest, digestFromBytes, type RecordName, ZERO_BLOCK_NAME } from "../model/digest.ts";
import type { AccountId, Domain, SnapshotId } from "../model/ids.ts";
import type { Snapshot, SnapshotState } from "../model/snapshot.ts";
import type { Catalog, NewLocation, StateChange } from "./catalog.ts";
import type { CollectionRun } from "./collection.ts";

interface Subject {
  readonly open: (t: TestContext) => Promise<{ readonly catalog: Catalog }>;
  readonly account: AccountId;
  readonly snapshot: (id: string, fields?: Partial<Snapshot>) => Snapshot;
}

const ID = "snap-01" as SnapshotId;
const [ROOT, WRITERS] = [digest(901), digest(902)];
const MANIFEST = nameOf(903);

/** What every `Catalog` asserts of the rules of collection: what breaks one changes nothing. */
export function rulesSuite(name: string, subject: Subject): void {
  completionSuite(name, subject);
  sweepSuite(name, subject);
  fenceSuite(name, subject);
  missingSuite(name, subject);
  placeSuite(name, subject);
}

/** What completes a snapshot of that domain, once what it names has been located. */
export async function sealed(
  { blocks }: Catalog,
  domain: Domain,
  roots: Pick<StateChange, "root" | "writersRoot"> = {},
): Promise<StateChange> {
  const digests = [roots.root, roots.writersRoot].filter((root) => root !== undefined);
  const rootNames = digests.map((root) => root as string as RecordName);
  const named = [...rootNames, MANIFEST].map((name, i) => locationOf(domain, name, 16 + 100 * i));
  await blocks.commit(named, []);
  return { ...roots, state: "completed", rootNames, manifest: MANIFEST };
}

/** Takes a pending snapshot to a state by the way that leads there. */
export async function settle(
  catalog: Catalog,
  id: SnapshotId,
  to: Exclude<SnapshotState, "copying" | "recycled">,
): Promise<void> {
  const { snapshots } = catalog;
  if (to === "pending") return;
  assert.ok(await snapshots.changeState(id, "pending", { state: "sealing" }));
  if (to === "sealing") return;
  const domain = (await snapshots.get(id))?.domain as Domain;
  const last = to === "completed" ? await sealed(catalog, domain) : { state: to };
  assert.ok(await snapshots.changeState(id, "sealing", last));
}

function completionSuite(name: string, { open, account, snapshot }: Subject): void {
  const start = async (t: TestContext) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot(ID, { state: "sealing" }), undefined);
    return catalog;
  };
  const whole: StateChange = {
    ...{ state: "completed", root: ROOT, writersRoot: WRITERS, manifest: MANIFEST },
    rootNames: [ROOT, WRITERS] as string[] as RecordName[],
  };

  for (const missing of ["root", "writersRoot", "manifest"] as const) {
    test(`${name}.snapshots completes none whose ${missing} is not located`, async (t) => {
      const catalog = await start(t);
      const needed = (["root", "writersRoot", "manifest"] as const).filter((it) => it !== missing);
      const names = needed.map((it) => whole[it] as string as RecordName);
      const located = names.map((it, i) => locationOf(account, it, 16 + 100 * i));
      await catalog.blocks.commit(located, []);
      const completing = () => catalog.snapshots.changeState(ID, "sealing", whole);
      await assert.rejects(completing(), /Assertion failed: .* is located/);
      assert.equal((await catalog.snapshots.get(ID))?.state, "sealing");
      // Damaged is located, too: it may be healed.
      const last = locationOf(account, whole[missing] as string as RecordName, 900);
      await catalog.blocks.commit([last], []);
      assert.ok(await catalog.blocks.addDamaged({ ...last, foundAtMs: 1 }));
      assert.equal(await completing(), true);
    });
  }

  test(`${name}.snapshots completes none without a word of where its roots lie`, async (t) => {
    const catalog = await start(t);
    await sealed(catalog, account, { root: ROOT, writersRoot: WRITERS });
    const { manifest: _, ...unnamed } = whole;
    const { rootNames: __, ...rootless } = whole;
    for (const change of [unnamed, rootless]) {
      const completing = catalog.snapshots.changeState(ID, "sealing", change);
      await assert.rejects(completing, /Assertion failed/);
    }
    assert.equal((await catalog.snapshots.get(ID))?.state, "sealing");
  });

  test(`${name}.snapshots never asks of an attempt that is over what it stored`, async (t) => {
    const catalog = await start(t);
    const attempt = await catalog.liveness.beginSealing(ID);
    await catalog.liveness.beginSealing(ID);
    const late = { ...whole, attempt };
    assert.equal(await catalog.snapshots.changeState(ID, "sealing", late), false);
  });

  test(`${name}.snapshots brings nothing back that has settled`, async (t) => {
    const { catalog } = await open(t);
    for (const [i, from] of (["completed", "error"] as const).entries()) {
      const { id } = snapshot(`snap-1${i}`);
      await catalog.snapshots.start(snapshot(id), undefined);
      await settle(catalog, id, from);
      for (const state of ["pending", "copying", "sealing"] as const) {
        const change = catalog.snapshots.changeState(id, from, { state });
        await assert.rejects(change, /Assertion failed/);
      }
      assert.equal((await catalog.snapshots.get(id))?.state, from);
    }
    await catalog.snapshots.start(snapshot("snap-20"), undefined);
    const { id } = snapshot("snap-20");
    const unsealed = await sealed(catalog, account);
    const change = catalog.snapshots.changeState(id, "pending", unsealed);
    await assert.rejects(change, /Assertion failed/);
  });
}

function sweepSuite(name: string, { open, account }: Subject): void {
  const [fresh, doomed, unknown] = [1, 2, 3].map(nameOf) as [RecordName, RecordName, RecordName];

  test(`${name}.garbage sweeps only what an earlier run doomed, and by that time`, async (t) => {
    const { catalog } = await open(t);
    const { garbage, blocks } = catalog;
    const all = [fresh, doomed, unknown].map((it, i) => locationOf(account, it, 16 + 100 * i));
    // What a run is asked of may be no candidate at all, as when it has been kept.
    await blocks.commit(all, []);
    const before = await garbage.begin(1_000);
    await garbage.keep(before, account, [unknown]);
    await garbage.doom(before, account, { names: [doomed], nowMs: 1_000 });
    const sweep = async (run: CollectionRun, names: RecordName[], doomedByMs: number) => {
      const swept = garbage.sweep(run, account, { names, doomedByMs });
      const found = async () => (await blocks.locateAll(account, names)).every(Boolean);
      await assert.rejects(swept, /Assertion failed/);
      assert.ok(await found(), "nothing is removed");
    };
    await sweep(before, [doomed], 5_000);
    const run = await garbage.begin(2_000);
    await sweep(run, [doomed, fresh], 5_000);
    await sweep(run, [doomed, unknown], 5_000);
    await sweep(run, [doomed], 999);
    await sweep({ ...run, cutoffGeneration: run.generation }, [doomed], 5_000);
    const swept = await garbage.sweep(run, account, { names: [doomed], doomedByMs: 1_000 });
    assert.deepEqual(swept, { recordCount: 1, sizeBytes: 100 });
    assert.equal(await blocks.locate(account, doomed), undefined);
    assert.ok(await blocks.locate(account, fresh));
  });
}

function fenceSuite(name: string, { open, account }: Subject): void {
  test(`${name}.garbage lets a run that is over note, and change nothing else`, async (t) => {
    const { catalog } = await open(t);
    const { garbage, blocks } = catalog;
    const names = [nameOf(1)];
    await blocks.commit([locationOf(account, nameOf(1), 16)], []);
    const early = await garbage.begin(0);
    await garbage.doom(early, account, { names, nowMs: 0 });
    const late = await garbage.begin(0);
    assert.ok(late.epoch > early.epoch && late.generation > early.generation);
    const fenced = { name: "FencedError" };
    await assert.rejects(garbage.keep(early, account, names), fenced);
    await assert.rejects(garbage.doom(early, account, { names, nowMs: 9 }), fenced);
    await assert.rejects(garbage.sweep(early, account, { names, doomedByMs: 9 }), fenced);
    await garbage.addCandidates(account, names);
    const [candidate] = await garbage.candidates(account, undefined, 10);
    assert.deepEqual([candidate?.doomedGeneration, candidate?.doomedAtMs], [early.generation, 0]);
    assert.ok(await blocks.locate(account, nameOf(1)));
    // Noted since the later run began, it is no longer that one's to forget.
    await garbage.keep(late, account, names);
    assert.equal((await garbage.candidates(account, undefined, 10)).length, 1);
  });
}

function missingSuite(name: string, { open, account, snapshot }: Subject): void {
  test(`${name}.liveness tells of a write whose block is not located any more`, async (t) => {
    const { catalog } = await open(t);
    const { snapshots, blocks, garbage, liveness } = catalog;
    await snapshots.start(snapshot(ID), undefined);
    const names = [nameOf(1), nameOf(2), ZERO_BLOCK_NAME];
    const located = names.slice(0, 2).map((it, i) => locationOf(account, it, 16 + 100 * i));
    const common = { snapshotId: ID, domain: account, expiresAtMs: 1 };
    const writes = names.map((it, i) => ({ ...common, blockIndex: 7 * i, name: it }));
    assert.deepEqual(await blocks.commit(located, writes), [undefined, undefined, undefined]);
    assert.equal(await liveness.findMissing(ID, [0, 7, 14, 21]), undefined);
    await garbage.addCandidates(account, [nameOf(2)]);
    const first = await garbage.begin(0);
    await garbage.doom(first, account, { names: [nameOf(2)], nowMs: 0 });
    const run = await garbage.begin(0);
    await garbage.sweep(run, account, { names: [nameOf(2)], doomedByMs: 0 });
    assert.equal(await liveness.findMissing(ID, [0, 7, 14, 21]), 7);
    assert.equal(await liveness.findMissing(ID, [0, 14]), undefined);
    assert.equal(await liveness.findMissing(ID, []), undefined);
    assert.equal(await liveness.findMissing("snap-02" as SnapshotId, [7]), undefined);
    // What has settled needs its writes no more, and those may be collected.
    await settle(catalog, ID, "error");
    assert.equal(await liveness.findMissing(ID, [7]), undefined);
  });
}

function placeSuite(name: string, { open, account }: Subject): void {
  const before = { ...locationOf(account, nameOf(1), 16), segment: 1 };
  const moved = { ...before, segment: 2, offset: 32, movedFrom: before };

  test(`${name}.blocks moves a record to a new segment, as long as it was`, async (t) => {
    const { catalog } = await open(t);
    const { blocks } = catalog;
    const place = async () => {
      const { segment, offset, length } = (await blocks.locate(account, nameOf(1))) ?? {};
      return [segment, offset, length];
    };
    await blocks.commit([before], []);
    for (const wrong of [
      { ...moved, segment: 1 },
      { ...moved, length: 99 },
    ]) {
      await assert.rejects(blocks.commit([wrong], []), /Assertion failed: what is moved/);
      assert.deepEqual(await place(), [1, 16, 100]);
    }
    await blocks.commit([moved], []);
    assert.deepEqual(await place(), [2, 32, 100]);
    // Another compactor was faster; or it was healed, or removed: then it stays as it is.
    await blocks.commit([{ ...moved, segment: 3 }], []);
    assert.deepEqual(await place(), [2, 32, 100]);
    const gone = { ...moved, name: nameOf(2), movedFrom: { ...before, offset: 500 } };
    await blocks.commit([gone], []);
    assert.equal(await blocks.locate(account, nameOf(2)), undefined);
  });

  test(`${name}.segments forgets none in which something is located`, async (t) => {
    const { catalog } = await open(t);
    const { blocks, segments } = catalog;
    await blocks.commit([before], []);
    await assert.rejects(segments.forget(1), /Assertion failed: nothing is located/);
    assert.equal((await segments.liveBytes()).get(1), 100);
    await blocks.commit([moved], []);
    await segments.forget(1);
    assert.equal((await segments.liveBytes()).get(1), undefined);
  });
}

function locationOf(domain: Domain, name: RecordName, offset: number): NewLocation {
  return { domain, name, segment: 9, offset, length: 100, replaces: false };
}

function digest(n: number): Digest {
  return digestFromBytes(seededBytes(`digest ${n}`, 32));
}

function nameOf(n: number): RecordName {
  return digest(n) as string as RecordName;
}
