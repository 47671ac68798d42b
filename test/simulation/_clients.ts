import assert from "node:assert/strict";
import { digestOf } from "../../src/blocks/hash.ts";
import { checksumOf } from "../../src/model/digest.ts";
import { CorruptionError, ServiceError } from "../../src/model/errors.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import { TIMEOUT_MINUTES_DEFAULT } from "../../src/model/limits.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import { copySnapshot } from "../../src/snapshots/copy-snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { getSnapshotBlock } from "../../src/snapshots/get-snapshot-block.ts";
import { listChangedBlocks } from "../../src/snapshots/list-changed-blocks.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { ACCOUNT, NO_OPTIONS } from "../model/drivers.ts";
import { blockContents, pick } from "../support/property.ts";
import { isExcused } from "./_excuses.ts";
import type { Machine } from "./_machine.ts";
import type { Oracle, Told } from "./_oracle.ts";
import type { Life } from "./_scheduler.ts";

/** Around the border of two leaves. */
const INDEXES = [0, 1, 511, 512];
/** Few contents, so that what one needs is what another gives up; 0 is zeros, 7 fills 512 KiB. */
export const CONTENTS = [0, 1, 2, 3, 4, 7].map((number) => {
  const bytes = blockContents(number);
  return { bytes, checksum: checksumOf(digestOf(bytes)) };
});
const LARGE = CONTENTS.length - 1;
/** How often a request is repeated that got no answer. */
const ATTEMPTS_MAX = 12;
const RETRY_MS = 700;
const POLLS_MAX = 60;
const POLL_MS = 1_500;
const PAGE = { maxResults: 10_000, startingBlockIndex: undefined, nextToken: undefined };
/** What a caller waits at most, in some runs; the service goes on with what it has begun. */
const PATIENCE_MS = 6;

const FRESH = { isUnclear: false, isAsked: false, completedMs: 0, deletedMs: 0 };

/** How a request ended, as far as its caller knows. */
type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  /** Says that there is no such snapshot. */
  | { readonly kind: "absent" }
  /** Says that its state does not allow that. */
  | { readonly kind: "refused"; readonly message: string }
  /** No answer, or one that says that something went wrong. */
  | { readonly kind: "unknown"; readonly error: Error | undefined };

/** Contents to put, and those of earlier puts there whose answers nobody waited for. */
interface Put {
  readonly contents: number;
  readonly underWay: Map<object, number>;
}

/** What callers act on, and what they know of it together. */
export interface World {
  readonly machine: Machine;
  readonly oracle: Oracle;
}

/** One caller: its requests, some of them at once, and what it makes of the answers. */
export class Client {
  readonly #name: string;
  readonly #machine: Machine;
  readonly #oracle: Oracle;
  readonly #life: Life = { isOver: false };
  readonly #impatience: number;
  #count = 0;

  constructor(name: string, world: World, isPatient = false) {
    this.#name = name;
    this.#machine = world.machine;
    this.#oracle = world.oracle;
    this.#impatience = !isPatient && this.#fraction() < 0.3 ? 0.3 : 0;
  }

  /** So many steps drawn from the seed, with pauses. */
  async run(stepCount: number): Promise<void> {
    for (let i = 0; i < stepCount; i++) {
      await this.#step();
      await this.#pause();
    }
  }

  /** Mostly short, sometimes many times as long. */
  #pause(): Promise<void> {
    return this.#machine.scheduler.wait(this.#life, 10 ** (1 + 3.6 * this.#fraction()));
  }

  async #step(): Promise<void> {
    const drawn = this.#fraction();
    if (drawn < 0.45) await this.#write();
    else if (drawn < 0.62) await this.#deleteAny();
    else if (drawn < 0.8) await this.#readAny();
    else if (drawn < 0.9) await this.#diffAny();
    else await this.#copyAny();
  }

  #fraction(): number {
    return this.#machine.scheduler.fraction();
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[pick(this.#machine.scheduler.fraction, list.length)];
  }

  /**
   * Sends a request to the process that runs, which may end before it answers. `needs` are the
   * snapshots that have to stay for as long as it takes.
   */
  async #request<T>(
    what: string,
    work: (core: Core) => Promise<T>,
    needs: readonly Told[] = [],
  ): Promise<Outcome<T>> {
    const { scheduler } = this.#machine;
    await scheduler.turn(this.#life);
    const process = await this.#machine.running();
    const working = work(process.core).then(
      (value) => ({ kind: "done", value }) as const,
      (error: Error) => outcomeOf(error),
    );
    const nothing = { kind: "unknown", error: undefined } as const;
    const ends: Promise<Outcome<T>>[] = [working, process.died.then(() => nothing)];
    if (scheduler.chance(this.#impatience)) {
      ends.push(scheduler.wait(this.#life, this.#fraction() * PATIENCE_MS).then(() => nothing));
    }
    const outcome = await Promise.race(ends);
    this.#machine.checkBackground();
    scheduler.note(`${this.#name} ${what}: ${outcome.kind}`);
    if (outcome.kind === "unknown") this.#checkExcused(outcome.error, what, needs);
    else this.#oracle.acknowledged += 1;
    return outcome;
  }

  /** Nothing fails for no reason; nothing is damaged where no bit changed, or ever missing. */
  #checkExcused(error: Error | undefined, what: string, needs: readonly Told[]): void {
    if (!error || isExcused(error, this.#machine)) return;
    // Where the grace is short, what was deleted meanwhile may be collected before it is read.
    const isGone = needs.some(({ deletion }) => deletion !== "none");
    if (isGone && error instanceof CorruptionError) return;
    throw new Error(`${what} failed for no reason`, { cause: error });
  }

  /** Repeats a request until there is an answer; undefined where there is none for long. */
  async #insist<T>(
    what: string,
    work: (core: Core) => Promise<T>,
  ): Promise<Exclude<Outcome<T>, { kind: "unknown" }> | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const outcome = await this.#request(what, work);
      if (outcome.kind !== "unknown") return outcome;
      await this.#machine.scheduler.wait(this.#life, RETRY_MS * (1 + attempt) * this.#fraction());
    }
    return undefined;
  }

  /** A snapshot from its start to, mostly, its completion; often the same as one that was. */
  async #write(): Promise<void> {
    const known = this.#oracle.told.filter(({ state }) => state === "completed");
    const twin = this.#fraction() < 0.3 ? this.#pick(known) : undefined;
    const isChild = !twin && this.#fraction() < 0.5;
    const parent = isChild ? this.#pick(this.#known("completed")) : undefined;
    const told = await this.#start(parent);
    if (!told) return;
    if (parent?.deletion === "none" && this.#fraction() < 0.2) {
      // Which have to leave what the child inherits.
      await this.delete(parent);
      await this.#waitForCollections();
    }
    told.isUnclear = !(await this.#putAll(told, twin ? allOf(twin) : this.#someWrites()));
    // The same for what was acknowledged, and is in no tree yet.
    if (this.#fraction() < 0.15) await this.#waitForCollections();
    if (told.isUnclear || this.#fraction() < 0.1) return;
    await this.complete(told);
  }

  /** Mostly long enough for some. */
  #waitForCollections(): Promise<void> {
    return this.#machine.scheduler.wait(this.#life, 20_000 * this.#fraction());
  }

  async #start(parent: Told | undefined): Promise<Told | undefined> {
    const name = `${this.#name}-${++this.#count}`;
    const isEncrypted = parent ? parent.isEncrypted : this.#fraction() < 0.15;
    const input = {
      ...{ volumeSizeGib: 1, parentSnapshotId: parent?.id, tags: [], ...NO_OPTIONS },
      clientToken: name,
      encrypted: isEncrypted && !parent ? true : undefined,
    };
    const [activeMs, expiresAtMs] = this.#timeout();
    const start = () =>
      this.#insist(`start ${name}`, (core) => startSnapshot(core, ACCOUNT, input));
    const started = await start();
    if (!started) return undefined;
    if (started.kind === "absent") {
      assert.ok(parent && parent.deletion !== "none", `the parent of ${name} is said to be absent`);
      return undefined;
    }
    assert.ok(started.kind === "done", `start ${name}: ${JSON.stringify(started)}`);
    const told: Told = {
      ...{ name, parent, lineage: parent?.lineage ?? {}, isEncrypted, id: started.value.id },
      ...{ blocks: new Map(parent?.blocks), written: new Set(), state: "pending" },
      ...{ outcome: undefined, activeMs, expiresAtMs, deletion: "none", ...FRESH },
    };
    this.#oracle.told.push(told);
    if (this.#fraction() > 0.1) return told;
    const again = await start();
    const id = again?.kind === "done" ? again.value.id : told.id;
    assert.ok(id === told.id || told.deletion !== "none", `${name} was started twice`);
    return told;
  }

  /** When what is sent now may time out at the earliest. */
  #timeout(): [activeMs: number, expiresAtMs: number] {
    const { scheduler } = this.#machine;
    return [scheduler.nowMs, scheduler.wallMs + TIMEOUT_MINUTES_DEFAULT * 60_000];
  }

  /** Block indexes, and the first contents to put there. */
  #someWrites(): Map<number, number> {
    const { fraction } = this.#machine.scheduler;
    const count = 1 + pick(fraction, 4);
    const indexes = Array.from({ length: count }, () => this.#pick(INDEXES) as number);
    return new Map(indexes.map((blockIndex) => [blockIndex, this.#someContents()]));
  }

  #someContents(): number {
    return this.#fraction() < 0.02 ? LARGE : pick(this.#machine.scheduler.fraction, LARGE);
  }

  /** Puts blocks at once, some of them twice; false where no answer came, or none is taken. */
  async #putAll(told: Told, writes: ReadonlyMap<number, number>): Promise<boolean> {
    const puts = [...writes].map(async ([blockIndex, contents]) => {
      const underWay = new Map<object, number>();
      const isTwice = this.#fraction() < 0.1;
      const before = { contents: this.#someContents(), underWay };
      if (isTwice && !(await this.#put(told, blockIndex, before))) return false;
      return this.#put(told, blockIndex, { contents, underWay });
    });
    return (await Promise.all(puts)).every((isDone) => isDone);
  }

  /** Puts one block; where no answer comes, perhaps with other contents. */
  async #put(told: Told, blockIndex: number, wanted: Put): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const isOther = attempt > 0 && this.#fraction() < 0.5;
      const contents = isOther ? this.#someContents() : wanted.contents;
      const outcome = await this.#putOnce(told, blockIndex, { ...wanted, contents });
      if (outcome === "done") return true;
      if (outcome === "refused") return false;
      await this.#machine.scheduler.wait(this.#life, RETRY_MS * (1 + attempt) * this.#fraction());
    }
    return false;
  }

  async #putOnce(
    told: Told,
    blockIndex: number,
    { contents, underWay }: Put,
  ): Promise<"done" | "refused" | "unknown"> {
    const [activeMs, expiresAtMs] = this.#timeout();
    told.blocks.set(blockIndex, new Set([...(told.blocks.get(blockIndex) ?? []), contents]));
    const attempted = {};
    underWay.set(attempted, contents);
    const forget = () => void underWay.delete(attempted);
    const outcome = await this.#request(`put ${told.name} ${blockIndex} ${contents}`, (core) => {
      const putting = put(core, told.id as string, { blockIndex, contents });
      putting.then(forget, forget);
      return putting;
    });
    if (outcome.kind === "unknown") return "unknown";
    if (outcome.kind !== "done") {
      this.#checkNotWritten(told, outcome);
      return "refused";
    }
    // What nobody waited for and has not ended may still come, but nothing from before.
    told.blocks.set(blockIndex, new Set([contents, ...underWay.values()]));
    told.written.add(blockIndex);
    [told.activeMs, told.expiresAtMs] = [activeMs, expiresAtMs];
    return "done";
  }

  #checkNotWritten(told: Told, outcome: Outcome<unknown>): void {
    assert.equal(outcome.kind, "absent", `put into ${told.name}: ${JSON.stringify(outcome)}`);
    assert.ok(this.#mayBeGone(told), `${told.name}, which is pending, is said to be absent`);
  }

  /** True where it was deleted, or has had no write for as long as it takes and may be ended. */
  #mayBeGone(told: Told): boolean {
    if (told.deletion !== "none") return true;
    const isPending = told.state === "pending" || (told.state === "completing" && !told.isAsked);
    const latestMs = this.#machine.scheduler.latestWallMs(told.activeMs);
    return told.state === "error" || (isPending && latestMs >= told.expiresAtMs);
  }

  /** Has it completed, sometimes with a wrong count, and waits for how that ends. */
  async complete(told: Told): Promise<void> {
    const isWrong =
      told.outcome === "error" || (told.state === "pending" && this.#fraction() < 0.06);
    const changedBlocksCount = told.written.size + (isWrong ? 1 : 0);
    told.state = "completing";
    // Once it has been asked for, no other will be taken.
    told.outcome ??= isWrong ? "error" : "completed";
    const input = { snapshotId: told.id as string, changedBlocksCount, linearDigest: undefined };
    const asked = await this.#insist(`complete ${told.name}`, (core) =>
      completeSnapshot(core, ACCOUNT, input),
    );
    if (!asked) return;
    if (asked.kind === "absent") {
      assert.ok(told.deletion !== "none", `${told.name} is said to be absent`);
      return;
    }
    assert.ok(asked.kind === "done", `complete ${told.name}: ${JSON.stringify(asked)}`);
    // It may have timed out before; from any other answer on, it can no more.
    told.isAsked ||= asked.value !== "error";
    await this.awaitState(told);
  }

  /**
   * Looks up what its callers were not told: whether it was deleted, and which blocks a pending one
   * has. Those acknowledged are among them. For when nothing is under way any more.
   */
  async clarify(told: Told): Promise<void> {
    if (told.deletion === "done") return;
    const found = await this.#request(`what is known of ${told.name}`, (core) =>
      lookUp(core, told.id as SnapshotId),
    );
    assert.ok(found.kind === "done", `${told.name} cannot be looked up in good weather`);
    if (told.deletion === "maybe") {
      told.deletion = found.value ? "none" : "done";
      told.deletedMs = this.#machine.scheduler.nowMs;
    }
    if (told.deletion === "done") return;
    assert.ok(found.value, `${told.name} has vanished`);
    const { blocks } = found.value;
    if (blocks && told.isUnclear) this.#oracle.clarify(told, blocks);
  }

  /** Waits until a snapshot is completed, or has failed as it should. */
  async awaitState(told: Told): Promise<void> {
    for (let poll = 0; poll < POLLS_MAX; poll++) {
      const found = await this.#request(`state of ${told.name}`, (core) =>
        core.catalog.snapshots.get(told.id as SnapshotId),
      );
      if (found.kind === "done") {
        const state = found.value?.state;
        if (state === "completed" || state === "error") return this.#ended(told, state);
        const isThere = state !== undefined || told.deletion !== "none";
        assert.ok(isThere, `${told.name} has vanished`);
        assert.ok(state !== "pending" || !told.isAsked, `${told.name} is open again`);
        if (state === undefined) return;
      }
      await this.#machine.scheduler.wait(this.#life, POLL_MS * this.#fraction());
    }
  }

  #ended(told: Told, state: "completed" | "error"): void {
    const isTimedOut = state === "error" && told.state !== "copying" && this.#mayBeGone(told);
    if (!isTimedOut) {
      assert.equal(state, told.outcome ?? "completed", `${told.name} has ended in ${state}`);
    }
    told.state = state;
    told.completedMs = this.#machine.scheduler.nowMs;
  }

  #known(...states: Told["state"][]): Told[] {
    return this.#oracle.told.filter(({ id, state, deletion }) => {
      return id !== undefined && states.includes(state) && deletion === "none";
    });
  }

  async #readAny(): Promise<void> {
    const told = this.#pick(this.#known("completed"));
    if (told) await this.read(told);
  }

  /** Reads a completed snapshot, and compares it; true when it was read. */
  async read(told: Told): Promise<boolean> {
    const work = (core: Core) => readAll(core, told.id as string);
    const read = await this.#request(`read ${told.name}`, work, [told]);
    if (read.kind === "done") this.#checkBlocks(told, read.value);
    if (read.kind === "absent") {
      assert.ok(this.#mayBeGone(told), `${told.name}, which is completed, is said to be absent`);
    }
    assert.notEqual(read.kind, "refused", `read ${told.name}: ${JSON.stringify(read)}`);
    return read.kind === "done";
  }

  #checkBlocks(told: Told, blocks: ReadonlyMap<number, number | undefined>): void {
    this.#oracle.checkListing(told, [...blocks.keys()]);
    for (const [blockIndex, contents] of blocks) {
      this.#oracle.checkRead(told, blockIndex, contents);
    }
  }

  async #diffAny(): Promise<void> {
    const first = this.#pick(this.#known("completed"));
    const related = this.#known("completed").filter(({ lineage }) => lineage === first?.lineage);
    const second = this.#pick(related);
    if (!first || !second) return;
    const expected = this.#oracle.differences(first, second);
    const pair = { firstSnapshotId: first.id as string, secondSnapshotId: second.id as string };
    const work = (core: Core) => listChangedBlocks(core, ACCOUNT, { ...pair, ...PAGE });
    const found = await this.#request(`diff ${first.name} ${second.name}`, work, [first, second]);
    if (found.kind === "absent") {
      assert.ok(this.#mayBeGone(first) || this.#mayBeGone(second), "a pair is said to be absent");
    }
    if (found.kind !== "done" || !expected) return;
    const indexes = found.value.changedBlocks.map(({ blockIndex }) => blockIndex);
    assert.deepEqual(indexes, expected, `changes from ${first.name} to ${second.name}`);
  }

  async #copyAny(): Promise<void> {
    const source = this.#pick(this.#known("completed"));
    if (!source) return;
    const encrypted = this.#fraction() < 0.4 ? true : undefined;
    const input = {
      sourceSnapshotId: source.id as string,
      ...{ description: undefined, tags: [], kmsKeyId: undefined, encrypted },
    };
    const name = `${this.#name}-${++this.#count}`;
    const copied = await this.#request(`copy ${source.name} as ${name}`, (core) =>
      copySnapshot(core, ACCOUNT, input),
    );
    if (copied.kind !== "done") {
      assert.equal(copied.kind, "unknown", `copy: ${JSON.stringify(copied)}`);
      return;
    }
    const { value } = copied;
    if (typeof value !== "object") {
      const isExcused = value === undefined && source.deletion !== "none";
      assert.ok(isExcused, `${source.name}, which is completed, is ${value} to a copy`);
      return;
    }
    const isAtOnce = value.state === "completed";
    const told: Told = {
      ...{ name, parent: undefined, isEncrypted: source.isEncrypted || encrypted === true },
      ...{ lineage: isAtOnce ? source.lineage : {}, id: value.id, blocks: new Map(source.blocks) },
      ...{ written: new Set(), state: isAtOnce ? "completed" : "copying", outcome: "completed" },
      ...{ activeMs: 0, expiresAtMs: Number.MAX_SAFE_INTEGER, deletion: "none", ...FRESH },
    };
    told.completedMs = this.#machine.scheduler.nowMs;
    this.#oracle.told.push(told);
    if (!isAtOnce) await this.awaitState(told);
  }

  async #deleteAny(): Promise<void> {
    const told = this.#pick(this.#known("pending", "completed", "copying", "error"));
    if (told) await this.delete(told);
  }

  /** Deletes a snapshot; from the answer on it is gone. */
  async delete(told: Told): Promise<void> {
    const wasAsked = told.deletion !== "none";
    told.deletion = "maybe";
    this.#machine.hasDeleted = true;
    const deleted = await this.#request(`delete ${told.name}`, (core) =>
      deleteSnapshot(core, ACCOUNT, told.id as string),
    );
    if (deleted.kind !== "done") return;
    const isExcused = deleted.value === "deleted" || wasAsked;
    assert.ok(isExcused, `${told.name} is ${deleted.value} to a deletion`);
    told.deletion = "done";
    told.deletedMs = this.#machine.scheduler.nowMs;
    if (this.#fraction() < 0.3) await this.checkGone(told);
  }

  /** What was deleted is not there. */
  async checkGone(told: Told): Promise<void> {
    const work = (core: Core) => readAll(core, told.id as string);
    const read = await this.#request(`read ${told.name}, deleted`, work, [told]);
    assert.notEqual(read.kind, "done", `${told.name} is back after its deletion`);
  }
}

/** Whether it is there and, where it is pending, the contents of the blocks that it has. */
async function lookUp(
  { catalog, blocks }: Core,
  id: SnapshotId,
): Promise<{ readonly blocks: Map<number, number | undefined> | undefined } | undefined> {
  const snapshot = await catalog.snapshots.get(id);
  if (snapshot?.state !== "pending") return snapshot && { blocks: undefined };
  const written = await blocks.pendingBlocks(snapshot, 0, 10_000);
  const known = new Map(CONTENTS.map(({ checksum }, number) => [checksum, number]));
  const found = written.map(({ blockIndex, digest }) => {
    return [blockIndex, known.get(checksumOf(digest))] as const;
  });
  return { blocks: new Map(found) };
}

/** All blocks of a snapshot, as far as they are known. */
function allOf({ blocks }: Told): Map<number, number> {
  return new Map([...blocks].map(([blockIndex, [contents = 0]]) => [blockIndex, contents]));
}

function outcomeOf(error: Error): Exclude<Outcome<never>, { kind: "done" }> {
  const { message } = error;
  if (!(error instanceof ServiceError)) return { kind: "unknown", error };
  if (error.code === "InternalServerException") return { kind: "unknown", error };
  if (error.reason === "SNAPSHOT_NOT_FOUND") return { kind: "absent" };
  return { kind: "refused", message };
}

/** Puts one of the contents. */
export async function put(
  core: Core,
  snapshotId: string,
  { blockIndex, contents }: { readonly blockIndex: number; readonly contents: number },
): Promise<void> {
  const { bytes, checksum } = CONTENTS[contents] as (typeof CONTENTS)[number];
  const input = { snapshotId, blockIndex, dataLength: bytes.length };
  const checked = { ...input, checksum, checksumAlgorithm: "SHA256" };
  await putSnapshotBlock(core, ACCOUNT, { input: checked, bytes });
}

/** All blocks of a snapshot, as numbers of their contents; undefined for bytes never put. */
export async function readAll(
  core: Core,
  snapshotId: string,
): Promise<Map<number, number | undefined>> {
  const { blocks } = await listSnapshotBlocks(core, ACCOUNT, { snapshotId, ...PAGE });
  const found = new Map<number, number | undefined>();
  for (const { blockIndex, blockToken } of blocks) {
    const input = { snapshotId, blockIndex, blockToken };
    const { bytes } = await getSnapshotBlock(core, ACCOUNT, input);
    found.set(blockIndex, numberOf(bytes));
  }
  return found;
}

function numberOf(bytes: Uint8Array): number | undefined {
  const i = CONTENTS.findIndex((contents) => Buffer.compare(contents.bytes, bytes) === 0);
  return i < 0 ? undefined : i;
}
