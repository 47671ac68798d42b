import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { seededBytes } from "../../test/support/property.ts";
import { digestFromBytes, ZERO_BLOCK_NAME } from "../model/digest.ts";
import type { EncryptionKey } from "../model/encryption-key.ts";
import type { AccountId, EncryptionKeyId, KeyDomain, SnapshotId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";

/** What the suite works with: how to open an empty catalog, and its accounts and snapshots. */
export interface EncryptionSubject {
  readonly open: (t: TestContext) => Promise<{
    readonly catalog: Catalog;
    readonly reopen: () => Promise<Catalog>;
  }>;
  readonly accounts: readonly [own: AccountId, other: AccountId];
  readonly snapshot: (id: string, fields?: Partial<Snapshot>) => Snapshot;
}

/** What every catalog must do for encryption keys, and for copies that take time. */
export function encryptionSuite(name: string, subject: EncryptionSubject): void {
  keySuite(`${name}.encryption`, subject);
  keyChangesSuite(`${name}.encryption`, subject);
  defaultsSuite(`${name}.encryption`, subject);
  copySuite(`${name}.copies`, subject);
  copyChangesSuite(`${name}.copies`, subject);
}

const DOMAIN = "k0123456789abcde" as KeyDomain;
const ROOT = digestFromBytes(seededBytes("root", 32));
const id = (text: string) => text as SnapshotId;
const ids = (found: readonly { readonly id: string }[]) => found.map((each) => each.id);

type KeyOf = (text: string, fields?: Partial<EncryptionKey>) => EncryptionKey;

/** Keys of an account, by their ids. */
function keysOf(account: AccountId): KeyOf {
  return (text, fields = {}) => ({
    id: text as EncryptionKeyId,
    account,
    domain: `k${text}` as KeyDomain,
    state: "enabled",
    manager: "customer",
    description: "Grüße, 'quotes'",
    createdAtMs: 1_700_000_000_123,
    deletionAtMs: undefined,
    secrets: [{ wrappedBy: "one", sealed: "c2VhbGVk" }],
    ...fields,
  });
}

function keySuite(name: string, { open, accounts }: EncryptionSubject): void {
  const [own, other] = accounts;
  const keyOf = keysOf(own);
  test(`${name} gets back every field of a key, also after a restart`, async (t) => {
    const { catalog, reopen } = await open(t);
    const bare = keyOf("1");
    const secrets = [
      { wrappedBy: "one", sealed: "YQ==" },
      { wrappedBy: "two", sealed: "Yg==" },
    ];
    const full = keyOf("2", {
      state: "pending-deletion",
      deletionAtMs: 5,
      secrets,
      account: other,
    });
    for (const key of [bare, full]) assert.equal(await catalog.encryption.add(key), true);
    const { encryption } = await reopen();
    for (const key of [bare, full]) {
      assert.deepEqual(await encryption.get(key.id), key);
      assert.deepEqual(await encryption.ofDomain(key.domain), key);
    }
    assert.equal(await encryption.get("3" as EncryptionKeyId), undefined);
    assert.equal(await encryption.ofDomain("k3" as KeyDomain), undefined);
  });

  test(`${name} takes a domain once, and one key of the service's for each account`, async (t) => {
    const { encryption } = (await open(t)).catalog;
    const made = keyOf("1", { manager: "service" });
    assert.equal(await encryption.add(made), true);
    assert.equal(await encryption.add(keyOf("2", { domain: made.domain, account: other })), false);
    assert.equal(await encryption.add(keyOf("3", { manager: "service" })), false);
    assert.equal(await encryption.add(keyOf("4")), true);
    const theirs = keyOf("5", { manager: "service", account: other });
    assert.equal(await encryption.add(theirs), true);
    assert.deepEqual(await encryption.madeFor(own), made);
    assert.deepEqual(await encryption.madeFor(other), theirs);
    for (const text of ["2", "3"]) {
      assert.equal(await encryption.get(text as EncryptionKeyId), undefined, "nothing was added");
    }
  });

  test(`${name} pages one account's keys in order of id`, async (t) => {
    const { encryption } = (await open(t)).catalog;
    for (const text of ["b", "a", "d"]) await encryption.add(keyOf(text));
    await encryption.add(keyOf("c", { account: other }));
    assert.deepEqual(ids(await encryption.page(own, "", 10)), ["a", "b", "d"]);
    assert.deepEqual(ids(await encryption.page(own, "", 2)), ["a", "b"]);
    assert.deepEqual(ids(await encryption.page(own, "b", 10)), ["d"]);
    assert.equal(await encryption.madeFor(own), undefined);
  });
}

function keyChangesSuite(name: string, { open, accounts }: EncryptionSubject): void {
  const keyOf = keysOf(accounts[0]);

  test(`${name} replaces a key only as it was looked up`, async (t) => {
    const { catalog, reopen } = await open(t);
    const key = keyOf("1");
    await catalog.encryption.add(key);
    const changes: Partial<EncryptionKey>[] = [
      { state: "disabled" },
      { description: "another" },
      { state: "pending-deletion", deletionAtMs: 9 },
      { secrets: [...key.secrets, { wrappedBy: "one", sealed: "bmV3" }] },
    ];
    let current = key;
    for (const change of changes) {
      const next = { ...current, ...change };
      assert.equal(await catalog.encryption.replace(current, next), true);
      assert.equal(await catalog.encryption.replace(current, key), false, "it has changed since");
      assert.deepEqual(await catalog.encryption.get(key.id), next);
      current = next;
    }
    assert.equal(await catalog.encryption.replace(keyOf("2"), key), false, "there is none");
    assert.deepEqual(await (await reopen()).encryption.get(key.id), current);
  });

  test(`${name} finds the keys that are due, and those wrapped by something else`, async (t) => {
    const { encryption } = (await open(t)).catalog;
    const at = (text: string, deletionAtMs: number) =>
      encryption.add(keyOf(text, { state: "pending-deletion", deletionAtMs }));
    await at("1", 10);
    await at("2", 11);
    const mixed = ["one", "two"].map((wrappedBy) => ({ wrappedBy, sealed: "" }));
    await encryption.add(keyOf("3", { secrets: mixed }));
    await encryption.add(keyOf("4", { state: "destroyed", secrets: [] }));
    assert.deepEqual(ids(await encryption.due(9)), []);
    assert.deepEqual(ids(await encryption.due(10)), ["1"]);
    assert.deepEqual(ids(await encryption.due(99)), ["1", "2"]);
    assert.deepEqual(ids(await encryption.notWrappedBy("one")), ["3"]);
    assert.deepEqual(ids(await encryption.notWrappedBy("two")), ["1", "2", "3"]);
  });
}

function defaultsSuite(name: string, { open, accounts }: EncryptionSubject): void {
  const [own, other] = accounts;

  test(`${name} keeps how each account encrypts, one half at a time`, async (t) => {
    const { catalog, reopen } = await open(t);
    const keyId = "a key" as EncryptionKeyId;
    const nothing = { byDefault: false, keyId: undefined };
    assert.deepEqual(await catalog.encryption.defaults(own), nothing);
    assert.deepEqual(await catalog.encryption.setDefaults(own, { keyId }), {
      byDefault: false,
      keyId,
    });
    await catalog.encryption.setDefaults(own, { byDefault: true });
    const { encryption } = await reopen();
    assert.deepEqual(await encryption.defaults(own), { byDefault: true, keyId });
    assert.deepEqual(await encryption.defaults(other), nothing);
    await encryption.setDefaults(own, { keyId: undefined });
    assert.deepEqual(await encryption.defaults(own), { byDefault: true, keyId: undefined });
  });
}

const CONTENTS = { sourceDomain: DOMAIN, sourceRoot: ROOT, nextIndex: 0 };
const SOURCE = { sourceId: id("snap-09"), ...CONTENTS };

/** What copies are tried with: a catalog that has their source, and their rows. */
function copySubject({ open, snapshot }: EncryptionSubject) {
  return {
    async open(t: TestContext) {
      const opened = await open(t);
      await opened.catalog.snapshots.start(snapshot("snap-09", { state: "completed" }), undefined);
      return opened;
    },
    copying: (text: string) => snapshot(text, { state: "copying", expiresAtMs: 7 }),
  };
}

function copySuite(name: string, subject: EncryptionSubject): void {
  const { snapshot } = subject;
  const { open, copying } = copySubject(subject);

  test(`${name} starts none whose source was deleted meanwhile`, async (t) => {
    const { catalog } = await open(t);
    assert.equal(await catalog.copies.start(copying("snap-01"), SOURCE), true);
    const terms = { nowMs: 0, binnedUntilMs: undefined };
    await catalog.snapshots.delete(SOURCE.sourceId, terms);
    assert.equal(await catalog.copies.start(copying("snap-02"), SOURCE), false);
    assert.deepEqual(ids(await catalog.copies.all()), ["snap-01"]);
    assert.equal(await catalog.snapshots.get(id("snap-02")), undefined);
  });

  test(`${name} keeps what is copied from where, and how far it has come`, async (t) => {
    const { catalog, reopen } = await open(t);
    await catalog.copies.start(copying("snap-02"), SOURCE);
    await catalog.copies.start(copying("snap-01"), { ...SOURCE, sourceRoot: undefined });
    await catalog.copies.advance(id("snap-02"), 1_000);
    const { copies, snapshots } = await reopen();
    assert.deepEqual(await copies.all(), [
      { id: "snap-02", ...CONTENTS, nextIndex: 1_000 },
      { id: "snap-01", ...CONTENTS, sourceRoot: undefined },
    ]);
    assert.deepEqual(await snapshots.get(id("snap-01")), copying("snap-01"));
    assert.deepEqual(ids(await snapshots.inState("copying")), ["snap-02", "snap-01"]);
  });

  test(`${name} adds nothing when the snapshot is there already`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    await assert.rejects(catalog.copies.start(copying("snap-01"), SOURCE));
    assert.deepEqual(await catalog.copies.all(), []);
  });
}

function copyChangesSuite(name: string, subject: EncryptionSubject): void {
  const { snapshot } = subject;
  const { open, copying } = copySubject(subject);

  test(`${name} forgets a copy that is complete, in error or deleted`, async (t) => {
    const { catalog } = await open(t);
    for (const text of ["snap-01", "snap-02", "snap-03"]) {
      await catalog.copies.start(copying(text), SOURCE);
    }
    const states = catalog.snapshots;
    await states.changeState(id("snap-01"), "copying", { state: "sealing" });
    await states.changeState(id("snap-02"), "copying", { state: "error" });
    assert.deepEqual(ids(await catalog.copies.all()), ["snap-03"]);
    const terms = { nowMs: 0, binnedUntilMs: 99 };
    assert.equal(await states.delete(id("snap-03"), terms), "deleted");
    assert.deepEqual(await catalog.copies.all(), [], "it was not complete, so it is in no bin");
    await catalog.copies.advance(id("snap-03"), 5);
    await states.start(snapshot("snap-03"), undefined);
    assert.deepEqual(await catalog.copies.all(), [], "another of that id is no copy");
  });

  test(`${name} are written to like pending snapshots, and do not expire`, async (t) => {
    const { catalog } = await open(t);
    await catalog.copies.start(copying("snap-01"), SOURCE);
    const write = {
      snapshotId: id("snap-01"),
      blockIndex: 3,
      name: ZERO_BLOCK_NAME,
      domain: DOMAIN,
      expiresAtMs: 8,
    };
    assert.deepEqual(await catalog.blocks.commit([], [write]), [undefined]);
    assert.equal(await catalog.snapshots.expire(99, "late"), 0);
    assert.equal(await catalog.blocks.forgetSettledWrites(10), 0, "they are not settled");
    await catalog.snapshots.changeState(id("snap-01"), "copying", { state: "error" });
    assert.deepEqual(await catalog.blocks.commit([], [write]), ["not-pending"]);
    assert.equal(await catalog.blocks.forgetSettledWrites(10), 1);
  });
}
