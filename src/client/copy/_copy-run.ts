import { CONCURRENCY_DEFAULT } from "../../model/defaults.ts";
import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import { listSnapshotBlocks } from "../api/ebs-operations.ts";
import { deleteSnapshot, snapshotsOf } from "../api/ec2-operations.ts";
import { findLineages } from "../api/lineages.ts";
import { isJustCompleted, onceReadable } from "../api/once-known.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { CopyError, isSnapshotNotFound, SnapshotStateError } from "../errors.ts";
import { type Comparison, compareSnapshots } from "../inspect/compare.ts";
import { type Copy, completedCopy, findCopies, sourceOf } from "./_copies.ts";
import { type CopyBase, findBase, type SourceView } from "./_copy-base.ts";
import { type BegunWith, CopyLog } from "./_copy-log.ts";
import type { CopyOptions, CopyResult } from "./_copy-options.ts";
import { listsChecksums, planCopy } from "./_copy-plan.ts";
import { startCopy } from "./_copy-start.ts";
import { CopyTransfer } from "./_copy-transfer.ts";
import { isGone, stateOf } from "./_snapshot-state.ts";

/** What a copy takes that is there already. */
const NOTHING = { blocksSent: 0, blocksResumed: 0, blocksReceived: 0, bytesSent: 0 };

/** A copy that is begun, by this run or by an earlier one. */
interface BegunCopy {
  readonly snapshotId: string;
  readonly base: CopyBase | undefined;
  /** True when all that is left to do is to tell of it. */
  readonly isCompleted: boolean;
}

/** Copies snapshots of one source to one destination, one after another. */
export class CopyRun {
  readonly view: SourceView;
  readonly #snapshots: Map<string, SnapshotDescription>;
  readonly #destination: Client;
  readonly #copies: Map<string, Copy[]>;
  readonly #options: CopyOptions;
  /** Copies that this run has completed: the destination may not know of them everywhere. */
  readonly #fresh = new Set<string>();

  private constructor(
    parts: {
      readonly view: SourceView;
      readonly snapshots: Map<string, SnapshotDescription>;
      readonly destination: Client;
      readonly copies: Map<string, Copy[]>;
    },
    options: CopyOptions,
  ) {
    this.view = parts.view;
    this.#snapshots = parts.snapshots;
    this.#destination = parts.destination;
    this.#copies = parts.copies;
    this.#options = options;
  }

  /**
   * Looks at both sides, at the destination first: what is copied meanwhile is not seen there then,
   * and no copy is seen whose original was not there yet when the source was asked.
   */
  static async open(source: Client, destination: Client, options: CopyOptions): Promise<CopyRun> {
    const { signal } = options;
    const copies = await findCopies(destination, { signal });
    const snapshots = new Map<string, SnapshotDescription>();
    const own = { OwnerIds: ["self"], MaxResults: 1_000 };
    for await (const each of snapshotsOf(source, own, { signal })) {
      snapshots.set(each.SnapshotId, each);
    }
    const lineages = await findLineages(source, { signal });
    const view = { client: source, snapshots, lineages };
    return new CopyRun({ view, snapshots, destination, copies }, options);
  }

  /** The copies that the destination had, and those that this run has made. */
  get copies(): ReadonlyMap<string, readonly Copy[]> {
    return this.#copies;
  }

  get #call() {
    return { signal: this.#options.signal };
  }

  /** Copies a snapshot, unless there is a completed copy of it. */
  async copy(snapshot: SnapshotDescription): Promise<CopyResult> {
    const { clock } = this.#destination;
    const startedMs = clock.monotonicMs();
    const { SnapshotId: sourceSnapshotId, VolumeSize: volumeSizeGib } = snapshot;
    const known = completedCopy(this.#copies, sourceSnapshotId);
    const noBase = { parentSnapshotId: undefined, baseSnapshotId: undefined };
    const common = { sourceSnapshotId, volumeSizeGib, ...noBase, ...NOTHING };
    if (known) {
      const { SnapshotId: snapshotId } = known;
      const verification = await this.#verify(sourceSnapshotId, snapshotId);
      const seconds = (clock.monotonicMs() - startedMs) / 1000;
      return {
        ...common,
        snapshotId,
        outcome: "there",
        verification,
        seconds,
      };
    }
    checkCompleted(snapshot);
    const log = await CopyLog.open(this.#options.stateFolder, snapshot, this.#destination);
    const { snapshotId, base, counts } = await this.#carryOut(snapshot, log).catch(
      async (error: unknown) => {
        const isLost = error instanceof CopyError && error.isSourceGone;
        await (isLost ? log.remove() : log.close());
        throw error;
      },
    );
    await log.remove();
    this.#remember(snapshot, snapshotId);
    const verification = await this.#verify(sourceSnapshotId, snapshotId);
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    return { ...common, outcome: "copied", snapshotId, ...base, ...counts, verification, seconds };
  }

  /** Begins a copy or goes on with it, and completes it; anew where its base was deleted since. */
  async #carryOut(snapshot: SnapshotDescription, log: CopyLog) {
    for (;;) {
      let base: CopyBase | undefined;
      try {
        await this.#onceReadable(snapshot);
        const earlier = log.begun && (await this.#resume(log.begun));
        if (!earlier) await this.#discardUnfinished(log);
        base = earlier ? earlier.base : await this.#findBase(snapshot);
        const begun = earlier ?? (await this.#begin(snapshot, { base, log }));
        const counts = begun.isCompleted ? NOTHING : await this.#transfer(snapshot, { begun, log });
        return { ...begun, counts };
      } catch (error) {
        await this.#passOverGone(error, { snapshot, base, log });
      }
    }
  }

  /**
   * Finds out what a "not found" is about. Where it is the base, that is forgotten and the copy can
   * be begun anew; else throws, also for a snapshot that is gone itself.
   */
  async #passOverGone(
    error: unknown,
    {
      snapshot,
      base,
      log,
    }: {
      readonly snapshot: SnapshotDescription;
      readonly base: CopyBase | undefined;
      readonly log: CopyLog;
    },
  ): Promise<void> {
    const cause = error instanceof CopyError ? error.cause : error;
    if (!isSnapshotNotFound(cause)) throw error;
    const { SnapshotId: sourceSnapshotId } = snapshot;
    if (await this.#isGone(this.view.client, sourceSnapshotId)) {
      this.#snapshots.delete(sourceSnapshotId);
      const left = await this.#discardUnfinished(log);
      const aftermath = `It was deleted at the source meanwhile, and is not copied. ${left}`.trim();
      throw new CopyError(cause, { sourceSnapshotId, aftermath, isSourceGone: true });
    }
    const gone = base && (await this.#forgetGone(base));
    if (gone === undefined) throw error;
    const left = await this.#discardUnfinished(log);
    const message = `The copy of ${sourceSnapshotId} begins anew: ${gone} was deleted. ${left}`;
    this.#options.onNote?.({ event: "begun-anew", message: message.trim() });
  }

  /** Forgets of a base what is gone at either side, and names it; undefined where nothing is. */
  async #forgetGone({ parentSnapshotId, baseSnapshotId }: CopyBase): Promise<string | undefined> {
    const { client } = this.view;
    if (baseSnapshotId !== undefined && (await this.#isGone(client, baseSnapshotId))) {
      return this.#snapshots.delete(baseSnapshotId) ? baseSnapshotId : undefined;
    }
    if (!(await this.#isGone(this.#destination, parentSnapshotId))) return undefined;
    for (const [id, copies] of this.#copies) {
      const left = copies.filter(({ snapshot }) => snapshot.SnapshotId !== parentSnapshotId);
      if (left.length === copies.length) continue;
      this.#copies.set(id, left);
      return parentSnapshotId;
    }
    return undefined;
  }

  /** Where it cannot be found out, what was said first counts. */
  async #isGone(client: Client, snapshotId: string): Promise<boolean> {
    return isGone(client, snapshotId, this.#call).catch(() => false);
  }

  /** Deletes the unfinished copy that the log tells of, and says so. */
  async #discardUnfinished({ begun }: CopyLog): Promise<string> {
    if (begun === undefined) return "";
    const { snapshotId } = begun;
    try {
      const state = await stateOf(this.#destination, snapshotId, this.#call);
      if (state !== "pending" && state !== "error") return "";
      await deleteSnapshot(this.#destination, snapshotId, { attemptsMax: 2 });
      return `The unfinished copy ${snapshotId} was deleted.`;
    } catch {
      return `The unfinished copy ${snapshotId} could not be deleted; delete it yourself.`;
    }
  }

  async #begin(
    snapshot: SnapshotDescription,
    parts: { readonly base: CopyBase | undefined; readonly log: CopyLog },
  ): Promise<BegunCopy> {
    const { log } = parts;
    const base = (await this.#isComparable(snapshot, parts.base)) ? parts.base : undefined;
    const start = {
      source: this.view.client,
      destination: this.#destination,
      snapshot,
      base,
      encryption: this.#options,
      attempt: log.begun ? log.begun.attempt + 1 : 0,
      isParentNew: base !== undefined && this.#fresh.has(base.parentSnapshotId),
    };
    const { snapshotId, attempt, state } = await startCopy(start, this.#call);
    await log.noteBegun({ ...base, snapshotId, attempt });
    return { snapshotId, base, isCompleted: state === "completed" };
  }

  /** The copy that a log tells of, if it and what it was begun with are still there. */
  async #resume(begun: BegunWith): Promise<BegunCopy | undefined> {
    const { snapshotId, parentSnapshotId, baseSnapshotId } = begun;
    const state = await stateOf(this.#destination, snapshotId, this.#call);
    if (state !== "pending" && state !== "completed") return undefined;
    const isCompleted = state === "completed";
    const isBaseThere =
      baseSnapshotId === undefined || this.#snapshots.get(baseSnapshotId)?.State === "completed";
    if (!isCompleted && !isBaseThere) return undefined;
    const base = parentSnapshotId === undefined ? undefined : { parentSnapshotId, baseSnapshotId };
    return { snapshotId, base, isCompleted };
  }

  #findBase(snapshot: SnapshotDescription): Promise<CopyBase | undefined> {
    return findBase(this.view, { copies: this.#copies, snapshot }, this.#call);
  }

  /** False where the original of a base is gone, and not both sides tell checksums instead. */
  async #isComparable(snapshot: SnapshotDescription, base: CopyBase | undefined): Promise<boolean> {
    if (!base || base.baseSnapshotId !== undefined) return true;
    const sides = [
      [this.view.client, snapshot.SnapshotId],
      [this.#destination, base.parentSnapshotId],
    ] as const;
    for (const [client, id] of sides) {
      if (!(await listsChecksums(client, id, this.#call))) return false;
    }
    return true;
  }

  async #transfer(
    snapshot: SnapshotDescription,
    { begun, log }: { readonly begun: BegunCopy; readonly log: CopyLog },
  ) {
    const { concurrency = CONCURRENCY_DEFAULT, completionTimeoutMs, onProgress } = this.#options;
    const { signal } = this.#options;
    const { snapshotId, base } = begun;
    const { SnapshotId: sourceSnapshotId, VolumeSize: volumeSizeGib } = snapshot;
    const [source, destination] = [this.view.client, this.#destination];
    const common = { parentSnapshotId: undefined, baseSnapshotId: undefined };
    const ends = { ...common, ...base, source, destination };
    const plan = planCopy({ ...ends, snapshotId: sourceSnapshotId }, { signal });
    const transfer = new CopyTransfer({
      source,
      destination,
      sourceSnapshotId,
      snapshotId,
      volumeSizeGib,
      log,
      concurrency,
      completionTimeoutMs,
      onProgress,
      signal,
    });
    try {
      await transfer.run(plan);
    } catch (cause) {
      const aftermath = await this.#clearAway(cause, snapshotId);
      throw new CopyError(cause, { sourceSnapshotId, snapshotId, aftermath });
    }
    const { blocksSent, blocksResumed, blocksReceived, bytesSent } = transfer.progress();
    return { blocksSent, blocksResumed, blocksReceived, bytesSent };
  }

  /** Keeps what the same command can go on with, and deletes what it cannot. */
  async #clearAway(cause: unknown, snapshotId: string): Promise<string> {
    const isLost = cause instanceof SnapshotStateError && cause.state === "error";
    if (!isLost) return `What is done is kept in ${snapshotId}: go on with the same command.`;
    try {
      await deleteSnapshot(this.#destination, snapshotId, { attemptsMax: 2 });
      return `The copy ${snapshotId} was deleted; the same command makes another one.`;
    } catch {
      return `The copy ${snapshotId} could not be deleted; delete it yourself.`;
    }
  }

  /** Undefined where it is not asked for, and where the original is gone by now. */
  async #verify(sourceSnapshotId: string, snapshotId: string): Promise<Comparison | undefined> {
    const { verify = false, signal, concurrency } = this.#options;
    if (!verify) return undefined;
    const [source, destination] = [this.view.client, this.#destination];
    try {
      if (this.#fresh.has(snapshotId)) {
        const copy = { snapshotIds: [snapshotId], isNew: true, signal };
        await onceReadable(destination, copy, () => firstPage(destination, snapshotId, this.#call));
      }
      const first = { client: source, snapshotId: sourceSnapshotId };
      const second = { client: destination, snapshotId };
      return await compareSnapshots(first, second, { signal, concurrency });
    } catch (cause) {
      if (!isSnapshotNotFound(cause)) throw cause;
      if (!(await this.#isGone(source, sourceSnapshotId))) throw cause;
      const message =
        `The copy ${snapshotId} is complete, and was not compared with its original ` +
        `${sourceSnapshotId}, which was deleted meanwhile.`;
      this.#options.onNote?.({ event: "not-compared", message });
      return undefined;
    }
  }

  #remember(snapshot: SnapshotDescription, snapshotId: string): void {
    const source = sourceOf(this.view.client, snapshot);
    const copied = { ...snapshot, SnapshotId: snapshotId, State: "completed" };
    const copy = { sourceSnapshotId: snapshot.SnapshotId, source, snapshot: copied };
    this.#copies.set(snapshot.SnapshotId, [copy, ...(this.#copies.get(snapshot.SnapshotId) ?? [])]);
    this.#fresh.add(snapshotId);
  }

  /** AWS does not know at once how to read what was completed just now. */
  async #onceReadable(snapshot: SnapshotDescription): Promise<void> {
    const { client } = this.view;
    if (!isJustCompleted(client, snapshot)) return;
    const { SnapshotId } = snapshot;
    const reading = { snapshotIds: [SnapshotId], ...this.#call };
    await onceReadable(client, reading, () => firstPage(client, SnapshotId, this.#call));
  }
}

function firstPage(client: Client, snapshotId: string, options: CallOptions) {
  return listSnapshotBlocks(client, snapshotId, { MaxResults: 100 }, options);
}

function checkCompleted({ SnapshotId: sourceSnapshotId, State }: SnapshotDescription): void {
  if (State === "completed") return;
  const message = `The snapshot ${sourceSnapshotId} is in the state ${State}.`;
  const next = State === "pending" ? `Wait for it with: varve wait ${sourceSnapshotId}` : "";
  const aftermath = `Only a completed one can be copied. ${next}`.trim();
  throw new CopyError(message, { sourceSnapshotId, aftermath });
}
