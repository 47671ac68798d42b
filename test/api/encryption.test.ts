import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import * as ec2 from "@aws-sdk/client-ec2";
import {
  type Clients,
  clientsOf,
  readSnapshot,
  stateOf,
  writeSnapshot,
} from "../support/encryption.ts";
import { policyOf, withNewKey } from "../support/keys.ts";
import { blockContents } from "../support/property.ts";
import { asSecondAccount, SECOND_ACCOUNT } from "../support/second-account.ts";
import { startService } from "../support/service.ts";

/* How a new snapshot is encrypted, who may use its key, and copies, with AWS's own clients. */

const service = await startService({ after });
const own = clientsOf({ after }, service);
const other = clientsOf({ after }, await asSecondAccount(service));
const key = await own.key("the one asked for");
const contents = new Map([
  [0, blockContents(3)],
  [7, blockContents(0)],
  [2047, blockContents(7)],
]);
const plain = await writeSnapshot(own, contents);
const encrypted = await writeSnapshot(own, contents, { KmsKeyArn: key });

const MADE = /^arn:aws:kms:us-east-1:[0-9]{12}:key\/[0-9a-f-]{36}$/;
const both = (a: string, b: string) => `ParentSnapshotId and ${a}${b} cannot be specified together`;
const OFF = "encryption by default is enabled";

/** The decision table (docs/api.md), a row a line: what each setting of the account makes of it. */
const TABLE: readonly (readonly [name: string, input: object, off: string, on: string])[] = [
  ["nothing", {}, "unencrypted", "default"],
  ["a key", { KmsKeyArn: key }, "key", "key"],
  ["true", { Encrypted: true }, "default", "default"],
  ["true and a key", { Encrypted: true, KmsKeyArn: key }, "key", "key"],
  ["false", { Encrypted: false }, "unencrypted", `Encrypt cannot be false when ${OFF}`],
  [
    "false and a key",
    { Encrypted: false, KmsKeyArn: key },
    "Encrypt cannot be false when KmsKeyArn is specified",
    "Encrypt cannot be false when KmsKeyArn is specified",
  ],
  [
    "an unencrypted parent",
    { ParentSnapshotId: plain },
    "unencrypted",
    `ParentSnapshotId must be encrypted when ${OFF}`,
  ],
  ["an encrypted parent", { ParentSnapshotId: encrypted }, "key", "key"],
  ...[plain, encrypted].flatMap((ParentSnapshotId) => {
    const refused = (input: object, message: string) =>
      [
        `a parent with ${JSON.stringify(input)}`,
        { ParentSnapshotId, ...input },
        message,
        message,
      ] as [string, object, string, string];
    return [
      refused({ Encrypted: true }, both("Encrypt", "")),
      refused({ Encrypted: false }, both("Encrypt", "")),
      refused({ KmsKeyArn: key }, both("KmsKeyArn", "")),
      refused({ Encrypted: true, KmsKeyArn: key }, both("KmsKeyArn", "")),
      refused({ Encrypted: false, KmsKeyArn: key }, both("KmsKeyArn", "")),
    ];
  }),
];

for (const isOn of [false, true]) {
  describe(`with encryption by default ${isOn ? "on" : "off"}`, { concurrency: false }, () => {
    for (const [name, input, off, on] of TABLE) {
      test(`StartSnapshot with ${name}: ${isOn ? on : off}`, async (t) => {
        await own.byDefault(isOn);
        t.after(() => own.byDefault(false));
        assert.equal(await outcomeOf(input), isOn ? on : off);
      });
    }
  });
}

/** What became of a start: its key by name, or the message it was refused with. */
async function outcomeOf(input: object): Promise<string> {
  const started = await own.start(input).catch((error: Error & { Reason?: string }) => error);
  if (started instanceof Error) {
    assert.deepEqual(
      [started.name, started.Reason],
      ["ValidationException", "INVALID_PARAMETER_VALUE"],
    );
    return started.message;
  }
  const { Encrypted, KmsKeyId } = await own.describe(started.SnapshotId ?? "");
  assert.equal(KmsKeyId, started.KmsKeyArn, "EC2 names the same key");
  assert.equal(Encrypted, started.KmsKeyArn !== undefined);
  if (started.KmsKeyArn === undefined) return "unencrypted";
  assert.match(started.KmsKeyArn, MADE);
  return started.KmsKeyArn === key ? "key" : "default";
}

test("each account has encryption by default and a default key of its own", async () => {
  const { snapshots } = own;
  const isOn = async ({ snapshots: client }: Clients) =>
    (await client.send(new ec2.GetEbsEncryptionByDefaultCommand({}))).EbsEncryptionByDefault;
  assert.equal((await own.byDefault(true)).EbsEncryptionByDefault, true);
  assert.deepEqual([await isOn(own), await isOn(other)], [true, false]);
  assert.equal((await own.byDefault(false)).EbsEncryptionByDefault, false);
  const keyOf = async ({ snapshots: client }: Clients) =>
    (await client.send(new ec2.GetEbsDefaultKmsKeyIdCommand({}))).KmsKeyId;
  assert.equal(await keyOf(own), "alias/aws/ebs");
  const { KmsKeyArn: made = "" } = await own.start({ Encrypted: true });
  assert.equal((await own.start({ Encrypted: true })).KmsKeyArn, made, "made once");
  assert.notEqual((await other.start({ Encrypted: true })).KmsKeyArn, made);
  const modify = (KmsKeyId: string) =>
    snapshots.send(new ec2.ModifyEbsDefaultKmsKeyIdCommand({ KmsKeyId }));
  const keyId = key.split("/")[1] ?? "";
  for (const name of [keyId, key]) assert.equal((await modify(name)).KmsKeyId, key);
  assert.deepEqual([await keyOf(own), await keyOf(other)], [key, "alias/aws/ebs"]);
  assert.equal((await own.start({ Encrypted: true })).KmsKeyArn, key);
  assert.equal((await modify("alias/aws/ebs")).KmsKeyId, made);
  const foreign = key.replace(/:[0-9]{12}:/, `:${SECOND_ACCOUNT}:`);
  for (const name of [foreign, await other.key(), "alias/none", key.replace("us-", "eu-")]) {
    const error = { name: "InvalidParameterValue", message: /NotFoundException/ };
    await assert.rejects(modify(name), error, name);
  }
  const reset = await snapshots.send(new ec2.ResetEbsDefaultKmsKeyIdCommand({}));
  assert.equal(reset.KmsKeyId, "alias/aws/ebs");
  assert.equal((await own.start({ Encrypted: true })).KmsKeyArn, made);
});

test("an encrypted snapshot and its child are read like any other", async () => {
  const changes = new Map([[1, blockContents(4)]]);
  const child = await writeSnapshot(own, changes, { ParentSnapshotId: encrypted });
  assert.deepEqual(await readSnapshot(own, encrypted), contents);
  const sorted = new Map([...contents, ...changes].sort(([a], [b]) => a - b));
  assert.deepEqual(await readSnapshot(own, child), sorted);
  const { ChangedBlocks = [] } = await own.changed(encrypted, child);
  assert.deepEqual(
    ChangedBlocks.map(({ BlockIndex }) => BlockIndex),
    [1],
  );
  const filter = (value: string) => [{ Name: "encrypted", Values: [value] }];
  const found = await own.snapshots.send(
    new ec2.DescribeSnapshotsCommand({ Filters: filter("false") }),
  );
  assert.ok(found.Snapshots?.every(({ Encrypted }) => Encrypted === false));
  assert.ok(found.Snapshots?.some(({ SnapshotId }) => SnapshotId === plain));
});

test("a key that is nobody's, another account's or another region's is not found", async () => {
  const unknown = key.replace(/[0-9a-f]{12}$/, "000000000000");
  const foreign = key.replace(/:[0-9]{12}:/, `:${SECOND_ACCOUNT}:`);
  for (const KmsKeyArn of [unknown, await other.key(), foreign, key.replace("us-", "eu-")]) {
    await assert.rejects(own.start({ KmsKeyArn }), {
      name: "ValidationException",
      Reason: "INVALID_DEPENDENCY_REQUEST",
      message: `KMS refused the request: NotFoundException: Key '${KmsKeyArn}' does not exist`,
    });
  }
});

test("sharing an encrypted snapshot shares the use of its key, by name only", async () => {
  const refused = { name: "OperationNotPermitted" };
  const made = await writeSnapshot(own, contents, { Encrypted: true });
  await assert.rejects(own.share(made, SECOND_ACCOUNT), refused, "the service's key");
  await assert.rejects(own.share(encrypted, "all"), refused);
  await assert.rejects(other.list(encrypted), { name: "ResourceNotFoundException" });
  await own.share(encrypted, SECOND_ACCOUNT);
  assert.deepEqual(await readSnapshot(other, encrypted), contents);
  assert.equal((await other.describe(encrypted)).KmsKeyId, key);
  await assert.rejects(other.start({ KmsKeyArn: key }), { Reason: "INVALID_DEPENDENCY_REQUEST" });
  const copy = await other.copy(encrypted);
  assert.equal(await stateOf(other, copy), "completed");
  const described = await other.describe(copy);
  assert.equal(described.KmsKeyId, (await other.start({ Encrypted: true })).KmsKeyArn);
  await own.snapshots.send(
    new ec2.ResetSnapshotAttributeCommand({
      ...{ SnapshotId: encrypted, Attribute: "createVolumePermission" },
    }),
  );
  await assert.rejects(other.list(encrypted), { name: "ResourceNotFoundException" });
  assert.deepEqual(await readSnapshot(other, copy), contents, "the copy is under its own key");
});

test("a copy is encrypted as asked for, as the account says, or as its source", async (t) => {
  const second = await own.key();
  const { KmsKeyArn: made } = await own.start({ Encrypted: true });
  const cases: [source: string, input: object, wanted: string | undefined][] = [
    [plain, {}, undefined],
    [plain, { Encrypted: false }, undefined],
    [plain, { Encrypted: true }, made],
    [plain, { Encrypted: true, KmsKeyId: second }, second],
    [encrypted, { KmsKeyId: key }, key],
    [encrypted, {}, made],
    [encrypted, { Encrypted: false }, made],
    [encrypted, { Encrypted: true, KmsKeyId: "alias/aws/ebs" }, made],
    [encrypted, { Encrypted: true, KmsKeyId: second.split("/")[1] }, second],
  ];
  for (const [source, input, wanted] of cases) {
    const copy = await own.copy(source, input);
    assert.equal(await stateOf(own, copy), "completed");
    const { Encrypted, KmsKeyId, VolumeSize } = await own.describe(copy);
    assert.deepEqual([Encrypted, KmsKeyId, VolumeSize], [wanted !== undefined, wanted, 1]);
    assert.deepEqual(await readSnapshot(own, copy), contents);
    const isSame = KmsKeyId === (await own.describe(source)).KmsKeyId;
    const compared = own.changed(source, copy);
    if (isSame) assert.deepEqual((await compared).ChangedBlocks, []);
    else await assert.rejects(compared, { Reason: "UNRELATED_SNAPSHOTS" });
  }
  await own.byDefault(true);
  t.after(() => own.byDefault(false));
  const copy = await own.copy(plain, { Encrypted: false });
  assert.equal((await own.describe(copy)).KmsKeyId, made);
  const contradiction = own.copy(plain, { Encrypted: false, KmsKeyId: key });
  await assert.rejects(contradiction, { name: "InvalidParameterDependency" });
  const foreign = own.copy(plain, { Encrypted: true, KmsKeyId: await other.key() });
  await assert.rejects(foreign, { name: "InvalidParameterValue", message: /NotFoundException/ });
});

test("an image of an encrypted snapshot says so", async () => {
  const register = new ec2.RegisterImageCommand({
    Name: "encrypted",
    RootDeviceName: "/dev/xvda",
    BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { SnapshotId: encrypted } }],
  });
  const { ImageId = "" } = await own.snapshots.send(register);
  const described = await own.snapshots.send(
    new ec2.DescribeImagesCommand({ ImageIds: [ImageId] }),
  );
  assert.equal(described.Images?.[0]?.BlockDeviceMappings?.[0]?.Ebs?.Encrypted, true);
  await own.snapshots.send(new ec2.DeregisterImageCommand({ ImageId }));
});

describe("an access key whose policy says what it may do with keys", () => {
  const EBS = { Action: ["ebs:*", "ec2:*"] };
  const withUses = async (...Action: string[]) => {
    const statements = Action.length > 0 ? [EBS, { Action, Resource: key }] : [EBS];
    return clientsOf({ after }, await withNewKey(service, { policy: policyOf(...statements) }));
  };
  const notFound = {
    name: "ResourceNotFoundException",
    Reason: "DEPENDENCY_RESOURCE_NOT_FOUND",
    message: "KMS key not found.",
  };

  test("reads nothing that is encrypted without kms:DescribeKey and kms:Decrypt", async () => {
    const { Blocks } = await own.list(encrypted);
    const token = Blocks?.[0]?.BlockToken ?? "";
    const nothing = await withUses();
    await assert.rejects(nothing.list(encrypted), notFound);
    await assert.rejects(nothing.get(encrypted, 0, token), notFound);
    await assert.rejects(nothing.changed(encrypted, encrypted), notFound);
    assert.deepEqual(await readSnapshot(nothing, plain), contents);
    const lister = await withUses("kms:DescribeKey");
    assert.equal((await lister.list(encrypted)).Blocks?.length, contents.size);
    await assert.rejects(lister.get(encrypted, 0, token), notFound);
    const reader = await withUses("kms:DescribeKey", "kms:Decrypt");
    assert.deepEqual(await readSnapshot(reader, encrypted), contents);
  });

  test("starts nothing under a key without leave, and does not learn how the key is", async () => {
    const nothing = await withUses();
    const denied = (action: string) => ({
      name: "ValidationException",
      Reason: "INVALID_DEPENDENCY_REQUEST",
      message: new RegExp(
        `^KMS refused the request: AccessDeniedException: User: arn:.* is not authorized to ` +
          `perform: ${action} on resource: ${key} because no identity-based policy allows`,
      ),
    });
    await assert.rejects(nothing.start({ KmsKeyArn: key }), denied("kms:GenerateDataKey"));
    const child = { ParentSnapshotId: encrypted };
    await assert.rejects(nothing.start(child), denied("kms:ReEncryptFrom"));
    const root = await withUses("kms:GenerateDataKey");
    assert.equal((await root.start({ KmsKeyArn: key })).KmsKeyArn, key);
    await assert.rejects(root.start(child), denied("kms:ReEncryptFrom"));
    const parent = await withUses("kms:ReEncrypt*", "kms:Decrypt");
    assert.equal((await parent.start(child)).KmsKeyArn, key);
    const made = await nothing.start({ Encrypted: true });
    assert.match(made.KmsKeyArn ?? "", MADE, "the service's key is for all of the account");
  });

  test("copies to no key that it may use what it may not read", async () => {
    const nothing = await withUses();
    const denied = { name: "UnauthorizedOperation", message: /kms:(DescribeKey|Decrypt)/ };
    await assert.rejects(nothing.copy(encrypted), denied);
    await assert.rejects((await withUses("kms:DescribeKey")).copy(encrypted), denied);
    const reader = await withUses("kms:DescribeKey", "kms:Decrypt");
    assert.equal(await stateOf(own, await reader.copy(encrypted)), "completed");
    const target = reader.copy(plain, { Encrypted: true, KmsKeyId: key });
    await assert.rejects(target, { name: "UnauthorizedOperation", message: /GenerateDataKey/ });
  });
});
