import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second in /proc: fixed by the interface between Linux and its programs. */
const TICKS_PER_SECOND = 100;
/** Milliseconds between two looks at a program's memory; its peak is the kernel's own count. */
const LOOK_INTERVAL_MS = 50;
const KIB_PER_MIB = 1024;

/** CPU seconds of all threads of a process so far, user and system; 0 where there is no /proc. */
export function cpuSecondsOf(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in brackets may hold spaces; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

/** MiB of memory that a process has now, or had at most; 0 where there is no /proc. */
export function memoryMibOf(pid: number | undefined, which: "VmRSS" | "VmHWM"): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / KIB_PER_MIB;
  } catch {
    return 0;
  }
}

/** What a program took. */
export interface Took {
  readonly seconds: number;
  /** MiB of its own memory at most, and of the programs that it has started. */
  readonly peakMib: number;
  readonly output: string;
}

/** Runs a program to its end. Throws, with what it said, when that is no success. */
export async function runProgram(
  command: readonly [string, ...string[]],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Took> {
  const [program, ...args] = command;
  const startedAt = performance.now();
  const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors]: Buffer[][] = [[], []];
  child.stdout.on("data", (piece: Buffer) => output?.push(piece));
  child.stderr.on("data", (piece: Buffer) => errors?.push(piece));
  let peakMib = 0;
  const look = setInterval(() => {
    const own = [child.pid, ...childrenOf(child.pid)];
    peakMib = Math.max(peakMib, ...own.map((pid) => memoryMibOf(pid, "VmHWM")));
  }, LOOK_INTERVAL_MS);
  try {
    const code = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const seconds = (performance.now() - startedAt) / 1000;
    const said = Buffer.concat(errors ?? []).toString("utf8");
    if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${said}`);
    return { seconds, peakMib, output: Buffer.concat(output ?? []).toString("utf8") };
  } finally {
    clearInterval(look);
  }
}

function childrenOf(pid: number | undefined): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1")
        .split(" ")
        .filter((text) => text !== "")
        .map(Number),
    );
  } catch {
    return [];
  }
}
