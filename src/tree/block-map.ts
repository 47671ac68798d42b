import { assert } from "../base/assert.ts";
import type { LruCache } from "../base/lru-cache.ts";
import type { Digest } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { Extent } from "../model/extent.ts";
import { NODE_FANOUT, NODE_LEVELS } from "../model/limits.ts";
import { growingGroups } from "./growing-groups.ts";
import { encodeNode, Node } from "./node.ts";
import type { NodeStore } from "./node-store.ts";

/** A block map: the digest of its root node, or undefined for the map without any block. */
export type Root = Digest | undefined;

/** One block index and its digest. */
export interface MapEntry {
  readonly blockIndex: number;
  readonly digest: Digest;
}

/** The blocks of one leaf; or an extent of which nothing is known any more. */
export interface MapPiece {
  readonly entries: readonly MapEntry[];
  readonly lost: Extent | undefined;
}

/** What `BlockMaps.apply` made. */
export interface Applied {
  readonly root: Root;
  /** Block indexes that the base map did not have. */
  readonly addedCount: number;
}

/** Where a node lies: its level, and the first block index under it. */
interface Place {
  readonly digest: Digest;
  readonly level: number;
  readonly firstIndex: number;
}

/** A node that a walk came to, or how it is damaged. */
interface Reached extends Place {
  readonly node: Node | CorruptionError;
}

/** Level of a root node. */
export const ROOT_LEVEL = NODE_LEVELS - 1;

/** Number of block indexes that one slot of a node at that level stands for. */
export function spanOfSlot(level: number): number {
  return NODE_FANOUT ** level;
}

/** The slot of a node at that level under which a block index lies. */
function slotOf(blockIndex: number, level: number): number {
  return Math.floor(blockIndex / spanOfSlot(level)) % NODE_FANOUT;
}

/** Where the nodes below one lie that hold block indexes from `fromIndex` on. */
function placesBelow({ level, firstIndex }: Place, node: Node, fromIndex: number): Place[] {
  const span = spanOfSlot(level);
  const slots = node.slots(Math.max(0, Math.floor((fromIndex - firstIndex) / span)));
  const digests = node.digests().slice(-slots.length);
  return slots.map((slot, i) => {
    const digest = digests[i] as Digest;
    return { digest, level: level - 1, firstIndex: firstIndex + slot * span };
  });
}

function damageOf(error: unknown): CorruptionError {
  if (error instanceof CorruptionError) return error;
  throw error;
}

/**
 * Block maps of one domain: persistent radix trees with content-addressed nodes. A map is never
 * changed; applying writes makes a new root that shares every untouched node with the old one, so
 * equal contents always have equal roots.
 */
export class BlockMaps {
  readonly #store: NodeStore;
  readonly #cache: LruCache<Node>;

  constructor(store: NodeStore, cache: LruCache<Node>) {
    this.#store = store;
    this.#cache = cache;
  }

  /** The decoded node of that digest, from memory if it was read lately. */
  async node(digest: Digest, level: number): Promise<Node> {
    const known = this.#known(digest, level);
    return known ?? this.#decode(digest, level, await this.#store.getNode(digest));
  }

  /**
   * Several nodes of one level, read together, in order; undefined for those that were not asked
   * for or could not be had so: `node` of that digest tells why.
   */
  async nodes(digests: readonly Root[], level: number): Promise<(Node | undefined)[]> {
    const found = new Map<Digest, Node | undefined>();
    for (const digest of digests) if (digest) found.set(digest, this.#known(digest, level));
    const missing = [...found.keys()].filter((digest) => found.get(digest) === undefined);
    const read = missing.length > 0 ? await this.#store.getNodes(missing) : [];
    for (const [i, digest] of missing.entries()) {
      const bytes = read[i];
      if (bytes) found.set(digest, this.#decodeIfGood(digest, level, bytes));
    }
    return digests.map((digest) => digest && found.get(digest));
  }

  #decodeIfGood(digest: Digest, level: number, bytes: Uint8Array): Node | undefined {
    try {
      return this.#decode(digest, level, bytes);
    } catch (error) {
      if (error instanceof CorruptionError) return undefined;
      throw error;
    }
  }

  #known(digest: Digest, level: number): Node | undefined {
    const known = this.#cache.get(digest);
    if (known)
      assert(known.level === level, `node ${digest} has level ${known.level}, not ${level}`);
    return known;
  }

  #decode(digest: Digest, level: number, bytes: Uint8Array): Node {
    const node = new Node(bytes, level);
    this.#cache.set(digest, node);
    return node;
  }

  /** The digest at a block index, or undefined for a hole. Reads one node a level. */
  async lookup(root: Root, blockIndex: number): Promise<Digest | undefined> {
    let digest = root;
    for (let level = ROOT_LEVEL; digest !== undefined && level >= 0; level--) {
      digest = (await this.node(digest, level)).get(slotOf(blockIndex, level));
    }
    return digest;
  }

  /** The leaves that hold block indexes from `fromIndex` on, with the first index of each. */
  async *leaves(root: Root, fromIndex: number): AsyncGenerator<{ firstIndex: number; leaf: Node }> {
    for await (const { firstIndex, node } of this.#walk(root, fromIndex)) {
      if (node instanceof CorruptionError) throw node;
      yield { firstIndex, leaf: node };
    }
  }

  /**
   * The map from a block index on, piece by piece, ascending, also where nodes are damaged: what
   * lies under such a node is answered as an extent that cannot be told.
   */
  async *pieces(root: Root, fromIndex: number): AsyncGenerator<MapPiece> {
    for await (const { firstIndex, level, node } of this.#walk(root, fromIndex)) {
      if (node instanceof CorruptionError) {
        const start = Math.max(firstIndex, fromIndex);
        const count = firstIndex + spanOfSlot(level + 1) - start;
        yield { entries: [], lost: { start, count } };
        continue;
      }
      const slots = node.slots(Math.max(0, fromIndex - firstIndex));
      const digests = node.digests().slice(-slots.length);
      const entryOf = (slot: number, i: number) => {
        return { blockIndex: firstIndex + slot, digest: digests[i] as Digest };
      };
      yield { entries: slots.map(entryOf), lost: undefined };
    }
  }

  /** Leaves from a block index on, and, of whatever level, nodes that are damaged. */
  async *#walk(root: Root, fromIndex: number): AsyncGenerator<Reached> {
    if (root === undefined) return;
    yield* this.#walkBelow({ digest: root, level: ROOT_LEVEL, firstIndex: 0 }, fromIndex);
  }

  /** `known` is the place's node, where that has been read already. */
  async *#walkBelow(place: Place, fromIndex: number, known?: Node): AsyncGenerator<Reached> {
    const node = known ?? (await this.node(place.digest, place.level).catch(damageOf));
    if (node instanceof CorruptionError || place.level === 0) {
      yield { ...place, node };
      return;
    }
    for await (const group of growingGroups(placesBelow(place, node, fromIndex))) {
      const digests = group.map(({ digest }) => digest);
      // What goes wrong is thrown when it is that node's turn.
      const nodes = await this.nodes(digests, place.level - 1).catch(() => []);
      for (const [i, each] of group.entries()) yield* this.#walkBelow(each, fromIndex, nodes[i]);
    }
  }

  /** The first block indexes from `fromIndex` on, ascending, up to `limit`, which is at least 1. */
  async indexes(root: Root, fromIndex: number, limit: number): Promise<number[]> {
    const found: number[] = [];
    for await (const { firstIndex, leaf } of this.leaves(root, fromIndex)) {
      for (const slot of leaf.slots(Math.max(0, fromIndex - firstIndex))) {
        found.push(firstIndex + slot);
        // Not when the next one is found, whose leaf would have to be read.
        if (found.length === limit) return found;
      }
    }
    return found;
  }

  /** Like `indexes`, with the digest at each. */
  async entries(root: Root, fromIndex: number, limit: number): Promise<MapEntry[]> {
    const found: MapEntry[] = [];
    for await (const { firstIndex, leaf } of this.leaves(root, fromIndex)) {
      const slots = leaf.slots();
      const digests = leaf.digests();
      for (const [rank, slot] of slots.entries()) {
        if (firstIndex + slot < fromIndex) continue;
        found.push({ blockIndex: firstIndex + slot, digest: digests[rank] as Digest });
        if (found.length === limit) return found;
      }
    }
    return found;
  }

  /**
   * The map with these writes laid over a base map. `writes` come in pages, ascending over all
   * pages without repetition. Costs what the writes touch, whatever the base holds; memory holds
   * one node a level.
   */
  async apply(base: Root, writes: AsyncIterable<readonly MapEntry[]>): Promise<Applied> {
    const writer = new MapWriter(this, this.#store, base);
    for await (const page of writes) {
      for (const entry of page) {
        // A promise for each entry would cost more than all else that is done to it.
        if (!writer.writeHere(entry)) await writer.write(entry);
      }
    }
    return { root: await writer.finish(), addedCount: writer.addedCount };
  }
}

/** A node being rewritten: its slots so far, and where in the volume it lies. */
interface OpenNode {
  readonly level: number;
  readonly firstIndex: number;
  /** A slot whose node is still being stored holds the promise of its digest. */
  readonly slots: (Digest | Promise<Digest> | undefined)[];
}

/**
 * Walks ascending writes through the tree, keeping open only the path to the current leaf. Nodes
 * are stored while the walk goes on, at most about one branch's worth of them at once; a node is
 * stored when those below it are.
 */
class MapWriter {
  addedCount = 0;
  readonly #maps: BlockMaps;
  readonly #store: NodeStore;
  readonly #base: Root;
  /** Open nodes from the root down to the current leaf. */
  readonly #path: OpenNode[] = [];
  #previousIndex = -1;
  /** Nodes that are being stored. */
  #underWay = 0;

  constructor(maps: BlockMaps, store: NodeStore, base: Root) {
    this.#maps = maps;
    this.#store = store;
    this.#base = base;
  }

  /** Writes where the current leaf is the one to write to; false, having done nothing, if not. */
  writeHere(entry: MapEntry): boolean {
    const leaf = this.#path.at(-1);
    if (leaf?.level !== 0 || entry.blockIndex >= leaf.firstIndex + NODE_FANOUT) return false;
    this.#writeTo(leaf, entry);
    return true;
  }

  async write(entry: MapEntry): Promise<void> {
    this.#writeTo(await this.#openLeaf(entry.blockIndex), entry);
  }

  #writeTo({ slots }: OpenNode, { blockIndex, digest }: MapEntry): void {
    assert(blockIndex > this.#previousIndex, "writes come in ascending order");
    this.#previousIndex = blockIndex;
    const slot = slotOf(blockIndex, 0);
    if (slots[slot] === undefined) this.addedCount += 1;
    slots[slot] = digest;
  }

  /** Stores every open node; answers the new root. */
  async finish(): Promise<Root> {
    if (this.#path.length === 0) return this.#base;
    while (this.#path.length > 1) await this.#closeDeepest();
    return this.#put(this.#path.pop() as OpenNode);
  }

  async #openLeaf(blockIndex: number): Promise<OpenNode> {
    if (this.#path.length === 0) this.#path.push(await this.#open(this.#base, ROOT_LEVEL, 0));
    let deepest = this.#path.at(-1) as OpenNode;
    while (blockIndex >= deepest.firstIndex + spanOfSlot(deepest.level + 1)) {
      await this.#closeDeepest();
      deepest = this.#path.at(-1) as OpenNode;
    }
    while (deepest.level > 0) {
      const slot = slotOf(blockIndex, deepest.level);
      const firstIndex = deepest.firstIndex + slot * spanOfSlot(deepest.level);
      const below = await deepest.slots[slot];
      deepest = await this.#open(below, deepest.level - 1, firstIndex);
      this.#path.push(deepest);
    }
    return deepest;
  }

  async #open(digest: Root, level: number, firstIndex: number): Promise<OpenNode> {
    const slots: OpenNode["slots"] = new Array(NODE_FANOUT).fill(undefined);
    if (digest === undefined) return { level, firstIndex, slots };
    const node = await this.#maps.node(digest, level);
    const digests = node.digests();
    for (const [rank, slot] of node.slots().entries()) slots[slot] = digests[rank];
    return { level, firstIndex, slots };
  }

  async #closeDeepest(): Promise<void> {
    const closed = this.#path.pop() as OpenNode;
    const above = this.#path.at(-1) as OpenNode;
    const digest = this.#put(closed);
    above.slots[slotOf(closed.firstIndex, above.level)] = digest;
    // A failure is thrown where the digest is needed; until then it must not count as unhandled.
    digest.catch(() => undefined);
    this.#underWay += 1;
    const settle = () => {
      this.#underWay -= 1;
    };
    digest.then(settle, settle);
    // Few writes far apart are stored together, level by level; many wait for each other.
    if (closed.level > 0 && this.#underWay > NODE_FANOUT) await digest;
  }

  async #put({ level, slots }: OpenNode): Promise<Digest> {
    const digests = level === 0 ? (slots as (Digest | undefined)[]) : await Promise.all(slots);
    const entries: [slot: number, digest: Digest][] = [];
    for (const [slot, digest] of digests.entries()) if (digest) entries.push([slot, digest]);
    return this.#store.putNode(encodeNode(level, entries));
  }
}
