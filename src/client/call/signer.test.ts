import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, systemClock } from "../../base/clock.ts";
import { request } from "../../wire/message.ts";
import { nodeCrypto } from "./node-crypto.ts";
import { type ExpiringCredentials, Signer } from "./signer.ts";

const MINUTE_MS = 60_000;
const OUTGOING = {
  request: request({ method: "GET", path: "/" }),
  service: "ebs",
  host: "h",
  isBlock: false,
};

test("temporary credentials are asked for once, and again before they end", async () => {
  const { signer, pass, asked } = setUp();
  const sign = async () => (await signer.sign(OUTGOING)).get("x-amz-security-token");
  assert.deepEqual(await Promise.all([sign(), sign(), sign()]), ["token 1", "token 1", "token 1"]);
  await pass(54 * MINUTE_MS);
  assert.equal(await sign(), "token 1");
  await pass(2 * MINUTE_MS);
  const still = await Promise.all(Array.from({ length: 20 }, sign));
  assert.deepEqual(new Set(still), new Set(["token 1"]), "nobody waits while they are good");
  assert.equal(await sign(), "token 2");
  assert.equal(asked.count, 2, "twenty requests at once renew them once");
});

test("shortly before their end, and after it, requests wait for new credentials", async () => {
  for (const minutes of [59.5, 61]) {
    const { signer, pass, asked } = setUp();
    const sign = async () => (await signer.sign(OUTGOING)).get("x-amz-security-token");
    assert.equal(await sign(), "token 1");
    await pass(minutes * MINUTE_MS);
    const renewed = await Promise.all(Array.from({ length: 20 }, sign));
    assert.deepEqual(new Set(renewed), new Set(["token 2"]));
    assert.equal(asked.count, 2);
  }
});

test("credentials that are still good outlast renewals that fail", async () => {
  const { signer, pass, asked, source } = setUp();
  const sign = async () => (await signer.sign(OUTGOING)).get("x-amz-security-token");
  assert.equal(await sign(), "token 1");
  source.isFailing = true;
  for (const minutes of [56, 2.8]) {
    await pass(minutes * MINUTE_MS);
    const before = asked.count;
    for (let i = 0; i < 5; i++) {
      const all = await Promise.all(Array.from({ length: 20 }, sign));
      assert.deepEqual(new Set(all), new Set(["token 1"]));
    }
    assert.equal(asked.count, before + 1, "not for every request");
    await pass(11_000);
    assert.equal(await sign(), "token 1");
    assert.equal(asked.count, before + 2, "but again some seconds later");
    await pass(11_000);
  }
  await pass(MINUTE_MS);
  await assert.rejects(sign(), /nobody is there/, "they have ended");
  source.isFailing = false;
  assert.equal(await sign(), `token ${asked.count}`, "and are asked for at once");
});

test("a renewal that takes its time holds nothing up, and is the only one", async () => {
  const { signer, pass, asked, source } = setUp();
  const sign = async () => (await signer.sign(OUTGOING)).get("x-amz-security-token");
  await sign();
  const { promise, resolve } = Promise.withResolvers<void>();
  source.until = promise;
  await pass(56 * MINUTE_MS);
  assert.deepEqual(await Promise.all([sign(), sign()]), ["token 1", "token 1"]);
  await pass(60_000);
  assert.equal(await sign(), "token 1");
  assert.equal(asked.count, 2);
  resolve();
  await promise;
  await new Promise(setImmediate);
  assert.equal(await sign(), "token 2");
  signer.close();
});

test("the token is one of the signed headers, and the id is that of the credentials", async () => {
  const { signer } = setUp();
  const authorization = (await signer.sign(OUTGOING)).get("authorization") ?? "";
  assert.match(authorization, /Credential=ASIA1\/.*SignedHeaders=[^,]*;x-amz-security-token[;,]/);
});

test("a source that fails is asked again at the next request", async () => {
  const { signer, asked } = setUp({ failures: 1 });
  await assert.rejects(signer.sign(OUTGOING), /nobody is there/);
  assert.equal((await signer.sign(OUTGOING)).get("x-amz-security-token"), "token 2");
  assert.equal(asked.count, 2);
});

function setUp({ failures = 0 } = {}) {
  const time = { nowMs: 1_700_000_000_000, monotonicMs: 0 };
  const clock: Clock = {
    ...systemClock,
    nowMs: () => time.nowMs,
    monotonicMs: () => time.monotonicMs,
  };
  const asked = { count: 0 };
  const source = { isFailing: false, until: Promise.resolve() };
  const credentials = async (): Promise<ExpiringCredentials> => {
    const number = ++asked.count;
    if (number <= failures || source.isFailing) throw new Error("nobody is there");
    await source.until;
    const expiration = new Date(time.nowMs + 60 * MINUTE_MS);
    const key = { accessKeyId: `ASIA${number}`, secretAccessKey: "secret" };
    return { ...key, sessionToken: `token ${number}`, expiration };
  };
  const parts = { region: "r", clock, credentials, crypto: nodeCrypto };
  const pass = async (durationMs: number) => {
    // What is under way and needs no time is done before.
    await new Promise(setImmediate);
    time.nowMs += durationMs;
    time.monotonicMs += durationMs;
  };
  return { signer: new Signer(parts), pass, asked, source };
}
