import type { BlockStore } from "../../blocks/block-store.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import { type RecordName, ZERO_BLOCK_NAME } from "../../model/digest.ts";
import { CorruptionError, KeyDestroyedError } from "../../model/errors.ts";
import type { Domain } from "../../model/ids.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { BlockMaps } from "../../tree/block-map.ts";
import { reachable } from "../../tree/reachable.ts";

/** A store that snapshots are looked for in. */
export interface SearchedStore {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
}

/** What of a snapshot cannot be found; undefined when all of it is there. */
export async function findGap(
  { catalog, blocks, maps }: SearchedStore,
  { domain, root }: Snapshot,
): Promise<string | undefined> {
  try {
    for await (const reached of reachable(maps(domain), root, { others: [] })) {
      const names = await blocks.records.namesOf(domain, reached.blocks);
      const fault = await findFault({ catalog, blocks }, domain, names);
      if (fault !== undefined) return fault;
    }
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

async function findFault(
  { catalog, blocks }: Pick<SearchedStore, "catalog" | "blocks">,
  domain: Domain,
  names: readonly RecordName[],
): Promise<string | undefined> {
  for (const name of names) {
    if (name === ZERO_BLOCK_NAME) continue;
    if (!(await catalog.blocks.locate(domain, name))) return `no record of block ${name} was found`;
    if (await blocks.records.isDamaged({ domain, name })) return `block ${name} is damaged`;
  }
  return undefined;
}

/**
 * What is lost, of one record or of one snapshot: it is damaged, or its key is gone, with the entry
 * that told of it or by somebody's wish. All else comes back without it. Throws every other error.
 */
export function reasonOf(error: unknown): string {
  const isLost = error instanceof CorruptionError || error instanceof KeyDestroyedError;
  if (!isLost) throw error;
  return error.message;
}
