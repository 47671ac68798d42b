import assert from "node:assert/strict";
import { copyFileSync, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import type { RecordName } from "../../src/model/digest.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import { forgetSettledWrites } from "../../src/snapshots/chores/expire-snapshots.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { ACCOUNT } from "../model/drivers.ts";
import { pick } from "../support/property.ts";
import { Client } from "./_clients.ts";
import { isDamage } from "./_excuses.ts";
import { unmountAll } from "./_file-system.ts";
import { Machine } from "./_machine.ts";
import { Oracle, type Told } from "./_oracle.ts";
import { checkRebuild } from "./_rebuild.ts";
import { Scheduler } from "./_scheduler.ts";
import { drawWeather, type Mishap } from "./weather.ts";

/*
 * The store in a world made of one seed: real code from the operations down to `FileSegments` and
 * SQLite, on a simulated disk, clock and chance, with callers who remember what they were told.
 *
 * Segments lie on a disk that takes part of a write, fails, fills up, forgets what was not synced,
 * flips bits, and reads at the wrong place. The catalog is a real file that is opened anew with
 * each process; its calls take their time, and may fail for good or for want of room, but each is
 * carried out whole, durably and in one moment. The process is killed between any two of all these
 * calls, with the power or without, also while it starts. Beside the callers, all chores of the
 * service go on.
 *
 * Left out: what SQLite does with its pages, log and syncs, so a commit is never torn or lost;
 * HTTP and its connections, signatures and policies; the reserve and the look for room; sharing,
 * locks, the recycle bin, images, and destroyed keys.
 */

/** On a memory file system, where there is one, syncing costs nothing. */
const FOLDER = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
/** Rebuilds on the way, at most, and how often an end of the process brings one. */
const REBUILDS_MAX = 2;
const REBUILD_SHARE = 0.15;

/** What came of one run. */
export interface Simulated {
  /** Of all that happened, in its order. */
  readonly trace: string;
  readonly eventCount: number;
  /** Simulated milliseconds. */
  readonly durationMs: number;
  readonly acknowledged: number;
  readonly blocksRead: number;
  readonly rebuilds: number;
  readonly ends: Ends;
  readonly mishaps: ReadonlyMap<Mishap, number>;
}

/** How the snapshots ended that were not deleted before the end of a run. */
export interface Ends {
  completed: number;
  /** They were to fail, or their time was up. */
  failed: number;
  /** Bits that changed on the disk keep them from it. */
  damaged: number;
}

/** Where runs keep their catalogs: a folder in memory, and an empty catalog to begin with. */
export class Workplace {
  readonly #directory: string;
  readonly #template: string;
  #count = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#template = join(directory, "template.sqlite");
  }

  static async make(): Promise<Workplace> {
    const place = new Workplace(await mkdtemp(join(FOLDER, "varve-test-")));
    await openSqliteCatalog(place.#template).close();
    return place;
  }

  /** Path of an empty catalog. */
  newCatalog(): string {
    const path = join(this.#directory, `${this.#count++}.sqlite`);
    copyFileSync(this.#template, path);
    return path;
  }

  async forget(path: string): Promise<void> {
    await Promise.all(["", "-wal"].map((end) => rm(path + end, { force: true })));
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true });
  }
}

/** Runs one seed; rejects with what must never be seen. `onNote` hears each line of the trace. */
export async function simulate(
  seed: number,
  place: Workplace,
  onNote?: (line: string) => void,
): Promise<Simulated> {
  const scheduler = new Scheduler(seed);
  scheduler.onNote = onNote;
  const run = new Run(scheduler, place);
  try {
    await scheduler.run(() => run.run());
  } finally {
    await run.close();
    unmountAll();
  }
  return {
    trace: scheduler.digest(),
    ...{ eventCount: scheduler.eventCount, durationMs: scheduler.nowMs },
    ...{ acknowledged: run.oracle.acknowledged, blocksRead: run.oracle.blocksRead },
    ...{ rebuilds: run.rebuilds, ends: run.ends, mishaps: run.machine.mishaps },
  };
}

class Run {
  readonly oracle = new Oracle();
  readonly machine: Machine;
  readonly #scheduler: Scheduler;
  readonly #place: Workplace;
  readonly #catalogs: string[] = [];
  readonly #rebuilding: Promise<unknown>[] = [];
  rebuilds = 0;
  readonly ends: Ends = { completed: 0, failed: 0, damaged: 0 };

  constructor(scheduler: Scheduler, place: Workplace) {
    this.#scheduler = scheduler;
    this.#place = place;
    const weather = drawWeather(scheduler.fraction);
    scheduler.note(JSON.stringify(weather));
    this.machine = new Machine(scheduler, weather, this.#newCatalog());
    this.machine.onEnd = () => this.#maybeRebuild();
  }

  #newCatalog(): string {
    const path = this.#place.newCatalog();
    this.#catalogs.push(path);
    return path;
  }

  async run(): Promise<void> {
    const { fraction } = this.#scheduler;
    await this.machine.start();
    const clients = Array.from({ length: 2 + pick(fraction, 3) }, (_, i) => {
      return new Client(`c${i}`, this);
    });
    await Promise.all(clients.map((client) => client.run(4 + pick(fraction, 7))));
    const core = await this.machine.calm();
    await Promise.all(this.#rebuilding);
    this.machine.checkBackground();
    const last = new Client("last", this, true);
    await this.#checkAll(core, last);
    await this.#checkDeletions(core, last);
    await this.#rebuild();
    await this.#clear(core);
    this.machine.checkBackground();
  }

  /** The disk as it is right now is rebuilt beside what goes on. */
  #maybeRebuild(): void {
    if (!this.#scheduler.chance(REBUILD_SHARE) || this.rebuilds >= REBUILDS_MAX) return;
    const rebuilding = this.#rebuild();
    rebuilding.catch(() => undefined);
    this.#rebuilding.push(rebuilding);
  }

  /** Completed snapshots; of encrypted ones those whose keys are in the journal by now. */
  #completed(): Told[] {
    const { journaledMs } = this.machine;
    return this.oracle.told
      .filter(({ state, deletion }) => state === "completed" && deletion === "none")
      .filter(({ isEncrypted, completedMs }) => !isEncrypted || completedMs < journaledMs)
      .map((told) => ({ ...told, blocks: new Map(told.blocks) }));
  }

  async #rebuild(): Promise<void> {
    if (this.machine.has("rot")) return;
    this.rebuilds += 1;
    const disk = this.machine.disk.fork();
    const told = this.#completed();
    const deleted = this.oracle.told.filter(({ deletion, deletedMs }) => {
      return deletion === "done" && deletedMs < this.machine.journaledMs;
    });
    const catalogPath = this.#newCatalog();
    await checkRebuild(this.machine, { disk, told, deleted, catalogPath });
  }

  #mayBeDamaged(): boolean {
    return this.machine.has("rot");
  }

  /** All that was begun comes to an end that is accounted for, and what is completed is read. */
  async #checkAll(core: Core, last: Client): Promise<void> {
    await core.copier.resume();
    await core.sealer.resume();
    await core.sealer.idle();
    for (const told of this.oracle.told) {
      await last.clarify(told);
      if (told.deletion === "none") await this.#checkOne(core, told, last);
    }
  }

  async #checkOne(core: Core, told: Told, last: Client): Promise<void> {
    if (told.state === "pending" || told.state === "completing") await last.complete(told);
    if (told.state === "copying" || told.state === "completing") {
      // Whatever is slow in it.
      await core.copier.resume();
      await core.sealer.idle();
      await last.awaitState(told);
    }
    if (told.state === "error") {
      // Its caller knows why: too many blocks were counted, or its time was up.
      this.ends.failed += 1;
      return;
    }
    if (told.state !== "completed") return this.#checkStuck(core, told);
    this.ends.completed += 1;
    const isRead = await last.read(told);
    assert.ok(isRead || this.#mayBeDamaged(), `${told.name} cannot be read in good weather`);
  }

  /** A bit that changed on the disk keeps it from its end: one of what its end needs. */
  async #checkStuck(core: Core, told: Told): Promise<void> {
    const { catalog, maps, blocks } = core;
    assert.ok(this.#mayBeDamaged(), `${told.name} stays ${told.state} in good weather`);
    const snapshot = await catalog.snapshots.get(told.id as SnapshotId);
    assert.ok(snapshot, `${told.name} has vanished`);
    const copy = (await catalog.copies.all()).find(({ id }) => id === told.id);
    const needed = async () => {
      await maps(snapshot.domain).entries(snapshot.parentRoot, 0, 10_000);
      if (!copy) return;
      const { sourceDomain: domain, sourceRoot } = copy;
      const entries = await maps(domain).entries(sourceRoot, 0, 10_000);
      for (const { digest } of entries) await blocks.getBlock(domain, digest);
    };
    await assert.rejects(needed, isDamage, `${told.name} stays ${told.state} for no reason`);
    this.ends.damaged += 1;
  }

  async #checkDeletions(core: Core, last: Client): Promise<void> {
    for (const told of this.oracle.told) if (told.deletion === "done") await last.checkGone(told);
    const beginMs = this.#scheduler.nowMs;
    await core.journaler.flush();
    this.machine.journaledMs = beginMs;
  }

  /** Deletes everything; two collections later nothing is left but the journal. */
  async #clear(core: Core): Promise<void> {
    for (const { id } of await core.catalog.snapshots.page(ACCOUNT, "", 10_000)) {
      await deleteSnapshot(core, ACCOUNT, id);
    }
    await core.sealer.idle();
    await core.copier.resume();
    await core.journaler.flush();
    await forgetSettledWrites(core);
    // Two find garbage twice; the third gives back what was appended to while the second moved
    // what is left of the journal.
    for (let i = 0; i < 3; i++) {
      await core.collector.collect({ graceSeconds: 0, isDryRun: false });
    }
    await this.#checkLeftOver(core);
  }

  async #checkLeftOver(core: Core): Promise<void> {
    const { catalog } = core;
    assert.deepEqual(await catalog.garbage.domains(), [], "nothing is noted as garbage");
    const needed = new Set<RecordName>();
    const records = await catalog.scrubs.recordsFrom({ segment: 0, offset: 0 }, 100_000);
    for (const domain of new Set(records.map(({ domain }) => domain))) {
      for (const name of await catalog.liveness.manifests(domain)) needed.add(name);
    }
    const left = records.filter(({ name }) => !needed.has(name));
    assert.deepEqual(left, [], "left over when nothing needs it");
    const live = await catalog.segments.liveBytes();
    const segments = [...this.machine.disk.names.keys()].map((name) => Number.parseInt(name, 10));
    const newest = Math.max(...segments);
    const empty = segments.filter((segment) => segment < newest && !live.get(segment));
    assert.deepEqual(empty, [], "segments left over of which nothing is needed");
  }

  async close(): Promise<void> {
    await this.machine.close();
    for (const path of this.#catalogs) await this.#place.forget(path);
  }
}
