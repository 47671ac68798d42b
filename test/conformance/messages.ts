import { changedParts, completeParts, putParts, startParts } from "../support/operations.ts";
import { brief } from "./_caller.ts";
import { Group } from "./_check.ts";
import type { Answer } from "./_connection.ts";
import { A, B, C, type Context, UNKNOWN } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";
import { constrains, eitherNotFound, invalid, notFound, refuses } from "./_refusal.ts";

/* The table of messages (1.3) and the order in which a request is judged (1.4). */

const group = new Group("1.3 messages");
const order = new Group("1.4 order of checks");
/** The checks of this file. */
export const messages = [group, order];

const KMS_KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/0123";
const SUM_OF_ZERO = "B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=";
const SUM_OF_A = "Qib0wLZSCPxxAsnoZ1mqGTwYYUfxBvjcHbuEUOOwNdw=";
const PARAMETER = "INVALID_PARAMETER_VALUE";

const start = (c: Context, input: object) => c.caller.start(input);
const put = (c: Context, changes: Readonly<Record<string, string | number>>, index = 0) =>
  c.caller.call(putParts({ snapshotId: c.id("pending"), blockIndex: index }, A, changes));

group.check("1.3/start.conflict", "A client token with other parameters conflicts.", async (c) => {
  const ClientToken = c.token();
  await start(c, { ClientToken, Description: "one" });
  refuses(await start(c, { ClientToken, Description: "two" }), {
    status: 409,
    code: "ConflictException",
    message: "Current request does not match request stored with this token.",
  });
});
group.check("1.3/start.100000", "A volume of 100,000 GiB is INVALID_VOLUME_SIZE.", async (c) =>
  invalid(
    await start(c, { VolumeSize: 100_000 }),
    "INVALID_VOLUME_SIZE",
    "Invalid volume size: 100000",
  ),
);
group.check("1.3/start.65537", "So is one of 65,537 GiB.", async (c) =>
  invalid(
    await start(c, { VolumeSize: 65_537 }),
    "INVALID_VOLUME_SIZE",
    "Invalid volume size: 65537",
  ),
);
group.check("1.3/start.no-size", "A missing volume size must not be null.", async (c) =>
  constrains(await c.caller.call(startParts({})), {
    member: "volumeSize",
    value: null,
    must: "not be null",
  }),
);
group.check("1.3/start.parent-pending", "A pending parent is not complete.", async (c) => {
  const id = c.id("pending");
  const message = `Source snapshot (${id}) is not complete.`;
  invalid(await start(c, { ParentSnapshotId: id }), "INVALID_SNAPSHOT_ID", message);
});
for (const [name, id] of [
  ["in error", (c: Context) => c.id("failed")],
  ["that was deleted", (c: Context) => c.id("deletedParent")],
  ["that never was", () => UNKNOWN],
] as const) {
  group.check(`1.3/start.parent ${name}`, `A parent ${name} does not exist.`, async (c) =>
    notFound(await start(c, { ParentSnapshotId: id(c) }), id(c)),
  );
}
for (const [what, changes, name] of [
  ["Encrypted true", { Encrypted: true }, "Encrypt"],
  ["Encrypted false", { Encrypted: false }, "Encrypt"],
  ["KmsKeyArn", { KmsKeyArn: KMS_KEY_ARN }, "KmsKeyArn"],
  ["KmsKeyArn and Encrypted", { KmsKeyArn: KMS_KEY_ARN, Encrypted: true }, "KmsKeyArn"],
] as const) {
  group.check(`1.3/start.parent+${what}`, `A parent refuses ${what}.`, async (c) => {
    const message = `ParentSnapshotId and ${name} cannot be specified together`;
    const input = { ParentSnapshotId: c.id("root"), ...changes };
    invalid(await start(c, input), PARAMETER, message);
  });
}
group.check("1.3/start.key-unencrypted", "Encrypted false refuses a key.", async (c) =>
  invalid(
    await start(c, { Encrypted: false, KmsKeyArn: KMS_KEY_ARN }),
    PARAMETER,
    "Encrypt cannot be false when KmsKeyArn is specified",
  ),
);

const FAILED_READ = "Failed to read block data";
for (const [what, bytes] of [
  ["one byte short", A.subarray(1)],
  ["one byte long", Buffer.concat([A, Buffer.of(0)])],
  ["empty", Buffer.alloc(0)],
] as const) {
  for (const says of ["right", "actual"] as const) {
    const id = `1.3/put.body ${what}, ${says} length`;
    group.check(id, `A body ${what} under the ${says} data length is refused.`, async (c) => {
      const length = says === "right" ? 524_288 : bytes.length;
      const headers = { "x-amz-data-length": length };
      const parts = putParts({ snapshotId: c.id("pending"), blockIndex: 0 }, bytes, headers);
      invalid(await c.caller.call(parts), PARAMETER, FAILED_READ);
    });
  }
}
group.check("1.3/put.length", "A data length of 1 over a whole block is refused.", async (c) =>
  invalid(
    await put(c, { "x-amz-data-length": 1 }),
    "INVALID_BLOCK",
    "Block data length 1 is not valid, expected 524288",
  ),
);
const BEYOND = "Block index 2048 is beyond the volume size extent";
group.check("1.3/put.beyond", "Block index 2048 of 1 GiB is beyond the volume.", async (c) =>
  invalid(await put(c, {}, 2048), "INVALID_BLOCK", BEYOND),
);
const SHA1 = "Unsupported Checksum Algorithm 'SHA1', supported algorithms are SHA256";
group.check("1.3/put.sha1", "Another algorithm than SHA256 is refused.", async (c) =>
  invalid(await put(c, { "x-amz-checksum-algorithm": "SHA1" }), PARAMETER, SHA1),
);
const MISMATCH = JSON.stringify({
  message:
    "The value passed in as x-amz-Checksum does not match the computed checksum. " +
    `Computed checksum: ${SUM_OF_A} expected checksum: ${SUM_OF_ZERO}`,
});
group.check("1.3/put.checksum", "A wrong checksum is answered with both sums.", async (c) => {
  const answer = await put(c, { "x-amz-checksum": SUM_OF_ZERO });
  same(`${answer.status} ${answer.text}`, `403 ${MISMATCH}`);
});
const COMPLETED = "Snapshot is already completed";
group.check("1.3/put.completed", "A completed snapshot takes no block.", async (c) =>
  invalid(await c.caller.put(c.id("root"), 0, A), "INVALID_SNAPSHOT_ID", COMPLETED),
);
group.check("1.3/put.sealing", "Nor does one that is being completed.", async (c) => {
  const { SnapshotId } = JSON.parse((await start(c, {})).text) as { SnapshotId: string };
  const answers = await c.caller.together([
    completeParts(SnapshotId, 0),
    putParts({ snapshotId: SnapshotId, blockIndex: 0 }, A),
  ]);
  invalid(answers[1] as Answer, "INVALID_SNAPSHOT_ID", COMPLETED);
});
group.check("1.3/put.error", "A snapshot in error does not exist for a put.", async (c) =>
  notFound(await c.caller.put(c.id("failed"), 0, A), c.id("failed")),
);
for (const [operation, call] of [
  ["PutSnapshotBlock", (c: Context) => c.caller.put(UNKNOWN, 0, A)],
  ["CompleteSnapshot", (c: Context) => c.caller.complete(UNKNOWN, 0)],
] as const) {
  group.check(
    `1.3/${operation}.unknown`,
    `${operation} on an unknown id is refused (two texts are known).`,
    async (c) => {
      const answer = await call(c);
      if (answer.status !== 400) return notFound(answer, UNKNOWN);
      const expected = "is invalid. Expected: 'snap-...'.";
      const message = `Value (${UNKNOWN}) for parameter snapshotId ${expected}`;
      invalid(answer, "INVALID_SNAPSHOT_ID", message);
    },
  );
}

const SUM = { "x-amz-checksum": SUM_OF_A };
const ALGORITHM = { "x-amz-checksum-algorithm": "SHA256" };
const METHOD = { "x-amz-checksum-aggregation-method": "LINEAR" };
for (const [what, headers, missing] of [
  ["algorithm alone", ALGORITHM, "Snapshot checksum"],
  ["method alone", METHOD, "Snapshot checksum"],
  ["algorithm and method", { ...ALGORITHM, ...METHOD }, "Snapshot checksum"],
  ["checksum alone", SUM, "Checksum algorithm"],
  ["checksum and method", { ...SUM, ...METHOD }, "Checksum algorithm"],
  ["checksum and algorithm", { ...SUM, ...ALGORITHM }, "Checksum aggregation method"],
] as const) {
  group.check(`1.3/complete.${what}`, `CompleteSnapshot with ${what} misses one.`, async (c) =>
    invalid(
      await c.caller.complete(c.id("pending"), 1, headers),
      PARAMETER,
      `Invalid parameter combination. ${missing} is missing.`,
    ),
  );
}

for (const [name, id] of [
  ["pending", (c: Context) => c.id("pending")],
  ["failed", (c: Context) => c.id("failed")],
  ["deleted", (c: Context) => c.id("deletedParent")],
  ["unknown", () => UNKNOWN],
] as const) {
  group.check(`1.3/list.${name}`, `ListSnapshotBlocks of a ${name} snapshot is 404.`, async (c) =>
    notFound(await c.caller.list(id(c)), id(c)),
  );
  group.check(`1.3/get.${name}`, `GetSnapshotBlock of a ${name} snapshot is 404.`, async (c) =>
    notFound(await c.caller.get(id(c), 0, "bm90"), id(c)),
  );
  group.check(`1.3/changed.first ${name}`, `ListChangedBlocks from ${name} is 404.`, async (c) =>
    eitherNotFound(await c.caller.changed(id(c), c.id("root")), id(c), c.id("root")),
  );
  group.check(`1.3/changed.second ${name}`, `ListChangedBlocks to ${name} is 404.`, async (c) =>
    eitherNotFound(await c.caller.changed(c.id("root"), id(c)), c.id("root"), id(c)),
  );
}
const NO_FIRST = "First snapshot should not be empty or null";
group.check("1.3/changed.no-first", "ListChangedBlocks needs a first snapshot.", async (c) =>
  invalid(await c.caller.changed(undefined, c.id("root")), "INVALID_SNAPSHOT_ID", NO_FIRST),
);
group.check("1.3/changed.unrelated", "Snapshots of two lineages are unrelated.", async (c) => {
  const [first, second] = [c.id("root"), c.id("other")];
  const message = `The snapshot ${first} and ${second} are not related.`;
  invalid(await c.caller.changed(first, second), "UNRELATED_SNAPSHOTS", message);
});
group
  .check("1.3/changed.empty", "ListChangedBlocks with an empty snapshot is refused.", async (c) => {
    const answer = await c.caller.changed(c.id("empty"), c.id("emptyChild"));
    fits(brief(answer), /^400 ValidationException:.*is empty/);
  })
  .or("ListChangedBlocks with an empty snapshot", async (c) => {
    const answer = await c.caller.changed(c.id("empty"), c.id("emptyChild"));
    fits(answer.text, /"ChangedBlocks":\[\{"BlockIndex":0,"FirstBlockToken":null,/);
  });
group.check("1.3/list.page-token", "An unknown page token is refused by name.", async (c) =>
  invalid(
    await c.caller.list(c.id("root"), { pageToken: "bm90" }),
    "INVALID_PAGE_TOKEN",
    "The pagination token bm90 is invalid.",
  ),
);
group.check("1.3/changed.page-token", "So it is by ListChangedBlocks.", async (c) =>
  invalid(
    await c.caller.changed(c.id("root"), c.id("child"), { pageToken: "bm90" }),
    "INVALID_PAGE_TOKEN",
    "The pagination token bm90 is invalid.",
  ),
);
group.check("1.3/get.block-token", "An unknown block token is refused by name.", async (c) =>
  invalid(
    await c.caller.get(c.id("root"), 0, "bm90"),
    "INVALID_BLOCK_TOKEN",
    "The block token bm90 is invalid.",
  ),
);
group.skip("1.3/throttled", "Beyond a quota calls are throttled.", "needs thousands of calls");

const coralFirst = (member: string, value: string, must: string) => (answer: Answer) =>
  constrains(answer, { member, value, must });
order.check("1.4/index-before-page-token", "Bounds come before tokens.", async (c) =>
  coralFirst(
    "startingBlockIndex",
    "-1",
    "have value greater than or equal to 0",
  )(await c.caller.list(c.id("root"), { startingBlockIndex: -1, pageToken: "bm90" })),
);
order.check("1.4/bounds-before-lookup", "Bounds come before the snapshot.", async (c) =>
  coralFirst(
    "maxResults",
    "99",
    "have value greater than or equal to 100",
  )(await c.caller.list(UNKNOWN, { maxResults: 99 })),
);
order.check("1.4/bounds-before-token", "Bounds come before the block token.", async (c) =>
  coralFirst(
    "blockIndex",
    "-1",
    "have value greater than or equal to 0",
  )(await c.caller.get(c.id("root"), -1, "bm90")),
);
order.check("1.4/first-before-second", "A missing first is told before the second.", async (c) =>
  invalid(await c.caller.changed(undefined, UNKNOWN), "INVALID_SNAPSHOT_ID", NO_FIRST),
);
order.check("1.4/bounds-before-first", "Bounds come before a missing first.", async (c) =>
  coralFirst(
    "maxResults",
    "10001",
    "have value less than or equal to 10000",
  )(await c.caller.call(changedParts(undefined, UNKNOWN, { maxResults: 10_001 }))),
);
order.check("1.4/snapshot-before-token", "The snapshot comes before the block token.", async (c) =>
  notFound(await c.caller.get(c.id("pending"), 0, "nonsense"), c.id("pending")),
);
order.check("1.4/snapshot-before-page", "And before the page token.", async (c) =>
  notFound(await c.caller.list(c.id("pending"), { pageToken: "bm90" }), c.id("pending")),
);
order.check("1.4/list.lookup", "Both snapshots come before their relation.", async (c) =>
  eitherNotFound(await c.caller.changed(c.id("other"), UNKNOWN), c.id("other"), UNKNOWN),
);

const WRONG_LENGTH = { "x-amz-data-length": 1 };
const WRONG_ALGORITHM = { "x-amz-checksum-algorithm": "SHA1" };
const WRONG_SUM = { "x-amz-checksum": SUM_OF_ZERO };
order.check("1.4/put.1", "Put: the body's length comes first.", async (c) => {
  const headers = { ...WRONG_LENGTH, ...WRONG_ALGORITHM };
  const at = { snapshotId: c.id("pending"), blockIndex: 2048 };
  invalid(await c.caller.call(putParts(at, A.subarray(1), headers)), PARAMETER, FAILED_READ);
});
order.check("1.4/put.2", "Put: then the data length stated.", async (c) =>
  invalid(
    await put(c, { ...WRONG_LENGTH, ...WRONG_ALGORITHM, ...WRONG_SUM }, 2048),
    "INVALID_BLOCK",
    "Block data length 1 is not valid, expected 524288",
  ),
);
order.check("1.4/put.3", "Put: then the block index.", async (c) =>
  invalid(await put(c, { ...WRONG_ALGORITHM, ...WRONG_SUM }, 2048), "INVALID_BLOCK", BEYOND),
);
order.check("1.4/put.4", "Put: then the algorithm.", async (c) =>
  invalid(await put(c, { ...WRONG_ALGORITHM, ...WRONG_SUM }), PARAMETER, SHA1),
);
order.check("1.4/put.5", "Put: then the checksum.", async (c) =>
  same((await put(c, WRONG_SUM)).text, MISMATCH),
);
order.check("1.4/put.nothing", "No refused put leaves anything behind.", async (c) => {
  const { SnapshotId } = JSON.parse((await start(c, {})).text) as { SnapshotId: string };
  await c.caller.write(SnapshotId, 0, B);
  const at = { snapshotId: SnapshotId, blockIndex: 1 };
  for (const headers of [WRONG_LENGTH, WRONG_ALGORITHM, WRONG_SUM]) {
    const answer = await c.caller.call(putParts(at, C, headers));
    holds(answer.status >= 400, brief(answer), "a refusal");
  }
  await c.caller.complete(SnapshotId, 1);
  same((await c.caller.readable(SnapshotId))["status"], "completed");
});
