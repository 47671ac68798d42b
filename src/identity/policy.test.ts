import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns } from "../../test/support/property.ts";
import { PolicyError, parsePolicy } from "./parse-policy.ts";
import {
  type AccessRequest,
  type Decision,
  decide,
  decisionOf,
  matchingStatements,
  matchingStatementsOf,
  narrowPolicy,
} from "./policy.ts";

const SNAPSHOT = "arn:aws:ec2:us-east-1::snapshot/snap-0123456789abcdef0";
const ALLOW = { Effect: "Allow", Action: "ebs:*", Resource: "*" };

type Context = Readonly<Record<string, readonly string[]>>;

function request(action: string, resource = SNAPSHOT, context: Context = {}): AccessRequest {
  const entries = Object.entries(context).map(([key, values]) => [key.toLowerCase(), values]);
  return { action, resource, context: new Map(entries as [string, string[]][]) };
}

function policyOf(...Statement: readonly object[]) {
  return parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement }));
}

function decided(statements: readonly object[], asked: AccessRequest): Decision {
  return decide(policyOf(...statements), asked);
}

describe("decide", () => {
  const put = request("ebs:PutSnapshotBlock");

  test("denies what nothing allows, and a Deny wins over every Allow", () => {
    const deny = { Effect: "Deny", Action: "ebs:Put*", Resource: "*" };
    assert.equal(decided([{ ...ALLOW, Action: "ebs:Get*" }], put), "not-allowed");
    assert.equal(decided([ALLOW], put), "allowed");
    assert.equal(decided([ALLOW, deny, ALLOW], put), "denied-explicitly");
    assert.equal(decided([deny], put), "denied-explicitly");
    assert.equal(decided([ALLOW, deny], request("ebs:GetSnapshotBlock")), "allowed");
  });

  test("matches actions in whatever case, with wildcards, and all but those of NotAction", () => {
    const allows = (members: object) => {
      return decided([{ Effect: "Allow", Resource: "*", ...members }], put) === "allowed";
    };
    for (const Action of ["*", "ebs:*", "EBS:putsnapshotblock", "ebs:?ut*Block", ["s3:*", "e*:P*"]])
      assert.equal(allows({ Action }), true, String(Action));
    for (const Action of ["ebs:Put", "ec2:*", "ebs:PutSnapshotBlock?", "ebs:*Blocks"])
      assert.equal(allows({ Action }), false, Action);
    assert.equal(allows({ NotAction: "ebs:Get*" }), true);
    assert.equal(allows({ NotAction: ["ebs:Get*", "ebs:Put*"] }), false);
  });

  test("matches resources by their ARN, and all but those of NotResource", () => {
    const allows = (members: object) => {
      return decided([{ Effect: "Allow", Action: "*", ...members }], put) === "allowed";
    };
    const own = SNAPSHOT.replace("::", ":123456789012:");
    for (const Resource of ["*", SNAPSHOT, "arn:aws:ec2:*::snapshot/*", "arn:aws:ec2:us-*::*f?"])
      assert.equal(allows({ Resource }), true, Resource);
    for (const Resource of [own, SNAPSHOT.toUpperCase().replace("ARN", "arn"), `${SNAPSHOT}?`])
      assert.equal(allows({ Resource }), false, Resource);
    assert.equal(allows({ NotResource: own }), true);
    assert.equal(allows({ NotResource: [own, SNAPSHOT] }), false);
  });

  test("a wildcard in a resource takes no time worth naming", () => {
    const Resource = `arn:${"*a".repeat(400)}`;
    const policy = policyOf({ ...ALLOW, Resource });
    const resource = `arn:${"a".repeat(4_000)}b`;
    const startedMs = performance.now();
    assert.equal(decide(policy, request("ebs:PutSnapshotBlock", resource)), "not-allowed");
    assert.ok(performance.now() - startedMs < 1_000);
  });
});

type OperatorRow = readonly [
  operator: string,
  wanted: string | boolean | number | readonly string[],
  fits: readonly string[],
  fitsNot: readonly string[],
];

/** Every operator with values that satisfy it and values that do not. */
const OPERATORS: readonly OperatorRow[] = [
  ["StringEquals", ["a", "b*"], ["a", "b*"], ["A", "bc", ""]],
  ["StringNotEquals", ["a", "b"], ["A", "c"], ["a", "b"]],
  ["StringEqualsIgnoreCase", "nIght", ["NIGHT", "night"], ["nights"]],
  ["StringNotEqualsIgnoreCase", "night", ["day"], ["NIGHT"]],
  ["StringLike", ["n?ght*", "x"], ["night", "night 2", "x"], ["Night", "nght", "xx"]],
  ["StringNotLike", "n*", ["x", "N"], ["n", "night"]],
  ["ArnEquals", "arn:aws:ec2:*::snapshot/*", [SNAPSHOT], ["snap-1", `x${SNAPSHOT}`]],
  ["ArnLike", "arn:*:ec2:*::snapshot/snap-0*", [SNAPSHOT], ["arn:aws:ec2:a:b::snapshot/snap-0"]],
  ["ArnNotEquals", "arn:aws:ec2:*::snapshot/null", [SNAPSHOT], ["arn:aws:ec2:x::snapshot/null"]],
  ["ArnNotLike", "arn:aws:ec2:*::snapshot/*", ["arn:aws:ec2:x:1:snapshot/a"], [SNAPSHOT]],
  ["NumericEquals", "8", ["8", "8.0", "08"], ["9", "eight", ""]],
  ["NumericNotEquals", 8, ["9"], ["8"]],
  ["NumericLessThan", "100", ["99.5", "-1"], ["100", "x"]],
  ["NumericLessThanEquals", "100", ["100"], ["100.1"]],
  ["NumericGreaterThan", "100", ["101"], ["100"]],
  ["NumericGreaterThanEquals", ["100"], ["100"], ["99"]],
  ["DateEquals", "2026-01-02T00:00:00Z", ["2026-01-02", "2026-01-02T01:00:00+0100"], ["2026"]],
  ["DateNotEquals", "2026-01-02", ["2026-01-03"], ["2026-01-02T00:00Z"]],
  ["DateLessThan", "1767312000", ["2026-01-01"], ["2026-01-02", "soon"]],
  ["DateLessThanEquals", "2026-01-02", ["2026-01-02"], ["2026-01-02T00:00:01Z"]],
  ["DateGreaterThan", "2026", ["2026-01-02"], ["2026-01-01"]],
  ["DateGreaterThanEquals", "2026-01-02", ["2026-01-02"], ["2026-01-01"]],
  ["Bool", true, ["true", "TRUE"], ["false", "yes"]],
  ["IpAddress", ["192.0.2.0/24", "2001:db8::/32"], ["192.0.2.7", "2001:db8::7"], ["192.0.3.7", ""]],
  ["NotIpAddress", "192.0.2.0/24", ["192.0.3.7"], ["192.0.2.7", "::ffff:192.0.2.7"]],
];

const NEGATED = /^(String|Arn|Numeric|Date)Not|^NotIp/;

describe("conditions", () => {
  const holds = (operator: string, wanted: unknown, values: readonly string[]) =>
    matches({ [operator]: { "ebs:Description": wanted } }, values, "Allow");
  const matches = (Condition: object, values: readonly string[], Effect: string) => {
    const context = values.length > 0 ? { "ebs:Description": values } : {};
    const statement = { Effect, Action: "*", Resource: "*", Condition };
    return decided([statement], request("ebs:StartSnapshot", SNAPSHOT, context)) !== "not-allowed";
  };

  for (const [operator, wanted, fits, fitsNot] of OPERATORS) {
    test(`${operator} with one value, none, IfExists and sets`, () => {
      for (const value of fits) assert.equal(holds(operator, wanted, [value]), true, value);
      for (const value of fitsNot) assert.equal(holds(operator, wanted, [value]), false, value);
      const [good = "", bad = ""] = [fits[0], fitsNot[0]];
      assert.equal(holds(operator, wanted, []), NEGATED.test(operator), "an absent key");
      assert.equal(holds(`${operator}IfExists`, wanted, []), true);
      assert.equal(holds(`${operator}IfExists`, wanted, [bad]), false);
      assert.equal(holds(`ForAllValues:${operator}`, wanted, []), true);
      assert.equal(holds(`ForAllValues:${operator}`, wanted, [good, good]), true);
      assert.equal(holds(`ForAllValues:${operator}`, wanted, [good, bad]), false);
      assert.equal(holds(`ForAnyValue:${operator}`, wanted, []), false);
      assert.equal(holds(`ForAnyValue:${operator}IfExists`, wanted, []), true);
      assert.equal(holds(`ForAnyValue:${operator}`, wanted, [bad, good]), true);
      assert.equal(holds(`ForAnyValue:${operator}`, wanted, [bad, bad]), false);
      // Several values without a set operator: all for an Allow, any for a Deny.
      assert.equal(holds(operator, wanted, [good, bad]), false);
      const Condition = { [operator]: { "ebs:Description": wanted } };
      assert.equal(matches(Condition, [good, bad], "Deny"), true);
    });
  }

  test("Null asks whether the key is there", () => {
    assert.equal(holds("Null", "true", []), true);
    assert.equal(holds("Null", true, ["x"]), false);
    assert.equal(holds("Null", "false", ["x"]), true);
    assert.equal(holds("Null", "false", []), false);
  });

  test("all operators and all keys of a statement must hold, in whatever case keys are", () => {
    const Condition = {
      StringEquals: { "AWS:requesttag/Env": "dev", "ebs:VolumeSize": ["1", "2"] },
      NumericLessThan: { "ebs:volumesize": "2" },
    };
    const asked = (env: string, size: string) => {
      const context = { "aws:RequestTag/env": [env], "ebs:VolumeSize": [size] };
      return decided([{ ...ALLOW, Condition }], request("ebs:X", SNAPSHOT, context));
    };
    assert.equal(asked("dev", "1"), "allowed");
    assert.equal(asked("dev", "2"), "not-allowed");
    assert.equal(asked("prod", "1"), "not-allowed");
  });
});

describe("parsePolicy refuses", () => {
  const statement = (members: object) => ({ Version: "2012-10-17", Statement: [ALLOW, members] });
  const condition = (Condition: unknown) => statement({ ...ALLOW, Condition });
  const rows: readonly [title: string, policy: unknown, message: RegExp][] = [
    ["a list", [], /^The policy: must be a JSON object/],
    ["an unknown member", { Statement: ALLOW, Statements: [] }, /'Statements' is not understood/],
    ["an unknown version", { Version: "2020-01-01", Statement: ALLOW }, /^Version: must be/],
    ["no statement", { Version: "2012-10-17" }, /^Statement: must be a JSON object/],
    ["an empty list of statements", { Statement: [] }, /^Statement: there is none/],
    [
      "another effect",
      statement({ ...ALLOW, Effect: "allow" }),
      /^Statement\[1\]\.Effect: must be/,
    ],
    ["a principal", statement({ ...ALLOW, Principal: "*" }), /^Statement\[1\]: 'Principal' is not/],
    ["no action", statement({ Effect: "Allow", Resource: "*" }), /\[1\]: needs either Action or/],
    ["two kinds of action", statement({ ...ALLOW, NotAction: "ebs:*" }), /needs either Action or/],
    ["no resource", statement({ Effect: "Deny", Action: "*" }), /needs either Resource or/],
    [
      "an empty list of actions",
      statement({ ...ALLOW, Action: [] }),
      /\.Action: the list is empty/,
    ],
    [
      "an action that is none",
      statement({ ...ALLOW, Action: "PutObject" }),
      /'PutObject' is not an/,
    ],
    [
      "an object as action",
      statement({ ...ALLOW, Action: {} }),
      /\.Action: must be a text or a list/,
    ],
    ["a bare id", statement({ ...ALLOW, Resource: "snap-0" }), /Resource: 'snap-0' is not an ARN/],
    [
      "a variable",
      condition({ StringLike: { "ebs:Description": `$${"{aws:userid}"}` } }),
      /variables are/,
    ],
    [
      "an unknown operator",
      condition({ StringIs: { "ebs:Description": "" } }),
      /'StringIs' is not/,
    ],
    ["a set of Null", condition({ "ForAllValues:Null": { "aws:TagKeys": "true" } }), /operator '/],
    [
      "an unknown key",
      condition({ Bool: { "aws:Secure": "true" } }),
      /Bool\.aws:Secure: this cond/,
    ],
    ["a word as number", condition({ NumericEquals: { "ebs:VolumeSize": "x" } }), /'x' makes no/],
    ["a word as date", condition({ DateLessThan: { "aws:CurrentTime": "soon" } }), /'soon' makes/],
    ["a word as address", condition({ IpAddress: { "aws:SourceIp": "home" } }), /'home' makes no/],
    ["a word as truth", condition({ Null: { "aws:TagKeys": "yes" } }), /'yes' makes no sense here/],
    [
      "an id as ARN",
      condition({ ArnLike: { "ebs:ParentSnapshot": "snap-0" } }),
      /'snap-0' makes no/,
    ],
    ["a list of conditions", condition([]), /^Statement\[1\]\.Condition: must be a JSON object/],
    ["6,145 characters", statement({ ...ALLOW, Sid: "x".repeat(6_145) }), /longer than 6144/],
  ];
  for (const [title, policy, message] of rows) {
    test(`${title}, and says where`, () => {
      const text = JSON.stringify(policy);
      assert.throws(() => parsePolicy(text), { name: "PolicyError", message });
    });
  }

  test("what is not JSON, and a name given twice in one object", () => {
    assert.throws(() => parsePolicy("{"), PolicyError);
    const once = JSON.stringify({ Statement: ALLOW });
    parsePolicy(once);
    const twice = once.replace('"Effect"', '"Resource" : "x","Eff\\u0065ct"');
    assert.throws(() => parsePolicy(twice), { message: "'Resource' is given twice in one object" });
  });

  test("no condition of a statement that is about other services alone", () => {
    const Condition = { StringEquals: { "s3:prefix": "a" } };
    const foreign = { Effect: "Allow", Action: ["s3:ListBucket"], Resource: "*", Condition };
    assert.equal(decided([foreign], request("ebs:PutSnapshotBlock")), "not-allowed");
    for (const Action of ["s3:GetObject", "ebs:*"]) {
      const mixed = { ...foreign, Action: ["s3:*", Action, "e*:*"] };
      assert.throws(() => policyOf(mixed), PolicyError);
    }
  });

  test("a condition of encryption keys that would be passed over", () => {
    const Condition = { StringEquals: { "kms:EncryptionContext:aws:ebs:id": "snap-0" } };
    const deny = { Effect: "Deny", Action: "kms:Decrypt", Resource: "*", Condition };
    assert.throws(() => policyOf(deny), /kms:EncryptionContext:aws:ebs:id: this condition key/);
  });
});

/* The example policies of the EBS user guide, section "Control access to EBS direct APIs". */
describe("the guide's policy", () => {
  const READ = ["ebs:ListSnapshotBlocks", "ebs:ListChangedBlocks", "ebs:GetSnapshotBlock"];
  const WRITE = ["ebs:StartSnapshot", "ebs:PutSnapshotBlock", "ebs:CompleteSnapshot"];
  const EVERY = "arn:aws:ec2:*::snapshot/*";
  const inRegion = (region: string, id = "snap-01") => `arn:aws:ec2:${region}::snapshot/${id}`;
  const allowed = (statements: readonly object[], asked: AccessRequest) =>
    decided(statements, asked) === "allowed";

  test("for reading all snapshots of a region", () => {
    const policy = [{ Effect: "Allow", Action: READ, Resource: inRegion("us-west-2", "*") }];
    for (const action of READ) {
      assert.equal(allowed(policy, request(action, inRegion("us-west-2"))), true);
      assert.equal(allowed(policy, request(action, inRegion("us-east-1"))), false);
    }
    for (const action of WRITE)
      assert.equal(allowed(policy, request(action, inRegion("us-west-2"))), false);
  });

  test("for reading snapshots that carry a tag", () => {
    const Condition = { StringEqualsIgnoreCase: { "aws:ResourceTag/Test": "true" } };
    const policy = [{ Effect: "Allow", Action: READ, Resource: EVERY, Condition }];
    const tagged = (context: Context) => allowed(policy, request(READ[0] ?? "", SNAPSHOT, context));
    assert.equal(tagged({ "aws:ResourceTag/Test": ["TRUE"] }), true);
    assert.equal(tagged({ "aws:ResourceTag/Test": ["no"] }), false);
    assert.equal(tagged({}), false);
  });

  test("for reading in a span of time", () => {
    const Condition = {
      DateGreaterThan: { "aws:CurrentTime": "2018-05-29T00:00:00Z" },
      DateLessThan: { "aws:CurrentTime": "2020-05-29T23:59:59Z" },
    };
    const policy = [{ Effect: "Allow", Action: READ, Resource: EVERY, Condition }];
    const at = (time: string) =>
      allowed(policy, request(READ[1] ?? "", SNAPSHOT, { "aws:CurrentTime": [time] }));
    assert.equal(at("2019-01-01T00:00:00.000Z"), true);
    assert.equal(at("2018-05-28T23:59:59.999Z"), false);
    assert.equal(at("2020-05-30T00:00:00.000Z"), false);
  });

  test("for starting snapshots from a parent only", () => {
    for (const operator of ["StringLike", "ArnLike", "ArnEquals"]) {
      const Condition = { [operator]: { "ebs:ParentSnapshot": EVERY } };
      const policy = [{ Effect: "Allow", Action: "ebs:StartSnapshot", Resource: EVERY, Condition }];
      const parent = { "ebs:ParentSnapshot": [SNAPSHOT] };
      assert.equal(allowed(policy, request("ebs:StartSnapshot", SNAPSHOT, parent)), true);
      const fresh = request("ebs:StartSnapshot", inRegion("us-east-1", "null"));
      assert.equal(allowed(policy, fresh), false);
    }
  });

  test("for starting snapshots with no tag key but user", () => {
    const Condition = { "ForAllValues:StringEquals": { "aws:TagKeys": "user" } };
    const policy = [
      { Effect: "Allow", Action: "ebs:StartSnapshot", Resource: EVERY, Condition },
      { Effect: "Allow", Action: "ec2:CreateTags", Resource: "*" },
    ];
    const starts = (...keys: string[]) =>
      allowed(policy, request("ebs:StartSnapshot", SNAPSHOT, { "aws:TagKeys": keys }));
    assert.equal(starts("user"), true);
    assert.equal(starts(), true);
    assert.equal(starts("user", "cost"), false);
    assert.equal(allowed(policy, request("ec2:CreateTags", inRegion("x", "*"))), true);
  });

  test("for writing, with the grant that KMS wants beside it", () => {
    const policy = [
      { Effect: "Allow", Action: [...READ, ...WRITE], Resource: EVERY },
      {
        Effect: "Allow",
        Action: ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
        Resource: "*",
        Condition: { Bool: { "kms:GrantIsForAWSResource": "true" } },
      },
    ];
    for (const action of [...READ, ...WRITE]) assert.ok(allowed(policy, request(action)));
    assert.equal(allowed(policy, request("ec2:DeleteSnapshot")), false);
  });
});

describe("whatever the statements say", () => {
  const ACTIONS = ["ebs:PutSnapshotBlock", "ebs:GetSnapshotBlock", "ec2:DeleteSnapshot"];
  const statement = fc.record({
    Effect: fc.constantFrom("Allow", "Deny"),
    Action: fc.constantFrom("*", "ebs:*", "ebs:Put*", ...ACTIONS),
    Resource: fc.constantFrom("*", SNAPSHOT, "arn:aws:ec2:*::snapshot/snap-1*"),
    Condition: fc.constantFrom(
      {},
      { StringEquals: { "ebs:Description": "a" } },
      { StringEquals: { "aws:ResourceTag/team": "db" } },
      { StringNotEquals: { "ec2:ResourceTag/team": "db", "ebs:Description": "a" } },
      { StringNotLike: { "ebs:Description": ["a*", "b"] } },
      { Null: { "ebs:Description": "true" } },
    ),
  });
  const asked = fc
    .record({
      action: fc.constantFrom(...ACTIONS),
      resource: fc.constantFrom(SNAPSHOT, "arn:aws:ec2:us-east-1::snapshot/snap-12"),
      description: fc.constantFrom(undefined, "a", "b", "c"),
      team: fc.constantFrom(undefined, "db", "web"),
    })
    .map(({ action, resource, description, team }) =>
      request(action, resource, {
        ...(description === undefined ? {} : { "ebs:Description": [description] }),
        ...(team === undefined ? {} : { "aws:ResourceTag/team": [team] }),
        ...(team === undefined ? {} : { "ec2:ResourceTag/team": [team] }),
      }),
    );

  test("a Deny that matches wins, and the order of statements does not matter", (t) => {
    const statements = fc.array(statement, { minLength: 1, maxLength: 8 });
    const property = fc.property(statements, asked, fc.nat(), (all, asked, turn) => {
      const decision = decided(all, asked);
      const alone = all.map((each) => decided([each], asked));
      const expected = alone.includes("denied-explicitly")
        ? "denied-explicitly"
        : alone.includes("allowed")
          ? "allowed"
          : "not-allowed";
      assert.equal(decision, expected);
      const cut = turn % all.length;
      assert.equal(decided([...all.slice(cut), ...all.slice(0, cut)], asked), decision);
      assert.equal(decided(all.toReversed(), asked), decision);
      assert.equal(decided([...all, ...all], asked), decision, "repetition says nothing either");
    });
    fc.assert(property, propertyRuns(t, 500));
  });

  test("narrowed to a request, or asked of many actions at once, a policy says the same", (t) => {
    const statements = fc.array(statement, { minLength: 1, maxLength: 8 });
    const property = fc.property(statements, asked, (all, asked) => {
      const policy = policyOf(...all);
      const isTag = (name: string) => /:resourcetag/.test(name);
      const known = new Map([...asked.context].filter(([name]) => !isTag(name)));
      const narrowed = narrowPolicy(policy, { action: asked.action, context: known });
      assert.equal(decide(narrowed, asked), decide(policy, asked));
      const places = matchingStatementsOf(policy, { ...asked, actions: ACTIONS });
      for (const [i, action] of ACTIONS.entries()) {
        assert.deepEqual(places[i], matchingStatements(policy, { ...asked, action }));
        assert.equal(decisionOf(policy, places[i] ?? []), decide(policy, { ...asked, action }));
      }
    });
    fc.assert(property, propertyRuns(t, 500));
  });
});
