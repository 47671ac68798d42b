import { forEachConcurrent } from "../../base/concurrency.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { BlockStore } from "../../blocks/block-store.ts";
import type { Catalog, SnapshotCopy } from "../../catalog/catalog.ts";
import { messageOfDestroyedKey } from "../../keys/key-ring.ts";
import type { Domain, SnapshotId } from "../../model/ids.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { BlockMaps, MapEntry } from "../../tree/block-map.ts";
import type { Sealer } from "./sealer.ts";

/** What the copier works with. */
export interface CopierParts {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
  readonly sealer: Sealer;
  /** Hears of a copy that failed; `resume` tries it again. */
  readonly onError: (snapshotId: SnapshotId, error: unknown) => void;
  /** True while this process is the one that copies; always, unless given. */
  readonly leads?: () => boolean;
}

/** Blocks after which it is noted how far a copy has come, and the next copy has its turn. */
const PAGE_COUNT = 200;
/** Blocks on their way at once: each takes its 512 KiB. */
const BLOCKS_AT_ONCE = 8;

/**
 * Copies the blocks of snapshots into another domain, each copy a page in turn, and has each
 * sealed at its end. Interrupted anywhere, a copy goes on from the last page noted: writing a
 * block again is harmless.
 */
export class Copier {
  readonly #parts: CopierParts;
  #running: Promise<void> | undefined;
  /** Asked for since the copies were last looked up. */
  #isWanted = false;
  #isStopped = false;

  constructor(parts: CopierParts) {
    this.#parts = parts;
  }

  /**
   * Takes up every copy that is under way; resolves when none can go on, which `onError` has heard
   * of, and at once where another process is to do that. Rejects when the catalog cannot be read.
   */
  resume(): Promise<void> {
    if (!this.#leads()) return Promise.resolve();
    this.#isWanted = true;
    this.#running ??= this.#copyAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Ends at the next page; what is left is taken up at the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running?.catch(() => undefined);
  }

  #leads(): boolean {
    return this.#parts.leads?.() ?? true;
  }

  async #copyAll(): Promise<void> {
    const failed = new Set<SnapshotId>();
    while (!this.#isStopped && this.#leads()) {
      const isWanted = this.#isWanted;
      this.#isWanted = false;
      const copies = await this.#parts.catalog.copies.all();
      const able = copies.filter(({ id }) => !failed.has(id));
      if (able.length === 0 && !isWanted) return;
      for (const copy of able) {
        if (this.#isStopped) return;
        await this.#advance(copy).catch((error: unknown) => {
          failed.add(copy.id);
          this.#parts.onError(copy.id, error);
        });
      }
    }
  }

  /** Copies the next page or, after the last one, has the copy sealed. */
  async #advance(copy: SnapshotCopy): Promise<void> {
    const { snapshots } = this.#parts.catalog;
    const target = await snapshots.get(copy.id);
    // Deleted since it was looked up: there is nothing to copy into any more.
    if (target?.state !== "copying") return;
    const stateMessage = await this.#copyPage(target, copy).catch(messageOfDestroyedKey);
    if (stateMessage === undefined) return;
    await snapshots.changeState(copy.id, "copying", { state: "error", stateMessage });
  }

  async #copyPage(target: Snapshot, copy: SnapshotCopy): Promise<undefined> {
    const { catalog, maps, sealer } = this.#parts;
    const source = maps(copy.sourceDomain);
    const page = await source.entries(copy.sourceRoot, copy.nextIndex, PAGE_COUNT);
    await forEachConcurrent(page, BLOCKS_AT_ONCE, (entry) =>
      this.#copyBlock(target, copy.sourceDomain, entry),
    );
    const last = page.at(-1);
    if (last) return void (await catalog.copies.advance(copy.id, last.blockIndex + 1));
    const changedBlocksCount = await this.#countWritten(target);
    const completion = { changedBlocksCount, linearDigest: undefined };
    await catalog.snapshots.changeState(copy.id, "copying", { state: "sealing", completion });
    void sealer.seal(copy.id);
  }

  async #copyBlock(
    { id, domain, expiresAtMs }: Snapshot,
    sourceDomain: Domain,
    { blockIndex, digest }: MapEntry,
  ): Promise<void> {
    const { blocks } = this.#parts;
    const bytes = await blocks.getBlock(sourceDomain, digest);
    // Refused only when the copy was deleted meanwhile, which its next turn finds out.
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
      // A catalog in this process answers without letting anybody else go on.
      await nextTurn();
    }
  }
}
