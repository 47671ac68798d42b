import { assert } from "../../base/assert.ts";
import { mapAhead } from "../../base/concurrency.ts";
import type { BlockStore } from "../../blocks/block-store.ts";
import { OPEN_DOMAIN } from "../../blocks/journaler.ts";
import { RECORD_KIND } from "../../blocks/record.ts";
import type { Catalog, NewLocation } from "../../catalog/catalog.ts";
import type { JournalEntry } from "../../catalog/journal.ts";
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
}

/** What was found in the segments. */
export interface Rebuilt {
  readonly segmentCount: number;
  readonly recordCount: number;
  /** Bytes in which no record could be made out: torn tails, or damage. */
  readonly unknownBytes: number;
  /** Completed snapshots brought back. */
  readonly snapshotCount: number;
  /** Of these, those of which something is missing, with what was found out. */
  readonly incomplete: readonly { readonly snapshotId: SnapshotId; readonly reason: string }[];
  /** Manifests and journal entries that could not be read. */
  readonly unreadable: readonly string[];
}

/** Records whose locations are added in one transaction. */
const LOCATIONS_AT_ONCE = 1_000;
/** Manifests and entries read at once (ours: in a bucket each is a request). */
const RECORDS_AHEAD = 16;

/**
 * Fills an empty catalog from segments alone: where every record lies; then accounts, keys,
 * settings, images, and snapshots with their tags, from the journal; then snapshots of which there
 * is a manifest only. What the journal says is gone stays gone. Snapshots under way are lost: they
 * have not been completed. Nothing is written but to the catalog.
 */
export async function rebuildCatalog(parts: RebuildParts): Promise<Rebuilt> {
  const found = await locateRecords(parts);
  const unreadable: string[] = [];
  const journal = await readJournal(parts, found.entries, unreadable);
  await parts.catalog.journal.restore([...journal.values()]);
  await restoreManifests(parts, { manifests: found.manifests, journal, unreadable });
  const snapshots = await parts.catalog.snapshots.inState("completed");
  const incomplete = [];
  for (const snapshot of snapshots) {
    const reason = await findGap(parts, snapshot);
    if (reason !== undefined) incomplete.push({ snapshotId: snapshot.id, reason });
  }
  const { segmentCount, recordCount, unknownBytes } = found;
  const counts = { segmentCount, recordCount, unknownBytes };
  return { ...counts, snapshotCount: snapshots.length, incomplete, unreadable };
}

interface Found {
  segmentCount: number;
  recordCount: number;
  unknownBytes: number;
  readonly entries: NewLocation[];
  readonly manifests: NewLocation[];
}

async function locateRecords({ catalog, blocks }: RebuildParts): Promise<Found> {
  const [entries, manifests]: [NewLocation[], NewLocation[]] = [[], []];
  const found: Found = { segmentCount: 0, recordCount: 0, unknownBytes: 0, entries, manifests };
  let page: NewLocation[] = [];
  let segment: number | undefined;
  for await (const { placement, header } of blocks.records.scan()) {
    if (placement.segment !== segment) found.segmentCount += 1;
    segment = placement.segment;
    if (!header) {
      found.unknownBytes += placement.length;
      continue;
    }
    const { kind, domain, name } = header;
    // A record that was stored once more was healed or moved: the later one is the one to find.
    const location: NewLocation = { domain, name, ...placement, replaces: true };
    found.recordCount += 1;
    if (kind === RECORD_KIND.entry) entries.push(location);
    if (kind === RECORD_KIND.manifest) manifests.push(location);
    page.push(location);
    if (page.length < LOCATIONS_AT_ONCE) continue;
    await catalog.blocks.commit(page, []);
    page = [];
  }
  await catalog.blocks.commit(page, []);
  return found;
}

/** The latest entry of each key. Encryption keys come first: the others are encrypted. */
async function readJournal(
  parts: RebuildParts,
  entries: readonly NewLocation[],
  unreadable: string[],
): Promise<Map<string, JournalEntry>> {
  const latest = new Map<string, JournalEntry>();
  const read = async (locations: readonly NewLocation[]) => {
    const work = (location: NewLocation) => open(parts, location, unreadable);
    for await (const plain of mapAhead(locations, RECORDS_AHEAD, work)) {
      if (!plain) continue;
      const entry = JSON.parse(Buffer.from(plain).toString()) as JournalEntry;
      if ((latest.get(entry.key)?.sequence ?? -1) < entry.sequence) latest.set(entry.key, entry);
    }
  };
  await read(entries.filter(({ domain }) => domain === OPEN_DOMAIN));
  await restoreKeys(parts, [...latest.values()]);
  await read(entries.filter(({ domain }) => domain !== OPEN_DOMAIN));
  return latest;
}

async function restoreKeys({ catalog }: RebuildParts, keys: readonly JournalEntry[]) {
  for (const { value } of keys) {
    const owner = value && (JSON.parse(value).columns.account as AccountId);
    if (owner) await catalog.identity.addAccount(owner);
  }
  await catalog.journal.restore(keys);
}

async function restoreManifests(
  parts: RebuildParts,
  from: {
    readonly manifests: readonly NewLocation[];
    readonly journal: ReadonlyMap<string, JournalEntry>;
    readonly unreadable: string[];
  },
): Promise<void> {
  const { catalog } = parts;
  const read = async (location: NewLocation) => {
    const plain = await open(parts, location, from.unreadable);
    return plain && decodeManifest(plain, location);
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

async function open(
  { blocks }: RebuildParts,
  location: NewLocation,
  unreadable: string[],
): Promise<Uint8Array | undefined> {
  try {
    return (await blocks.records.openAt(location)).plain;
  } catch (error) {
    unreadable.push(reasonOf(error));
    return undefined;
  }
}
