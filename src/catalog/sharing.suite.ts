import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import type { Image } from "../model/image.ts";
import type { Snapshot, SnapshotLock } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";

type Open = (t: TestContext) => Promise<{
  readonly catalog: Catalog;
  readonly reopen: () => Promise<Catalog>;
}>;

/** What the suite works with: how to open an empty catalog, and its accounts and snapshots. */
export interface SharingSubject {
  readonly open: Open;
  readonly accounts: readonly [own: AccountId, other: AccountId];
  /** A snapshot of the own account unless told otherwise. */
  readonly snapshot: (id: string, fields?: Partial<Snapshot>) => Snapshot;
}

/** What every catalog must do for sharing, locks, the recycle bin, images and settings. */
export function sharingSuite(name: string, subject: SharingSubject): void {
  sharingTableSuite(`${name}.sharing`, subject);
  visibleSuite(`${name}.sharing`, subject);
  lockSuite(`${name}.retention`, subject);
  recycleBinSuite(`${name}.retention`, subject);
  imageTableSuite(`${name}.images`, subject);
  settingsTableSuite(`${name}.settings`, subject);
}

const id = (text: string) => text as SnapshotId;

async function start(catalog: Catalog, ...snapshots: readonly Snapshot[]): Promise<void> {
  for (const each of snapshots) await catalog.snapshots.start(each, undefined);
}

function sharingTableSuite(name: string, { open, accounts, snapshot }: SharingSubject): void {
  const [own, other] = accounts;

  test(`${name} adds and takes away grantees, each once`, async (t) => {
    const { catalog, reopen } = await open(t);
    await start(catalog, snapshot("snap-01"), snapshot("snap-02"));
    const change = { add: ["all", other, other], remove: [] } as const;
    await catalog.sharing.changeGrantees(id("snap-01"), change);
    await catalog.sharing.changeGrantees(id("snap-01"), change);
    const { sharing } = await reopen();
    assert.deepEqual(await sharing.grantees(id("snap-01")), [other, "all"]);
    assert.deepEqual(await sharing.grantees(id("snap-02")), []);
    await sharing.changeGrantees(id("snap-01"), { add: [], remove: [other, own] });
    assert.deepEqual(await sharing.grantees(id("snap-01")), ["all"]);
    assert.deepEqual(await sharing.grantees(id("snap-0f")), []);
  });

  test(`${name} forgets the grantees of a deleted snapshot`, async (t) => {
    const { catalog } = await open(t);
    await start(catalog, snapshot("snap-01"));
    await catalog.sharing.changeGrantees(id("snap-01"), { add: [other], remove: [] });
    await catalog.snapshots.delete(id("snap-01"), { nowMs: 0, binnedUntilMs: undefined });
    await start(catalog, snapshot("snap-01"));
    assert.deepEqual(await catalog.sharing.grantees(id("snap-01")), []);
  });

  test(`${name} pages what an account owns and what is shared with it, each once`, async (t) => {
    const { catalog } = await open(t);
    const shared = ["snap-01", "snap-03", "snap-05", "snap-07"];
    const ids = ["snap-02", "snap-04", ...shared];
    await start(catalog, ...ids.map((text) => snapshot(text)));
    await start(catalog, snapshot("snap-06", { account: other }));
    for (const [i, text] of shared.entries()) {
      const add = [[other], ["all"], [other, "all"], [own]][i] as AccountId[];
      await catalog.sharing.changeGrantees(id(text), { add, remove: [] });
    }
    const page = async (account: AccountId, afterId: string, limit: number) =>
      (await catalog.sharing.visiblePage(account, afterId, limit)).map((found) => found.id);
    const visible = ["snap-01", "snap-03", "snap-05", "snap-06"];
    assert.deepEqual(await page(other, "", 10), visible);
    assert.deepEqual(await page(other, "", 3), visible.slice(0, 3));
    assert.deepEqual(await page(other, "snap-03", 10), visible.slice(2));
    assert.deepEqual(await page(own, "", 10), [...ids].sort());
    const binned = { nowMs: 0, binnedUntilMs: 9 };
    await start(catalog, snapshot("snap-08", { state: "completed" }));
    await catalog.sharing.changeGrantees(id("snap-08"), { add: [other], remove: [] });
    await catalog.snapshots.delete(id("snap-08"), binned);
    assert.deepEqual(await page(other, "", 10), visible, "not what is in the recycle bin");
  });
}

function visibleSuite(name: string, { open, accounts, snapshot }: SharingSubject): void {
  const [own, other] = accounts;

  test(`${name} finds for an account what is its own or granted to it or to all`, async (t) => {
    const { catalog } = await open(t);
    const ids = ["snap-01", "snap-02", "snap-03", "snap-04"];
    await start(catalog, ...ids.map((text) => snapshot(text, { state: "completed" })));
    for (const [text, add] of [
      ["snap-02", [other]],
      ["snap-03", ["all"]],
      ["snap-04", ["999999999999" as AccountId]],
    ] as const) {
      await catalog.sharing.changeGrantees(id(text), { add, remove: [] });
    }
    const found = async (account: AccountId) => {
      const all = [...ids, "snap-05"].map((text) => catalog.sharing.visible(account, id(text)));
      return (await Promise.all(all)).map((each) => each?.id);
    };
    assert.deepEqual(await found(own), [...ids, undefined]);
    assert.deepEqual(await found(other), [undefined, "snap-02", "snap-03", undefined, undefined]);
    const whole = await catalog.sharing.visible(other, id("snap-02"));
    assert.deepEqual(whole, await catalog.snapshots.get(id("snap-02")));
    await catalog.snapshots.delete(id("snap-02"), { nowMs: 0, binnedUntilMs: 9 });
    assert.equal(await catalog.sharing.visible(own, id("snap-02")), undefined);
    assert.equal(await catalog.sharing.visible(other, id("snap-02")), undefined);
  });
}

function lockSuite(name: string, { open, accounts, snapshot }: SharingSubject): void {
  const [own, other] = accounts;
  const lock: SnapshotLock = {
    mode: "compliance",
    createdAtMs: 1_700_000_000_123,
    expiresAtMs: 1_800_000_000_456,
    coolOffHours: 72,
  };

  test(`${name} changes a lock from the one given, once among many callers`, async (t) => {
    const { catalog, reopen } = await open(t);
    await start(catalog, snapshot("snap-01"));
    assert.equal(await catalog.retention.lock(id("snap-01")), undefined);
    const attempts = [1, 2, 3].map((coolOffHours) =>
      catalog.retention.changeLock(id("snap-01"), {
        from: undefined,
        to: { ...lock, coolOffHours },
      }),
    );
    assert.deepEqual(await Promise.all(attempts), [true, false, false]);
    const { retention } = await reopen();
    const found = await retention.lock(id("snap-01"));
    assert.deepEqual(found, { ...lock, coolOffHours: 1 });
    assert.equal(await retention.changeLock(id("snap-01"), { from: lock, to: undefined }), false);
    assert.equal(await retention.changeLock(id("snap-01"), { from: found, to: undefined }), true);
    assert.equal(await retention.lock(id("snap-01")), undefined);
    assert.equal(await retention.changeLock(id("snap-0f"), { from: undefined, to: lock }), false);
  });

  test(`${name} lists one account's locked snapshots`, async (t) => {
    const { catalog } = await open(t);
    const foreign = snapshot("snap-03", { account: other });
    await start(catalog, snapshot("snap-02"), snapshot("snap-01"), foreign, snapshot("snap-04"));
    for (const text of ["snap-02", "snap-01", "snap-03"]) {
      await catalog.retention.changeLock(id(text), { from: undefined, to: lock });
    }
    const found = await catalog.retention.lockedSnapshots(own);
    assert.deepEqual(
      found.map((each) => each.id as string),
      ["snap-01", "snap-02"],
    );
  });

  test(`${name} keeps a locked snapshot from being deleted until the lock ends`, async (t) => {
    const { catalog } = await open(t);
    await start(catalog, snapshot("snap-01"));
    await catalog.retention.changeLock(id("snap-01"), { from: undefined, to: lock });
    const at = (nowMs: number) =>
      catalog.snapshots.delete(id("snap-01"), { nowMs, binnedUntilMs: undefined });
    assert.equal(await at(lock.expiresAtMs - 1), "locked");
    assert.ok(await catalog.snapshots.get(id("snap-01")));
    assert.equal(await at(lock.expiresAtMs), "deleted");
    assert.equal(await catalog.retention.lock(id("snap-01")), undefined);
  });
}

function recycleBinSuite(name: string, { open, accounts, snapshot }: SharingSubject): void {
  const [own, other] = accounts;
  const terms = { nowMs: 5, binnedUntilMs: 10 };

  test(`${name} keeps a deleted completed snapshot for its time, or until restored`, async (t) => {
    const { catalog, reopen } = await open(t);
    const [kept, gone] = ["snap-01", "snap-02"].map((text) =>
      snapshot(text, { state: "completed" }),
    ) as [Snapshot, Snapshot];
    const foreign = snapshot("snap-03", { state: "completed", account: other });
    await start(catalog, kept, gone, foreign);
    for (const each of [kept, gone, foreign]) {
      assert.equal(await catalog.snapshots.delete(each.id, terms), "deleted");
      assert.equal(await catalog.snapshots.delete(each.id, terms), "unknown");
    }
    const { retention, snapshots } = await reopen();
    assert.deepEqual(await snapshots.page(own, "", 10), []);
    const binned = { state: "recycled" } as const;
    assert.deepEqual(await retention.recycled(own), [
      { snapshot: { ...kept, ...binned }, enteredAtMs: 5, exitsAtMs: 10 },
      { snapshot: { ...gone, ...binned }, enteredAtMs: 5, exitsAtMs: 10 },
    ]);
    assert.equal(await retention.restore(kept.id), true);
    assert.equal(await retention.restore(kept.id), false);
    assert.deepEqual(await snapshots.get(kept.id), kept);
    assert.equal(await retention.purge(9), 0);
    assert.equal(await retention.purge(10), 2);
    assert.deepEqual(await retention.recycled(own), []);
    assert.equal(await snapshots.get(gone.id), undefined);
    assert.ok(await snapshots.get(kept.id), "what was restored is not purged");
  });

  test(`${name} keeps nothing of a snapshot that was never completed`, async (t) => {
    const { catalog } = await open(t);
    for (const state of ["pending", "sealing", "error"] as const) {
      await start(catalog, snapshot("snap-01", { state }));
      assert.equal(await catalog.snapshots.delete(id("snap-01"), terms), "deleted");
      assert.equal(await catalog.snapshots.get(id("snap-01")), undefined);
    }
    assert.deepEqual(await catalog.retention.recycled(own), []);
  });
}

function imageTableSuite(name: string, { open, accounts, snapshot }: SharingSubject): void {
  const [own, other] = accounts;
  const image = (fields: Partial<Image> = {}): Image => ({
    id: "ami-01",
    account: own,
    name: "an image",
    description: "Grüße",
    creationTimeMs: 1_700_000_000_123,
    rootDeviceName: "/dev/xvda",
    devices: [{ deviceName: "/dev/xvda", snapshotId: "snap-01", settings: { iops: "3" } }],
    settings: { architecture: "arm64" },
    tags: [{ Key: "a", Value: "b" }],
    grantees: [],
    ...fields,
  });
  const openWithSnapshot: Open = async (t) => {
    const subject = await open(t);
    await start(subject.catalog, snapshot("snap-01", { state: "completed" }), snapshot("snap-02"));
    return subject;
  };

  test(`${name} gets back an image as it was added and changed`, async (t) => {
    const { catalog, reopen } = await openWithSnapshot(t);
    assert.equal(await catalog.images.add(image()), undefined);
    const foreign = image({ id: "ami-02", account: other, devices: [] });
    assert.equal(await catalog.images.add(foreign), undefined, "names are each account's own");
    const { images } = await reopen();
    assert.deepEqual(await images.get("ami-01"), image());
    const changed = image({ description: "new", grantees: [other] });
    const change = (was: Image) => ({ ...was, description: "new", grantees: [other] });
    assert.deepEqual(await images.change("ami-01", change), changed);
    assert.equal(await images.change("ami-0f", change), undefined);
    assert.deepEqual(await images.named(own, "an image"), changed);
    assert.deepEqual(await images.named(other, "an image"), foreign);
    assert.equal(await images.named(own, "another"), undefined);
    assert.deepEqual(await images.page("", 10), [changed, foreign]);
    assert.deepEqual(await images.page("", 1), [changed]);
    assert.deepEqual(await images.page("ami-01", 10), [foreign]);
  });

  test(`${name} refuses a name twice, and snapshots that are not completed`, async (t) => {
    const { catalog } = await openWithSnapshot(t);
    await catalog.images.add(image());
    assert.equal(await catalog.images.add(image({ id: "ami-02" })), "name-taken");
    for (const snapshotId of ["snap-02", "snap-0f"]) {
      const devices = [{ deviceName: "/dev/xvda", snapshotId, settings: {} }];
      const refused = image({ id: "ami-03", name: "other", devices });
      assert.equal(await catalog.images.add(refused), "unknown-snapshot");
    }
    assert.equal((await catalog.images.page("", 10)).length, 1);
  });

  test(`${name} holds its snapshots until it is deleted`, async (t) => {
    const { catalog } = await openWithSnapshot(t);
    await catalog.images.add(image());
    const remove = () =>
      catalog.snapshots.delete(id("snap-01"), { nowMs: 0, binnedUntilMs: undefined });
    assert.equal(await remove(), "in-use");
    assert.equal(await catalog.images.delete("ami-01"), true);
    assert.equal(await catalog.images.delete("ami-01"), false);
    assert.equal(await remove(), "deleted");
  });
}

function settingsTableSuite(name: string, { open, accounts }: SharingSubject): void {
  const [own, other] = accounts;

  test(`${name} keeps what was put last for an account until it is taken away`, async (t) => {
    const { catalog, reopen } = await open(t);
    assert.equal(await catalog.settings.get(own, "color"), undefined);
    await catalog.settings.put(own, "color", "red");
    await catalog.settings.put(own, "color", "blue");
    await catalog.settings.put(own, "size", "");
    await catalog.settings.put(other, "size", "large");
    const { settings } = await reopen();
    assert.equal(await settings.get(own, "color"), "blue");
    assert.equal(await settings.get(own, "size"), "");
    assert.equal(await settings.get(other, "color"), undefined);
    await settings.put(own, "size", undefined);
    await settings.put(own, "size", undefined);
    assert.equal(await settings.get(own, "size"), undefined);
    assert.equal(await settings.get(other, "size"), "large");
  });
}
