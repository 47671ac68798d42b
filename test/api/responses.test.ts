import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { checksumOfBlock } from "../support/blocks.ts";
import {
  actionParts,
  blockToken,
  changedParts,
  completeParts,
  getParts,
  listParts,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/* Each success as the EBS direct APIs write it: status, headers, and the body to the letter. */

/** The service's clock stands still at whatever time a test sets. */
const time = { nowMs: 1_790_337_440_570 };
const clock = { ...systemClock, nowMs: () => time.nowMs };
const service = { ...(await startService({ after }, { clock })), clock };
const { account } = service.firstKey.key;

const block = blockContents(1);
const [parent, empty] = [await snapshotOf(service, new Map([[0, block]])), await start(service)];
const changes = new Map([
  [0, blockContents(2)],
  [7, blockContents(0)],
]);
const child = await snapshotOf(service, changes, { ParentSnapshotId: parent, VolumeSize: 3 });

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TOKEN = /"[A-Za-z0-9+/=]{1,256}"/.source;
/** 1,790,337,440.57 s and the 7 days that a block token lives. */
const EXPIRY = "1.79094224057E9";

function assertJson(response: RawResponse, status: number, body: string): void {
  assert.equal(response.text, body);
  assertFrame(response, status);
}

function assertFrame(response: RawResponse, status: number): void {
  assert.equal(response.status, status);
  assert.equal(response.header("Content-Type"), "application/json");
  assert.equal(response.header("Content-Length"), String(response.body.length));
  assert.equal(response.header("Connection"), "keep-alive");
  assert.equal(response.header("Server"), undefined);
  assert.match(response.header("x-amzn-RequestId") ?? "", UUID);
  assert.ok(Number.isFinite(Date.parse(response.header("Date") ?? "")), "Date is a date");
}

/** The body with every token replaced, so that what stays can be compared to the letter. */
function withoutTokens(text: string): string {
  return text.replace(new RegExp(`((?:Block|Next)Token":)${TOKEN}`, "g"), '$1"…"');
}

function startBody(snapshotId: string, members: Record<string, unknown> = {}): string {
  return JSON.stringify({
    BlockSize: 524_288,
    Description: null,
    KmsKeyArn: null,
    OwnerId: account,
    ParentSnapshotId: null,
    SnapshotId: snapshotId,
    SseType: null,
    StartTime: "TIME",
    Status: "pending",
    Tags: null,
    VolumeSize: 1,
    ...members,
  }).replace('"TIME"', "1.79033744057E9");
}

describe("StartSnapshot answers", () => {
  test("every member it models, null where there is nothing", async () => {
    const response = await send(service, startParts({ VolumeSize: 1 }));
    const { SnapshotId } = JSON.parse(response.text) as { SnapshotId: string };
    assert.match(SnapshotId, /^snap-0[0-9a-f]{16}$/);
    assertJson(response, 201, startBody(SnapshotId));
  });

  test("what the request said of description, tags and parent", async () => {
    const members = {
      Description: 'Zoë\'s "boot" disk ☃\n',
      ParentSnapshotId: parent,
      Tags: [
        { Key: "b", Value: "2" },
        { Key: "a", Value: "" },
      ],
      VolumeSize: 65_536,
    };
    const response = await send(service, startParts({ ...members, Timeout: 4_320 }));
    const { SnapshotId } = JSON.parse(response.text) as { SnapshotId: string };
    assertJson(response, 201, startBody(SnapshotId, members));
  });

  test("no tags as null where the request said an empty list", async () => {
    const response = await send(service, startParts({ VolumeSize: 1, Tags: [], Encrypted: false }));
    const { SnapshotId } = JSON.parse(response.text) as { SnapshotId: string };
    assertJson(response, 201, startBody(SnapshotId));
  });

  const times = [
    [1_790_337_440_328, "1.790337440328E9"],
    [1_790_337_440_000, "1.79033744E9"],
    [1_800_000_000_000, "1.8E9"],
    [2_000_000_000_000, "2.0E9"],
  ] as const;
  for (const [nowMs, written] of times) {
    test(`the time ${nowMs} ms as ${written} s`, async (t) => {
      const before = time.nowMs;
      t.after(() => {
        time.nowMs = before;
      });
      time.nowMs = nowMs;
      const { text } = await send(service, startParts({ VolumeSize: 1 }));
      assert.equal(/"StartTime":([^,]+),/.exec(text)?.[1], written);
    });
  }
});

describe("PutSnapshotBlock answers", () => {
  test("an empty object, and the checksum in headers", async () => {
    const response = await send(service, putParts({ snapshotId: empty, blockIndex: 0 }, block));
    assertJson(response, 201, "{}");
    assert.equal(response.header("x-amz-Checksum"), checksumOfBlock(block));
    assert.equal(response.header("x-amz-Checksum-Algorithm"), "SHA256");
    assert.equal(response.header("x-amz-Data-Length"), undefined);
  });

  for (const progress of [0, 100]) {
    test(`a progress of ${progress} with nothing more`, async () => {
      const headers = { "x-amz-progress": progress };
      const parts = putParts({ snapshotId: empty, blockIndex: 0 }, block, headers);
      assertJson(await send(service, parts), 201, "{}");
    });
  }
});

describe("CompleteSnapshot answers", () => {
  test("pending the first time, then how the snapshot stands, all with 202", async () => {
    const snapshotId = await start(service);
    const first = await send(service, completeParts(snapshotId, 0));
    assertJson(first, 202, '{"Status":"pending"}');
    const last = await completedAnswer(snapshotId);
    assertJson(last, 202, '{"Status":"completed"}');
  });

  async function completedAnswer(snapshotId: string): Promise<RawResponse> {
    const response = await send(service, completeParts(snapshotId, 0));
    return response.text.includes("pending") ? completedAnswer(snapshotId) : response;
  }
});

describe("GetSnapshotBlock answers", () => {
  test("the block's bytes, with length and checksum in headers", async () => {
    const token = await blockToken(service, parent, 0);
    const response = await send(service, getParts(parent, 0, token));
    assert.equal(response.status, 200);
    assert.ok(response.body.equals(block), "the bytes are those put");
    const names = ["x-amzn-RequestId", "Content-Type", "x-amz-Data-Length", "x-amz-Checksum"];
    names.push("x-amz-Checksum-Algorithm", "Content-Length");
    const headers = Object.fromEntries(names.map((name) => [name, response.header(name)]));
    assert.match(headers["x-amzn-RequestId"] ?? "", UUID);
    assert.deepEqual(headers, {
      "x-amzn-RequestId": headers["x-amzn-RequestId"],
      "Content-Type": "application/octet-stream",
      "x-amz-Data-Length": "524288",
      "x-amz-Checksum": checksumOfBlock(block),
      "x-amz-Checksum-Algorithm": "SHA256",
      "Content-Length": "524288",
    });
    assert.equal(response.header("Content-Encoding"), undefined);
  });

  test("a zero block like any other", async () => {
    const response = await send(service, getParts(child, 7, await blockToken(service, child, 7)));
    assert.ok(response.body.equals(blockContents(0)), "512 KiB of zeros");
    const checksum = "B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=";
    assert.equal(response.header("x-amz-Checksum"), checksum);
  });
});

describe("ListSnapshotBlocks answers", () => {
  const page = (blocks: string, rest: string) =>
    `{"BlockSize":524288,"Blocks":[${blocks}],${rest}}`;

  test("own and inherited blocks, each with a token, and null for no next page", async () => {
    const response = await send(service, listParts(child));
    assertFrame(response, 200);
    const blocks = '{"BlockIndex":0,"BlockToken":"…"},{"BlockIndex":7,"BlockToken":"…"}';
    const rest = `"ExpiryTime":${EXPIRY},"NextToken":null,"VolumeSize":3`;
    assert.equal(withoutTokens(response.text), page(blocks, rest));
  });

  test("blocks from the starting block index on, itself included", async () => {
    const from = await send(service, listParts(child, { startingBlockIndex: 7 }));
    const rest = `"ExpiryTime":${EXPIRY},"NextToken":null,"VolumeSize":3`;
    const block = '{"BlockIndex":7,"BlockToken":"…"}';
    assert.equal(withoutTokens(from.text), page(block, rest));
    const after = await send(service, listParts(child, { startingBlockIndex: 8 }));
    assert.equal(after.text, page("", rest));
  });

  test("nothing beyond the volume, expiring now", async () => {
    const response = await send(service, listParts(child, { startingBlockIndex: 6_144 }));
    const rest = `"ExpiryTime":1.79033744057E9,"NextToken":null,"VolumeSize":3`;
    assertJson(response, 200, page("", rest));
  });
});

describe("ListChangedBlocks answers", () => {
  const page = (blocks: string, size: number) =>
    `{"BlockSize":524288,"ChangedBlocks":[${blocks}],"ExpiryTime":${EXPIRY},` +
    `"LastEvaluatedBlockIndex":null,"NextToken":null,"VolumeSize":${size}}`;

  test("null for the token of a snapshot that lacks the block", async () => {
    const response = await send(service, changedParts(parent, child));
    assertFrame(response, 200);
    const blocks =
      '{"BlockIndex":0,"FirstBlockToken":"…","SecondBlockToken":"…"},' +
      '{"BlockIndex":7,"FirstBlockToken":null,"SecondBlockToken":"…"}';
    assert.equal(withoutTokens(response.text), page(blocks, 3));
  });

  test("the same the other way round, with the size of the second snapshot", async () => {
    const response = await send(service, changedParts(child, parent));
    const blocks =
      '{"BlockIndex":0,"FirstBlockToken":"…","SecondBlockToken":"…"},' +
      '{"BlockIndex":7,"FirstBlockToken":"…","SecondBlockToken":null}';
    assert.equal(withoutTokens(response.text), page(blocks, 1));
  });

  test("size and expiry even where nothing has changed", async () => {
    assertJson(await send(service, changedParts(child, child)), 200, page("", 3));
  });
});

describe("EC2 and STS answer", () => {
  const ec2 = (action: string, parameters: Record<string, string> = {}) =>
    send(service, actionParts(action, parameters), { service: "ec2" });
  const xml = '<?xml version="1.0" encoding="UTF-8"?>\n';

  test("a completed snapshot with all its elements", async () => {
    const { status, text } = await ec2("DescribeSnapshots", { "SnapshotId.1": child });
    assert.equal(status, 200);
    const item =
      `<item><snapshotId>${child}</snapshotId><volumeId>vol-ffffffff</volumeId>` +
      "<status>completed</status><startTime>2026-09-25T11:57:20.570Z</startTime>" +
      `<progress>100%</progress><ownerId>${account}</ownerId><volumeSize>3</volumeSize>` +
      "<description></description><encrypted>false</encrypted>" +
      "<storageTier>standard</storageTier><transferType>standard</transferType>" +
      "<completionTime>2026-09-25T11:57:20.570Z</completionTime>" +
      "<fullSnapshotSizeInBytes>1048576</fullSnapshotSizeInBytes></item>";
    assert.equal(/<item>.*<\/item>/.exec(text)?.[0], item);
  });

  test("a pending snapshot at 0% without size and completion", async () => {
    await send(service, putParts({ snapshotId: empty, blockIndex: 1 }, block));
    const { text } = await ec2("DescribeSnapshots", { "SnapshotId.1": empty });
    assert.match(text, /<status>pending<\/status>.*<progress>0%<\/progress>/);
    assert.doesNotMatch(text, /completionTime|fullSnapshotSizeInBytes|tagSet|statusMessage/);
  });

  test("an unknown snapshot with InvalidSnapshot.NotFound", async () => {
    const { status, text } = await ec2("DeleteSnapshot", { SnapshotId: "snap-0ffffffffffffffff" });
    assert.equal(status, 400);
    const error =
      "<Code>InvalidSnapshot.NotFound</Code>" +
      "<Message>The snapshot 'snap-0ffffffffffffffff' does not exist.</Message>";
    const plain = text.replaceAll("&apos;", "'");
    const requestId = /<RequestID>(.*)<\/RequestID>/.exec(text)?.[1];
    assert.match(requestId ?? "", UUID);
    const errors = `<Errors><Error>${error}</Error></Errors>`;
    assert.equal(plain, `${xml}<Response>${errors}<RequestID>${requestId}</RequestID></Response>`);
  });

  test("a malformed id with InvalidSnapshotID.Malformed", async () => {
    const { status, text } = await ec2("DescribeSnapshots", { "SnapshotId.1": "snap-THING" });
    assert.equal(status, 400);
    assert.match(text, /<Code>InvalidSnapshotID.Malformed<\/Code>/);
  });

  test("GetCallerIdentity with the account", async () => {
    const response = await send(service, actionParts("GetCallerIdentity"), { service: "sts" });
    assert.equal(response.status, 200);
    assert.equal(/<Account>(\d{12})<\/Account>/.exec(response.text)?.[1], account);
    assert.match(response.header("x-amzn-RequestId") ?? "", UUID);
  });
});
