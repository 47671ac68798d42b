import { type ExecFileOptions, execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Below it lies all that building leaves behind: nothing goes into the source folders. */
export const CACHE = join(import.meta.dirname, "../../node_modules/.cache/varve-sdk");
/** Long enough for a cold cache on two slow cores. */
const BUILD_TIMEOUT_MS = 600_000;
const OUTPUT_BYTES_MAX = 16 * 2 ** 20;

/** One of the programs of this folder, and how it comes to be. */
export interface Program {
  /** Folder of its sources, beside this file. */
  readonly folder: "go" | "java";
  /** Commands that building and running need, each with arguments that show it is there. */
  readonly tools: readonly (readonly [command: string, ...args: string[]])[];
  /** What builds it into the folder given. */
  build(output: string): { command: string; args: string[]; env?: Record<string, string> };
  /** What runs the built program. */
  command(output: string): [command: string, ...args: string[]];
}

/** The reason to skip a program's test where a tool is missing; on CI that is an error. */
export async function reasonToSkip({ tools }: Program): Promise<string | false> {
  for (const [command, ...args] of tools) {
    const works = await run(command, args).then(
      () => true,
      () => false,
    );
    if (works) continue;
    const reason = `${command} is not installed, or too old`;
    if (process.env["CI"] === "true") throw new Error(`${reason}, and CI must run every test`);
    return reason;
  }
  return false;
}

/** Builds a program unless it was built from the same sources; answers what runs it. */
export async function built(program: Program): Promise<[command: string, ...args: string[]]> {
  const sources = join(import.meta.dirname, program.folder);
  const output = join(CACHE, program.folder);
  const stamp = join(output, "built-from");
  const state = await digestOfFolder(sources);
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === state) {
    return program.command(output);
  }
  await rm(output, { recursive: true, force: true });
  await mkdir(output, { recursive: true });
  const { command, args, env = {} } = program.build(output);
  const options: ExecFileOptions = {
    cwd: sources,
    env: { ...process.env, ...env },
    timeout: BUILD_TIMEOUT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
  };
  await run(command, args, options).catch((error: Error & { stdout?: string }) => {
    throw new Error(`${error.message}\n${error.stdout ?? ""}`);
  });
  await writeFile(stamp, state);
  return program.command(output);
}

/** Names and contents of all files, in an order that does not depend on the file system. */
async function digestOfFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  const digest = createHash("sha256");
  for (const path of paths) {
    const bytes = await readFile(path);
    digest.update(`${path.slice(folder.length)} ${bytes.length}\n`).update(bytes);
  }
  return digest.digest("hex");
}
