import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { KEY } from "../../test/support/example-key.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { AccessKey } from "../catalog/catalog.ts";
import { openSqliteCatalog } from "../catalog/sqlite/sqlite-catalog.ts";
import { ensureFirstAccount } from "./first-account.ts";
import { PolicyError } from "./parse-policy.ts";
import { type SignatureClaim, SignatureVerifier } from "./signature-verifier.ts";

const random = systemRandom;
const clock = { ...systemClock, nowMs: () => 1_700_000_000_000 };
const POLICY = '{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}';

test("ensureFirstAccount mints an account and a key once, and finds them ever after", async (t) => {
  const { identity } = await openCatalog(t);
  const first = await ensureFirstAccount({ identity, random, clock }, undefined);
  assert.equal(first.origin, "minted");
  assert.match(first.key.account, /^[1-9][0-9]{11}$/);
  assert.match(first.key.secretAccessKey, /^[A-Za-z0-9+/]{40}$/);
  const again = await ensureFirstAccount({ identity, random, clock }, undefined);
  assert.deepEqual(again, { key: first.key, origin: "stored" });
  assert.deepEqual(await identity.accounts(), [first.key.account]);
});

test("ensureFirstAccount takes a key pair given, and stores it nowhere", async (t) => {
  const { identity } = await openCatalog(t);
  const given = { accessKeyId: "GIVEN", secretAccessKey: "given secret" };
  const first = await ensureFirstAccount({ identity, random, clock }, given);
  assert.equal(first.origin, "given");
  const [account] = await identity.accounts();
  const rest = { active: true, policy: undefined, createdAtMs: clock.nowMs() };
  assert.deepEqual(first.key, { ...given, account, ...rest });
  assert.equal(await identity.accessKey("GIVEN"), undefined);
  const minted = await ensureFirstAccount({ identity, random, clock }, undefined);
  assert.deepEqual([minted.origin, minted.key.account], ["minted", account]);
});

test("ensureFirstAccount mints another key when the one stored is not active", async (t) => {
  const { identity } = await openCatalog(t);
  const { key } = await ensureFirstAccount({ identity, random, clock }, undefined);
  await identity.putAccessKey({ ...key, active: false });
  const other = await ensureFirstAccount({ identity, random, clock }, undefined);
  assert.equal(other.origin, "minted");
  assert.notEqual(other.key.accessKeyId, key.accessKeyId);
  assert.equal(other.key.account, key.account);
});

test("ensureFirstAccount never takes a key with a policy for the first", async (t) => {
  const { identity } = await openCatalog(t);
  const { key } = await ensureFirstAccount({ identity, random, clock }, undefined);
  await identity.putAccessKey({ ...key, policy: POLICY });
  const other = await ensureFirstAccount({ identity, random, clock }, undefined);
  assert.equal(other.origin, "minted");
  assert.equal(other.key.policy, undefined);
  assert.equal((await identity.accessKeys(key.account)).length, 2);
});

test("SignatureVerifier knows who signed", async () => {
  const principal = await verifier(KEY).verify(signed("secret"));
  assert.deepEqual(principal, {
    account: KEY.account,
    accessKeyId: KEY.accessKeyId,
    arn: "arn:aws:iam::111122223333:root",
    policy: undefined,
    session: undefined,
  });
});

test("SignatureVerifier refuses a signature when anything in it differs", async () => {
  const claim = signed("secret");
  const subject = verifier(KEY);
  for (const change of [
    { date: "20150831" },
    { region: "us-west-2" },
    { service: "ec2" },
    { stringToSign: "another text" },
    { signature: claim.signature.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) },
    { signature: "" },
    { signature: claim.signature.slice(2) },
    { signature: `${claim.signature}00` },
  ]) {
    const answer = await subject.verify({ ...claim, ...change });
    assert.equal(answer, "wrong-signature", JSON.stringify(change));
    assert.ok(typeof (await subject.verify(claim)) === "object", "the right one still is");
  }
  assert.equal(await subject.verify(signed("another secret")), "wrong-signature");
});

test("SignatureVerifier knows no key that is missing or not active", async () => {
  assert.equal(await verifier(undefined).verify(signed("secret")), "unknown-key");
  const dummy = "no secret has this value, and no access key belongs to it";
  assert.equal(await verifier(undefined).verify(signed(dummy)), "unknown-key");
  const inactive = verifier({ ...KEY, active: false });
  assert.equal(await inactive.verify(signed("secret")), "unknown-key");
});

test("SignatureVerifier names the user of a key with a policy, and what it says now", async () => {
  let policy: string | undefined = POLICY;
  const subject = new SignatureVerifier(async () => ({ ...KEY, policy }));
  const limited = await subject.verify(signed("secret"));
  assert.ok(typeof limited === "object");
  assert.equal(limited.arn, "arn:aws:iam::111122223333:user/AKIAEXAMPLE");
  assert.deepEqual(
    limited.policy?.statements.map(({ effect }) => effect),
    ["Deny"],
  );
  const again = await subject.verify(signed("secret"));
  assert.ok(typeof again === "object" && again.policy === limited.policy, "parsed once");
  policy = undefined;
  const full = await subject.verify(signed("secret"));
  assert.ok(typeof full === "object" && full.policy === undefined);
});

test("SignatureVerifier lets nobody pass by a policy it does not understand", async () => {
  for (const policy of ["", "{}", '{"Statement": {"Effect": "Allow"}}']) {
    const subject = verifier({ ...KEY, policy });
    await assert.rejects(subject.verify(signed("secret")), PolicyError);
    assert.equal(await subject.verify(signed("another secret")), "wrong-signature");
  }
});

test("SignatureVerifier follows a change of the secret at once", async () => {
  let secretAccessKey = "secret";
  const subject = new SignatureVerifier(async () => ({ ...KEY, secretAccessKey }));
  assert.ok(typeof (await subject.verify(signed("secret"))) === "object");
  secretAccessKey = "changed";
  assert.equal(await subject.verify(signed("secret")), "wrong-signature");
  assert.ok(typeof (await subject.verify(signed("changed"))) === "object");
});

test("SignatureVerifier tells who signed as of the last look-up, and asks for no key", async () => {
  let key: AccessKey | undefined = KEY;
  let asked = 0;
  const subject = new SignatureVerifier(async () => {
    asked += 1;
    return key;
  });
  const claim = signed("secret");
  assert.equal(subject.verifySeen(claim), undefined, "nothing was looked up yet");
  const principal = await subject.verify(claim);
  assert.deepEqual(subject.verifySeen(claim), principal);
  assert.equal(subject.verifySeen(signed("another")), undefined);
  assert.equal(subject.verifySeen({ ...claim, sessionToken: "a token" }), undefined);
  key = { ...KEY, policy: POLICY };
  assert.deepEqual(subject.verifySeen(claim), principal, "it does not know yet");
  assert.notDeepEqual(await subject.verify(claim), principal);
  assert.deepEqual(subject.verifySeen(claim), await subject.verify(claim));
  for (const gone of [undefined, { ...KEY, active: false }]) {
    key = KEY;
    await subject.verify(claim);
    key = gone;
    await subject.verify(claim);
    assert.equal(subject.verifySeen(claim), undefined);
  }
  assert.equal(asked, 7);
});

function verifier(key: AccessKey | undefined): SignatureVerifier {
  return new SignatureVerifier(async (id) => (key?.accessKeyId === id ? key : undefined));
}

/** A claim signed with that secret. */
function signed(secret: string): SignatureClaim {
  const scope = { date: "20150830", region: "us-east-1", service: "ebs" };
  const hmac = (key: Uint8Array | string, text: string) =>
    createHmac("sha256", key).update(text).digest();
  const dateKey = hmac(`AWS4${secret}`, scope.date);
  const key = hmac(hmac(hmac(dateKey, scope.region), scope.service), "aws4_request");
  const stringToSign = "AWS4-HMAC-SHA256\nany text";
  const signature = hmac(key, stringToSign).toString("hex");
  return { accessKeyId: KEY.accessKeyId, ...scope, stringToSign, signature };
}

async function openCatalog(t: TestContext) {
  const catalog = openSqliteCatalog(join(await temporaryDirectory(t), "catalog.sqlite"));
  t.after(() => catalog.close());
  return catalog;
}
