import { CONCURRENCY_DEFAULT } from "../../model/defaults.ts";
import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import { listSnapshotBlocks } from "../api/ebs-operations.ts";
import { deleteSnapshot, snapshotsOf } from "../api/ec2-operations.ts";
import { findLineages } from "../api/lineages.ts";
import { onceKnown, UNKNOWN_MS_MAX } from "../api/once-known.ts";
import type { Client } from "../call/client.ts";
import { CopyError, SnapshotStateError } from "../errors.ts";
import { type Comparison, compareSnapshots } from "../inspect/compare.ts";
import { type Copy, completedCopy, findCopies, sourceOf } from "./_copies.ts";
import { type CopyBase, findBase, type SourceView } from "./_copy-base.ts";
import { type BegunWith, CopyLog } from "./_copy-log.ts";
import type { CopyOptions, CopyResult } from "./_copy-options.ts";
import { listsChecksums, planCopy } from "./_copy-plan.ts";
import { startCopy, stateOf } from "./_copy-start.ts";
import { CopyTransfer } from "./_copy-transfer.ts";

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
  readonly #destination: Client;
  readonly #copies: Map<string, Copy[]>;
  readonly #options: CopyOptions;
  /** Copies that this run has completed: the destination may not know of them everywhere. */
  readonly #fresh = new Set<string>();

  private constructor(
    parts: { view: SourceView; destination: Client; copies: Map<string, Copy[]> },
    options: CopyOptions,
  ) {
    this.view = parts.view;
    this.#destination = parts.destination;
    this.#copies = parts.copies;
    this.#options = options;
  }

  /** Looks at both sides. */
  static async open(source: Client, destination: Client, options: CopyOptions): Promise<CopyRun> {
    const { signal } = options;
    const snapshots = new Map<string, SnapshotDescription>();
    const own = { OwnerIds: ["self"], MaxResults: 1_000 };
    for await (const each of snapshotsOf(source, own, { signal })) {
      snapshots.set(each.SnapshotId, each);
    }
    const lineages = await findLineages(source, { signal });
    const copies = await findCopies(destination, { signal });
    const view = { client: source, snapshots, lineages };
    return new CopyRun({ view, destination, copies }, options);
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
    await this.#onceReadable(snapshot);
    const log = await CopyLog.open(this.#options.stateFolder, snapshot, this.#destination);
    const { snapshotId, base, counts } = await this.#carryOut(snapshot, log).catch(
      async (error: unknown) => {
        await log.close();
        throw error;
      },
    );
    await log.remove();
    this.#remember(snapshot, snapshotId);
    const verification = await this.#verify(sourceSnapshotId, snapshotId);
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    return { ...common, outcome: "copied", snapshotId, ...base, ...counts, verification, seconds };
  }

  /** Begins a copy or goes on with it, and completes it. */
  async #carryOut(snapshot: SnapshotDescription, log: CopyLog) {
    const earlier = log.begun && (await this.#resume(log.begun));
    const begun = earlier ?? (await this.#begin(snapshot, log));
    const counts = begun.isCompleted ? NOTHING : await this.#transfer(snapshot, { begun, log });
    return { ...begun, counts };
  }

  async #begin(snapshot: SnapshotDescription, log: CopyLog): Promise<BegunCopy> {
    const base = await this.#findBase(snapshot);
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
      baseSnapshotId === undefined ||
      this.view.snapshots.get(baseSnapshotId)?.State === "completed";
    if (!isCompleted && !isBaseThere) return undefined;
    const base = parentSnapshotId === undefined ? undefined : { parentSnapshotId, baseSnapshotId };
    return { snapshotId, base, isCompleted };
  }

  async #findBase(snapshot: SnapshotDescription): Promise<CopyBase | undefined> {
    const { signal } = this.#options;
    const base = await findBase(this.view, { copies: this.#copies, snapshot }, { signal });
    if (!base || base.baseSnapshotId !== undefined) return base;
    // Its original is gone, so both sides have to tell checksums.
    const sides = [
      [this.view.client, snapshot.SnapshotId],
      [this.#destination, base.parentSnapshotId],
    ] as const;
    for (const [client, id] of sides) {
      if (!(await listsChecksums(client, id, { signal }))) return undefined;
    }
    return base;
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

  async #verify(sourceSnapshotId: string, snapshotId: string): Promise<Comparison | undefined> {
    const { verify = false, signal, concurrency } = this.#options;
    if (!verify) return undefined;
    const { clock } = this.#destination;
    const first = { client: this.view.client, snapshotId: sourceSnapshotId };
    const second = { client: this.#destination, snapshotId };
    const endMs = this.#fresh.has(snapshotId) ? clock.monotonicMs() + UNKNOWN_MS_MAX : 0;
    return onceKnown(this.#destination, { endMs, signal }, () =>
      compareSnapshots(first, second, { signal, concurrency }),
    );
  }

  #remember(snapshot: SnapshotDescription, snapshotId: string): void {
    const source = sourceOf(this.view.client, snapshot);
    const copied = { ...snapshot, SnapshotId: snapshotId, State: "completed" };
    const copy = { sourceSnapshotId: snapshot.SnapshotId, source, snapshot: copied };
    this.#copies.set(snapshot.SnapshotId, [copy, ...(this.#copies.get(snapshot.SnapshotId) ?? [])]);
    this.#fresh.add(snapshotId);
  }

  /** AWS does not know at once how to read what was completed just now. */
  async #onceReadable({ SnapshotId, StartTime, CompletionTime }: SnapshotDescription) {
    const { client } = this.view;
    const { signal } = this.#options;
    const ageMs = client.clock.nowMs() - Date.parse(CompletionTime ?? StartTime);
    if (ageMs > UNKNOWN_MS_MAX) return;
    const endMs = client.clock.monotonicMs() + UNKNOWN_MS_MAX;
    await onceKnown(client, { endMs, signal }, () =>
      listSnapshotBlocks(client, SnapshotId, { MaxResults: 100 }, { signal }),
    );
  }
}

function checkCompleted({ SnapshotId: sourceSnapshotId, State }: SnapshotDescription): void {
  if (State === "completed") return;
  const message = `The snapshot ${sourceSnapshotId} is in the state ${State}.`;
  const next = State === "pending" ? `Wait for it with: varve wait ${sourceSnapshotId}` : "";
  const aftermath = `Only a completed one can be copied. ${next}`.trim();
  throw new CopyError(message, { sourceSnapshotId, aftermath });
}
