import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  AWS_COMPLETION_SECONDS_MAX,
  AWS_READ_LAG_SECONDS,
  AWS_START_LAG_SECONDS,
  AWS_TIMEOUT_LATE_SECONDS,
  AWS_WRONG_CHECKSUM_SECONDS,
  AWS_WRONG_COUNT_SECONDS,
  BLOCK_SIZE_BYTES,
  TIMEOUT_MINUTES_MIN,
} from "../../src/model/limits.ts";
import type { EmulationConfig, Service, ServiceConfig } from "../../src/service.ts";
import type { RequestParts } from "../../src/wire/message.ts";
import { linearChecksum } from "../support/blocks.ts";
import { MovingClock } from "../support/moving-clock.ts";
import {
  actionParts,
  changedParts,
  completeParts,
  describeSnapshot,
  getParts,
  list,
  listParts,
  put,
  putParts,
  send,
  settled,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* `--emulate aws`: where Varve is different on purpose, it is as AWS, and by the clock given. */

const A = blockContents(1);
const B = blockContents(2);

type Moved = Service & { readonly clock: MovingClock };

async function open(
  t: TestContext,
  emulated: EmulationConfig | "nothing" = { aws: true },
  config: Partial<ServiceConfig> & { readonly clock?: MovingClock } = {},
): Promise<Moved> {
  const { clock = new MovingClock() } = config;
  const emulation = emulated === "nothing" ? undefined : emulated;
  return { ...(await startService(t, { emulation, ...config, clock })), clock };
}

/** Moves the clock until all that is late has happened, but for wrong completions. */
async function passed(service: Moved, snapshotId: string): Promise<string> {
  service.clock.advance(AWS_COMPLETION_SECONDS_MAX * 1_000);
  await settled(service, snapshotId);
  service.clock.advance(AWS_READ_LAG_SECONDS * 1_000);
  return snapshotId;
}

async function startWritable(service: Moved, input: object = {}): Promise<string> {
  const snapshotId = await start(service, input);
  service.clock.advance(AWS_START_LAG_SECONDS * 1_000);
  return snapshotId;
}

async function made(
  service: Moved,
  blocks: Readonly<Record<number, Uint8Array>>,
  input: object = {},
): Promise<string> {
  const snapshotId = await startWritable(service, input);
  const entries = Object.entries(blocks).map(([index, bytes]) => [Number(index), bytes] as const);
  await put(service, snapshotId, new Map(entries));
  await send(service, completeParts(snapshotId, entries.length));
  return passed(service, snapshotId);
}

async function ask(service: Moved, parts: RequestParts): Promise<[status: number, text: string]> {
  const { status, text } = await send(service, parts);
  return [status, status === 201 || text.length > 10_000 ? "done" : text];
}

interface ChangedPage {
  readonly ChangedBlocks: readonly Record<string, string | number | null>[];
  readonly ExpiryTime: number | null;
  readonly NextToken: string | null;
  readonly VolumeSize: number | null;
}

async function changes(service: Moved, parts: RequestParts): Promise<ChangedPage> {
  const response = await send(service, parts);
  assert.equal(response.status, 200, response.text);
  return JSON.parse(response.text) as ChangedPage;
}

/** The index of each change, then 1 and 2 for the tokens that are there. */
async function changedText(service: Moved, first: string, second: string): Promise<string> {
  const { ChangedBlocks } = await changes(service, changedParts(first, second));
  const sides = ["FirstBlockToken", "SecondBlockToken"] as const;
  return ChangedBlocks.map((block) => {
    return `${block["BlockIndex"]}:${sides.map((side, i) => (block[side] ? i + 1 : "")).join("")}`;
  }).join(" ");
}

const stateOf = async (service: Moved, id: string) =>
  (await describeSnapshot(service, id))["status"];

test("aws: completion, reading after it and putting after the start take their time", async (t) => {
  const service = await open(t);
  const { clock } = service;
  const snapshotId = await start(service);
  const Message = `The snapshot '${snapshotId}' does not exist.`;
  const unknown = JSON.stringify({ Message, Reason: "SNAPSHOT_NOT_FOUND" });
  const putting = putParts({ snapshotId, blockIndex: 0 }, A);
  assert.deepEqual(await ask(service, putting), [404, unknown]);
  clock.advance(AWS_START_LAG_SECONDS * 1_000);
  assert.deepEqual(await ask(service, putting), [201, "done"]);

  const pending = [202, '{"Status":"pending"}'];
  assert.deepEqual(await ask(service, completeParts(snapshotId, 1)), pending);
  assert.deepEqual(await ask(service, completeParts(snapshotId, 7)), pending);
  assert.equal(await stateOf(service, snapshotId), "pending");
  assert.match((await ask(service, putting))[1], /"Snapshot is already completed"/);
  clock.advance(AWS_COMPLETION_SECONDS_MAX * 1_000);
  const described = await settled(service, snapshotId);
  assert.equal(described["status"], "completed");
  const tookMs =
    Date.parse(described["completionTime"] ?? "") - Date.parse(described["startTime"] ?? "");
  assert.ok(tookMs >= (AWS_START_LAG_SECONDS + 1) * 1_000, `${tookMs} ms`);

  const child = startParts({ VolumeSize: 1, ParentSnapshotId: snapshotId });
  assert.deepEqual(await ask(service, listParts(snapshotId)), [404, unknown]);
  assert.match((await ask(service, child))[1], /is not complete/);
  clock.advance(AWS_READ_LAG_SECONDS * 1_000);
  assert.equal((await ask(service, listParts(snapshotId)))[0], 200);
  assert.deepEqual(await ask(service, child), [201, "done"]);
});

for (const { what, count, sum, seconds, message } of [
  { what: "count", count: 2, sum: A, seconds: AWS_WRONG_COUNT_SECONDS, message: /^Changed blocks/ },
  { what: "checksum", count: 1, sum: B, seconds: AWS_WRONG_CHECKSUM_SECONDS, message: /^Checksum/ },
]) {
  test(`aws: a wrong ${what} stays pending for ${seconds} s, also over a restart`, async (t) => {
    const dataDirectory = await temporaryDirectory(t);
    let service = await open(t, { aws: true }, { dataDirectory });
    const { key } = service.firstKey;
    const snapshotId = await startWritable(service);
    await put(service, snapshotId, new Map([[0, A]]));
    const parts = completeParts(snapshotId, count, {
      "x-amz-checksum": linearChecksum(new Map([[0, sum]])),
      "x-amz-checksum-algorithm": "SHA256",
      "x-amz-checksum-aggregation-method": "LINEAR",
    });
    assert.deepEqual(await ask(service, parts), [202, '{"Status":"pending"}']);
    service.clock.advance((seconds - 5) * 1_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await stateOf(service, snapshotId), "pending");
    await service.close();
    service = await open(t, { aws: true }, { dataDirectory });
    service = { ...service, firstKey: { ...service.firstKey, key } };
    assert.equal(await stateOf(service, snapshotId), "pending", "the time begins anew");
    service.clock.advance(seconds * 1_000);
    const described = await settled(service, snapshotId);
    assert.equal(described["status"], "error");
    assert.match(described["statusMessage"] ?? "", message);
    assert.deepEqual(await ask(service, completeParts(snapshotId, 1)), [202, '{"Status":"error"}']);
  });
}

test("aws: a snapshot times out some minutes late", async (t) => {
  const service = await open(t);
  const snapshotId = await start(service, { Timeout: TIMEOUT_MINUTES_MIN });
  service.clock.advance((TIMEOUT_MINUTES_MIN * 60 + AWS_TIMEOUT_LATE_SECONDS - 5) * 1_000);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(await stateOf(service, snapshotId), "pending");
  service.clock.advance(10_000);
  const described = await settled(service, snapshotId);
  assert.deepEqual(
    [described["status"], described["statusMessage"]],
    ["error", "Snapshot timed out"],
  );
});

test("aws,lag: a lag stands in for AWS's own", async (t) => {
  const service = await open(t, { aws: true, lagSeconds: 0 });
  const snapshotId = await start(service);
  await put(service, snapshotId, new Map([[0, A]]));
  await send(service, completeParts(snapshotId, 1));
  service.clock.advance(AWS_COMPLETION_SECONDS_MAX * 1_000);
  await settled(service, snapshotId);
  assert.equal((await send(service, listParts(snapshotId))).status, 200);
  const wrong = await start(service);
  await send(service, completeParts(wrong, 1));
  assert.equal((await settled(service, wrong))["status"], "error");
});

test("aws: who wrote a block decides whether it changed", async (t) => {
  const service = await open(t);
  const root = await made(service, { 0: A, 1: A, 2: B });
  const from = (ParentSnapshotId: string) => ({ ParentSnapshotId });
  const child = await made(service, { 0: B, 1: A, 5: B }, from(root));
  const sibling = await made(service, { 1: A }, from(root));
  const grown = await made(service, { 4000: A }, { VolumeSize: 2, ...from(sibling) });
  assert.equal(await changedText(service, root, child), "0:12 1:12 5:2");
  assert.equal(await changedText(service, child, root), "0:12 1:12 5:1");
  assert.equal(await changedText(service, child, sibling), "0:12 1:12 5:1");
  assert.equal(await changedText(service, sibling, grown), "4000:2");
  assert.equal(await changedText(service, root, grown), "1:12 4000:2");
  await send(service, actionParts("DeleteSnapshot", { SnapshotId: root }), { service: "ec2" });
  assert.equal(await changedText(service, sibling, child), "0:12 1:12 5:2");
  const copying = { SourceSnapshotId: child, SourceRegion: service.region };
  const copied = await send(service, actionParts("CopySnapshot", copying), { service: "ec2" });
  const copy = /<snapshotId>(snap-\w+)</.exec(copied.text)?.[1] ?? "";
  service.clock.advance(AWS_READ_LAG_SECONDS * 1_000);
  assert.equal(await changedText(service, child, copy), "", "a copy was written by the same");
  assert.equal(await changedText(service, sibling, copy), "0:12 1:12 5:2");
});

const ALL_NULL =
  '{"BlockSize":null,"ChangedBlocks":[],"ExpiryTime":null,"LastEvaluatedBlockIndex":null,' +
  '"NextToken":null,"VolumeSize":null}';

test("aws: MaxResults counts candidates, so pages may be empty before the last", async (t) => {
  const service = await open(t);
  const blocks = Object.fromEntries(Array.from({ length: 103 }, (_, i) => [i, A]));
  const root = await made(service, blocks);
  const child = await made(service, { 102: A }, { ParentSnapshotId: root });
  const maxResults = 100;
  const first = await changes(service, changedParts(root, child, { maxResults }));
  assert.deepEqual([first.ChangedBlocks, first.VolumeSize], [[], 1]);
  assert.ok(Math.abs((first.ExpiryTime ?? 0) * 1_000 - service.clock.nowMs()) < 5_000, "now");
  const pageToken = first.NextToken ?? "";
  assert.match(pageToken, /^[\w-]{111}$/);
  const next = changedParts(root, child, { maxResults, pageToken });
  const second = await changes(service, next);
  assert.deepEqual([second.ChangedBlocks[0]?.["BlockIndex"], second.NextToken], [102, null]);
  const same = await changes(service, changedParts(root, root, { maxResults }));
  const last = changedParts(root, root, { maxResults, pageToken: same.NextToken ?? "" });
  assert.deepEqual(await ask(service, last), [200, ALL_NULL]);
  assert.deepEqual(await ask(service, changedParts(root, root)), [200, ALL_NULL]);
});

test("aws: an empty snapshot is not compared", async (t) => {
  const service = await open(t);
  const empty = await made(service, {});
  const child = await made(service, { 0: A }, { ParentSnapshotId: empty });
  for (const [first, second] of [
    [empty, child],
    [child, empty],
    [empty, empty],
  ] as const) {
    const [status, text] = await ask(service, changedParts(first, second));
    assert.equal(status, 400);
    assert.match(text, new RegExp(`"The snapshot ${empty} is empty\\."`));
  }
  const unrelated = await made(service, {});
  assert.match((await ask(service, changedParts(unrelated, child)))[1], /are not related/);
});

test("aws: tokens look like AWS's, and all of one response share 16 bytes", async (t) => {
  const service = await open(t);
  const blocks = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, A]));
  const root = await made(service, blocks);
  const child = await made(service, blocks, { ParentSnapshotId: root });
  const shared = (token: string) => Buffer.from(token, "base64url").toString("hex", 3, 19);
  const heads = new Set<string>();
  for (let i = 0; i < 2; i++) {
    const page = await list(service, root, { maxResults: 100 });
    const tokens = [...page.Blocks.map(({ BlockToken }) => BlockToken), page.NextToken ?? ""];
    for (const token of tokens) assert.match(token, /^AlM[\w-]{92}$/);
    assert.equal(new Set(tokens.map(shared)).size, 1);
    heads.add(shared(tokens[0] as string));
  }
  assert.equal(heads.size, 2, "each response has its own");
  const changed = await changes(service, changedParts(root, child, { maxResults: 100 }));
  const all = changed.ChangedBlocks.flatMap((block) => [
    String(block["FirstBlockToken"]),
    String(block["SecondBlockToken"]),
  ]);
  assert.equal(new Set([...all, changed.NextToken ?? ""].map(shared)).size, 1);
  for (const [i, id] of [root, child].entries()) {
    const { status, body } = await send(service, getParts(id, 0, all[i]));
    assert.deepEqual([status, body.length], [200, BLOCK_SIZE_BYTES]);
  }
});

test("aws: tokens and snapshots outlive the switch, in both directions", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const tokens: [snapshotId: string, blockToken: string][] = [];
  let service = await open(t, "nothing", { dataDirectory });
  const { key } = service.firstKey;
  const { clock } = service;
  const reopen = async (emulated: EmulationConfig | "nothing") => {
    await service.close();
    clock.advance(AWS_READ_LAG_SECONDS * 1_000);
    const opened = await open(t, emulated, { dataDirectory, clock });
    service = { ...opened, firstKey: { ...opened.firstKey, key } };
  };
  const keep = async (id: string) => {
    tokens.push([id, (await list(service, id)).Blocks[0]?.BlockToken ?? ""]);
    for (const [snapshotId, token] of tokens) {
      assert.equal((await send(service, getParts(snapshotId, 0, token))).status, 200);
    }
  };
  const two = new Map([
    [0, A],
    [1, A],
  ]);
  const old = await snapshotOf(service, two);
  const oldChild = await snapshotOf(service, new Map([[1, A]]), { ParentSnapshotId: old });
  await keep(old);
  await reopen({ aws: true });
  await keep(oldChild);
  assert.equal(
    await changedText(service, old, oldChild),
    "",
    "contents decide where nobody is known",
  );
  const young = await made(service, { 0: A }, { ParentSnapshotId: oldChild });
  const younger = await made(service, { 0: A }, { ParentSnapshotId: young });
  assert.equal(await changedText(service, young, younger), "0:12");
  assert.equal(await changedText(service, old, younger), "");
  await keep(younger);
  await reopen("nothing");
  assert.equal(await changedText(service, young, younger), "");
  const later = await snapshotOf(service, new Map([[0, B]]), { ParentSnapshotId: younger });
  await keep(later);
  assert.match(tokens[2]?.[1] ?? "", /^AlM/);
  assert.match(tokens[3]?.[1] ?? "", /^.{48}$/);
  await reopen({ aws: true });
  assert.equal(await changedText(service, younger, later), "0:12");
});

test("without the switch no writer map is kept", async (t) => {
  const service = await startService(t);
  const root = await snapshotOf(service, new Map([[0, A]]));
  const child = await snapshotOf(service, new Map([[0, A]]), { ParentSnapshotId: root });
  for (const id of [root, child]) {
    const snapshot = await service.core.catalog.snapshots.get(id as never);
    assert.ok(snapshot && !("writersRoot" in snapshot));
  }
});

test("aws: of several members out of bounds, the first is reported", async (t) => {
  const parts = listParts("snap-0123", { maxResults: 99, startingBlockIndex: -1 });
  const aws = await open(t);
  const [status, text] = await ask(aws, parts);
  assert.equal(status, 400);
  assert.match(text, /"1 validation error detected: Value '99' at 'maxResults' [^;]*"/);
  const own = await open(t, "nothing");
  assert.match((await ask(own, parts))[1], /"2 validation errors detected: .*; Value '-1' at/);
});
