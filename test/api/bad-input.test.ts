import assert from "node:assert/strict";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { RequestParts } from "../../src/wire/message.ts";
import { checksumOfBlock } from "../support/blocks.ts";
import {
  complete,
  completeParts,
  list,
  put,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { measureStored, type Stored } from "../support/stored.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* What is refused leaves nothing behind: no bytes, no count, no snapshot, and a sound service. */

const dataDirectory = await temporaryDirectory({ after });
const service = await startService({ after }, { dataDirectory });
const completed = await snapshotOf(service, new Map([[0, blockContents(1)]]));
const snapshotId = await start(service);
const good = new Map([
  [0, blockContents(2)],
  [2_047, blockContents(0)],
]);
await put(service, snapshotId, good);
const before = await measureStored(service, dataDirectory);

/** Contents stored nowhere yet: keeping them by mistake would show. */
const fresh = blockContents(15);
const freshAt = (blockIndex: number | string, bytes: Uint8Array = fresh) =>
  putParts({ snapshotId, blockIndex }, bytes);

function assertRefused(response: RawResponse, statuses: readonly number[]): void {
  assert.ok(statuses.includes(response.status), `${response.status} ${response.text}`);
  const closes = response.status === 400;
  assert.equal(response.header("Connection"), closes ? "close" : "keep-alive");
}

describe("A block that is refused leaves nothing behind", () => {
  afterEach(async () => assert.deepEqual(await measureStored(service, dataDirectory), before));

  const sized = (length: number) => {
    const bytes = Buffer.alloc(length, fresh);
    return putParts({ snapshotId, blockIndex: 1 }, bytes);
  };
  const headers = (changes: Record<string, string | number>) =>
    putParts({ snapshotId, blockIndex: 1 }, fresh, changes);

  const refusals: readonly [string, RequestParts, number][] = [
    ["of no bytes", sized(0), 400],
    ["of one byte", sized(1), 400],
    ["one byte short", sized(BLOCK_SIZE_BYTES - 1), 400],
    ["one byte long", sized(BLOCK_SIZE_BYTES + 1), 400],
    ["of two blocks", sized(2 * BLOCK_SIZE_BYTES), 400],
    ["of 2 MiB", sized(2 * 1024 * 1024), 400],
    ["of one byte with that data length", { ...sized(1), ...dataLength(sized(1), 1) }, 400],
    ["with another data length", headers({ "x-amz-data-length": 524_287 }), 400],
    ["with a data length of no number", headers({ "x-amz-data-length": "all" }), 400],
    ["with another checksum", headers({ "x-amz-checksum": checksumOfBlock(Buffer.of(1)) }), 403],
    ["with a checksum in hexadecimal", headers({ "x-amz-checksum": "0".repeat(64) }), 403],
    ["with a checksum too long", headers({ "x-amz-checksum": "A".repeat(65) }), 400],
    ["with another algorithm", headers({ "x-amz-checksum-algorithm": "MD5" }), 400],
    ["with an algorithm in small letters", headers({ "x-amz-checksum-algorithm": "sha256" }), 400],
    ["with a progress above 100", headers({ "x-amz-progress": 1_000 }), 400],
    ["with a content encoding", headers({ "content-encoding": "gzip" }), 400],
    ["first beyond the volume", freshAt(2_048), 400],
    ["at the largest 32-bit index", freshAt(4_294_967_295), 400],
    ["at an index of 20 digits", freshAt("1".repeat(20)), 400],
    ["at a negative index", freshAt(-1), 400],
    ["at an index that is no number", freshAt("one"), 400],
    ["at an index with a fraction", freshAt("1.5"), 400],
    ["at an index in another base", freshAt("0x1"), 400],
    ["at no index", freshAt(""), 400],
    ["of a completed snapshot", putParts({ snapshotId: completed, blockIndex: 1 }, fresh), 400],
    ["of an unknown one", putParts({ snapshotId: "snap-0123", blockIndex: 1 }, fresh), 404],
    ["of an id in capitals", putParts({ snapshotId: "snap-0ABC", blockIndex: 1 }, fresh), 400],
    ["of an id of 65 characters", putParts({ snapshotId: longId(65), blockIndex: 1 }, fresh), 400],
  ];
  for (const [title, parts, status] of refusals) {
    test(title, async () => assertRefused(await send(service, parts), [status]));
  }
});

function longId(length: number): string {
  return `snap-${"0".repeat(length - "snap-".length)}`;
}

function dataLength({ headers }: RequestParts, length: number): Partial<RequestParts> {
  return { headers: { ...headers, "x-amz-data-length": length } };
}

describe("A StartSnapshot that is refused starts nothing", () => {
  afterEach(async () => assert.deepEqual(await measureStored(service, dataDirectory), before));

  const bodies: readonly (string | Buffer)[] = [
    "",
    "{",
    "[]",
    "null",
    "1",
    '"VolumeSize"',
    '{"VolumeSize":1}}',
    '{"VolumeSize":1,}',
    "{'VolumeSize':1}",
    '{"VolumeSize":01}',
    '{"VolumeSize":NaN}',
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    Buffer.from('{"VolumeSize":1}', "utf16le"),
    "[".repeat(30_000),
  ];
  for (const body of bodies) {
    test(`as JSON, ${JSON.stringify(body.toString().slice(0, 40))}`, async () => {
      const parts = { ...startParts({}), body: Buffer.from(body) };
      assertRefused(await send(service, parts), [400]);
    });
  }

  const members: readonly object[] = [
    { VolumeSize: "1" },
    { VolumeSize: 1.5 },
    { VolumeSize: true },
    { VolumeSize: [1] },
    { VolumeSize: null },
    { VolumeSize: -1 },
    { VolumeSize: 65_537 },
    { VolumeSize: 2 ** 53 },
    { ParentSnapshotId: 1 },
    { ParentSnapshotId: "" },
    { ParentSnapshotId: "snap-" },
    { ParentSnapshotId: "snap-01\n" },
    { Description: 1 },
    { Description: { toString: "x" } },
    { Description: "" },
    { ClientToken: {} },
    { ClientToken: "two words" },
    { Encrypted: "false" },
    { Encrypted: 0 },
    { KmsKeyArn: "key" },
    { Timeout: "60" },
    { Timeout: 60.5 },
    { Tags: {} },
    { Tags: "a=b" },
    { Tags: ["a"] },
    { Tags: [null] },
    { Tags: [{}] },
    { Tags: [{ Key: 1 }] },
    { Tags: [{ Key: "", Value: "" }] },
    { Tags: [{ Key: "k", Value: 1 }] },
    { Tags: [{ Key: "k".repeat(128), Value: "" }] },
    { Tags: [{ Key: "k", Value: "v".repeat(256) }] },
    {
      Tags: [
        { Key: "k", Value: "1" },
        { Key: "k", Value: "2" },
      ],
    },
    { Tags: [{ Key: "aws:reserved", Value: "" }] },
    { Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: "" })) },
  ];
  for (const member of members) {
    test(`with ${JSON.stringify(member).slice(0, 60)}`, async () => {
      assertRefused(await send(service, startParts({ VolumeSize: 1, ...member })), [400]);
    });
  }

  test("with a number that JSON can hold and a double cannot", async () => {
    const parts = { ...startParts({}), body: Buffer.from('{"VolumeSize":1e400}') };
    assertRefused(await send(service, parts), [400]);
  });
});

describe("What is unusual but right is taken", () => {
  let stored: Stored;
  beforeEach(async () => {
    stored = await measureStored(service, dataDirectory);
  });

  test("members nobody knows, even those every object has", async () => {
    const body = Buffer.from('{"VolumeSize":1,"__proto__":{"Timeout":1},"constructor":0,"X":[]}');
    const response = await send(service, { ...startParts({}), body });
    assert.equal(response.status, 201, response.text);
    assert.equal(
      (await measureStored(service, dataDirectory)).snapshotCount,
      stored.snapshotCount + 1,
    );
  });

  test("members that are null, as if they were not there", async () => {
    const input = { Description: null, Tags: null, ClientToken: null, Timeout: null };
    const response = await send(service, startParts({ VolumeSize: 1, ...input, Encrypted: null }));
    assert.equal(response.status, 201, response.text);
  });

  test("50 tags with the longest keys and values", async () => {
    const Tags = Array.from({ length: 50 }, (_, i) => ({
      Key: `${i}`.padEnd(127, "k"),
      Value: "v".repeat(255),
    }));
    const response = await send(service, startParts({ VolumeSize: 1, Tags }));
    assert.equal(response.status, 201, response.text);
  });

  test("a CompleteSnapshot that carries a body", async () => {
    const own = await start(service);
    const response = await send(service, { ...completeParts(own, 0), body: Buffer.from("{}") });
    assert.equal(response.status, 202, response.text);
  });
});

describe("After all of that", () => {
  test("the good blocks alone are counted, completed and listed", async () => {
    assert.equal(await complete(service, snapshotId, good.size), "completed");
    const { Blocks, NextToken } = await list(service, snapshotId);
    assert.deepEqual(
      Blocks.map(({ BlockIndex }) => BlockIndex),
      [0, 2_047],
    );
    assert.equal(NextToken, null);
  });
});
