import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEmulation } from "../../src/cli/settings/emulation-list.ts";
import { mintAccessKey } from "../../src/identity/mint-access-key.ts";
import { type AccountId, newAccountId } from "../../src/model/ids.ts";
import { openService, type Service, type ServiceConfig } from "../../src/service.ts";
import { startMoto } from "../support/moto.ts";
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
  options: {
    readonly patienceMs?: number | undefined;
    readonly emulate?: string;
    /** The engines to keep the store in, with their key; a folder unless given. */
    readonly store?: Pick<ServiceConfig, "scaled" | "keyEncryptionKey">;
  } = {},
): Promise<Subject> {
  const { patienceMs, emulate = "", store } = options;
  const dataDirectory = await mkdtemp(join(tmpdir(), "varve-conformance-"));
  const service = await openService({
    dataDirectory,
    host: "127.0.0.1",
    port: 0,
    region: "us-east-1",
    emulation: parseEmulation(emulate),
    ...store,
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

/** moto's server. */
export async function openMoto(): Promise<Subject> {
  const moto = await startMoto();
  const key = { accessKeyId: "AKIAMOTOMOTOMOTOMOTO", secretAccessKey: "moto" };
  return {
    name: `moto ${moto.version}`,
    caller: new Caller({ url: moto.url, region: "us-east-1", ...key }),
    close: () => moto.close(),
  };
}
