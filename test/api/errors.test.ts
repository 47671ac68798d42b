import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { RequestParts } from "../../src/wire/message.ts";
import { checksumOfBlock } from "../support/blocks.ts";
import {
  blockToken,
  changedParts,
  complete,
  completeParts,
  getParts,
  listParts,
  put,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { encode, RawConnection, type RawResponse, sign } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/* Each refusal as the EBS direct APIs word it: status, type, exact body, and the connection. */

const CORAL = "http://internal.amazon.com/coral";
const KMS_KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/0123";
const UNKNOWN = "snap-0ffffffffffffffff";

const service = await startService({ after });
const block = blockContents(1);
const pending = await start(service);
await put(service, pending, new Map([[0, block]]));
const completed = await snapshotOf(service, new Map([[0, block]]));
const other = await snapshotOf(service, new Map([[0, blockContents(2)]]));
const failed = await start(service);
assert.equal(await complete(service, failed, 3), "error");
const token = await blockToken(service, completed, 0);
await start(service, { ClientToken: "taken" });
const missing = (id: string) => `The snapshot '${id}' does not exist.`;

interface Refusal {
  readonly status: number;
  readonly type: string;
  readonly body: object;
}

/** An error of the service itself. */
function modelled(
  [status, code]: readonly [number, string],
  Message: string,
  Reason?: string,
): Refusal {
  const body = Reason === undefined ? { Message } : { Message, Reason };
  return { status, type: `${code}:${CORAL}/com.amazon.zeppelindataservice/`, body };
}

const invalid = (reason: string, message: string) =>
  modelled([400, "ValidationException"], message, reason);
const notFound = (message: string) =>
  modelled([404, "ResourceNotFoundException"], message, "SNAPSHOT_NOT_FOUND");

/** The framework's refusal of one member. */
function constraint(member: string, value: string | null, text: string): Refusal {
  const shown = value === null ? "null" : `'${value}'`;
  return {
    status: 400,
    type: `ValidationException:${CORAL}/com.amazon.coral.validate/`,
    body: {
      message:
        `1 validation error detected: Value ${shown} at '${member}' failed to satisfy ` +
        `constraint: Member must ${text}`,
    },
  };
}

async function assertRefused(parts: RequestParts, expected: Refusal): Promise<RawResponse> {
  const response = await send(service, parts);
  assert.equal(response.text, JSON.stringify(expected.body));
  assert.equal(response.status, expected.status);
  assert.equal(response.header("x-amzn-ErrorType"), expected.type);
  assert.equal(response.header("Content-Type"), "application/json");
  assert.match(response.header("x-amzn-RequestId") ?? "", UUID);
  assert.equal(response.header("Connection"), expected.status === 400 ? "close" : "keep-alive");
  return response;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

type Row = readonly [title: string, parts: RequestParts, expected: Refusal];

function refusals(operation: string, rows: readonly Row[]): void {
  describe(`${operation} refuses`, () => {
    for (const [title, parts, expected] of rows) {
      test(title, () => assertRefused(parts, expected).then(() => undefined));
    }
  });
}

const began = (input: object) => startParts({ VolumeSize: 1, ...input });
const tokenConflict = modelled(
  [409, "ConflictException"],
  "Current request does not match request stored with this token.",
);
const together = (name: string) =>
  invalid("INVALID_PARAMETER_VALUE", `ParentSnapshotId and ${name} cannot be specified together`);

refusals("StartSnapshot", [
  [
    "a client token with another description",
    began({ ClientToken: "taken", Description: "x" }),
    tokenConflict,
  ],
  [
    "a client token with another size",
    began({ ClientToken: "taken", VolumeSize: 2 }),
    tokenConflict,
  ],
  [
    "a volume of 100,000 GiB",
    began({ VolumeSize: 100_000 }),
    invalid("INVALID_VOLUME_SIZE", "Invalid volume size: 100000"),
  ],
  ["a missing volume size", startParts({}), constraint("volumeSize", null, "not be null")],
  [
    "a volume of no size",
    began({ VolumeSize: 0 }),
    constraint("volumeSize", "0", "have value greater than or equal to 1"),
  ],
  [
    "a parent that is pending",
    began({ ParentSnapshotId: pending }),
    invalid("INVALID_SNAPSHOT_ID", `Source snapshot (${pending}) is not complete.`),
  ],
  ["a parent in error", began({ ParentSnapshotId: failed }), notFound(missing(failed))],
  ["an unknown parent", began({ ParentSnapshotId: UNKNOWN }), notFound(missing(UNKNOWN))],
  [
    "a parent with Encrypted true",
    began({ ParentSnapshotId: completed, Encrypted: true }),
    together("Encrypt"),
  ],
  [
    "a parent with Encrypted false",
    began({ ParentSnapshotId: completed, Encrypted: false }),
    together("Encrypt"),
  ],
  [
    "a parent with a key, and says so before Encrypted",
    began({ ParentSnapshotId: completed, KmsKeyArn: KMS_KEY_ARN, Encrypted: true }),
    together("KmsKeyArn"),
  ],
  [
    "a key for a snapshot that is not to be encrypted",
    began({ Encrypted: false, KmsKeyArn: KMS_KEY_ARN }),
    invalid("INVALID_PARAMETER_VALUE", "Encrypt cannot be false when KmsKeyArn is specified"),
  ],
  [
    "a timeout below 10 minutes",
    began({ Timeout: 9 }),
    constraint("timeout", "9", "have value greater than or equal to 10"),
  ],
  [
    "a timeout above 3 days",
    began({ Timeout: 4321 }),
    constraint("timeout", "4321", "have value less than or equal to 4320"),
  ],
  [
    "a client token of 256 characters",
    began({ ClientToken: "t".repeat(256) }),
    constraint("clientToken", "t".repeat(256), "have length less than or equal to 255"),
  ],
  [
    "an empty client token",
    began({ ClientToken: "" }),
    constraint("clientToken", "", "satisfy regular expression pattern: ^[\\S]+$"),
  ],
  [
    "a description of 256 characters",
    began({ Description: "d".repeat(256) }),
    constraint("description", "d".repeat(256), "have length less than or equal to 255"),
  ],
]);

const at = (snapshotId: string, blockIndex: number | string = 0) => ({ snapshotId, blockIndex });
const badBody = invalid("INVALID_PARAMETER_VALUE", "Failed to read block data");
const badLength = invalid("INVALID_BLOCK", "Block data length 1 is not valid, expected 524288");
const beyond = invalid("INVALID_BLOCK", "Block index 2048 is beyond the volume size extent");
const badAlgorithm = invalid(
  "INVALID_PARAMETER_VALUE",
  "Unsupported Checksum Algorithm 'SHA1', supported algorithms are SHA256",
);
const wrongChecksum = checksumOfBlock(blockContents(99));
const mismatch: Refusal = {
  status: 403,
  type: `InvalidSignatureException:${CORAL}/com.amazon.coral.service/`,
  body: {
    message:
      "The value passed in as x-amz-Checksum does not match the computed checksum. " +
      `Computed checksum: ${checksumOfBlock(block)} expected checksum: ${wrongChecksum}`,
  },
};
const completedAlready = invalid("INVALID_SNAPSHOT_ID", "Snapshot is already completed");

refusals("PutSnapshotBlock", [
  ["a body one byte short", putParts(at(pending), block.subarray(1)), badBody],
  ["a body one byte long", putParts(at(pending), Buffer.concat([block, Buffer.of(0)])), badBody],
  ["an empty body", putParts(at(pending), Buffer.alloc(0)), badBody],
  [
    "another data length than a block's",
    putParts(at(pending), block, { "x-amz-data-length": 1 }),
    badLength,
  ],
  ["the first block index beyond the volume", putParts(at(pending, 2048), block), beyond],
  [
    "another algorithm than SHA256",
    putParts(at(pending), block, { "x-amz-checksum-algorithm": "SHA1" }),
    badAlgorithm,
  ],
  [
    "bytes that the checksum does not fit",
    putParts(at(pending), block, { "x-amz-checksum": wrongChecksum }),
    mismatch,
  ],
  ["a completed snapshot", putParts(at(completed), block), completedAlready],
  ["a snapshot in error", putParts(at(failed), block), notFound(missing(failed))],
  ["an unknown snapshot", putParts(at(UNKNOWN), block), notFound(missing(UNKNOWN))],
  [
    "a negative block index",
    putParts(at(pending, -1), block),
    constraint("blockIndex", "-1", "have value greater than or equal to 0"),
  ],
  [
    "a progress above 100",
    putParts(at(pending), block, { "x-amz-progress": 101 }),
    constraint("progress", "101", "have value less than or equal to 100"),
  ],
  [
    "a negative progress",
    putParts(at(pending), block, { "x-amz-progress": -1 }),
    constraint("progress", "-1", "have value greater than or equal to 0"),
  ],
  [
    "a checksum that is no base64",
    putParts(at(pending), block, { "x-amz-checksum": "?" }),
    constraint("checksum", "?", "satisfy regular expression pattern: ^[A-Za-z0-9+/=]+$"),
  ],
  [
    "a missing checksum",
    putParts(at(pending), block, { "x-amz-checksum": undefined }),
    constraint("checksum", null, "not be null"),
  ],
  [
    "a malformed snapshot id",
    putParts(at("snap-THING"), block),
    constraint("snapshotId", "snap-THING", "satisfy regular expression pattern: ^snap-[0-9a-f]+$"),
  ],
]);

const everyFault = { "x-amz-data-length": 1, "x-amz-checksum-algorithm": "SHA1" };
const faultyChecksum = { "x-amz-checksum": wrongChecksum };

refusals("PutSnapshotBlock, in this order,", [
  ["the body", putParts(at(pending, 2048), block.subarray(1), everyFault), badBody],
  ["then the data length", putParts(at(pending, 2048), block, everyFault), badLength],
  [
    "then the block index",
    putParts(at(pending, 2048), block, { "x-amz-checksum-algorithm": "SHA1" }),
    beyond,
  ],
  [
    "then the algorithm",
    putParts(at(pending), block, { "x-amz-checksum-algorithm": "SHA1", ...faultyChecksum }),
    badAlgorithm,
  ],
  ["then the checksum", putParts(at(pending), block, faultyChecksum), mismatch],
]);

const incomplete = (what: string) =>
  invalid("INVALID_PARAMETER_VALUE", `Invalid parameter combination. ${what} is missing.`);
const [checksum, algorithm, method] = [
  "x-amz-checksum",
  "x-amz-checksum-algorithm",
  "x-amz-checksum-aggregation-method",
] as const;

refusals("CompleteSnapshot", [
  [
    "a missing count",
    completeParts(pending, undefined),
    {
      ...constraint("changedBlocksCount", null, "not be null"),
    },
  ],
  [
    "a negative count",
    completeParts(pending, -1),
    constraint("changedBlocksCount", "-1", "have value greater than or equal to 0"),
  ],
  [
    "an algorithm without a checksum",
    completeParts(pending, 1, { [algorithm]: "SHA256" }),
    incomplete("Snapshot checksum"),
  ],
  [
    "a method without a checksum",
    completeParts(pending, 1, { [method]: "LINEAR" }),
    incomplete("Snapshot checksum"),
  ],
  [
    "a checksum without an algorithm",
    completeParts(pending, 1, { [checksum]: wrongChecksum }),
    incomplete("Checksum algorithm"),
  ],
  [
    "a checksum without a method",
    completeParts(pending, 1, { [checksum]: wrongChecksum, [algorithm]: "SHA256" }),
    incomplete("Checksum aggregation method"),
  ],
  [
    "another algorithm than SHA256",
    completeParts(pending, 1, { [algorithm]: "SHA1" }),
    constraint("checksumAlgorithm", "SHA1", "satisfy enum value set: [SHA256]"),
  ],
  [
    "another method than LINEAR",
    completeParts(pending, 1, { [method]: "TREE" }),
    constraint("checksumAggregationMethod", "TREE", "satisfy enum value set: [LINEAR]"),
  ],
  ["an unknown snapshot", completeParts(UNKNOWN, 0), notFound(missing(UNKNOWN))],
]);

const badBlockToken = (bad: string) =>
  invalid("INVALID_BLOCK_TOKEN", `The block token ${bad} is invalid.`);

refusals("GetSnapshotBlock", [
  ["a token nobody minted", getParts(completed, 0, "bm90"), badBlockToken("bm90")],
  ["the token of another block index", getParts(completed, 1, token), badBlockToken(token)],
  ["the token of another snapshot", getParts(other, 0, token), badBlockToken(token)],
  ["a pending snapshot before its token", getParts(pending, 0, "bm90"), notFound(missing(pending))],
  ["a snapshot in error", getParts(failed, 0, token), notFound(missing(failed))],
  ["an unknown snapshot", getParts(UNKNOWN, 0, token), notFound(missing(UNKNOWN))],
  [
    "an empty token, as one that does not fit the pattern",
    getParts(completed, 0, ""),
    constraint("blockToken", "", "satisfy regular expression pattern: ^[A-Za-z0-9+/=_-]+$"),
  ],
  [
    "a missing token",
    getParts(completed, 0, undefined),
    constraint("blockToken", null, "not be null"),
  ],
  [
    "a negative block index",
    getParts(completed, -1, token),
    constraint("blockIndex", "-1", "have value greater than or equal to 0"),
  ],
]);

refusals("ListSnapshotBlocks", [
  ["a pending snapshot", listParts(pending), notFound(missing(pending))],
  ["a snapshot in error", listParts(failed), notFound(missing(failed))],
  ["an unknown snapshot", listParts(UNKNOWN), notFound(missing(UNKNOWN))],
  [
    "a page token nobody minted",
    listParts(completed, { pageToken: "bm90" }),
    invalid("INVALID_PAGE_TOKEN", "The pagination token bm90 is invalid."),
  ],
  [
    "a block token for a page token",
    listParts(completed, { pageToken: token }),
    invalid("INVALID_PAGE_TOKEN", `The pagination token ${token} is invalid.`),
  ],
  [
    "a page of 99, even of an unknown snapshot",
    listParts(UNKNOWN, { maxResults: 99 }),
    constraint("maxResults", "99", "have value greater than or equal to 100"),
  ],
  [
    "a page of 10,001",
    listParts(completed, { maxResults: 10_001 }),
    constraint("maxResults", "10001", "have value less than or equal to 10000"),
  ],
  [
    "a negative starting block index before a bad page token",
    listParts(completed, { startingBlockIndex: -1, pageToken: "bm90" }),
    constraint("startingBlockIndex", "-1", "have value greater than or equal to 0"),
  ],
  [
    "a malformed snapshot id",
    listParts("snap-THING"),
    constraint("snapshotId", "snap-THING", "satisfy regular expression pattern: ^snap-[0-9a-f]+$"),
  ],
]);

const eitherMissing = (a: string, b: string) =>
  notFound(`The snapshot '${a}' or '${b}' does not exist.`);
const noFirst = invalid("INVALID_SNAPSHOT_ID", "First snapshot should not be empty or null");

refusals("ListChangedBlocks", [
  [
    "an unknown first snapshot",
    changedParts(UNKNOWN, completed),
    eitherMissing(UNKNOWN, completed),
  ],
  ["an unknown second", changedParts(completed, UNKNOWN), eitherMissing(completed, UNKNOWN)],
  ["a pending second", changedParts(completed, pending), eitherMissing(completed, pending)],
  ["a missing first snapshot", changedParts(undefined, completed), noFirst],
  ["a missing first snapshot before an unknown second", changedParts(undefined, UNKNOWN), noFirst],
  [
    "snapshots of two lineages",
    changedParts(completed, other),
    invalid("UNRELATED_SNAPSHOTS", `The snapshot ${completed} and ${other} are not related.`),
  ],
  [
    "a page token nobody minted",
    changedParts(completed, completed, { pageToken: "bm90" }),
    invalid("INVALID_PAGE_TOKEN", "The pagination token bm90 is invalid."),
  ],
]);

describe("The connection", () => {
  test("stays open after 403, 404 and 409, and the next request is answered on it", async (t) => {
    const connection = await RawConnection.open(service);
    t.after(() => connection.destroy());
    const statuses: number[] = [];
    for (const parts of [
      putParts(at(pending), block, faultyChecksum),
      listParts(UNKNOWN),
      began({ ClientToken: "taken", Description: "x" }),
      listParts(completed),
    ]) {
      connection.write(encode(sign(service, parts)));
      statuses.push((await connection.response()).status);
    }
    assert.deepEqual(statuses, [403, 404, 409, 200]);
  });

  test("is closed after 400, with nothing more on it", async () => {
    const connection = await RawConnection.open(service);
    connection.write(encode(sign(service, listParts(completed, { maxResults: 99 }))));
    assert.equal((await connection.response()).status, 400);
    assert.equal((await connection.rest()).length, 0);
  });
});
