import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { blockCountOf } from "../../src/model/geometry.ts";
import { blockContents, pick, SEED, seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { Driver, Paging } from "./drivers.ts";

/** One step of a history. Numbers pick one of what there is at that moment. */
export type Step =
  | { readonly kind: "start"; readonly parent: number; readonly volume: number }
  | { readonly kind: "put"; readonly target: number; readonly writes: readonly [number, number][] }
  | { readonly kind: "complete"; readonly target: number; readonly mistake: Mistake }
  | { readonly kind: "delete"; readonly target: number; readonly pending: boolean }
  | { readonly kind: "copy"; readonly target: number }
  | { readonly kind: "expire" | "restart" | "collect" };

type OnDone = (kind: Step["kind"]) => void;

type Mistake = "none" | "count" | "checksum";

/** Block indexes at the borders of leaves, branches and volumes. */
const INTERESTING = [
  0,
  1,
  2,
  510,
  511,
  512,
  513,
  1023,
  1024,
  2047,
  2048,
  4095,
  262_142,
  262_143,
  262_144,
  262_145,
  2 ** 26,
  2 ** 27 - 513,
  2 ** 27 - 1,
];
/** In GiB: one branch, just above one branch, the largest. */
const VOLUME_SIZES = [1, 2, 129, 65_536];

const number = fc.nat(1_000_000);
const write = fc.tuple(number, fc.nat(9));

/** Histories; most steps write, and most completions are right. */
export const histories: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("start" as const), parent: number, volume: number }),
    },
    {
      weight: 7,
      arbitrary: fc.record({
        kind: fc.constant("put" as const),
        target: number,
        writes: fc.array(write, { minLength: 1, maxLength: 6 }),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("complete" as const),
        target: number,
        mistake: fc.oneof(
          { weight: 8, arbitrary: fc.constant("none" as const) },
          { weight: 1, arbitrary: fc.constantFrom("count" as const, "checksum" as const) },
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("delete" as const),
        target: number,
        pending: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("copy" as const), target: number }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("expire", "restart") }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("collect" as const) }) },
  ) as fc.Arbitrary<Step>,
  { minLength: 3, maxLength: 40, size: "max" },
);

/** A snapshot as the model keeps it: contents by block index, nothing else. */
interface ModelSnapshot {
  readonly id: string;
  readonly lineage: string;
  readonly volumeSizeGib: number;
  readonly inherited: ReadonlyMap<number, number>;
  readonly written: Map<number, number>;
}

/** Runs histories against a driver and the model at once, and compares them at every step. */
export class History {
  readonly #driver: Driver;
  readonly #fraction: () => number;
  readonly #pending: ModelSnapshot[] = [];
  readonly #completed: ModelSnapshot[] = [];

  constructor(driver: Driver, seed: number) {
    this.#driver = driver;
    this.#fraction = seededFraction(seed);
  }

  /** `onDone` hears of each step for which there was something to do. */
  async run(steps: readonly Step[], onDone: OnDone): Promise<void> {
    for (const step of steps) {
      if (await this.#apply(step)) onDone(step.kind);
      await this.#checkSome();
    }
    await this.#checkAll();
    await this.#driver.restart();
    await this.#checkAll();
  }

  /** False where there was nothing to do it to. */
  async #apply(step: Step): Promise<boolean> {
    switch (step.kind) {
      case "start":
        return this.#start(step.parent, step.volume);
      case "put":
        return this.#put(at(this.#pending, step.target), step.writes);
      case "complete":
        return this.#complete(at(this.#pending, step.target), step.mistake);
      case "delete":
        return this.#delete(step.pending ? this.#pending : this.#completed, step.target);
      case "copy":
        return this.#copy(at(this.#completed, step.target));
      case "restart":
        await this.#driver.restart();
        return true;
      case "collect":
        await this.#driver.collect?.();
        return this.#driver.collect !== undefined;
      case "expire":
        return this.#expire();
    }
  }

  async #start(parentPick: number, volumePick: number): Promise<boolean> {
    // One in so many starts a new lineage; a child's volume is as large as its parent's or larger.
    const choice = parentPick % (this.#completed.length + 1);
    const parent = this.#completed[choice - 1];
    const sizes = VOLUME_SIZES.filter((size) => size >= (parent?.volumeSizeGib ?? 1));
    const volumeSizeGib = at(sizes, volumePick) as number;
    const id = await this.#driver.start(volumeSizeGib, parent?.id);
    const inherited = parent ? visible(parent) : new Map();
    const lineage = parent?.lineage ?? id;
    this.#pending.push({ id, lineage, volumeSizeGib, inherited, written: new Map() });
    return true;
  }

  async #put(
    target: ModelSnapshot | undefined,
    writes: readonly (readonly [number, number])[],
  ): Promise<boolean> {
    if (!target) return false;
    const blockCount = blockCountOf(target.volumeSizeGib);
    const indexes = INTERESTING.filter((blockIndex) => blockIndex < blockCount);
    const last = new Map<number, number>();
    for (const [indexPick, contents] of writes) {
      const blockIndex = at(indexes, indexPick) as number;
      // Writes to one block index at once have no order; the model wants one.
      if (last.has(blockIndex)) continue;
      last.set(blockIndex, contents);
    }
    await Promise.all(
      [...last].map(([blockIndex, contents]) =>
        this.#driver.put(target.id, blockIndex, blockContents(contents)),
      ),
    );
    for (const [blockIndex, contents] of last) target.written.set(blockIndex, contents);
    const outside = this.#driver.put(target.id, blockCount, blockContents(1));
    await assert.rejects(outside, /beyond the volume size extent/);
    return true;
  }

  async #complete(target: ModelSnapshot | undefined, mistake: Mistake): Promise<boolean> {
    if (!target) return false;
    remove(this.#pending, target);
    const count = target.written.size + (mistake === "count" ? 1 : 0);
    const checksum = linearChecksum(target.written, mistake === "checksum");
    const state = await this.#driver.complete(target.id, count, checksum);
    assert.equal(state, mistake === "none" ? "completed" : "error");
    if (mistake === "none") this.#completed.push(target);
    else await assert.rejects(this.#driver.list(target.id, ALL), NOT_FOUND);
    const late = this.#driver.put(target.id, 0, blockContents(1));
    await assert.rejects(late, mistake === "none" ? /already completed/ : NOT_FOUND);
    return true;
  }

  async #delete(from: ModelSnapshot[], targetPick: number): Promise<boolean> {
    const target = at(from, targetPick);
    if (!target) return false;
    remove(from, target);
    await this.#driver.delete(target.id);
    await assert.rejects(this.#driver.list(target.id, ALL), NOT_FOUND);
    return true;
  }

  /** A copy has all of its source, written by nobody, in the lineage of the source. */
  async #copy(source: ModelSnapshot | undefined): Promise<boolean> {
    if (!source || !this.#driver.copy) return false;
    const id = await this.#driver.copy(source.id);
    this.#completed.push({ ...source, id, inherited: visible(source), written: new Map() });
    return true;
  }

  async #expire(): Promise<boolean> {
    if (!this.#driver.expire) return false;
    await this.#driver.expire();
    const expired = this.#pending.splice(0);
    for (const { id } of expired) {
      await assert.rejects(this.#driver.put(id, 0, blockContents(1)), NOT_FOUND);
    }
    return expired.length > 0;
  }

  /** Compares a random pair of snapshots, with random paging. */
  async #checkSome(): Promise<void> {
    const { length } = this.#completed;
    if (length === 0) return;
    const first = at(this.#completed, pick(this.#fraction, length)) as ModelSnapshot;
    const second = at(this.#completed, pick(this.#fraction, length)) as ModelSnapshot;
    await this.#checkListing(first, { paging: this.#paging(), getCount: 2 });
    await this.#checkChanges(first, second);
    if (this.#pending[0])
      await assert.rejects(this.#driver.list(this.#pending[0].id, ALL), NOT_FOUND);
  }

  async #checkAll(): Promise<void> {
    for (const snapshot of this.#completed) {
      await this.#checkListing(snapshot, { paging: ALL, getCount: 1_000 });
      for (const other of this.#completed) await this.#checkChanges(snapshot, other);
    }
  }

  #paging(): Paging {
    const starts = INTERESTING.flatMap((blockIndex) => [blockIndex, blockIndex + 1]);
    const startingBlockIndex = starts[pick(this.#fraction, starts.length)] as number;
    return { maxResults: 1 + pick(this.#fraction, 6), startingBlockIndex };
  }

  async #checkListing(
    snapshot: ModelSnapshot,
    { paging, getCount }: { paging: Paging; getCount: number },
  ): Promise<void> {
    const blocks = visible(snapshot);
    const listed = await this.#driver.list(snapshot.id, paging);
    const expected = [...blocks.keys()].filter((index) => index >= paging.startingBlockIndex);
    assert.deepEqual([...listed.keys()], expected.sort(ascending));
    for (const [blockIndex, token] of [...listed].slice(0, getCount)) {
      const bytes = await this.#driver.get(snapshot.id, blockIndex, token);
      checkBytes(bytes, blocks.get(blockIndex) as number);
    }
  }

  async #checkChanges(first: ModelSnapshot, second: ModelSnapshot): Promise<void> {
    const paging = this.#paging();
    const asked = this.#driver.changes([first.id, second.id], paging);
    if (first.lineage !== second.lineage) {
      await assert.rejects(asked, /not related/);
      return;
    }
    const [before, after] = [visible(first), visible(second)];
    const indexes = new Set([...before.keys(), ...after.keys()]);
    const expected = [...indexes]
      .filter((index) => before.get(index) !== after.get(index))
      .filter((index) => index >= paging.startingBlockIndex)
      .sort(ascending);
    const changes = await asked;
    assert.deepEqual(
      changes.map(({ blockIndex, firstToken, secondToken }) => {
        return [blockIndex, firstToken !== undefined, secondToken !== undefined];
      }),
      expected.map((index) => [index, before.has(index), after.has(index)]),
    );
    const some = changes[pick(this.#fraction, changes.length)];
    if (!some) return;
    const { blockIndex, firstToken, secondToken } = some;
    for (const [{ id }, token, blocks] of [
      [first, firstToken, before],
      [second, secondToken, after],
    ] as const) {
      if (token === undefined) continue;
      const bytes = await this.#driver.get(id, blockIndex, token);
      checkBytes(bytes, blocks.get(blockIndex) as number);
    }
  }
}

/** Runs one history on a store of its own; `onDone` hears of the steps that were really done. */
export async function runHistory(
  openDriver: (directory: string) => Promise<Driver>,
  steps: readonly Step[],
  onDone: OnDone = () => undefined,
): Promise<void> {
  const clean: (() => unknown)[] = [];
  const directory = await temporaryDirectory({ after: (work) => void clean.push(work) });
  const driver = await openDriver(directory);
  try {
    await new History(driver, SEED).run(steps, onDone);
  } finally {
    await driver.close();
    for (const work of clean) await work();
  }
}

const ALL: Paging = { maxResults: 10_000, startingBlockIndex: 0 };
const NOT_FOUND = /does not exist/;

function visible({ inherited, written }: ModelSnapshot): Map<number, number> {
  return new Map([...inherited, ...written]);
}

function linearChecksum(written: ReadonlyMap<number, number>, isWrong: boolean): string {
  const hash = createHash("sha256");
  for (const [, contents] of [...written].sort(([a], [b]) => a - b)) {
    hash.update(createHash("sha256").update(blockContents(contents)).digest());
  }
  return hash.update(isWrong ? "wrong" : "").digest("base64");
}

function checkBytes(bytes: Uint8Array, contents: number): void {
  const isRight = Buffer.compare(bytes, blockContents(contents)) === 0;
  assert.ok(isRight, `the bytes of contents ${contents}`);
}

function ascending(a: number, b: number): number {
  return a - b;
}

function at<T>(list: readonly T[], picked: number): T | undefined {
  return list[picked % list.length];
}

function remove<T>(list: T[], member: T): void {
  list.splice(list.indexOf(member), 1);
}
