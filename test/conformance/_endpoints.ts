import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseEmulation } from "../../src/cli/emulation-list.ts";
import { mintAccessKey } from "../../src/identity/mint-access-key.ts";
import { type AccountId, newAccountId } from "../../src/model/ids.ts";
import { openService, type Service } from "../../src/service.ts";
import { freePort } from "../support/free-port.ts";
import { Caller } from "./_caller.ts";
import type { OtherCallers } from "./_context.ts";

/** An endpoint to run against, and how to be rid of it. */
export interface Subject {
  readonly name: string;
  readonly caller: Caller;
  readonly others?: OtherCallers;
  close(): Promise<void>;
}

/** Varve in this process, on a free port, with a store of its own. */
export async function openVarve(
  options: { readonly patienceMs?: number | undefined; readonly emulate?: string } = {},
): Promise<Subject> {
  const { patienceMs, emulate = "" } = options;
  const dataDirectory = await mkdtemp(join(tmpdir(), "varve-conformance-"));
  const service = await openService({
    dataDirectory,
    host: "127.0.0.1",
    port: 0,
    region: "us-east-1",
    emulation: parseEmulation(emulate),
  });
  const { accessKeyId, secretAccessKey } = service.firstKey.key;
  const { endpoint, region } = service;
  const url = new URL(endpoint);
  return {
    name: emulate === "" ? "Varve" : `Varve, --emulate ${emulate}`,
    caller: new Caller({ url, region, accessKeyId, secretAccessKey }, undefined, patienceMs),
    others: await otherCallers(service, patienceMs),
    async close() {
      await service.close();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** A second account, and keys of the first one with policies. */
async function otherCallers(
  { core, endpoint, region, firstKey }: Service,
  patienceMs: number | undefined,
): Promise<OtherCallers> {
  const { identity } = core.catalog;
  const account = newAccountId(core.random);
  await identity.addAccount(account);
  const callerOf = async (owner: AccountId, policy: string | undefined) => {
    const key = mintAccessKey({ account: owner, policy }, core);
    await identity.putAccessKey(key);
    const { accessKeyId, secretAccessKey } = key;
    const party = { url: new URL(endpoint), region, accessKeyId, secretAccessKey };
    return new Caller(party, undefined, patienceMs);
  };
  return {
    second: await callerOf(account, undefined),
    restricted: (policy) => callerOf(firstKey.key.account, JSON.stringify(policy)),
  };
}

const MOTO_PACKAGE = "moto[server,ebs,ec2,sts]==5.2.1";
const MOTO_CACHE = join(import.meta.dirname, "../../node_modules/.cache/varve-moto");
const MOTO_START_MS_MAX = 60_000;

/** moto's server, installed below node_modules where it is missing, on a free loopback port. */
export async function openMoto(): Promise<Subject> {
  const python = join(MOTO_CACHE, "bin/python");
  if (!existsSync(join(MOTO_CACHE, "bin/moto_server"))) {
    execFileSync("python3", ["-m", "venv", MOTO_CACHE], { stdio: "inherit" });
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", MOTO_PACKAGE];
    execFileSync(python, pip, { stdio: "inherit" });
  }
  const print = ["-c", "import moto; print(moto.__version__)"];
  const version = execFileSync(python, print, { encoding: "utf8" }).trim();
  const port = await freePort();
  const server = join(MOTO_CACHE, "bin/moto_server");
  const child = spawn(server, ["-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  const url = new URL(`http://127.0.0.1:${port}`);
  await answering(url, child);
  const key = { accessKeyId: "AKIAMOTOMOTOMOTOMOTO", secretAccessKey: "moto" };
  return {
    name: `moto ${version}`,
    caller: new Caller({ url, region: "us-east-1", ...key }),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, "exit");
    },
  };
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
