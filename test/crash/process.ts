import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { FirstKey } from "../../src/identity/first-account.ts";

/** What server.ts says when it listens. */
export interface Greeting {
  /** Of the server itself, also where it runs below another command. */
  readonly pid: number;
  readonly endpoint: string;
  readonly region: string;
  readonly firstKey: FirstKey;
}

/** A server process. */
export interface ServerProcess {
  /** Rejects when the process ends before it listens. */
  readonly greeting: Promise<Greeting>;
  /** What it wrote to standard error so far. */
  readonly errors: () => string;
  /** True from the moment it was told to end. */
  readonly isKilled: () => boolean;
  /** Resolves when the process, and the command above it, are gone: to the code or the signal. */
  readonly exited: Promise<number | string>;
  /** Ends it by `kill -9`; resolves when it, and the command above it, are gone. */
  readonly kill: () => Promise<void>;
}

/**
 * Starts the server on a folder, below another command (such as strace) if one is given, with more
 * in its environment than the test itself has.
 */
export function spawnServer(
  directory: string,
  under: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): ServerProcess {
  const script = join(import.meta.dirname, "server.ts");
  const quiet = "--disable-warning=ExperimentalWarning";
  const [command = "", ...args] = [...under, process.execPath, quiet, script, directory];
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  const child = spawn(command, args, { stdio, env: { ...process.env, ...env } });
  const exited = new Promise<number | string>((resolve) =>
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "")),
  );
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  let killed = false;
  const greeting = readGreeting(child, () => errors);
  // It is awaited only where the process is not killed before.
  greeting.catch(() => undefined);
  return {
    greeting,
    errors: () => errors,
    isKilled: () => killed,
    exited,
    async kill() {
      killed = true;
      // A command above the server ends by itself when the server does.
      const pid = under.length > 0 ? (await greeting).pid : undefined;
      if (pid === undefined) child.kill("SIGKILL");
      else if (child.exitCode === null && child.signalCode === null) process.kill(pid, "SIGKILL");
      await exited;
    },
  };
}

async function readGreeting(child: ChildProcess, errors: () => string): Promise<Greeting> {
  if (!child.stdout) throw new Error("the server's output is a pipe");
  for await (const line of createInterface(child.stdout)) return JSON.parse(line) as Greeting;
  throw new Error(`The server ended before it listened: ${errors()}`);
}
