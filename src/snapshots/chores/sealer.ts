import { createHash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { Limiter } from "../../base/concurrency.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { BlockStore, WrittenBlock } from "../../blocks/block-store.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import { messageOfDestroyedKey } from "../../keys/key-ring.ts";
import {
  type Digest,
  digestFromBytes,
  digestToBytes,
  type RecordName,
} from "../../model/digest.ts";
import { DamagedWriteError } from "../../model/errors.ts";
import type { Domain, SnapshotId } from "../../model/ids.ts";
import { SEAL_PAGE_COUNT } from "../../model/limits.ts";
import type { CompletionRequest, Snapshot } from "../../model/snapshot.ts";
import type { BlockMaps, Root } from "../../tree/block-map.ts";
import { encodeManifest } from "../manifest.ts";
import { byWriter, writerDigest } from "../writer-map.ts";

/** What the sealer works with. */
export interface SealerParts {
  readonly catalog: Catalog;
  readonly blocks: BlockStore;
  readonly maps: (domain: Domain) => BlockMaps;
  readonly clock: Clock;
  /** Hears of a sealing that failed; `resume` tries it again. */
  readonly onError: (snapshotId: SnapshotId, error: unknown) => void;
  /** How AWS seals, where that is emulated. */
  readonly emulated?: EmulatedSealing | undefined;
}

/** What a sealer that emulates AWS does besides. */
export interface EmulatedSealing {
  /** Milliseconds that a sealing takes at least, from when it was first looked at. */
  durationMs(id: SnapshotId, outcome: SealingOutcome): number;
}

/** How a sealing ends. */
export type SealingOutcome = "completed" | "wrong-count" | "wrong-checksum";

/** Sealings at once: each holds one branch's worth of nodes in memory. */
const SEALINGS_AT_ONCE = 2;
/**
 * Blocks of a page of writes that are looked up once more. For all of a whole page that is 10 to
 * 60 % of a sealing's work (measured, by engine and size), for so many 1 to 4 %.
 */
const SAMPLED_COUNT = 50;
/** Writes of a page, or of a snapshot, that are all looked at. */
const LOCATED_COUNT = 250;

/**
 * Carries `sealing` snapshots to `completed` or `error`. The order is what makes it safe to be
 * interrupted anywhere: the blocks are durable already; new nodes become durable; then the
 * manifest; then, in one transaction, the state. A sealing begun again finds its nodes stored.
 * Where two processes are at one snapshot, only the attempt that began last changes its state.
 */
export class Sealer {
  readonly #parts: SealerParts;
  readonly #running = new Map<SnapshotId, Promise<void>>();
  readonly #limiter = new Limiter(SEALINGS_AT_ONCE);
  /** Sealings put off, where AWS is emulated: what they come to, and since when. */
  readonly #putOff = new Map<SnapshotId, PutOff>();

  constructor(parts: SealerParts) {
    this.#parts = parts;
  }

  /** Seals one snapshot; resolves when that has ended, well, badly or put off. Never rejects. */
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

  /**
   * Takes up the sealings that failed here and, with `takesOver`, those that a process which is no
   * more left unfinished.
   */
  async resume(takesOver = true): Promise<void> {
    for (const id of await this.#parts.catalog.liveness.sealings(takesOver)) void this.seal(id);
  }

  /** The sealings of this process that are under way or wait for their turn. */
  get underWay(): readonly SnapshotId[] {
    return [...this.#running.keys()];
  }

  /** Waits for the sealings under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Takes up the sealings that were put off. */
  async resumePutOff(): Promise<void> {
    for (const id of [...this.#putOff.keys()]) void this.seal(id);
  }

  async #seal(id: SnapshotId): Promise<void> {
    const { snapshots } = this.#parts.catalog;
    const snapshot = await snapshots.get(id);
    if (snapshot?.state !== "sealing") {
      this.#putOff.delete(id);
      return;
    }
    const { completion } = snapshot;
    assert(completion, `sealing snapshot ${id} carries its completion request`);
    // From here on, nodes that are stored are safe although nothing refers to them yet.
    const attempt = await this.#parts.catalog.liveness.beginSealing(id);
    const sealed = this.#sealOrRefuse(snapshot, completion, attempt);
    const stateMessage = await sealed.catch(messageOfLoss);
    if (stateMessage === undefined) return;
    await snapshots.changeState(id, "sealing", { state: "error", stateMessage, attempt });
  }

  /** Completes the snapshot, or puts that off, or answers why it cannot be. */
  async #sealOrRefuse(
    snapshot: Snapshot,
    completion: CompletionRequest,
    attempt: number,
  ): Promise<string | undefined> {
    const { id } = snapshot;
    const written = this.#putOff.get(id)?.written ?? (await this.#summarise(snapshot));
    const outcome = outcomeOf(completion, written);
    if (this.#putsOff(id, written, outcome)) return undefined;
    this.#putOff.delete(id);
    if (outcome !== "completed") return STATE_MESSAGES[outcome];
    await this.#complete(snapshot, written.count, attempt);
    return undefined;
  }

  /** True while the emulated AWS would still be at it. A restart begins that time anew. */
  #putsOff(id: SnapshotId, written: Written, outcome: SealingOutcome): boolean {
    const { emulated, clock } = this.#parts;
    if (emulated === undefined) return false;
    const nowMs = clock.nowMs();
    const { sinceMs } = this.#putOff.get(id) ?? { sinceMs: nowMs };
    this.#putOff.set(id, { written, sinceMs });
    return nowMs < sinceMs + emulated.durationMs(id, outcome);
  }

  async #complete(snapshot: Snapshot, writtenBlockCount: number, attempt: number): Promise<void> {
    const { catalog, blocks, maps, clock } = this.#parts;
    const writes = this.#storedPages(snapshot);
    const applied = await maps(snapshot.domain).apply(snapshot.parentRoot, writes);
    const change = {
      state: "completed",
      completionTimeMs: clock.nowMs(),
      root: applied.root,
      blockCount: snapshot.parentBlockCount + applied.addedCount,
      writtenBlockCount,
      writersRoot: await this.#writersRoot(snapshot),
    } as const;
    const rootNames = await this.#rootNames(snapshot.domain, [change.root, change.writersRoot]);
    // Deleted meanwhile: the map may lack writes, and a manifest would bring the snapshot back.
    if ((await catalog.snapshots.get(snapshot.id))?.state !== "sealing") return;
    const contents = encodeManifest({ ...snapshot, ...change });
    const manifest = await blocks.putManifest(snapshot.domain, contents);
    const final = { ...change, manifest, rootNames, attempt };
    await catalog.snapshots.changeState(snapshot.id, "sealing", final);
  }

  /**
   * The parent's writer map with this snapshot laid over it; undefined where none is kept, also
   * for what a service without emulation seals on a parent that has one: it would name the parent
   * for what this snapshot wrote.
   */
  async #writersRoot(snapshot: Snapshot): Promise<Root> {
    if (this.#parts.emulated === undefined) return undefined;
    const { id, domain, parentRoot, writersRoot } = snapshot;
    const writes = byWriter(this.#pages(snapshot), writerDigest(id));
    // What inherits no block inherits no writer.
    const base = parentRoot && writersRoot;
    return (await this.#parts.maps(domain).apply(base, writes)).root;
  }

  /** Under what names the roots lie, of those that there are. */
  async #rootNames(domain: Domain, roots: readonly Root[]): Promise<readonly RecordName[]> {
    const digests = roots.filter((root) => root !== undefined);
    return this.#parts.blocks.records.namesOf(domain, digests);
  }

  /** Number of blocks written and the LINEAR aggregate: SHA-256 of their digests in order. */
  async #summarise(snapshot: Snapshot): Promise<Written> {
    const hash = createHash("sha256");
    let count = 0;
    for await (const page of this.#pages(snapshot)) {
      for (const { digest } of page) hash.update(digestToBytes(digest));
      count += page.length;
    }
    return { count, linearDigest: digestFromBytes(hash.digest()) };
  }

  /**
   * The same pages as `#pages`, of which blocks are looked up once more: no snapshot is completed
   * that names what is not there. That would be our own mistake, or a damaged catalog; the sealing
   * fails, and is tried again, for the block may be stored by a later put of the same contents.
   */
  async *#storedPages(snapshot: Snapshot): AsyncGenerator<readonly WrittenBlock[]> {
    const { liveness } = this.#parts.catalog;
    const { id, startTimeMs } = snapshot;
    for await (const page of this.#pages(snapshot)) {
      const missing = await liveness.findMissing(id, sampleOf(page, startTimeMs));
      assert(missing === undefined, `block ${missing} of ${id} is located`);
      yield page;
    }
  }

  async *#pages(snapshot: Snapshot): AsyncGenerator<readonly WrittenBlock[]> {
    for (let fromIndex = 0; ; ) {
      const page = await this.#parts.blocks.pendingBlocks(snapshot, fromIndex, SEAL_PAGE_COUNT);
      const last = page.at(-1);
      if (!last) return;
      yield page;
      // A catalog in this process answers without letting anybody else go on.
      await nextTurn();
      fromIndex = last.blockIndex + 1;
    }
  }
}

/** What a snapshot's own writes come to. */
interface Written {
  readonly count: number;
  readonly linearDigest: Digest;
}

interface PutOff {
  readonly written: Written;
  readonly sinceMs: number;
}

/** AWS's words for completions that do not fit what was written. */
const STATE_MESSAGES = {
  "wrong-count": "Changed blocks count mismatch for snapshot",
  "wrong-checksum": "Checksum mismatch for snapshot",
} as const;

/** Why a snapshot can never be completed; throws every other error. */
function messageOfLoss(error: unknown): string {
  if (error instanceof DamagedWriteError) return error.message;
  return messageOfDestroyedKey(error);
}

/** Block indexes of a page's blocks, evenly spread; which they are, another number changes. */
function sampleOf(page: readonly WrittenBlock[], number: number): number[] {
  const step = page.length <= LOCATED_COUNT ? 1 : Math.ceil(page.length / SAMPLED_COUNT);
  const sample = page.filter((_, i) => i % step === number % step);
  return sample.map(({ blockIndex }) => blockIndex);
}

/** What the caller said against what was written. */
function outcomeOf(said: CompletionRequest, written: Written): SealingOutcome {
  if (said.changedBlocksCount !== written.count) return "wrong-count";
  const isWrong = said.linearDigest !== undefined && said.linearDigest !== written.linearDigest;
  return isWrong ? "wrong-checksum" : "completed";
}
