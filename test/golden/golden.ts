import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { systemClock } from "../../src/base/clock.ts";
import type { ServiceConfig } from "../../src/service.ts";

/** A store as a release left it, and what must be read from it ever after. */
export interface Golden {
  readonly version: string;
  /** When it was made: then, what is pending in it is not late. */
  readonly timeMs: number;
  readonly snapshots: readonly GoldenSnapshot[];
  /** Files by path, in base64. */
  readonly files: Readonly<Record<string, string>>;
}

/** One snapshot of a golden store. */
export interface GoldenSnapshot {
  readonly id: string;
  readonly state: "completed" | "pending" | "recycled";
  readonly description: string | undefined;
  readonly tags: readonly { readonly Key: string; readonly Value: string }[];
  readonly volumeSizeGib: number;
  readonly isEncrypted: boolean;
  /** Block index and number of contents; of one that is pending, what was written to it. */
  readonly blocks: readonly (readonly [blockIndex: number, contents: number])[];
}

const FOLDER = import.meta.dirname;
const ENDING = ".golden.gz";

/** With what every golden store was made, and has to be opened. No secret of anybody. */
export const GOLDEN_CONFIG = {
  keyPair: { accessKeyId: "AKIAGOLDEN", secretAccessKey: "of-a-golden-store-that-is-public" },
  keyEncryptionKey: { secret: new Uint8Array(32).fill(7) },
  recycleBinDays: 30,
  collectMinutes: 0,
} satisfies Partial<ServiceConfig>;

/** A clock that stands where it stood when the store was made. */
export function clockAt(timeMs: number): NonNullable<ServiceConfig["clock"]> {
  return { ...systemClock, nowMs: () => timeMs };
}

/** Every golden store there is. */
export async function goldenStores(): Promise<Golden[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(ENDING)).sort();
  return Promise.all(
    names.map(async (name) => {
      return JSON.parse(gunzipSync(await readFile(join(FOLDER, name))).toString()) as Golden;
    }),
  );
}

/** Keeps a store, whose service has been closed, with what must be read from it. */
export async function keepGolden(golden: Omit<Golden, "files">, directory: string): Promise<void> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[path.slice(directory.length + 1)] = (await readFile(path)).toString("base64");
  }
  const packed = gzipSync(JSON.stringify({ ...golden, files }), { level: 9 });
  await writeFile(join(FOLDER, `${golden.version}${ENDING}`), packed);
}

/** Lays a golden store's files into a folder. */
export async function unpackGolden({ files }: Golden, directory: string): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(directory, path), Buffer.from(text, "base64"), { mode: 0o600 });
  }
}
