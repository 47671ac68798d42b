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
  const { signer, time, asked } = setUp();
  const sign = async () => (await signer.sign(OUTGOING)).get("x-amz-security-token");
  assert.deepEqual(await Promise.all([sign(), sign(), sign()]), ["token 1", "token 1", "token 1"]);
  time.nowMs += 54 * MINUTE_MS;
  assert.equal(await sign(), "token 1");
  time.nowMs += 2 * MINUTE_MS;
  const renewed = await Promise.all(Array.from({ length: 20 }, sign));
  assert.deepEqual(new Set(renewed), new Set(["token 2"]));
  assert.equal(asked.count, 2, "twenty requests at once renew them once");
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
  const time = { nowMs: 1_700_000_000_000 };
  const clock: Clock = { ...systemClock, nowMs: () => time.nowMs };
  const asked = { count: 0 };
  const credentials = async (): Promise<ExpiringCredentials> => {
    const number = ++asked.count;
    if (number <= failures) throw new Error("nobody is there");
    const expiration = new Date(time.nowMs + 60 * MINUTE_MS);
    const key = { accessKeyId: `ASIA${number}`, secretAccessKey: "secret" };
    return { ...key, sessionToken: `token ${number}`, expiration };
  };
  return {
    signer: new Signer({ region: "r", clock, credentials, crypto: nodeCrypto }),
    time,
    asked,
  };
}
