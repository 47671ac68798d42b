import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { freePort } from "./free-port.ts";
import { pythonEnvironment } from "./python-environment.ts";

/** moto 5.2.1, with the services that are asked of it here. */
const MOTO = pythonEnvironment("varve-moto", ["moto[server,ebs,ec2,kms,sts]==5.2.1"]);
const MOTO_START_MS_MAX = 60_000;

/** moto's server, running. */
export interface Moto {
  readonly url: URL;
  readonly version: string;
  close(): Promise<void>;
}

/** Starts moto, installed below node_modules where it is missing, on a free loopback port. */
export async function startMoto(): Promise<Moto> {
  await MOTO.install();
  const print = ["-c", "import moto; print(moto.__version__)"];
  const version = execFileSync(MOTO.program("python"), print, { encoding: "utf8" }).trim();
  const port = await freePort();
  const server = MOTO.program("moto_server");
  const child = spawn(server, ["-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  const url = new URL(`http://127.0.0.1:${port}`);
  await answering(url, child);
  return {
    url,
    version,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, "exit");
    },
  };
}

/** The reason to skip a test of moto with; undefined where it is installed, and on CI. */
export function whyNoMoto(): string | undefined {
  if (process.env["CI"] === "true" || MOTO.isInstalled()) return undefined;
  return "moto is not installed: npm run conformance -- --moto installs it";
}

async function answering(url: URL, child: ChildProcess): Promise<void> {
  const start = performance.now();
  while (performance.now() - start < MOTO_START_MS_MAX) {
    if (child.exitCode !== null) throw new Error(`moto_server ended with ${child.exitCode}`);
    const answer = await fetch(new URL("/moto-api/", url)).catch(() => undefined);
    if (answer !== undefined) return;
    await setTimeout(200);
  }
  child.kill();
  throw new Error("moto_server does not answer");
}
