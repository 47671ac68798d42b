import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Client } from "pg";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { POSTGRES_MISSING, postgresDatabase } from "../../../test/support/postgres.ts";
import { pick, printSeed, seededBytes } from "../../../test/support/property.ts";
import { waitUntil } from "../../../test/support/wait-until.ts";
import { systemClock } from "../../base/clock.ts";
import { seededFraction } from "../../base/random.ts";
import { UnavailableError } from "../../base/unavailable.ts";
import { type Digest, digestFromBytes, type RecordName } from "../../model/digest.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { NewLocation } from "../catalog.ts";
import { FencedError } from "../collection.ts";
import { openPostgresCatalog, type PostgresCatalog } from "./postgres-catalog.ts";

const skip = POSTGRES_MISSING;
const ACCOUNT = "111122223333" as AccountId;
/** Whoever waits for the transaction that asks this; one that serves waits for others, too. */
const WAITING_FOR_ME = `SELECT 1 FROM pg_locks
  WHERE NOT granted AND locktype = 'transactionid' AND transactionid = pg_current_xact_id()::xid`;
/** Whoever waits for one that waits for the transaction that asks this. */
const WAITING_BEHIND = `SELECT 1 FROM pg_locks, unnest(pg_blocking_pids(pg_locks.pid)) AS blocking
  WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(blocking))`;

for (const isMember of [false, true]) {
  const who = isMember ? "a process that serves" : "whoever is alone";
  test(`a run of the collector does not begin between a stamp and its commit, by ${who}`, {
    skip,
  }, async (t) => {
    const { url, catalogs } = await open(t, 2);
    const [{ blocks, snapshots, join }, { garbage }] = catalogs;
    const clock = systemClock;
    const member = isMember && (await join({ clock, name: "test", onError: () => undefined }));
    const segment = member ? await member.nextSegment() : 1;
    const id = "snap-01" as SnapshotId;
    await snapshots.start(pendingSnapshot(id, ACCOUNT, {}), undefined);
    const holding = new Client({ connectionString: url });
    await holding.connect();
    t.after(() => holding.end());
    await holding.query("BEGIN; SELECT * FROM snapshots FOR UPDATE");
    const write = { snapshotId: id, blockIndex: 0, domain: ACCOUNT, expiresAtMs: 1 };
    const order: string[] = [];
    // Has stamped its record, and waits for the snapshot.
    const committed = blocks
      .commit([{ ...location(1, 100), segment }], [{ ...write, name: name(1) }])
      .then(() => order.push("committed"));
    await waitUntil(
      () => holding.query(WAITING_FOR_ME),
      ({ rows }) => rows.length > 0,
    );
    assert.deepEqual((await holding.query(WAITING_BEHIND)).rows, []);
    const begun = garbage.begin(0).then((run) => {
      order.push("begun");
      return run;
    });
    await waitUntil(
      () => holding.query(WAITING_BEHIND),
      ({ rows }) => rows.length > 0,
    );
    assert.deepEqual(order, []);
    await holding.query("ROLLBACK");
    await committed;
    const run = await begun;
    assert.deepEqual(order, ["committed", "begun"]);
    assert.equal(run.cutoffGeneration, run.generation - 1);
  });
}

test("nothing that is referred to is swept, whoever refers to it and whenever", {
  skip,
}, async (t) => {
  const seed = printSeed(t);
  const { catalogs } = await open(t, 3);
  const [first] = catalogs;
  let offset = 0;
  let isOver = false;
  const put = async ({ snapshots, blocks }: PostgresCatalog, worker: number) => {
    const fraction = seededFraction(seed + worker);
    const id = `snap-0${worker}` as SnapshotId;
    await snapshots.start(pendingSnapshot(id, ACCOUNT, {}), undefined);
    for (let round = 0; round < 25; round++) {
      const picks = Array.from({ length: 6 }, () => pick(fraction, 12));
      const locations = picks.slice(0, 3).map((n) => location(n, ++offset * 100));
      // Contents that were stored before, perhaps swept by now, perhaps just being stored anew.
      const writes = picks.map((n, i) => ({
        ...{ snapshotId: id, blockIndex: (picks[i] ?? 0) % 4, name: name(n) },
        ...{ domain: ACCOUNT, expiresAtMs: 1 },
      }));
      await blocks.commit(locations, writes);
    }
  };
  const collect = async ({ garbage, liveness }: PostgresCatalog) => {
    while (!isOver) {
      const run = await garbage.begin(0);
      const candidates = await garbage.candidates(ACCOUNT, undefined, 1_000);
      const { names } = await liveness.pendingNames(ACCOUNT, undefined, 1_000);
      const needed = new Set(names);
      const kept = candidates.filter((each) => needed.has(each.name));
      const gone = candidates.filter((each) => !needed.has(each.name));
      const doomed = gone.filter(({ doomedGeneration }) => doomedGeneration !== undefined);
      const fresh = gone.filter(({ doomedGeneration }) => doomedGeneration === undefined);
      const namesOf = (all: typeof gone) => all.map((each) => each.name);
      // Two collect at once, as after a lead was lost: the earlier run may change nothing.
      try {
        await garbage.keep(run, ACCOUNT, namesOf(kept));
        await garbage.doom(run, ACCOUNT, { names: namesOf(fresh), nowMs: 0 });
        await garbage.sweep(run, ACCOUNT, { names: namesOf(doomed), doomedByMs: 0 });
      } catch (error) {
        if (!(error instanceof FencedError)) throw error;
      }
    }
  };
  const collecting = Promise.all([collect(catalogs[1]), collect(catalogs[2])]);
  await Promise.all([0, 1, 2, 3].map((i) => put(catalogs[i % 3] ?? first, i))).finally(() => {
    isOver = true;
  });
  await collecting;
  assert.deepEqual((await first.scrubs.findFaults()).faults, []);
  for (let worker = 0; worker < 4; worker++) {
    const id = `snap-0${worker}` as SnapshotId;
    for (const write of await first.blocks.pendingWrites(id, 0, 100)) {
      assert.ok(await first.blocks.locate(ACCOUNT, write.name), `${id} ${write.blockIndex}`);
    }
  }
});

test("a snapshot waits for a sweep under way, and is not completed when it took its root", {
  skip,
}, async (t) => {
  const { url, catalogs } = await open(t, 1);
  const [{ snapshots, blocks }] = catalogs;
  const id = "snap-01" as SnapshotId;
  await snapshots.start(pendingSnapshot(id, ACCOUNT, { state: "sealing" }), undefined);
  await blocks.commit([location(1, 100), location(2, 200)], []);
  const sweeping = new Client({ connectionString: url });
  await sweeping.connect();
  t.after(() => sweeping.end());
  await sweeping.query("BEGIN; DELETE FROM locations WHERE at_byte = 100");
  const roots = { root: name(1) as string as Digest, rootNames: [name(1)] };
  const change = { state: "completed", ...roots, manifest: name(2) } as const;
  const completed = snapshots.changeState(id, "sealing", change);
  await waitUntil(
    () => sweeping.query(WAITING_FOR_ME),
    ({ rows }) => rows.length > 0,
  );
  await sweeping.query("COMMIT");
  await assert.rejects(completed, /Assertion failed: what a completed snapshot names is located/);
  assert.equal((await snapshots.get(id))?.state, "sealing");
});

test("at two processes at once there is one start of a client token and one change of state", {
  skip,
}, async (t) => {
  const { catalogs } = await open(t, 3);
  const fingerprint = digestFromBytes(seededBytes("request", 32));
  for (let round = 0; round < 10; round++) {
    const token = { clientToken: `token ${round}`, fingerprint };
    const ids = Array.from({ length: 6 }, (_, i) => `snap-${round}${i}` as SnapshotId);
    const starts = await Promise.all(
      ids.map((id, i) => {
        const snapshot = pendingSnapshot(id, ACCOUNT, {});
        return (catalogs[i % 3] as PostgresCatalog).snapshots.start(snapshot, token);
      }),
    );
    const started = ids.filter((_, i) => starts[i] === undefined);
    assert.equal(started.length, 1);
    for (const start of starts) {
      if (start) assert.equal(start.outcome === "replayed" && start.snapshot.id, started[0]);
    }
    const changes = await Promise.all(
      catalogs.map(({ snapshots }) =>
        snapshots.changeState(started[0] as SnapshotId, "pending", { state: "sealing" }),
      ),
    );
    assert.equal(changes.filter(Boolean).length, 1);
  }
});

test("a late journaler's entry never takes the place of a later one", { skip }, async (t) => {
  const { catalogs } = await open(t, 2);
  const [{ journal, settings, blocks }] = catalogs;
  await blocks.commit([location(1, 100), location(2, 200)], []);
  await settings.put(ACCOUNT, "x", "old");
  const key = `account-setting/${ACCOUNT}/x`;
  const changeOf = async () => {
    const change = (await journal.changes(100)).find(({ entry }) => entry.key === key);
    assert.ok(change);
    return change;
  };
  const late = await changeOf();
  await settings.put(ACCOUNT, "x", "new");
  const latest = await changeOf();
  assert.ok(latest.entry.sequence > late.entry.sequence);
  assert.equal(await journal.settle(latest, { domain: ACCOUNT, name: name(2) }), true);
  assert.equal(await journal.settle(late, { domain: ACCOUNT, name: name(1) }), true);
  // The later one is what a rebuild finds; the other may be collected.
  const names = await catalogs[0].liveness.manifests(ACCOUNT);
  assert.deepEqual(names, [name(2)]);
  await settings.put(ACCOUNT, "x", "newer");
  await journal.settle(latest, { domain: ACCOUNT, name: name(2) });
  assert.ok(await changeOf(), "a change that was not read is not settled");
});

test("a lock that somebody holds for too long ends in an error that says so", {
  skip,
}, async (t) => {
  const { url, catalogs } = await open(t, 1);
  const holding = new Client({ connectionString: url });
  await holding.connect();
  t.after(() => holding.end());
  await holding.query("BEGIN; SELECT * FROM collection FOR UPDATE");
  const stuck = catalogs[0].blocks.commit([location(1, 100)], []);
  await assert.rejects(stuck, (error) => {
    assert.ok(error instanceof UnavailableError);
    assert.match(error.message, /lock timeout/);
    return true;
  });
  await holding.query("ROLLBACK");
  await catalogs[0].blocks.commit([location(1, 100)], []);
});

type Catalogs = [PostgresCatalog, ...PostgresCatalog[]];

async function open(
  t: TestContext,
  count: 1 | 2 | 3,
): Promise<{ url: string; catalogs: Catalogs & Record<1 | 2, PostgresCatalog> }> {
  const url = await postgresDatabase(t);
  const catalogs: PostgresCatalog[] = [];
  for (let i = 0; i < count; i++) {
    const catalog = await openPostgresCatalog({ connectionString: url });
    t.after(() => catalog.close());
    catalogs.push(catalog);
  }
  await catalogs[0]?.identity.addAccount(ACCOUNT);
  return { url, catalogs: catalogs as Catalogs & Record<1 | 2, PostgresCatalog> };
}

function name(n: number): RecordName {
  return digestFromBytes(seededBytes(`record ${n}`, 32)) as string as RecordName;
}

function location(n: number, offset: number): NewLocation {
  return { domain: ACCOUNT, name: name(n), segment: 1, offset, length: 100, replaces: false };
}
