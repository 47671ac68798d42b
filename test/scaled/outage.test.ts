import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { SnapshotId } from "../../src/model/ids.ts";
import type { ScaledStore, Service } from "../../src/service.ts";
import { putParts } from "../support/operations.ts";
import { sign } from "../support/raw-http.ts";
import { S3_ELSEWHERE, s3Engine } from "../support/s3.ts";
import {
  SCALED_KEY as keyEncryptionKey,
  scaledStore,
  whyNoScaledStore,
} from "../support/scaled-store.ts";
import { startService } from "../support/service.ts";
import { type Link, type LinkState, linkTo } from "../support/tcp-proxy.ts";
import { checkAll, complete, contentsOf, started, type Written } from "./_stores.ts";

/*
 * What happens to the link to one engine, under load: nothing acknowledged is lost, no wrong bytes
 * are answered, whoever asks hears within a bounded time, and all goes on when the engine is back.
 */

const skip = whyNoScaledStore();
/** How long an engine is away: 30 for the figures in docs/deployment.md. */
const AWAY_MS = 1_000 * Number(process.env["VARVE_OUTAGE_SECONDS"] || 3);
/** Longest that a request may wait for its answer while an engine is away. */
const ANSWER_MS_MAX = 26_000;
const WORKERS = 8;

for (const engine of ["segments", "catalog"] as const) {
  for (const state of ["away", "silent", "cutting", "slow"] as const) {
    test(`${engine} ${state}: nothing acknowledged is lost`, { skip }, async (t) => {
      await storyOf(t, engine, state);
    });
  }
}

test("segments killed and started again: nothing acknowledged is lost", {
  skip: skip || S3_ELSEWHERE,
}, async (t) => {
  await storyOf(t, "segments", "killed");
});

/** Brings about what happens to an engine or to the link to it; answers what puts an end to it. */
async function bringAbout(link: Link, state: LinkState | "killed"): Promise<() => Promise<void>> {
  if (state !== "killed") {
    await link.set(state);
    return () => link.set("up");
  }
  const engine = await s3Engine();
  await engine.stop();
  return () => engine.start();
}

async function storyOf(
  t: TestContext,
  engine: "segments" | "catalog",
  state: LinkState | "killed",
) {
  const { scaled, links } = await linked(t);
  const service = await startService(t, {
    ...{ scaled, keyEncryptionKey, collectMinutes: 0, scrubDays: 0 },
    log: () => undefined,
  });
  const id = await started(service);
  const load = new Load(service, id);
  const loading = load.run();
  await load.reaches(WORKERS);
  const end = await bringAbout(links[engine], state);
  const isGone = state === "away" || state === "silent" || state === "killed";
  const sinceMs = performance.now();
  if (isGone) {
    assert.equal((await fetch(`${service.endpoint}/healthz`)).status, 200);
    const ready = await waitForReadiness(service, 503);
    assert.deepEqual(ready, { status: "not ready", missing: [engine] });
  }
  await setTimeout(AWAY_MS - (performance.now() - sinceMs));
  await end();
  await waitForReadiness(service, 200);
  await load.reaches(load.acknowledged.size + 2 * WORKERS);
  load.stop();
  await loading;
  assert.ok(load.longestMs < ANSWER_MS_MAX, `an answer took ${load.longestMs} ms`);
  assert.deepEqual([...load.otherStatuses], [], "what failed was answered so that it is repeated");
  // A link that says nothing for a moment is waited for.
  const isLong = state !== "silent" || AWAY_MS > ANSWER_MS_MAX;
  if (isGone && isLong) assert.ok(load.refusedCount > 0, "some were refused meanwhile");
  t.diagnostic(
    `${load.acknowledged.size} puts acknowledged, ${load.refusedCount} answered 503, ` +
      `longest answer ${Math.round(load.longestMs)} ms`,
  );
  await complete(service, id, load.acknowledged.size);
  const written: Written = new Map([[id, load.acknowledged]]);
  await checkAll(service, written);
}

/** A store with a link of its own to each engine. */
async function linked(t: TestContext) {
  const scaled = await scaledStore();
  const endpoint = new URL(scaled.bucket.endpoint);
  const database = new URL(scaled.catalog.connectionString);
  const links = {
    segments: await linkTo(t, Number(endpoint.port)),
    catalog: await linkTo(t, Number(database.port)),
  } satisfies Record<string, Link>;
  endpoint.port = String(links.segments.port);
  database.port = String(links.catalog.port);
  const through: ScaledStore = {
    bucket: { ...scaled.bucket, endpoint: endpoint.origin },
    catalog: { ...scaled.catalog, connectionString: database.href },
  };
  return { scaled: through, links };
}

async function waitForReadiness(service: Service, status: number): Promise<unknown> {
  for (let i = 0; i < 300; i++) {
    const response = await fetch(`${service.endpoint}/readyz`);
    if (response.status === status) return response.json();
    await response.body?.cancel();
    await setTimeout(100);
  }
  throw new Error(`/readyz never answered ${status}`);
}

/** Workers that put blocks of one snapshot, each repeated until it is acknowledged. */
class Load {
  /** The seed of each block that was acknowledged. */
  readonly acknowledged = new Map<number, string>();
  /** Statuses other than 201 and 503. */
  readonly otherStatuses = new Set<number>();
  refusedCount = 0;
  longestMs = 0;
  readonly #service: Service;
  readonly #id: SnapshotId;
  #nextIndex = 0;
  #isStopped = false;

  constructor(service: Service, id: SnapshotId) {
    this.#service = service;
    this.#id = id;
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: WORKERS }, () => this.#work()));
  }

  stop(): void {
    this.#isStopped = true;
  }

  async reaches(count: number): Promise<void> {
    const startMs = performance.now();
    while (this.acknowledged.size < count) {
      if (performance.now() - startMs > 60_000) throw new Error("the load does not go on");
      await setTimeout(50);
    }
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      const blockIndex = this.#nextIndex++;
      const seed = `${this.#id} ${blockIndex}`;
      while (!(await this.#put(blockIndex, seed))) await setTimeout(50);
      this.acknowledged.set(blockIndex, seed);
    }
  }

  async #put(blockIndex: number, seed: string): Promise<boolean> {
    const parts = putParts({ snapshotId: this.#id, blockIndex }, contentsOf(seed));
    const { method, target, headers, body } = sign(this.#service, parts);
    const sent = headers.filter(([name]) => !/^(?:host|content-length)$/i.test(name));
    const startMs = performance.now();
    const init = {
      method,
      headers: sent.map(([name, value]) => [name, value] as [string, string]),
    };
    const response = await fetch(this.#service.endpoint + target, {
      ...init,
      body: Buffer.from(body),
    });
    await response.body?.cancel();
    const { status } = response;
    this.longestMs = Math.max(this.longestMs, performance.now() - startMs);
    if (status === 503) this.refusedCount += 1;
    else if (status !== 201) this.otherStatuses.add(status);
    return status === 201;
  }
}
