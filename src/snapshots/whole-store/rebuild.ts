import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { forEachConcurrent, mapAhead } from "../../base/concurrency.ts";
import type { BlockStore } from "../../blocks/block-store.ts";
import { keyOf } from "../../blocks/damaged-records.ts";
import { decodeEntry, OPEN_DOMAIN } from "../../blocks/journaler.ts";
import { RECORD_KIND } from "../../blocks/record.ts";
import type { OpenedRecord } from "../../blocks/record-reader.ts";
import type { Catalog, Location, NewLocation } from "../../catalog/catalog.ts";
import type { Place, StoredRecord } from "../../catalog/integrity.ts";
import type { JournalEntry } from "../../catalog/journal.ts";
import { type JournaledColumns, type JournaledRow, kindOf } from "../../catalog/journal-rows.ts";
import { KeyDestroyedError } from "../../model/errors.ts";
import type { AccountId, Domain, SnapshotId } from "../../model/ids.ts";
import type { BlockMaps } from "../../tree/block-map.ts";
import { decodeManifest } from "../manifest.ts";
import { findGap, reasonOf } from "./find-gap.ts";

/** What a rebuild works with. */
export interface RebuildParts {
  /** An empty catalog, which becomes the store's. */
  readonly catalog: Catalog;
  /** On that catalog and the store's segments, with secrets from that catalog's encryption keys. */
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
  readonly clock: Clock;
}

/** What was found in the segments. */
export interface Rebuilt {
  readonly segmentCount: number;
  readonly recordCount: number;
  /** Bytes in which no record could be made out: torn tails, or damage. */
  readonly unknownBytes: number;
  /** Records that are not what their names say: torn, or damaged. */
  readonly damagedCount: number;
  /** Completed snapshots brought back. */
  readonly snapshotCount: number;
  /** Of these, those of which something is missing, with what was found out. */
  readonly incomplete: readonly { readonly snapshotId: SnapshotId; readonly reason: string }[];
  /**
   * Manifests and journal entries that could not be read, and where the disk cannot read how a
   * record begins.
   */
  readonly unreadable: readonly string[];
}

/** Records whose locations are added in one transaction. */
const LOCATIONS_AT_ONCE = 1_000;
/** Records read at once (ours: in a bucket each is a request). */
const RECORDS_AHEAD = 16;

/**
 * Fills an empty catalog from segments alone: where every record lies; then accounts, keys,
 * settings, images, and snapshots with their tags, from the journal; then snapshots of which there
 * is a manifest only. What the journal says is gone stays gone. Snapshots under way are lost: they
 * have not been completed. Nothing is written but to the catalog.
 *
 * Every record is read and hashed: what a power cut tore may look whole by its header, and would
 * be taken for stored when it is put again.
 */
export async function rebuildCatalog(parts: RebuildParts): Promise<Rebuilt> {
  const { catalog, clock } = parts;
  const found = new Found();
  let damagedCount = 0;
  const onDamaged = () => {
    damagedCount += 1;
  };
  await parts.blocks.recallDamaged({ nowMs: () => clock.nowMs(), onDamaged });
  await locateRecords(parts, found);
  const unreadable: string[] = [...found.unread];
  // Keys lie in the open, and open all else.
  const isOpen = ({ domain }: Named) => domain === OPEN_DOMAIN;
  await verifyRecords(parts, found, isOpen);
  const keys = await readJournal(parts, [...found.entries.values()].filter(isOpen), unreadable);
  await restoreKeys(parts, [...keys.values()]);
  await verifyRecords(parts, found, (record) => !isOpen(record));
  const entries = [...found.entries.values()].filter((entry) => !isOpen(entry));
  const journal = new Map([...keys, ...(await readJournal(parts, entries, unreadable))]);
  const isImage = ({ key }: JournalEntry) => kindOf(key) === "image";
  const things = [...journal.values()];
  await addOwners(catalog, things);
  await catalog.journal.restore(things.filter((entry) => !isImage(entry)));
  await restoreManifests(parts, { manifests: [...found.manifests.values()], journal, unreadable });
  // Images hold their snapshots, of which some are known from their manifests only.
  await catalog.journal.restore(withoutNamesakes(things.filter(isImage), unreadable));
  const snapshots = await catalog.snapshots.inState("completed");
  const incomplete = [];
  for (const snapshot of snapshots) {
    const reason = await findGap(parts, snapshot);
    if (reason !== undefined) incomplete.push({ snapshotId: snapshot.id, reason });
  }
  const { segmentCount, recordCount, unknownBytes } = found;
  const counts = { segmentCount, recordCount, unknownBytes, damagedCount };
  return { ...counts, snapshotCount: snapshots.length, incomplete, unreadable };
}

type Named = Pick<StoredRecord, "domain" | "name">;

/** What the headers of all records tell. */
class Found {
  segmentCount = 0;
  recordCount = 0;
  unknownBytes = 0;
  /** What the disk says where it cannot read how a record begins. */
  readonly unread: string[] = [];
  /** Records of the journal, and manifests, each once. */
  readonly entries = new Map<string, Named>();
  readonly manifests = new Map<string, Named>();
  /** Where records lie besides, which were stored once more: healed or moved. Oldest first. */
  readonly earlier = new Map<string, Location[]>();
}

/** Has each record found where it was stored last. */
async function locateRecords(parts: RebuildParts, found: Found): Promise<void> {
  let page: NewLocation[] = [];
  let segment: number | undefined;
  for await (const { placement, header, unread } of parts.blocks.records.scan()) {
    if (placement.segment !== segment) found.segmentCount += 1;
    segment = placement.segment;
    if (!header) {
      found.unknownBytes += placement.length;
      if (unread) found.unread.push(unread.message);
      continue;
    }
    const { kind, domain, name } = header;
    found.recordCount += 1;
    const named = { domain, name };
    if (kind === RECORD_KIND.entry) found.entries.set(keyOf(named), named);
    if (kind === RECORD_KIND.manifest) found.manifests.set(keyOf(named), named);
    page.push({ ...named, ...placement, replaces: true });
    if (page.length < LOCATIONS_AT_ONCE) continue;
    await addLocations(parts, found, page);
    page = [];
  }
  await addLocations(parts, found, page);
}

async function addLocations({ catalog }: RebuildParts, found: Found, page: readonly NewLocation[]) {
  const known = new Map<string, Location>();
  for (const [domain, records] of Map.groupBy(page, (location) => location.domain)) {
    const names = records.map(({ name }) => name);
    const locations = await catalog.blocks.locateAll(domain, names);
    for (const [i, location] of locations.entries()) {
      if (location) known.set(keyOf(records[i] as NewLocation), location);
    }
  }
  for (const { domain, name, segment, offset, length } of page) {
    const key = keyOf({ domain, name });
    const before = known.get(key);
    // The very same place is known from a rebuild that was interrupted.
    const isOther = before && (before.segment !== segment || before.offset !== offset);
    if (isOther) found.earlier.set(key, [...(found.earlier.get(key) ?? []), before]);
    known.set(key, { segment, offset, length });
  }
  await catalog.blocks.commit(page, []);
}

/**
 * Reads the chosen records and hashes them; those that are not what they should be are known as
 * damaged from then on, unless there is an earlier copy that is whole.
 */
async function verifyRecords(
  parts: RebuildParts,
  found: Found,
  isChosen: (record: StoredRecord) => boolean,
): Promise<void> {
  const { catalog, blocks } = parts;
  const verify = async (record: StoredRecord) => {
    await checkKey(blocks, record);
    const earlier = found.earlier.get(keyOf(record)) ?? [];
    let state = await blocks.records.verify(record);
    for (let i = earlier.length - 1; state === "damaged" && i >= 0; i--) {
      const copy = { ...record, ...(earlier[i] as Location) };
      await catalog.blocks.commit([{ ...copy, replaces: true }], []);
      state = await blocks.records.verify(copy);
    }
    // Nobody comes by again: what is not known as damaged would be taken for stored.
    const isKnown =
      state !== "damaged" || (await catalog.blocks.isDamaged(record.domain, record.name));
    if (!isKnown) throw new Error("The catalog did not take note of a damaged record");
  };
  for (let next: Place | undefined = { segment: 0, offset: 0 }; next; ) {
    const page: StoredRecord[] = await catalog.scrubs.recordsFrom(next, LOCATIONS_AT_ONCE);
    await forEachConcurrent(page.filter(isChosen), RECORDS_AHEAD, verify);
    const last = page.at(-1);
    next = last && { segment: last.segment, offset: last.offset + last.length };
  }
}

/** Rejects where it is not known whether there is a key; one that is gone leaves headers only. */
async function checkKey({ records }: BlockStore, { domain }: StoredRecord): Promise<void> {
  try {
    await records.cipherOf(domain);
  } catch (error) {
    if (!(error instanceof KeyDestroyedError)) throw error;
  }
}

/** The latest entry of each key. */
async function readJournal(
  parts: RebuildParts,
  entries: readonly Named[],
  unreadable: string[],
): Promise<Map<string, JournalEntry>> {
  const latest = new Map<string, JournalEntry>();
  const read = (entry: Named) => open(parts, entry, unreadable);
  for await (const opened of mapAhead(entries, RECORDS_AHEAD, read)) {
    if (!opened) continue;
    const entry = decodeEntry(opened.plain);
    if ((latest.get(entry.key)?.sequence ?? -1) < entry.sequence) latest.set(entry.key, entry);
  }
  return latest;
}

async function restoreKeys({ catalog }: RebuildParts, keys: readonly JournalEntry[]) {
  // The store's own key is the first account's, which manages the store.
  const isOfStore = ({ value }: JournalEntry) => columnsOf(value)["manager"] === "store";
  await addOwners(catalog, keys.filter(isOfStore));
  await addOwners(catalog, keys);
  await catalog.journal.restore(keys);
}

/** Adds who owns any of these things: what is journaled of the account itself may be lost. */
async function addOwners({ identity }: Catalog, things: readonly JournalEntry[]): Promise<void> {
  const owners = new Set(things.map(({ value }) => columnsOf(value)["account"]));
  for (const owner of owners) if (owner) await identity.addAccount(owner as AccountId);
}

/**
 * A name is one image's at a time. Where several have it, the record of how the earlier ones ended
 * is lost: the latest has it, and of the others it is noted anew that they are gone.
 */
function withoutNamesakes(images: readonly JournalEntry[], unreadable: string[]): JournalEntry[] {
  const nameOf = ({ value }: JournalEntry) => {
    const { account, name } = columnsOf(value);
    return `${account} ${name}`;
  };
  const latest = new Map<string, number>();
  for (const image of images) {
    if (image.value === undefined) continue;
    const name = nameOf(image);
    latest.set(name, Math.max(latest.get(name) ?? 0, image.sequence));
  }
  return images.map((image) => {
    if (image.value === undefined || latest.get(nameOf(image)) === image.sequence) return image;
    unreadable.push(`how ${image.key} ended, whose name a later image has`);
    return { ...image, value: undefined };
  });
}

/** A thing's own columns; none of one that is gone. */
function columnsOf(value: string | undefined): JournaledColumns {
  return value === undefined ? {} : (JSON.parse(value) as JournaledRow).columns;
}

async function restoreManifests(
  parts: RebuildParts,
  from: {
    readonly manifests: readonly Named[];
    readonly journal: ReadonlyMap<string, JournalEntry>;
    readonly unreadable: string[];
  },
): Promise<void> {
  const { catalog } = parts;
  const read = async (manifest: Named) => {
    const opened = await open(parts, manifest, from.unreadable);
    return opened && decodeManifest(opened.plain, opened.header);
  };
  for await (const snapshot of mapAhead(from.manifests, RECORDS_AHEAD, read)) {
    if (!snapshot) continue;
    const isKnown = await catalog.snapshots.get(snapshot.id);
    if (isKnown || from.journal.has(`snapshot/${snapshot.id}`)) continue;
    await catalog.identity.addAccount(snapshot.account);
    const refusal = await catalog.snapshots.start(snapshot, undefined);
    assert(refusal === undefined, "what a manifest was read from is where it lies");
  }
}

/** Undefined for one that is damaged, or whose key is gone. */
async function open(
  { catalog, blocks }: RebuildParts,
  { domain, name }: Named,
  unreadable: string[],
): Promise<OpenedRecord | undefined> {
  try {
    const location = await catalog.blocks.locate(domain, name);
    assert(location !== undefined, "what was located stays so");
    return await blocks.records.openAt(location);
  } catch (error) {
    unreadable.push(reasonOf(error));
    return undefined;
  }
}
