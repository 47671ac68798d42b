import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { formatSigningTime, UNSIGNED_PAYLOAD } from "../../src/wire/signature.ts";
import { checksumOfBlock } from "../support/blocks.ts";
import {
  actionParts,
  blockToken,
  complete,
  getParts,
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
  exchange,
  type HeaderLine,
  type RawRequest,
  type RawResponse,
  type Signing,
  sign,
  withHeaders,
} from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/* Who may come in: only requests whose signature covers what was received, and nothing else. */

const service = await startService({ after });
const block = blockContents(1);
const snapshot = await snapshotOf(service, new Map([[0, block]]));
const reading = listParts(snapshot);
const { accessKeyId, secretAccessKey } = service.firstKey.key;

const MINUTE_MS = 60_000;
const inMinutes = (minutes: number): Signing => ({
  dateTime: formatSigningTime(Date.now() + minutes * MINUTE_MS),
});

/** Asserts status and code of a refusal; answers its message. */
function assertRefused(response: RawResponse, status: number, code: string): string {
  const [type] = (response.header("x-amzn-ErrorType") ?? "").split(":");
  assert.deepEqual([response.status, type], [status, code], response.text);
  assert.match(response.header("x-amzn-RequestId") ?? "", /^[0-9a-f-]{36}$/);
  return (JSON.parse(response.text) as { message: string }).message;
}

function changeAuthorization(change: (value: string) => string | undefined): RawRequest {
  const request = sign(service, reading);
  const value = request.headers.find(([name]) => name === "authorization")?.[1] ?? "";
  return withHeaders(request, { authorization: change(value) });
}

/** The request with one more header line, after all others. */
function andHeader(request: RawRequest, ...line: HeaderLine): RawRequest {
  return { ...request, headers: [...request.headers, line] };
}

describe("An Authorization header", () => {
  test("that is missing is a missing token", async () => {
    const response = await exchange(
      service,
      changeAuthorization(() => undefined),
    );
    const message = assertRefused(response, 403, "MissingAuthenticationTokenException");
    assert.equal(message, "Missing Authentication Token");
  });

  const malformed: readonly [string, (value: string) => string][] = [
    ["of another scheme", () => "Basic dXNlcjpwYXNz"],
    ["of Signature Version 2", () => "AWS AKIAEXAMPLE:c2lnbmF0dXJl"],
    ["of another algorithm", (value) => value.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")],
    ["of the asymmetric algorithm", (value) => value.replace("HMAC", "ECDSA-P256")],
    ["without a credential", (value) => value.replace(/Credential=[^,]+, /, "")],
    ["without signed headers", (value) => value.replace(/SignedHeaders=[^,]+, /, "")],
    ["without a signature", (value) => value.replace(/, Signature=.+/, "")],
    ["with an empty signature", (value) => value.replace(/Signature=.+/, "Signature=")],
    ["with a credential of four parts", (value) => value.replace("/aws4_request", "")],
    ["with a credential of six parts", (value) => value.replace("/aws4_request", "/ebs$&")],
    ["with another terminator", (value) => value.replace("aws4_request", "aws5_request")],
    ["with a short signature", (value) => value.slice(0, -1)],
    ["with a long signature", (value) => `${value}0`],
    ["with a signature that is no hexadecimal", (value) => `${value.slice(0, -1)}g`],
    ["with a signature given twice", (value) => `${value}, Signature=${"0".repeat(64)}`],
    ["with a field that has no value", (value) => `${value}, Extra`],
  ];
  for (const [title, change] of malformed) {
    test(`${title} is incomplete`, async () => {
      const response = await exchange(service, changeAuthorization(change));
      assertRefused(response, 400, "IncompleteSignatureException");
    });
  }

  test("given with X-Amz-Date missing is incomplete", async () => {
    const request = withHeaders(sign(service, reading), { "x-amz-date": undefined });
    assertRefused(await exchange(service, request), 400, "IncompleteSignatureException");
  });

  for (const dateTime of ["2026-01-01T00:00:00Z", "20261341T000000Z", "now"]) {
    test(`given with X-Amz-Date ${dateTime} is refused`, async () => {
      const response = await send(service, reading, { dateTime });
      assert.ok(response.status === 400 || response.status === 403, response.text);
    });
  }
});

describe("A signature", () => {
  const wrong: readonly [string, Signing][] = [
    ["made with another secret", { credentials: { accessKeyId, secretAccessKey: "wrong" } }],
    ["made for another region", { region: "eu-west-1" }],
    ["made for another service", { service: "s3" }],
    ["made for EC2 on an EBS path", { service: "ec2" }],
    ["made for another host", { host: "ebs.us-east-1.amazonaws.com" }],
    ["made 16 minutes ago", inMinutes(-16)],
    ["made 16 minutes from now", inMinutes(16)],
  ];
  for (const [title, changes] of wrong) {
    test(`${title} is refused`, async () => {
      const request = withHeaders(sign(service, reading, changes), {
        host: new URL(service.endpoint).host,
      });
      assertRefused(await exchange(service, request), 403, "InvalidSignatureException");
    });
  }

  test("that has expired says when, and by how much", async () => {
    const message = JSON.parse((await send(service, reading, inMinutes(-20))).text).message;
    const time = "\\d{8}T\\d{6}Z";
    const pattern = `^Signature expired: ${time} is now earlier than ${time} \\(${time} - 15 min`;
    assert.match(message, new RegExp(pattern));
  });

  test("made by an unknown key is refused as such", async () => {
    const credentials = { accessKeyId: "AKIAUNKNOWNUNKNOWN22", secretAccessKey };
    const response = await send(service, reading, { credentials });
    const message = assertRefused(response, 403, "UnrecognizedClientException");
    assert.equal(message, "The security token included in the request is invalid.");
  });

  test("with a session token that was never issued is refused", async () => {
    const credentials = { accessKeyId, secretAccessKey, sessionToken: "IQoJb3JpZ2luX2Vj" };
    const response = await send(service, reading, { credentials });
    assertRefused(response, 403, "UnrecognizedClientException");
  });

  test("whose scope has another date than X-Amz-Date is refused", async () => {
    const request = changeAuthorization((value) => value.replace(/\/\d{8}\//, "/20200101/"));
    assertRefused(await exchange(service, request), 403, "InvalidSignatureException");
  });

  test("made up to 14 minutes ago or from now is taken", async () => {
    for (const minutes of [-14, 14]) {
      assert.equal((await send(service, reading, inMinutes(minutes))).status, 200);
    }
  });

  test('made for the region "local" is taken, for clients that have no other', async () => {
    assert.equal((await send(service, reading, { region: "local" })).status, 200);
  });

  test("made by a key that was taken away is refused", async (t) => {
    const keyPair = { accessKeyId: "AKIAGIVENGIVENGIVEN2", secretAccessKey: "given" };
    const own = await startService(t, { keyPair });
    assert.equal((await send(own, listParts("snap-0ffffffffffffffff"))).status, 404);
    const other = { ...service.firstKey.key };
    const response = await send(own, reading, { credentials: other });
    assertRefused(response, 403, "UnrecognizedClientException");
  });

  test("for EC2 and STS is refused in the words of each", async () => {
    const credentials = { accessKeyId, secretAccessKey: "wrong" };
    const action = actionParts("GetCallerIdentity");
    const ec2 = await send(service, action, { service: "ec2", credentials });
    assert.equal(ec2.status, 401);
    assert.match(ec2.text, /<Code>AuthFailure<\/Code>/);
    const sts = await send(service, action, { service: "sts", credentials });
    assert.equal(sts.status, 403);
    assert.match(sts.text, /<Code>SignatureDoesNotMatch<\/Code>/);
  });
});

describe("Headers", () => {
  test("x-amz-* that are not signed are refused by name", async () => {
    const request = andHeader(sign(service, reading), "x-amz-progress", "1");
    const message = assertRefused(
      await exchange(service, request),
      403,
      "InvalidSignatureException",
    );
    assert.match(message, /x-amz-progress/);
  });

  test("without Host among the signed ones are refused", async () => {
    const request = changeAuthorization((value) => value.replace("host;", ""));
    assertRefused(await exchange(service, request), 403, "InvalidSignatureException");
  });

  test("other than x-amz-* may come unsigned", async () => {
    const request = andHeader(sign(service, reading), "user-agent", "anything/1.0");
    assert.equal((await exchange(service, request)).status, 200);
  });

  const putting = () => sign(service, putParts({ snapshotId: snapshot, blockIndex: 0 }, block));
  for (const name of ["authorization", "host", "x-amz-date", "x-amz-checksum"]) {
    for (const kind of ["the same", "another"]) {
      test(`${name} given twice with ${kind} value is refused`, async () => {
        const request = putting();
        const value = request.headers.find(([header]) => header === name)?.[1] ?? "";
        const second = kind === "another" ? `${value.slice(0, -1)}0` : value;
        const response = await exchange(service, andHeader(request, name.toUpperCase(), second));
        assertRefused(response, 400, "MalformedRequestException");
      });
    }
  }

  test("content-length given twice are refused", async () => {
    const response = await exchange(service, andHeader(putting(), "Content-Length", "524288"));
    assert.equal(response.status, 400);
    assert.equal(response.header("Connection"), "close");
  });

  test("no Host at all are refused", async () => {
    const request = withHeaders(sign(service, reading), { host: undefined });
    assert.equal((await exchange(service, request)).status, 400);
  });
});

describe("A signature in the query", () => {
  const query = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${accessKeyId}/20260101/us-east-1/ebs/aws4_request`,
    "X-Amz-Date": "20260101T000000Z",
    "X-Amz-Expires": "3600",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": "0".repeat(64),
  };

  test("is refused", async () => {
    const { headers, ...parts } = sign(service, listParts(snapshot, query));
    const host = headers.filter(([name]) => name === "host");
    const response = await exchange(service, { ...parts, headers: host });
    assertRefused(response, 400, "IncompleteSignatureException");
  });

  test("is refused beside a good one in the header, too", async () => {
    const response = await send(service, listParts(snapshot, query));
    assertRefused(response, 400, "IncompleteSignatureException");
  });

  test("is refused with its names percent-encoded, too", async () => {
    const parts = sign(service, reading);
    const target = `${parts.target}?X%2DAmz%2DSignature=${"0".repeat(64)}`;
    const { headers } = withHeaders(parts, { authorization: undefined });
    const response = await exchange(service, { ...parts, target, headers });
    assert.ok(response.status === 400 || response.status === 403, response.text);
  });
});

describe("The payload", () => {
  const putting = (snapshotId: string, payloadHash?: string, bytes = block) =>
    sign(service, putParts({ snapshotId, blockIndex: 0 }, bytes), {
      ...(payloadHash === undefined ? {} : { payloadHash }),
    });

  for (const payloadHash of [
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "unsigned-payload",
    "UNSIGNED-PAYLOAD ,x",
    "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
  ]) {
    test(`declared as ${payloadHash} is refused`, async () => {
      const response = await exchange(service, putting(snapshot, payloadHash));
      assertRefused(response, 400, "InvalidRequestException");
    });
  }

  test("may be left unsigned where a block is put: its checksum binds it", async () => {
    const snapshotId = await start(service);
    const unsigned = await exchange(service, putting(snapshotId, UNSIGNED_PAYLOAD));
    assert.equal(unsigned.status, 201, unsigned.text);
    const request = putting(snapshotId, UNSIGNED_PAYLOAD);
    const tampered = await exchange(service, { ...request, body: blockContents(2) });
    assertRefused(tampered, 403, "InvalidSignatureException");
  });

  test("may not be left unsigned anywhere else", async () => {
    const started = startParts({ VolumeSize: 1 });
    for (const parts of [started, reading, actionParts("DescribeSnapshots")]) {
      const service_ = parts.path === "/" ? "ec2" : "ebs";
      const signing = { payloadHash: UNSIGNED_PAYLOAD, service: service_ };
      const { status, text } = await send(service, parts, signing);
      assert.equal(status, 400, text);
      assert.match(text, /x-amz-content-sha256/);
    }
  });

  test("that is not the one declared is refused, and stores nothing", async () => {
    const snapshotId = await start(service);
    await put(service, snapshotId, new Map([[0, block]]));
    const bytes = blockContents(2);
    const declared = putting(snapshotId, undefined, block);
    const tampered = await exchange(service, { ...declared, body: bytes });
    assert.ok(tampered.status === 400 || tampered.status === 403, tampered.text);
    const bound = sign(
      service,
      putParts({ snapshotId, blockIndex: 1 }, bytes, { "x-amz-checksum": checksumOfBlock(bytes) }),
      { payloadHash: "0".repeat(64) },
    );
    assertRefused(await exchange(service, bound), 400, "InvalidRequestException");
    assert.equal(await complete(service, snapshotId, 1), "completed");
    assert.deepEqual((await list(service, snapshotId)).Blocks.length, 1);
  });

  test("of a StartSnapshot that was tampered with starts nothing", async () => {
    const request = sign(service, startParts({ VolumeSize: 1, Description: "tampered-1" }));
    const body = Buffer.from(request.body.toString().replace("tampered-1", "tampered-2"));
    const response = await exchange(service, { ...request, body });
    assertRefused(response, 400, "InvalidRequestException");
    const described = await send(service, actionParts("DescribeSnapshots"), { service: "ec2" });
    assert.doesNotMatch(described.text, /tampered/);
  });
});

describe("A request that is refused", () => {
  test("is refused before its path is looked at", async () => {
    const parts = { method: "GET", path: "/nothing/here" };
    const credentials = { accessKeyId, secretAccessKey: "wrong" };
    const response = await send(service, parts, { credentials });
    assertRefused(response, 403, "InvalidSignatureException");
  });

  test("leaves no trace in what is described", async () => {
    const credentials = { accessKeyId, secretAccessKey: "wrong" };
    await send(service, startParts({ VolumeSize: 1, Description: "forged" }), { credentials });
    const described = await send(service, actionParts("DescribeSnapshots"), { service: "ec2" });
    assert.doesNotMatch(described.text, /forged/);
  });
});

describe("A token in the query", () => {
  test("may hold a plus sign as it stands: it comes from base64, not from a space", async () => {
    let token = "";
    while (!token.includes("+")) token = await blockToken(service, snapshot, 0);
    const signed = sign(service, getParts(snapshot, 0, token));
    assert.equal((await exchange(service, signed)).status, 200);
    const target = signed.target.replaceAll("%2B", "+");
    const response = await exchange(service, { ...signed, target });
    assert.equal(response.status, 200, response.text);
  });

  test("may be written with lower-case escapes or without any", async () => {
    const token = await blockToken(service, snapshot, 0);
    const signed = sign(service, getParts(snapshot, 0, token));
    for (const target of [
      signed.target.replace(/%[0-9A-F]{2}/g, (text) => text.toLowerCase()),
      signed.target.replaceAll("%2F", "/").replaceAll("%3D", "="),
    ]) {
      assert.equal((await exchange(service, { ...signed, target })).status, 200);
    }
  });
});
