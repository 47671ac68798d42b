import { type ExecFileOptions, execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/*
 * Programs in other languages that speak to the service, ours and other people's: whether their
 * tools are there, how they are built once, and how they are run.
 */

/** Below it lies all that building leaves behind: nothing goes into the source folders. */
export const CACHE = join(import.meta.dirname, "../../node_modules/.cache/varve-sdk");
/** Long enough for a cold cache on two slow cores: the AWS SDK for Rust alone takes minutes. */
const BUILD_TIMEOUT_MS = 1_500_000;
/** What is run takes seconds; a virtual machine's first start on busy cores is the rest. */
const RUN_TIMEOUT_MS = 120_000;
const OUTPUT_BYTES_MAX = 16 * 2 ** 20;

/** A command of one of the tools, with its arguments. */
export type Command = readonly [command: string, ...args: string[]];

/** A command that shows that a tool is there, and the least release that will do. */
export interface Tool {
  readonly show: Command;
  /** The least release, where the command prints its own. */
  readonly least?: readonly [major: number, minor: number];
}

/** How one step of a build is run. */
export interface Step {
  readonly command: Command;
  readonly env?: Readonly<Record<string, string>>;
}

/** A program in another language: ours, or one as its authors published it. */
export interface Program {
  /** Its folder in the cache. */
  readonly name: string;
  /** Folder of its sources, where they are ours. */
  readonly sources?: string;
  /** What building and running need. */
  readonly tools: readonly Tool[];
  /** What builds it into the folder given. */
  build(output: string): readonly Step[];
  /** What runs the built program. */
  command(output: string): Command;
}

/** Runs a command to its end; throws when that is not 0. */
export async function run(
  [command, ...args]: Command,
  { env = {}, ...options }: ExecFileOptions = {},
): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(command, args, {
    timeout: RUN_TIMEOUT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    ...options,
    encoding: "utf8",
    // Where e2fsprogs lies when it is not in the path of an ordinary user.
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin`, ...env },
  });
}

/** The reason to skip a test where one of its tools is missing; on CI that is an error. */
export async function reasonToSkip(tools: readonly Tool[]): Promise<string | false> {
  for (const tool of tools) {
    if (await isThere(tool)) continue;
    const reason = `${tool.show[0]} is not installed, or too old`;
    if (process.env["CI"] === "true") throw new Error(`${reason}, and CI must run every test`);
    return reason;
  }
  return false;
}

async function isThere({ show, least }: Tool): Promise<boolean> {
  const shown = await run(show).catch(() => undefined);
  if (shown === undefined || least === undefined) return shown !== undefined;
  const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(shown.stdout) ?? []).map(Number);
  return major > least[0] || (major === least[0] && minor >= least[1]);
}

/** Builds a program unless it was built from the same sources; answers what runs it. */
export async function built(program: Program): Promise<Command> {
  const output = join(CACHE, program.name);
  const steps = program.build(output);
  const stamp = join(output, "built-from");
  const state = await digestOf(steps, program.sources);
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === state) {
    return program.command(output);
  }
  await rm(output, { recursive: true, force: true });
  await mkdir(output, { recursive: true });
  for (const step of steps) await runStep(step, program.sources ?? output);
  await writeFile(stamp, state);
  return program.command(output);
}

async function runStep({ command, env }: Step, cwd: string): Promise<void> {
  const options = { cwd, timeout: BUILD_TIMEOUT_MS, ...(env && { env }) };
  await run(command, options).catch((error: Error & { stdout?: string }) => {
    throw new Error(`${error.message}\n${error.stdout ?? ""}`);
  });
}

/** The steps, and all files by name, in an order that does not depend on the file system. */
async function digestOf(steps: readonly Step[], sources: string | undefined): Promise<string> {
  const digest = createHash("sha256").update(JSON.stringify(steps));
  if (sources === undefined) return digest.digest("hex");
  const entries = await readdir(sources, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  for (const path of paths) {
    const bytes = await readFile(path);
    digest.update(`${path.slice(sources.length)} ${bytes.length}\n`).update(bytes);
  }
  return digest.digest("hex");
}
