import assert from "node:assert/strict";
import { test } from "node:test";
import { SleptClock } from "../../../test/support/slept-clock.ts";
import { stubClient } from "../../../test/support/stub-client.ts";
import type { Client } from "../call/client.ts";
import { ClientError } from "../errors.ts";
import { verifySnapshot } from "../inspect/verify.ts";
import { listSnapshotBlocks } from "./ebs-operations.ts";
import { countExclusiveBlocks } from "./lineages.ts";
import { blocksOf, changedBlocksOf } from "./listings.ts";
import { onceKnown, onceReadable } from "./once-known.ts";

/* What is borne at an address that answers what a test wants, at the times it wants. */

const BY_ID = { snapshotIds: ["snap-0"] };

function refusal(operation: string, code: string, message = "No."): ClientError {
  return new ClientError({ kind: "service", operation, code, status: 400, message });
}

const notFound = refusal("ListSnapshotBlocks", "ResourceNotFoundException");

/**
 * Readers know of a snapshot after that many seconds; EC2 says at once that it was completed so
 * many seconds ago, or fails.
 */
function setUp(world: {
  readonly knownAfterSeconds: number;
  readonly ageSeconds?: number;
  readonly state?: string;
  /** It is another account's, that the caller may read. */
  readonly isOthers?: boolean;
  readonly describing?: () => ClientError | undefined;
}) {
  const { knownAfterSeconds, ageSeconds = 0, state = "completed", isOthers, describing } = world;
  const completed = new Date(SleptClock.START_MS - ageSeconds * 1_000).toISOString();
  const item =
    `<item><snapshotId>snap-0</snapshotId><status>${state}</status>` +
    `<startTime>2026-01-01T00:00:00Z</startTime><completionTime>${completed}</completionTime>` +
    "<volumeSize>1</volumeSize></item>";
  const set = `<snapshotSet>${item}</snapshotSet>`;
  const xml = `<DescribeSnapshotsResponse>${set}</DescribeSnapshotsResponse>`;
  const none = "<DescribeSnapshotsResponse><snapshotSet/></DescribeSnapshotsResponse>";
  const page = JSON.stringify({ Blocks: [], ChangedBlocks: [], VolumeSize: 1 });
  const stub = stubClient(({ operation, request }) => {
    if (operation !== "DescribeSnapshots") {
      if (stub.sleptMs() < knownAfterSeconds * 1_000) throw notFound;
      return page;
    }
    const error = describing?.();
    if (error) throw error;
    const isOwnAlone = new TextDecoder().decode(request.body).includes("Owner.1=self");
    return isOthers && isOwnAlone ? none : xml;
  });
  return stub;
}

const read = (client: Client) => () => listSnapshotBlocks(client, "snap-0");

test("a snapshot completed just now is read as soon as it is known", async () => {
  const { client, sleptMs } = setUp({ knownAfterSeconds: 8, ageSeconds: 20 });
  await onceReadable(client, BY_ID, read(client));
  assert.equal(sleptMs(), 8_000);
});

test("the first page of every walk is waited for", async () => {
  const pair = { firstSnapshotId: "snap-0", secondSnapshotId: "snap-0" };
  for (const walk of [
    (client: Client) => blocksOf(client, "snap-0"),
    (client: Client) => blocksOf(client, "snap-0", { StartingBlockIndex: 3 }),
    (client: Client) => changedBlocksOf(client, pair),
  ]) {
    const { client, sleptMs } = setUp({ knownAfterSeconds: 8 });
    for await (const block of walk(client)) assert.fail(`${block.BlockIndex} is not there`);
    assert.equal(sleptMs(), 8_000);
  }
});

test("it is believed at once that there is none, where nothing says otherwise", async () => {
  const missing = refusal("DescribeSnapshots", "InvalidSnapshot.NotFound");
  const denied = refusal("DescribeSnapshots", "UnauthorizedOperation");
  for (const world of [
    { ageSeconds: 121 },
    { state: "pending" },
    { describing: () => missing },
    { describing: () => denied },
  ]) {
    const { client, calls, sleptMs } = setUp({ knownAfterSeconds: 8, ...world });
    const reading = onceReadable(client, BY_ID, read(client));
    await assert.rejects(reading, (thrown) => thrown === notFound, JSON.stringify(world));
    assert.deepEqual(calls, ["ListSnapshotBlocks", "DescribeSnapshots"]);
    assert.equal(sleptMs(), 0);
  }
});

test("whatever else goes wrong is nobody's question", async () => {
  const { client, calls } = setUp({ knownAfterSeconds: 0 });
  const denied = refusal("ListSnapshotBlocks", "AccessDeniedException");
  const reading = onceReadable(client, BY_ID, async () => Promise.reject(denied));
  await assert.rejects(reading, (thrown) => thrown === denied);
  assert.deepEqual(calls, []);
});

test("a key that is not found is waited for by nobody", async () => {
  const { client, calls } = setUp({ knownAfterSeconds: 0 });
  const code = "ResourceNotFoundException";
  const parts = { kind: "service", operation: "ListSnapshotBlocks", code, status: 404 } as const;
  const reason = "DEPENDENCY_RESOURCE_NOT_FOUND";
  const noKey = new ClientError({ ...parts, reason, message: "KMS key not found." });
  const reading = onceReadable(client, BY_ID, async () => Promise.reject(noKey));
  await assert.rejects(reading, (thrown) => thrown === noKey);
  assert.deepEqual(calls, []);
});

test("what only its owner can read is not waited for by others", async () => {
  for (const read of [
    (client: Client) => verifySnapshot(client, { snapshotId: "snap-0" }),
    (client: Client) => countExclusiveBlocks(client, "snap-0"),
  ]) {
    const { client, calls, sleptMs } = setUp({ knownAfterSeconds: 1_000, isOthers: true });
    await assert.rejects(read(client), (thrown) => thrown === notFound);
    assert.deepEqual([calls.length, calls[1], sleptMs()], [2, "DescribeSnapshots", 0]);
  }
});

test("a parent that is not known to be complete is waited for", async () => {
  const early = refusal("StartSnapshot", "ValidationException", "Source (s) is not complete.");
  const { client, sleptMs } = setUp({ knownAfterSeconds: 0, ageSeconds: 5 });
  await onceReadable(client, BY_ID, async () => {
    if (sleptMs() < 3_000) throw early;
  });
  assert.equal(sleptMs(), 3_000);
});

test("waiting ends after two minutes, and when the snapshot is deleted", async () => {
  const never = setUp({ knownAfterSeconds: 1_000 });
  const isNew = { ...BY_ID, isNew: true };
  const reading = onceReadable(never.client, isNew, read(never.client));
  await assert.rejects(reading, (thrown) => thrown === notFound);
  assert.equal(never.sleptMs(), 120_000);
  assert.ok(!never.calls.includes("DescribeSnapshots"), "who knows that it is new does not ask");
  const missing = refusal("DescribeSnapshots", "InvalidSnapshot.NotFound");
  const deleted = setUp({
    knownAfterSeconds: 1_000,
    describing: () => (deleted.sleptMs() >= 4_000 ? missing : undefined),
  });
  const rereading = onceReadable(deleted.client, BY_ID, read(deleted.client));
  await assert.rejects(rereading, (thrown) => thrown === notFound);
  assert.equal(deleted.sleptMs(), 4_000);
});

test("onceKnown asks nobody whether there is such a snapshot", async () => {
  const { client, calls, sleptMs } = setUp({ knownAfterSeconds: 4 });
  let unknown = 0;
  await onceKnown(client, read(client), { onUnknown: () => unknown++ });
  assert.deepEqual([sleptMs(), unknown, calls.includes("DescribeSnapshots")], [4_000, 4, false]);
  const short = setUp({ knownAfterSeconds: 4 });
  const reading = onceKnown(short.client, read(short.client), { timeoutMs: 2_000 });
  await assert.rejects(reading, (thrown) => thrown === notFound);
  assert.equal(short.sleptMs(), 2_000);
});
