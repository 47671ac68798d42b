import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StoredRecord } from "../../src/catalog/integrity.ts";
import type { Digest } from "../../src/model/digest.ts";
import { CorruptionError } from "../../src/model/errors.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import type { Service } from "../../src/service.ts";
import { findCatalogFaults } from "../../src/snapshots/chores/check-catalog.ts";
import { getSnapshotBlock } from "../../src/snapshots/get-snapshot-block.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { verifySnapshot } from "../../src/snapshots/verify-snapshot.ts";
import { blockContents, seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  damageCatalog,
  damageSegment,
  isTouched,
  makeStore,
  openStore,
  type RotStore,
  recordsOf,
} from "./_rot.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * Single faults, one at a time, each undone before the next. In a segment, a fault is detected when
 * the scrub flags every record that it changed, and a false alarm is a record flagged that it did
 * not. In the catalog, a fault is detected when opening, scrubbing or verifying says so, and
 * harmless when the catalog says all that it said before. Bytes served are compared in both.
 */

scorecard({
  number: 6,
  name: "bit rot",
  goal:
    "10,000 single faults: detected 100 %, served wrong 0, false alarms 0, " +
    "blast radius ≤ 1 record",
  peer: "TigerBeetle survives damage on every replica (Jepsen); PBS: CRC-32 only where encrypted",
  async run(run) {
    const store = await makeStore(await temporaryDirectory(run));
    const segments = await rotSegments(run, store);
    const catalog = await rotCatalog(run, store);
    return `${segments}; ${catalog}`;
  },
});

async function rotSegments(run: ScorecardRun, store: RotStore): Promise<string> {
  const fraction = seededFraction(run.seed);
  const count = run.count(9_000, 200);
  const service = await openStore(store.dataDirectory);
  try {
    const records = await recordsOf(service);
    let [harmless, mostFlagged] = [0, 0];
    const plains = await readPlains(service, records);
    for (let i = 0; i < count; i++) {
      const fault = await damageSegment(store, records, fraction);
      const changed = records.filter((record) => isTouched(fault, record));
      // Of compressed bytes, some bits mean nothing: what they are in holds the same as before.
      const isSame = await Promise.all(changed.map((each) => holdsSame(service, each, plains)));
      const touched = changed.filter((_, at) => !isSame[at]);
      if (touched.length === 0) harmless += 1;
      // Now and then all that is untouched is looked at, and else some of it.
      const isThorough = i % 20 === 0;
      const looked = (record: StoredRecord) =>
        isThorough || touched.includes(record) || fraction() < 0.1;
      const flagged = await flaggedBy(service, records.filter(looked));
      const what = `fault ${i}, ${fault.kind}`;
      assert.deepEqual(flagged.map(placeOf), touched.map(placeOf), `${what}: flagged and touched`);
      if (isThorough) await checkServed(service, store, what);
      await checkRead(service, touched, what);
      if (fault.kind === "bit flip") mostFlagged = Math.max(mostFlagged, flagged.length);
      await fault.undo();
    }
    assert.deepEqual(await flaggedBy(service, records), [], "all is whole again in the end");
    const told = count - harmless;
    return (
      `${count} faults in segments: detected ${told} of ${told} (${harmless} changed ` +
      `nothing that a record holds), served wrong 0, false alarms 0, a flipped bit costs ` +
      `${mostFlagged} record`
    );
  } finally {
    await service.close();
  }
}

async function flaggedBy(
  { core }: Service,
  records: readonly StoredRecord[],
): Promise<StoredRecord[]> {
  const flagged: StoredRecord[] = [];
  for (const record of records) {
    if ((await core.blocks.records.verify(record)) === "damaged") flagged.push(record);
  }
  return flagged;
}

/** What records hold, by name. */
type Plains = ReadonlyMap<string, Uint8Array>;

async function readPlains({ core }: Service, records: readonly StoredRecord[]): Promise<Plains> {
  const plains = new Map<string, Uint8Array>();
  for (const { domain, name } of records) {
    plains.set(name, Buffer.from(await core.blocks.records.getManifest(domain, name)));
  }
  return plains;
}

/** True when a record whose bytes were changed is read as before; wrong bytes fail the test. */
async function holdsSame({ core }: Service, record: StoredRecord, plains: Plains) {
  const plain = await core.blocks.records
    .getManifest(record.domain, record.name)
    .catch(() => undefined);
  if (!plain) return false;
  const isRight = Buffer.compare(plain, plains.get(record.name) as Uint8Array) === 0;
  assert.ok(isRight, `${record.name} was served wrong`);
  return true;
}

/** A record that was changed is refused, whoever asks for it. */
async function checkRead({ core }: Service, touched: readonly StoredRecord[], what: string) {
  for (const { domain, name } of touched) {
    const read = core.blocks.getBlock(domain, name as string as Digest);
    await assert.rejects(read, CorruptionError, `${what}: ${name} was served`);
  }
}

function placeOf({ segment, offset }: StoredRecord): string {
  return `${segment}.${offset}`;
}

/** Reads every block of the youngest snapshot, which has all there are; none may be wrong. */
async function checkServed({ core }: Service, store: RotStore, what: string): Promise<number> {
  let refused = 0;
  for (const { id, blocks } of store.snapshots.slice(-1)) {
    const snapshot = await core.catalog.snapshots.get(id as SnapshotId);
    if (snapshot?.state !== "completed") return 1;
    try {
      const { account } = snapshot;
      const paging = { nextToken: undefined, maxResults: undefined, startingBlockIndex: undefined };
      const page = await listSnapshotBlocks(core, account, { snapshotId: id, ...paging });
      for (const { blockIndex, blockToken } of page.blocks) {
        const input = { snapshotId: id, blockIndex, blockToken };
        const block = await getSnapshotBlock(core, account, input).catch(() => undefined);
        if (!block) refused += 1;
        else {
          const isRight = Buffer.compare(block.bytes, contentsOf(blocks.get(blockIndex))) === 0;
          assert.ok(isRight, `${what}: block ${blockIndex} of ${id} was served wrong`);
        }
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      refused += 1;
    }
  }
  return refused;
}

const contents = new Map<number, Uint8Array>();

function contentsOf(number = -1): Uint8Array {
  const known = contents.get(number) ?? blockContents(Math.max(0, number));
  contents.set(number, known);
  return known;
}

async function rotCatalog(run: ScorecardRun, store: RotStore): Promise<string> {
  const fraction = seededFraction(run.seed + 1);
  const count = run.count(1_000, 15);
  const before = dumpOf(store);
  assert.ok(before);
  const missed = new Map<string, number>();
  let [detected, harmless] = [0, 0];
  for (let i = 0; i < count; i++) {
    const fault = await damageCatalog(store, fraction);
    const after = dumpOf(store);
    const isSame =
      after !== undefined && [...before].every(([name, text]) => after.get(name) === text);
    const isDetected = await isCatalogFaultFound(store, `catalog fault ${i}, ${fault.kind}`);
    if (isDetected) detected += 1;
    else if (isSame) harmless += 1;
    else {
      // What we read but cannot read from outside is a matter of the file's own header.
      const isOther = ([name, text]: [string, string]) => after?.get(name) !== text;
      const tables = after ? [...before].filter(isOther) : [["the file's header"] as const];
      for (const [name] of tables) missed.set(name, (missed.get(name) ?? 0) + 1);
    }
    await fault.undo();
  }
  const undetected = count - detected - harmless;
  const tables = [...missed].sort(([, a], [, b]) => b - a).map(([name, n]) => `${name} ${n}`);
  for (const line of tables) run.say(`not detected in ${line}`);
  const where = undetected > 0 ? ` (in columns without a checksum: ${tables.join(", ")})` : "";
  const share = ((100 * detected) / Math.max(1, detected + undetected)).toFixed(1);
  return (
    `${count} in the catalog's file: detected ${share} % of ${detected + undetected} that change ` +
    `what it says, not detected ${undetected}${where}, served wrong 0`
  );
}

/** True when opening, scrubbing or verifying tells of it. Whatever is served must be right. */
async function isCatalogFaultFound(store: RotStore, what: string): Promise<boolean> {
  const service = await openStore(store.dataDirectory).catch(() => undefined);
  if (!service) return true;
  try {
    const refused = await checkServed(service, store, what);
    if (refused > 0) return true;
    const { core } = service;
    if ((await findCatalogFaults(core)).length > 0) return true;
    const step = await core.scrubber.step(undefined, undefined);
    if (step.damaged.length > 0) return true;
    for (const { id } of store.snapshots) {
      const snapshot = await core.catalog.snapshots.get(id as SnapshotId);
      if (!snapshot) return true;
      const input = { snapshotId: id, fromIndex: undefined };
      if (!(await verifySnapshot(core, snapshot.account, input)).isWhole) return true;
    }
    return false;
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return true;
  } finally {
    await service.close().catch(() => undefined);
  }
}

/** What each table says, as text; undefined where that cannot be read. */
function dumpOf({ dataDirectory }: RotStore): Map<string, string> | undefined {
  try {
    const database = new DatabaseSync(join(dataDirectory, "catalog.sqlite"), { readOnly: true });
    try {
      const sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
      const names = database
        .prepare(sql)
        .all()
        .map((row) => String(row["name"]));
      return new Map(
        names.map((name) => {
          const rows = database.prepare(`SELECT * FROM "${name}"`).all();
          const texts = rows.map((row) => JSON.stringify(row, hexOf));
          return [name, texts.join("\n")] as const;
        }),
      );
    } finally {
      database.close();
    }
  } catch {
    return undefined;
  }
}

function hexOf(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}
