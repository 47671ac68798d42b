import { createHash } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { Limiter } from "../base/concurrency.ts";
import type { BlockStore, WrittenBlock } from "../blocks/block-store.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { messageOfDestroyedKey } from "../keys/key-ring.ts";
import { type Digest, digestFromBytes, digestToBytes } from "../model/digest.ts";
import type { Domain, SnapshotId } from "../model/ids.ts";
import { SEAL_PAGE_COUNT } from "../model/limits.ts";
import type { CompletionRequest, Snapshot } from "../model/snapshot.ts";
import type { BlockMaps } from "../tree/block-map.ts";
import { encodeManifest } from "./manifest.ts";

/** What the sealer works with. */
export interface SealerParts {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
  readonly clock: Clock;
  /** Hears of a sealing that failed; `resume` tries it again. */
  readonly onError: (snapshotId: SnapshotId, error: unknown) => void;
}

/** Sealings at once: each holds one branch's worth of nodes in memory. */
const SEALINGS_AT_ONCE = 2;

/**
 * Carries `sealing` snapshots to `completed` or `error`. The order is what makes it safe to be
 * interrupted anywhere: the blocks are durable already; new nodes become durable; then the
 * manifest; then, in one transaction, the state. A sealing begun again finds its nodes stored.
 */
export class Sealer {
  readonly #parts: SealerParts;
  readonly #running = new Map<SnapshotId, Promise<void>>();
  readonly #limiter = new Limiter(SEALINGS_AT_ONCE);

  constructor(parts: SealerParts) {
    this.#parts = parts;
  }

  /** Seals one snapshot; resolves when that has ended, well or badly. Never rejects. */
  seal(id: SnapshotId): Promise<void> {
    const known = this.#running.get(id);
    if (known !== undefined) return known;
    const running = this.#limiter
      .run(() => this.#seal(id))
      .catch((error: unknown) => this.#parts.onError(id, error))
      .finally(() => this.#running.delete(id));
    this.#running.set(id, running);
    return running;
  }

  /** Takes up the sealings that failed or that an earlier process left unfinished. */
  async resume(): Promise<void> {
    for (const { id } of await this.#parts.catalog.snapshots.inState("sealing")) void this.seal(id);
  }

  /** Waits for the sealings under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async #seal(id: SnapshotId): Promise<void> {
    const { snapshots } = this.#parts.catalog;
    const snapshot = await snapshots.get(id);
    if (snapshot?.state !== "sealing") return;
    const { completion } = snapshot;
    assert(completion, `sealing snapshot ${id} carries its completion request`);
    const sealed = this.#sealOrRefuse(snapshot, completion);
    const stateMessage = await sealed.catch(messageOfDestroyedKey);
    if (stateMessage === undefined) return;
    await snapshots.changeState(id, "sealing", { state: "error", stateMessage });
  }

  /** Completes the snapshot, or answers why it cannot be. */
  async #sealOrRefuse(
    snapshot: Snapshot,
    completion: CompletionRequest,
  ): Promise<string | undefined> {
    const written = await this.#summarise(snapshot);
    const stateMessage = disagreement(completion, written);
    if (stateMessage === undefined) await this.#complete(snapshot, written.count);
    return stateMessage;
  }

  async #complete(snapshot: Snapshot, writtenBlockCount: number): Promise<void> {
    const { catalog, blocks, maps, clock } = this.#parts;
    const writes = this.#pages(snapshot);
    const applied = await maps(snapshot.domain).apply(snapshot.parentRoot, writes);
    const change = {
      state: "completed",
      completionTimeMs: clock.nowMs(),
      root: applied.root,
      blockCount: snapshot.parentBlockCount + applied.addedCount,
      writtenBlockCount,
    } as const;
    // Deleted meanwhile: the map may lack writes, and a manifest would bring the snapshot back.
    if ((await catalog.snapshots.get(snapshot.id))?.state !== "sealing") return;
    const bytes = encodeManifest({ ...snapshot, ...change });
    const manifest = await blocks.putManifest(snapshot.domain, bytes);
    await catalog.snapshots.changeState(snapshot.id, "sealing", { ...change, manifest });
  }

  /** Number of blocks written and the LINEAR aggregate: SHA-256 of their digests in order. */
  async #summarise(snapshot: Snapshot): Promise<{ count: number; linearDigest: Digest }> {
    const hash = createHash("sha256");
    let count = 0;
    for await (const page of this.#pages(snapshot)) {
      for (const { digest } of page) hash.update(digestToBytes(digest));
      count += page.length;
    }
    return { count, linearDigest: digestFromBytes(hash.digest()) };
  }

  async *#pages(snapshot: Snapshot): AsyncGenerator<readonly WrittenBlock[]> {
    for (let fromIndex = 0; ; ) {
      const page = await this.#parts.blocks.pendingBlocks(snapshot, fromIndex, SEAL_PAGE_COUNT);
      const last = page.at(-1);
      if (!last) return;
      yield page;
      fromIndex = last.blockIndex + 1;
    }
  }
}

/** What the caller said against what was written: AWS's state message, or undefined if it fits. */
function disagreement(
  said: CompletionRequest,
  written: { readonly count: number; readonly linearDigest: Digest },
): string | undefined {
  if (said.changedBlocksCount !== written.count) {
    return "Changed blocks count mismatch for snapshot";
  }
  if (said.linearDigest !== undefined && said.linearDigest !== written.linearDigest) {
    return "Checksum mismatch for snapshot";
  }
  return undefined;
}
