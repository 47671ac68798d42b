import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import { complete, listParts, putParts, start } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { encode, exchange, RawConnection, sign, type Target } from "../support/raw-http.ts";
import type { Cleanup } from "../support/temporary-directory.ts";
import type { AttackOrder, AttackReport } from "./_attacks.ts";
import { type ServerProcess, startServerProcess } from "./_server-process.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

const MIB = 1024 * 1024;
/** How long the server may take to notice that all clients have gone. */
const SETTLE_MS = 30_000;

scorecard({
  number: 23,
  name: "hostile clients",
  goal:
    "slow header cut ≤ 12 s; honest p99 ≤ 2× idle; bytes kept past the cap 0; RSS ≤ +256 MiB; " +
    "exit code 0",
  peer: "Node's defaults cut a slow header at 89.5 s",
  async run(run) {
    const server = await startServerProcess(run);
    const { target } = server;
    const hostile = await secondAccount(target);
    const readableId = await largeSnapshot(hostile, run.count(10_000, 100));
    const order = startAttacker(run);
    const smallId = await largeSnapshot(target, 10);
    const honest = new HonestClient(target, { pendingId: await start(target), smallId });
    await honest.work(run.count(15, 0.5));
    const idle = await honest.work(run.count(20, 1));
    const [startRss, startFiles] = [server.rssBytes(), server.fileCount()];
    const watch = watchMemory(server);
    const common = { target: hostile, readableId, pendingId: await start(hostile) };
    const outcomes: { order: AttackOrder; report: AttackReport; p99Ms: number }[] = [];
    for (const one of ordersOf(run).map((order) => ({ ...common, ...order }))) {
      const { latencies, report } = await honest.during(order(one));
      const p99Ms = percentile(latencies, 0.99);
      outcomes.push({ order: one, report, p99Ms });
      run.say(
        `${one.kind}: ${report.opened} connections; honest p99 ${p99Ms.toFixed(1)} ms ` +
          `(${latencies.length} requests), idle ${percentile(idle, 0.99).toFixed(1)} ms; ` +
          `RSS now +${((server.rssBytes() - startRss) / MIB).toFixed(0)} MiB; ` +
          `successes ${report.successes}, most of a body sent ${report.mostBodyBytes} bytes`,
      );
    }
    const peakRss = await watch.stop();
    await honest.close();
    const files = await settledFileCount(server, startFiles);
    assert.equal(server.errors(), "", "the server had nothing to report");
    const code = await server.stop();
    assert.equal(code, 0, "exit code");
    const oversize = outcomes.find(({ order }) => order.kind === "oversize")?.report;
    assert.equal(oversize?.successes, 0, "bodies past the cap that were taken");
    assert.ok(files <= startFiles, `${files} open files, ${startFiles} at the start`);
    const growth = (peakRss - startRss) / MIB;
    assert.ok(growth <= 256, `RSS grew by ${growth.toFixed(0)} MiB`);
    const patient = outcomes.find(({ order }) => order.kind === "patient")?.report;
    const cut = patient
      ? `slow header cut ≤ ${(patient.longestHeadMs / 1_000).toFixed(1)} s, unsigned body ≤ ` +
        `${(patient.longestBodyMs / 1_000).toFixed(1)} s; `
      : "";
    const ratio = ({ p99Ms }: { p99Ms: number }) =>
      `${(p99Ms / percentile(idle, 0.99)).toFixed(1)}×`;
    const ratios = outcomes.map((one) => `${one.order.kind} ${ratio(one)}`).join(", ");
    return (
      `${cut}honest failures 0 of ${honest.count}, p99 of idle's: ${ratios}; ` +
      `bytes kept past the cap 0 ` +
      `(thrown away ≤ ${((oversize?.mostBodyBytes ?? 0) / MIB).toFixed(1)} of 64 MiB); ` +
      `RSS +${growth.toFixed(0)} MiB; open files +${files - startFiles}; exit code ${code}`
    );
  },
});

type Order = Pick<AttackOrder, "kind" | "count" | "seconds">;

function ordersOf(run: ScorecardRun): Order[] {
  const order = (kind: Order["kind"], count: [number, number], seconds: [number, number]) => ({
    kind,
    count: run.count(...count),
    seconds: run.count(...seconds),
  });
  return [
    order("slow", [2_000, 1_100], [60, 0.5]),
    // Not so many that their places are taken away: they are cut when their time is over.
    order("patient", [500, 0], [20, 0]),
    order("flood", [1_000, 400], [30, 0.5]),
    order("oversize", [16, 2], [20, 0.1]),
    order("pages", [50, 4], [30, 0.3]),
    order("unread", [50, 8], [70, 0.3]),
    order("ahead", [50, 4], [20, 0.3]),
  ].filter(({ count }) => count > 0);
}

/** Starts the process of the hostile clients; the function answered has one attack carried out. */
function startAttacker(t: Cleanup): (order: AttackOrder) => Promise<AttackReport> {
  const child = fork(join(import.meta.dirname, "attacker.ts"), {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const exited = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  return async (order) => {
    child.send(order);
    const [report] = await Promise.race([once(child, "message"), exited]);
    assert.equal(typeof report, "object", "the hostile process is there");
    return report as AttackReport;
  };
}

/** The service as an account sees it whose key has got into the wrong hands. */
async function secondAccount(target: Target): Promise<Target> {
  const account = "444455556666";
  const post = async (path: string, members: object) => {
    const body = Buffer.from(JSON.stringify(members));
    const response = await exchange(target, sign(target, { method: "POST", path, body }));
    assert.ok(response.status < 300, response.text);
    return JSON.parse(response.text) as Record<string, string>;
  };
  await post("/varve/accounts", { AccountId: account });
  const key = await post(`/varve/accounts/${account}/keys`, {});
  const { AccessKeyId: accessKeyId = "", SecretAccessKey: secretAccessKey = "" } = key;
  return { ...target, firstKey: { key: { accessKeyId, secretAccessKey } } };
}

/** A snapshot with so many blocks, all of the same contents. */
async function largeSnapshot(target: Target, count: number): Promise<string> {
  const snapshotId = await start(target, { VolumeSize: Math.ceil(count / 2_048) });
  const block = blockContents(1);
  const indexes = Array.from({ length: count }, (_, index) => index);
  await forEachConcurrent(indexes, 8, async (blockIndex) => {
    const response = await exchange(
      target,
      sign(target, putParts({ snapshotId, blockIndex }, block)),
    );
    assert.equal(response.status, 201, response.text);
  });
  assert.equal(await complete(target, snapshotId, count), "completed");
  return snapshotId;
}

/**
 * Puts a block and lists a small snapshot, one request after another: half of them over a
 * connection that it keeps, half each over a new one, as a client that has only just started.
 */
class HonestClient {
  /** Requests made so far. */
  count = 0;
  readonly #target: Target;
  readonly #ids: { readonly pendingId: string; readonly smallId: string };
  #kept: RawConnection | undefined;

  constructor(target: Target, ids: { readonly pendingId: string; readonly smallId: string }) {
    this.#target = target;
    this.#ids = ids;
  }

  /** Works for so many seconds; answers how long each request took, in milliseconds. */
  work(seconds: number): Promise<number[]> {
    const end = systemClock.monotonicMs() + seconds * 1_000;
    return this.#workWhile(() => systemClock.monotonicMs() < end);
  }

  /** Works as long as an attack goes on. */
  async during(
    attack: Promise<AttackReport>,
  ): Promise<{ latencies: number[]; report: AttackReport }> {
    let isOn = true;
    const ended = attack.finally(() => {
      isOn = false;
    });
    const [latencies, report] = await Promise.all([this.#workWhile(() => isOn), ended]);
    return { latencies, report };
  }

  async close(): Promise<void> {
    this.#kept?.destroy();
  }

  async #workWhile(isOn: () => boolean): Promise<number[]> {
    const latencies: number[] = [];
    while (isOn()) {
      const parts =
        this.count % 4 < 2
          ? putParts({ snapshotId: this.#ids.pendingId, blockIndex: 1 }, blockContents(3))
          : listParts(this.#ids.smallId);
      const bytes = encode(sign(this.#target, parts));
      const startMs = systemClock.monotonicMs();
      const isKept = this.count++ % 2 === 0;
      const connection = isKept ? await this.#keep() : await RawConnection.open(this.#target);
      connection.write(bytes);
      const { status, text } = await connection.response();
      latencies.push(systemClock.monotonicMs() - startMs);
      assert.ok(status === 200 || status === 201, `${status} ${text}`);
      if (!isKept) connection.destroy();
      await systemClock.sleep(2);
    }
    return latencies;
  }

  async #keep(): Promise<RawConnection> {
    this.#kept ??= await RawConnection.open(this.#target);
    return this.#kept;
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Looks at the server's memory again and again; answers the most that was seen. */
function watchMemory(server: ServerProcess): { stop(): Promise<number> } {
  let [most, isOn] = [0, true];
  const watching = (async () => {
    while (isOn) {
      most = Math.max(most, server.rssBytes());
      await systemClock.sleep(100);
    }
  })();
  return {
    async stop() {
      isOn = false;
      await watching;
      return most;
    },
  };
}

/** Open files when they are back to that count, or have not got there in time. */
async function settledFileCount(server: ServerProcess, wanted: number): Promise<number> {
  const end = systemClock.monotonicMs() + SETTLE_MS;
  while (server.fileCount() > wanted && systemClock.monotonicMs() < end) {
    await systemClock.sleep(50);
  }
  return server.fileCount();
}
