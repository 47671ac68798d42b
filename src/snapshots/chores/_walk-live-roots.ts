import type { BlockStore } from "../../blocks/block-store.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import type { LiveRoot } from "../../catalog/collection.ts";
import type { Digest, RecordName } from "../../model/digest.ts";
import { CorruptionError } from "../../model/errors.ts";
import type { Domain } from "../../model/ids.ts";
import type { BlockMaps } from "../../tree/block-map.ts";
import { reachable } from "../../tree/reachable.ts";

/** What the trees of a domain are walked with. */
export interface WalkParts {
  readonly catalog: Pick<Catalog, "liveness">;
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
}

/** A walk of all that a domain needs. */
export interface LiveWalk {
  readonly domain: Domain;
  /** Takes what has been found to be needed. */
  readonly reach: (names: readonly RecordName[]) => void;
  /** True when the walk is to end before its end. */
  readonly isEnding: () => boolean;
}

/**
 * Walks all trees that are needed, each compared with the one before of its lineage, which has been
 * walked already; answers false where it ended before. Rejects when any part of what a snapshot
 * needs cannot be read.
 *
 * Of a tree that is only noted as garbage some may be gone: another collector may have done with it
 * meanwhile, or it was noted by a copy whose source had been collected before.
 */
export async function walkLiveRoots(parts: WalkParts, walk: LiveWalk): Promise<boolean> {
  let walked: LiveRoot | undefined;
  for (const each of await parts.catalog.liveness.roots(walk.domain)) {
    const others = walked?.lineage === each.lineage ? [walked.root] : [];
    const outcome = await walkBeside(parts, walk, { ...each, others });
    if (outcome === "ended") return false;
    // What was not walked to its end says nothing of what the next one shares with it.
    walked = outcome === "broken" ? undefined : each;
  }
  return true;
}

interface Walked extends LiveRoot {
  readonly others: readonly Digest[];
}

async function walkBeside(
  parts: WalkParts,
  walk: LiveWalk,
  tree: Walked,
): Promise<"walked" | "ended" | "broken"> {
  try {
    return await walkOne(parts, walk, tree);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    // It may be the other one that is gone.
    if (tree.others.length > 0) return walkBeside(parts, walk, { ...tree, others: [] });
    if (!tree.isGarbage) throw error;
    return "broken";
  }
}

async function walkOne(
  { blocks, maps }: WalkParts,
  { domain, reach, isEnding }: LiveWalk,
  { root, others }: Walked,
): Promise<"walked" | "ended"> {
  for await (const reached of reachable(maps(domain), root, { others })) {
    reach(await blocks.records.namesOf(domain, [reached.node, ...reached.blocks]));
    if (isEnding()) return "ended";
  }
  return "walked";
}
