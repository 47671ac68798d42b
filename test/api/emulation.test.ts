import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import {
  createClient,
  downloadSnapshot,
  type RetryEvent,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { type Fault, faultDrawer } from "../../src/server/emulation/faults.ts";
import type { EmulationConfig, Service } from "../../src/service.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import type { RequestParts } from "../../src/wire/message.ts";
import { checksumOfBlock } from "../support/blocks.ts";
import { assertSameBytes } from "../support/image-file.ts";
import { MovingClock } from "../support/moving-clock.ts";
import {
  actionParts,
  blockToken,
  changedParts,
  complete,
  completeParts,
  describeSnapshot,
  getParts,
  listParts,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents, seededBytes } from "../support/property.ts";
import { encode, RawConnection, type RawResponse, sign } from "../support/raw-http.ts";
import { asSecondAccount } from "../support/second-account.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* The switches for people who test clients: each does what it says, and the client copes. */

/** A clock for rates that stands still until it is moved; sleeps are real but short. */
class HeldClock implements Clock {
  #monotonicMs = 0;

  advance(durationMs: number): void {
    this.#monotonicMs += durationMs;
  }

  nowMs(): number {
    return systemClock.nowMs();
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(Math.min(durationMs, 50), signal);
  }
}

async function setUp<C extends Clock>(t: TestContext, emulation: EmulationConfig, clock: C) {
  return { ...(await startService(t, { emulation, clock })), clock: systemClock, moved: clock };
}

function errorOf(response: RawResponse): [status: number, type: string, body: unknown] {
  const type = response.header("x-amzn-ErrorType") ?? "";
  return [response.status, type, JSON.parse(response.text)];
}

const ACCOUNT_THROTTLED = [
  400,
  "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.service/",
  { message: "Rate exceeded" },
];

test("quotas: an account's starts are limited to 10 a second", async (t) => {
  const service = await setUp(t, { quotas: true }, new HeldClock());
  for (let i = 0; i < 10; i++) await start(service);
  const refused = await send(service, startParts({ VolumeSize: 1 }));
  assert.deepEqual(errorOf(refused), ACCOUNT_THROTTLED);
  assert.equal(refused.header("Connection"), "close");
  await start(await asSecondAccount(service));
  service.moved.advance(100);
  await start(service);
  assert.equal((await send(service, startParts({ VolumeSize: 1 }))).status, 400);
  // Time in which nothing was asked for saves up one second's worth, no more.
  service.moved.advance(60_000);
  for (let i = 0; i < 10; i++) await start(service);
  assert.equal((await send(service, startParts({ VolumeSize: 1 }))).status, 400);
});

test("quotas: 1,000 gets a second on a snapshot, and of an account", async (t) => {
  const service = await setUp(t, { quotas: true }, new HeldClock());
  const snapshotId = await start(service);
  const get = (id: string) => send(service, getParts(id, 0, "AAAA"));
  await forEachConcurrent(Array(1_000).keys(), 32, async () => {
    assert.equal((await get(snapshotId)).status, 404);
  });
  const [status, type, body] = errorOf(await get(snapshotId));
  assert.equal(status, 400);
  assert.match(type, /^RequestThrottledException:.*zeppelindataservice\/$/);
  const Message = `The rate of requests on the snapshot '${snapshotId}' was exceeded.`;
  assert.deepEqual(body, { Message, Reason: "RESOURCE_LEVEL_THROTTLE" });
  const other = await start(service);
  assert.deepEqual(errorOf(await get(other)), ACCOUNT_THROTTLED);
  const own = await start(await asSecondAccount(service));
  assert.equal((await send(await asSecondAccount(service), getParts(own, 0, "AA"))).status, 404);
});

test("quotas: 100 snapshots of an account are pending at once", async (t) => {
  const service = await setUp(t, { quotas: true }, new HeldClock());
  const input = { VolumeSize: 1, ClientToken: "the-first" };
  const first = await start(service, input);
  for (let i = 1; i < 100; i++) {
    service.moved.advance(100);
    await start(service);
  }
  service.moved.advance(1_000);
  const [status, type] = errorOf(await send(service, startParts({ VolumeSize: 1 })));
  assert.equal(status, 400);
  assert.match(type, /^ConcurrentLimitExceededException:.*zeppelindataservice\/$/);
  assert.equal(await start(service, input), first, "a lost answer can still be asked for");
  await start(await asSecondAccount(service));
  await complete(service, first, 0);
  const both = [start(service), start(service)];
  const outcomes = (await Promise.allSettled(both)).map((outcome) => outcome.status);
  assert.deepEqual(outcomes.sort(), ["fulfilled", "rejected"], "one place, one start");
});

test("lag: new snapshots take no blocks yet, completed ones are not read yet", async (t) => {
  const clock = new MovingClock();
  const service = { ...(await startService(t, { emulation: { lagSeconds: 60 }, clock })), clock };
  const notThere = (...ids: string[]) => {
    const names = ids.map((id) => `'${id}'`).join(" or ");
    return [
      404,
      { Message: `The snapshot ${names} does not exist.`, Reason: "SNAPSHOT_NOT_FOUND" },
    ];
  };
  const ask = async (parts: RequestParts) => {
    const response = await send(service, parts);
    return [response.status, response.status < 300 ? "done" : JSON.parse(response.text)];
  };
  const bytes = blockContents(1);
  const snapshotId = await start(service);
  const put = putParts({ snapshotId, blockIndex: 0 }, bytes);
  assert.deepEqual(await ask(put), notThere(snapshotId));
  clock.advance(60_000);
  assert.deepEqual(await ask(put), [201, "done"]);
  assert.equal(await complete(service, snapshotId, 1), "completed");
  const child = startParts({ VolumeSize: 1, ParentSnapshotId: snapshotId });
  const Message = `Source snapshot (${snapshotId}) is not complete.`;
  const notComplete = [400, { Message, Reason: "INVALID_SNAPSHOT_ID" }];
  assert.deepEqual(await ask(child), notComplete);
  assert.deepEqual(await ask(listParts(snapshotId)), notThere(snapshotId));
  const changed = changedParts(snapshotId, snapshotId);
  assert.deepEqual(await ask(changed), notThere(snapshotId, snapshotId));
  // What is wrong with the request itself is said first, as always.
  assert.equal((await ask(listParts(snapshotId, { maxResults: 99 })))[0], 400);
  clock.advance(60_000);
  const get = getParts(snapshotId, 0, await blockToken(service, snapshotId, 0));
  for (const parts of [get, changed]) assert.deepEqual(await ask(parts), [200, "done"]);
  assert.deepEqual(await ask(child), [201, "done"]);
  clock.advance(-60_000);
  assert.deepEqual(await ask(get), notThere(snapshotId));
  assert.equal((await describeSnapshot(service, snapshotId))["status"], "completed");
});

test("latency: each answer is late, errors too", async (t) => {
  const service = await startService(t, { emulation: { latencyMs: 100, seed: 1 } });
  const times: number[] = [];
  for (const parts of [startParts({ VolumeSize: 1 }), startParts({}), listParts("snap-0")]) {
    const beganMs = systemClock.monotonicMs();
    await send(service, parts);
    times.push(systemClock.monotonicMs() - beganMs);
  }
  assert.ok(
    times.every((ms) => ms > 49),
    String(times),
  );
});

/** A snapshot without blocks, started without a request that a fault could hit. */
async function startInside({ core, firstKey }: Service): Promise<string> {
  const nothing = { parentSnapshotId: undefined, description: undefined, clientToken: undefined };
  const plain = { encrypted: undefined, kmsKeyArn: undefined, timeoutMinutes: undefined };
  const input = { volumeSizeGib: 1, tags: [], ...nothing, ...plain };
  return (await startSnapshot(core, firstKey.key.account, input)).id;
}

/** The status of the answer, or that there was none. */
async function outcomeOf(service: Service, parts: RequestParts): Promise<number | "cut"> {
  return send(service, parts).then(
    ({ status }) => status,
    () => "cut" as const,
  );
}

const OUTCOMES = { "500": 500, "503": 503, throttled: 400, cut: "cut", "cut-midway": "cut" };

function expectedOutcome(fault: Fault | undefined, status: number): number | "cut" {
  if (fault === undefined || fault.kind === "corrupt") return status;
  if (fault.kind !== "stalled") return OUTCOMES[fault.kind] as number | "cut";
  return fault.isAfterWork ? status : "cut";
}

test("faults: the seed says which put fails how, before the work or after it", async (t) => {
  const seed = 7;
  const service = await setUp(t, { faultShare: 0.7, seed }, new HeldClock());
  const draw = faultDrawer(0.7, seed);
  const snapshotId = await startInside(service);
  const seen = new Set<string>();
  const expected: number[] = [];
  for (let blockIndex = 0; blockIndex < 100; blockIndex++) {
    const fault = draw(false);
    seen.add(fault ? `${fault.kind} ${fault.isAfterWork}` : "none");
    if (!fault || fault.isAfterWork) expected.push(blockIndex);
    const parts = putParts({ snapshotId, blockIndex }, blockContents(1));
    const outcome = await outcomeOf(service, parts);
    assert.equal(outcome, expectedOutcome(fault, 201), `${blockIndex} ${fault?.kind}`);
  }
  // Of six kinds five come before and after the work; half an answer needs one.
  assert.equal(seen.size, 1 + 5 * 2 + 1, [...seen].join());
  const { blocks } = service.core.catalog;
  const writes = await blocks.pendingWrites(snapshotId as never, 0, 1_000);
  assert.deepEqual(
    writes.map(({ blockIndex }) => blockIndex),
    expected,
  );
});

test("faults: a corrupt block has one wrong byte under the right checksum", async (t) => {
  const seed = 3;
  const clock = new HeldClock();
  const dataDirectory = await temporaryDirectory(t);
  // A clock of its own keeps this one in the folder as well; see test/support/service.ts.
  const quiet = await startService(t, { dataDirectory, clock: systemClock });
  const blocks = new Map([[0, blockContents(7)]]);
  const snapshotId = await snapshotOf(quiet, blocks);
  const get = getParts(snapshotId, 0, await blockToken(quiet, snapshotId, 0));
  const { key } = quiet.firstKey;
  await quiet.close();
  const emulation = { faultShare: 1, seed };
  const opened = await startService(t, { dataDirectory, emulation, clock });
  const service = { ...opened, firstKey: { ...opened.firstKey, key } };
  const draw = faultDrawer(1, seed);
  let corrupt = 0;
  for (let i = 0; i < 60; i++) {
    const fault = draw(true);
    if (fault?.kind !== "corrupt") {
      assert.equal(await outcomeOf(service, get), expectedOutcome(fault, 200), fault?.kind);
      continue;
    }
    const { status, header, body } = await send(service, get);
    const original = blocks.get(0) as Uint8Array;
    assert.equal(status, 200);
    assert.equal(header("x-amz-Checksum"), checksumOfBlock(original));
    assert.equal(body.filter((byte, offset) => byte !== original[offset]).length, 1);
    corrupt += 1;
  }
  assert.ok(corrupt > 0);
});

test("faults: EC2's answers fail in EC2's form", async (t) => {
  const seed = 5;
  const service = await setUp(t, { faultShare: 1, seed }, new HeldClock());
  const draw = faultDrawer(1, seed);
  const codes = new Map<number, Set<string | undefined>>();
  for (let i = 0; i < 40; i++) {
    const fault = draw(false);
    const parts = actionParts("DescribeSnapshots");
    const response = await send(service, parts, { service: "ec2" }).catch(() => undefined);
    assert.equal(response?.status ?? "cut", expectedOutcome(fault, 200), fault?.kind);
    if (!response || response.status === 200) continue;
    const code = /<Response><Errors><Error><Code>(\w+)</.exec(response.text)?.[1];
    codes.set(response.status, new Set([code]));
  }
  const all = [...codes].map(([status, names]) => [status, ...names]).sort();
  assert.deepEqual(all, [
    [400, "Throttling"],
    [500, "InternalError"],
    [503, "ServiceUnavailable"],
  ]);
});

test("faults: a stalled request holds up nothing once its client has left", async (t) => {
  const isStall = (seed: number) => faultDrawer(1, seed)(false)?.kind === "stalled";
  const seed = Array(100).keys().find(isStall);
  assert.ok(seed !== undefined);
  const service = await startService(t, { emulation: { faultShare: 1, seed } });
  const connection = await RawConnection.open(service);
  connection.write(encode(sign(service, completeParts("snap-0123456789abcdef0", 0))));
  await systemClock.sleep(300);
  connection.destroy();
  const beganMs = systemClock.monotonicMs();
  await service.close();
  assert.ok(systemClock.monotonicMs() - beganMs < 5_000);
});

test("a configuration out of its bounds is refused, and a seed is drawn", async (t) => {
  for (const emulation of [{ faultShare: 2 }, { lagSeconds: -1 }, { latencyMs: Number.NaN }]) {
    await assert.rejects(startService(t, { emulation }), RangeError);
  }
  const { emulation } = await startService(t, { emulation: { quotas: true } });
  assert.ok(Number.isInteger(emulation?.seed));
  assert.equal((await startService(t)).emulation, undefined);
});

test("an image goes up and comes back whole in spite of faults and quotas", async (t) => {
  const folder = await temporaryDirectory(t);
  const path = join(folder, "image.raw");
  await writeFile(path, seededBytes("image", 128 * BLOCK_SIZE_BYTES));
  const emulation = { quotas: true, faultShare: 0.05, seed: 42 };
  const { endpoint, region, firstKey } = await startService(t, { emulation });
  const retries: RetryEvent[] = [];
  const { accessKeyId, secretAccessKey } = firstKey.key;
  const client = createClient({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    attemptTimeoutMs: 2_000,
    onRetry: (event) => retries.push(event),
  });
  t.after(() => client.close());
  const { snapshotId } = await uploadSnapshot(client, { path });
  await downloadSnapshot(client, { snapshotId, path: `${path}.restored` });
  await assertSameBytes(`${path}.restored`, path);
  const codes = new Set(retries.map(({ error }) => error.code));
  t.diagnostic(`${retries.length} retries: ${[...codes].join(", ")}`);
  assert.ok(retries.length > 3, "the client tells of what it had to repeat");
  assert.ok(codes.size > 1, "of several kinds");
});

test("lag: an upload waits until its new snapshot takes blocks", async (t) => {
  const path = join(await temporaryDirectory(t), "image.raw");
  await writeFile(path, seededBytes("image", 4 * BLOCK_SIZE_BYTES));
  const { endpoint, region, firstKey } = await startService(t, { emulation: { lagSeconds: 1 } });
  const client = createClient({ endpoint, region, credentials: firstKey.key });
  t.after(() => client.close());
  const { blocksSent } = await uploadSnapshot(client, { path });
  assert.equal(blocksSent, 4);
});
