import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort } from "./free-port.ts";

/** moto 5.2.1, with the services that are asked of it here. */
const MOTO_PACKAGE = "moto[server,ebs,ec2,kms,sts]==5.2.1";
const MOTO_CACHE = join(import.meta.dirname, "../../node_modules/.cache/varve-moto");
const MOTO_START_MS_MAX = 60_000;

/** moto's server, running. */
export interface Moto {
  readonly url: URL;
  readonly version: string;
  close(): Promise<void>;
}

/** Starts moto, installed below node_modules where it is missing, on a free loopback port. */
export async function startMoto(): Promise<Moto> {
  const python = join(MOTO_CACHE, "bin/python");
  await install(python);
  const print = ["-c", "import moto; print(moto.__version__)"];
  const version = execFileSync(python, print, { encoding: "utf8" }).trim();
  const port = await freePort();
  const server = join(MOTO_CACHE, "bin/moto_server");
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
  if (process.env["CI"] === "true" || isInstalled()) return undefined;
  return "moto is not installed: npm run conformance -- --moto installs it";
}

function isInstalled(): boolean {
  const isThere = existsSync(join(MOTO_CACHE, "bin/moto_server"));
  return isThere && hasModule(join(MOTO_CACHE, "bin/python"), "cryptography");
}

async function install(python: string): Promise<void> {
  if (isInstalled()) return;
  await rm(MOTO_CACHE, { recursive: true, force: true });
  execFileSync("python3", ["-m", "venv", MOTO_CACHE], { stdio: "inherit" });
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", MOTO_PACKAGE];
  execFileSync(python, pip, { stdio: "inherit" });
}

function hasModule(python: string, name: string): boolean {
  try {
    execFileSync(python, ["-c", `import ${name}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
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
