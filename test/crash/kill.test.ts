import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pick, printSeed, seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { BareClient, RefusedError } from "./_client.ts";
import { type Finished, Lane, type Ledger, verify } from "./_lane.ts";
import { type Greeting, type ServerProcess, spawnServer } from "./_process.ts";

/** How often the server is killed; each time starts it again on the same folder. */
const CYCLES = Number(process.env["VARVE_KILL_CYCLES"] ?? 50);
const LANES = 4;
/** From the start of the process to the first successful request. */
const RESTART_MS_MAX = 2_000;

test("openService keeps all it acknowledged when it is killed at any moment", async (t) => {
  const directory = await temporaryDirectory(t);
  const ledger: Ledger = {
    fraction: seededFraction(printSeed(t)),
    finished: [],
    violations: [],
    acknowledgedCount: 0,
    checkedCount: 0,
    nextContents: 1,
    life: 0,
  };
  const lanes = Array.from({ length: LANES }, (_, i) => new Lane(`lane-${i}`, ledger));
  let identity: Greeting["firstKey"]["key"] | undefined;
  let slowestMs = 0;
  for (let cycle = 0; cycle <= CYCLES; cycle++) {
    ledger.life = cycle + 1;
    if (ledger.fraction() < 0.15) await killWhileStarting(directory, ledger);
    const server = spawnServer(directory);
    t.after(() => server.kill());
    const { client, greeting, restartMs } = await ask(server, ledger);
    slowestMs = Math.max(slowestMs, restartMs);
    identity ??= greeting.firstKey.key;
    assert.deepEqual(greeting.firstKey.key, identity, "the store keeps its account and key");
    const isLast = cycle === CYCLES;
    if (isLast) for (const lane of lanes) await lane.finish(client);
    else await loadAndKill(lanes, server, { client, ledger });
    if (isLast) for (const known of ledger.finished) await verifySome(client, ledger, known);
    await server.kill();
    client.destroy();
    assert.equal(server.errors(), "", "the server logs no error");
    assert.deepEqual(ledger.violations, []);
  }
  t.diagnostic(
    `${CYCLES} kills, ${ledger.acknowledgedCount} blocks acknowledged, ` +
      `${ledger.finished.length} snapshots completed, ${ledger.checkedCount} blocks read back, ` +
      `${ledger.violations.length} lost, slowest restart ${Math.round(slowestMs)} ms`,
  );
  assert.ok(ledger.acknowledgedCount > CYCLES, "there was a load");
  assert.ok(ledger.finished.length > CYCLES / 10, "there were completions");
  assert.ok(slowestMs < RESTART_MS_MAX, `a restart took ${slowestMs} ms`);
});

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
