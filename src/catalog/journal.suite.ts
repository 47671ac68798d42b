import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { pendingSnapshot } from "../../test/support/pending-snapshot.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import type { Image } from "../model/image.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";
import type { JournalEntry } from "./journal.ts";
import { sealed } from "./rules.suite.ts";

interface Subject {
  readonly open: (t: TestContext) => Promise<{ readonly catalog: Catalog }>;
  /** The first of them is the snapshot's own. */
  readonly accounts: readonly [AccountId, AccountId];
  readonly snapshot: (id: string, fields?: Partial<Snapshot>) => Snapshot;
}

/** Deletion without a recycle bin. */
const AT_ONCE = { nowMs: 0, binnedUntilMs: undefined };

/** Which snapshots' ends every `Catalog` must have journaled. */
export function journalSuite(name: string, subject: Subject): void {
  const { open, accounts, snapshot } = subject;
  restoreSuite(name, subject);
  for (const state of ["sealing", "completed", "error"] as const) {
    test(`${name} is told of a snapshot's end from ${state}: it may have a manifest`, async (t) => {
      const { catalog } = await open(t);
      const { id } = snapshot("snap-01");
      await catalog.snapshots.start(snapshot(id), undefined);
      const completion = { changedBlocksCount: 0, linearDigest: undefined };
      await catalog.snapshots.changeState(id, "pending", { state: "sealing", completion });
      const settled = state === "completed" ? await sealed(catalog, accounts[0]) : { state };
      if (state !== "sealing") await catalog.snapshots.changeState(id, "sealing", settled);
      assert.deepEqual(await endsOf(catalog), [`snapshot/${id}`]);
    });
  }

  test(`${name} is not told of a snapshot's end that was never to be sealed`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    assert.deepEqual(await endsOf(catalog), []);
  });
  pendingSuite(name, subject);
}

/** What is done to a snapshot before it is completed must not be told as its end. */
function pendingSuite(name: string, { open, accounts, snapshot }: Subject): void {
  test(`${name} is told of a lock and a share once their snapshot is completed`, async (t) => {
    const { catalog } = await open(t);
    const { id } = snapshot("snap-01");
    const lock = { mode: "compliance", createdAtMs: 1, expiresAtMs: 5, coolOffHours: 1 } as const;
    const told = async () => {
      const changes = await catalog.journal.changes(100);
      const entry = changes.find((change) => change.entry.key === `snapshot/${id}`)?.entry;
      return entry && Object.keys(JSON.parse(entry.value ?? "{}").parts ?? {}).sort();
    };
    await catalog.snapshots.start(snapshot(id), undefined);
    await catalog.retention.changeLock(id, { from: undefined, to: { ...lock, coolOffHours: 0 } });
    await catalog.retention.changeLock(id, { from: { ...lock, coolOffHours: 0 }, to: lock });
    await catalog.sharing.changeGrantees(id, { add: ["all", accounts[1]], remove: [] });
    await catalog.sharing.changeGrantees(id, { add: [], remove: ["all"] });
    assert.equal(await told(), undefined);
    const completion = { changedBlocksCount: 0, linearDigest: undefined };
    await catalog.snapshots.changeState(id, "pending", { state: "sealing", completion });
    await catalog.snapshots.changeState(id, "sealing", await sealed(catalog, accounts[0]));
    assert.deepEqual(await told(), ["snapshot_locks", "snapshot_permissions"]);
  });
}

/** What a catalog must bring back of what another one knows. */
function restoreSuite(name: string, { open, accounts, snapshot }: Subject): void {
  const [own, other] = accounts;
  const start = async (t: TestContext) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01", { state: "completed" }), undefined);
    return catalog;
  };

  test(`${name} brings images back with their hold on snapshots`, async (t) => {
    const source = await start(t);
    assert.equal(await source.images.add(imageOf(own, "snap-01")), undefined);
    const { catalog: target } = await open(t);
    await target.journal.restore(await entriesOf(source));
    await target.journal.restore(await entriesOf(source));
    assert.equal(await target.snapshots.delete("snap-01" as SnapshotId, AT_ONCE), "in-use");
    assert.equal(await target.images.delete("ami-01"), true);
    assert.equal(await target.snapshots.delete("snap-01" as SnapshotId, AT_ONCE), "deleted");
  });

  test(`${name} brings a snapshot's parts back as they are now, whatever was before`, async (t) => {
    const source = await start(t);
    const id = "snap-01" as SnapshotId;
    const lock = { mode: "compliance", createdAtMs: 1, expiresAtMs: 5, coolOffHours: 1 } as const;
    await source.sharing.changeGrantees(id, { add: ["all", other], remove: [] });
    await source.retention.changeLock(id, { from: undefined, to: lock });
    const { catalog: target } = await open(t);
    await target.journal.restore(await entriesOf(source));
    assert.deepEqual(await target.sharing.grantees(id), [other, "all"]);
    await source.sharing.changeGrantees(id, { add: [], remove: ["all"] });
    await source.retention.changeLock(id, { from: lock, to: { ...lock, expiresAtMs: 9 } });
    await target.journal.restore(await entriesOf(source));
    assert.deepEqual(await target.sharing.grantees(id), [other]);
    assert.equal((await target.retention.lock(id))?.expiresAtMs, 9);
    assert.deepEqual(await target.journal.all(), await source.journal.all());
  });

  test(`${name} takes the journal of a large store`, async (t) => {
    const { catalog } = await open(t);
    const gone = Array.from({ length: LARGE_COUNT }, (_, i) => {
      return { key: `snapshot/${i}`, sequence: i + 1, value: undefined };
    });
    await catalog.journal.restore(gone);
    assert.equal(await catalog.journal.sequence(), LARGE_COUNT);
  });
}

/** More things than a function takes arguments. */
const LARGE_COUNT = 200_000;

/** The snapshot that `addImage` has an image hold. */
export const HELD = "snap-01" as SnapshotId;

/** Adds an account, a completed snapshot, and an image of it. */
export async function addImage({ identity, snapshots, images }: Catalog): Promise<void> {
  const account = "111122223333" as AccountId;
  await identity.addAccount(account);
  const snapshot = pendingSnapshot(HELD, account, { state: "completed" });
  await snapshots.start(snapshot, undefined);
  const image = { ...imageOf(account, HELD), description: '\0 "snapshotId":"snap-02"' };
  assert.equal(await images.add(image), undefined);
}

async function entriesOf({ journal }: Catalog): Promise<JournalEntry[]> {
  return [...(await journal.all())].map(([key, value]) => ({ key, sequence: 0, value }));
}

function imageOf(account: AccountId, snapshotId: string): Image {
  return {
    ...{ id: "ami-01", account, name: "an image", description: "", creationTimeMs: 0 },
    ...{ rootDeviceName: "/dev/xvda", settings: {}, tags: [], grantees: [] },
    devices: [
      { deviceName: "/dev/xvda", snapshotId, settings: {} },
      { deviceName: "/dev/xvdb", snapshotId, settings: {} },
      { deviceName: "/dev/xvdc", snapshotId: undefined, settings: {} },
    ],
  };
}

/** What is to be journaled as gone after the snapshot has been deleted. */
async function endsOf(catalog: Catalog): Promise<string[]> {
  assert.equal(await catalog.snapshots.delete("snap-01" as SnapshotId, AT_ONCE), "deleted");
  const changes = await catalog.journal.changes(100);
  return changes.flatMap(({ entry }) => (entry.value === undefined ? [entry.key] : []));
}
