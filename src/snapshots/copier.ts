import { forEachConcurrent } from "../base/concurrency.ts";
import type { BlockStore } from "../blocks/block-store.ts";
import type { Catalog, SnapshotCopy } from "../catalog/catalog.ts";
import { messageOfDestroyedKey } from "../keys/key-ring.ts";
import type { Domain, SnapshotId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { BlockMaps, MapEntry } from "../tree/block-map.ts";
import type { Sealer } from "./sealer.ts";

/** What the copier works with. */
export interface CopierParts {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
  readonly sealer: Sealer;
  /** Hears of a copy that failed; `resume` tries it again. */
  readonly onError: (snapshotId: SnapshotId, error: unknown) => void;
}

/** Blocks after which it is noted how far a copy has come. */
const PAGE_COUNT = 1_000;
/** Blocks of one copy on their way at once: each takes its 512 KiB. */
const BLOCKS_AT_ONCE = 8;

/**
 * Copies the blocks of a snapshot into another domain, one after another, and has the copy sealed.
 * Interrupted anywhere, it goes on from the last page noted: writing a block again is harmless.
 */
export class Copier {
  readonly #parts: CopierParts;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: CopierParts) {
    this.#parts = parts;
  }

  /** Takes up every copy that is under way; resolves when none can go on. Never rejects. */
  resume(): Promise<void> {
    this.#running ??= this.#copyAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Ends at the next page; what is left is taken up at the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #copyAll(): Promise<void> {
    const failed = new Set<SnapshotId>();
    for (;;) {
      const copies = await this.#parts.catalog.copies.all();
      const next = copies.find(({ id }) => !failed.has(id));
      if (!next || this.#isStopped) return;
      await this.#copy(next).catch((error: unknown) => {
        failed.add(next.id);
        this.#parts.onError(next.id, error);
      });
    }
  }

  async #copy(copy: SnapshotCopy): Promise<void> {
    const { catalog, sealer } = this.#parts;
    const target = await catalog.snapshots.get(copy.id);
    if (target?.state !== "copying") return;
    const outcome = await this.#copyPages(target, copy).catch(messageOfDestroyedKey);
    if (outcome === "stopped" || outcome === "deleted") return;
    if (outcome !== "copied") {
      const failed = { state: "error", stateMessage: outcome } as const;
      await catalog.snapshots.changeState(copy.id, "copying", failed);
      return;
    }
    const changedBlocksCount = await this.#countWritten(target);
    const completion = { changedBlocksCount, linearDigest: undefined };
    await catalog.snapshots.changeState(copy.id, "copying", { state: "sealing", completion });
    await sealer.seal(copy.id);
  }

  async #copyPages(
    target: Snapshot,
    copy: SnapshotCopy,
  ): Promise<"copied" | "stopped" | "deleted" | string> {
    const { catalog, maps } = this.#parts;
    for (let fromIndex = copy.nextIndex; !this.#isStopped; ) {
      const source = maps(copy.sourceDomain);
      const page = await source.entries(copy.sourceRoot, fromIndex, PAGE_COUNT);
      const last = page.at(-1);
      if (!last) return "copied";
      // Deleted meanwhile: there is nothing to copy into any more.
      if (!(await catalog.snapshots.get(copy.id))) return "deleted";
      await forEachConcurrent(page, BLOCKS_AT_ONCE, (entry) =>
        this.#copyBlock(target, copy.sourceDomain, entry),
      );
      fromIndex = last.blockIndex + 1;
      await catalog.copies.advance(copy.id, fromIndex);
    }
    return "stopped";
  }

  async #copyBlock(
    { id, domain, expiresAtMs }: Snapshot,
    sourceDomain: Domain,
    { blockIndex, digest }: MapEntry,
  ): Promise<void> {
    const { blocks } = this.#parts;
    const bytes = await blocks.getBlock(sourceDomain, digest);
    // Refused only when the copy was deleted meanwhile, which the next page finds out.
    await blocks.putBlock({ domain, snapshotId: id, blockIndex, expiresAtMs }, digest, bytes);
  }

  async #countWritten(target: Snapshot): Promise<number> {
    let count = 0;
    for (let fromIndex = 0; ; ) {
      const page = await this.#parts.blocks.pendingBlocks(target, fromIndex, PAGE_COUNT);
      const last = page.at(-1);
      if (!last) return count;
      count += page.length;
      fromIndex = last.blockIndex + 1;
    }
  }
}
