import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ZERO_BLOCK_CHECKSUM } from "../../model/digest.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import { parseAuthorization } from "../../wire/signature.ts";
import {
  getSnapshotBlock,
  listSnapshotBlocks,
  putSnapshotBlock,
  startSnapshot,
} from "../api/ebs-operations.ts";
import { deleteSnapshot, describeSnapshots } from "../api/ec2-operations.ts";
import { blocksOf } from "../api/listings.ts";
import { ClientError } from "../errors.ts";
import type { ClientOptions } from "./client.ts";
import { createClient } from "./create-client.ts";

/* The client against a server that answers whatever a test wants, right or wrong. */

const credentials = { accessKeyId: "AKIATEST", secretAccessKey: "secret", sessionToken: "token" };

async function clientOf(
  t: TestContext,
  listener: RequestListener,
  options: Partial<ClientOptions> = {},
) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0 };
  const client = createClient({ endpoint, credentials, random, ...options });
  t.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return client;
}

const page = { Blocks: [], ExpiryTime: 0, VolumeSize: 1, BlockSize: BLOCK_SIZE_BYTES };

test("signs every request, once per attempt, for the host it goes to", async (t) => {
  const seen: string[] = [];
  const client = await clientOf(t, ({ headers }, res) => {
    const parsed = parseAuthorization(headers.authorization ?? "");
    assert.ok(typeof parsed === "object");
    assert.equal(parsed.accessKeyId, "AKIATEST");
    assert.equal(parsed.scope.service, "ebs");
    assert.ok(parsed.signedHeaders.includes("host"));
    assert.equal(headers["x-amz-security-token"], "token");
    seen.push(String(headers["x-amz-date"]));
    res.writeHead(seen.length < 3 ? 503 : 200).end(JSON.stringify(page));
  });
  await listSnapshotBlocks(client, "snap-0");
  assert.equal(seen.length, 3);
});

test("asks a credential function once, and again when they are about to end", async (t) => {
  let asked = 0;
  const client = await clientOf(t, (_req, res) => void res.end(JSON.stringify(page)), {
    credentials: async () => {
      asked += 1;
      return credentials;
    },
  });
  for (let i = 0; i < 3; i++) await listSnapshotBlocks(client, "snap-0");
  assert.equal(asked, 1);
  const expiring = await clientOf(t, (_req, res) => void res.end(JSON.stringify(page)), {
    credentials: async () => {
      asked += 1;
      return { ...credentials, expiration: new Date(Date.now() + 1_000) };
    },
  });
  for (let i = 0; i < 3; i++) await listSnapshotBlocks(expiring, "snap-0");
  assert.equal(asked, 4);
});

test("an error carries code, reason, status, request id and operation", async (t) => {
  const client = await clientOf(t, (_req, res) => {
    const headers = { "x-amzn-ErrorType": "ResourceNotFoundException:x", "x-amzn-RequestId": "r1" };
    res.writeHead(404, headers).end('{"Message":"gone","Reason":"SNAPSHOT_NOT_FOUND"}');
  });
  await assert.rejects(listSnapshotBlocks(client, "snap-0"), (error) => {
    assert.ok(error instanceof ClientError);
    const { kind, code, reason, status, requestId, message, operation } = error;
    const told = { kind, code, reason, status, requestId, message, operation };
    assert.deepEqual(told, {
      kind: "service",
      code: "ResourceNotFoundException",
      reason: "SNAPSHOT_NOT_FOUND",
      status: 404,
      requestId: "r1",
      message: "gone",
      operation: "ListSnapshotBlocks",
    });
    return true;
  });
});

test("an answer of something in between is an error with its status", async (t) => {
  const client = await clientOf(t, (_req, res) => void res.writeHead(403).end("<html>no</html>"));
  const isForbidden = (error: unknown) =>
    error instanceof ClientError && error.status === 403 && error.code === "HTTP 403";
  await assert.rejects(listSnapshotBlocks(client, "snap-0"), isForbidden);
  await assert.rejects(describeSnapshots(client), isForbidden);
});

test("a refused connection keeps the system's code", async () => {
  const client = createClient({ endpoint: "http://127.0.0.1:1", credentials, attemptsMax: 1 });
  const isRefused = (error: unknown) =>
    error instanceof ClientError && error.kind === "connection" && error.code === "ECONNREFUSED";
  await assert.rejects(listSnapshotBlocks(client, "snap-0"), isRefused);
});

test("an attempt that takes too long is cut off, before or within the response", async (t) => {
  for (const begin of [false, true]) {
    let attempts = 0;
    const client = await clientOf(
      t,
      (_req, res) => {
        attempts += 1;
        if (begin) res.writeHead(200, { "content-length": "100" }).write("{");
      },
      { attemptTimeoutMs: 50, attemptsMax: 2 },
    );
    await assert.rejects(listSnapshotBlocks(client, "snap-0"), { code: "ETIMEDOUT" });
    assert.equal(attempts, 2);
  }
});

test("an abort ends the attempt under way with its reason", async (t) => {
  const abort = new AbortController();
  const client = await clientOf(t, () => abort.abort(new Error("enough")));
  const { signal } = abort;
  await assert.rejects(listSnapshotBlocks(client, "snap-0", {}, { signal }), /enough/);
});

test("an abort while the request is signed keeps it from being sent", async (t) => {
  const abort = new AbortController();
  let requests = 0;
  const listener = () => {
    requests += 1;
  };
  const client = await clientOf(t, listener, {
    attemptTimeoutMs: 200,
    credentials: async () => {
      abort.abort(new Error("enough"));
      return credentials;
    },
  });
  const { signal } = abort;
  await assert.rejects(listSnapshotBlocks(client, "snap-0", {}, { signal }), /enough/);
  assert.equal(requests, 0);
});

test("an abort ends the waiting for a connection, and the place in line is given up", async (t) => {
  const held: (() => void)[] = [];
  const client = await clientOf(
    t,
    (_req, res) => void held.push(() => res.end(JSON.stringify(page))),
    { connectionsMax: 1 },
  );
  const abort = new AbortController();
  const first = listSnapshotBlocks(client, "snap-1");
  const second = listSnapshotBlocks(client, "snap-2", {}, { signal: abort.signal });
  const third = listSnapshotBlocks(client, "snap-3");
  while (held.length === 0) await sleep(1);
  abort.abort(new Error("enough"));
  await assert.rejects(second, /enough/);
  assert.equal(held.length, 1, "the first call is still under way");
  held[0]?.();
  await first;
  while (held.length === 1) await sleep(1);
  held[1]?.();
  await third;
  assert.equal(held.length, 2, "the second call was never sent");
});

test("a repeated deletion that finds nothing has succeeded before", async (t) => {
  const document =
    "<Response><Errors><Error><Code>InvalidSnapshot.NotFound</Code><Message>No.</Message>" +
    "</Error></Errors></Response>";
  const losses: [name: string, lose: RequestListener][] = [
    ["cut off", (_req, res) => void res.destroy()],
    ["too late", () => undefined],
    ["500", (_req, res) => void res.writeHead(500).end()],
  ];
  for (const [name, lose] of losses) {
    let requests = 0;
    const listener: RequestListener = (req, res) => {
      requests += 1;
      if (requests === 1) lose(req, res);
      else res.writeHead(400).end(document);
    };
    const client = await clientOf(t, listener, { attemptTimeoutMs: 200 });
    await deleteSnapshot(client, "snap-0");
    assert.equal(requests, 2, name);
    await assert.rejects(deleteSnapshot(client, "snap-0"), { code: "InvalidSnapshot.NotFound" });
  }
});

test("a deletion that was only throttled before tells that there is nothing", async (t) => {
  let requests = 0;
  const error = (code: string) =>
    `<Response><Errors><Error><Code>${code}</Code></Error></Errors></Response>`;
  const client = await clientOf(t, (_req, res) => {
    requests += 1;
    const code = requests === 1 ? "RequestLimitExceeded" : "InvalidSnapshot.NotFound";
    res.writeHead(400).end(error(code));
  });
  await assert.rejects(deleteSnapshot(client, "snap-0"), { code: "InvalidSnapshot.NotFound" });
  assert.equal(requests, 2);
});

test("a response without end is refused", async (t) => {
  const client = await clientOf(
    t,
    (_req, res) => {
      res.writeHead(200, { "content-length": String(1024 ** 3) }).write("{");
    },
    { attemptsMax: 1 },
  );
  await assert.rejects(listSnapshotBlocks(client, "snap-0"), /at most/);
});

test("a response cut off is asked for again", async (t) => {
  let attempts = 0;
  const client = await clientOf(t, (_req, res) => {
    attempts += 1;
    if (attempts > 1) return void res.end(JSON.stringify(page));
    res.writeHead(200, { "content-length": "100" }).write("{", () => res.destroy());
  });
  await listSnapshotBlocks(client, "snap-0");
  assert.equal(attempts, 2);
});

test("a block that does not match its checksum is asked for again, then refused", async (t) => {
  const damaged = new Uint8Array(BLOCK_SIZE_BYTES);
  damaged[77] = 1;
  let damagedAnswers = 2;
  const client = await clientOf(
    t,
    (_req, res) => {
      res.setHeader("x-amz-Data-Length", BLOCK_SIZE_BYTES);
      res.setHeader("x-amz-Checksum", ZERO_BLOCK_CHECKSUM);
      res.setHeader("x-amz-Checksum-Algorithm", "SHA256");
      res.end(damagedAnswers-- > 0 ? damaged : new Uint8Array(BLOCK_SIZE_BYTES));
    },
    { attemptsMax: 3 },
  );
  const { BlockData } = await getSnapshotBlock(client, 0, "snap-0", "token");
  assert.equal(BlockData.length, BLOCK_SIZE_BYTES);
  damagedAnswers = 3;
  const reading = getSnapshotBlock(client, 0, "snap-0", "token");
  await assert.rejects(reading, { kind: "integrity", code: "IntegrityError" });
});

test("a put that the service confirms with another checksum fails", async (t) => {
  const client = await clientOf(
    t,
    (req, res) => {
      assert.equal(req.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
      assert.equal(req.headers["x-amz-data-length"], String(BLOCK_SIZE_BYTES));
      assert.equal(req.headers["x-amz-checksum"], ZERO_BLOCK_CHECKSUM);
      req.resume().on("end", () => res.writeHead(201, { "x-amz-Checksum": "AAAA" }).end("{}"));
    },
    { attemptsMax: 2 },
  );
  const BlockData = new Uint8Array(BLOCK_SIZE_BYTES);
  await assert.rejects(putSnapshotBlock(client, 0, "snap-0", { BlockData }), { kind: "integrity" });
});

test("a repeated start carries the same client token", async (t) => {
  const tokens: string[] = [];
  const client = await clientOf(t, async (req, res) => {
    const body = Buffer.concat(await req.toArray());
    tokens.push(JSON.parse(body.toString()).ClientToken);
    res.writeHead(tokens.length < 2 ? 500 : 201).end('{"SnapshotId":"snap-1"}');
  });
  await startSnapshot(client, { VolumeSize: 1 });
  assert.equal(tokens.length, 2);
  assert.ok(tokens[0]);
  assert.equal(tokens[0], tokens[1]);
});

test("a listing goes on after an empty page, and by index when its token has ended", async (t) => {
  const queries: string[] = [];
  const answers = [
    { ...page, Blocks: [{ BlockIndex: 1, BlockToken: "a" }], NextToken: "one" },
    { ...page, Blocks: [], NextToken: "two" },
    undefined,
    { ...page, Blocks: [{ BlockIndex: 5, BlockToken: "b" }], NextToken: null },
  ];
  const client = await clientOf(t, (req, res) => {
    const answer = answers[queries.length];
    queries.push(req.url?.split("?")[1] ?? "");
    if (answer) return void res.end(JSON.stringify(answer));
    const headers = { "x-amzn-ErrorType": "ValidationException" };
    res.writeHead(400, headers).end('{"Message":"old","Reason":"INVALID_PAGE_TOKEN"}');
  });
  const found: number[] = [];
  for await (const { BlockIndex } of blocksOf(client, "snap-0")) found.push(BlockIndex);
  assert.deepEqual(found, [1, 5]);
  assert.deepEqual(queries, ["", "pageToken=one", "pageToken=two", "startingBlockIndex=2"]);
});

test("a listing that is out of order, out of the volume or in a circle is refused", async (t) => {
  const block = (BlockIndex: number) => ({ BlockIndex, BlockToken: "t" });
  const wrong = [
    { ...page, Blocks: [block(3), block(3)] },
    { ...page, Blocks: [block(2048)] },
    { ...page, Blocks: [block(-1)] },
    { ...page, NextToken: "again" },
    { ...page, Blocks: undefined },
  ];
  for (const answer of wrong) {
    const client = await clientOf(t, (_req, res) => void res.end(JSON.stringify(answer)), {
      attemptsMax: 1,
    });
    const drained = (async () => {
      for await (const _ of blocksOf(client, "snap-0"));
    })();
    await assert.rejects(drained, { kind: "integrity" }, JSON.stringify(answer));
  }
});

test("an endpoint that is no web address is refused at once", () => {
  for (const endpoint of ["127.0.0.1:7788", "ftp://host", "http://host/?a=b", ""]) {
    assert.throws(() => createClient({ endpoint, credentials }), TypeError, endpoint);
  }
});
