import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { SERVICE_NODE } from "../../scripts/service-node.mjs";
import type { LoadResult } from "../programs/load-generator.ts";
import type { SeededStore } from "../programs/seed-store.ts";
import { Child } from "./child.ts";
import type { Sample } from "./rounds.ts";

const QUICK_DIVISOR = 40;

/** How the whole run was asked for. */
export interface BenchOptions {
  readonly rounds: number;
  /** A fortieth of the work: shows that everything runs, not how fast. */
  readonly isQuick: boolean;
  /** Also what takes longest at its full size. */
  readonly isFull: boolean;
  /** Folder for stores and files of this run, on the disk to measure. */
  readonly directory: string;
  /** Folder for CPU profiles of the servers, or undefined for none. */
  readonly profiles: string | undefined;
}

/** A server in a process of its own. */
export interface Server extends AsyncDisposable {
  readonly child: Child;
  readonly endpoint: string;
}

/** What figures are made with. */
export class Bench implements AsyncDisposable {
  readonly options: BenchOptions;
  readonly generator = new Child("load-generator");
  #seeded: Promise<SeededStore & { readonly dataDirectory: string }> | undefined;
  #folders: string[] = [];
  #profileCount = 0;

  constructor(options: BenchOptions) {
    this.options = options;
  }

  /** That many, or a fortieth of it in a quick run. */
  scaled(count: number): number {
    return this.options.isQuick ? Math.ceil(count / QUICK_DIVISOR) : count;
  }

  /** A new empty folder, for as long as the figure runs. */
  async folder(name: string): Promise<string> {
    const folder = await this.#makeFolder(name);
    this.#folders.push(folder);
    return folder;
  }

  /** Removes the folders of the figure that has ended; the seeded store stays. */
  async endFigure(): Promise<void> {
    const folders = this.#folders;
    this.#folders = [];
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  }

  /** A Varve on that store, or on a new one; with `processors`, on these alone. */
  async startVarve(figure: string, dataDirectory?: string, processors?: string): Promise<Server> {
    const directory = dataDirectory ?? (await this.folder("store"));
    const flags = [...SERVICE_NODE.flags, ...this.#profileFlags(figure)];
    const child = new Child("varve-server", { ...SERVICE_NODE, flags, processors });
    return startServer(child, { dataDirectory: directory });
  }

  /** A floor program of bench/programs. */
  startFloor(program: string, options: unknown): Promise<Server> {
    return startServer(new Child(program), options);
  }

  /** The store with a million blocks and a thousand snapshots; made once a run. */
  seeded(): Promise<SeededStore & { readonly dataDirectory: string }> {
    this.#seeded ??= this.#seed();
    return this.#seeded;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.generator[Symbol.asyncDispose]();
  }

  #makeFolder(name: string): Promise<string> {
    return mkdtemp(join(this.options.directory, `${name}-`));
  }

  async #seed() {
    const dataDirectory = await this.#makeFolder("seeded");
    await using child = new Child("seed-store");
    const sizes = { blockCount: this.scaled(1_000_000), chainLength: this.scaled(1_000) };
    const seeded = await child.call<SeededStore>("start", { dataDirectory, ...sizes });
    return { ...seeded, dataDirectory };
  }

  #profileFlags(figure: string): string[] {
    if (this.options.profiles === undefined) return [];
    const name = `${figure}-${++this.#profileCount}.cpuprofile`;
    return ["--cpu-prof", `--cpu-prof-dir=${this.options.profiles}`, `--cpu-prof-name=${name}`];
  }
}

async function startServer(child: Child, options: unknown): Promise<Server> {
  const { endpoint } = await child.call<{ endpoint: string }>("start", options);
  return { child, endpoint, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/** Runs one load and answers what it took, the server's own CPU time included. */
export async function underLoad(server: Server, load: () => Promise<LoadResult>): Promise<Sample> {
  const before = server.child.cpuSeconds();
  const { count, seconds, p50Ms, p99Ms } = await load();
  const cpu = server.child.cpuSeconds() - before;
  return { rate: count / seconds, p50Ms, p99Ms, cpuPerThousand: (cpu / count) * 1000 };
}
