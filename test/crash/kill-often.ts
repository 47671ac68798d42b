import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { pick, seededFraction } from "../support/property.ts";
import type { Cleanup } from "../support/temporary-directory.ts";
import { BareClient, RefusedError } from "./_client.ts";
import { type Finished, Lane, type Ledger, verify } from "./_lane.ts";
import { type Greeting, type ServerProcess, spawnServer } from "./process.ts";

/** How often a server is killed, and under which load. */
export interface KillOptions {
  readonly run: Cleanup & { readonly seed: number };
  readonly cycles: number;
  readonly lanes: number;
  /** Writers of each lane. */
  readonly writers: number;
}

/** What happened; had anything been lost or wrong, it would have thrown. */
export interface KillCounts {
  readonly kills: number;
  readonly acknowledged: number;
  readonly completed: number;
  readonly checked: number;
  /** Of each restart, from the start of the process to the first successful request. */
  readonly restartMs: readonly number[];
}

/** Kills servers on one folder, one after another, and compares every acknowledged byte. */
export async function killOften(directory: string, options: KillOptions): Promise<KillCounts> {
  const { run, cycles, lanes: laneCount, writers } = options;
  const ledger: Ledger = {
    fraction: seededFraction(run.seed),
    finished: [],
    violations: [],
    acknowledgedCount: 0,
    checkedCount: 0,
    nextContents: 1,
    life: 0,
  };
  const lanes = Array.from({ length: laneCount }, (_, i) => {
    return new Lane(`lane-${i}`, ledger, writers);
  });
  let server: ServerProcess | undefined;
  run.after(() => server?.kill());
  let identity: Greeting["firstKey"]["key"] | undefined;
  const restarts: number[] = [];
  for (let cycle = 0; cycle <= cycles; cycle++) {
    ledger.life = cycle + 1;
    if (ledger.fraction() < 0.15) await killWhileStarting(directory, ledger);
    server = spawnServer(directory);
    const { client, greeting, restartMs } = await ask(server, ledger);
    restarts.push(restartMs);
    identity ??= greeting.firstKey.key;
    assert.deepEqual(greeting.firstKey.key, identity, "the store keeps its account and key");
    const isLast = cycle === cycles;
    if (isLast) for (const lane of lanes) await lane.finish(client);
    else await loadAndKill(lanes, server, { client, ledger });
    if (isLast) for (const known of ledger.finished) await verifySome(client, ledger, known);
    await server.kill();
    client.destroy();
    assert.equal(server.errors(), "", "the server logs no error");
    assert.deepEqual(ledger.violations, []);
  }
  return {
    kills: cycles,
    acknowledged: ledger.acknowledgedCount,
    completed: ledger.finished.length,
    checked: ledger.checkedCount,
    restartMs: restarts,
  };
}

/** Asks a server just started for a snapshot completed earlier, which has to be unchanged. */
async function ask(server: ServerProcess, ledger: Ledger) {
  const spawnedMs = performance.now();
  const greeting = await server.greeting;
  const client = new BareClient(greeting);
  const { finished, fraction } = ledger;
  const known = finished[pick(fraction, finished.length)];
  if (known) await client.list(known.snapshotId, undefined);
  else await new Lane("warm-up", ledger).finish(client);
  const restartMs = performance.now() - spawnedMs;
  if (known) await verifySome(client, ledger, known);
  return { client, greeting, restartMs };
}

/** Kills a server somewhere between its first instruction and its first request. */
async function killWhileStarting(directory: string, { fraction }: Ledger): Promise<void> {
  const server = spawnServer(directory);
  await sleep(pick(fraction, 400));
  await server.kill();
}

/** Lets all lanes work, and kills the server under them at a random moment. */
async function loadAndKill(
  lanes: readonly Lane[],
  server: ServerProcess,
  { client, ledger }: { client: BareClient; ledger: Ledger },
): Promise<void> {
  const running = lanes.map((lane) =>
    lane.run(client, server.isKilled).catch((error: Error) => checkFailure(error, server, ledger)),
  );
  await sleep(pick(ledger.fraction, 900));
  await server.kill();
  await Promise.all(running);
}

/** A request may fail because the server was killed, and for no other reason. */
function checkFailure(error: Error, server: ServerProcess, ledger: Ledger): void {
  if (server.isKilled() && !(error instanceof RefusedError)) return;
  ledger.violations.push(`A request failed: ${error.name}: ${error.message}`);
}

async function verifySome(client: BareClient, ledger: Ledger, finished: Finished): Promise<void> {
  const blockIndexes = finished.own.filter(() => ledger.fraction() < 0.1);
  await verify(client, ledger, { finished, blockIndexes });
}
