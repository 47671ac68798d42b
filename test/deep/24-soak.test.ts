import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import type { RequestParts } from "../../src/wire/message.ts";
import { admin } from "../support/keys.ts";
import {
  actionParts,
  complete,
  getParts,
  type Listing,
  listParts,
  put,
  send,
  startParts,
} from "../support/operations.ts";
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
/** Shares of the time, with a restart between them; what leaks shows in the long one. */
const LIVES = [0.05, 0.05, 0.05, 0.85];
/** Looks at memory and open files in each life, and the share of them in which caches fill. */
const LOOKS = 120;
const FILLING = 0.3;
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
    for (const share of LIVES) await soak.life(seconds * share);
    return soak.figure(seconds);
  },
});

type Blocks = ReadonlyMap<number, number>;

/** A snapshot that nobody has begun to delete. */
interface Kept {
  readonly id: string;
  readonly blocks: Blocks;
}

/** Memory and open files of the server, so long after it was started. */
interface Look {
  readonly hours: number;
  readonly mib: number;
  readonly files: number;
}

class Soak {
  readonly #run: ScorecardRun;
  readonly #fraction: () => number;
  readonly #kept: Kept[] = [];
  #directory = "";
  #target: Target | undefined;
  #requests = 0;
  #restores = 0;
  #looks: readonly Look[] = [];
  #loop: LoopDelay = { p99Ms: 0, maxMs: 0, unhandledCount: 0 };

  constructor(run: ScorecardRun) {
    this.#run = run;
    this.#fraction = seededFraction(run.seed);
  }

  /** One life of the server, under load. */
  async life(seconds: number): Promise<void> {
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

  /** Memory and open files, again and again; of the latest life. */
  async #watch(server: ServerProcess, end: number): Promise<void> {
    const start = performance.now();
    const step = (end - start) / LOOKS;
    const looks: Look[] = [];
    for (let i = 0; i < LOOKS; i++) {
      await setTimeout(step);
      const hours = (performance.now() - start) / 3_600_000;
      looks.push({ hours, mib: server.rssBytes() / 2 ** 20, files: server.fileCount() });
    }
    this.#looks = looks;
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

  async #write(parent: Kept | undefined) {
    const isChild = parent !== undefined && this.#fraction() < 0.6;
    const written = new Map(
      Array.from({ length: 1 + pick(this.#fraction, 5) }, () => [
        INDEXES[pick(this.#fraction, INDEXES.length)] as number,
        pick(this.#fraction, CONTENTS),
      ]),
    );
    const bytes = new Map([...written].map(([index, number]) => [index, blockContents(number)]));
    const target = this.#soaked();
    const input = { VolumeSize: 1, ...(isChild ? { ParentSnapshotId: parent.id } : {}) };
    const { status, text } = await send(target, startParts(input));
    this.#requests += 1;
    if (status !== 201) {
      // Its parent may be deleted by the other worker before it is started; later, that is nothing.
      const isGone = isChild && !this.#kept.includes(parent);
      assert.ok(isGone && status < 500, `${status}: ${text}`);
      return;
    }
    const { SnapshotId: id } = JSON.parse(text) as { SnapshotId: string };
    await put(target, id, bytes);
    assert.equal(await complete(target, id, written.size), "completed");
    this.#requests += written.size + 1;
    this.#kept.push({ id, blocks: new Map([...(isChild ? parent.blocks : []), ...written]) });
  }

  async #restore(one: Kept): Promise<void> {
    const listed = await this.#read(one, listParts(one.id));
    if (!listed) return;
    const { Blocks } = JSON.parse(listed.toString()) as Listing;
    assert.equal(Blocks.length, one.blocks.size);
    for (const { BlockIndex, BlockToken } of Blocks) {
      const body = await this.#read(one, getParts(one.id, BlockIndex, BlockToken));
      if (!body) return;
      const expected = blockContents(one.blocks.get(BlockIndex) as number);
      assert.equal(
        Buffer.compare(body, expected),
        0,
        `block ${BlockIndex} of ${one.id} is another`,
      );
    }
    this.#restores += 1;
  }

  /** What is answered; undefined where it was refused because the other worker has deleted it. */
  async #read({ id }: Kept, parts: RequestParts): Promise<Buffer | undefined> {
    const { status, body, text } = await send(this.#soaked(), parts);
    this.#requests += 1;
    if (status === 200) return body;
    const isDeleted = !this.#kept.some((kept) => kept.id === id);
    assert.ok(isDeleted && status < 500, `${status} for ${id}: ${text}`);
    return undefined;
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
    const filled = this.#looks.slice(LOOKS * FILLING);
    const rss = filled.map(({ mib }) => mib).sort((a, b) => a - b);
    const files = new Intl.NumberFormat("en", { signDisplay: "always" }).format(moreFiles(filled));
    const [least, most] = [rss[0] as number, rss.at(-1) as number];
    const duration = seconds < 600 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
    const { p99Ms, maxMs } = this.#loop;
    return (
      `${duration}, ${LIVES.length - 1} restarts, ${this.#requests} requests: RSS slope ` +
      `${slopeOf(filled).toFixed(1)} MiB/h over the last ${hoursOf(filled).toFixed(2)} h ` +
      `(${least.toFixed(0)} to ${most.toFixed(0)} MiB); open files ${files}; event loop late p99 ` +
      `${p99Ms.toFixed(0)} ms, max ${maxMs.toFixed(0)} ms; unhandled rejections 0; 5xx 0; ` +
      "integrity_check ok; " +
      `${this.#restores} restores the same`
    );
  }
}

function hoursOf(looks: readonly Look[]): number {
  return (looks.at(-1) as Look).hours - (looks[0] as Look).hours;
}

/** MiB an hour, by least squares. */
function slopeOf(looks: readonly Look[]): number {
  const mean = (of: (look: Look) => number) => {
    return looks.reduce((sum, look) => sum + of(look), 0) / looks.length;
  };
  const [hours, mib] = [mean((look) => look.hours), mean((look) => look.mib)];
  const together = mean((look) => (look.hours - hours) * (look.mib - mib));
  return together / mean((look) => (look.hours - hours) ** 2);
}

/** How many more are open at the end. Connections come and go; what leaks is there each time. */
function moreFiles(looks: readonly Look[]): number {
  const least = (some: readonly Look[]) => Math.min(...some.map(({ files }) => files));
  const quarter = looks.length / 4;
  return least(looks.slice(-quarter)) - least(looks.slice(0, quarter));
}
