import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { after, test } from "node:test";
import { SignatureV4 } from "@smithy/signature-v4";
import type { RequestParts } from "../../src/wire/message.ts";
import { checksumOfBlock } from "../support/blocks.ts";
import {
  actionParts,
  completeParts,
  listParts,
  putParts,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { exchange, type RawRequest, sign, withHeaders } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/* What `--emulate aws` takes from signers, and that it takes no more. */

const service = await startService({ after }, { emulation: { aws: true, lagSeconds: 0 } });
const strict = await startService({ after });
const { key } = service.firstKey;
const party = { url: new URL(service.endpoint), region: service.region, ...key };
const block = blockContents(1);
const snapshotId = await start(service);
const UNSIGNED = ["x-amz-checksum", "x-amz-checksum-algorithm", "x-amz-data-length"];

/** A put whose named headers are added after the rest has been signed. */
function putUnsigned(names: readonly string[], bytes: Uint8Array = block): RawRequest {
  const parts = putParts({ snapshotId, blockIndex: 0 }, bytes);
  const late = Object.entries(parts.headers ?? {}).filter(([name]) => names.includes(name));
  const none = Object.fromEntries(names.map((name) => [name, undefined]));
  const signed = sign(service, { ...parts, headers: { ...parts.headers, ...none } });
  return withHeaders(signed, Object.fromEntries(late.map(([name, value]) => [name, `${value}`])));
}

async function answerOf(request: RawRequest, to = service): Promise<[number, string]> {
  const { status, header, text } = await exchange(to, request);
  return [status, status < 300 ? "" : `${header("x-amzn-ErrorType")?.split(":")[0]} ${text}`];
}

test("a put's checksum, algorithm and length may be unsigned", async () => {
  for (const names of [...UNSIGNED.map((name) => [name]), UNSIGNED]) {
    assert.deepEqual(await answerOf(putUnsigned(names)), [201, ""], names.join());
  }
});

test("the checksum is compared all the same, and the declared hash holds", async () => {
  const request = putUnsigned(UNSIGNED);
  const other = { ...request, body: blockContents(2) };
  const MISMATCH = /^InvalidSignatureException .*does not match the computed/;
  assert.match((await answerOf(other))[1], MISMATCH);
  // Block and checksum replaced together: the hash that was signed still tells.
  const both = withHeaders(other, { "x-amz-checksum": checksumOfBlock(other.body) });
  assert.match((await answerOf(both))[1], /^InvalidRequestException /);
  const wrong = withHeaders(request, { "x-amz-checksum": checksumOfBlock(other.body) });
  assert.match((await answerOf(wrong))[1], MISMATCH);
});

test("no other header may be unsigned", async () => {
  const parts = putParts({ snapshotId, blockIndex: 0 }, block);
  const changes = [{ "x-amz-progress": "1" }, { "x-amz-meta": "x" }, { "x-amz-content-sha": "x" }];
  for (const headers of changes) {
    const [status, text] = await answerOf(withHeaders(sign(service, parts), headers));
    assert.equal(status, 403);
    assert.match(text, /^InvalidSignatureException .*must be a 'SignedHeader'/);
  }
  const completion = sign(service, completeParts(snapshotId, 1));
  const completing = withHeaders(completion, { "x-amz-checksum": checksumOfBlock(block) });
  assert.match((await answerOf(completing))[1], /missing: x-amz-checksum/, "nor of a completion");
  const toStrict = { ...strict, firstKey: service.firstKey };
  const signed = sign(toStrict, { ...parts, headers: {} });
  const late = withHeaders(signed, { "x-amz-checksum": checksumOfBlock(block) });
  assert.match((await answerOf(late, strict))[1], /missing: x-amz-checksum/);
});

const LIST = listParts(snapshotId.replace(/.$/, "0"), { maxResults: 100 });

/** Hashing as AWS's signer for JavaScript wants it. */
class NodeSha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const bytes = typeof secret === "string" ? secret : Buffer.from((secret ?? "") as Uint8Array);
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytes);
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === "string" ? data : Buffer.from(data as Uint8Array));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error("The signer never reuses a hash");
  }
}

/** A request without a body, signed in its query by AWS's own signer. */
async function presigned(
  { method, path, query = {} }: RequestParts,
  { expiresIn = 600, signedFor = "ebs" } = {},
): Promise<RawRequest> {
  const { host, hostname, port } = party.url;
  const signer = new SignatureV4({
    service: signedFor,
    region: party.region,
    credentials: key,
    sha256: NodeSha256,
  });
  const texts = Object.entries(query).map(([name, value]) => [name, String(value)]);
  const plain = { method, path, query: Object.fromEntries(texts), headers: { host } };
  const where = { protocol: "http:", hostname, port: Number(port) };
  const signed = await signer.presign({ ...plain, ...where }, { expiresIn });
  const pairs = Object.entries(signed.query ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  );
  const target = `${path}?${pairs.join("&")}`;
  return { method, target, headers: [["host", host]], body: new Uint8Array(0) };
}

test("a signature in the query is taken", async () => {
  const [status, text] = await answerOf(await presigned(LIST));
  assert.equal(status, 404, text);
  assert.match(text, /SNAPSHOT_NOT_FOUND/);
  assert.match((await answerOf(await presigned(LIST), strict))[1], /are not supported/);
});

test("none is taken that differs from what was signed in a character", async () => {
  const request = await presigned(LIST);
  assert.match((await answerOf(request))[1], /SNAPSHOT_NOT_FOUND/);
  for (let at = 1; at < request.target.length; at += 7) {
    const other = request.target[at] === "1" ? "2" : "1";
    const target = request.target.slice(0, at) + other + request.target.slice(at + 1);
    const [status, text] = await answerOf({ ...request, target });
    assert.ok(status === 400 || status === 403, `${status} ${text} ${target}`);
  }
});

test("one that has expired, or says nothing sensible, is refused", async () => {
  const request = await presigned(LIST);
  const changed = (pattern: RegExp, by: string) => {
    return answerOf({ ...request, target: request.target.replace(pattern, by) });
  };
  const longAgo = "X-Amz-Date=20200101T000000Z";
  const cases: [pattern: RegExp, by: string, message: RegExp][] = [
    [/X-Amz-Expires=600/, "X-Amz-Expires=0", /X-Amz-Expires must be a number from 1 to 604800/],
    [/X-Amz-Expires=600/, "X-Amz-Expires=604801", /X-Amz-Expires must be/],
    [/&?X-Amz-Expires=600/, "", /must include 'X-Amz-Expires' once/],
    [/(X-Amz-Signature=[0-9a-f]+)/, "$1&$1", /must include 'X-Amz-Signature' once/],
    [/(X-Amz-Signature=[0-9a-f]+)/, "$1&x-amz-signature=00", /'X-Amz-Signature' once/],
    [/X-Amz-SignedHeaders=host/, "X-Amz-SignedHeaders=date", /missing: host/],
    [/X-Amz-Date=\w+/, longAgo, /Date in Credential scope does not match/],
    [/X-Amz-Algorithm=[\w-]+/, "X-Amz-Algorithm=none", /Unsupported AWS 'algorithm'/],
    [/X-Amz-Credential=/, "X-Amz-Credential=%zz", /is not percent-encoded/],
  ];
  for (const [pattern, by, message] of cases) {
    const [status, text] = await changed(pattern, by);
    assert.ok(status === 400 || status === 403, text);
    assert.match(text, message);
  }
  const brief = await presigned(LIST, { expiresIn: 1 });
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  assert.match((await answerOf(brief))[1], /^InvalidSignatureException .*Signature expired/);
});

test("a signature in the query beside another, and a session token, are refused", async () => {
  const request = await presigned(LIST);
  const { headers } = sign(service, LIST);
  const authorization = headers.find(([name]) => name === "authorization")?.[1];
  const both = withHeaders(request, { authorization });
  assert.match((await answerOf(both))[1], /^IncompleteSignatureException .*not both/);
  const target = `${request.target}&X-Amz-Security-Token=abc`;
  assert.equal((await answerOf({ ...request, target }))[0], 403);
});

test("keys are not managed, and EC2 is not called, with what only AWS takes", async () => {
  const accounts = await presigned({ method: "GET", path: "/varve/accounts" });
  assert.match((await answerOf(accounts))[1], /^IncompleteSignatureException .*not supported/);
  const { method, path } = actionParts("DescribeSnapshots");
  const ec2 = await presigned({ method, path }, { signedFor: "ec2" });
  const refusal = await exchange(service, ec2);
  assert.deepEqual([refusal.status, /not supported/.test(refusal.text)], [400, true]);
});

test("a body other than the one that was signed in the query is refused", async () => {
  const parts = startParts({ VolumeSize: 1 });
  const empty = await presigned({ method: parts.method, path: parts.path });
  // That link was made for no body; with one, it is another request.
  const body = parts.body ?? new Uint8Array(0);
  const length = ["content-length", String(body.length)] as const;
  const answer = await answerOf({ ...empty, headers: [...empty.headers, length], body });
  assert.equal(answer[0], 403);
});
