import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { admin, newAccount, policyOf, withNewKey } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import {
  actionParts,
  blockToken,
  getParts,
  listParts,
  send,
  snapshotOf,
  start,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { exchange, type RawResponse, sign, type Target, withHeaders } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { asRole, elementOf, withSession } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* Temporary credentials: what they may do, when they end, and what is refused of STS. */

const clock = new MovingClock();
const service = { ...(await startService({ after }, { clock })), clock };
const { account } = service.firstKey.key;
const block = blockContents(1);
const snapshot = await snapshotOf(service, new Map([[0, block]]));
const keyPath = (target: Target) => `/keys/${target.firstKey.key.accessKeyId}`;
const ROLE = { RoleArn: `arn:aws:iam::${account}:role/backup`, RoleSessionName: "nightly" };
const READ = policyOf({ Action: ["ebs:List*", "ebs:Get*"] });

const sts = (target: Target, action: string, parameters: Record<string, string> = {}) =>
  send(target, actionParts(action, parameters), { service: "sts" });
const identity = async (target: Target) => {
  const { status, text } = await sts(target, "GetCallerIdentity");
  assert.equal(status, 200, text);
  return ["Arn", "UserId", "Account"].map((name) => elementOf(text, name));
};

function assertStsError(
  response: RawResponse,
  ...[status, code, message = /./]: readonly [status: number, code: string, message?: RegExp]
): void {
  assert.equal(response.status, status, response.text);
  assert.equal(elementOf(response.text, "Code"), code);
  assert.match(elementOf(response.text, "Message").replaceAll("&apos;", "'"), message);
}

function assertRefused(response: RawResponse, type: string, message: RegExp): void {
  assert.equal(response.status, 403, response.text);
  assert.equal(response.header("x-amzn-ErrorType")?.split(":")[0], type);
  assert.match(response.text, message);
}

describe("STS gives credentials", () => {
  test("of GetSessionToken, which are the key itself", async () => {
    const session = await withSession(service, "GetSessionToken");
    assert.match(session.firstKey.key.accessKeyId, /^ASIA[A-Z2-7]{16}$/);
    assert.deepEqual(await identity(session), await identity(service));
    const id = await start(session);
    assert.equal((await send(service, listParts(id))).status, 404);
    assert.equal((await send(session, listParts(snapshot))).status, 200);
    const limited = await withNewKey(service, { policy: READ });
    const [arn] = await identity(await withSession(limited, "GetSessionToken"));
    assert.equal(arn, `arn:aws:iam::${account}:user/${limited.firstKey.key.accessKeyId}`);
  });

  test("of AssumeRole, which go by the role's name", async () => {
    const { status, text } = await sts(service, "AssumeRole", ROLE);
    assert.equal(status, 200, text);
    const arn = `arn:aws:sts::${account}:assumed-role/backup/nightly`;
    assert.equal(elementOf(text, "Arn"), arn);
    assert.match(elementOf(text, "AssumedRoleId"), /^AROA[A-Z2-7]{17}:nightly$/);
    const [itsArn, userId, itsAccount] = await identity(await asRole(service, account));
    assert.deepEqual([itsArn, itsAccount], [arn, account]);
    assert.equal(userId, elementOf(text, "AssumedRoleId"));
    const inPath = { ...ROLE, RoleArn: `arn:aws:iam::${account}:role/ops/deep/backup` };
    assert.deepEqual((await identity(await withSession(service, "AssumeRole", inPath)))[0], arn);
  });

  test("of GetFederationToken, which can do nothing without a policy", async () => {
    const bare = await withSession(service, "GetFederationToken", { Name: "reader" });
    const arn = `arn:aws:sts::${account}:federated-user/reader`;
    assert.deepEqual(await identity(bare), [arn, `${account}:reader`, account]);
    const message = new RegExp(`User: ${arn} is not .* because no session policy allows the ebs:L`);
    assertRefused(await send(bare, listParts(snapshot)), "AccessDeniedException", message);
    const Policy = JSON.stringify(READ);
    const reader = await withSession(service, "GetFederationToken", { Name: "reader", Policy });
    assert.equal((await send(reader, listParts(snapshot))).status, 200);
    assert.equal((await send(reader, startParts({ VolumeSize: 1 }))).status, 403);
  });

  test("that last as long as was asked for, 12 hours or one where nothing was", async () => {
    for (const [action, parameters, seconds] of [
      ["GetSessionToken", {}, 43_200],
      ["GetSessionToken", { DurationSeconds: "900" }, 900],
      ["GetSessionToken", { DurationSeconds: "129600" }, 129_600],
      ["GetFederationToken", { Name: "ab" }, 43_200],
      ["AssumeRole", ROLE, 3_600],
      ["AssumeRole", { ...ROLE, DurationSeconds: "43200" }, 43_200],
    ] as const) {
      const { text } = await sts(service, action, parameters);
      const left = Date.parse(elementOf(text, "Expiration")) - clock.nowMs();
      assert.ok(left > (seconds - 10) * 1000 && left <= seconds * 1000, `${action} ${left}`);
    }
  });

  test("which a restart of the service leaves as they are", async (t) => {
    const dataDirectory = await temporaryDirectory(t);
    const first = await startService({ after: () => undefined }, { dataDirectory });
    const session = await asRole(first, first.firstKey.key.account);
    await first.close();
    const second = await startService(t, { dataDirectory });
    const again = { ...second, firstKey: session.firstKey };
    assert.equal((await send(again, listParts("snap-0ffffffffffffffff"))).status, 404);
  });
});

describe("STS refuses", () => {
  const refusals: readonly [string, string, Record<string, string>, string, RegExp][] = [
    [
      "a duration too short",
      "GetSessionToken",
      { DurationSeconds: "899" },
      "ValidationError",
      /'899' at 'durationSeconds'.*equal to 900$/,
    ],
    [
      "one too long",
      "GetSessionToken",
      { DurationSeconds: "129601" },
      "ValidationError",
      /less than or equal to 129600$/,
    ],
    [
      "one too long for a role",
      "AssumeRole",
      { ...ROLE, DurationSeconds: "43201" },
      "ValidationError",
      /equal to 43200$/,
    ],
    [
      "no role",
      "AssumeRole",
      { RoleSessionName: "ab" },
      "ValidationError",
      /Value null at 'roleArn'/,
    ],
    [
      "no session name",
      "AssumeRole",
      { RoleArn: ROLE.RoleArn },
      "ValidationError",
      /'roleSessionName'/,
    ],
    [
      "a session name with a slash",
      "AssumeRole",
      { ...ROLE, RoleSessionName: "a/b" },
      "ValidationError",
      /pattern/,
    ],
    [
      "what is no role",
      "AssumeRole",
      { ...ROLE, RoleArn: `arn:aws:iam::${account}:user/alice` },
      "ValidationError",
      /pattern/,
    ],
    [
      "a policy that is none",
      "AssumeRole",
      { ...ROLE, Policy: "{}" },
      "MalformedPolicyDocument",
      /Statement/,
    ],
    ["an empty policy", "AssumeRole", { ...ROLE, Policy: "" }, "ValidationError", /'policy'/],
    [
      "a policy too long",
      "GetFederationToken",
      { Name: "ab", Policy: " ".repeat(2_049) },
      "ValidationError",
      /2048$/,
    ],
    ["a name too short", "GetFederationToken", { Name: "a" }, "ValidationError", /'name'/],
    [
      "an MFA code",
      "GetSessionToken",
      { SerialNumber: "x", TokenCode: "123456" },
      "InvalidParameterCombination",
      /'SerialNumber'/,
    ],
    [
      "policies by ARN",
      "AssumeRole",
      { ...ROLE, "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/X" },
      "InvalidParameterCombination",
      /'PolicyArns.member.1.arn'/,
    ],
    [
      "session tags",
      "AssumeRole",
      { ...ROLE, "Tags.member.1.Key": "a" },
      "InvalidParameterCombination",
      /'Tags.member.1.Key'/,
    ],
    [
      "an external id",
      "AssumeRole",
      { ...ROLE, ExternalId: "x" },
      "InvalidParameterCombination",
      /'ExternalId'/,
    ],
  ];
  for (const [what, action, parameters, code, message] of refusals) {
    test(what, async () => {
      assertStsError(await sts(service, action, parameters), 400, code, message);
    });
  }

  test("a role of another account, whether there is one or not", async () => {
    for (const other of [await newAccount(service), "999999999999"]) {
      const RoleArn = `arn:aws:iam::${other}:role/backup`;
      const response = await sts(service, "AssumeRole", { ...ROLE, RoleArn });
      assertStsError(
        response,
        403,
        "AccessDenied",
        new RegExp(`sts:AssumeRole on resource: ${RoleArn}$`),
      );
    }
  });

  test("a session to whoever has one, but for a role", async () => {
    const sessions = [
      await withSession(service, "GetSessionToken"),
      await asRole(service, account),
    ];
    for (const session of sessions) {
      for (const action of ["GetSessionToken", "GetFederationToken"]) {
        const response = await sts(
          session,
          action,
          action === "GetSessionToken" ? {} : { Name: "ab" },
        );
        assertStsError(response, 403, "AccessDenied", /with session credentials$/);
      }
      assert.equal((await sts(session, "AssumeRole", ROLE)).status, 200);
    }
    const Policy = JSON.stringify(policyOf({ Action: "*" }));
    const user = await withSession(service, "GetFederationToken", { Name: "ab", Policy });
    assertStsError(await sts(user, "AssumeRole", ROLE), 403, "AccessDenied");
  });

  test("more than an hour to a role that assumes a role", async () => {
    const role = await asRole(service, account);
    const long = { ...ROLE, DurationSeconds: "3601" };
    assertStsError(await sts(role, "AssumeRole", long), 400, "ValidationError", /role chaining$/);
    const self = await withSession(service, "GetSessionToken");
    assert.equal((await sts(self, "AssumeRole", long)).status, 200);
  });

  test("more policies than there is room for, along a chain of roles", async () => {
    const long = { ...READ, Id: "x".repeat(1_100) };
    const role = await asRole(service, account, {
      ...long,
      Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }],
    });
    const next = await sts(role, "AssumeRole", { ...ROLE, Policy: JSON.stringify(long) });
    assertStsError(next, 400, "PackedPolicyTooLarge", /more than the 2048/);
  });
});

describe("A session may do", () => {
  const list = (target: Target) => send(target, listParts(snapshot));
  const because = (why: string) => new RegExp(`snapshot/${snapshot} ${why}"}$`);

  test("what both its key and its policy allow", async () => {
    const key = await withNewKey(service, {
      policy: policyOf({ Action: ["ebs:List*", "ebs:StartSnapshot", "sts:AssumeRole"] }),
    });
    const session = await asRole(key, account, READ);
    assert.equal((await list(session)).status, 200);
    const token = await blockToken(service, snapshot, 0);
    assertRefused(
      await send(session, getParts(snapshot, 0, token)),
      "AccessDeniedException",
      because("because no identity-based policy allows the ebs:GetSnapshotBlock action"),
    );
    const started = await send(session, startParts({ VolumeSize: 1 }));
    assertRefused(
      started,
      "AccessDeniedException",
      /snapshot\/null because no session policy allows the ebs:StartSnapshot action"}$/,
    );
  });

  test("nothing that either denies, and hears which", async () => {
    const denying = policyOf({ Action: "*" }, { Effect: "Deny", Action: "ebs:List*" });
    const session = await asRole(service, account, denying);
    assertRefused(
      await list(session),
      "AccessDeniedException",
      because("with an explicit deny in a session policy"),
    );
    const key = await withNewKey(service, { policy: denying });
    const allowing = await asRole(key, account, policyOf({ Action: "*" }));
    assertRefused(
      await list(allowing),
      "AccessDeniedException",
      because("with an explicit deny in an identity-based policy"),
    );
    const ec2 = await send(await asRole(service, account, READ), actionParts("DescribeSnapshots"), {
      service: "ec2",
    });
    assert.equal(ec2.status, 403);
    assert.match(ec2.text, /<Code>UnauthorizedOperation<\/Code>.*because no session policy allows/);
  });

  test("no more than the session it was assumed from", async () => {
    const narrow = await asRole(service, account, policyOf({ Action: ["ebs:List*", "sts:*"] }));
    const wide = await asRole(narrow, account, policyOf({ Action: "*" }));
    assert.equal((await list(wide)).status, 200);
    assert.equal((await send(wide, startParts({ VolumeSize: 1 }))).status, 403);
    const without = await asRole(narrow, account);
    assert.equal((await send(without, startParts({ VolumeSize: 1 }))).status, 403);
  });

  test("what its key's policy says now", async () => {
    const key = await withNewKey(service);
    const session = await withSession(key, "GetSessionToken");
    assert.equal((await list(session)).status, 200);
    const PolicyDocument = JSON.stringify(policyOf({ Action: "ec2:*" }));
    await admin(service, ["POST", keyPath(key)], { PolicyDocument });
    assert.equal((await list(session)).status, 403);
  });

  test("what a policy leaves to sessions issued since", async () => {
    const early = "2020-01-01T00:00:00Z";
    const late = new Date(clock.nowMs() + 60_000).toISOString();
    for (const [time, status] of [
      [early, 200],
      [late, 403],
    ] as const) {
      const Condition = { DateLessThan: { "aws:TokenIssueTime": time } };
      const policy = policyOf({ Action: "*" }, { Effect: "Deny", Action: "*", Condition });
      const key = await withNewKey(service, { policy });
      assert.equal((await list(key)).status, 200, "an access key has no such time");
      assert.equal((await list(await asRole(key, account))).status, status);
    }
  });

  test("a role or a federated user only where its key may", async () => {
    const key = await withNewKey(service, { policy: READ });
    const role = await sts(key, "AssumeRole", ROLE);
    assertStsError(
      role,
      403,
      "AccessDenied",
      new RegExp(`sts:AssumeRole on resource: ${ROLE.RoleArn} because no identity-based`),
    );
    const user = await sts(key, "GetFederationToken", { Name: "ab" });
    assertStsError(
      user,
      403,
      "AccessDenied",
      new RegExp(`sts::${account}:federated-user/ab because no identity-based`),
    );
    const Resource = `arn:aws:iam::${account}:role/backup`;
    const one = await withNewKey(service, {
      policy: policyOf({ Action: "sts:AssumeRole", Resource }),
    });
    assert.equal((await sts(one, "AssumeRole", ROLE)).status, 200);
    const RoleArn = `${Resource}s`;
    assert.equal((await sts(one, "AssumeRole", { ...ROLE, RoleArn })).status, 403);
  });

  test("management of keys as its key may, unless a policy narrows it", async () => {
    const status = async (target: Target) =>
      (await admin(target, ["GET", "/accounts/self/keys"])).status;
    assert.equal(await status(await withSession(service, "GetSessionToken")), 200);
    assert.equal(await status(await asRole(service, account)), 200);
    assert.equal(await status(await asRole(service, account, policyOf({ Action: "*" }))), 403);
    const limited = await withNewKey(service, { policy: policyOf({ Action: "*" }) });
    assert.equal(await status(await withSession(limited, "GetSessionToken")), 403);
  });
});

describe("A session ends", () => {
  test("at its time, in the words of each service", async () => {
    const session = await withSession(service, "GetSessionToken", { DurationSeconds: "900" });
    clock.advance(899_000);
    assert.equal((await send(session, listParts(snapshot))).status, 200);
    clock.advance(2_000);
    assertRefused(
      await send(session, listParts(snapshot)),
      "ExpiredTokenException",
      /The security token included in the request is expired"}$/,
    );
    const ec2 = await send(session, actionParts("DescribeSnapshots"), { service: "ec2" });
    assert.equal(ec2.status, 400);
    assert.match(ec2.text, /<Code>RequestExpired<\/Code><Message>Request has expired\.</);
    assertStsError(await sts(session, "GetCallerIdentity"), 403, "ExpiredToken", /is expired$/);
  });

  test("with the access key it comes from, at once", async () => {
    for (const end of [
      (key: Target) => admin(service, ["POST", keyPath(key)], { Status: "Inactive" }),
      (key: Target) => admin(service, ["DELETE", keyPath(key)]),
    ]) {
      const key = await withNewKey(service);
      const session = await asRole(await withSession(key, "GetSessionToken"), account);
      assert.equal((await send(session, listParts(snapshot))).status, 200);
      assert.equal((await end(key)).status, 200);
      assertRefused(
        await send(session, listParts(snapshot)),
        "UnrecognizedClientException",
        /is invalid/,
      );
    }
  });
});

describe("A session token counts", () => {
  const INVALID = /^\{"message":"The security token included in the request is invalid\."\}$/;

  test("only beside its own id and secret", async () => {
    const [one, other] = [await asRole(service, account), await asRole(service, account)];
    const { accessKeyId, secretAccessKey, sessionToken } = one.firstKey.key;
    const own = service.firstKey.key;
    for (const credentials of [
      { accessKeyId, secretAccessKey },
      { accessKeyId, secretAccessKey, sessionToken: other.firstKey.key.sessionToken },
      { ...other.firstKey.key, sessionToken },
      { ...own, sessionToken },
      { ...own, sessionToken: "IQoJb3JpZ2luX2Vj" },
    ]) {
      const response = await send(service, listParts(snapshot), { credentials });
      assertRefused(response, "UnrecognizedClientException", INVALID);
    }
    const wrong = { accessKeyId, secretAccessKey: own.secretAccessKey, sessionToken };
    const response = await send(service, listParts(snapshot), { credentials: wrong });
    assertRefused(response, "InvalidSignatureException", /does not match/);
  });

  test("only where it is signed, and given once", async () => {
    const session = await asRole(service, account);
    const { sessionToken, ...key } = session.firstKey.key;
    const raw = sign(service, listParts(snapshot), { credentials: key });
    const added = withHeaders(raw, { "x-amz-security-token": sessionToken });
    assertRefused(
      await exchange(service, added),
      "InvalidSignatureException",
      /x-amz-security-token/,
    );
    const empty = withHeaders(sign(service, listParts(snapshot)), { "x-amz-security-token": "" });
    assert.equal((await exchange(service, empty)).status, 403);
    const signed = sign(session, listParts(snapshot));
    const twice = {
      ...signed,
      headers: [...signed.headers, ["X-Amz-Security-Token", sessionToken ?? ""] as const],
    };
    assert.equal((await exchange(service, twice)).status, 400);
  });

  test("not in the query", async () => {
    const { sessionToken, ...credentials } = (await asRole(service, account)).firstKey.key;
    const parts = listParts(snapshot, { "X-Amz-Security-Token": sessionToken });
    const response = await send(service, parts, { credentials });
    assert.equal(response.status, 400, response.text);
  });
});
