import assert from "node:assert/strict";
import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { nodeCrypto } from "../../src/client/call/node-crypto.ts";
import { SessionTokens } from "../../src/identity/session-tokens.ts";
import { SignatureVerifier } from "../../src/identity/signature-verifier.ts";
import type { AccountId } from "../../src/model/ids.ts";
import { authenticate, declaredPayloadHash } from "../../src/server/access/authenticate.ts";
import { type RequestHead, readRequestHead } from "../../src/server/http/raw-request.ts";
import {
  canonicalRequest,
  deriveSigningKey,
  parseAuthorization,
  stringToSign,
} from "../../src/wire/signature.ts";
import { pick, seededFraction } from "../support/property.ts";
import { findPythonTools } from "../support/python.ts";
import { exchange, type RawRequest, type Target } from "../support/raw-http.ts";
import { oneSecret } from "../support/secrets.ts";
import { startService } from "../support/service.ts";
import {
  type Plain,
  randomHeaders,
  randomQuery,
  randomText,
  show,
} from "../support/signing/random-requests.ts";
import {
  BotocoreSigner,
  type Sign,
  signWithOurs,
  signWithSmithy,
} from "../support/signing/signers.ts";
import {
  awsCAuthVectors,
  botocoreVectors,
  canonicalPath,
  type Expected,
  headerMap,
  parseVectorRequest,
} from "../support/signing/vectors.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/** AWS's vectors are of one moment, key, region and service. */
const NOW: Clock = { ...systemClock, nowMs: () => Date.UTC(2015, 7, 30, 12, 36, 0) };
const KEY = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  account: "111122223333" as AccountId,
  active: true,
  policy: undefined,
  createdAtMs: 0,
};
const SCOPE = { date: "20150830", region: "us-east-1", service: "service" };
const DATE_TIME = "20150830T123600Z";

scorecard({
  number: 16,
  name: "signatures that are right are taken",
  goal:
    "76 of 76 vectors of aws-c-auth and 34 of 34 of botocore; of 100,000 random requests by " +
    "three signers, none refused",
  peer: "botocore leaves out 4 of its 34",
  async run(run) {
    const vectors = await runVectors();
    const random = await runRandom(run);
    return `${vectors}; ${random}`;
  },
});

async function runVectors(): Promise<string> {
  const counts = { aws: 0, botocore: 0, whole: 0, outside: 0 };
  for (const { name, context, header, query } of awsCAuthVectors()) {
    assert.deepEqual([context.region, context.service], [SCOPE.region, SCOPE.service], name);
    await checkHeaderVector(name, header, { normalize: context.normalize, counts });
    checkQueryVector(name, query, context.normalize);
    counts.aws += 2;
  }
  for (const { name, authorization, ...expected } of botocoreVectors()) {
    const signature = /Signature=([0-9a-f]{64})$/.exec(authorization)?.[1] ?? "";
    // Botocore itself compares with `authorization`; one signed request carries another signature.
    const header = `Authorization: ${authorization}`;
    const signedRequest = expected.signedRequest.replace(/^Authorization:.*$/m, header);
    const whole = { ...expected, signature, signedRequest };
    await checkHeaderVector(name, whole, { normalize: true, counts });
    counts.botocore += 1;
  }
  return (
    `${counts.aws} of 76 vectors of aws-c-auth, ${counts.botocore} of 34 of botocore ` +
    `(${counts.whole} through the whole verifier; ${counts.outside} are outside HTTP)`
  );
}

interface VectorCounts {
  whole: number;
  outside: number;
}

async function checkHeaderVector(
  name: string,
  expected: Expected,
  { normalize, counts }: { readonly normalize: boolean; readonly counts: VectorCounts },
): Promise<void> {
  const request = parseVectorRequest(expected.signedRequest);
  const headers = headerMap(request.headers);
  const authorization = parseAuthorization(headers.get("authorization") ?? "");
  assert.ok(typeof authorization === "object", `${name}: ${authorization}`);
  const path = canonicalPath(request.path, normalize);
  const payloadHash = hash("sha256", request.body, "hex");
  const { signedHeaders } = authorization;
  const canonical = canonicalRequest({ ...request, path, headers }, signedHeaders, payloadHash);
  assert.equal(canonical, expected.canonicalRequest, name);
  checkSignature(name, canonical, expected);
  assert.equal(authorization.signature, expected.signature, name);
  if (request.isOutsideHttp) counts.outside += 1;
  // A token of AWS is none of ours, and a path that has a shorter form is taken by nobody here.
  const isShortest = canonicalPath(request.path, true) === request.path;
  if (request.isOutsideHttp || !isShortest || headers.has("x-amz-security-token")) return;
  const parts = {
    verifier: new SignatureVerifier(async () => KEY),
    clock: NOW,
    region: SCOPE.region,
  };
  const raw = { method: request.method, target: targetOf(request), headers: request.headers };
  const principal = await authenticate(parts, headOf(raw), { service: SCOPE.service, payloadHash });
  assert.equal(principal.accessKeyId, KEY.accessKeyId, name);
  counts.whole += 1;
}

function checkQueryVector(name: string, expected: Expected, normalize: boolean): void {
  const { method, path, query, headers, body } = parseVectorRequest(expected.signedRequest);
  const signed = query.split("&").filter((pair) => !pair.startsWith("X-Amz-Signature="));
  const names = new URLSearchParams(query).get("X-Amz-SignedHeaders")?.split(";") ?? [];
  const request = { method, path: canonicalPath(path, normalize), query: signed.join("&") };
  const payloadHash = hash("sha256", body, "hex");
  const whole = { ...request, headers: headerMap(headers) };
  const canonical = canonicalRequest(whole, names, payloadHash);
  // A token left out of the signature is added to the query afterwards.
  const unsigned = { ...whole, query: signed.filter(isNoToken).join("&") };
  const isWithout = !expected.canonicalRequest.includes("X-Amz-Security-Token");
  const actual = isWithout ? canonicalRequest(unsigned, names, payloadHash) : canonical;
  assert.equal(actual, expected.canonicalRequest, `${name} in the query`);
  checkSignature(`${name} in the query`, actual, expected);
}

function isNoToken(pair: string): boolean {
  return !pair.startsWith("X-Amz-Security-Token=");
}

function checkSignature(name: string, canonical: string, expected: Expected): void {
  const text = stringToSign(DATE_TIME, SCOPE, nodeCrypto.sha256Hex(canonical));
  assert.equal(text, expected.stringToSign, name);
  const key = deriveSigningKey(KEY.secretAccessKey, SCOPE, nodeCrypto);
  assert.equal(nodeCrypto.hmacHex(key, text), expected.signature, name);
}

function targetOf({ path, query }: { readonly path: string; readonly query: string }): string {
  return query === "" ? path : `${path}?${query}`;
}

/** The head as the service reads it, as if Node's parser had met these bytes. */
function headOf({ method, target, headers }: Omit<RawRequest, "body">): RequestHead {
  const rawHeaders = headers.flatMap(([name, value]) => [name, latin1(value).trim()]);
  const line = { method, url: target, httpVersionMajor: 1, httpVersion: "1.1" };
  return readRequestHead({ ...line, rawHeaders } as unknown as IncomingMessage);
}

function latin1(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

/** Requests signed at once by the process that runs botocore. */
const BATCH = 250;

async function runRandom(run: ScorecardRun): Promise<string> {
  const service = await startService(run);
  const fraction = seededFraction(run.seed);
  const tools = await findPythonTools();
  const botocore = typeof tools === "string" ? undefined : new BotocoreSigner(tools.python);
  if (botocore) run.after(() => botocore.close());
  else run.say(`two signers only: ${String(tools)}`);
  const signers: Sign[] = [signWithSmithy, signWithOurs];
  const total = run.count(100_000, 1_500);
  const overHttp = run.count(6_000, 150);
  const verify = verifierOf(service);
  let [count, sent] = [0, 0];
  while (count < total) {
    const target = count % 3 === 0 ? verify.session : service;
    const manner = { declaresHash: fraction() < 0.5 };
    const plains = Array.from({ length: BATCH }, () => randomRequest(fraction));
    const [byBotocore, others] = [plains.splice(0, botocore ? BATCH / 3 : 0), plains];
    const signed = (await botocore?.signAll(target, byBotocore, manner)) ?? [];
    for (const [i, plain] of others.entries()) {
      const sign = signers[i % signers.length] as Sign;
      signed.push(await sign(target, plain, manner));
    }
    for (const raw of signed) await verify.check(raw);
    for (const raw of signed.filter(({ method }) => method === "GET")) {
      if (sent >= overHttp || target !== service) break;
      const { status, text } = await exchange(service, raw);
      assert.equal(status, 404, `${text}\n${show(raw)}`);
      sent += 1;
    }
    count += signed.length;
  }
  const by = botocore ? "3 signers" : "2 signers";
  return `${count} random requests by ${by}, ${sent} of them over HTTP as well: 0 refused`;
}

/** The service's own verification of a head and a body, with a session beside the access key. */
function verifierOf(service: Target) {
  const clock = systemClock;
  const sessions = new SessionTokens(oneSecret(), { clock, random: systemRandom });
  const key = { ...KEY, ...service.firstKey.key };
  const minted = sessions.mint({
    parentAccessKeyId: key.accessKeyId,
    ...{ account: key.account, kind: "user", name: "", policies: [], durationSeconds: 3_600 },
  });
  assert.ok(minted);
  const verifier = new SignatureVerifier(async () => key, sessions);
  const parts = { verifier, clock, region: service.region };
  const { accessKeyId, secretAccessKey, sessionToken } = minted;
  const session: Target = {
    ...service,
    firstKey: { key: { accessKeyId, secretAccessKey, sessionToken } },
  };
  const check = async (raw: RawRequest) => {
    const head = headOf(raw);
    const payloadHash = declaredPayloadHash(head) ?? hash("sha256", raw.body, "hex");
    try {
      await authenticate(parts, head, { service: "ebs", payloadHash });
    } catch (error) {
      assert.fail(`refused: ${String(error)}\n${show(raw)}`);
    }
  };
  return { session, check };
}

function randomRequest(fraction: () => number): Plain {
  const headers = randomHeaders(fraction);
  const path = `/snapshots/snap-0${pick(fraction, 2 ** 31).toString(16)}`;
  if (fraction() < 0.3) {
    headers["content-type"] = "application/json";
    const body = Buffer.from(JSON.stringify({ Description: randomText(fraction, 200) }));
    return { method: "POST", path: "/snapshots", query: {}, headers, body };
  }
  if (fraction() < 0.3) {
    headers["x-amz-checksum"] = Buffer.from(randomText(fraction, 40)).toString("base64");
    const body = Buffer.alloc(1 + pick(fraction, 2_000), randomText(fraction, 20) || "x");
    const index = pick(fraction, 2_048);
    return { method: "PUT", path: `${path}/blocks/${index}`, query: {}, headers, body };
  }
  const body = Buffer.alloc(0);
  return { method: "GET", path: `${path}/blocks`, query: randomQuery(fraction), headers, body };
}
