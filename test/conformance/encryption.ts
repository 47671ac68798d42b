import type { RequestParts } from "../../src/wire/message.ts";
import { brief, type Caller, elementsOf, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import type { Context } from "./_context.ts";
import { fits, holds, Skipped, same } from "./_expect.ts";
import { invalid } from "./_refusal.ts";

/* The decision table 3.6 with encryption by default switched off. */

const group = new Group("3.6 encryption");
/** The checks of this file. */
export const encryption = group;

const KEY = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef";

const keyOf = async (c: Context, input: object) => jsonOf(await c.caller.start(input))["KmsKeyArn"];

group.check("3.6/none", "Nothing asked for: unencrypted.", async (c) =>
  same(await keyOf(c, {}), null),
);
group.check("3.6/false", "Encrypted false: unencrypted.", async (c) =>
  same(await keyOf(c, { Encrypted: false }), null),
);
group.check("3.6/false.ec2", "EC2 shows an unencrypted one so, without a key.", async (c) => {
  const { encrypted, kmsKeyId } = await c.caller.describe(c.id("root"));
  same([encrypted, kmsKeyId ?? "none"], ["false", "none"]);
});
group.check("3.6/true", "Encrypted true: the account's default key.", async (c) =>
  fits(String(await keyOf(c, { Encrypted: true })), /^arn:aws[a-z-]*:kms:/),
);
group.check("3.6/true.ec2", "EC2 shows an encrypted one so.", async (c) => {
  const started = jsonOf(await c.caller.start({ Encrypted: true }));
  same((await c.caller.describe(String(started["SnapshotId"])))["encrypted"], "true");
});
group.check("3.6/child", "The child of an encrypted parent has its key.", async (c) => {
  const parent = jsonOf(await c.caller.start({ Encrypted: true }));
  const id = String(parent["SnapshotId"]);
  await c.caller.complete(id, 0);
  await c.caller.readable(id);
  same(await keyOf(c, { ParentSnapshotId: id }), parent["KmsKeyArn"]);
});
group.check("3.6/false+key", "Encrypted false with a key is refused.", async (c) =>
  invalid(
    await c.caller.start({ Encrypted: false, KmsKeyArn: KEY }),
    "INVALID_PARAMETER_VALUE",
    "Encrypt cannot be false when KmsKeyArn is specified",
  ),
);
group.check("3.6/parent", "An unencrypted parent: an unencrypted child.", async (c) =>
  same(await keyOf(c, { ParentSnapshotId: c.id("root") }), null),
);
for (const [what, input] of [
  ["true", { Encrypted: true }],
  ["false", { Encrypted: false }],
  ["key", { KmsKeyArn: KEY }],
  ["true+key", { Encrypted: true, KmsKeyArn: KEY }],
] as const) {
  group.check(`3.6/parent+${what}`, `A parent with ${what} is refused.`, async (c) =>
    fits(
      brief(await c.caller.start({ ParentSnapshotId: c.id("root"), ...input })),
      /^400 ValidationException:.*INVALID_PARAMETER_VALUE/,
    ),
  );
}
/** A key made through KMS, as every operator of Varve can; other endpoints may have no KMS. */
async function keyFor(caller: Caller): Promise<string> {
  const parts: RequestParts = {
    method: "POST",
    path: "/",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "TrentService.CreateKey",
    },
    body: Buffer.from("{}"),
  };
  const answer = await caller.call(parts, { service: "kms" });
  const made = answer.status === 200 ? /"Arn":\s*"(arn:[^"]+)"/.exec(answer.text)?.[1] : undefined;
  if (made === undefined) throw new Skipped("needs the ARN of a usable key");
  return made;
}

group.check("3.6/key", "A key alone: that key encrypts.", async (c) => {
  const key = await keyFor(c.caller);
  same(await keyOf(c, { KmsKeyArn: key }), key);
});
group.check("3.6/true+key", "Encrypted true and a key: that key.", async (c) => {
  const key = await keyFor(c.caller);
  same(await keyOf(c, { Encrypted: true, KmsKeyArn: key }), key);
});
group.check("3.6/key.child", "The child of one under a key has that key.", async (c) => {
  const key = await keyFor(c.caller);
  const parent = await emptySnapshot(c.caller, { KmsKeyArn: key });
  same(await keyOf(c, { ParentSnapshotId: parent }), key);
});
group.check("1.3/kms-read", "What is under a key that is disabled: not found.", async (c) => {
  const key = await keyFor(c.caller);
  const id = await emptySnapshot(c.caller, { KmsKeyArn: key });
  await disable(c.caller, key);
  const answer = await c.caller.list(id);
  same(
    [answer.status, answer.header("x-amzn-errortype")?.split(":")[0], answer.text].join(" "),
    NO_KEY,
  );
});
group.check("1.3/kms-start", "A start under a key that is disabled is refused.", async (c) => {
  const key = await keyFor(c.caller);
  await disable(c.caller, key);
  fits(
    brief(await c.caller.start({ KmsKeyArn: key })),
    /^400 ValidationException:.*DisabledException.*INVALID_DEPENDENCY_REQUEST/,
  );
});

const NO_KEY =
  "404 ResourceNotFoundException " +
  '{"Message":"KMS key not found.","Reason":"DEPENDENCY_RESOURCE_NOT_FOUND"}';

async function disable(caller: Caller, key: string): Promise<void> {
  const parts: RequestParts = {
    method: "POST",
    path: "/",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "TrentService.DisableKey",
    },
    body: Buffer.from(JSON.stringify({ KeyId: key })),
  };
  holds((await caller.call(parts, { service: "kms" })).status === 200, "no", "DisableKey 200");
}

async function emptySnapshot(caller: Caller, input: object): Promise<string> {
  const id = String(jsonOf(await caller.start(input))["SnapshotId"]);
  await caller.complete(id, 0);
  same((await caller.readable(id))["status"], "completed");
  return id;
}

/* The other column of the table, in a second account so that the first stays as it is. */

interface DefaultOn {
  readonly caller: Caller;
  readonly key: string;
  readonly unencrypted: string;
}
const switched = new WeakMap<Context, Promise<DefaultOn>>();

/** The second account with encryption by default, switched on once in each run. */
function withDefaultOn(c: Context): Promise<DefaultOn> {
  const known = switched.get(c);
  if (known) return known;
  const switching = (async () => {
    const caller = c.second();
    const key = await keyFor(caller);
    const unencrypted = await emptySnapshot(caller, {});
    const { text } = await caller.query("EnableEbsEncryptionByDefault");
    same(elementsOf(text)["ebsEncryptionByDefault"], "true");
    return { caller, key, unencrypted };
  })();
  switched.set(c, switching);
  return switching;
}

for (const [what, input] of [
  ["none", {}],
  ["true", { Encrypted: true }],
] as const) {
  group.check(`3.6/on.${what}`, `By default on, ${what}: the default key.`, async (c) => {
    const { caller, key } = await withDefaultOn(c);
    const arn = String(jsonOf(await caller.start(input), 201)["KmsKeyArn"]);
    fits(arn, /^arn:aws[a-z-]*:kms:/);
    holds(arn !== key, arn, "the default key");
  });
}
for (const [what, input] of [
  ["key", {}],
  ["true+key", { Encrypted: true }],
] as const) {
  group.check(`3.6/on.${what}`, `By default on, ${what}: that key.`, async (c) => {
    const { caller, key } = await withDefaultOn(c);
    same(jsonOf(await caller.start({ KmsKeyArn: key, ...input }), 201)["KmsKeyArn"], key);
  });
}
group.check("3.6/on.parent", "By default on, an encrypted parent: its key.", async (c) => {
  const { caller, key } = await withDefaultOn(c);
  const parent = await emptySnapshot(caller, { KmsKeyArn: key });
  same(jsonOf(await caller.start({ ParentSnapshotId: parent }), 201)["KmsKeyArn"], key);
});
for (const [what, input] of [
  ["false", () => ({ Encrypted: false })],
  ["false+key", ({ key }: DefaultOn) => ({ Encrypted: false, KmsKeyArn: key })],
  ["unencrypted", ({ unencrypted }: DefaultOn) => ({ ParentSnapshotId: unencrypted })],
] as const) {
  group.check(`3.6/on.${what}`, `By default on, ${what} is refused.`, async (c) => {
    const on = await withDefaultOn(c);
    fits(brief(await on.caller.start(input(on))), /^400 ValidationException/);
  });
}

group.check(
  "3.6/actions",
  "EC2's six actions say and change how an account encrypts.",
  async (c) => {
    const caller = c.second();
    const key = await keyFor(caller);
    const ask = async (action: string, input = {}) => {
      const elements = elementsOf((await caller.query(action, input)).text);
      return elements["kmsKeyId"] ?? elements["ebsEncryptionByDefault"] ?? "nothing";
    };
    same(await ask("ModifyEbsDefaultKmsKeyId", { KmsKeyId: key }), key);
    same(await ask("GetEbsDefaultKmsKeyId"), key);
    fits(await ask("ResetEbsDefaultKmsKeyId"), /alias\/aws\/ebs$/);
    fits(await ask("GetEbsDefaultKmsKeyId"), /alias\/aws\/ebs$/);
    await withDefaultOn(c);
    same(await ask("GetEbsEncryptionByDefault"), "true");
  },
);
