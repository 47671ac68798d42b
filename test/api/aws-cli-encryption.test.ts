import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { findPythonTools } from "../support/python.ts";
import { awsEnvironment, startService } from "../support/service.ts";

const run = promisify(execFile);
const tools = await findPythonTools();
const skip = typeof tools === "string" ? tools : false;

test("The AWS CLI makes keys, has snapshots encrypted, and copies them", { skip }, async (t) => {
  if (typeof tools === "string") return;
  const service = await startService(t);
  const env = { ...process.env, ...awsEnvironment(service) };
  const aws = async (line: string) => {
    const { stdout } = await run(tools.aws, [...line.split(" "), "--output", "json"], { env });
    return stdout.trim() === "" ? {} : JSON.parse(stdout);
  };
  const { KeyMetadata } = await aws("kms create-key --description backups");
  const { Arn: arn, KeyId: id } = KeyMetadata;
  assert.deepEqual(await aws("kms list-keys"), { Keys: [{ KeyArn: arn, KeyId: id }] });
  const on = await aws("ec2 enable-ebs-encryption-by-default");
  assert.deepEqual(on, { EbsEncryptionByDefault: true });
  const chosen = await aws(`ec2 modify-ebs-default-kms-key-id --kms-key-id ${id}`);
  assert.deepEqual(chosen, { KmsKeyId: arn });
  assert.deepEqual(await aws("ec2 get-ebs-default-kms-key-id"), { KmsKeyId: arn });
  const { SnapshotId, KmsKeyArn } = await aws("ebs start-snapshot --volume-size 1");
  assert.equal(KmsKeyArn, arn);
  await aws(`ebs complete-snapshot --snapshot-id ${SnapshotId} --changed-blocks-count 0`);
  await aws(`ec2 wait snapshot-completed --snapshot-ids ${SnapshotId}`);
  const source = `--source-region ${service.region} --source-snapshot-id ${SnapshotId}`;
  const copy = await aws(`ec2 copy-snapshot ${source} --encrypted --kms-key-id alias/aws/ebs`);
  await aws(`ec2 wait snapshot-completed --snapshot-ids ${copy.SnapshotId}`);
  const { Aliases } = await aws("kms list-aliases");
  const { Snapshots } = await aws(`ec2 describe-snapshots --snapshot-ids ${copy.SnapshotId}`);
  assert.equal(Snapshots[0].KmsKeyId.split("/")[1], Aliases[0].TargetKeyId);
  await aws(`kms disable-key --key-id ${id}`);
  await assert.rejects(aws(`ebs list-snapshot-blocks --snapshot-id ${SnapshotId}`), {
    message: /\(ResourceNotFoundException\).*KMS key not found\./s,
  });
  await aws(`kms enable-key --key-id ${id}`);
  assert.deepEqual((await aws(`ebs list-snapshot-blocks --snapshot-id ${SnapshotId}`)).Blocks, []);
  await aws("ec2 disable-ebs-encryption-by-default");
  await aws("ec2 reset-ebs-default-kms-key-id");
  const deletion = await aws(`kms schedule-key-deletion --key-id ${id} --pending-window-in-days 7`);
  assert.equal(deletion.KeyState, "PendingDeletion");
});
