import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICE_NODE } from "../../scripts/service-node.mjs";
import type { Target } from "../support/raw-http.ts";
import type { Cleanup } from "../support/temporary-directory.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** `varve serve` in a process of its own, so that its memory and its files are its own. */
export interface ServerProcess {
  readonly target: Target;
  readonly dataDirectory: string;
  /** Resident memory now, in bytes. */
  rssBytes(): number;
  /** Open file descriptors now. */
  fileCount(): number;
  /** What it wrote to standard error so far. */
  errors(): string;
  /** Asks it to end; answers its exit code. */
  stop(): Promise<number | null>;
}

/** Starts the service, on a folder of its own if none is given, with more in its environment. */
export async function startServerProcess(
  t: Cleanup,
  given: { readonly dataDirectory?: string; readonly env?: Record<string, string> } = {},
): Promise<ServerProcess> {
  const dataDirectory = given.dataDirectory ?? (await temporaryDirectory(t));
  const bin = join(import.meta.dirname, "../../bin/varve.mjs");
  // As `npm start` starts it: what it takes of memory depends on that.
  const args = [
    ...SERVICE_NODE.flags,
    bin,
    "serve",
    "--json",
    "--data",
    dataDirectory,
    "--listen",
    "127.0.0.1:0",
  ];
  const path = process.env["PATH"] ?? "";
  const env = { PATH: path, AWS_REGION: "us-east-1", ...SERVICE_NODE.env, ...given.env };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const greeting = await greetingOf(child.stdout);
  assert.ok(greeting, `the server ended before it listened: ${errors}`);
  const { endpoint, region, accessKeyId, secretAccessKey } = greeting;
  const proc = `/proc/${child.pid}`;
  return {
    target: { endpoint, region, firstKey: { key: { accessKeyId, secretAccessKey } } },
    dataDirectory,
    rssBytes() {
      const status = readFileSync(`${proc}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
    },
    fileCount: () => readdirSync(`${proc}/fd`).length,
    errors: () => errors,
    stop() {
      child.kill("SIGTERM");
      return exited;
    },
  };
}

interface Greeting {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The facts it prints when it listens; undefined when its output ends before. */
async function greetingOf(output: NodeJS.ReadableStream): Promise<Greeting | undefined> {
  let text = "";
  for await (const piece of output) {
    text += piece;
    try {
      return JSON.parse(text) as Greeting;
    } catch {
      // Not all of it has come yet.
    }
  }
  return undefined;
}
