import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { RECORD_KIND } from "../../src/blocks/record.ts";
import type { LogEntry } from "../../src/service.ts";
import { flipBit, storedRecords } from "../support/damage.ts";
import { admin } from "../support/keys.ts";
import { actionParts, completeParts, put, send, snapshotOf, start } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { startService } from "../support/service.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const SECRET = "a secret of this test, and no other";

interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly event: Record<string, unknown> & { readonly Snapshot?: Record<string, unknown> };
}

/** Somebody who is told, and answers as the test says. */
async function receiver(t: Cleanup, statusOf: (number: number) => number = () => 204) {
  const deliveries: Delivery[] = [];
  let count = 0;
  const server = createServer(async (req, res) => {
    const body = await text(req);
    const status = statusOf(count++);
    if (status < 300) deliveries.push({ headers: req.headers, body, event: JSON.parse(body) });
    res.writeHead(status, status === 307 ? { Location: "/elsewhere" } : {}).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook`, deliveries, countOf: () => count };
}

async function told(t: Cleanup, url: string, dataDirectory?: string) {
  const log: LogEntry[] = [];
  const service = await startService(t, {
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
    webhook: { url, secret: SECRET },
    log: (entry) => log.push(entry),
    scrubDays: 0,
  });
  return { service, log };
}

test("a webhook is told of completed and failed snapshots, signed, each once", async (t) => {
  const { url, deliveries } = await receiver(t);
  const { service } = await told(t, url);
  const id = await snapshotOf(service, new Map([[1, blockContents(1)]]));
  const wrong = await start(service);
  await put(service, wrong, new Map([[1, blockContents(2)]]));
  await send(service, completeParts(wrong, 5));
  await waitUntil(
    async () => deliveries.length,
    (count) => count >= 2,
  );
  const kinds = deliveries.map(({ event }) => [event["Kind"], event.Snapshot?.["SnapshotId"]]);
  assert.deepEqual(kinds, [
    ["snapshot.completed", id],
    ["snapshot.failed", wrong],
  ]);
  const [completed, failed] = deliveries as [Delivery, Delivery];
  assert.equal(completed.event.Snapshot?.["WrittenBlockCount"], 1);
  assert.match(String(failed.event.Snapshot?.["StateMessage"]), /count mismatch/);
  for (const { headers, body, event } of deliveries) {
    assert.equal(headers["varve-event"], event["Kind"]);
    assert.equal(headers["varve-delivery"], String(event["Id"]));
    const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
      String(headers["varve-signature"]),
    ) as unknown as [string, string, string];
    const expected = createHmac("sha256", SECRET).update(`${seconds}.${body}`).digest("hex");
    assert.equal(mac, expected);
    assert.ok(Math.abs(Number(seconds) - Date.now() / 1_000) < 60);
  }
  assert.notEqual(completed.event["Id"], failed.event["Id"]);
});

test("a webhook is told of a copy, a timeout and a damaged record", async (t) => {
  const { url, deliveries } = await receiver(t);
  const { service, log } = await told(t, url);
  const id = await snapshotOf(service, new Map([[1, blockContents(1)]]));
  const copy = { SourceSnapshotId: id, SourceRegion: service.region };
  const copied = await send(service, actionParts("CopySnapshot", copy), { service: "ec2" });
  assert.equal(copied.status, 200, copied.text);
  await start(service, { Timeout: 10 });
  await service.core.catalog.snapshots.expire(Date.now() + 11 * 60_000, "Timed out");
  const record = (await storedRecords(service)).find(({ kind }) => kind === RECORD_KIND.block);
  assert.ok(record);
  await flipBit(service, record);
  await admin(service, ["POST", "/scrub"], {});
  await waitUntil(
    async () => deliveries.length,
    (count) => count >= 4,
  );
  const kinds = deliveries.map(({ event }) => event["Kind"]);
  assert.deepEqual(kinds, [
    "snapshot.completed",
    "snapshot.completed",
    "snapshot.failed",
    "record.damaged",
  ]);
  const damage = deliveries[3]?.event["Record"];
  const { domain: Domain, name: Name, segment: Segment, offset: Offset } = record;
  assert.deepEqual(damage, { Domain, Name, Segment, Offset });
  log.length = 0;
});

test("what a receiver does not take is delivered later, and once", async (t) => {
  const { url, deliveries, countOf } = await receiver(t, (number) => (number < 2 ? 503 : 200));
  const { service, log } = await told(t, url);
  const id = await snapshotOf(service, new Map([[1, blockContents(1)]]));
  await waitUntil(
    async () => deliveries.length,
    (count) => count >= 1,
  );
  assert.equal(countOf(), 3);
  assert.equal(deliveries[0]?.event.Snapshot?.["SnapshotId"], id);
  await waitUntil(
    async () => service.core.catalog.notices.count(),
    (count) => count === 0,
  );
  const messages = log.map(({ message }) => message);
  assert.deepEqual(messages, [
    "The webhook does not take a notice; it is tried again",
    "The webhook takes notices again",
  ]);
  for (const { reason = "" } of log) assert.doesNotMatch(reason, /secret/);
  log.length = 0;
});

test("a notice that is refused for good is given up, and the next is delivered", async (t) => {
  const { url, deliveries, countOf } = await receiver(t, (number) => (number < 5 ? 410 : 200));
  const { service, log } = await told(t, url);
  await snapshotOf(service, new Map([[1, blockContents(1)]]));
  const second = await snapshotOf(service, new Map([[2, blockContents(2)]]));
  await waitUntil(
    async () => deliveries.length,
    (count) => count >= 1,
    { timeoutMs: 60_000 },
  );
  assert.equal(countOf(), 6);
  assert.equal(deliveries[0]?.event.Snapshot?.["SnapshotId"], second);
  assert.ok(log.some(({ message }) => message === "The webhook refused a notice for good"));
  log.length = 0;
});

test("what was not delivered before a restart is delivered after it", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const away = await told(t, "http://127.0.0.1:1/nobody", dataDirectory);
  const id = await snapshotOf(away.service, new Map([[1, blockContents(1)]]));
  await away.service.close();
  away.log.length = 0;
  const { url, deliveries } = await receiver(t);
  const { service } = await told(t, url, dataDirectory);
  // The process before may have taken it a minute ago at most.
  const { notices } = service.core.catalog;
  const nowMs = Date.now() + 60_000;
  await notices.take({ nowMs, untilMs: 0 }, 100);
  await waitUntil(
    async () => deliveries.length,
    (count) => count >= 1,
  );
  assert.equal(deliveries[0]?.event.Snapshot?.["SnapshotId"], id);
});

test("without a webhook no notice is kept", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const away = await told(t, "http://127.0.0.1:1/nobody", dataDirectory);
  await snapshotOf(away.service, new Map([[1, blockContents(1)]]));
  assert.equal(await away.service.core.catalog.notices.count(), 1);
  await away.service.close();
  away.log.length = 0;
  const service = await startService(t, { dataDirectory });
  await snapshotOf(service, new Map([[1, blockContents(2)]]));
  assert.equal(await service.core.catalog.notices.count(), 0);
});
