import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { pick } from "../support/property.ts";
import { type Disk, type DiskFile, flip } from "./_disk.ts";
import { SimulatedFailure } from "./_excuses.ts";
import type { Life, Scheduler } from "./_scheduler.ts";
import type { DiskFaults } from "./weather.ts";

/*
 * `node:fs/promises` for folders that lie on simulated disks, so that the real `FileSegments` runs
 * on them. Only the calls that it makes are there.
 */

/** A disk as a process sees it. */
export interface Mount {
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  readonly life: Life;
  readonly faults: DiskFaults;
  /** True while the disk takes no bytes. */
  isFull(): boolean;
  /** Hears of each fault. */
  onFault(kind: keyof DiskFaults | "full"): void;
}

const PREFIX = "/simulated/";
/** What is larger does not go astray: it would have to be kept. */
const STRAY_BYTES_MAX = 4_096;
const FOLDER = /^\/simulated\/(\d+)\/segments(?:\/([^/]+))?$/;
const ROOT = /^\/simulated\/(\d+)\/?$/;

const mounts = new Map<string, Mount>();
let mountCount = 0;

/** Mounts a disk; answers the path of a folder whose `segments` lie on it. */
export function mount(mounted: Mount): string {
  mountCount += 1;
  mounts.set(String(mountCount), mounted);
  return `${PREFIX}${mountCount}`;
}

/** Forgets every mount. */
export function unmountAll(): void {
  mounts.clear();
}

type FileSystem = Record<string, (path: string, ...given: unknown[]) => Promise<unknown>>;

const simulated: FileSystem = {
  mkdir: async () => undefined,
  async open(path, flags) {
    const { mounted, name } = find(path);
    if (name === undefined) return new FolderHandle(mounted);
    if (flags === "wx+") return create(mounted, name);
    await called(mounted, `open ${name}`);
    const file = mounted.disk.names.get(name);
    if (!file) throw refusal("ENOENT", "open");
    return new Handle(mounted, name, file);
  },
  async readdir(path) {
    const { mounted } = find(path);
    await called(mounted, "readdir");
    return [...mounted.disk.names.keys()];
  },
  async stat(path) {
    const { mounted, name = "" } = find(path);
    await called(mounted, `stat ${name}`);
    const file = mounted.disk.names.get(name);
    if (!file) throw refusal("ENOENT", "stat");
    return { size: file.contents.length };
  },
  async unlink(path) {
    const { mounted, name = "" } = find(path);
    await called(mounted, `unlink ${name}`);
    failAtTimes(mounted, "name");
    if (!mounted.disk.names.has(name)) throw refusal("ENOENT", "unlink");
    mounted.disk.unlink(name);
  },
};

async function create(mounted: Mount, name: string): Promise<Handle> {
  await called(mounted, `create ${name}`);
  failAtTimes(mounted, "name");
  if (mounted.disk.names.has(name)) throw refusal("EEXIST", "open");
  return new Handle(mounted, name, mounted.disk.create(name));
}

function find(path: string): { readonly mounted: Mount; readonly name: string | undefined } {
  const [, number = "", name] = FOLDER.exec(path) ?? ROOT.exec(path) ?? [];
  const mounted = mounts.get(number);
  if (!mounted) throw new Error(`${path} lies on no simulated disk`);
  return { mounted, name };
}

/** A call's way to the disk; nothing happens there before. */
async function called({ scheduler, life }: Mount, what: string): Promise<void> {
  await scheduler.turn(life);
  scheduler.note(what);
}

/** As the system answers where a name is there or is not; no mishap. */
function refusal(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

function failAtTimes({ scheduler, faults, onFault }: Mount, kind: keyof DiskFaults): void {
  if (!scheduler.chance(faults[kind])) return;
  onFault(kind);
  scheduler.note(`failed: ${kind}`);
  throw new SimulatedFailure(kind, `EIO: ${kind}`, "EIO");
}

class FolderHandle {
  readonly #mounted: Mount;

  constructor(mounted: Mount) {
    this.#mounted = mounted;
  }

  async sync(): Promise<void> {
    await called(this.#mounted, "sync folder");
    failAtTimes(this.#mounted, "sync");
    this.#mounted.disk.sync();
  }

  async close(): Promise<void> {}
}

class Handle {
  readonly #mounted: Mount;
  readonly #name: string;
  readonly #file: DiskFile;

  constructor(mounted: Mount, name: string, file: DiskFile) {
    this.#mounted = mounted;
    this.#name = name;
    this.#file = file;
  }

  async writev(pieces: readonly Uint8Array[], offset: number): Promise<{ bytesWritten: number }> {
    const mounted = this.#mounted;
    const bytes = Buffer.concat(pieces);
    await called(mounted, `write ${this.#name} ${offset} ${bytes.toString("base64")}`);
    failAtTimes(mounted, "write");
    const taken = this.#taken(bytes);
    if (taken.length === 0) throw new SimulatedFailure("full", "ENOSPC: write", "ENOSPC");
    this.#file.write(offset, taken);
    await mounted.scheduler.turn(mounted.life);
    return { bytesWritten: taken.length };
  }

  /** A disk that is just full takes some of it first, and calls that no error. */
  #taken(bytes: Buffer): Buffer {
    const { scheduler, faults, isFull, onFault } = this.#mounted;
    const kind = isFull() ? "full" : scheduler.chance(faults.short) ? "short" : undefined;
    if (kind === undefined) return bytes;
    onFault(kind);
    if (kind === "full" && scheduler.chance(0.7)) return Buffer.alloc(0);
    const length = 1 + pick(scheduler.fraction, bytes.length);
    scheduler.note(`${kind}: ${length}`);
    return bytes.subarray(0, length);
  }

  async datasync(): Promise<void> {
    const mounted = this.#mounted;
    await called(mounted, `sync ${this.#name}`);
    try {
      failAtTimes(mounted, "sync");
    } catch (error) {
      this.#file.failToSync(mounted.scheduler.fraction);
      throw error;
    }
    this.#file.sync();
    await mounted.scheduler.turn(mounted.life);
  }

  async truncate(length: number): Promise<void> {
    await called(this.#mounted, `truncate ${this.#name} ${length}`);
    failAtTimes(this.#mounted, "name");
    this.#file.truncate(length);
  }

  async read(
    buffer: Uint8Array,
    ...[start, length, position]: readonly [number, number, number]
  ): Promise<{ bytesRead: number }> {
    const mounted = this.#mounted;
    const { scheduler, faults } = mounted;
    await called(mounted, `read ${this.#name} ${position} ${length}`);
    failAtTimes(mounted, "read");
    const isShort = length > 1 && scheduler.chance(faults.short);
    const wanted = isShort ? 1 + pick(scheduler.fraction, length - 1) : length;
    const found = this.#found(position, wanted);
    buffer.set(found, start);
    if (scheduler.chance(faults.flip) && found.length > 0) {
      mounted.onFault("flip");
      const bit = pick(scheduler.fraction, found.length * 8);
      flip(buffer.subarray(start, start + found.length), bit);
    }
    await scheduler.turn(mounted.life);
    return { bytesRead: found.length };
  }

  #found(position: number, length: number): Uint8Array {
    const { scheduler, faults, onFault, disk } = this.#mounted;
    const found = this.#file.contents.subarray(position, position + length);
    if (faults.stray === 0 || length > STRAY_BYTES_MAX) return found;
    const before = disk.lastRead.get(length);
    disk.lastRead.set(length, Buffer.from(found));
    if (!before || before.equals(found) || !scheduler.chance(faults.stray)) return found;
    onFault("stray");
    scheduler.note("stray");
    return before;
  }

  async close(): Promise<void> {}
}

const real = fs as unknown as FileSystem;
for (const [name, method] of Object.entries(simulated)) {
  const original = real[name] as FileSystem[string];
  real[name] = (path, ...given) => {
    const isSimulated = typeof path === "string" && path.startsWith(PREFIX);
    return (isSimulated ? method : original)(path, ...given);
  };
}
syncBuiltinESMExports();
