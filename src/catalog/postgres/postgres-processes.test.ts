import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { POSTGRES_MISSING, postgresDatabase, query } from "../../../test/support/postgres.ts";
import { seededBytes } from "../../../test/support/property.ts";
import { systemClock } from "../../base/clock.ts";
import { UnavailableError } from "../../base/unavailable.ts";
import { digestFromBytes, type RecordName } from "../../model/digest.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { NewLocation, PendingWrite } from "../catalog.ts";
import type { Membership } from "../membership.ts";
import type { Leases } from "../processes.ts";
import { openPostgresCatalog, type PostgresCatalog } from "./postgres-catalog.ts";

const skip = POSTGRES_MISSING;
const ACCOUNT = "111122223333" as AccountId;
const SNAPSHOT = "snap-01" as SnapshotId;
/** Short enough for a test, and long enough for a machine that does much besides. */
const LEASES: Leases = { beatMs: 200, aliveMs: 3_000, leadMs: 2_000 };
/** So slow that it is presumed dead between two beats. */
const DEAD: Leases = { beatMs: 600_000, aliveMs: 50, leadMs: 50 };

test("a segment's number is given once, and committed once by whom it was given to", {
  skip,
}, async (t) => {
  const one = await join(t);
  const other = await join(t, LEASES, one.url);
  const numbers = new Set<number>();
  for (const { member } of [one, other, one, other]) {
    for (let i = 0; i < 20; i++) numbers.add(await member.nextSegment());
  }
  assert.equal(numbers.size, 80);
  const segment = await one.member.nextSegment();
  await assert.rejects(other.catalog.blocks.commit([location(1, segment)], []), UnavailableError);
  await one.catalog.blocks.commit([location(1, segment)], []);
  await assert.rejects(one.catalog.blocks.commit([location(2, segment)], []), UnavailableError);
  assert.equal(await one.catalog.blocks.locate(ACCOUNT, name(2)), undefined);
});

test("a segment may be removed when nothing lies in it nor ever will", { skip }, async (t) => {
  const { catalog, member } = await join(t);
  const [segment, unused] = [await member.nextSegment(), await member.nextSegment()];
  assert.equal(await catalog.segments.isRemovable(segment), false, "it is reserved");
  await catalog.blocks.commit([location(1, segment)], []);
  assert.equal(await catalog.segments.isRemovable(segment), false, "a record is located there");
  await member.stop();
  assert.equal(await catalog.segments.isRemovable(unused), true, "who reserved it has left");
  assert.equal(await catalog.segments.isRemovable(segment), false);
});

test("what a process had begun before it was presumed dead is refused", { skip }, async (t) => {
  const dead = await join(t, DEAD);
  const { catalog } = dead;
  await catalog.snapshots.start(pendingSnapshot(SNAPSHOT, ACCOUNT, {}), undefined);
  const term = catalog.blocks.term();
  const segment = await dead.member.nextSegment();
  await sleep(100);
  const alive = await join(t, LEASES, dead.url);
  await until(async () => !(await isKnown(dead.url, dead.member.number)));
  assert.equal(await alive.catalog.segments.isRemovable(segment), true);
  await assert.rejects(catalog.blocks.commit([location(1, segment)], [write(1)]), UnavailableError);
  await assert.rejects(catalog.blocks.commit([], [write(1)]), UnavailableError);
  // Under a new number it goes on, but not with what arrived before.
  const again = await openPostgresCatalog({ connectionString: dead.url });
  t.after(() => again.close());
  const errors: unknown[] = [];
  const member = await again.join({ ...parts(LEASES), onError: (error) => errors.push(error) });
  const later = await member.nextSegment();
  const writes = [{ ...write(1), term }, write(1)];
  assert.deepEqual(await again.blocks.commit([location(1, later)], writes), ["late", undefined]);
});

test("a write that waits while its process is presumed dead comes too late for the next one", {
  skip,
}, async (t) => {
  const { url, catalog, member } = await join(t);
  const { blocks } = catalog;
  await catalog.snapshots.start(pendingSnapshot(SNAPSHOT, ACCOUNT, {}), undefined);
  await blocks.commit([location(1, await member.nextSegment())], []);
  const before = blocks.term();
  const holding = new Client({ connectionString: url });
  await holding.connect();
  t.after(() => holding.end());
  await holding.query("BEGIN; LOCK TABLE locations");
  // The look-up goes with the transaction, as its first statement, and waits for the table.
  const committing = blocks.commit([], [{ ...write(1), term: before }, write(1)]);
  const locating = blocks.locate(ACCOUNT, name(1));
  await query(url, `DELETE FROM processes WHERE number = ${before}`);
  await until(async () => blocks.term() !== before);
  await holding.query("ROLLBACK");
  assert.deepEqual(await committing, ["late", "late"]);
  assert.ok(await locating);
  assert.deepEqual(await blocks.pendingWrites(SNAPSHOT, 0, 10), []);
  assert.deepEqual(await blocks.commit([], [write(1)]), [undefined]);
});

test("a process that was presumed dead notices, says so and goes on as another", {
  skip,
}, async (t) => {
  const url = await postgresDatabase(t);
  const catalog = await openPostgresCatalog({ connectionString: url });
  t.after(() => catalog.close());
  const errors: unknown[] = [];
  const member = await catalog.join({ ...parts(LEASES), onError: (error) => errors.push(error) });
  const before = member.number;
  const reserved = await member.nextSegment();
  await query(url, `DELETE FROM processes WHERE number = ${before}`);
  await until(async () => member.number !== before);
  assert.match(String(errors[0]), /was presumed dead: what it had under way was refused/);
  assert.ok((await member.nextSegment()) > reserved, "what it had kept is reserved no more");
  assert.equal(catalog.blocks.term(), member.number);
});

test("one process leads, and another within seconds when it stops or dies", {
  skip,
}, async (t) => {
  const first = await join(t);
  const members = [first, await join(t, LEASES, first.url), await join(t, LEASES, first.url)].map(
    ({ member }) => member,
  );
  const leading = () => members.filter((member) => member.isLeader());
  await until(async () => leading().length === 1);
  const [leader] = leading() as [Membership];
  const { epoch } = leader;
  await leader.stop();
  members.splice(members.indexOf(leader), 1);
  await until(async () => leading().length === 1);
  const [second] = leading() as [Membership];
  assert.equal(second.epoch, epoch + 1);
  // One that dies tells nobody.
  await query(first.url, "UPDATE leadership SET process = 999, leads_until = now() + '1 s'");
  await until(async () => leading().length === 1 && (leading()[0]?.epoch ?? 0) > epoch + 1);
  for (let i = 0; i < 20; i++) {
    assert.ok(leading().length <= 1);
    await sleep(20);
  }
});

test("a leader that hears nothing of the database leads no longer than its lease", {
  skip,
}, async (t) => {
  const { member } = await join(t, DEAD);
  await sleep(100);
  assert.equal(member.isLeader(), false);
});

test("all processes have the database's time, whatever their own clocks say", {
  skip,
}, async (t) => {
  const url = await postgresDatabase(t);
  const members: Membership[] = [];
  for (const skewMs of [0, -400_000, 900_000]) {
    const clock = { ...systemClock, nowMs: () => Date.now() + skewMs };
    const catalog = await openPostgresCatalog({ connectionString: url });
    t.after(() => catalog.close());
    members.push(await catalog.join({ ...parts(LEASES), clock }));
  }
  const [row] = await query(url, "SELECT extract(epoch FROM clock_timestamp())::float8 AS s");
  const nowMs = Number(row?.["s"]) * 1_000;
  for (const { clock } of members) assert.ok(Math.abs(clock.nowMs() - nowMs) < 2_000);
});

test("two processes never seal one snapshot: only who began last may", { skip }, async (t) => {
  const one = await join(t);
  const other = await join(t, LEASES, one.url);
  const snapshot = pendingSnapshot(SNAPSHOT, ACCOUNT, { state: "sealing" });
  await one.catalog.snapshots.start(snapshot, undefined);
  const first = await one.catalog.liveness.beginSealing(SNAPSHOT);
  assert.deepEqual(await one.catalog.liveness.sealings(false), [SNAPSHOT]);
  assert.deepEqual(await other.catalog.liveness.sealings(true), [], "its process lives");
  await one.member.stop();
  assert.deepEqual(await other.catalog.liveness.sealings(false), []);
  assert.deepEqual(await other.catalog.liveness.sealings(true), [SNAPSHOT]);
  const second = await other.catalog.liveness.beginSealing(SNAPSHOT);
  const segment = await other.member.nextSegment();
  await other.catalog.blocks.commit([location(1, segment)], []);
  const change = { state: "completed", manifest: name(1) } as const;
  const late = { ...change, attempt: first };
  assert.equal(await one.catalog.snapshots.changeState(SNAPSHOT, "sealing", late), false);
  const latest = { ...change, attempt: second };
  assert.equal(await other.catalog.snapshots.changeState(SNAPSHOT, "sealing", latest), true);
});

test("a collection whose taking was not heard of is taken once more by the same process", {
  skip,
}, async (t) => {
  const one = await join(t);
  const other = await join(t, LEASES, one.url);
  const { requests } = one.catalog;
  const id = await requests.add({ request: "{}", status: "{}" });
  const idsOf = async ({ catalog }: Joined, known: readonly string[]) =>
    (await catalog.requests.take(known)).map((each) => each.id);
  assert.deepEqual(await idsOf(one, []), [id]);
  assert.deepEqual(await idsOf(one, [id]), [], "it is under way here");
  assert.deepEqual(await idsOf(other, []), [], "its process lives");
  assert.deepEqual(await idsOf(one, []), [id]);
  await one.member.stop();
  assert.deepEqual(await idsOf(other, [id]), [], "it knows of it already");
  assert.deepEqual(await idsOf(other, []), [id]);
  await requests.put(id, { status: "{}", isDone: true });
  assert.deepEqual(await idsOf(other, []), []);
});

interface Joined {
  readonly url: string;
  readonly catalog: PostgresCatalog;
  readonly member: Membership;
}

async function join(t: TestContext, leases = LEASES, known?: string): Promise<Joined> {
  const url = known ?? (await postgresDatabase(t));
  const catalog = await openPostgresCatalog({ connectionString: url });
  t.after(() => catalog.close());
  await catalog.identity.addAccount(ACCOUNT);
  const member = await catalog.join(parts(leases));
  return { url, catalog, member };
}

function parts(leases: Leases) {
  return { clock: systemClock, name: "test", onError: () => undefined, leases };
}

async function isKnown(url: string, process: number): Promise<boolean> {
  return (await query(url, `SELECT 1 FROM processes WHERE number = ${process}`)).length > 0;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, "it came about in time");
    await sleep(20);
  }
}

function name(n: number): RecordName {
  return digestFromBytes(seededBytes(`record ${n}`, 32)) as string as RecordName;
}

function location(n: number, segment: number): NewLocation {
  return { domain: ACCOUNT, name: name(n), segment, offset: 16, length: 10, replaces: false };
}

function write(n: number): PendingWrite {
  const common = { domain: ACCOUNT, expiresAtMs: 6_000 };
  return { snapshotId: SNAPSHOT, blockIndex: n, name: name(n), ...common };
}
