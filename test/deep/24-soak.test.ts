import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { admin } from "../support/keys.ts";
import { actionParts, getParts, list, send, snapshotOf } from "../support/operations.ts";
import { blockContents, pick, seededFraction } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { LoopDelay } from "./_loop-monitor.ts";
import { type ServerProcess, startServerProcess } from "./_server-process.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

const MINUTES = Number(process.env["VARVE_SOAK_MINUTES"] ?? 120);
const SECONDS_SHORT = 4;
/** Clients at once; each works for this share of its time. */
const WORKERS = 2;
const LOAD = 0.7;
/** Parts that the time is cut into, with a restart between them. */
const PARTS = 4;
/** Snapshots that are kept; above it the oldest is deleted. */
const KEPT_MAX = 12;
const INDEXES = [0, 1, 2, 510, 511, 512, 2_047];
const CONTENTS = 24;

scorecard({
  number: 24,
  name: "soak",
  goal:
    "24 h at 70 % load: RSS slope ≤ 1 MiB/h after the first hour; open files +0; event loop " +
    "late p99 ≤ 50 ms, max ≤ 250 ms; unhandled rejections 0; 5xx 0; integrity_check ok; all " +
    "restores the same",
  peer: "kopia: 14 simulated days every 6 h",
  async run(run) {
    const soak = new Soak(run);
    const seconds = run.count(MINUTES * 60, SECONDS_SHORT);
    for (let part = 0; part < PARTS; part++) await soak.part(seconds / PARTS);
    return soak.figure(seconds);
  },
});

type Blocks = ReadonlyMap<number, number>;

class Soak {
  readonly #run: ScorecardRun;
  readonly #fraction: () => number;
  readonly #kept: { readonly id: string; readonly blocks: Blocks }[] = [];
  readonly #slopes: number[] = [];
  #directory = "";
  #target: Target | undefined;
  #requests = 0;
  #restores = 0;
  #files = 0;
  #loop: LoopDelay = { p99Ms: 0, maxMs: 0, unhandledCount: 0 };

  constructor(run: ScorecardRun) {
    this.#run = run;
    this.#fraction = seededFraction(run.seed);
  }

  /** One life of the server, under load. */
  async part(seconds: number): Promise<void> {
    this.#directory ||= await temporaryDirectory(this.#run);
    const monitor = join(this.#directory, "loop.json");
    const preload = join(import.meta.dirname, "_loop-monitor.ts");
    const env = { NODE_OPTIONS: `--import ${preload}`, VARVE_LOOP_MONITOR: monitor };
    const dataDirectory = join(this.#directory, "data");
    const server = await startServerProcess(this.#run, { dataDirectory, env });
    // The secret of the first key is told at the first start only.
    const { firstKey } = this.#target ?? server.target;
    this.#target = { ...server.target, firstKey };
    const end = performance.now() + seconds * 1_000;
    const workers = Array.from({ length: WORKERS }, () => this.#work(end));
    await Promise.all([...workers, this.#watch(server, end)]);
    for (const one of this.#kept) await this.#restore(one);
    assert.equal(await server.stop(), 0, server.errors());
    assert.equal(server.errors(), "");
    const loop = JSON.parse(readFileSync(monitor, "utf8")) as LoopDelay;
    assert.equal(loop.unhandledCount, 0);
    const { p99Ms, maxMs } = this.#loop;
    this.#loop = {
      p99Ms: Math.max(p99Ms, loop.p99Ms),
      maxMs: Math.max(maxMs, loop.maxMs),
      unhandledCount: 0,
    };
  }

  /** Memory and open files, ten times, after a first tenth in which caches fill. */
  async #watch(server: ServerProcess, end: number): Promise<void> {
    const step = (end - performance.now()) / 10;
    await setTimeout(step);
    const [rss, files] = [server.rssBytes(), server.fileCount()];
    const start = performance.now();
    for (let i = 0; i < 8; i++) await setTimeout(step);
    const hours = (performance.now() - start) / 3_600_000;
    this.#slopes.push((server.rssBytes() - rss) / 2 ** 20 / hours);
    this.#files = Math.max(this.#files, server.fileCount() - files);
  }

  async #work(end: number): Promise<void> {
    while (performance.now() < end) {
      const start = performance.now();
      await this.#step();
      await setTimeout(((performance.now() - start) * (1 - LOAD)) / LOAD);
    }
  }

  async #step(): Promise<void> {
    const drawn = this.#fraction();
    const some = this.#kept[pick(this.#fraction, this.#kept.length)];
    if (drawn < 0.5 || !some) await this.#write(some);
    else if (drawn < 0.85) await this.#restore(some);
    else await this.#collect();
    if (this.#kept.length > KEPT_MAX) await this.#deleteOldest();
  }

  async #write(parent: { readonly id: string; readonly blocks: Blocks } | undefined) {
    const isChild = parent !== undefined && this.#fraction() < 0.6;
    const written = new Map(
      Array.from({ length: 1 + pick(this.#fraction, 5) }, () => [
        INDEXES[pick(this.#fraction, INDEXES.length)] as number,
        pick(this.#fraction, CONTENTS),
      ]),
    );
    const bytes = new Map([...written].map(([index, number]) => [index, blockContents(number)]));
    const input = isChild ? { ParentSnapshotId: parent.id } : {};
    // Its parent may be deleted by the other worker before it is started.
    const isGone = () => parent !== undefined && !this.#kept.includes(parent);
    const id = await snapshotOf(this.#soaked(), bytes, input).catch((error: unknown) => {
      if (isChild && isGone()) return undefined;
      throw error;
    });
    this.#requests += written.size + 2;
    const blocks = new Map([...(isChild ? parent.blocks : []), ...written]);
    if (id !== undefined) this.#kept.push({ id, blocks });
  }

  async #restore(one: { readonly id: string; readonly blocks: Blocks }): Promise<void> {
    const target = this.#soaked();
    try {
      const { Blocks } = await list(target, one.id);
      assert.equal(Blocks.length, one.blocks.size);
      for (const { BlockIndex, BlockToken } of Blocks) {
        const { status, body } = await send(target, getParts(one.id, BlockIndex, BlockToken));
        const expected = blockContents(one.blocks.get(BlockIndex) as number);
        assert.deepEqual([status, Buffer.compare(body, expected)], [200, 0]);
      }
      this.#requests += 1 + Blocks.length;
      this.#restores += 1;
    } catch (error) {
      // Deleted meanwhile by the other worker.
      if (this.#kept.includes(one)) throw error;
    }
  }

  async #collect(): Promise<void> {
    const { status } = await admin(this.#soaked(), ["POST", "/collections"], { GraceSeconds: 0 });
    assert.equal(status, 202);
    this.#requests += 1;
  }

  async #deleteOldest(): Promise<void> {
    const oldest = this.#kept.shift();
    const parts = actionParts("DeleteSnapshot", { SnapshotId: oldest?.id ?? "" });
    const { status, text } = await send(this.#soaked(), parts, { service: "ec2" });
    assert.equal(status, 200, text);
    this.#requests += 1;
  }

  #soaked(): Target {
    assert.ok(this.#target);
    return this.#target;
  }

  figure(seconds: number): string {
    const database = new DatabaseSync(join(this.#directory, "data", "catalog.sqlite"));
    const check = database.prepare("PRAGMA integrity_check").get()?.["integrity_check"];
    database.close();
    assert.equal(check, "ok");
    const slope = Math.max(...this.#slopes.map((one) => Math.round(one)));
    const duration = seconds < 600 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
    const { p99Ms, maxMs } = this.#loop;
    return (
      `${duration}, ${PARTS - 1} restarts, ${this.#requests} requests: RSS slope at most ` +
      `${slope} MiB/h within a life; open files +${this.#files}; event loop late p99 ` +
      `${p99Ms.toFixed(0)} ms, max ${maxMs.toFixed(0)} ms; unhandled rejections 0; 5xx 0; ` +
      "integrity_check ok; " +
      `${this.#restores} restores the same`
    );
  }
}
