import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { pendingSnapshot } from "../../test/support/pending-snapshot.ts";
import { seededBytes } from "../../test/support/property.ts";
import { type Digest, digestFromBytes, type RecordName, ZERO_BLOCK_NAME } from "../model/digest.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { beginningSuite } from "./beginning.suite.ts";
import type { AccessKey, Catalog, NewLocation, PendingWrite } from "./catalog.ts";
import { encryptionSuite } from "./encryption.suite.ts";
import { garbageSuite } from "./garbage.suite.ts";
import { integritySuite } from "./integrity.suite.ts";
import { journalSuite } from "./journal.suite.ts";
import { locationSuite } from "./location.suite.ts";
import { rulesSuite, sealed, settle } from "./rules.suite.ts";
import { sharingSuite } from "./sharing.suite.ts";
import { statisticsSuite } from "./statistics.suite.ts";
import { tagsSuite } from "./tags.suite.ts";

/** A catalog under test, and the way to close it and open it again where it lies. */
export interface CatalogSubject {
  readonly catalog: Catalog;
  readonly reopen: () => Promise<Catalog>;
}

type Open = (t: TestContext) => Promise<CatalogSubject>;

const ACCOUNT = "111122223333" as AccountId;
const OTHER = "444455556666" as AccountId;
/** Deletion without a recycle bin, at a time when no lock holds any more. */
const AT_ONCE = { nowMs: Number.MAX_SAFE_INTEGER, binnedUntilMs: undefined };

/** What every `Catalog` must do; `open` gives each test an empty one. */
export function catalogSuite(name: string, openEmpty: Open): void {
  const open: Open = async (t) => {
    const subject = await openEmpty(t);
    for (const account of [ACCOUNT, OTHER]) await subject.catalog.identity.addAccount(account);
    return subject;
  };
  snapshotTableSuite(`${name}.snapshots`, open);
  relativesSuite(`${name}.snapshots`, open);
  stateSuite(`${name}.snapshots`, open);
  endSuite(`${name}.snapshots`, open);
  clientTokenSuite(`${name}.snapshots`, open);
  blockTableSuite(`${name}.blocks`, open);
  locationSuite(`${name}.blocks`, { open, accounts: [ACCOUNT, OTHER] });
  pendingWriteSuite(`${name}.blocks`, open);
  settledWritesSuite(`${name}.blocks`, open);
  beginningSuite(`${name}.identity`, openEmpty);
  identityTableSuite(`${name}.identity`, openEmpty);
  accessKeySuite(`${name}.identity`, openEmpty);
  const subject = { open, accounts: [ACCOUNT, OTHER], snapshot } as const;
  sharingSuite(name, subject);
  encryptionSuite(name, subject);
  journalSuite(`${name}.journal`, subject);
  integritySuite(name, { open, account: ACCOUNT, snapshot });
  garbageSuite(`${name}.garbage`, { open, account: ACCOUNT, snapshot });
  rulesSuite(name, { open, account: ACCOUNT, snapshot });
  statisticsSuite(name, { open, account: ACCOUNT, snapshot });
  tagsSuite(name, { open, snapshot });
}

function snapshotTableSuite(name: string, open: Open): void {
  test(`${name} gets back every field of a snapshot, also after a restart`, async (t) => {
    const { catalog, reopen } = await open(t);
    const full = snapshot("snap-0f", {
      state: "completed",
      stateMessage: "a message",
      parent: id("snap-0a"),
      lineage: id("snap-0a"),
      volumeSizeGib: 65_536,
      description: "Grüße, 'quotes' and \"more\" \u{1f600}",
      tags: [{ Key: "k", Value: "" }],
      startTimeMs: 1_700_000_000_123,
      completionTimeMs: 1_700_000_000_456,
      expiresAtMs: 1_800_000_000_000,
      parentRoot: digest(1),
      parentBlockCount: 2 ** 27,
      root: digest(2),
      blockCount: 2 ** 27,
      writtenBlockCount: 5,
      completion: { changedBlocksCount: 5, linearDigest: digest(3) },
      manifest: recordName(4),
      writersRoot: digest(4),
    });
    const bare = snapshot("snap-0b");
    const counted = snapshot("snap-0c", {
      completion: { changedBlocksCount: 0, linearDigest: undefined },
    });
    await catalog.blocks.commit([{ ...location(4, 0), domain: full.domain }], []);
    for (const each of [full, bare, counted]) {
      assert.equal(await catalog.snapshots.start(each, undefined), undefined);
    }
    const again = await reopen();
    for (const each of [full, bare, counted]) {
      assert.deepEqual(await again.snapshots.get(each.id), each);
    }
    assert.equal(await again.snapshots.get(id("snap-0d")), undefined);
  });

  startSuite(name, open);
}

function startSuite(name: string, open: Open): void {
  test(`${name} adds no snapshot whose manifest is not stored`, async (t) => {
    const { catalog } = await open(t);
    const named = snapshot("snap-01", { state: "completed", manifest: recordName(1) });
    const refusal = { outcome: "manifest-gone" };
    assert.deepEqual(await catalog.snapshots.start(named, undefined), refusal);
    assert.equal(await catalog.snapshots.get(named.id), undefined);
    await catalog.blocks.commit([location(1, 0)], []);
    assert.equal(await catalog.snapshots.start(named, undefined), undefined);
    assert.deepEqual(await catalog.snapshots.get(named.id), named);
  });

  test(`${name} refuses a second snapshot of the same id`, async (t) => {
    const { catalog } = await open(t);
    const first = snapshot("snap-01", { description: "first" });
    await catalog.snapshots.start(first, undefined);
    await assert.rejects(catalog.snapshots.start(snapshot("snap-01"), use("token")));
    assert.deepEqual(await catalog.snapshots.get(first.id), first);
    const later = await catalog.snapshots.start(snapshot("snap-02"), use("token"));
    assert.equal(later, undefined, "nothing is left of the refused start");
  });

  test(`${name} pages one account's snapshots in order of id`, async (t) => {
    const { catalog } = await open(t);
    for (const text of ["snap-03", "snap-01", "snap-0b", "snap-02"]) {
      await catalog.snapshots.start(snapshot(text), undefined);
    }
    await catalog.snapshots.start(snapshot("snap-015", { account: OTHER }), undefined);
    const ids = async (afterId: string, limit: number) =>
      (await catalog.snapshots.page(ACCOUNT, afterId, limit)).map((found) => found.id as string);
    assert.deepEqual(await ids("", 10), ["snap-01", "snap-02", "snap-03", "snap-0b"]);
    assert.deepEqual(await ids("", 2), ["snap-01", "snap-02"]);
    assert.deepEqual(await ids("snap-02", 2), ["snap-03", "snap-0b"]);
    assert.deepEqual(await ids("snap-0b", 2), []);
  });
}

function relativesSuite(name: string, open: Open): void {
  test(`${name} finds the relatives of a snapshot, the nearest in time first`, async (t) => {
    const { catalog } = await open(t);
    const lineage = id("snap-01");
    const at = (startTimeMs: number, more: Partial<Snapshot> = {}) => ({
      ...{ lineage, startTimeMs, ...more },
    });
    const subject = snapshot("snap-01", at(1_000));
    const others = [
      snapshot("snap-02", at(1_100)),
      snapshot("snap-03", at(3_000)),
      snapshot("snap-04", at(950, { state: "pending" })),
      snapshot("snap-05", at(1_001, { account: OTHER })),
      snapshot("snap-06", at(1_001, { lineage: id("snap-06") })),
    ];
    for (const each of [subject, ...others]) await catalog.snapshots.start(each, undefined);
    const ids = async (limit: number) =>
      (await catalog.snapshots.relatives(subject, limit)).map((found) => found.id as string);
    assert.deepEqual(await ids(10), ["snap-04", "snap-02", "snap-03"]);
    assert.deepEqual(await ids(2), ["snap-04", "snap-02"]);
  });
}

function stateSuite(name: string, open: Open): void {
  test(`${name} finds every snapshot in a state, whoever owns it`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01", { state: "sealing" }), undefined);
    await catalog.snapshots.start(snapshot("snap-02"), undefined);
    const foreign = snapshot("snap-03", { state: "sealing", account: OTHER });
    await catalog.snapshots.start(foreign, undefined);
    const found = await catalog.snapshots.inState("sealing");
    assert.deepEqual(found.map((each) => each.id as string).sort(), ["snap-01", "snap-03"]);
    assert.deepEqual(await catalog.snapshots.inState("error"), []);
  });

  test(`${name} changes a state from the one given, once among many callers`, async (t) => {
    const { catalog } = await open(t);
    const first = snapshot("snap-01", { description: "kept" });
    await catalog.snapshots.start(first, undefined);
    const change = { state: "sealing" } as const;
    const completion = (changedBlocksCount: number) => ({
      ...change,
      completion: { changedBlocksCount, linearDigest: undefined },
    });
    const attempts = Array.from({ length: 5 }, (_, i) =>
      catalog.snapshots.changeState(first.id, "pending", completion(i)),
    );
    const won = await Promise.all(attempts);
    assert.equal(won.filter(Boolean).length, 1);
    const expected = completion(won.indexOf(true));
    assert.deepEqual(await catalog.snapshots.get(first.id), { ...first, ...expected });
    assert.equal(await catalog.snapshots.changeState(id("snap-0f"), "pending", change), false);
  });

  test(`${name} leaves fields as they are that a change of state does not name`, async (t) => {
    const { catalog } = await open(t);
    const first = snapshot("snap-01", { state: "sealing", parentRoot: digest(1) });
    await catalog.snapshots.start(first, undefined);
    const counts = { blockCount: 3, writtenBlockCount: 2, completionTimeMs: 99 };
    const change = { ...(await sealed(catalog, ACCOUNT, { root: digest(2) })), ...counts };
    assert.ok(await catalog.snapshots.changeState(first.id, "sealing", change));
    const { rootNames: _, ...fields } = change;
    assert.deepEqual(await catalog.snapshots.get(first.id), { ...first, ...fields });
  });
}

function endSuite(name: string, open: Open): void {
  test(`${name} expires pending snapshots whose time is up and no others`, async (t) => {
    const { catalog } = await open(t);
    const at = (text: string, expiresAtMs: number, state: Snapshot["state"] = "pending") =>
      catalog.snapshots.start(snapshot(text, { expiresAtMs, state }), undefined);
    await at("snap-01", 100);
    await at("snap-02", 101);
    await at("snap-03", 50, "sealing");
    await at("snap-04", 50, "completed");
    assert.equal(await catalog.snapshots.expire(100, "too late"), 1);
    assert.equal(await catalog.snapshots.expire(100, "too late"), 0);
    const expired = await catalog.snapshots.get(id("snap-01"));
    assert.deepEqual([expired?.state, expired?.stateMessage], ["error", "too late"]);
    const states = ["snap-02", "snap-03", "snap-04"].map(async (text) => {
      return (await catalog.snapshots.get(id(text)))?.state;
    });
    assert.deepEqual(await Promise.all(states), ["pending", "sealing", "completed"]);
  });

  test(`${name} deletes a snapshot once`, async (t) => {
    const { catalog } = await open(t);
    const first = snapshot("snap-01");
    await catalog.snapshots.start(first, undefined);
    assert.equal(await catalog.snapshots.delete(first.id, AT_ONCE), "deleted");
    assert.equal(await catalog.snapshots.delete(first.id, AT_ONCE), "unknown");
    assert.equal(await catalog.snapshots.get(first.id), undefined);
  });
}

function clientTokenSuite(name: string, open: Open): void {
  test(`${name} answers the first snapshot again for the same client token`, async (t) => {
    const { catalog, reopen } = await open(t);
    const first = snapshot("snap-01");
    assert.equal(await catalog.snapshots.startedWith(ACCOUNT, use("t")), undefined);
    assert.equal(await catalog.snapshots.start(first, use("t")), undefined);
    const again = await reopen();
    const found = await again.snapshots.startedWith(ACCOUNT, use("t"));
    assert.deepEqual(found, { outcome: "replayed", snapshot: first });
    const replayed = await again.snapshots.start(snapshot("snap-02"), use("t"));
    assert.deepEqual(replayed, { outcome: "replayed", snapshot: first });
    assert.equal(await again.snapshots.get(id("snap-02")), undefined);
  });

  test(`${name} answers a conflict for the same client token with other parameters`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), use("t", 1));
    const conflict = await catalog.snapshots.start(snapshot("snap-02"), use("t", 2));
    assert.deepEqual(conflict, { outcome: "conflict" });
    assert.equal(await catalog.snapshots.get(id("snap-02")), undefined);
  });

  test(`${name} keeps client tokens of accounts apart`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), use("t", 1));
    const foreign = snapshot("snap-02", { account: OTHER });
    assert.equal(await catalog.snapshots.start(foreign, use("t", 2)), undefined);
  });

  test(`${name} frees a client token when its snapshot is deleted`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), use("t", 1));
    await catalog.snapshots.delete(id("snap-01"), AT_ONCE);
    assert.equal(await catalog.snapshots.start(snapshot("snap-02"), use("t", 2)), undefined);
  });

  test(`${name} starts one snapshot for many equal client tokens at once`, async (t) => {
    const { catalog } = await open(t);
    const starts = Array.from({ length: 8 }, (_, i) =>
      catalog.snapshots.start(snapshot(`snap-0${i}`), use("t")),
    );
    const outcomes = (await Promise.all(starts)).map((earlier) => earlier?.outcome);
    assert.equal(outcomes.filter((outcome) => outcome === undefined).length, 1);
    assert.equal(outcomes.filter((outcome) => outcome === "replayed").length, 7);
    assert.equal((await catalog.snapshots.page(ACCOUNT, "", 10)).length, 1);
  });
}

function blockTableSuite(name: string, open: Open): void {
  test(`${name} keeps locations by domain and name, the first one given for good`, async (t) => {
    const { catalog, reopen } = await open(t);
    await catalog.blocks.commit([location(1, 10), location(2, 20)], []);
    await catalog.blocks.commit([location(1, 99)], []);
    const again = await reopen();
    assert.deepEqual(plain(await again.blocks.locate(ACCOUNT, recordName(1))), place(10));
    assert.deepEqual(plain(await again.blocks.locate(ACCOUNT, recordName(2))), place(20));
    assert.equal(await again.blocks.locate(OTHER, recordName(1)), undefined);
    assert.equal(await again.blocks.locate(ACCOUNT, recordName(3)), undefined);
  });

  test(`${name} pages pending writes by block index, the last write counting`, async (t) => {
    const { catalog, reopen } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    const locations = [1, 2, 3].map((n) => location(n, n));
    const writes = [
      write("snap-01", 7, 1),
      write("snap-01", 2 ** 27 - 1, 2),
      write("snap-01", 0, 3),
    ];
    await catalog.blocks.commit(locations, [...writes, write("snap-01", 7, 2)]);
    await catalog.blocks.commit([], [write("snap-01", 0, 1)]);
    const { blocks } = await reopen();
    const all = [entry(0, 1), entry(7, 2), entry(2 ** 27 - 1, 2)];
    assert.deepEqual(await blocks.pendingWrites(id("snap-01"), 0, 10), all);
    assert.deepEqual(await blocks.pendingWrites(id("snap-01"), 0, 2), all.slice(0, 2));
    assert.deepEqual(await blocks.pendingWrites(id("snap-01"), 1, 10), all.slice(1));
    assert.deepEqual(await blocks.pendingWrites(id("snap-01"), 2 ** 27, 10), []);
    assert.deepEqual(await blocks.pendingWrites(id("snap-0f"), 0, 10), []);
  });

  test(`${name} refuses writes to snapshots that are not pending, and only those`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    for (const state of ["sealing", "completed", "error"] as const) {
      await catalog.snapshots.start(snapshot(`snap-${state.charCodeAt(0)}`, { state }), undefined);
    }
    const closed = ["sealing", "completed", "error"].map((text) => `snap-${text.charCodeAt(0)}`);
    const texts = ["snap-0f", ...closed, "snap-01"];
    const writes = texts.map((text) => write(text, 1, 1));
    const answers = await catalog.blocks.commit([location(1, 1)], writes);
    assert.deepEqual(answers, [...Array(4).fill("not-pending"), undefined]);
    for (const text of closed) {
      assert.deepEqual(await catalog.blocks.pendingWrites(id(text), 0, 10), []);
    }
    assert.deepEqual(await catalog.blocks.pendingWrites(id("snap-01"), 0, 10), [entry(1, 1)]);
  });

  test(`${name} refuses a write whose block is not stored in its own domain`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    const foreign = { ...location(1, 1), domain: OTHER };
    const writes = [write("snap-01", 1, 1), write("snap-01", 2, 2)];
    const answers = await catalog.blocks.commit([foreign, location(2, 2)], writes);
    assert.deepEqual(answers, ["not-stored", undefined]);
    assert.deepEqual(await catalog.blocks.pendingWrites(id("snap-01"), 0, 10), [entry(2, 2)]);
  });
}

function pendingWriteSuite(name: string, open: Open): void {
  test(`${name} takes a write of zeros although zeros are stored nowhere`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    const zeros = { ...write("snap-01", 4, 1), name: ZERO_BLOCK_NAME };
    assert.deepEqual(await catalog.blocks.commit([], [zeros]), [undefined]);
    const found = await catalog.blocks.pendingWrites(id("snap-01"), 0, 10);
    assert.deepEqual(found, [{ blockIndex: 4, name: ZERO_BLOCK_NAME }]);
  });

  test(`${name} moves the expiry forwards with each write, never back`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01", { expiresAtMs: 1_000 }), undefined);
    const expiry = async () => (await catalog.snapshots.get(id("snap-01")))?.expiresAtMs;
    const at = (expiresAtMs: number) => ({ ...write("snap-01", 1, 1), expiresAtMs });
    await catalog.blocks.commit([location(1, 1)], [at(3_000)]);
    assert.equal(await expiry(), 3_000);
    await catalog.blocks.commit([], [at(2_000)]);
    assert.equal(await expiry(), 3_000);
  });

  test(`${name} commits nothing of a transaction that fails`, async (t) => {
    const { catalog } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    const broken = { ...write("snap-01", 2, 1), blockIndex: null as unknown as number };
    const writes = [write("snap-01", 1, 1), broken];
    await assert.rejects(catalog.blocks.commit([location(1, 1)], writes));
    assert.equal(await catalog.blocks.locate(ACCOUNT, recordName(1)), undefined);
    assert.deepEqual(await catalog.blocks.pendingWrites(id("snap-01"), 0, 10), []);
    assert.deepEqual(await catalog.blocks.commit([location(1, 1)], [write("snap-01", 1, 1)]), [
      undefined,
    ]);
  });
}

function settledWritesSuite(name: string, open: Open): void {
  test(`${name} forgets writes of settled snapshots page by page, and of no others`, async (t) => {
    const { catalog } = await open(t);
    const states = ["pending", "sealing", "completed", "error"] as const;
    for (const [i, state] of states.entries()) {
      const text = `snap-0${i}`;
      await catalog.snapshots.start(snapshot(text), undefined);
      const writes = Array.from({ length: 5 }, (_, n) => write(text, n, 1));
      await catalog.blocks.commit([location(1, 1)], writes);
      await settle(catalog, id(text), state);
    }
    const counts: number[] = [];
    for (let count = 1; count > 0; counts.push(count)) {
      count = await catalog.blocks.forgetSettledWrites(3);
    }
    assert.deepEqual(counts, [3, 2, 3, 2, 0]);
    const left = states.map(async (_, i) => {
      return (await catalog.blocks.pendingWrites(id(`snap-0${i}`), 0, 10)).length;
    });
    assert.deepEqual(await Promise.all(left), [5, 5, 0, 0]);
  });

  test(`${name} never lets a deleted snapshot's writes into a new one`, async (t) => {
    const { catalog, reopen } = await open(t);
    await catalog.snapshots.start(snapshot("snap-01"), undefined);
    await catalog.blocks.commit([location(1, 1)], [write("snap-01", 1, 1), write("snap-01", 2, 1)]);
    await catalog.snapshots.delete(id("snap-01"), AT_ONCE);
    // The very same id, and others, before the leftovers are forgotten; also after a restart.
    for (const text of ["snap-01", "snap-02"]) {
      await catalog.snapshots.start(snapshot(text), undefined);
      assert.deepEqual(await catalog.blocks.pendingWrites(id(text), 0, 10), []);
    }
    await catalog.snapshots.delete(id("snap-01"), AT_ONCE);
    await catalog.snapshots.delete(id("snap-02"), AT_ONCE);
    const again = await reopen();
    await again.snapshots.start(snapshot("snap-03"), undefined);
    assert.deepEqual(await again.blocks.pendingWrites(id("snap-03"), 0, 10), []);
    await again.blocks.commit([], [write("snap-03", 9, 1)]);
    assert.equal(await again.blocks.forgetSettledWrites(10), 2);
    assert.equal(await again.blocks.forgetSettledWrites(10), 0);
    assert.deepEqual(await again.blocks.pendingWrites(id("snap-03"), 0, 10), [entry(9, 1)]);
  });
}

function identityTableSuite(name: string, open: Open): void {
  test(`${name} keeps accounts in order of addition, each once`, async (t) => {
    const { catalog, reopen } = await open(t);
    assert.deepEqual(await catalog.identity.accounts(), []);
    for (const account of [OTHER, ACCOUNT, OTHER]) await catalog.identity.addAccount(account);
    assert.deepEqual(await (await reopen()).identity.accounts(), [OTHER, ACCOUNT]);
  });

  test(`${name} adds, replaces and lists access keys`, async (t) => {
    const { catalog, reopen } = await open(t);
    for (const account of [ACCOUNT, OTHER]) await catalog.identity.addAccount(account);
    const key = (accessKeyId: string, account: AccountId, active = true) => {
      const secretAccessKey = `secret of ${accessKeyId}`;
      return { accessKeyId, secretAccessKey, account, active, policy: undefined, createdAtMs: 1 };
    };
    const keys = [key("AKIA1", ACCOUNT), key("AKIA2", OTHER), key("AKIA3", ACCOUNT, false)];
    for (const each of keys) await catalog.identity.putAccessKey(each);
    const replaced = { ...key("AKIA1", ACCOUNT, false), secretAccessKey: "new" };
    await catalog.identity.putAccessKey(replaced);
    const { identity } = await reopen();
    assert.deepEqual(await identity.accessKey("AKIA1"), replaced);
    assert.deepEqual(await identity.accessKey("AKIA2"), keys[1]);
    assert.equal(await identity.accessKey("akia2"), undefined);
    assert.deepEqual(await identity.accessKeys(ACCOUNT), [replaced, keys[2]]);
  });

  test(`${name} keeps the store's secrets by name and number`, async (t) => {
    const { catalog, reopen } = await open(t);
    const secret = (number: number, createdAtMs: number) => {
      return { number, value: Buffer.from(seededBytes(`${number}`, 32)), createdAtMs };
    };
    const read = async ({ identity }: Catalog, of: string) => {
      const secrets = await identity.secrets(of);
      return secrets.map((each) => ({ ...each, value: Buffer.from(each.value) }));
    };
    assert.deepEqual(await catalog.identity.secrets("a"), []);
    const numbers = [10, 2, 0];
    const add = numbers.map((number) => ({ name: "a", ...secret(number, number * 7) }));
    const others = ["b", "ab", "A"].map((other) => ({ name: other, ...secret(1, 5) }));
    await catalog.identity.changeSecrets({ add: [...add, ...others], forget: [] });
    const all = [secret(0, 0), secret(2, 14), secret(10, 70)];
    assert.deepEqual(await read(catalog, "a"), all);
    // One that is known is never replaced, and then nothing of the change is done.
    const known = { name: "a", ...secret(2, 99) };
    const forget = [{ name: "b", number: 1 }];
    await assert.rejects(catalog.identity.changeSecrets({ add: [known], forget }));
    const reopened = await reopen();
    assert.deepEqual(await read(reopened, "a"), all);
    assert.deepEqual(await read(reopened, "b"), [secret(1, 5)]);
    const gone = [
      { name: "a", number: 2 },
      { name: "a", number: 0 },
    ];
    await reopened.identity.changeSecrets({ add: [{ name: "a", ...secret(11, 8) }], forget: gone });
    assert.deepEqual(await read(reopened, "a"), [secret(10, 70), secret(11, 8)]);
    assert.deepEqual(await read(reopened, "ab"), [secret(1, 5)]);
  });
}

function accessKeySuite(name: string, open: Open): void {
  test(`${name} lists access keys oldest first, with their policies`, async (t) => {
    const { catalog, reopen } = await open(t);
    await catalog.identity.addAccount(ACCOUNT);
    const keys = ["C", "A", "B"].map((id, i) => accessKey(id, { createdAtMs: 10 + i }));
    const policed = { ...(keys[1] as AccessKey), policy: '{"Statement": []}' };
    for (const each of [keys[2], policed, keys[0]]) {
      await catalog.identity.putAccessKey(each as AccessKey);
    }
    const { identity } = await reopen();
    assert.deepEqual(await identity.accessKeys(ACCOUNT), [keys[0], policed, keys[2]]);
  });

  test(`${name} changes and deletes access keys, one field or several`, async (t) => {
    const { catalog } = await open(t);
    const { identity } = catalog;
    for (const account of [ACCOUNT, OTHER]) await identity.addAccount(account);
    const other = accessKey("B", { account: OTHER });
    for (const each of [accessKey("A"), other]) await identity.putAccessKey(each);
    assert.equal(await identity.changeAccessKey("B", { active: false }), "changed");
    assert.equal(await identity.changeAccessKey("B", { policy: "{}" }), "changed");
    assert.deepEqual(await identity.accessKey("B"), { ...other, active: false, policy: "{}" });
    assert.equal(await identity.changeAccessKey("B", { policy: undefined }), "changed");
    assert.equal((await identity.accessKey("B"))?.policy, undefined);
    assert.equal(await identity.changeAccessKey("B", "delete"), "changed");
    assert.equal(await identity.changeAccessKey("B", "delete"), "unknown");
    assert.equal(await identity.accessKey("B"), undefined);
  });

  test(`${name} keeps the first account's last active key without a policy`, async (t) => {
    const { catalog } = await open(t);
    const { identity } = catalog;
    for (const account of [ACCOUNT, OTHER]) await identity.addAccount(account);
    const others = [
      accessKey("inactive", { active: false }),
      accessKey("policed", { policy: "{}" }),
      accessKey("other", { account: OTHER }),
    ];
    for (const each of [accessKey("A"), accessKey("B"), ...others]) {
      await identity.putAccessKey(each);
    }
    const changes = [{ active: false }, { policy: "{}" }, "delete"] as const;
    const [first, second] = await Promise.all([
      identity.changeAccessKey("A", { active: false }),
      identity.changeAccessKey("B", { active: false }),
    ]);
    assert.deepEqual([first, second], ["changed", "last"]);
    for (const change of changes) {
      assert.equal(await identity.changeAccessKey("B", change), "last");
      assert.deepEqual(await identity.accessKey("B"), accessKey("B"));
    }
    assert.equal(await identity.changeAccessKey("B", { active: true }), "changed");
    for (const { accessKeyId } of others) {
      assert.equal(await identity.changeAccessKey(accessKeyId, "delete"), "changed");
    }
    assert.equal(await identity.changeAccessKey("A", { active: true }), "changed");
    assert.equal(await identity.changeAccessKey("B", "delete"), "changed");
  });
}

function snapshot(text: string, fields: Partial<Snapshot> = {}): Snapshot {
  return pendingSnapshot(id(text), ACCOUNT, fields);
}

function accessKey(accessKeyId: string, fields: Partial<AccessKey> = {}): AccessKey {
  return {
    accessKeyId,
    secretAccessKey: `secret of ${accessKeyId}`,
    account: ACCOUNT,
    active: true,
    policy: undefined,
    createdAtMs: 1,
    ...fields,
  };
}

function id(text: string): SnapshotId {
  return text as SnapshotId;
}

function digest(n: number): Digest {
  return digestFromBytes(seededBytes(`digest ${n}`, 32));
}

function recordName(n: number): RecordName {
  return digest(n) as string as RecordName;
}

function location(n: number, offset: number): NewLocation {
  return { domain: ACCOUNT, name: recordName(n), replaces: false, ...place(offset) };
}

function place(offset: number) {
  return { segment: 1, offset, length: 100 };
}

/** A row without the prototype that a database binding may have given it. */
function plain(value: object | undefined): object {
  return { ...value };
}

function write(text: string, blockIndex: number, n: number): PendingWrite {
  const common = { domain: ACCOUNT, expiresAtMs: 6_000 };
  return { snapshotId: id(text), blockIndex, name: recordName(n), ...common };
}

function entry(blockIndex: number, n: number) {
  return { blockIndex, name: recordName(n) };
}

function use(clientToken: string, n = 1) {
  return { clientToken, fingerprint: digest(n) };
}
