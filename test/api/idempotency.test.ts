import assert from "node:assert/strict";
import { after, describe, type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { linearChecksum } from "../support/blocks.ts";
import { MovingClock } from "../support/moving-clock.ts";
import {
  actionParts,
  blockToken,
  complete,
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
import type { Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { measureStored } from "../support/stored.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* What may be said twice, late, or by many at once, and what then holds. */

const MINUTE_MS = 60_000;
const dataDirectory = await temporaryDirectory({ after });
const service = await startService({ after }, { dataDirectory });
const block = blockContents(1);
const oneBlock = new Map([[0, block]]);

const began = (members: object) => send(service, startParts({ VolumeSize: 1, ...members }));
const completeIt = (snapshotId: string, count: number) =>
  send(service, completeParts(snapshotId, count));
const missing = (snapshotId: string) =>
  `{"Message":"The snapshot '${snapshotId}' does not exist.","Reason":"SNAPSHOT_NOT_FOUND"}`;
const idIn = (text: string) => (JSON.parse(text) as { SnapshotId: string }).SnapshotId;
const deletion = (snapshotId: string) => actionParts("DeleteSnapshot", { SnapshotId: snapshotId });

describe("A client token", () => {
  test("answers the same again, word for word, whatever has become of the snapshot", async () => {
    const members = {
      ClientToken: "same",
      Description: "first",
      Tags: [{ Key: "Name", Value: "x" }],
    };
    const first = await began(members);
    assert.equal(first.status, 201);
    const snapshotId = idIn(first.text);
    assert.equal((await began(members)).text, first.text);
    await put(service, snapshotId, oneBlock);
    const retag = { "ResourceId.1": snapshotId, "Tag.1.Key": "Name", "Tag.1.Value": "y" };
    await send(service, actionParts("CreateTags", retag), { service: "ec2" });
    assert.equal(await complete(service, snapshotId, 1), "completed");
    const again = await began(members);
    assert.deepEqual([again.status, again.text], [201, first.text]);
    assert.match(again.text, /"Status":"pending"/);
  });

  const changes: readonly [string, object][] = [
    ["size", { VolumeSize: 2 }],
    ["description", { Description: "other" }],
    ["missing description", { Description: undefined }],
    ["tags", { Tags: [{ Key: "Name", Value: "y" }] }],
    ["timeout", { Timeout: 61 }],
  ];
  for (const [what, change] of changes) {
    test(`given again with another ${what} is a conflict`, async () => {
      const ClientToken = `conflict-${what.replace(" ", "-")}`;
      const members = { ClientToken, Description: "first", Tags: [{ Key: "Name", Value: "x" }] };
      assert.equal((await began(members)).status, 201);
      const { status, text } = await began({ ...members, ...change });
      assert.equal(status, 409);
      const message = "Current request does not match request stored with this token.";
      assert.equal(text, JSON.stringify({ Message: message }));
    });
  }

  test("given again with another parent is a conflict", async () => {
    const parent = await snapshotOf(service, oneBlock);
    const members = { ClientToken: "conflict-parent" };
    assert.equal((await began(members)).status, 201);
    assert.equal((await began({ ...members, ParentSnapshotId: parent })).status, 409);
  });

  test("still answers the child's start after its parent was deleted", async () => {
    const parent = await snapshotOf(service, oneBlock);
    const members = { ClientToken: "orphan", ParentSnapshotId: parent };
    const first = await began(members);
    await send(service, deletion(parent), { service: "ec2" });
    const again = await began(members);
    assert.deepEqual([again.status, again.text], [201, first.text]);
  });

  test("given twenty times at once starts one snapshot", async () => {
    const before = await measureStored(service, dataDirectory);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => began({ ClientToken: "twenty", Description: "one" })),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    const { snapshotCount } = await measureStored(service, dataDirectory);
    assert.equal(snapshotCount, before.snapshotCount + 1);
  });

  test("given at once with different parameters is good for one of them", async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        began({ ClientToken: "race", Description: `${i}` }).then(({ status }) => status),
      ),
    );
    assert.equal(answers.filter((status) => status === 201).length, 1);
    assert.equal(answers.filter((status) => status === 409).length, 9);
  });

  test("that is missing makes each start a snapshot of its own", async () => {
    assert.notEqual(await start(service), await start(service));
  });

  test("is good after a restart, too", async (t) => {
    const dataDirectory = await temporaryDirectory(t);
    const works: (() => unknown)[] = [];
    const first = await startService({ after: (work) => works.push(work) }, { dataDirectory });
    const parts = startParts({ VolumeSize: 1, ClientToken: "restart" });
    const { text } = await send(first, parts);
    for (const work of works) await work();
    const again = await startService(t, { dataDirectory });
    assert.equal((await send(again, parts)).text, text);
  });
});

describe("CompleteSnapshot", () => {
  test("given again answers how the snapshot stands, whatever it carries", async () => {
    const snapshotId = await snapshotOf(service, oneBlock);
    for (const parts of [completeParts(snapshotId, 1), completeParts(snapshotId, 77)]) {
      const { status, text } = await send(service, parts);
      assert.deepEqual([status, text], [202, '{"Status":"completed"}']);
    }
    assert.equal((await describeSnapshot(service, snapshotId))["status"], "completed");
  });

  test("with a wrong count ends in error, and says so to EC2", async () => {
    for (const count of [0, 2]) {
      const snapshotId = await start(service);
      await put(service, snapshotId, oneBlock);
      assert.equal(await complete(service, snapshotId, count), "error");
      const described = await describeSnapshot(service, snapshotId);
      assert.equal(described["statusMessage"], "Changed blocks count mismatch for snapshot");
      assert.equal(described["progress"], "0%");
      await assertDead(service, snapshotId);
    }
  });

  test("with a wrong aggregate checksum ends in error, and says so to EC2", async () => {
    const wrong = linearChecksum(new Map([[0, blockContents(2)]]));
    for (const checksum of [wrong, "bm90IGEgU0hBLTI1Ng=="]) {
      const snapshotId = await start(service);
      await put(service, snapshotId, oneBlock);
      const headers = { ...LINEAR, "x-amz-checksum": checksum };
      const { status, text } = await send(service, completeParts(snapshotId, 1, headers));
      assert.deepEqual([status, text], [202, '{"Status":"pending"}']);
      const described = await settled(service, snapshotId);
      assert.equal(described["status"], "error");
      assert.equal(described["statusMessage"], "Checksum mismatch for snapshot");
      await assertDead(service, snapshotId);
    }
  });

  test("counts each block index once, and inherited ones never", async () => {
    const parent = await snapshotOf(
      service,
      new Map([
        [0, block],
        [1, block],
      ]),
    );
    const snapshotId = await start(service, { ParentSnapshotId: parent });
    const own = new Map([
      [0, block],
      [5, blockContents(0)],
    ]);
    await put(service, snapshotId, own);
    await put(service, snapshotId, own);
    const headers = { ...LINEAR, "x-amz-checksum": linearChecksum(own) };
    await send(service, completeParts(snapshotId, 2, headers));
    assert.equal((await settled(service, snapshotId))["status"], "completed");
  });

  test("takes an empty snapshot, with the checksum of nothing or none", async () => {
    const checksum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert.equal(linearChecksum(new Map()), checksum);
    for (const headers of [{}, { ...LINEAR, "x-amz-checksum": checksum }]) {
      const snapshotId = await start(service);
      await send(service, completeParts(snapshotId, 0, headers));
      const described = await settled(service, snapshotId);
      assert.equal(described["status"], "completed");
      assert.equal(described["fullSnapshotSizeInBytes"], "0");
      assert.deepEqual((await list(service, snapshotId)).Blocks, []);
    }
  });

  test("given by many at once completes once", async () => {
    const snapshotId = await start(service);
    await put(service, snapshotId, oneBlock);
    const answers = await Promise.all(Array.from({ length: 20 }, () => completeIt(snapshotId, 1)));
    for (const { status, text } of answers) {
      assert.equal(status, 202);
      assert.match(text, /^\{"Status":"(pending|completed)"\}$/);
    }
    assert.equal((await settled(service, snapshotId))["status"], "completed");
    assert.equal((await list(service, snapshotId)).Blocks.length, 1);
  });

  test("closes the snapshot to puts, even to those under way", async () => {
    const snapshotId = await start(service);
    await put(service, snapshotId, oneBlock);
    const late = Array.from({ length: 8 }, (_, i) =>
      send(service, putParts({ snapshotId, blockIndex: i + 1 }, blockContents(i + 2))),
    );
    const [completion, ...puts] = await Promise.all([completeIt(snapshotId, 1), ...late]);
    assert.equal(completion?.status, 202);
    const taken = puts.filter(({ status }) => status === 201).length;
    const { status } = await settled(service, snapshotId);
    for (const refused of puts.filter((answer) => answer.status !== 201)) {
      const isDead = status === "error" && refused.text === missing(snapshotId);
      assert.ok(isDead || /Snapshot is already completed/.test(refused.text), refused.text);
    }
    // A put that was acknowledged counts: with one of them taken, a count of 1 is wrong.
    assert.equal(status, taken === 0 ? "completed" : "error");
  });
});

const LINEAR = {
  "x-amz-checksum-algorithm": "SHA256",
  "x-amz-checksum-aggregation-method": "LINEAR",
};

/** Asserts what a snapshot in error still does: nothing but being described and deleted. */
async function assertDead(target: Target, snapshotId: string): Promise<void> {
  for (const parts of [
    putParts({ snapshotId, blockIndex: 0 }, block),
    listParts(snapshotId),
    startParts({ VolumeSize: 1, ParentSnapshotId: snapshotId }),
  ]) {
    const { status, text } = await send(target, parts);
    assert.deepEqual([status, text], [404, missing(snapshotId)]);
  }
  const completion = await send(target, completeParts(snapshotId, 0));
  assert.deepEqual([completion.status, completion.text], [202, '{"Status":"error"}']);
  assert.equal((await describeSnapshot(target, snapshotId))["status"], "error");
  const deleted = await send(target, deletion(snapshotId), { service: "ec2" });
  assert.equal(deleted.status, 200);
  const again = await send(target, deletion(snapshotId), { service: "ec2" });
  assert.match(again.text, /InvalidSnapshot\.NotFound/);
}

describe("PutSnapshotBlock", () => {
  test("given again is the same, and the last contents of a block index win", async () => {
    const snapshotId = await start(service);
    for (const contents of [3, 3, 0, 4]) {
      await put(service, snapshotId, new Map([[9, blockContents(contents)]]));
    }
    assert.equal(await complete(service, snapshotId, 1), "completed");
    const token = await blockToken(service, snapshotId, 9);
    const { body } = await send(service, getParts(snapshotId, 9, token));
    assert.ok(body.equals(blockContents(4)), "the last contents");
  });

  test("by many at once to one block index leaves one whole block of theirs", async () => {
    const snapshotId = await start(service);
    const candidates = Array.from({ length: 12 }, (_, i) => blockContents(20 + i));
    const answers = await Promise.all(
      candidates.map((bytes) => send(service, putParts({ snapshotId, blockIndex: 7 }, bytes))),
    );
    const taken = candidates.filter((_, i) => answers[i]?.status === 201);
    assert.ok(taken.length > 0, "one is taken at least");
    for (const { status, text } of answers) {
      assert.ok(status === 201 || /CONFLICTING_BLOCK_UPDATE/.test(text), `${status} ${text}`);
    }
    assert.equal(await complete(service, snapshotId, 1), "completed");
    const token = await blockToken(service, snapshotId, 7);
    const { body } = await send(service, getParts(snapshotId, 7, token));
    assert.ok(
      taken.some((bytes) => body.equals(bytes)),
      "the block is one of those acknowledged",
    );
  });
});

describe("A pending snapshot times out", () => {
  async function startTimed(t: TestContext) {
    const clock = new MovingClock();
    const target = { ...(await startService(t, { clock })), clock };
    const snapshotId = await start(target, { Timeout: 10 });
    return { clock, target, snapshotId };
  }

  test("after its minutes without a put, and is dead then", async (t) => {
    const { clock, target, snapshotId } = await startTimed(t);
    clock.advance(10 * MINUTE_MS - 5_000);
    await setTimeout(200);
    assert.equal((await describeSnapshot(target, snapshotId))["status"], "pending");
    clock.advance(5_000);
    const described = await settled(target, snapshotId);
    assert.equal(described["status"], "error");
    assert.equal(described["statusMessage"], "Snapshot timed out");
    await assertDead(target, snapshotId);
  });

  test("so much later with each put", async (t) => {
    const { clock, target, snapshotId } = await startTimed(t);
    for (let blockIndex = 0; blockIndex < 3; blockIndex++) {
      clock.advance(9 * MINUTE_MS);
      await put(target, snapshotId, new Map([[blockIndex, block]]));
    }
    clock.advance(9 * MINUTE_MS);
    assert.equal(await complete(target, snapshotId, 3), "completed");
  });

  test("but not after a put that was refused, which moves nothing", async (t) => {
    const { clock, target, snapshotId } = await startTimed(t);
    clock.advance(9 * MINUTE_MS);
    const refused = putParts({ snapshotId, blockIndex: 2_048 }, block);
    assert.equal((await send(target, refused)).status, 400);
    clock.advance(MINUTE_MS);
    assert.equal((await settled(target, snapshotId))["status"], "error");
  });

  test("but a completed one never does", async (t) => {
    const { clock, target, snapshotId } = await startTimed(t);
    assert.equal(await complete(target, snapshotId, 0), "completed");
    clock.advance(1_000 * MINUTE_MS);
    await setTimeout(200);
    assert.equal((await describeSnapshot(target, snapshotId))["status"], "completed");
  });

  test("after 60 minutes where the request names none", async (t) => {
    const { clock, target } = await startTimed(t);
    const snapshotId = await start(target);
    clock.advance(59 * MINUTE_MS);
    await setTimeout(200);
    assert.equal((await describeSnapshot(target, snapshotId))["status"], "pending");
    clock.advance(MINUTE_MS);
    assert.equal((await settled(target, snapshotId))["status"], "error");
  });
});

test("A service closed twice is closed", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const own = await startService({ after: () => undefined }, { dataDirectory });
  await own.close();
  await own.close();
});
