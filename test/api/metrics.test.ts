import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { Service } from "../../src/service.ts";
import {
  actionParts,
  blockToken,
  getParts,
  put,
  send,
  snapshotOf,
  start,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { isInFolder, startService } from "../support/service.ts";
import { waitUntil } from "../support/wait-until.ts";

const METRICS = { host: "127.0.0.1", port: 0 };

async function scrape({ metricsEndpoint }: Service, headers: Record<string, string> = {}) {
  assert.ok(metricsEndpoint);
  const response = await fetch(metricsEndpoint, { headers });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** The value of one series, its labels spelled as they are told. */
function seriesValue(text: string, series: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  assert.ok(line, `${series} is told`);
  return Number(line.slice(series.length + 1));
}

/** A service that has done a little of everything. */
async function usedService(t: Parameters<typeof startService>[0]) {
  const service = await startService(t, { metrics: METRICS });
  const same = blockContents(1);
  const id = await snapshotOf(
    service,
    new Map([
      [0, same],
      [1, same],
      [2, new Uint8Array(BLOCK_SIZE_BYTES)],
    ]),
  );
  await send(service, getParts(id, 0, await blockToken(service, id, 0)));
  await send(service, actionParts("NoSuchAction"), { service: "ec2" });
  await send(service, getParts("snap-0ffffffffffffffff", 0, "x"));
  const pending = await start(service);
  await put(service, pending, new Map([[7, blockContents(2)]]));
  await service.core.collector.collect({ graceSeconds: 0, isDryRun: false });
  return { service, ids: [id, pending] };
}

test("a scrape tells what was asked of the service and what it stored", async (t) => {
  const { service } = await usedService(t);
  const { text } = await waitUntil(
    () => scrape(service),
    (answer) => answer.text.includes('varve_store_bytes{class="segments"}'),
  );
  const expected: Record<string, number> = {
    'varve_api_requests_total{service="ebs",operation="PutSnapshotBlock",status="2xx"}': 4,
    'varve_api_requests_total{service="ebs",operation="GetSnapshotBlock",status="4xx"}': 1,
    'varve_api_requests_total{service="ec2",operation="Unknown",status="4xx"}': 1,
    'varve_api_request_duration_seconds_count{operation="PutSnapshotBlock"}': 4,
    varve_api_requests_in_flight: 0,
    varve_block_read_bytes_total: BLOCK_SIZE_BYTES,
    varve_block_written_bytes_total: 4 * BLOCK_SIZE_BYTES,
    'varve_blocks_written_total{contents="new"}': 2,
    'varve_blocks_written_total{contents="duplicate"}': 1,
    'varve_blocks_written_total{contents="zero"}': 1,
    'varve_snapshots{state="completed"}': 1,
    'varve_snapshots{state="pending"}': 1,
    'varve_store_bytes{class="protected"}': 3 * BLOCK_SIZE_BYTES,
    'varve_collections_total{result="done"}': 1,
    'varve_collections_total{result="failed"}': 0,
    varve_damaged_records: 0,
    'varve_engine_up{engine="catalog"}': 1,
    'varve_engine_up{engine="disk"}': 1,
    'varve_tasks{kind="upload"}': 1,
  };
  for (const [series, value] of Object.entries(expected)) {
    assert.equal(seriesValue(text, series), value, series);
  }
  const appended = seriesValue(text, "varve_segment_append_bytes_total");
  const stored = seriesValue(text, 'varve_store_bytes{class="stored"}');
  assert.ok(stored > 0 && appended >= stored, `${appended} ${stored}`);
  assert.ok(seriesValue(text, "varve_catalog_commit_duration_seconds_count") >= 4);
  const batches = seriesValue(text, "varve_segment_append_duration_seconds_count");
  assert.equal(seriesValue(text, "varve_segment_append_records_count"), batches);
  if (isInFolder(service)) assert.ok(seriesValue(text, "varve_disk_free_bytes") > 0);
  const now = Date.now() / 1_000;
  assert.ok(Math.abs(seriesValue(text, "varve_collection_timestamp_seconds") - now) < 600);
  assert.ok(seriesValue(text, "process_resident_memory_bytes") > 10_000_000);
});

test("no series names a snapshot, an account or a key", async (t) => {
  const { service, ids } = await usedService(t);
  const { text } = await scrape(service);
  const { account, accessKeyId, secretAccessKey } = service.firstKey.key;
  for (const name of [...ids, account, accessKeyId, secretAccessKey, "snap-", "NoSuchAction"]) {
    assert.ok(!text.includes(name), name);
  }
});

test("promtool finds nothing wrong with the metrics", async (t) => {
  if (spawnSync("promtool", ["--version"]).error) {
    return t.skip("there is no promtool (Debian's package prometheus)");
  }
  const { service } = await usedService(t);
  const { text } = await scrape(service);
  const { status, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  // Node's own metrics are named by prom-client; ours are to be without a finding.
  const findings = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("nodejs_"));
  assert.deepEqual(findings, []);
  assert.ok(status === 0 || stderr.includes("nodejs_"));
});

test("a scraper has to show the token, where there is one", async (t) => {
  const token = "0123456789abcdef";
  const service = await startService(t, { metrics: { ...METRICS, token } });
  const refused = await scrape(service);
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get("www-authenticate") ?? "", /^Bearer /);
  assert.doesNotMatch(refused.text, /varve_/);
  for (const authorization of ["Bearer wrong", token, `Basic ${token}`, `Bearer ${token} `]) {
    // A header's value ends where its spaces begin, so the last is the token itself.
    const { status } = await scrape(service, { authorization });
    assert.equal(status, authorization.endsWith(" ") ? 200 : 401, authorization);
  }
  assert.equal((await scrape(service, { authorization: `Bearer ${token}` })).status, 200);
});

test("the address for scrapes answers nothing else, and the service no scrape", async (t) => {
  const service = await startService(t, { metrics: METRICS });
  assert.ok(service.metricsEndpoint);
  const other = await fetch(new URL("/snapshots", service.metricsEndpoint));
  assert.equal(other.status, 404);
  await other.body?.cancel();
  const posted = await fetch(service.metricsEndpoint, { method: "POST" });
  assert.equal(posted.status, 405);
  await posted.body?.cancel();
  const onService = await fetch(new URL("/metrics", service.endpoint));
  assert.equal(onService.status, 403);
  assert.doesNotMatch(await onService.text(), /varve_/);
});

test("where no address for scrapes is given there is none", async (t) => {
  const service = await startService(t);
  assert.equal(service.metricsEndpoint, undefined);
});
