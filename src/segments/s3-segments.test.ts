import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { seededBytes } from "../../test/support/property.ts";
import { newBucket, openBucket, s3Engine, s3EngineNames, whyNoS3 } from "../../test/support/s3.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { UnavailableError } from "../base/unavailable.ts";
import { Bucket, type BucketAddress } from "./bucket.ts";
import { S3Segments } from "./s3-segments.ts";
import { segmentStoreSuite } from "./segment-store.suite.ts";
import { RangeMissingError } from "./segment-store.ts";

const skip = whyNoS3();
const parts = { clock: systemClock, random: systemRandom };

function segmentsOn(bucket: Bucket, numbers: { next: number }): S3Segments {
  return new S3Segments({ ...parts, bucket, nextNumber: async () => numbers.next++ });
}

if (skip) test("S3Segments on a real engine", { skip }, () => {});
// What is given by its address has no name here.
const engines = s3EngineNames();
for (const name of skip || engines.length > 0 ? engines : [undefined]) {
  segmentStoreSuite(`S3Segments on ${name ?? "the engine given"}`, async (t) => {
    const address = await newBucket(await s3Engine(name));
    const numbers = { next: 1 };
    let store = segmentsOn(await openBucket(address), numbers);
    t.after(() => store.close());
    const reopen = async () => {
      await store.close();
      store = segmentsOn(await openBucket(address), numbers);
      return store;
    };
    return { store, reopen };
  });
}

const SECRET = "thesecretthatnobodymayeversee0000000000";
const PLACE = { segment: 1, offset: 16, length: 10 };

test("a segment is written with its header, signed, and only where there is none", async (t) => {
  const { store, requests } = await faulty(t, (_, res) => answerPut(res));
  const [placement] = await store.append([[Buffer.from("abc")]]);
  assert.deepEqual(placement, { segment: 1, offset: 16, length: 3 });
  const [request] = requests;
  assert.equal(request?.url, "/bucket/store/segments/0000000001.segment?x-id=PutObject");
  assert.equal(request?.headers["if-none-match"], "*");
  assert.match(String(request?.headers["x-amz-content-sha256"]), /^[0-9a-f]{64}$/);
  assert.equal(request?.headers["x-amz-server-side-encryption"], undefined);
  assert.equal(request?.body.toString("hex"), "56415256455345470100000001000000616263");
});

test("server-side encryption is asked for where it is wished", async (t) => {
  const encrypted = { encryption: "aws:kms", encryptionKeyId: "key-1" } as const;
  const { store, requests } = await faulty(t, (_, res) => answerPut(res), encrypted);
  await store.append([[Buffer.from("abc")]]);
  assert.equal(requests[0]?.headers["x-amz-server-side-encryption"], "aws:kms");
  assert.equal(requests[0]?.headers["x-amz-server-side-encryption-aws-kms-key-id"], "key-1");
});

test("a write of which nobody knows how it ended leaves its number for good", async (t) => {
  const stored = new Map<string, Buffer>();
  const { store, requests } = await faulty(t, (request, res) => {
    // The first is stored and its answer lost.
    stored.set(request.url, request.body);
    if (requests.length === 1) res.destroy();
    else answerPut(res);
  });
  const [placement] = await store.append([[Buffer.from("abc")]]);
  assert.equal(placement?.segment, 2);
  assert.equal(stored.size, 2, "each attempt has a name of its own");
});

test("a number that another has written under is left to it", async (t) => {
  const { store, requests } = await faulty(t, (_, res) => {
    if (requests.length === 1) answerError(res, 412, "PreconditionFailed");
    else answerPut(res);
  });
  assert.equal((await store.append([[Buffer.from("abc")]]))[0]?.segment, 2);
});

test("an engine without conditional writes is asked without them from then on", async (t) => {
  const { store, requests } = await faulty(t, ({ headers }, res) => {
    if (headers["if-none-match"]) answerError(res, 501, "NotImplemented");
    else answerPut(res);
  });
  await store.append([[Buffer.from("a")]]);
  await store.append([[Buffer.from("b")]]);
  assert.deepEqual(
    requests.map(({ headers }) => headers["if-none-match"]),
    ["*", undefined, undefined],
  );
});

test("an answer without an entity tag is no acknowledgement", async (t) => {
  const { store } = await faulty(t, (_, res) => res.end());
  await assert.rejects(store.append([[Buffer.from("abc")]]), UnavailableError);
});

test("what keeps failing is unavailable, after a few attempts, and tells no secret", async (t) => {
  const { store, requests } = await faulty(t, (_, res) => answerError(res, 503, "SlowDown"));
  const isUnavailable = (error: unknown) => {
    assert.ok(error instanceof UnavailableError);
    assert.match(error.message, /s3:\/\/bucket\/store\/: cannot .* SlowDown.*\(HTTP 503\)/);
    assert.ok(!JSON.stringify(Object.entries(error)).includes(SECRET));
    assert.equal(error.cause, undefined);
    return true;
  };
  await assert.rejects(store.append([[Buffer.from("abc")]]), isUnavailable);
  assert.equal(requests.length, 3);
  await assert.rejects(store.read(PLACE), isUnavailable);
  assert.equal(requests.length, 7);
  await assert.rejects(store.list(), isUnavailable);
  await assert.rejects(store.remove(1), isUnavailable);
});

for (const [why, status, code] of [
  ["its bucket is missing", 404, "NoSuchBucket"],
  ["something else answers 404", 404, "PageNotFound"],
  ["the engine refuses", 403, "AccessDenied"],
] as const) {
  test(`a segment is not said to be missing when ${why}`, async (t) => {
    const { store, requests } = await faulty(t, (_, res) => answerError(res, status, code));
    await assert.rejects(store.read(PLACE), UnavailableError);
    assert.equal(requests.length, 1, "asking again would not help");
  });
}

test("a segment is missing when the engine says so, and a range when it lies beyond", async (t) => {
  const { store } = await faulty(t, ({ url }, res) => {
    const isRange = url.includes("0000000002");
    answerError(res, isRange ? 416 : 404, isRange ? "InvalidRange" : "NoSuchKey");
  });
  await assert.rejects(store.read(PLACE), RangeMissingError);
  await assert.rejects(store.read({ ...PLACE, segment: 2 }), RangeMissingError);
});

test("a body that breaks off is asked for again, and never answered in part", async (t) => {
  const bytes = seededBytes("body", 10);
  const { store, requests } = await faulty(t, (_, res) => {
    res.writeHead(206, { "content-range": "bytes 16-25/26", "content-length": 10 });
    if (requests.length > 2) return res.end(bytes);
    return res.write(bytes.subarray(0, 4), () => res.destroy());
  });
  assert.deepEqual(Buffer.from(await store.read(PLACE)), Buffer.from(bytes));
  assert.equal(requests.length, 3);
});

test("an engine that ignores ranges is not believed", async (t) => {
  const { store } = await faulty(t, (_, res) => res.writeHead(200).end(Buffer.alloc(100)));
  await assert.rejects(store.read(PLACE), /another range was answered/);
  const { store: other } = await faulty(t, (_, res) =>
    res.writeHead(206, { "content-range": "bytes 0-9/26" }).end(Buffer.alloc(10)),
  );
  await assert.rejects(other.read(PLACE), /another range was answered/);
});

test("a listing that stops in the middle is no listing", async (t) => {
  const { store } = await faulty(t, (_, res) =>
    res.end(`<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`),
  );
  await assert.rejects(store.list(), /listed in part only/);
});

test("an engine that takes connections and says nothing is given up in time", async (t) => {
  const { store } = await faulty(t, () => undefined, { clock: hurried(20) });
  const startMs = performance.now();
  await Promise.all([
    assert.rejects(store.read(PLACE), /no answer in 10 s/),
    assert.rejects(store.append([[Buffer.from("abc")]]), UnavailableError),
    // More than are asked at once: those in line wait no longer than the others.
    ...Array.from({ length: 200 }, () => assert.rejects(store.read(PLACE), UnavailableError)),
  ]);
  assert.ok(performance.now() - startMs < 8_000);
});

async function faulty(
  t: TestContext,
  respond: (request: Received, res: ServerResponse) => unknown,
  given: Partial<BucketAddress> & { readonly clock?: Clock } = {},
) {
  const { clock = systemClock, ...address } = given;
  const requests: Received[] = [];
  const server = createServer((req, res) => {
    void receive(req).then((request) => {
      requests.push(request);
      respond(request, res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const credentials = { accessKeyId: "KEY", secretAccessKey: SECRET };
  const endpoint = `http://127.0.0.1:${port}`;
  const whole = { bucket: "bucket", prefix: "store/", region: "r", endpoint, credentials };
  const bucket = await Bucket.open({ ...whole, ...address }, { ...parts, clock });
  let next = 1;
  const store = new S3Segments({ ...parts, clock, bucket, nextNumber: async () => next++ });
  t.after(async () => {
    await store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, requests };
}

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

async function receive(req: IncomingMessage): Promise<Received> {
  const { method = "", url = "", headers } = req;
  const pieces: Uint8Array[] = [];
  for await (const piece of req) pieces.push(piece as Uint8Array);
  return { method, url, headers, body: Buffer.concat(pieces) };
}

function answerPut(res: ServerResponse): void {
  res.writeHead(200, { etag: '"whatever"' }).end();
}

function answerError(res: ServerResponse, status: number, code: string): void {
  res.writeHead(status).end(`<Error><Code>${code}</Code><Message>told</Message></Error>`);
}

/** A clock on which everything waits only so many times less. */
function hurried(times: number): Clock {
  const sleep = (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / times, signal);
  return { ...systemClock, sleep };
}
