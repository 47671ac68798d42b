import { createHash, hash } from "node:crypto";
import { blockContents, pick } from "../support/property.ts";
import type { BareClient } from "./_client.ts";

/*
 * The oracle. It lives in the test's process and records every acknowledgement, so it knows what
 * the killed server owes. How it stays strict although a kill leaves requests unanswered:
 *
 * - Each block index of a snapshot has one writer, which writes to it one request at a time.
 * - A put that got no answer may or may not have happened. Its contents become a `maybe` of that
 *   index. An index that was never acknowledged and has a `maybe` is put again with the same
 *   contents, as a client would; the answer makes it certain, and nothing acknowledged is hidden
 *   by that. An index that was acknowledged before and overwritten by an unanswered put stays as
 *   it is: both contents are right, any others are wrong.
 * - What was acknowledged before a kill is never overwritten after it, or a loss could be hidden.
 * - So the set of written indexes is exactly known when a snapshot is completed, and its count is
 *   always checked; the LINEAR checksum is given whenever no index has two right contents.
 * - Start is repeated with its client token and complete with the same parameters, so that both
 *   are certain once they are answered.
 */

/** What may lie at one block index. */
interface Fate {
  /** Contents of the last acknowledged put. */
  acknowledged: number | undefined;
  /** Contents of puts since then that got no answer. */
  maybe: number[];
  /** Life of the server in which the acknowledged put happened. */
  life: number;
}

interface Draft {
  readonly clientToken: string;
  readonly parent: Finished | undefined;
  readonly fates: Map<number, Fate>;
  snapshotId: string | undefined;
  putsLeft: number;
  completion: { count: number; checksum: string | undefined } | undefined;
}

/** A completed snapshot and what each visible block index may hold. */
export interface Finished {
  readonly snapshotId: string;
  readonly visible: ReadonlyMap<number, readonly number[]>;
  readonly own: readonly number[];
  readonly generation: number;
}

/** What all lanes share. */
export interface Ledger {
  readonly fraction: () => number;
  readonly finished: Finished[];
  /** Sentences that say what was lost, changed or refused. */
  readonly violations: string[];
  acknowledgedCount: number;
  checkedCount: number;
  nextContents: number;
  life: number;
}

/** Block indexes that a lane writes to: two leaves of the block map. */
const INDEXES = 120;

/** One stream of snapshots: start, put, complete, verify, go on with a child or a new volume. */
export class Lane {
  readonly #name: string;
  readonly #ledger: Ledger;
  /** Writers at a time, each with block indexes of its own. */
  readonly #writers: number;
  #draft: Draft;
  /** A snapshot still to be read back, and the blocks of it that are left. */
  #unverified: { readonly finished: Finished; readonly left: number[] } | undefined;
  #drafts = 0;

  constructor(name: string, ledger: Ledger, writers = 3) {
    this.#name = name;
    this.#writers = writers;
    this.#ledger = ledger;
    this.#draft = this.#newDraft(undefined);
  }

  /** Goes on from wherever the last life ended, until a request fails or `isOver` says stop. */
  async run(client: BareClient, isOver: () => boolean): Promise<void> {
    // Half of the lanes verify what they have right after a restart; the others write on.
    if (this.#draft.fates.size > 0 && this.#ledger.fraction() < 0.5) this.#draft.putsLeft = 0;
    while (!isOver()) await this.#step(client);
  }

  /** Brings everything begun to its end and verifies it. */
  async finish(client: BareClient): Promise<void> {
    this.#draft.putsLeft = 0;
    const open = this.#draft;
    while (this.#draft === open || this.#unverified) await this.#step(client);
  }

  async #step(client: BareClient): Promise<void> {
    if (this.#unverified) {
      await this.#verifySome(client, this.#unverified);
    } else if (this.#draft.snapshotId === undefined) {
      await this.#start(client, this.#draft);
    } else if (this.#draft.putsLeft > 0 && !this.#draft.completion) {
      await this.#putSome(client, this.#draft, this.#draft.snapshotId);
    } else {
      await this.#complete(client, this.#draft, this.#draft.snapshotId);
    }
  }

  #newDraft(parent: Finished | undefined): Draft {
    return {
      clientToken: `${this.#name}-${this.#drafts++}`,
      parent,
      fates: new Map(),
      snapshotId: undefined,
      putsLeft: 10 + pick(this.#ledger.fraction, 50),
      completion: undefined,
    };
  }

  async #start(client: BareClient, draft: Draft): Promise<void> {
    draft.snapshotId = await client.start(draft.clientToken, draft.parent?.snapshotId);
  }

  async #putSome(client: BareClient, draft: Draft, snapshotId: string): Promise<void> {
    const { fraction } = this.#ledger;
    const writerCount = this.#writers;
    const count = Math.min(draft.putsLeft, 4 * writerCount);
    draft.putsLeft -= count;
    const writers = Array.from({ length: writerCount }, async (_, writer) => {
      for (let i = 0; i < count / writerCount; i++) {
        const index = writer + writerCount * pick(fraction, INDEXES / writerCount);
        // Around the border between two leaves of the block map.
        const blockIndex = index + 450;
        const fate = draft.fates.get(blockIndex);
        if (fate && (fate.maybe.length > 0 || fate.life !== this.#ledger.life)) continue;
        await this.#put(client, draft, { snapshotId, blockIndex, contents: this.#contents() });
      }
    });
    // All writers end before this does, so nothing is in flight in the next step.
    const results = await Promise.allSettled(writers);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** Zeros, what this or another lane has sent before (or is sending now), or something new. */
  #contents(): number {
    const { fraction } = this.#ledger;
    const chance = fraction();
    if (chance < 0.1) return 0;
    if (chance < 0.3) return pick(fraction, this.#ledger.nextContents);
    return this.#ledger.nextContents++;
  }

  async #put(
    client: BareClient,
    draft: Draft,
    put: { snapshotId: string; blockIndex: number; contents: number },
  ): Promise<void> {
    const { snapshotId, blockIndex, contents } = put;
    const fate = draft.fates.get(blockIndex) ?? { acknowledged: undefined, maybe: [], life: 0 };
    draft.fates.set(blockIndex, fate);
    fate.maybe.push(contents);
    await client.put(snapshotId, blockIndex, blockContents(contents));
    this.#ledger.acknowledgedCount += 1;
    fate.acknowledged = contents;
    fate.maybe = [];
    fate.life = this.#ledger.life;
  }

  async #complete(client: BareClient, draft: Draft, snapshotId: string): Promise<void> {
    if (!draft.completion) {
      for (const [blockIndex, { acknowledged, maybe }] of draft.fates) {
        if (acknowledged !== undefined) continue;
        // Unanswered and repeated: with one set of contents at a time there is one `maybe`.
        await this.#put(client, draft, {
          snapshotId,
          blockIndex,
          contents: maybe.at(-1) as number,
        });
      }
      draft.completion = { count: draft.fates.size, checksum: linearChecksum(draft.fates) };
    }
    const { count, checksum } = draft.completion;
    for (;;) {
      const status = await client.complete(snapshotId, count, checksum);
      if (status === "completed") break;
      if (status === "error") {
        const what = `${count} blocks and checksum ${checksum}`;
        this.#ledger.violations.push(`${snapshotId} did not complete with ${what}`);
        this.#draft = this.#newDraft(undefined);
        return;
      }
    }
    const finished = this.#finished(draft, snapshotId);
    const inherited = [...finished.visible.keys()].filter(() => this.#ledger.fraction() < 0.05);
    this.#unverified = { finished, left: [...new Set([...finished.own, ...inherited])] };
    this.#ledger.finished.push(finished);
    this.#draft = this.#newDraft(finished.generation < 4 ? finished : undefined);
  }

  /** The next few blocks of what was completed last, so that a kill costs only those. */
  async #verifySome(
    client: BareClient,
    { finished, left }: { finished: Finished; left: number[] },
  ): Promise<void> {
    const some = left.slice(-8);
    await verify(client, this.#ledger, { finished, blockIndexes: some });
    left.length -= some.length;
    if (left.length === 0) this.#unverified = undefined;
  }

  #finished({ parent, fates }: Draft, snapshotId: string): Finished {
    const visible = new Map<number, readonly number[]>(parent?.visible);
    for (const [blockIndex, { acknowledged, maybe }] of fates) {
      visible.set(blockIndex, [acknowledged as number, ...maybe]);
    }
    const generation = (parent?.generation ?? 0) + 1;
    return { snapshotId, visible, own: [...fates.keys()], generation };
  }
}

const digests = new Map<number, Buffer>();

/** SHA-256 of a block's contents, calculated once. */
function digestOf(contents: number): Buffer {
  const digest = digests.get(contents) ?? hash("sha256", blockContents(contents), "buffer");
  digests.set(contents, digest);
  return digest;
}

/** SHA-256 of the digests in order of block index; undefined where one is not certain. */
function linearChecksum(fates: ReadonlyMap<number, Fate>): string | undefined {
  const aggregate = createHash("sha256");
  for (const [, { acknowledged, maybe }] of [...fates].sort(([a], [b]) => a - b)) {
    if (maybe.length > 0) return undefined;
    aggregate.update(digestOf(acknowledged as number));
  }
  return aggregate.digest("base64");
}

/**
 * Compares a completed snapshot with what was acknowledged: exactly the right block indexes, and
 * the bytes of some of them.
 */
export async function verify(
  client: BareClient,
  ledger: Ledger,
  { finished, blockIndexes }: { finished: Finished; blockIndexes: readonly number[] },
): Promise<void> {
  const { snapshotId, visible } = finished;
  const tokens = await listAll(client, snapshotId);
  const missing = [...visible.keys()].filter((blockIndex) => !tokens.has(blockIndex));
  const surplus = [...tokens.keys()].filter((blockIndex) => !visible.has(blockIndex));
  if (missing.length > 0) ledger.violations.push(`${snapshotId} lost blocks ${missing}`);
  if (surplus.length > 0) ledger.violations.push(`${snapshotId} gained blocks ${surplus}`);
  for (const blockIndex of blockIndexes) {
    const token = tokens.get(blockIndex);
    if (token === undefined) continue;
    const bytes = await client.get(snapshotId, blockIndex, token);
    ledger.checkedCount += 1;
    const right = visible.get(blockIndex) ?? [];
    if (right.some((contents) => Buffer.compare(blockContents(contents), bytes) === 0)) continue;
    ledger.violations.push(`Block ${blockIndex} of ${snapshotId} holds none of ${right}`);
  }
}

async function listAll(client: BareClient, snapshotId: string): Promise<Map<number, string>> {
  const tokens = new Map<number, string>();
  for (let pageToken: string | undefined; ; ) {
    const page = await client.list(snapshotId, pageToken);
    for (const { BlockIndex, BlockToken } of page.Blocks) tokens.set(BlockIndex, BlockToken);
    pageToken = page.NextToken ?? undefined;
    if (pageToken === undefined) return tokens;
  }
}
