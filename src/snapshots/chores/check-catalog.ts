import type { BlockStore } from "../../blocks/block-store.ts";
import { decodeEntry, OPEN_DOMAIN } from "../../blocks/journaler.ts";
import type { Location } from "../../catalog/location.ts";
import { CorruptionError } from "../../model/errors.ts";
import type { AccountId, Domain } from "../../model/ids.ts";
import type { Core } from "../core.ts";

/*
 * Rows of the catalog carry no checksum, but for writes that wait to be sealed. But each thing that
 * could not be found out from blocks is journaled in a record, and a record hashes to its name: so
 * what the two say of a thing is compared, column by column.
 */

/** Faults told: enough to see that it is no use to go on with this catalog. */
const FAULTS_COUNT_MAX = 20;
/** What changes while it is looked at differs once, and not each time. */
const LOOKS = 3;

/**
 * What is wrong with the catalog, in words without a secret, at most 20: what it can tell by
 * itself, and things of which it says something else than the journal. Reads all of the journal,
 * and holds the catalog up while its structure is checked.
 */
export async function findCatalogFaults(core: Core): Promise<string[]> {
  const { faults, isSound } = await core.catalog.scrubs.findFaults();
  const differences = isSound ? await findDifferences(core) : [];
  return [...faults, ...differences].slice(0, FAULTS_COUNT_MAX);
}

async function findDifferences(core: Core): Promise<string[]> {
  let found: ReadonlySet<string> | undefined;
  for (let look = 0; look < LOOKS; look++) {
    const now = await differencesNow(core);
    found = found === undefined ? now : new Set([...found].filter((text) => now.has(text)));
    if (found.size === 0) break;
  }
  return [...(found ?? [])].sort();
}

async function differencesNow(core: Core): Promise<Set<string>> {
  await core.journaler.flush();
  const [owner] = await core.catalog.identity.accounts();
  if (owner === undefined) return new Set(["There is no first account"]);
  const { entries, missing, isWhole } = await readJournal(core, owner);
  const things = await core.catalog.journal.all();
  const differences = new Set(missing);
  for (const key of new Set([...entries.keys(), ...things.keys()])) {
    const [journaled, thing] = [entries.get(key), things.get(key)];
    // It may be in a record that cannot be read, which a scrub tells of as damaged.
    if (journaled === undefined && !isWhole) continue;
    const difference = differenceOf(journaled, thing);
    if (difference !== undefined) differences.add(`${key} ${difference}`);
  }
  return differences;
}

interface Journaled {
  /** What is journaled of each thing that is there. */
  readonly entries: ReadonlyMap<string, string>;
  /** Entries that the catalog names and does not find. */
  readonly missing: readonly string[];
  /** True when every entry could be read. */
  readonly isWhole: boolean;
}

async function readJournal({ catalog, blocks, keys }: Core, owner: AccountId): Promise<Journaled> {
  const entries = new Map<string, string>();
  const missing: string[] = [];
  let isWhole = true;
  const domains: Domain[] = [OPEN_DOMAIN, await keys.storeDomain(owner)];
  for (const domain of domains) {
    for (const name of await catalog.liveness.manifests(domain)) {
      const location = await catalog.blocks.locate(domain, name);
      if (!location) missing.push(`The journal's entry ${name} is nowhere`);
      const plain = location && (await readEntry(blocks, location));
      if (!plain) isWhole = false;
      const entry = plain && decodeEntry(plain);
      if (entry?.value !== undefined) entries.set(entry.key, entry.value);
    }
  }
  return { entries, missing, isWhole };
}

/** Undefined for what is damaged. */
async function readEntry(blocks: BlockStore, location: Location): Promise<Uint8Array | undefined> {
  try {
    return (await blocks.records.openAt(location)).plain;
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    throw error;
  }
}

interface Thing {
  readonly columns: Readonly<Record<string, unknown>>;
  readonly parts?: Readonly<Record<string, readonly unknown[]>>;
}

/** Names columns, never what they hold: that may be a secret. */
function differenceOf(journaled: string | undefined, now: string | undefined): string | undefined {
  if (journaled === now) return undefined;
  if (journaled === undefined) return "is in the catalog and not in the journal";
  if (now === undefined) return "is in the journal and not in the catalog";
  const [then, thing] = [JSON.parse(journaled) as Thing, JSON.parse(now) as Thing];
  // A column that came with a later version is in no earlier entry.
  const columns = Object.keys(then.columns).filter((name) => {
    return isOther(then.columns[name], thing.columns[name]);
  });
  const names = new Set([...Object.keys(then.parts ?? {}), ...Object.keys(thing.parts ?? {})]);
  const parts = [...names].filter((name) => isOther(then.parts?.[name], thing.parts?.[name]));
  const all = [...columns, ...parts];
  return all.length === 0 ? undefined : `differs from the journal in ${all.join(", ")}`;
}

function isOther(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) !== JSON.stringify(other);
}
