import type { Clock } from "../../base/clock.ts";
import { forEachConcurrent } from "../../base/concurrency.ts";
import type { BlockStore } from "../../blocks/block-store.ts";
import { RECORD_KIND } from "../../blocks/record.ts";
import type { Scanned } from "../../blocks/scan-segment.ts";
import type { Catalog, PendingWrite } from "../../catalog/catalog.ts";
import type { StoredRecord } from "../../catalog/integrity.ts";
import type { JournalEntry } from "../../catalog/journal.ts";
import { CorruptionError, DamagedWriteError, KeyDestroyedError } from "../../model/errors.ts";
import type { Domain, SnapshotId } from "../../model/ids.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { BlockMaps } from "../../tree/block-map.ts";
import { findGap } from "./find-gap.ts";
import { forgetGone, forgetImages } from "./forget-gone.ts";

/** One of the two stores of a migration. */
export interface MigrationSide {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
}

/** What a migration works with. */
export interface MigrationParts {
  /** Nothing of it is changed. */
  readonly source: MigrationSide;
  /** Empty, or left so by an earlier migration from the same source. */
  readonly target: MigrationSide;
  readonly clock: Clock;
  readonly onProgress?: ((progress: MigrationProgress) => void) | undefined;
}

/** How far a migration has come. */
export interface MigrationProgress {
  /** Records brought over by this run, and how many bytes they have. */
  readonly recordCount: number;
  readonly recordBytes: number;
  /** Records that were there already. */
  readonly knownCount: number;
}

/** How a migration ended. */
export interface Migrated extends MigrationProgress {
  /**
   * `done`: all that the source knows is at the target. `changed`: the source was changed
   * meanwhile, so another run has to follow.
   */
  readonly outcome: "done" | "changed";
  /** Completed snapshots at the target, all of whose blocks were found there but for the next. */
  readonly snapshotCount: number;
  readonly incomplete: readonly { readonly snapshotId: SnapshotId; readonly reason: string }[];
  /** Snapshots under way, brought over with what has been written to them. */
  readonly pendingCount: number;
  /** Snapshots under way that cannot be taken along: they have to be started again. */
  readonly leftBehind: readonly SnapshotId[];
  /** Records that are damaged at the source, or were when they were read back: what is wrong. */
  readonly damaged: readonly string[];
}

/** Records on their way at once: each takes up to a block's size of memory. */
const RECORDS_AT_ONCE = 32;
/** Pending writes brought over in one transaction. */
const WRITES_AT_ONCE = 1_000;

/**
 * Brings all that one store knows into another. A record is opened and hashed before it is written
 * to the target, read from there again and hashed once more; the order is that of every write:
 * records, then what refers to them. So it may end anywhere, and a later run goes on: what is at
 * the target already is not written again, and read once more where that run did not come to it.
 */
export async function migrateStore(parts: MigrationParts): Promise<Migrated> {
  const { source, target } = parts;
  const before = await source.catalog.journal.all();
  await checkTarget(target.catalog, before);
  // Keys first: without them nothing could be read back.
  await target.catalog.journal.restore(entriesOf(before, /^(?:account|encryption-key)\//));
  const moved = await moveRecords(parts);
  await restoreAll(source.catalog, target.catalog, before);
  const { pendingCount, leftBehind } = await movePending(source.catalog, target.catalog);
  // One after the other, for a large store's things fill much memory.
  const isSame = async ({ journal }: Catalog) => areSame(before, await journal.all());
  const areBoth = (await isSame(source.catalog)) && (await isSame(target.catalog));
  const outcome = areBoth ? "done" : "changed";
  const snapshots = await target.catalog.snapshots.inState("completed");
  const incomplete = [];
  for (const snapshot of snapshots) {
    const reason = await findGap(target, snapshot);
    if (reason !== undefined) incomplete.push({ snapshotId: snapshot.id, reason });
  }
  const snapshotCount = snapshots.length;
  return { ...moved, outcome, snapshotCount, incomplete, pendingCount, leftBehind };
}

/** Has the target know what the source does, and no more. */
async function restoreAll(
  source: Catalog,
  target: Catalog,
  known: ReadonlyMap<string, string>,
): Promise<void> {
  const gone = [...(await target.journal.all()).keys()].filter((key) => !known.has(key));
  // First: what has come since may have the name of one that is gone.
  await forgetImages(target, gone);
  await target.journal.restore(entriesOf(known, /^/));
  await forgetGone(source, target, gone);
}

/** Throws where the target is another store's: the two would be mixed. */
async function checkTarget(target: Catalog, source: ReadonlyMap<string, string>): Promise<void> {
  const stranger = (await target.identity.accounts()).find((id) => !source.has(`account/${id}`));
  if (stranger === undefined) return;
  throw new Error(
    `The target holds account ${stranger}, which the source does not know: migrate into an empty ` +
      "store, or go on with a migration from the same source.",
  );
}

function entriesOf(things: ReadonlyMap<string, string>, keys: RegExp): JournalEntry[] {
  return [...things]
    .filter(([key]) => keys.test(key))
    .map(([key, value]) => ({ key, sequence: 0, value }));
}

async function moveRecords({ source, target, clock, onProgress }: MigrationParts) {
  const damaged: string[] = [];
  const progress = { recordCount: 0, recordBytes: 0, knownCount: 0 };
  await target.blocks.recallDamaged({ nowMs: () => clock.nowMs(), onDamaged: () => undefined });
  const unread = await unreadSegments(target.catalog);
  await forEachConcurrent(recordsOf(source), RECORDS_AT_ONCE, async ({ placement, header }) => {
    const { domain, name } = header;
    if (!(await source.catalog.segments.isLocated(domain, name, placement))) return;
    if (await isWhole(target, { domain, name }, unread)) {
      progress.knownCount += 1;
      return;
    }
    try {
      const { record } = await source.blocks.records.openAt(placement);
      await target.blocks.addRecord(header, record);
      progress.recordCount += 1;
      progress.recordBytes += record.length;
      onProgress?.({ ...progress });
    } catch (error) {
      // Nobody can ever read these again, whether they are brought over or not.
      if (error instanceof KeyDestroyedError) return;
      if (!(error instanceof CorruptionError)) throw error;
      damaged.push(error.message);
    }
  });
  await noteRead(target.catalog, clock.nowMs());
  return { ...progress, damaged };
}

/** When a segment was read that no run has come to the end with. */
const NEVER_MS = 0;

/** Segments of the target of which an interrupted run may not have read back every record. */
async function unreadSegments({ scrubs }: Catalog): Promise<ReadonlySet<number>> {
  const all = await scrubs.scrubs(NEVER_MS);
  const unread = all.filter(({ verifiedAtMs }) => verifiedAtMs === NEVER_MS);
  return new Set(unread.map(({ segment }) => segment));
}

/** Notes that every record of the target has been read back, in this run or an earlier one. */
async function noteRead({ scrubs }: Catalog, nowMs: number): Promise<void> {
  for (const scrub of await scrubs.scrubs(nowMs)) {
    if (scrub.verifiedAtMs !== NEVER_MS) continue;
    await scrubs.noteScrub({ ...scrub, verifiedAtMs: nowMs });
  }
}

/** True for a record that the target has, and that was whole when it was read back there. */
async function isWhole(
  { catalog, blocks }: MigrationSide,
  { domain, name }: Pick<StoredRecord, "domain" | "name">,
  unread: ReadonlySet<number>,
): Promise<boolean> {
  const location = await catalog.blocks.locate(domain, name);
  if (!location) return false;
  const isTrusted = !unread.has(location.segment);
  if (isTrusted && !(await blocks.records.isDamaged({ domain, name }))) return true;
  return (await blocks.records.verify({ domain, name, ...location })) === "whole";
}

type Found = Scanned & { readonly header: object };

/**
 * The source's records, those included that it finds elsewhere by now. Those of its journal stay
 * where they are: the target writes its own, of the same things.
 */
async function* recordsOf({ blocks }: MigrationSide): AsyncGenerator<Found> {
  for await (const { placement, header } of blocks.records.scan()) {
    if (header && header.kind !== RECORD_KIND.entry) yield { placement, header };
  }
}

async function movePending(source: Catalog, target: Catalog) {
  const leftBehind = (await source.snapshots.inState("copying")).map(({ id }) => id);
  let pendingCount = 0;
  for (const state of ["pending", "sealing", "error"] as const) {
    for (const snapshot of await source.snapshots.inState(state)) {
      if (!(await begin(target, snapshot))) {
        leftBehind.push(snapshot.id);
        continue;
      }
      if (state === "error") continue;
      const isWhole = await moveWrites(source, target, snapshot);
      if (isWhole && state === "sealing") await ask(target, snapshot);
      if (isWhole) pendingCount += 1;
      else leftBehind.push(snapshot.id);
    }
  }
  return { pendingCount, leftBehind };
}

/** Starts the snapshot at the target, under its own id; false where that is refused. */
async function begin(target: Catalog, snapshot: Snapshot): Promise<boolean> {
  if (await target.snapshots.get(snapshot.id)) return true;
  const state = snapshot.state === "sealing" ? "pending" : snapshot.state;
  const begun = { ...snapshot, state, completion: undefined };
  return (await target.snapshots.start(begun, undefined)) === undefined;
}

/** False when a block, or where it was written, was damaged at the source. */
async function moveWrites(source: Catalog, target: Catalog, snapshot: Snapshot): Promise<boolean> {
  try {
    return await moveWholeWrites(source, target, snapshot);
  } catch (error) {
    if (error instanceof DamagedWriteError) return false;
    throw error;
  }
}

async function moveWholeWrites(
  source: Catalog,
  target: Catalog,
  snapshot: Snapshot,
): Promise<boolean> {
  const { id: snapshotId, domain, expiresAtMs } = snapshot;
  for (let from = 0; ; ) {
    const page = await source.blocks.pendingWrites(snapshotId, from, WRITES_AT_ONCE);
    const writes = page.map((write): PendingWrite => {
      return { ...write, snapshotId, domain, expiresAtMs };
    });
    const refusals = await target.blocks.commit([], writes);
    if (refusals.includes("not-stored")) return false;
    const last = page.at(-1);
    if (page.length < WRITES_AT_ONCE || last === undefined) return true;
    from = last.blockIndex + 1;
  }
}

/** Has the target carry out the completion that was asked of the source. */
async function ask(target: Catalog, { id, completion }: Snapshot): Promise<void> {
  await target.snapshots.changeState(id, "pending", { state: "sealing", completion });
}

/** The same things, in whatever order each catalog names their members. */
function areSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([key, value]) => {
    const other = b.get(key);
    return other !== undefined && (other === value || inOrder(other) === inOrder(value));
  });
}

function inOrder(json: string): string {
  return JSON.stringify(JSON.parse(json), (_, value: unknown) => {
    const isPlain = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isPlain) return value;
    return Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)));
  });
}
