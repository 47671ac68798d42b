import { randomUUID } from "node:crypto";
import { checksumOfBlock } from "../support/blocks.ts";
import { completeParts, getParts, listParts, putParts, startParts } from "../support/operations.ts";
import { encode, withHeaders } from "../support/raw-http.ts";
import { brief, elementsOf, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import { type Answer, ask } from "./_connection.ts";
import { A, B, type Context, PAGED_COUNT, UNKNOWN, ZERO } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";
import { type Manner, signed } from "./_sign.ts";
import { blockTokenOf } from "./_tokens.ts";

/* Requests as clients really send them (1.5), and what they rely on (clients.md, section 2). */

const sent = new Group("1.5 requests as clients send them");
const needs = new Group("what clients rely on");
/** The checks of this file. */
export const clients = [sent, needs];

const fresh = async (c: Context) => String(jsonOf(await c.caller.start())["SnapshotId"]);
const writable = async (c: Context) => c.caller.writable(await fresh(c));
function answered(answer: Answer, status: number): void {
  holds(answer.status === status, brief(answer), String(status));
}

const JS: Manner = { payload: "hash", alsoSigned: ["amz-sdk-request", "amz-sdk-invocation-id"] };
const JS_HEADERS = {
  "amz-sdk-invocation-id": randomUUID(),
  "amz-sdk-request": "attempt=1; max=3",
  "x-amz-user-agent": "aws-sdk-js/3.1137.0",
};

sent.check("1.5/botocore.start", "botocore: spaces in JSON, a UUID as client token.", async (c) => {
  const body = Buffer.from(`{"VolumeSize": 1, "ClientToken": "${randomUUID()}"}`);
  answered(await c.caller.call({ ...startParts({}), body }), 201);
});
sent.check("1.5/botocore.put", "botocore: a put without Content-Type.", async (c) => {
  const at = { snapshotId: await writable(c), blockIndex: 0 };
  answered(await c.caller.call(putParts(at, A), { payload: "unsigned" }), 201);
});
sent.check("1.5/botocore.complete", "botocore: Content-Length 0 on completion.", async (c) =>
  answered(await c.caller.call(completeParts(await fresh(c), 0)), 202),
);
sent.check("1.5/js.start", "JS: the SDK's own headers signed, x-amz-content-sha256.", async (c) => {
  const parts = startParts({ VolumeSize: 1, ClientToken: randomUUID() });
  const headers = { ...parts.headers, ...JS_HEADERS };
  answered(await c.caller.call({ ...parts, headers }, JS), 201);
});
for (const [payload, what] of [
  ["hash", "a buffer with its hash"],
  ["unsigned", "a stream unsigned"],
] as const) {
  sent.check(`1.5/js.put ${payload}`, `JS: ${what}, as octet-stream.`, async (c) => {
    const parts = putParts({ snapshotId: await writable(c), blockIndex: 0 }, A);
    const headers = { ...parts.headers, ...JS_HEADERS, "content-type": "application/octet-stream" };
    answered(await c.caller.call({ ...parts, headers }, { ...JS, payload }), 201);
  });
}
sent.check("1.5/js.list", "JS: x-amz-content-sha256 on reads.", async (c) => {
  const parts = { ...listParts(c.id("root")), headers: JS_HEADERS };
  answered(await c.caller.call(parts, JS), 200);
});
sent.check("1.5/rust.put", "Rust: octet-stream and UNSIGNED-PAYLOAD.", async (c) => {
  const parts = putParts({ snapshotId: await writable(c), blockIndex: 0 }, A);
  const headers = { ...parts.headers, "content-type": "application/octet-stream" };
  answered(await c.caller.call({ ...parts, headers }, { payload: "unsigned" }), 201);
});
sent.check("1.5/case", "Header names may be in any case.", async (c) => {
  const parts = putParts({ snapshotId: await writable(c), blockIndex: 0 }, A);
  const entries = Object.entries(parts.headers ?? {});
  const headers = Object.fromEntries(entries.map(([name, value]) => [name.toUpperCase(), value]));
  answered(await c.caller.call({ ...parts, headers }), 201);
});
for (const [says, change] of [
  ["percent-encoded", (target: string) => target],
  ["with its = and / as they stand", (t: string) => t.replace(/%3D/g, "=").replace(/%2F/g, "/")],
] as const) {
  sent.check(`1.5/token ${says}`, `A token may be ${says}.`, async (c) => {
    const parts = getParts(c.id("root"), 0, await blockTokenOf(c, "root", 0));
    const request = signed(c.caller.party, parts);
    answered(await c.caller.raw({ ...request, target: change(request.target) }), 200);
  });
}
sent.check("1.5/unsigned", "User-Agent and amz-sdk-* come unsigned.", async (c) => {
  const after = [
    ["User-Agent", "Boto3/1.43.11"],
    ["amz-sdk-invocation-id", randomUUID()],
    ["amz-sdk-request", "attempt=1"],
  ] as const;
  answered(await c.caller.call(listParts(c.id("root")), { after }), 200);
});

const all = (c: Context) => c.caller.list(c.id("root"));
needs.check("C1/numbers", "Point 1: numbers are JSON numbers.", async (c) => {
  const started = jsonOf(c.sample("StartSnapshot"));
  const page = jsonOf(await all(c), 200);
  const [block] = page["Blocks"] as Record<string, unknown>[];
  const numbers = [started["StartTime"], started["VolumeSize"], page["ExpiryTime"]];
  numbers.push(page["BlockSize"], block?.["BlockIndex"]);
  same(
    numbers.map((value) => typeof value),
    Array(5).fill("number"),
  );
});
needs.check("C1/changed", "Point 1: so are the indexes of changed blocks.", (c) => {
  const [block] = jsonOf(c.sample("ListChangedBlocks"))["ChangedBlocks"] as {
    BlockIndex: number;
  }[];
  same(typeof block?.BlockIndex, "number");
});
needs.check("C2/statuses", "Point 2: 201, 201, 202 and 200 exactly.", (c) => {
  const names = ["StartSnapshot", "PutSnapshotBlock", "CompleteSnapshot"] as const;
  same(names.map((name) => c.sample(name).status).join(), "201,201,202");
});
needs.check("C2/reads", "Point 2: reads are answered with 200 exactly.", (c) => {
  const names = ["GetSnapshotBlock", "ListSnapshotBlocks", "ListChangedBlocks"] as const;
  same(names.map((name) => c.sample(name).status).join(), "200,200,200");
});
for (const [what, call] of [
  ["an empty listing", (c: Context) => c.caller.list(c.id("empty"))],
  ["a comparison", (c: Context) => c.caller.changed(c.id("root"), c.id("child"))],
] as const) {
  needs.check(`C3/${what}`, `Point 3: ${what} has all its numbers.`, async (c) => {
    const { VolumeSize, BlockSize, ExpiryTime } = jsonOf(await call(c), 200);
    same([VolumeSize, BlockSize, typeof ExpiryTime], [1, 524_288, "number"]);
  });
}
needs.check(
  "C3/an empty comparison",
  "Point 3: an empty comparison has all its numbers, or AWS's own nulls.",
  async (c) => {
    const answer = await c.caller.changed(c.id("root"), c.id("root"));
    const { VolumeSize, BlockSize, ExpiryTime } = jsonOf(answer, 200);
    if (VolumeSize === null) return same([BlockSize, ExpiryTime], [null, null]);
    same([VolumeSize, BlockSize, typeof ExpiryTime], [1, 524_288, "number"]);
  },
);
needs.check("C4/end", "Point 4: at the end NextToken is null or absent.", async (c) =>
  same(jsonOf(await all(c), 200)["NextToken"] ?? null, null),
);
needs.check("C4/default", "Point 4: without MaxResults a page is large.", async (c) => {
  const page = jsonOf(await c.caller.list(c.id("paged")), 200);
  same((page["Blocks"] as []).length, PAGED_COUNT);
});
needs.check("C4/asked", "Point 4: 10000 blocks may be asked for, as coldsnap does.", async (c) =>
  answered(await c.caller.list(c.id("root"), { maxResults: 10_000 }), 200),
);
for (const name of ["x-amz-Data-Length", "x-amz-Checksum", "x-amz-Checksum-Algorithm"]) {
  needs.check(`C5/${name}`, `Point 5: ${name} is spelled like that.`, (c) =>
    fits(c.sample("GetSnapshotBlock").exact(name), /./),
  );
}
needs.check("C5/values", "Point 5: each block has its length twice and SHA256.", (c) => {
  const answer = c.sample("GetSnapshotBlock");
  const names = ["content-length", "x-amz-data-length", "x-amz-checksum-algorithm"];
  same(names.map((name) => answer.header(name)).join(), "524288,524288,SHA256");
});
needs.check("C5/put", "Point 5: the checksum of a put is spelled like that as well.", (c) => {
  const answer = c.sample("PutSnapshotBlock");
  same(answer.exact("x-amz-Checksum"), checksumOfBlock(A));
  same(answer.exact("x-amz-Checksum-Algorithm"), "SHA256");
});
needs.check("C5/plain", "Point 5: a block is not compressed.", async (c) => {
  const parts = getParts(c.id("root"), 0, await blockTokenOf(c, "root", 0));
  const answer = await c.caller.call(parts, { after: [["Accept-Encoding", "gzip, br"]] });
  same(answer.header("content-encoding") ?? "none", "none");
  same([answer.status, answer.body.length], [200, 524_288]);
});
for (const type of ["", "application/json", "application/x-www-form-urlencoded"]) {
  needs.check(
    `C6/type ${type || "none"}`,
    `Point 6: a put may be ${type || "untyped"}.`,
    async (c) => {
      const parts = putParts({ snapshotId: await writable(c), blockIndex: 0 }, A);
      const headers = { ...parts.headers, ...(type ? { "content-type": type } : {}) };
      answered(await c.caller.call({ ...parts, headers }), 201);
    },
  );
}
needs.check(
  "C6/erlang",
  "Point 6: Erlang signs a put's true hash, Host without port.",
  async (c) => {
    const parts = putParts({ snapshotId: await writable(c), blockIndex: 0 }, A);
    const headers = { ...parts.headers, "content-type": "application/x-amz-json-1.1" };
    const host = c.caller.party.url.hostname;
    const manner: Manner = { payload: "hash", alsoSigned: ["content-type"], host };
    answered(await c.caller.call({ ...parts, headers }, manner), 201);
  },
);
needs.check("C6/pieces", "Point 6: a put may come in pieces, without a length.", async (c) => {
  const parts = putParts({ snapshotId: await writable(c), blockIndex: 0 }, A);
  const request = withHeaders(signed(c.caller.party, parts, { payload: "unsigned" }), {
    "Content-Length": undefined,
    "Transfer-Encoding": "chunked",
  });
  const pieces = [A.subarray(0, 65_536), A.subarray(65_536)].flatMap((piece) => [
    Buffer.from(`${piece.length.toString(16)}\r\n`),
    piece,
    Buffer.from("\r\n"),
  ]);
  const body = Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
  answered(await c.caller.raw({ ...request, body }), 201);
});
needs.check("C6/expect", "Point 6: Expect: 100-continue is taken.", async (c) => {
  const parts = putParts({ snapshotId: await writable(c), blockIndex: 0 }, A);
  const after = [["Expect", "100-continue"]] as const;
  answered(await c.caller.call(parts, { payload: "unsigned", after }), 201);
});
needs.check("C6/complete-body", "Point 6: a completion may carry {}.", async (c) => {
  const parts = completeParts(await fresh(c), 0);
  const headers = { ...parts.headers, "content-type": "application/json" };
  answered(await c.caller.call({ ...parts, headers, body: Buffer.from("{}") }), 202);
});
needs.check("C6/get-type", "Point 6: a GET may carry Content-Type.", async (c) => {
  const headers = { "content-type": "application/json" };
  answered(await c.caller.call({ ...listParts(c.id("root")), headers }), 200);
});
needs.check("C7/distinct", "Point 7: blocks sent twice count once.", (c) =>
  fits(c.id("root"), /^snap-/),
);
needs.check("C7/overwritten", "Point 7: the last of two writes is what is read.", async (c) => {
  const answer = await c.caller.get(c.id("root"), 0, await blockTokenOf(c, "root", 0));
  same(answer.header("x-amz-checksum"), checksumOfBlock(B));
});
needs.check("C7/zeros", "Point 7: a block of zeros is kept and listed.", async (c) => {
  const blocks = jsonOf(await all(c), 200)["Blocks"] as { BlockIndex: number }[];
  same(
    blocks.map(({ BlockIndex }) => BlockIndex),
    [0, 1, 2, 2047],
  );
  const answer = await c.caller.get(c.id("root"), 2, await blockTokenOf(c, "root", 2));
  holds(ZERO.equals(answer.body), brief(answer), "a block of zeros");
});
needs.check("C8/all", "Point 8: tags [], Encrypted false and any text are taken.", async (c) => {
  const Description = "Zoë ☃ <&>\"'\\ \u{1F4BE}";
  const input = { Tags: [], Encrypted: false, ClientToken: randomUUID(), Description };
  const answer = await c.caller.start(input);
  same(jsonOf(answer, 201)["Description"], Description);
});
needs.check("C8/xml", "Point 8: EC2 shows that text escaped, as it was.", async (c) => {
  const { SnapshotId } = jsonOf(await c.caller.start({ Description: "a<&>b" }));
  same((await c.caller.describe(String(SnapshotId)))["description"], "a&lt;&amp;&gt;b");
});
needs.check("C9/host", "Point 9: Host without a port, as Erlang sends it.", async (c) => {
  const host = c.caller.party.url.hostname;
  answered(await c.caller.call(listParts(c.id("root")), { host }), 200);
});
needs.check("C9/aws-host", "Point 9: AWS's own host name, behind a proxy.", async (c) => {
  const host = `ebs.${c.caller.party.region}.amazonaws.com`;
  answered(await c.caller.call(listParts(c.id("root")), { host }), 200);
});
needs.check("C9/local", 'Point 9: a scope of the region "local" is taken.', async (c) =>
  answered(await c.caller.call(listParts(c.id("root")), { region: "local" }), 200),
);
needs.check("C10/many", "Point 10: 100 connections at once are all answered.", async (c) => {
  const parts = listParts(c.id("root"));
  const bytes = () => encode(signed(c.caller.party, parts));
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => ask(c.caller.party.url, bytes())),
  );
  same(answers.filter(({ status }) => status === 200).length, 100);
});
needs.check("C10/kept", "Point 10: a connection is kept for more than one request.", async (c) => {
  const answers = await c.caller.together(Array(3).fill(listParts(c.id("root"))));
  same(answers.map(({ status }) => status).join(), "200,200,200");
});
needs.check("C10/puts", "Point 10: 64 puts at once are answered within 12 s each.", async (c) => {
  const id = await writable(c);
  const puts = Array.from({ length: 64 }, async (_, blockIndex) => {
    const sentMs = performance.now();
    const { status } = await c.caller.put(id, blockIndex, A);
    return status === 201 && performance.now() - sentMs < 12_000;
  });
  same((await Promise.all(puts)).filter((isWell) => isWell).length, 64);
});
needs.check("C11/errors", "Point 11: errors have a type, a message and a reason.", async (c) => {
  const answer = await c.caller.list(UNKNOWN);
  fits(answer.header("x-amzn-errortype"), /^ResourceNotFoundException/);
  const { Message, Reason } = jsonOf(answer);
  same([typeof Message, Reason], ["string", "SNAPSHOT_NOT_FOUND"]);
});
needs.check("C11/permanent", "Point 11: a wrong checksum is nothing to retry.", async (c) => {
  const at = { snapshotId: c.id("pending"), blockIndex: 0 };
  const changes = { "x-amz-checksum": "B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=" };
  answered(await c.caller.call(putParts(at, A, changes)), 403);
});
for (const [what, call] of [
  ["an unknown snapshot", (c: Context) => c.caller.list(UNKNOWN)],
  ["an index beyond the volume", (c: Context) => c.caller.put(c.id("pending"), 2_048, A)],
  ["a put after completion", (c: Context) => c.caller.put(c.id("root"), 0, A)],
  ["a bad block token", (c: Context) => c.caller.get(c.id("root"), 0, "bm90")],
  ["unrelated snapshots", (c: Context) => c.caller.changed(c.id("root"), c.id("other"))],
] as const) {
  needs.check(`C11/${what}`, `Point 11: no SDK retries ${what}.`, async (c) => {
    const answer = await call(c);
    holds(answer.status >= 400 && answer.status < 429, brief(answer), "a status from 400 to 428");
    const type = answer.header("x-amzn-errortype") ?? "";
    holds(!/Throttl|TooMany|Timeout|Expired|Skew/i.test(type), type, "a type that is not retried");
  });
}
needs.check("C12/readable", "Point 12: a completed one reads at once or says 404.", async (c) => {
  const id = await fresh(c);
  await c.caller.complete(id, 0);
  const answer = await c.caller.list(id);
  if (answer.status !== 200) fits(brief(answer), /^404 ResourceNotFound.*SNAPSHOT_NOT_FOUND/);
});
needs.check("C13/sts", "Point 13: the same port answers EC2 and STS.", async (c) => {
  const sts = elementsOf((await c.caller.query("GetCallerIdentity", {}, "sts")).text);
  fits(sts["Account"], /^\d{12}$/);
  same((await c.caller.describe(c.id("root")))["snapshotId"], c.id("root"));
});
needs.check("C13/regions", "Point 13: the same port answers DescribeRegions.", async (c) => {
  const answer = await c.caller.query("DescribeRegions", { "RegionName.1": c.caller.party.region });
  same(elementsOf(answer.text)["regionName"], c.caller.party.region);
});
needs.check(
  "C13/delete",
  "Point 13: it deletes pending snapshots and those in error.",
  async (c) => {
    const deleted = async (id: string) => {
      const answer = await c.caller.query("DeleteSnapshot", { SnapshotId: id });
      holds(answer.status === 200, brief(answer), "200");
    };
    await deleted(await fresh(c));
    const failed = await fresh(c);
    await c.caller.complete(failed, 1);
    same((await c.caller.settled(failed))["status"], "error");
    await deleted(failed);
  },
);
needs.check("C13/s3", "Point 13: the same port answers S3 ListBuckets.", async (c) => {
  const parts = { method: "GET", path: "/" };
  const answer = await c.caller.call(parts, { service: "s3", payload: "hash" });
  holds(answer.status === 200, brief(answer), "200");
  fits(answer.text, /<ListAllMyBucketsResult/);
});
