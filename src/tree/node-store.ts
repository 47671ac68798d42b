import type { Digest } from "../model/digest.ts";

/**
 * Where the block map keeps its nodes, by digest. `putNode` resolves when the node is durable;
 * putting the same bytes again is harmless. `getNode` rejects for a node that is missing or
 * damaged: a digest that is in the map was put, so its absence is never an ordinary answer.
 */
export interface NodeStore {
  getNode(digest: Digest): Promise<Uint8Array>;
  /**
   * Several nodes with less work than one after another, in order. Undefined for those that could
   * not be had so, for whatever reason: `getNode` of that one tells.
   */
  getNodes(digests: readonly Digest[]): Promise<readonly (Uint8Array | undefined)[]>;
  putNode(bytes: Uint8Array): Promise<Digest>;
}
