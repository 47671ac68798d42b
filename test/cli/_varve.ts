import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BIN = join(import.meta.dirname, "../../bin/varve.mjs");

/** What a command left behind. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run the command. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A program and its arguments to run the command by. */
  readonly by?: readonly string[];
  /** Acts on the process as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void;
  /** Hears what comes on standard error, with the process to act on. */
  readonly onStderr?: (text: string, child: ChildProcess) => void;
  readonly onStdout?: (text: string, child: ChildProcess) => void;
}

/** Runs the `varve` command as its users do, with nothing of this machine's AWS settings. */
export function runVarve(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [command = process.execPath, ...rest] = [
    ...(options.by ?? []),
    process.execPath,
    BIN,
    ...args,
  ];
  const env = {
    PATH: process.env["PATH"] ?? "",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    XDG_STATE_HOME: join(options.cwd ?? tmpdir(), ".state"),
    ...options.env,
  };
  const child = spawn(command, rest, { env, cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    options.onStdout?.(stdout, child);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    options.onStderr?.(stderr, child);
  });
  options.onStart?.(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
