import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { KEY } from "../../test/support/example-key.ts";
import { printSeed, propertyRuns, seededFraction } from "../../test/support/property.ts";
import { oneSecret, rotatingSecrets } from "../../test/support/secrets.ts";
import { mutateToken } from "../../test/support/token-mutations.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { AccessKey } from "../catalog/catalog.ts";
import type { AccountId } from "../model/ids.ts";
import {
  SESSION_DURATION_SECONDS_MAX,
  SESSION_POLICY_CHARACTERS_MAX,
  SESSION_TOKEN_CHARACTERS_MAX,
} from "../model/limits.ts";
import { type SessionCredentials, type SessionInput, SessionTokens } from "./session-tokens.ts";
import { type SignatureClaim, SignatureVerifier } from "./signature-verifier.ts";

const INPUT: SessionInput = {
  parentAccessKeyId: KEY.accessKeyId,
  account: KEY.account,
  kind: "role",
  name: "backup/nightly",
  policies: ['{"Statement":{"Effect":"Allow","Action":"ebs:*","Resource":"*"}}'],
  durationSeconds: 900,
};

test("a token holds the whole session, whatever its policies say", (t) => {
  const { tokens, time } = setUp();
  const policy = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map(toCharacter) });
  const property = fc.property(fc.array(policy, { maxLength: 4 }), (policies) => {
    const minted = mint(tokens, { ...INPUT, policies });
    assert.deepEqual(tokens.open(minted.accessKeyId, minted.sessionToken), minted);
    assert.match(minted.accessKeyId, /^ASIA[A-Z2-7]{16}$/);
    assert.deepEqual(minted.policies, policies);
    assert.equal(minted.expiresAtMs, time.nowMs + 900_000);
  });
  fc.assert(property, propertyRuns(t, 200));
});

test("a token tells nobody anything, and two of one session are not alike", () => {
  const { tokens } = setUp();
  const [one, other] = [mint(tokens), mint(tokens)];
  const bytes = Buffer.from(one.sessionToken, "base64").toString("latin1");
  for (const secret of [one.secretAccessKey, one.accessKeyId, "backup", "Statement"]) {
    assert.ok(!bytes.includes(secret), secret);
  }
  assert.notEqual(one.sessionToken.slice(40), other.sessionToken.slice(40));
});

test("the longest session policy fits into a token, and what is longer is not minted", () => {
  const { tokens } = setUp();
  const longest = "ÿ".repeat(SESSION_POLICY_CHARACTERS_MAX);
  const name = `${"r".repeat(64)}/${"s".repeat(64)}`;
  const parentAccessKeyId = "K".repeat(128);
  const minted = mint(tokens, { ...INPUT, name, parentAccessKeyId, policies: [longest] });
  assert.ok(minted.sessionToken.length <= SESSION_TOKEN_CHARACTERS_MAX);
  assert.equal(tokens.mint({ ...INPUT, policies: [longest, longest] }), undefined);
});

test("a token is opened only beside its own access key id, and by the store that made it", () => {
  const { tokens } = setUp();
  const [one, other] = [mint(tokens), mint(tokens)];
  assert.equal(tokens.open(other.accessKeyId, one.sessionToken), undefined);
  assert.equal(tokens.open(KEY.accessKeyId, one.sessionToken), undefined);
  assert.equal(setUp(8).tokens.open(one.accessKeyId, one.sessionToken), undefined);
});

test("none of 20,000 mutated tokens is opened", (t) => {
  const fraction = seededFraction(printSeed(t));
  const { tokens } = setUp();
  const minted = mint(tokens);
  for (let i = 0; i < 20_000; i++) {
    const mutated = mutateToken(minted.sessionToken, fraction);
    if (mutated === minted.sessionToken) continue;
    assert.equal(tokens.open(minted.accessKeyId, mutated), undefined, mutated);
  }
});

test("texts that are no tokens, and every other spelling of one that is, are refused", () => {
  const { tokens } = setUp();
  const { accessKeyId, sessionToken } = mint(tokens);
  const spelt = [
    `${sessionToken}=`,
    ` ${sessionToken}`,
    `${sessionToken}\n`,
    `${sessionToken}AAAA`,
  ];
  for (const text of ["", "=", "A".repeat(64), "A".repeat(10_000), "é".repeat(90), ...spelt]) {
    assert.equal(tokens.open(accessKeyId, text), undefined);
  }
});

test("SignatureVerifier takes a session while its access key is in use, no longer", async () => {
  const { tokens, time } = setUp();
  let key: AccessKey | undefined = KEY;
  const asked: string[] = [];
  const subject = new SignatureVerifier(async (accessKeyId) => {
    asked.push(accessKeyId);
    return accessKeyId === KEY.accessKeyId ? key : undefined;
  }, tokens);
  const session = mint(tokens);
  const verify = () => subject.verify(signed(session));
  const principal = await verify();
  assert.ok(typeof principal === "object");
  assert.equal(principal.arn, "arn:aws:sts::111122223333:assumed-role/backup/nightly");
  assert.equal(principal.accessKeyId, session.accessKeyId);
  assert.equal(principal.session?.parsedPolicies.length, 1);
  assert.ok(!JSON.stringify(principal).includes(session.secretAccessKey), "it holds no secret");
  for (const changed of [{ ...KEY, active: false }, undefined, otherAccounts()]) {
    key = changed;
    assert.equal(await verify(), "unknown-key");
  }
  key = KEY;
  assert.ok(typeof (await verify()) === "object", "used again, it counts again");
  time.nowMs += 899_999;
  assert.ok(typeof (await verify()) === "object");
  time.nowMs += 1;
  assert.equal(await verify(), "expired-session");
  const wrong = { ...signed(session), signature: "0".repeat(64) };
  assert.equal(await subject.verify(wrong), "wrong-signature");
  assert.deepEqual(new Set(asked), new Set([KEY.accessKeyId]));
});

test("SignatureVerifier takes a token beside nothing but its own id and secret", async () => {
  const { tokens } = setUp();
  const subject = new SignatureVerifier(async (id) => {
    return id === KEY.accessKeyId ? KEY : undefined;
  }, tokens);
  const [session, other] = [mint(tokens), mint(tokens)];
  const { sessionToken } = session;
  const refused: readonly [SignatureClaim, string][] = [
    [{ ...signed(session), sessionToken: undefined }, "unknown-key"],
    [{ ...signed(session), sessionToken: "" }, "unknown-key"],
    [{ ...signed(session), sessionToken: other.sessionToken }, "unknown-key"],
    [{ ...signed(other), sessionToken }, "unknown-key"],
    [{ ...signed(KEY), sessionToken }, "unknown-key"],
    [{ ...signed(KEY), sessionToken: "any" }, "unknown-key"],
    [{ ...signed({ ...session, secretAccessKey: "secret" }), sessionToken }, "wrong-signature"],
    [{ ...signed({ ...KEY, accessKeyId: session.accessKeyId }), sessionToken }, "wrong-signature"],
  ];
  for (const [claim, answer] of refused) assert.equal(await subject.verify(claim), answer);
  assert.ok(typeof (await subject.verify(signed(KEY))) === "object");
  const without = new SignatureVerifier(async () => KEY);
  assert.equal(await without.verify(signed(session)), "unknown-key");
});

test("SignatureVerifier asks for exactly one key, whatever is wrong", async () => {
  const { tokens } = setUp();
  const session = mint(tokens);
  for (const claim of [
    signed(KEY),
    signed(session),
    { ...signed(session), sessionToken: "no token" },
    { ...signed(KEY), accessKeyId: "AKIAUNKNOWN" },
  ]) {
    let lookUps = 0;
    const subject = new SignatureVerifier(async () => {
      lookUps += 1;
      return undefined;
    }, tokens);
    assert.equal(await subject.verify(claim), "unknown-key");
    assert.equal(lookUps, 1);
  }
});

function toCharacter(code: number): string {
  return String.fromCharCode(code);
}

function otherAccounts(): AccessKey {
  return { ...KEY, account: "444455556666" as AccountId };
}

function mint(tokens: SessionTokens, input: SessionInput = INPUT): SessionCredentials {
  const minted = tokens.mint(input);
  assert.ok(minted);
  return minted;
}

/** A claim as AWS's documentation derives its signature, step by step. */
function signed(
  credentials: Pick<AccessKey, "accessKeyId" | "secretAccessKey"> & { sessionToken?: string },
): SignatureClaim {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const scope = { date: "20260101", region: "us-east-1", service: "ebs" };
  const stringToSign = "what was signed";
  const key = [...Object.values(scope), "aws4_request"].reduce<Buffer | string>(
    (secret, text) => createHmac("sha256", secret).update(text).digest(),
    `AWS4${secretAccessKey}`,
  );
  const signature = createHmac("sha256", key).update(stringToSign).digest("hex");
  return { accessKeyId, ...scope, stringToSign, signature, sessionToken };
}

function setUp(secret = 7) {
  const time = { nowMs: 1_700_000_000_000 };
  const clock: Clock = { ...systemClock, nowMs: () => time.nowMs };
  return { tokens: new SessionTokens(oneSecret(secret), { clock, random: systemRandom }), time };
}

test("tokens of older secrets are opened for as long as a session can last, no longer", () => {
  const secrets = rotatingSecrets();
  const time = { nowMs: 1_700_000_000_000 };
  const clock: Clock = { ...systemClock, nowMs: () => time.nowMs };
  const tokens = new SessionTokens(secrets, { clock, random: systemRandom });
  const old = mint(tokens, { ...INPUT, durationSeconds: SESSION_DURATION_SECONDS_MAX });
  const thief = new SessionTokens(
    { secrets: [...secrets.secrets] },
    { clock: { ...clock, nowMs: () => 1_800_000_000_000 }, random: systemRandom },
  );
  const forged = mint(thief);
  secrets.rotate(time.nowMs);
  const young = mint(tokens);
  assert.notEqual(young.sessionToken.slice(0, 6), old.sessionToken.slice(0, 6));
  time.nowMs += SESSION_DURATION_SECONDS_MAX * 1_000 - 1;
  for (const minted of [old, young]) {
    assert.deepEqual(tokens.open(minted.accessKeyId, minted.sessionToken), minted);
  }
  assert.equal(tokens.isExpired(old), false);
  time.nowMs += 1_001;
  for (const minted of [old, forged]) {
    assert.equal(tokens.open(minted.accessKeyId, minted.sessionToken), undefined);
  }
});
