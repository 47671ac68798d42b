import { randomUUID } from "node:crypto";
import { checksumOfBlock } from "../support/blocks.ts";
import { putParts } from "../support/operations.ts";
import { brief, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import { A, B, C, type Context, ZERO } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";
import { invalid, notFound, refuses } from "./_refusal.ts";

/* StartSnapshot and its idempotency (3.1), parents (3.2), PutSnapshotBlock (3.3). */

const starting = new Group("3.1 StartSnapshot");
const parents = new Group("3.2 parents");
const putting = new Group("3.3 PutSnapshotBlock");
/** The checks of this file. */
export const writes = [starting, parents, putting];

const started = async (c: Context, input: object = {}) => jsonOf(await c.caller.start(input));
const idOf = async (c: Context, input: object = {}) =>
  String((await started(c, input))["SnapshotId"]);
const writable = async (c: Context, input: object = {}) => c.caller.writable(await idOf(c, input));

starting.check("3.1/pending", "Status is pending.", (c) =>
  same(jsonOf(c.sample("StartSnapshot"))["Status"], "pending"),
);
starting.check("3.1/id", "An id is snap- and 17 hexadecimal digits, the first a 0.", (c) =>
  fits(String(jsonOf(c.sample("StartSnapshot"))["SnapshotId"]), /^snap-0[0-9a-f]{16}$/),
);
starting.check("3.1/owner", "OwnerId is a 12-digit account.", (c) =>
  fits(String(jsonOf(c.sample("StartSnapshot"))["OwnerId"]), /^\d{12}$/),
);
const ECHOED: Readonly<Record<string, unknown>> = {
  Description: 'Zoë\'s "boot" disk ☃',
  Tags: [
    { Key: "b", Value: "2" },
    { Key: "a", Value: "" },
  ],
  VolumeSize: 65_536,
};
for (const [name, value] of Object.entries(ECHOED)) {
  starting.check(`3.1/echo ${name}`, `${name} is answered as it was asked for.`, async (c) =>
    same((await started(c, { [name]: value }))[name], value),
  );
}
starting.check("3.1/echo parent", "ParentSnapshotId is, too.", async (c) => {
  const ParentSnapshotId = c.id("root");
  same((await started(c, { ParentSnapshotId }))["ParentSnapshotId"], ParentSnapshotId);
});
starting.check("3.1/time", "StartTime is now.", (c) => {
  const { atMs, text } = c.sample("StartSnapshot");
  const { StartTime } = JSON.parse(text) as { StartTime: number };
  holds(Math.abs(StartTime * 1000 - atMs) < 10_000, StartTime, "now");
});
starting.check("3.1/time.ec2", "EC2 shows the same StartTime.", async (c) => {
  const { StartTime } = jsonOf(c.sample("StartSnapshot")) as { StartTime: number };
  const { startTime } = await c.caller.describe(c.id("pending"));
  same(startTime, new Date(Math.round(StartTime * 1000)).toISOString());
});
starting.check("3.1/replay", "The same token and parameters give the same answer.", async (c) => {
  const input = { ClientToken: c.token(), Description: "replayed", Timeout: 60 };
  const [one, two] = [await c.caller.start(input), await c.caller.start(input)];
  same([two.status, two.text], [201, one.text]);
});
starting.check("3.1/replay.completed", "It still says pending after completion.", async (c) => {
  const input = { ClientToken: c.token() };
  const one = await c.caller.start(input);
  const id = String(jsonOf(one)["SnapshotId"]);
  await c.caller.complete(id, 0);
  same((await c.caller.readable(id))["status"], "completed");
  same((await c.caller.start(input)).text, one.text);
  invalid(await c.caller.put(id, 0, A), "INVALID_SNAPSHOT_ID", "Snapshot is already completed");
});
const CHANGES: Readonly<Record<string, unknown>> = {
  Description: "changed",
  VolumeSize: 2,
  Tags: [{ Key: "changed", Value: "" }],
  Timeout: 61,
};
for (const [name, value] of Object.entries(CHANGES)) {
  starting.check(
    `3.1/conflict ${name}`,
    `Another ${name} under one token conflicts.`,
    async (c) => {
      const ClientToken = c.token();
      await started(c, { ClientToken });
      const answer = await c.caller.start({ ClientToken, [name]: value });
      holds(answer.status === 409, brief(answer), "409 ConflictException");
    },
  );
}
starting.check("3.1/conflict parent", "So does another parent.", async (c) => {
  const ClientToken = c.token();
  await started(c, { ClientToken });
  refuses(await c.caller.start({ ClientToken, ParentSnapshotId: c.id("root") }), {
    status: 409,
    code: "ConflictException",
    message: "Current request does not match request stored with this token.",
  });
});
starting.check("3.1/no-token", "Without a token every call starts another.", async (c) => {
  const [one, two] = [await idOf(c), await idOf(c)];
  holds(one !== two, "one id twice", "two ids");
});
starting.check("3.1/tokens-at-once", "One token sent twice at once starts one.", async (c) => {
  const input = { ClientToken: c.token() };
  const answers = await Promise.all([c.caller.start(input), c.caller.start(input)]);
  const ids = answers.map((answer) => jsonOf(answer)["SnapshotId"]);
  same(ids[0], ids[1]);
});
for (const [says, input] of [
  ["an empty list of tags", { Tags: [] }],
  ["Encrypted false", { Encrypted: false }],
  ["null for what is not given", { Description: null, Tags: null, Timeout: null }],
  ["a member it does not know", { Unknown: 1 }],
] as const) {
  starting.check(`3.1/takes ${says}`, `${says} is taken.`, async (c) => {
    const answer = await c.caller.start(input);
    holds(answer.status === 201, brief(answer), "201");
  });
}
starting.check("3.1/no-tags", "An empty list of tags is answered as null.", async (c) =>
  same((await started(c, { Tags: [] }))["Tags"], null),
);
starting.check("3.1/aws-tag", "A tag key aws:… is INVALID_TAG (text not known).", async (c) =>
  invalid(await c.caller.start({ Tags: [{ Key: "aws:x", Value: "" }] }), "INVALID_TAG", /./),
);
starting.check("3.1/51-tags", "51 tags are too many.", async (c) => {
  const Tags = Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: "" }));
  fits(brief(await c.caller.start({ Tags })), /^400 ValidationException/);
});
starting.check("3.1/cancel", "DeleteSnapshot cancels a pending one at once.", async (c) => {
  const id = await idOf(c);
  await c.caller.query("DeleteSnapshot", { SnapshotId: id });
  notFound(await c.caller.put(id, 0, A), id);
});
starting
  .check("3.1/put-lag", "A put right after the start says 404 for a while.", async (c) => {
    const id = await idOf(c);
    notFound(await c.caller.put(id, 0, A), id);
  })
  .or("writing after StartSnapshot", async (c) => {
    const answer = await c.caller.put(await idOf(c), 0, A);
    holds(answer.status === 201, brief(answer), "201");
  });
starting.skip("3.1/timeout", "Without a put, a snapshot times out.", "needs 10 minutes");
starting.skip("3.1/timeout-reset", "Each put starts the time anew.", "needs 10 minutes");
starting.skip("3.1/timed-out", "A timed-out one is 404 to put and list.", "needs 10 minutes");

parents.check("3.2/inherits", "A child that writes nothing has all of its parent.", async (c) => {
  const id = await idOf(c, { ParentSnapshotId: c.id("root") });
  await c.caller.complete(id, 0);
  same((await c.caller.readable(id))["status"], "completed");
  const blocks = jsonOf(await c.caller.list(id), 200)["Blocks"] as { BlockIndex: number }[];
  same(
    blocks.map(({ BlockIndex }) => BlockIndex),
    [0, 1, 2, 2047],
  );
});
parents.check("3.2/zeros-clear", "Writing zeros clears a parent's block.", async (c) => {
  const page = jsonOf(await c.caller.list(c.id("child")), 200);
  const [block] = page["Blocks"] as { BlockIndex: number; BlockToken: string }[];
  const answer = await c.caller.get(c.id("child"), 0, block?.BlockToken);
  holds(answer.body.equals(ZERO), brief(answer).slice(0, 100), "zeros");
});
parents.check("3.2/parent-unchanged", "The parent stays as it was.", async (c) => {
  const page = jsonOf(await c.caller.list(c.id("root")), 200);
  const [block] = page["Blocks"] as { BlockToken: string }[];
  const answer = await c.caller.get(c.id("root"), 0, block?.BlockToken);
  same(checksumOfBlock(answer.body), checksumOfBlock(B));
});
parents.check("3.2/smaller", "A child smaller than its parent is refused.", async (c) =>
  invalid(
    await c.caller.start({ VolumeSize: 1, ParentSnapshotId: c.id("grown") }),
    "INVALID_VOLUME_SIZE",
    /./,
  ),
);
parents.check("3.2/larger", "A child may be larger.", async (c) =>
  same((await started(c, { VolumeSize: 2, ParentSnapshotId: c.id("root") }))["VolumeSize"], 2),
);
parents.check("3.2/size-needed", "A child states its size, too.", async (c) =>
  fits(
    brief(await c.caller.start({ VolumeSize: undefined, ParentSnapshotId: c.id("root") })),
    /^400 ValidationException:.*'volumeSize'.*must not be null/,
  ),
);
parents.check("3.2/empty-parent", "An empty snapshot can be a parent.", (c) => {
  fits(c.id("emptyChild"), /^snap-/);
});
parents.check("3.2/delete-parent", "A parent can be deleted and its child read.", async (c) => {
  const answer = await c.caller.list(c.id("orphan"));
  holds(answer.status === 200, brief(answer), "200");
});

putting.check("3.3/last", "Block 2047 of 1 GiB is the last.", async (c) =>
  same(String((await c.caller.put(await writable(c), 2047, A)).status), "201"),
);
putting.check("3.3/last-65536", "Block 134,217,727 of 65,536 GiB is the last.", async (c) => {
  const id = await writable(c, { VolumeSize: 65_536 });
  same(String((await c.caller.put(id, 134_217_727, A)).status), "201");
  const beyond = await c.caller.put(id, 134_217_728, A);
  const message = "Block index 134217728 is beyond the volume size extent";
  invalid(beyond, "INVALID_BLOCK", message);
});
putting.check("3.3/headers", "The checksum comes back, spelled as AWS spells it.", (c) => {
  const answer = c.sample("PutSnapshotBlock");
  same(answer.exact("x-amz-Checksum"), checksumOfBlock(A));
  same(answer.exact("x-amz-Checksum-Algorithm"), "SHA256");
});
putting.check("3.3/overwrite", "A block may be written again; the last wins.", async (c) => {
  const id = await writable(c);
  for (const bytes of [A, B, C]) await c.caller.put(id, 3, bytes);
  await c.caller.complete(id, 1);
  await c.caller.readable(id);
  const [block] = jsonOf(await c.caller.list(id), 200)["Blocks"] as { BlockToken: string }[];
  const answer = await c.caller.get(id, 3, block?.BlockToken);
  same(checksumOfBlock(answer.body), checksumOfBlock(C));
});
putting.check("3.3/order", "Indexes may come in any order.", async (c) => {
  const id = await writable(c);
  for (const blockIndex of [9, 1, 5]) await c.caller.put(id, blockIndex, A);
  await c.caller.complete(id, 3);
  await c.caller.readable(id);
  const blocks = jsonOf(await c.caller.list(id), 200)["Blocks"] as { BlockIndex: number }[];
  same(
    blocks.map(({ BlockIndex }) => BlockIndex),
    [1, 5, 9],
  );
});
putting.check("3.3/at-once", "Puts of one index at once leave one of them.", async (c) => {
  const id = await writable(c);
  const answers = await Promise.all([A, B, C].map((bytes) => c.caller.put(id, 0, bytes)));
  const taken = answers.filter(({ status }) => status === 201).length;
  const refusedText = answers.filter(({ status }) => status !== 201).map(brief);
  holds(taken > 0, refusedText, "at least one 201");
  for (const text of refusedText) fits(text, /^400 .*CONFLICTING_BLOCK_UPDATE/);
  await c.caller.complete(id, 1);
  same((await c.caller.readable(id))["status"], "completed");
});
for (const progress of [10, 99]) {
  putting.check(`3.3/progress ${progress}`, `Progress ${progress} leaves EC2 at 0%.`, async (c) => {
    const snapshotId = await writable(c);
    const headers = { "x-amz-progress": progress };
    const answer = await c.caller.call(putParts({ snapshotId, blockIndex: 0 }, A, headers));
    holds(answer.status === 201, brief(answer), "201");
    same((await c.caller.describe(snapshotId))["progress"], "0%");
  });
}
putting.check("3.3/zero-block", "A block of zeros is written like any other.", async (c) => {
  const answer = await c.caller.put(await writable(c), 0, ZERO);
  same([answer.status, answer.exact("x-amz-Checksum")], [201, checksumOfBlock(ZERO)]);
});
putting.check("3.3/random", "So is one that does not compress.", async (c) => {
  const bytes = Buffer.alloc(524_288);
  for (let i = 0; i < bytes.length; i += 36) bytes.write(randomUUID(), i);
  const answer = await c.caller.put(await writable(c), 0, bytes);
  same([answer.status, answer.exact("x-amz-Checksum")], [201, checksumOfBlock(bytes)]);
});
