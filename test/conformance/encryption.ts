import { brief, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import type { Context } from "./_context.ts";
import { fits, same } from "./_expect.ts";
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
group.skip("3.6/key", "A key alone: that key encrypts.", "needs the ARN of a usable key");
group.skip("3.6/true+key", "Encrypted true and a key: that key.", "needs the ARN of a usable key");
group.skip(
  "3.6/default",
  "With encryption by default the other column of the table holds.",
  "would change the account",
);
