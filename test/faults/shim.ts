import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, spawnServer } from "../crash/process.ts";

/** What shim.c does with the calls of a server; see there. */
export interface Faults {
  readonly log?: string;
  /** Letters of the calls that are numbered. */
  readonly calls?: string;
  /** What their paths match, below the folder: a pattern as of a shell. */
  readonly path?: string | undefined;
  readonly at?: number;
  readonly do?: "kill" | "torn" | "error" | "short";
  readonly error?: number;
  /** True where it happens again to those numbered, on the same file. */
  readonly isSticky?: boolean;
  /** The same, to calls of these letters. */
  readonly sticky?: string;
}

let built: string | undefined;

/** Path of the shim, built at the first call; undefined where nothing can build or load it. */
export function shim(): string | undefined {
  if (process.platform !== "linux") return undefined;
  if (built !== undefined) return built || undefined;
  const folder = mkdtempSync(join(tmpdir(), "varve-shim-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "shim.so");
  const source = join(import.meta.dirname, "shim.c");
  const options = ["-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-o", path, source];
  const { status } = spawnSync("cc", [...options, "-ldl", "-lpthread"]);
  built = status === 0 ? path : "";
  return built || undefined;
}

/** Why these tests cannot run here. */
export const NO_SHIM = "needs Linux and a C compiler";

/** Starts the server on a folder with faults below it. One thread does its files. */
export function spawnFaulty(directory: string, faults: Faults): ServerProcess {
  return spawnServer(directory, [], {
    LD_PRELOAD: shim() ?? "",
    UV_THREADPOOL_SIZE: "1",
    VARVE_TEST_RECYCLE_BIN_DAYS: "1",
    FAULTS_FOLDER: directory,
    FAULTS_LOG: faults.log ?? "",
    FAULTS_CALLS: faults.calls ?? "",
    FAULTS_PATH: faults.path ?? "",
    FAULTS_AT: String(faults.at ?? 0),
    FAULTS_DO: faults.do ?? "",
    FAULTS_ERROR: String(faults.error ?? 0),
    FAULTS_STICKY: faults.sticky ?? (faults.isSticky ? "1" : ""),
  });
}

/** One call as the shim wrote it down. */
export interface LoggedCall {
  readonly letter: string;
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
  /** What the call answered; below zero the errno of a failure that was made. */
  readonly result: number;
  /** Below the folder; of a rename both. */
  readonly path: string;
  /** What was written; of an answer its head. */
  readonly bytes: Buffer;
}

/** Reads a log from its beginning to its last whole line. */
export async function readLog(path: string): Promise<LoggedCall[]> {
  const log = await readFile(path);
  const logged: LoggedCall[] = [];
  for (let start = 0; ; ) {
    const end = log.indexOf(10, start);
    if (end < 0) return logged;
    const line = log.subarray(start, end).toString();
    const [letter = "", , fd, offset, length, result, ...rest] = line.split("\t");
    const follows = letter === "w" || letter === "a" ? Math.max(0, Number(result)) : 0;
    if (end + 1 + follows > log.length) return logged;
    logged.push({
      letter,
      fd: Number(fd),
      offset: Number(offset),
      length: Number(length),
      result: Number(result),
      path: rest.join("\t"),
      bytes: log.subarray(end + 1, end + 1 + follows),
    });
    start = end + 1 + follows;
  }
}
