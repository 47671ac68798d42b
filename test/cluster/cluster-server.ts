import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Leases } from "../../src/catalog/processes.ts";
import { type Client, createClient } from "../../src/client/index.ts";
import type { Cleanup } from "../support/temporary-directory.ts";
import type { SegmentsPlace } from "./segments-place.ts";

/** What a server process is told. */
export interface ClusterConfig {
  /** Of the catalog. */
  readonly connectionString: string;
  /** Of all processes. */
  readonly segments: SegmentsPlace;
  /** By how much the process's wall clock is wrong. */
  readonly skewMs: number;
  readonly leases: Leases;
  readonly keyPair: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly collectMinutes: number;
}

/** Leases short enough for tests, and long enough for a machine that does much besides. */
export const LEASES: Leases = { beatMs: 300, aliveMs: 4_000, leadMs: 3_000 };
const KEY_PAIR = { accessKeyId: "AKIDCLUSTER", secretAccessKey: "a secret of the cluster's tests" };

/** A server process. */
export interface Server {
  readonly endpoint: string;
  readonly pid: number;
  /** What it wrote to standard error so far. */
  readonly errors: () => string;
  /** Makes a client for it; a call is one attempt with `attemptsMax` 1. */
  client(attemptsMax?: number): Client;
  /** `SIGSTOP`, `SIGCONT`; `SIGKILL` and `SIGTERM` resolve when it has gone. */
  signal(name: "SIGSTOP" | "SIGCONT" | "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** Starts a server process on the store; it is killed when the test ends. */
export async function startServer(
  t: Cleanup,
  config: Pick<ClusterConfig, "connectionString" | "segments"> & Partial<ClusterConfig>,
): Promise<Server> {
  const whole = { skewMs: 0, leases: LEASES, keyPair: KEY_PAIR, collectMinutes: 0, ...config };
  const script = join(import.meta.dirname, "server.ts");
  const args = ["--disable-warning=ExperimentalWarning", script, JSON.stringify(whole)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const clients: Client[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await end(child, "SIGKILL");
  });
  const endpoint = await endpointOf(child, () => errors);
  return {
    endpoint,
    pid: child.pid as number,
    errors: () => errors,
    client(attemptsMax = 12) {
      const client = createClient({
        ...{ endpoint, credentials: KEY_PAIR, attemptsMax },
        attemptTimeoutMs: attemptsMax === 1 ? 6_000 : 15_000,
      });
      clients.push(client);
      return client;
    },
    async signal(name) {
      if (name === "SIGKILL" || name === "SIGTERM") await end(child, name);
      else child.kill(name);
    },
  };
}

async function end(child: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

async function endpointOf(child: ChildProcess, errors: () => string): Promise<string> {
  if (!child.stdout) throw new Error("the server's output is a pipe");
  for await (const line of createInterface(child.stdout)) return JSON.parse(line).endpoint;
  throw new Error(`The server ended before it listened: ${errors()}`);
}
