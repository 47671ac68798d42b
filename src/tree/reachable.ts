import type { Digest } from "../model/digest.ts";
import { type BlockMaps, ROOT_LEVEL, type Root } from "./block-map.ts";
import type { Node } from "./node.ts";

/** A node that is reached, and the digests of the blocks in it if it is a leaf. */
export interface Reached {
  readonly node: Digest;
  readonly blocks: readonly Digest[];
}

/**
 * Walks what a map reaches and the other maps given do not reach at the same place: every node that
 * differs from theirs, and of leaves the blocks that differ. Subtrees that are equal are never
 * entered, so the cost is what differs. Holds one path of nodes in memory.
 *
 * `isSkipped` is asked about each node before it is read; a node skipped is not answered.
 */
export async function* reachable(
  maps: BlockMaps,
  root: Root,
  but: { readonly others: readonly Root[]; readonly isSkipped?: (node: Digest) => boolean },
): AsyncGenerator<Reached> {
  if (root === undefined) return;
  const others = but.others.filter((other) => other !== undefined);
  yield* below(maps, root, { level: ROOT_LEVEL, others, isSkipped: but.isSkipped });
}

interface Walk {
  readonly level: number;
  readonly others: readonly Digest[];
  readonly isSkipped: ((node: Digest) => boolean) | undefined;
}

async function* below(maps: BlockMaps, digest: Digest, walk: Walk): AsyncGenerator<Reached> {
  const { level, others, isSkipped } = walk;
  if (others.includes(digest) || isSkipped?.(digest)) return;
  const node = await maps.node(digest, level);
  const known: Node[] = [];
  for (const other of others) known.push(await maps.node(other, level));
  const slots = node.slots();
  const digests = node.digests();
  const isNew = (rank: number) => {
    const slot = slots[rank] as number;
    return known.every((other) => other.get(slot) !== digests[rank]);
  };
  yield { node: digest, blocks: level === 0 ? digests.filter((_, rank) => isNew(rank)) : [] };
  if (level === 0) return;
  for (const [rank, child] of digests.entries()) {
    if (!isNew(rank)) continue;
    const slot = slots[rank] as number;
    const children = known.flatMap((other) => other.get(slot) ?? []);
    yield* below(maps, child, { level: level - 1, others: children, isSkipped });
  }
}
