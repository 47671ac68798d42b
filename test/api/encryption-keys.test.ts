import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import * as kms from "@aws-sdk/client-kms";
import { MS_PER_DAY } from "../../src/model/limits.ts";
import { clientsOf, readSnapshot, stateOf, writeSnapshot } from "../support/encryption.ts";
import { policyOf, withNewKey } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { actionParts, send } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { asSecondAccount } from "../support/second-account.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* Keys made, shown, taken out of use and destroyed through KMS, and what becomes of snapshots. */

const service = await startService({ after });
const own = clientsOf({ after }, service);
const contents = new Map([
  [0, blockContents(3)],
  [9, blockContents(7)],
]);
const { keys } = own;
const notFound = { name: "NotFoundException", message: /^Key 'arn:.*' does not exist$/ };
const unusable = {
  name: "ResourceNotFoundException",
  Reason: "DEPENDENCY_RESOURCE_NOT_FOUND",
  message: "KMS key not found.",
};

const describeKey = async (KeyId: string) =>
  (await keys.send(new kms.DescribeKeyCommand({ KeyId }))).KeyMetadata;
const disable = (KeyId: string) => keys.send(new kms.DisableKeyCommand({ KeyId }));
const enable = (KeyId: string) => keys.send(new kms.EnableKeyCommand({ KeyId }));

test("a key is made, described, listed and given another description", async () => {
  const arn = await own.key("first");
  const KeyId = arn.split("/")[1] ?? "";
  const { CreationDate, ...metadata } = (await describeKey(KeyId)) ?? {};
  assert.ok(Math.abs((CreationDate?.getTime() ?? 0) - Date.now()) < 60_000);
  assert.deepEqual(metadata, {
    AWSAccountId: service.firstKey.key.account,
    Arn: arn,
    CustomerMasterKeySpec: "SYMMETRIC_DEFAULT",
    Description: "first",
    Enabled: true,
    EncryptionAlgorithms: ["SYMMETRIC_DEFAULT"],
    KeyId,
    KeyManager: "CUSTOMER",
    KeySpec: "SYMMETRIC_DEFAULT",
    KeyState: "Enabled",
    KeyUsage: "ENCRYPT_DECRYPT",
    MultiRegion: false,
    Origin: "AWS_KMS",
  });
  await keys.send(new kms.UpdateKeyDescriptionCommand({ KeyId, Description: "second" }));
  assert.equal((await describeKey(arn))?.Description, "second");
  for (let i = 0; i < 4; i++) await own.key();
  const seen: string[] = [];
  for await (const { Keys = [] } of kms.paginateListKeys({ client: keys, pageSize: 2 }, {})) {
    assert.ok(Keys.length <= 2);
    seen.push(...Keys.map((each) => each.KeyArn ?? ""));
  }
  assert.equal(new Set(seen).size, seen.length);
  assert.ok(seen.includes(arn) && seen.length >= 5);
  const foreign = keys.send(new kms.ListKeysCommand({ Marker: "bm90IG91cnM" }));
  await assert.rejects(foreign, { name: "InvalidMarkerException" });
});

test("the key that the service makes has an alias and is not the account's to change", async () => {
  const aliases = async () => (await keys.send(new kms.ListAliasesCommand({}))).Aliases;
  assert.deepEqual(await aliases(), []);
  const { KmsKeyArn = "" } = await own.start({ Encrypted: true });
  const [alias] = (await aliases()) ?? [];
  assert.equal(alias?.AliasName, "alias/aws/ebs");
  assert.equal(KmsKeyArn.split("/")[1], alias?.TargetKeyId);
  for (const name of ["alias/aws/ebs", alias?.AliasArn ?? "", KmsKeyArn]) {
    assert.deepEqual((await describeKey(name))?.KeyManager, "AWS");
    await assert.rejects(disable(name), { name: "AccessDeniedException" });
  }
});

test("another account's key does not exist, under whatever name", async () => {
  const other = clientsOf({ after }, await asSecondAccount(service));
  const theirs = await other.key();
  const mine = await own.key();
  const posing = mine.replace(/:[0-9]{12}:/, `:${theirs.split(":")[4]}:`);
  for (const name of [theirs, theirs.split("/")[1] ?? "", posing, "alias/none", "none"]) {
    await assert.rejects(describeKey(name), notFound, name);
    await assert.rejects(disable(name), notFound, name);
  }
});

test("what KMS does and Varve does not is refused by name", async () => {
  const KeyId = await own.key();
  const refused = { name: "UnsupportedOperationException" };
  await assert.rejects(keys.send(new kms.GenerateDataKeyCommand({ KeyId })), refused);
  await assert.rejects(keys.send(new kms.CreateKeyCommand({ KeySpec: "RSA_2048" })), refused);
  await assert.rejects(keys.send(new kms.CreateKeyCommand({ Policy: "{}" })), refused);
  const parts = { ...actionParts("x"), headers: { "x-amz-target": "TrentService.constructor" } };
  const answer = await send(service, parts, { service: "kms" });
  assert.equal(answer.status, 400, answer.text);
  const days = (PendingWindowInDays: number) =>
    keys.send(new kms.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays }));
  for (const wrong of [6, 31, 7.5]) {
    await assert.rejects(days(wrong), { name: "ValidationException", message: /from 7 to 30/ });
  }
});

test("a policy says which operations on which keys", async () => {
  const [one, two] = [await own.key(), await own.key()];
  const policy = policyOf({ Action: ["kms:DescribeKey", "kms:ListKeys"], Resource: [one, "*"] });
  const narrow = policyOf({ Action: "kms:DescribeKey", Resource: one });
  const wide = clientsOf({ after }, await withNewKey(service, { policy }));
  const restricted = clientsOf({ after }, await withNewKey(service, { policy: narrow }));
  const ask = (clients: typeof own, KeyId: string) =>
    clients.keys.send(new kms.DescribeKeyCommand({ KeyId }));
  assert.equal((await ask(restricted, one)).KeyMetadata?.Arn, one);
  const denied = { name: "AccessDeniedException", message: /not authorized to perform: kms:/ };
  await assert.rejects(ask(restricted, two), denied);
  await assert.rejects(ask(restricted, "none"), denied, "not told whether it exists");
  await assert.rejects(restricted.keys.send(new kms.ListKeysCommand({})), denied);
  await assert.rejects(wide.key(), denied);
  await assert.rejects(wide.keys.send(new kms.DisableKeyCommand({ KeyId: one })), denied);
  assert.ok((await wide.keys.send(new kms.ListKeysCommand({}))).Keys);
});

test("a disabled key locks what is under it, and enabling it opens it again", async () => {
  const key = await own.key();
  const id = await writeSnapshot(own, contents, { KmsKeyArn: key });
  const { SnapshotId: pending = "" } = await own.start({ KmsKeyArn: key });
  await own.put(pending, 0, blockContents(1));
  const token = (await own.list(id)).Blocks?.[0]?.BlockToken ?? "";
  await disable(key);
  assert.equal((await describeKey(key))?.KeyState, "Disabled");
  await assert.rejects(own.list(id), unusable);
  await assert.rejects(own.get(id, 0, token), unusable);
  await assert.rejects(own.changed(id, id), unusable);
  await assert.rejects(own.put(pending, 1, blockContents(1)), unusable);
  const refused = {
    name: "ValidationException",
    Reason: "INVALID_DEPENDENCY_REQUEST",
    message: `KMS refused the request: DisabledException: ${key} is disabled.`,
  };
  await assert.rejects(own.start({ KmsKeyArn: key }), refused);
  await assert.rejects(own.start({ ParentSnapshotId: id }), refused);
  await assert.rejects(own.copy(id), { name: "InvalidParameterValue" });
  await assert.rejects(keys.send(new kms.RotateKeyOnDemandCommand({ KeyId: key })), {
    name: "KMSInvalidStateException",
  });
  assert.equal((await own.describe(id)).KmsKeyId, key, "it is shown as ever");
  await enable(key);
  assert.deepEqual(await readSnapshot(own, id), contents);
  await own.put(pending, 1, blockContents(1));
  await own.complete(pending, 2);
  assert.equal(await stateOf(own, pending), "completed");
});

test("rotating a key changes nothing of what was written, also after a restart", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const first = await startService(t, { dataDirectory });
  const before = clientsOf(t, first);
  const key = await before.key();
  const parent = await writeSnapshot(before, contents, { KmsKeyArn: key });
  await before.keys.send(new kms.RotateKeyOnDemandCommand({ KeyId: key }));
  assert.deepEqual(await readSnapshot(before, parent), contents);
  const changes = new Map([
    [0, blockContents(3)],
    [5, blockContents(4)],
  ]);
  const input = { ParentSnapshotId: parent };
  const child = await writeSnapshot(before, changes, input);
  const { ChangedBlocks } = await before.changed(parent, child);
  assert.deepEqual(
    ChangedBlocks?.map(({ BlockIndex }) => BlockIndex),
    [5],
    "equal contents have one name, whichever secret encrypted them",
  );
  await first.close();
  const again = clientsOf(t, await startService(t, { dataDirectory }));
  assert.deepEqual(await readSnapshot(again, parent), contents);
  const both = new Map([...contents, ...changes].sort(([a], [b]) => a - b));
  assert.deepEqual(await readSnapshot(again, child), both);
});

test("a key whose deletion is not cancelled in time is gone, and what is under it", async (t) => {
  const clock = new MovingClock();
  const timed = await startService(t, { clock });
  const old = clientsOf(t, timed);
  const [doomed, saved] = [await old.key("doomed"), await old.key("saved")];
  const [lost, kept] = [
    await writeSnapshot(old, contents, { KmsKeyArn: doomed }),
    await writeSnapshot(old, contents, { KmsKeyArn: saved }),
  ];
  const { SnapshotId: pending = "" } = await old.start({ KmsKeyArn: doomed, Timeout: 4_320 });
  await old.put(pending, 0, blockContents(1));
  const schedule = (KeyId: string, PendingWindowInDays?: number) =>
    old.keys.send(new kms.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays }));
  const { DeletionDate, KeyState, PendingWindowInDays } = await schedule(doomed);
  assert.deepEqual([KeyState, PendingWindowInDays], ["PendingDeletion", 30]);
  assert.ok(Math.abs((DeletionDate?.getTime() ?? 0) - clock.nowMs() - 30 * MS_PER_DAY) < 60_000);
  await schedule(saved, 7);
  const invalidState = { name: "KMSInvalidStateException", message: /is pending deletion\.$/ };
  await assert.rejects(schedule(doomed), invalidState);
  await assert.rejects(old.keys.send(new kms.EnableKeyCommand({ KeyId: doomed })), invalidState);
  await assert.rejects(old.list(lost), unusable);
  await assert.rejects(old.start({ KmsKeyArn: doomed }), {
    Reason: "INVALID_DEPENDENCY_REQUEST",
    message: /KMSInvalidStateException: .* is pending deletion\.$/,
  });
  await old.keys.send(new kms.CancelKeyDeletionCommand({ KeyId: saved }));
  await assert.rejects(old.list(kept), unusable, "as on AWS, it is disabled then");
  await old.complete(pending, 1);
  // Not sealed before its key is gone, it would never be.
  while ((await old.describe(pending)).State !== "completed") await setTimeout(20);
  clock.advance(30 * MS_PER_DAY + 1_000);
  const { encryption } = timed.core.catalog;
  const stateOfDoomed = async () => (await encryption.get(doomed.split("/")[1] as never))?.state;
  while ((await stateOfDoomed()) !== "destroyed") await setTimeout(20);
  // Back, for the SDK goes by the machine's clock; what is destroyed stays so.
  clock.advance(-30 * MS_PER_DAY);
  const describe = () => old.keys.send(new kms.DescribeKeyCommand({ KeyId: doomed }));
  await assert.rejects(describe(), notFound);
  await assert.rejects(old.list(lost), unusable);
  await assert.rejects(old.put(pending, 1, blockContents(1)), { Reason: "INVALID_SNAPSHOT_ID" });
  assert.equal((await old.describe(lost)).KmsKeyId, doomed, "it is still known which key it was");
  const { Keys } = await old.keys.send(new kms.ListKeysCommand({}));
  assert.deepEqual(
    Keys?.map(({ KeyArn }) => KeyArn),
    [saved],
  );
  await assert.rejects(old.start({ ParentSnapshotId: lost }), {
    Reason: "INVALID_DEPENDENCY_REQUEST",
    message: /NotFoundException/,
  });
  await old.keys.send(new kms.EnableKeyCommand({ KeyId: saved }));
  assert.deepEqual(await readSnapshot(old, kept), contents);
});

test("a copy to another key goes on after a restart", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const first = await startService(t, { dataDirectory });
  const before = clientsOf(t, first);
  const many = new Map(Array.from({ length: 600 }, (_, i) => [i, blockContents(1 + (i % 6))]));
  const { SnapshotId: source = "" } = await before.start();
  const puts = [...many].map(
    ([blockIndex, bytes]) =>
      () =>
        before.put(source, blockIndex, bytes),
  );
  const lane = async () => {
    for (let next = puts.pop(); next; next = puts.pop()) await next();
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  await before.complete(source, many.size);
  await stateOf(before, source);
  const key = await before.key();
  const copy = await before.copy(source, { Encrypted: true, KmsKeyId: key });
  const { State, KmsKeyId } = await before.describe(copy);
  assert.deepEqual([State, KmsKeyId], ["pending", key]);
  await assert.rejects(before.list(copy), { name: "ResourceNotFoundException" });
  await assert.rejects(before.put(copy, 0, blockContents(1)), { Reason: "INVALID_SNAPSHOT_ID" });
  await first.close();
  const after = clientsOf(t, await startService(t, { dataDirectory }));
  assert.equal((await after.describe(copy)).State, "pending", "it was not done before");
  assert.equal(await stateOf(after, copy), "completed");
  assert.deepEqual(await readSnapshot(after, copy), many);
});

test("a key and its secrets are in the journal before they encrypt anything", async (t) => {
  // On a clock that stands still, nothing is journaled by itself.
  const still = await startService(t, { clock: new MovingClock() });
  const clients = clientsOf(t, still);
  const unjournaled = async () => {
    const changes = await still.core.catalog.journal.changes(100);
    return changes.map(({ entry }) => entry.key).filter((key) => key.startsWith("encryption-key/"));
  };
  const KeyId = await clients.key();
  assert.deepEqual(await unjournaled(), [], "made when asked for");
  await clients.start({ Encrypted: true });
  assert.deepEqual(await unjournaled(), [], "made when first needed");
  await clients.keys.send(new kms.RotateKeyOnDemandCommand({ KeyId }));
  assert.deepEqual(await unjournaled(), [], "rotated");
});
