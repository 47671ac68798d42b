import assert from "node:assert/strict";
import { after, afterEach, beforeEach, describe, type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  BLOCK_SIZE_BYTES,
  BODY_SIZE_BYTES_MAX,
  HEADERS_COUNT_MAX,
  PIPELINED_COUNT_MAX,
} from "../../src/model/limits.ts";
import { UNSIGNED_PAYLOAD } from "../../src/wire/signature.ts";
import {
  complete,
  completeParts,
  list,
  listParts,
  put,
  putParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import {
  encode,
  encodeHead,
  exchange,
  RawConnection,
  type RawRequest,
  type RawResponse,
  sign,
  withHeaders,
} from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { measureStored, type Stored } from "../support/stored.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* HTTP that no client of ours would send: each answered or cut off, and nothing kept of it. */

const dataDirectory = await temporaryDirectory({ after });
const service = await startService({ after }, { dataDirectory });
const completed = await snapshotOf(service, new Map([[0, blockContents(1)]]));
const snapshotId = await start(service);
await put(service, snapshotId, new Map([[0, blockContents(2)]]));

/** Contents stored nowhere yet: keeping them by mistake would show. */
const fresh = blockContents(15);
const reading = listParts(completed);
const putting = (payloadHash = UNSIGNED_PAYLOAD) =>
  sign(service, putParts({ snapshotId, blockIndex: 1 }, fresh), { payloadHash });

async function connect(t: TestContext): Promise<RawConnection> {
  const connection = await RawConnection.open(service);
  t.after(() => connection.destroy());
  return connection;
}

/** The answer to bytes that are whole from the sender's point of view. */
async function answerTo(t: TestContext, ...pieces: (Uint8Array | string)[]): Promise<RawResponse> {
  const connection = await connect(t);
  for (const piece of pieces) connection.write(piece);
  return connection.response();
}

function assertAnswered(response: RawResponse, statuses: readonly number[]): void {
  assert.ok(statuses.includes(response.status), `${response.status} ${response.text}`);
  assert.match(response.header("x-amzn-RequestId") ?? "", /^[0-9a-f-]{36}$/);
}

/** The body in pieces of a transfer whose length is not told. */
function inPieces(bytes: Uint8Array): Buffer {
  const pieces = [bytes.subarray(0, 100), bytes.subarray(100)].filter(({ length }) => length > 0);
  const lines = pieces.flatMap((piece) => [`${piece.length.toString(16)}\r\n`, piece, "\r\n"]);
  return Buffer.concat([...lines, "0\r\n\r\n"].map((part) => Buffer.from(part)));
}

function ofUntoldLength(request: RawRequest, bytes: Uint8Array): RawRequest {
  const changes = { "content-length": undefined, "transfer-encoding": "chunked" };
  return { ...withHeaders(request, changes), body: inPieces(bytes) };
}

describe("Nothing is kept of", () => {
  let before: Stored;
  beforeEach(async () => {
    before = await measureStored(service, dataDirectory);
  });
  afterEach(async () => assert.deepEqual(await measureStored(service, dataDirectory), before));

  for (const length of [0, 1, BLOCK_SIZE_BYTES - 1, BLOCK_SIZE_BYTES + 1]) {
    test(`a block of ${length} bytes whose length is not told`, async () => {
      const bytes = Buffer.alloc(length, fresh);
      const parts = putParts({ snapshotId, blockIndex: 1 }, bytes);
      const request = sign(service, parts, { payloadHash: UNSIGNED_PAYLOAD });
      const response = await exchange(service, ofUntoldLength(request, bytes));
      assertAnswered(response, [400]);
      assert.match(response.text, /Failed to read block data/);
    });
  }

  test("a block cut off in the middle by a client that goes away", async (t) => {
    const connection = await connect(t);
    connection.write(encodeHead(putting()));
    connection.write(fresh.subarray(0, 300_000));
    await setTimeout(100);
    connection.destroy();
    await setTimeout(100);
  });

  test("a block cut off by a client that still listens", async (t) => {
    const connection = await connect(t);
    connection.write(encodeHead(putting()));
    connection.write(fresh.subarray(0, 300_000));
    connection.end();
    const rest = await connection.rest();
    assert.doesNotMatch(rest.toString("latin1"), /^HTTP\/1.1 2/);
  });

  test("a block of 8 MiB, which is not even read to its end", async (t) => {
    const bytes = Buffer.alloc(8 * 1024 * 1024, fresh);
    const parts = putParts({ snapshotId, blockIndex: 1 }, bytes);
    const connection = await connect(t);
    connection.write(encode(sign(service, parts, { payloadHash: UNSIGNED_PAYLOAD })));
    const answer = await connection.response().catch(() => undefined);
    if (answer) assertAnswered(answer, [400]);
    await connection.rest();
  });

  test("a StartSnapshot of more than 256 KiB", async () => {
    const Description = "d".repeat(BODY_SIZE_BYTES_MAX);
    const response = await send(service, startParts({ VolumeSize: 1, Description }));
    assertAnswered(response, [413]);
  });

  const lines: readonly [string, (head: string) => string][] = [
    ["two lengths", (head) => head.replace("content-length", "Content-Length: 5\r\n$&")],
    [
      "a length beside a coding",
      (head) => head.replace(/^host/m, "Transfer-Encoding: chunked\r\n$&"),
    ],
    ["a length with a sign", (head) => head.replace("content-length: ", "content-length: +")],
    ["a negative length", (head) => head.replace("content-length: ", "content-length: -")],
    ["an unknown coding", (head) => head.replace(/content-length: \d+/, "transfer-encoding: x")],
    ["a space before a colon", (head) => head.replace("x-amz-date:", "x-amz-date :")],
    ["a folded line", (head) => head.replace("x-amz-date: ", "x-amz-date:\r\n ")],
    ["a NUL in a header", (head) => head.replace("x-amz-date: ", "x-amz-date: \0")],
    ["lines without a carriage return", (head) => head.replaceAll("\r\n", "\n")],
    ["a version of its own", (head) => head.replace("HTTP/1.1", "HTTP/9.9")],
    ["a method of its own", (head) => head.replace("PUT", "PUTT")],
    ["a length with a zero before it", (head) => head.replace("content-length: ", "$&0")],
    ["a trailer announced", (head) => head.replace(/^host/m, "Trailer: x-amz-checksum\r\n$&")],
  ];
  for (const [title, change] of lines) {
    test(`a put with ${title}`, async (t) => {
      const head = change(encodeHead(putting()).toString("latin1"));
      assertAnswered(await answerTo(t, head, fresh), [400, 505]);
    });
  }

  test("what is not HTTP at all", async (t) => {
    for (const bytes of [
      "\x16\x03\x01\x02\x00\x01",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "hello\r\n\r\n",
    ]) {
      assertAnswered(await answerTo(t, bytes), [400]);
    }
  });
});

describe("The request target", () => {
  const path = `/snapshots/${completed}/blocks`;
  const targets = [
    `http://127.0.0.1${path}`,
    `/snapshots/./${completed}/blocks`,
    `/snapshots/../snapshots/${completed}/blocks`,
    `/snapshots/x/../${completed}/blocks`,
    `/${path}`,
    `/snapshots//${completed}/blocks`,
    `/snapshots%2f${completed}/blocks`,
    `/%73napshots/${completed}/blocks`,
    `/snapshots/%2e%2e/${completed}/blocks`,
    `${path}%00`,
    `${path}#part`,
    `${path}?x=1#part`,
    `/snapshots\\${completed}\\blocks`,
    `${path};a=b`,
    `${path}/..`,
    "*",
    "snapshots",
  ];
  for (const target of targets) {
    test(`${target.replace(completed, "snap-…")} is refused, signed or not`, async () => {
      const [path = "", query = ""] = target.split("?");
      const request = sign(service, { method: "GET", path });
      const whole = query === "" ? path : `${path}?${query}`;
      assertAnswered(await exchange(service, { ...request, target: whole }), [400]);
    });
  }

  test("of 2,049 characters is refused with 414, and one of more than 8 KiB with 431", async () => {
    const long = (length: number) => `${path}?x=${"x".repeat(length - path.length - 3)}`;
    const request = sign(service, reading);
    assertAnswered(await exchange(service, { ...request, target: long(2_049) }), [414]);
    assertAnswered(await exchange(service, { ...request, target: long(9_000) }), [431]);
  });

  const unknown: readonly [string, string][] = [
    ["GET", "/"],
    ["GET", "/snapshots"],
    ["GET", `/snapshots/${completed}`],
    ["GET", `${path}/0/more`],
    ["GET", `${path.toUpperCase()}`],
    ["POST", path],
    ["POST", `/snapshots/completion/${snapshotId}/`],
    ["PUT", path],
    ["DELETE", `/snapshots/${completed}`],
    ["PATCH", path],
    ["OPTIONS", path],
    ["TRACE", path],
  ];
  for (const [method, path] of unknown) {
    test(`${method} ${path.replace(completed, "snap-…")} is no operation`, async () => {
      const response = await send(service, { method, path });
      assertAnswered(response, [404]);
      const [type] = (response.header("x-amzn-ErrorType") ?? "").split(":");
      assert.equal(type, "UnknownOperationException");
    });
  }

  test("of an operation never answers HEAD with a body", async (t) => {
    const connection = await connect(t);
    const request = sign(service, { ...reading, method: "HEAD" });
    connection.write(encode(withHeaders(request, { connection: "close" })));
    const answer = (await connection.rest()).toString();
    assert.match(answer, /^HTTP\/1\.1 404 .*\r\n\r\n$/s);
  });

  test("without a version of HTTP behind it is refused", async (t) => {
    const head = encodeHead(sign(service, reading)).toString().replace(" HTTP/1.1", "");
    assertAnswered(await answerTo(t, head), [400]);
  });

  test("of CONNECT ends the connection", async (t) => {
    const connection = await connect(t);
    connection.write("CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n");
    assert.doesNotMatch((await connection.rest()).toString(), /^HTTP\/1.1 2/);
  });
});

describe("The Host header", () => {
  const withHost = (host: string) => sign(service, reading, { host });
  for (const host of [
    "user@localhost",
    "localhost/path",
    "a, b",
    "a b",
    "[::1",
    "a:b",
    "?",
    "a:1:2",
  ]) {
    test(`of '${host}' is refused, signed as it is`, async () => {
      assertAnswered(await exchange(service, withHost(host)), [400]);
    });
  }

  for (const host of ["localhost", "varve_1.internal:7788", "192.0.2.1:80", "[::1]:7788"]) {
    test(`of '${host}' is taken`, async () => {
      assert.equal((await exchange(service, withHost(host))).status, 200);
    });
  }
});

describe("Too much of a good thing", () => {
  test("in one header is refused with 431", async () => {
    const request = withHeaders(sign(service, reading), { "x-long": "x".repeat(8_192) });
    const response = await exchange(service, request);
    assertAnswered(response, [431]);
    assert.equal(response.header("Connection"), "close");
  });

  test("in many headers is refused with 431", async () => {
    const request = sign(service, reading);
    const room = HEADERS_COUNT_MAX - request.headers.length;
    const withMore = (count: number) =>
      withHeaders(
        request,
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, "v"])),
      );
    assertAnswered(await exchange(service, withMore(room)), [200]);
    assertAnswered(await exchange(service, withMore(room + 1)), [431]);
    assertAnswered(await exchange(service, withMore(300)), [431]);
  });

  test("in a body is refused with 413, wherever a body is not wanted", async () => {
    for (const parts of [reading, completeParts(snapshotId, 1), { method: "POST", path: "/" }]) {
      const body = Buffer.alloc(BODY_SIZE_BYTES_MAX + 1);
      const service_ = parts.path === "/" ? "ec2" : "ebs";
      const response = await send(service, { ...parts, body }, { service: service_ });
      assertAnswered(response, [413]);
      const most = await send(service, { ...reading, body: body.subarray(1) });
      assert.equal(most.status, 200);
    }
  });

  test("in a body without end is cut off", async (t) => {
    const connection = await connect(t);
    const head = { "transfer-encoding": "chunked", "content-length": undefined };
    connection.write(encodeHead(withHeaders(sign(service, startParts({})), head)));
    const piece = Buffer.concat([
      Buffer.from("10000\r\n"),
      Buffer.alloc(65_536),
      Buffer.from("\r\n"),
    ]);
    for (let i = 0; i < 64; i++) connection.write(piece);
    const answer = await connection.response().catch(() => undefined);
    if (answer) assertAnswered(answer, [413]);
    await connection.rest();
  });
});

describe("Unusual but right", () => {
  test("requests pipelined on one connection are answered in order", async (t) => {
    const connection = await connect(t);
    const requests = [
      listParts("snap-0ffffffffffffffff"),
      reading,
      putParts({ snapshotId, blockIndex: 0 }, blockContents(2)),
      reading,
    ].map((parts) => encode(sign(service, parts)));
    connection.write(Buffer.concat(requests));
    const statuses: number[] = [];
    for (let i = 0; i < requests.length; i++) statuses.push((await connection.response()).status);
    assert.deepEqual(statuses, [404, 200, 201, 200]);
  });

  test("a put whose length is not told, in pieces, is taken", async () => {
    const bytes = blockContents(2);
    const parts = putParts({ snapshotId, blockIndex: 0 }, bytes);
    const request = sign(service, parts, { payloadHash: UNSIGNED_PAYLOAD });
    assertAnswered(await exchange(service, ofUntoldLength(request, bytes)), [201]);
  });

  test("a put that arrives slowly is taken", async (t) => {
    const connection = await connect(t);
    const bytes = blockContents(2);
    connection.write(encodeHead(sign(service, putParts({ snapshotId, blockIndex: 0 }, bytes))));
    for (let at = 0; at < bytes.length; at += 65_536) {
      await setTimeout(50);
      connection.write(bytes.subarray(at, at + 65_536));
    }
    assertAnswered(await connection.response(), [201]);
  });

  test("a put that waits for 100 Continue is asked for its block", async (t) => {
    const connection = await connect(t);
    const bytes = blockContents(2);
    const parts = putParts({ snapshotId, blockIndex: 0 }, bytes);
    const request = sign(service, parts, { payloadHash: UNSIGNED_PAYLOAD });
    connection.write(encodeHead(withHeaders(request, { expect: "100-continue" })));
    assert.equal((await connection.response()).status, 100);
    connection.write(bytes);
    assertAnswered(await connection.response(), [201]);
    connection.write(encode(sign(service, reading)));
    assert.equal((await connection.response()).status, 200);
  });

  test("a put that waits for 100 Continue hears at once of a refusal", async (t) => {
    const connection = await connect(t);
    const request = withHeaders(putting(), { expect: "100-continue", authorization: undefined });
    connection.write(encodeHead(request));
    assertAnswered(await connection.response(), [403]);
  });

  test("a put of HTTP 1.0 is never told to continue", async (t) => {
    const bytes = blockContents(2);
    const request = sign(service, putParts({ snapshotId, blockIndex: 0 }, bytes));
    const head = encodeHead(withHeaders(request, { expect: "100-continue" })).toString("latin1");
    const connection = await connect(t);
    connection.write(head.replace("HTTP/1.1", "HTTP/1.0"));
    connection.write(bytes);
    assertAnswered(await connection.response(), [201]);
  });

  test("OPTIONS * is told which methods there are, and no length", async (t) => {
    const answer = await answerTo(t, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assertAnswered(answer, [204]);
    assert.equal(answer.header("Allow"), "DELETE, GET, OPTIONS, POST, PUT");
    assert.equal(answer.header("Content-Length"), undefined);
  });

  test("any other expectation fails", async (t) => {
    const head = withHeaders(sign(service, reading), { expect: "miracles" });
    assert.equal((await answerTo(t, encode(head))).status, 417);
  });

  test("an upgrade is not taken up", async () => {
    const changes = { connection: "Upgrade", upgrade: "websocket" };
    const response = await exchange(service, withHeaders(sign(service, reading), changes));
    assert.equal(response.status, 200);
  });
});

test("More requests ahead than may wait end the connection, and are not done", async (t) => {
  const connection = await connect(t);
  const request = encode(sign(service, reading));
  connection.write(Buffer.concat(Array.from({ length: 500 }, () => request)));
  const text = (await connection.rest()).toString("latin1");
  assert.ok(text.split("HTTP/1.1 200").length <= PIPELINED_COUNT_MAX + 1);
  assert.equal((await exchange(service, sign(service, reading))).status, 200);
});

test("Requests sent ahead are answered one after another", async (t) => {
  const connection = await connect(t);
  const requests = [reading, putParts({ snapshotId, blockIndex: 0 }, blockContents(2)), reading];
  const bytes = requests.map((parts) => encode(sign(service, parts)));
  const count = Math.floor(PIPELINED_COUNT_MAX / requests.length);
  connection.write(Buffer.concat(Array.from({ length: count }, () => bytes).flat()));
  const expected = Array.from({ length: count }, () => [200, 201, 200]).flat();
  for (const status of expected) assert.equal((await connection.response()).status, status);
});

test("Whoever is refused without a valid signature has to connect anew", async (t) => {
  const connection = await connect(t);
  const request = encode(withHeaders(sign(service, reading), { authorization: undefined }));
  connection.write(Buffer.concat(Array.from({ length: PIPELINED_COUNT_MAX }, () => request)));
  const text = (await connection.rest()).toString("latin1");
  assert.equal(text.split("HTTP/1.1 ").length, 2, "one answer, and what was sent ahead has none");
  assert.match(text, /^HTTP\/1\.1 403 .*\r\nConnection: close\r\n/s);
});

test("Whoever has proved who they are keeps the connection when refused", async (t) => {
  const connection = await connect(t);
  const unknown = encode(sign(service, listParts("snap-0ffffffffffffffff")));
  for (let i = 0; i < 2; i++) {
    connection.write(unknown);
    assertAnswered(await connection.response(), [404]);
  }
});

test("An unsigned body is not asked for and not read", async (t) => {
  const request = sign(service, startParts({ VolumeSize: 1 }));
  const unsigned = withHeaders(request, { authorization: undefined, expect: "100-continue" });
  const answer = await answerTo(t, encodeHead(unsigned));
  assertAnswered(answer, [403]);
  assert.equal(answer.header("X-Content-Type-Options"), "nosniff");
});

test("A request that follows a refusal which closes the connection is not done", async (t) => {
  const ownDirectory = await temporaryDirectory(t);
  const own = await startService(t, { dataDirectory: ownDirectory });
  const refused = encode(sign(own, listParts(completed, { maxResults: 1 })));
  const started = encode(sign(own, startParts({ VolumeSize: 1 })));
  const connection = await RawConnection.open(own);
  t.after(() => connection.destroy());
  connection.write(Buffer.concat([refused, started]));
  const response = await connection.response();
  assert.deepEqual([response.status, response.header("Connection")], [400, "close"]);
  assert.equal((await connection.rest()).length, 0);
  await setTimeout(100);
  assert.equal((await measureStored(own, ownDirectory)).snapshotCount, 0);
});

test("After all of that the good block alone is counted and listed", async () => {
  assert.equal(await complete(service, snapshotId, 1), "completed");
  assert.equal((await list(service, snapshotId)).Blocks.length, 1);
});
