import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import {
  ClientError,
  completeSnapshot,
  createClient,
  isThrottling,
  listSnapshotBlocks,
  type RetryEvent,
  startSnapshot,
  waitForSnapshot,
} from "../../src/client/index.ts";
import { LIST_REQUESTS_PER_SECOND_MAX } from "../../src/model/limits.ts";
import { startService } from "../support/service.ts";
import { clientFor } from "./_client.ts";

/** Seconds of asking; of these, the first two are spent on finding the rate. */
const SECONDS = 8;
const SETTLED_AFTER_SECONDS = 2;
/** Calls under way at once. */
const WORKERS = 16;

test("at a service with quotas a client settles a little below them", async (t) => {
  const service = await startService(t, { emulation: { quotas: true } });
  const startedAtMs = systemClock.monotonicMs();
  const second = () => Math.floor((systemClock.monotonicMs() - startedAtMs) / 1_000);
  const refused = Array.from({ length: SECONDS + 1 }, () => 0);
  const answered = Array.from({ length: SECONDS + 1 }, () => 0);
  const onRetry = ({ error }: RetryEvent) => {
    assert.ok(isThrottling(error), error.code);
    refused[second()] = (refused[second()] ?? 0) + 1;
  };
  const client = clientFor(t, service, { onRetry });
  const { SnapshotId } = await startSnapshot(client, { VolumeSize: 1 });
  await completeSnapshot(client, SnapshotId, { ChangedBlocksCount: 0 });
  await waitForSnapshot(client, SnapshotId);
  const work = async () => {
    while (second() < SECONDS) {
      await listSnapshotBlocks(client, SnapshotId);
      answered[second()] = (answered[second()] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  const settled = (counts: readonly number[]) =>
    counts.slice(SETTLED_AFTER_SECONDS, SECONDS).reduce((sum, count) => sum + count, 0);
  const quota = LIST_REQUESTS_PER_SECOND_MAX * (SECONDS - SETTLED_AFTER_SECONDS);
  const told = `answered ${answered.join(" ")}, refused ${refused.join(" ")}`;
  t.diagnostic(told);
  assert.ok(
    refused.some((count) => count > 0),
    `the quota was met: ${told}`,
  );
  assert.ok(settled(answered) >= 0.6 * quota, told);
  assert.ok(settled(refused) <= 0.1 * settled(answered), told);
});

test("an outage is not fed: the repetitions of a whole client are bounded", async (t) => {
  let requests = 0;
  const server = createServer((_req, res) => {
    requests += 1;
    res.writeHead(503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: "A", secretAccessKey: "S" };
  const client = createClient({ endpoint, credentials, timeoutMs: 2_000 });
  t.after(() => {
    client.close();
    server.close();
  });
  const calls = 500;
  const startedAtMs = systemClock.monotonicMs();
  const call = () => assert.rejects(listSnapshotBlocks(client, "snap-0"), ClientError);
  await Promise.all(Array.from({ length: calls }, call));
  const seconds = (systemClock.monotonicMs() - startedAtMs) / 1_000;
  t.diagnostic(`${requests} requests for ${calls} calls in ${seconds.toFixed(1)} s`);
  // A hundred at once and ten a second, where eight attempts each would be 4,000.
  assert.ok(requests > calls, "some were repeated");
  assert.ok(requests <= calls + 100 + 10 * (seconds + 1), `${requests} requests`);
});
