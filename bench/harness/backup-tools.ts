import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { runProgram } from "./process.ts";
import { varveCommand } from "./varve-command.ts";

const MIB = 1024 * 1024;

/** One tool's store of its own, from the first image to the last. */
export interface BackupTool extends AsyncDisposable {
  /** Seconds to store the image at that path; a second time, as what has become of the first. */
  store(image: string): Promise<number>;
  /** Seconds to bring back what was stored last. */
  restore(): Promise<number>;
  /** The image that was brought back. */
  readonly restored: string;
  /** MiB that all that was stored takes on its disk. */
  storedMib(): Promise<number>;
}

/** Makes the tools' stores, each time a new one. */
export const BACKUP_TOOLS: Readonly<Record<string, (bench: Bench) => Promise<BackupTool>>> = {
  varve: openVarve,
  restic: openRestic,
  borg: openBorg,
};

async function openVarve(bench: Bench): Promise<BackupTool> {
  const store = await bench.folder("store");
  const server = await bench.startVarve("backup", store);
  const folder = await bench.folder("varve");
  const varve = varveCommand(server.endpoint, folder);
  const restored = join(folder, "restored.raw");
  let latest: string | undefined;
  return {
    restored,
    async store(image) {
      const parent = latest === undefined ? [] : ["--parent", latest];
      const { output, seconds } = await varve("upload", image, ...parent);
      latest = output.trim();
      return seconds;
    },
    restore: async () => (await varve("download", latest ?? "", restored)).seconds,
    storedMib: () => mibOf(store),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function openRestic(bench: Bench): Promise<BackupTool> {
  const folder = await bench.folder("restic");
  const store = join(folder, "store");
  const env = {
    ...process.env,
    RESTIC_REPOSITORY: store,
    RESTIC_PASSWORD: "bench",
    RESTIC_CACHE_DIR: join(folder, "cache"),
  };
  const restic = (...args: readonly string[]) => runProgram(["restic", "-q", ...args], { env });
  await restic("init");
  const image = join(folder, "disk.raw");
  const target = join(folder, "restored");
  return {
    restored: join(target, image),
    store: (path) => at(image, path, async () => (await restic("backup", image)).seconds),
    restore: async () => (await restic("restore", "latest", "--target", target)).seconds,
    storedMib: () => mibOf(store),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function openBorg(bench: Bench): Promise<BackupTool> {
  const folder = await bench.folder("borg");
  const store = join(folder, "store");
  const env = { ...process.env, BORG_REPO: store, BORG_BASE_DIR: join(folder, "base") };
  const target = join(folder, "restored");
  mkdirSync(target);
  const borg = (...args: readonly string[]) => runProgram(["borg", ...args], { env, cwd: target });
  await borg("init", "-e", "none");
  const image = join(folder, "disk.raw");
  let count = 0;
  return {
    restored: join(target, image),
    store: (path) =>
      at(image, path, async () => {
        count += 1;
        return (await borg("create", "-C", "zstd,1", `::${count}`, image)).seconds;
      }),
    restore: async () => (await borg("extract", "--sparse", `::${count}`)).seconds,
    storedMib: () => mibOf(store),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Both tools find what a file was by its path, so both images are stored under one. */
async function at<T>(path: string, image: string, work: () => Promise<T>): Promise<T> {
  renameSync(image, path);
  try {
    return await work();
  } finally {
    renameSync(path, image);
  }
}

async function mibOf(folder: string): Promise<number> {
  const { output } = await runProgram(["du", "-s", "--block-size=1", folder]);
  return Number.parseInt(output, 10) / MIB;
}

/** Why a tool cannot be measured here; undefined where it can. */
export async function whyNot(name: string): Promise<string | undefined> {
  if (name === "varve") return undefined;
  const version = name === "restic" ? "version" : "--version";
  return runProgram([name, version]).then(
    () => undefined,
    () => `${name} is not installed: apt-get install ${name === "borg" ? "borgbackup" : name}`,
  );
}

/** True where the file system can be made: e2fsprogs is there. */
export function canMakeFileSystem(): boolean {
  return ["/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"].some((path) => {
    return existsSync(path) && statSync(path).isFile();
  });
}
