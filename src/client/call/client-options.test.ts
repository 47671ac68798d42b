import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import { listChangedBlocks, listSnapshotBlocks } from "../api/ebs-operations.ts";
import { describeSnapshots } from "../api/ec2-operations.ts";
import { blocksOf, changedBlockPagesOf } from "../api/listings.ts";
import { getSessionToken } from "../api/sts-operations.ts";
import { ClientError } from "../errors.ts";
import { ThrottlingException, ValidationException } from "../service-errors.ts";
import type { ClientOptions } from "./client.ts";
import { createClient } from "./create-client.ts";

const credentials = { accessKeyId: "AKIATEST", secretAccessKey: "secret" };
const page = { Blocks: [], ExpiryTime: 0, VolumeSize: 1, BlockSize: BLOCK_SIZE_BYTES };

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clientAt(t: TestContext, options: Partial<ClientOptions> & { readonly endpoint: string }) {
  const client = createClient({ credentials, ...options });
  t.after(() => client.close());
  return client;
}

test("each service is asked at its own address, and signed for it", async (t) => {
  const seen: string[] = [];
  const servers = ["ebs", "ec2", "sts"].map((name) =>
    serve(t, ({ headers }, res) => {
      seen.push(`${name} ${headers.authorization?.split("/")[3]} ${headers.host}`);
      res.writeHead(400).end("{}");
    }),
  );
  const [endpoint = "", ec2 = "", sts = ""] = await Promise.all(servers);
  const client = clientAt(t, { endpoint, endpoints: { ec2, sts } });
  const calls = [listSnapshotBlocks(client, "snap-0"), describeSnapshots(client)];
  for (const call of [...calls, getSessionToken(client)]) await assert.rejects(call, ClientError);
  const hosts = [endpoint, ec2, sts].map((url) => new URL(url).host);
  const expected = ["ebs", "ec2", "sts"].map((name, i) => `${name} ${name} ${hosts[i]}`);
  assert.deepEqual(seen.sort(), expected);
});

test("errors of the service are of the class that their code names", async (t) => {
  let code = "ValidationException";
  const endpoint = await serve(t, (_req, res) => {
    const headers = { "x-amzn-ErrorType": `${code}:http://internal.amazon.com/x/` };
    res.writeHead(400, headers).end('{"Message":"no","Reason":"INVALID_SNAPSHOT_ID"}');
  });
  const client = clientAt(t, { endpoint, attemptsMax: 1 });
  await assert.rejects(listChangedBlocks(client, "snap-0"), (error) => {
    assert.ok(error instanceof ValidationException && error instanceof ClientError);
    const { name, Reason, reason, endpoint: where } = error;
    assert.deepEqual([name, Reason, reason], [code, "INVALID_SNAPSHOT_ID", "INVALID_SNAPSHOT_ID"]);
    assert.equal(where, endpoint);
    return true;
  });
  code = "ThrottlingException";
  await assert.rejects(listSnapshotBlocks(client, "snap-0"), ThrottlingException);
  code = "SomethingElse";
  await assert.rejects(listSnapshotBlocks(client, "snap-0"), { name: "ClientError", code });
});

test("a call's own time bounds all its attempts, and an attempt's own each of them", async (t) => {
  let attempts = 0;
  const endpoint = await serve(t, () => {
    attempts += 1;
  });
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0 };
  const client = clientAt(t, { endpoint, random });
  const startedAtMs = performance.now();
  const bounded = listSnapshotBlocks(client, "snap-0", {}, { timeoutMs: 300 });
  await assert.rejects(bounded, { code: "ETIMEDOUT" });
  assert.equal(attempts, 1, "the first attempt took all of the time");
  const options = { timeoutMs: 1_000, attemptTimeoutMs: 100, attemptsMax: 3 };
  await assert.rejects(listSnapshotBlocks(client, "snap-0", {}, options), { code: "ETIMEDOUT" });
  assert.equal(attempts, 4);
  assert.ok(performance.now() - startedAtMs < 20_000);
});

test("an abort ends the waiting for credentials", async (t) => {
  const endpoint = await serve(t, (_req, res) => void res.end(JSON.stringify(page)));
  const client = clientAt(t, { endpoint, credentials: () => new Promise(() => {}) });
  const abort = new AbortController();
  const call = listSnapshotBlocks(client, "snap-0", {}, { signal: abort.signal });
  setTimeout(() => abort.abort(new Error("enough")), 20);
  await assert.rejects(call, /enough/);
  const waiting = listSnapshotBlocks(client, "snap-0");
  setTimeout(() => client.close(), 20);
  await assert.rejects(waiting, /closed/);
});

test("a listing begins where it is told to, with pages as large as told", async (t) => {
  const queries: string[] = [];
  const endpoint = await serve(t, (req, res) => {
    queries.push(req.url?.split("?")[1] ?? "");
    const NextToken = queries.length === 1 ? "one" : null;
    const Blocks = [{ BlockIndex: 6 + queries.length, BlockToken: "t" }];
    res.end(JSON.stringify({ ...page, Blocks, ChangedBlocks: Blocks, NextToken }));
  });
  const client = clientAt(t, { endpoint });
  const found: number[] = [];
  const options = { StartingBlockIndex: 5, MaxResults: 100 };
  for await (const { BlockIndex } of blocksOf(client, "snap-0", options)) found.push(BlockIndex);
  assert.deepEqual(found, [7, 8]);
  assert.deepEqual(
    queries.map((query) => query.split("&").sort().join("&")),
    ["maxResults=100&startingBlockIndex=5", "maxResults=100&pageToken=one"],
  );
  const pair = { firstSnapshotId: "snap-0", secondSnapshotId: "snap-1" };
  for await (const { items } of changedBlockPagesOf(client, pair, options)) {
    assert.equal(items.length, 1);
  }
  assert.match(queries.at(-1) ?? "", /firstSnapshotId=snap-0/);
  assert.match(queries.at(-1) ?? "", /startingBlockIndex=5/);
});
