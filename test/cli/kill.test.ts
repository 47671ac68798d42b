import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, downloadLogPath, snapshotsOf } from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { pick, printSeed, seededFraction } from "../support/property.ts";
import { awsEnvironment, sdkOptions, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { notedIn } from "./_noted.ts";
import { type RecordingProxy, recordingProxy } from "./_recording-proxy.ts";
import { runVarve } from "./_varve.ts";

/*
 * The command is killed with kill -9 at random moments, and run again until it is done. What its
 * transfer log had noted when it died is not transferred again; what was answered and not noted
 * any more are at most the blocks that were under way. VARVE_KILLS=100 is the long run.
 */

const KILLS = Number(process.env["VARVE_KILLS"] ?? 6);
const CONCURRENCY = 4;
/** More than go through between two kills, so that the last kill still finds something to do. */
const BLOCKS = 60 + KILLS * 50;
/**
 * Milliseconds by which each answer comes later, so that there is something to be killed in. What a
 * download received is noted four times a second: a slower one has fewer blocks in that time.
 */
const DELAY_MS = { PUT: 8, GET: 30 };

async function setUp(t: TestContext, method: keyof typeof DELAY_MS) {
  const fraction = seededFraction(printSeed(t));
  const folder = await temporaryDirectory(t);
  const image = join(folder, "image.raw");
  // Every fourth block is a hole, some are written zeros.
  const data = Array.from({ length: BLOCKS }, (_, i) => [i, i % 10 === 9 ? 0 : i + 1] as const);
  const contents = Object.fromEntries(data.filter(([i]) => i % 4 !== 3));
  await writeImage(image, BLOCKS * BLOCK_SIZE_BYTES - 7, contents);
  const service = await startService(t);
  const proxy = await recordingProxy(t, service, DELAY_MS[method]);
  const env = { ...awsEnvironment(service), AWS_ENDPOINT_URL: proxy.endpoint };
  const client = createClient(sdkOptions(service));
  t.after(() => client.close());
  const run = (args: readonly string[], onStart?: (child: ChildProcess) => void) => {
    const more = ["--quiet", "--concurrency", String(CONCURRENCY)];
    return runVarve([...args, ...more], { cwd: folder, env, ...(onStart && { onStart }) });
  };
  return { fraction, folder, image, proxy, client, run };
}

/** Kills a process some time after that many blocks have gone through, or while it starts. */
function killSometime(
  proxy: RecordingProxy,
  fraction: () => number,
  { method, delayMsMax }: { readonly method: string; readonly delayMsMax: number },
): (child: ChildProcess) => void {
  const isEarly = fraction() < 0.15;
  const [startMs, delayMs] = [pick(fraction, 900), pick(fraction, delayMsMax)];
  let left = 1 + pick(fraction, 8);
  return (child) => {
    const kill = (afterMs: number) => {
      void sleep(afterMs).then(() => child.kill("SIGKILL"));
    };
    if (isEarly) return kill(startMs);
    proxy.onExchange = (exchange) => {
      if (exchange.method !== method || Number.isNaN(exchange.blockIndex)) return;
      left -= 1;
      if (left === 0) kill(delayMs);
    };
  };
}

/** Block indexes that were transferred by that method since the exchange of that number. */
function transferred({ exchanges }: RecordingProxy, method: string, from = 0): number[] {
  return exchanges
    .slice(from)
    .filter((one) => one.method === method && one.status < 300 && !Number.isNaN(one.blockIndex))
    .map(({ blockIndex }) => blockIndex);
}

/** Runs the command again and again, killed each time, and then to its end. */
async function runKilled(
  t: TestContext,
  parts: Awaited<ReturnType<typeof setUp>>,
  command: {
    readonly args: readonly string[];
    readonly method: string;
    readonly delayMsMax: number;
    readonly findLog: () => Promise<string>;
  },
): Promise<string> {
  const { proxy, fraction, run } = parts;
  const { args, method, delayMsMax, findLog } = command;
  let kills = 0;
  const begun = proxy.exchanges.length;
  for (;;) {
    const noted = await notedIn(await findLog());
    // Kills that all came before the first note would show nothing: then there are some more.
    if (kills >= KILLS && (noted.size > 0 || kills >= 5 * KILLS)) break;
    const before = proxy.exchanges.length;
    const kill = killSometime(proxy, fraction, { method, delayMsMax });
    const { code, stderr } = await run(args, kill);
    assert.ok(code === null, `it ended by itself after ${kills} kills, ${code}: ${stderr}`);
    kills += 1;
    const again = transferred(proxy, method, before).filter((block) => noted.has(block));
    assert.deepEqual(again, [], "what was noted is not transferred again");
  }
  proxy.onExchange = () => undefined;
  const noted = await notedIn(await findLog());
  const before = proxy.exchanges.length;
  const { code, stdout, stderr } = await run(args);
  assert.equal(code, 0, stderr);
  const last = transferred(proxy, method, before);
  assert.deepEqual(
    last.filter((block) => noted.has(block)),
    [],
  );
  assert.ok(noted.size > 0, "the kills let something through");
  const all = transferred(proxy, method, begun);
  const twice = all.length - new Set(all).size;
  t.diagnostic(
    `${kills} kills, ${new Set(all).size} blocks, ${twice} of them transferred again, ` +
      `0 of what was noted; the last run transferred ${last.length}`,
  );
  if (method === "PUT") assert.ok(twice <= kills * CONCURRENCY, `${twice} blocks sent twice`);
  return stdout.trim();
}

test(`an upload killed ${KILLS} times sends nothing again that it had noted`, async (t) => {
  const parts = await setUp(t, "PUT");
  const { folder, image, client, run } = parts;
  const logs = join(folder, ".state", "varve", "uploads");
  const findLog = async () => {
    const [name = "none"] = await readdir(logs).catch(() => []);
    return join(logs, name);
  };
  const args = ["upload", image];
  const snapshotId = await runKilled(t, parts, { args, method: "PUT", delayMsMax: 60, findLog });
  const ids: string[] = [];
  for await (const { SnapshotId } of snapshotsOf(client)) ids.push(SnapshotId);
  assert.deepEqual(ids, [snapshotId], "there is one snapshot");
  assert.deepEqual(await readdir(logs), [], "no log is left");
  const restored = join(folder, "restored");
  const { code, stderr } = await run(["download", snapshotId, restored]);
  assert.equal(code, 0, stderr);
  await assertSameBytes(restored, image);
});

test(`a download killed ${KILLS} times receives nothing again that it had noted`, async (t) => {
  const parts = await setUp(t, "GET");
  const { folder, image, run } = parts;
  const { stdout } = await run(["upload", image]);
  const target = join(folder, "restored");
  const args = ["download", stdout.trim(), target];
  const findLog = async () => downloadLogPath(target);
  await runKilled(t, parts, { args, method: "GET", delayMsMax: 500, findLog });
  await assertSameBytes(target, image);
  assert.deepEqual((await readdir(folder)).sort(), [".state", "image.raw", "restored"]);
});
